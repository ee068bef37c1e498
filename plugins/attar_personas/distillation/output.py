"""personas.check_output: what a generator wrote, checked by code for its output type."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import regex
from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Judge, Row, Verdict
from attar.api.text import UnknownLanguage, language, script_share, sentences
from attar_personas.distillation.types import FIELD_TYPES, FIELDS
from attar_personas.indianization.text import SECTIONS, Limits, heading_pattern, repetition_faults
from attar_personas.measure import english_share, longest_common_substring, repetition, words

Fault = tuple[str, str]

# How refusals begin; further on, the same words may belong to a dialogue's persons.
REFUSAL = regex.compile(
    r"^\W*(?:i(?:'m| am) (?:sorry|afraid|unable|not able)|sorry,|i (?:can(?:no|')t|cannot|won't) (?:help|assist|write|"
    r"provide|create|generate|comply|fulfil)|as an ai\b|i apologi[sz]e|unfortunately, i)",
    regex.IGNORECASE,
)
REPEATS_FROM = 60  # words; shares of repetition say nothing of shorter texts


class CheckOutputConfig(Config):
    """See CheckOutput."""

    type: str = Field("output_type", description="column with the output type")
    finish: str | None = Field(None, description="column with the finish reason; `length` fails as truncated")
    persona: str | None = Field(None, description="column whose wording must not be recited")
    language: str | None = Field(None, description="column with the language of a cross_lingual row's target_text")
    min_words: int = Field(900, ge=1, description="shortest article")
    min_turns: int = Field(4, ge=2, description="fewest turns of a dialogue")
    max_turns: int = Field(20, ge=2, description="most turns of a dialogue")
    crisp_words: int = Field(25, ge=1, description="longest crisp answer")
    detailed_sentences: tuple[int, int] = Field((3, 5), description="fewest and most sentences of a detailed answer")
    min_steps: int = Field(2, ge=1, description="fewest steps of a chain of thought")
    min_source_words: int = Field(60, ge=1, description="shortest source_text of a cross_lingual row")
    length_ratio: tuple[float, float] = Field((0.5, 2.5), description="target_text to source_text, by characters")
    script_share: float = Field(0.9, ge=0, le=1, description="lowest share of the language's script in target_text")
    min_english: float = Field(0.98, ge=0, le=1, description="lowest share of ASCII letters in what is to be English")
    max_shared: int = Field(59, ge=1, description="longest stretch of characters shared with the persona")
    sections: tuple[str, ...] = Field(SECTIONS, description="headings of the prompt that must not be echoed")
    repetition: Limits = Limits()


class CheckOutput(Judge[CheckOutputConfig]):
    """Checks what was written for the row's output type. The first fault decides the code; feedback names them all.

    Reads the columns that the generators of the five types leave: `draft` (article), `turns` (dialogue), `question`,
    `crisp`, `detailed` (qa), `problem`, `steps`, `answer` (cot), `source_text`, `target_text` (cross_lingual).

    Fail codes of every type: `empty`, `truncated`, `refused`, `not_english`, `heading_echo`, `repetitive`,
    `persona_leak`. Of an article: `too_short`. Of a dialogue: `too_few_turns`, `too_many_turns`, `roles_out_of_turn`,
    `repeated_turn`. Of qa: `no_question`, `crisp_too_long`, `detailed_length`. Of a chain of thought: `too_few_steps`,
    `answer_missing`. Of cross_lingual: `too_short`, `length_ratio`, `wrong_script`, `untranslated`.
    Scores: `n_words`, `english`, `duplicate_lines`, `shared_characters`. A row of another type is an error of the row.
    """

    Config = CheckOutputConfig

    def reads(self, incoming: Columns) -> Columns:
        config = self.config
        optional = {name: "string?" for name in (config.finish, config.persona, config.language) if name is not None}
        return {config.type: "string", **FIELD_TYPES, **optional}

    def score_names(self) -> tuple[str, ...]:
        return ("n_words", "english", "duplicate_lines", "shared_characters")

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        config = self.config
        pairs: tuple[tuple[str, str, float, float], ...] = (
            ("min_turns", "max_turns", config.min_turns, config.max_turns),
            ("detailed_sentences", "its end", *config.detailed_sentences),
            ("length_ratio", "its end", *config.length_ratio),
        )
        for low, high, least, most in pairs:
            if least > most:
                message = f"{low} {least:g} exceeds {high} {most:g}: no row can pass"
                yield ConfigProblem((low,), message, "lower it first")

    async def judge(self, row: Row, ctx: Context) -> Verdict:
        config = self.config
        kind = row[config.type]
        if kind not in FIELDS:
            return Verdict("error", "output_type", feedback=f"{kind!r} is none of {', '.join(FIELDS)}")
        missing = [name for name in FIELDS[kind] if not _filled(row[name])]
        if missing:
            return Verdict("fail", "empty", feedback=f"Empty: {', '.join(missing)}. Write all of it.")
        english = "\n".join(english_parts(kind, row))
        shared = longest_common_substring(row[config.persona] or "", english) if config.persona is not None else ""
        found = repetition(english)
        faults = list(self._faults(kind, row, english, shared))
        if len(words(english)) >= REPEATS_FROM:
            faults += repetition_faults(found, config.repetition)
        scores = {
            "n_words": float(len(words(english))),
            "english": english_share(english),
            "duplicate_lines": found.lines,
            "shared_characters": float(len(shared)),
        }
        if not faults:
            return Verdict("pass", "", scores)
        return Verdict("fail", faults[0][0], scores, "\n".join(f"- {text}" for _, text in faults))

    def _faults(self, kind: str, row: Row, english: str, shared: str) -> Iterator[Fault]:
        config = self.config
        if config.finish is not None and row[config.finish] == "length":
            yield "truncated", "The text was cut off before its end. Write it to a close."
        if REFUSAL.match(english):
            yield "refused", "The answer declines the task. Write what is asked."
        yield from _FAULTS[kind](row, config)
        share = english_share(english)
        if share < config.min_english:
            yield "not_english", f"Only {share:.0%} of the letters are English. Write in English."
        if config.sections and (echo := heading_pattern(config.sections).search(english)):
            yield "heading_echo", f"The heading {echo.group().strip()!r} is the instructions', not the text's."
        if len(shared) > config.max_shared:
            yield "persona_leak", f"The persona's own wording is recited: {shared!r}. Let it be felt instead."


def english_parts(kind: str, row: Mapping[str, Any]) -> list[str]:
    """The parts of an output that are written in English, in order."""
    if kind == "dialogue":
        return [turn["content"] or "" for turn in row["turns"]]
    if kind == "cot":
        return [row["problem"], *row["steps"], row["answer"]]
    return [row[name] for name in FIELDS[kind] if name != "target_text"]


def _filled(value: Any) -> bool:
    """Whether there is a word in a text, or in every item of a list (of texts or turns)."""
    if isinstance(value, str):
        return bool(words(value))
    if isinstance(value, Sequence):
        return bool(value) and all(_filled(one.get("content") if isinstance(one, Mapping) else one) for one in value)
    return False


def _same(one: str, other: str) -> bool:
    return [word.casefold() for word in words(one)] == [word.casefold() for word in words(other)]


def _article(row: Row, config: CheckOutputConfig) -> Iterator[Fault]:
    count = len(words(row["draft"]))
    if count < config.min_words:
        yield "too_short", f"The text has {count} words; at least {config.min_words} are needed."


def _dialogue(row: Row, config: CheckOutputConfig) -> Iterator[Fault]:
    turns = row["turns"]
    if len(turns) < config.min_turns:
        yield "too_few_turns", f"The dialogue has {len(turns)} turns; at least {config.min_turns} are needed."
    if len(turns) > config.max_turns:
        yield "too_many_turns", f"The dialogue has {len(turns)} turns; at most {config.max_turns} are allowed."
    roles = [turn["role"] for turn in turns]
    if roles != ["user", "assistant"] * (len(turns) // 2):
        yield "roles_out_of_turn", "User and assistant must speak in turn, the user first and the assistant last."
    if any(_same(one["content"], other["content"]) for one, other in zip(turns, turns[2:], strict=False)):
        yield "repeated_turn", "A speaker says the same twice running. Move the talk on."


def _qa(row: Row, config: CheckOutputConfig) -> Iterator[Fault]:
    if not row["question"].strip().endswith("?"):
        yield "no_question", "The question must be one sentence that ends in a question mark."
    crisp = len(words(row["crisp"]))
    if crisp > config.crisp_words:
        yield "crisp_too_long", f"The crisp answer has {crisp} words; at most {config.crisp_words} are allowed."
    count, (least, most) = len(sentences(row["detailed"])), config.detailed_sentences
    if not least <= count <= most:
        yield "detailed_length", f"The detailed answer has {count} sentences; {least} to {most} are needed."


def _cot(row: Row, config: CheckOutputConfig) -> Iterator[Fault]:
    if len(row["steps"]) < config.min_steps:
        yield "too_few_steps", f"There are {len(row['steps'])} steps; at least {config.min_steps} are needed."
    if _same(row["answer"], row["problem"]):
        yield "answer_missing", "The answer only repeats the problem. Answer it."


def _cross_lingual(row: Row, config: CheckOutputConfig) -> Iterator[Fault]:
    source, target = row["source_text"], row["target_text"]
    count = len(words(source))
    if count < config.min_source_words:
        yield "too_short", f"source_text has {count} words; at least {config.min_source_words} are needed."
    least, most = config.length_ratio
    ratio = len(unicodedata.normalize("NFC", target)) / len(unicodedata.normalize("NFC", source))
    if not least <= ratio <= most:
        yield (
            "length_ratio",
            f"target_text is {ratio:.2g} times as long as source_text; {least:g} to {most:g} is right.",
        )
    if _same(source, target):
        yield "untranslated", "target_text is source_text again. Write it in the other language."
    if config.language is not None and (name := row[config.language]):
        try:
            wanted = language(name)
        except UnknownLanguage:
            return
        share = script_share(target, *wanted.scripts)
        if share < config.script_share:
            yield "wrong_script", f"Only {share:.0%} of target_text is in the script of {wanted.name}."


_FAULTS: Mapping[str, Callable[[Row, CheckOutputConfig], Iterator[Fault]]] = {
    "article": _article,
    "dialogue": _dialogue,
    "qa": _qa,
    "cot": _cot,
    "cross_lingual": _cross_lingual,
}
