"""personas.check_enriched and personas.settle: a rewritten text adds no facts, loses none, keeps its form, and is kept
only where it is better."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

import regex
from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Judge, Row, RowStep, Verdict
from attar.api.text import UnknownLanguage, language, number_differences, script_share
from attar_personas.distillation.content import paragraphs
from attar_personas.distillation.output import REFUSAL
from attar_personas.indianization.question import PREAMBLE
from attar_personas.measure import words

# What must stand in both texts alike, besides numbers: addresses, e-mail addresses and placeholders.
MARKS = regex.compile(
    r"https?://[^\s<>()]+|www\.[^\s<>()]+|[\w.+-]+@[\w-]+\.[\w.]+|\{\{?[\w .-]+\}\}?|<[A-Za-z_/][\w/-]*>|%[sd]\b"
)
# A capital within a sentence, or two capitals together: what Latin script shows of names.
_NAME = regex.compile(r"(?<=[\p{L}\p{M}\p{N},;)][ \u00a0])\p{Lu}[\p{L}\p{M}'’-]+|\b\p{Lu}{2,}\b")
_LATIN = regex.compile(r"\b\p{Latin}[\p{Latin}\p{N}'’.-]+")


class CheckEnrichedConfig(Config):
    """See CheckEnriched."""

    before: str = Field(description="column with the text as it was")
    after: str = Field(description="column with the text rewritten")
    language: str | None = Field(None, description="column with the language of both, by code or name")
    kept: str | None = Field(None, description="column of lang.protect whose texts must stay where they stood before")
    parts: str | None = Field(None, description="column with the labelled paragraphs, a list; null: running text")
    finish: str | None = Field(None, description="column with the finish reason; `length` fails as truncated")
    containment: float = Field(0.5, ge=0, le=1, description="lowest share of new 3-grams that stand in the old text")
    length_ratio: tuple[float, float] = Field((0.7, 1.6), description="length against before, by characters")
    script_loss: float = Field(0.05, ge=0, le=1, description="how much of the language's script share may be lost")


class CheckEnriched(Judge[CheckEnrichedConfig]):
    """Passes a rewritten text that says what the text before said. The first fault decides the code.

    Fail codes: `empty`, `truncated`, `refused`, `preamble`, `number_changed`, `mark_lost` (addresses, placeholders,
    what lang.protect kept), `name_added`, `name_lost` (as far as Latin capitals show names), `new_text` (character
    3-grams), `length_ratio`, `wrong_script`, `structure_changed` (labelled paragraphs). Scores:
    `containment`, `kept_text` (the share of the old text's 3-grams that stand in the new), `length_ratio`.
    """

    Config = CheckEnrichedConfig

    def reads(self, incoming: Columns) -> Columns:
        config = self.config
        optional = {name: "string?" for name in (config.language, config.finish) if name is not None}
        others = {name: "any" for name in (config.kept, config.parts) if name is not None}
        return {config.before: "string?", config.after: "string?", **optional, **others}

    def score_names(self) -> tuple[str, ...]:
        return ("containment", "kept_text", "length_ratio")

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        least, most = self.config.length_ratio
        if least > most:
            yield ConfigProblem(("length_ratio",), f"{least:g} exceeds {most:g}: no row can pass", "lower it first")

    async def judge(self, row: Row, ctx: Context) -> Verdict:
        config = self.config
        before = unicodedata.normalize("NFC", row[config.before] or "")
        after = unicodedata.normalize("NFC", row[config.after] or "")
        if not words(after):
            return Verdict("fail", "empty", feedback="Nothing was written.")
        old, new = grams(before), grams(after)
        scores = {
            "containment": len(new & old) / len(new) if new else 1.0,
            "kept_text": len(new & old) / len(old) if old else 1.0,
            "length_ratio": len(after) / max(len(before), 1),
        }
        faults = [*self._form_faults(row, before, after, scores), *self._fact_faults(row, before, after, scores)]
        if not faults:
            return Verdict("pass", "", scores)
        return Verdict("fail", faults[0][0], scores, "\n".join(f"- {text}" for _, text in faults))

    def _form_faults(self, row: Row, before: str, after: str, scores: dict[str, float]) -> Iterator[tuple[str, str]]:
        config = self.config
        if config.finish is not None and row[config.finish] == "length":
            yield "truncated", "The text was cut off before its end."
        if REFUSAL.match(after) and not REFUSAL.match(before):
            yield "refused", "The answer declines the task. Rewrite the text."
        if PREAMBLE.match(after) and not PREAMBLE.match(before):
            yield "preamble", "Answer with the text alone, without a word before it."
        least, most = config.length_ratio
        if not least <= scores["length_ratio"] <= most:
            found = f"{scores['length_ratio']:.2g}"
            yield "length_ratio", f"The text is {found} times as long as before; {least:g} to {most:g} is right."
        parts = row[config.parts] if config.parts is not None else None
        if parts and len(paragraphs(after)) != len(parts):
            found = f"{len(paragraphs(after))} instead of {len(parts)}"
            yield "structure_changed", f"The labelled paragraphs are {found}. Keep each, with its label."
        if config.language is not None and row[config.language]:
            try:
                scripts = language(row[config.language]).scripts
            except UnknownLanguage:
                return
            lost = script_share(before, *scripts) - script_share(after, *scripts)
            if lost > config.script_loss:
                yield "wrong_script", f"{lost:.0%} of the letters left the script of {row[config.language]}."

    def _fact_faults(self, row: Row, before: str, after: str, scores: dict[str, float]) -> Iterator[tuple[str, str]]:
        config = self.config
        lost, added = number_differences(before, after)
        if lost or added:
            told = _difference(Counter(one.text for one in lost), Counter(one.text for one in added))
            yield "number_changed", f"Numbers must stay: {told}."
        marks_before, marks_after = Counter(MARKS.findall(before)), Counter(MARKS.findall(after))
        kept = [one["text"] for one in (row[config.kept] or ()) if one["text"]] if config.kept is not None else []
        gone = [text for text in kept if text in before and text not in after]
        if marks_before != marks_after or gone:
            told = _difference(marks_before, marks_after) if marks_before != marks_after else f"lost {gone[0]!r}"
            yield "mark_lost", f"Addresses, placeholders and protected words must stay: {told}."
        latin = script_share(before, "Latin") > 0.5
        names_before, names_after = names(before, latin), names(after, latin)
        if new_names := sorted(names_after - names_before - _all_words(before)):
            yield "name_added", f"New names: {', '.join(new_names[:5])}. Add nothing."
        if lost_names := sorted(names_before - names_after - _all_words(after)):
            yield "name_lost", f"Lost names: {', '.join(lost_names[:5])}. Keep them."
        if scores["containment"] < config.containment:
            yield "new_text", f"Only {scores['containment']:.0%} of the wording is the text's own. Change less."


class SettleConfig(Config):
    """See Settle."""

    before: str = Field(description="column with the text as it was")
    after: str = Field(description="column with the text rewritten")
    compared: str = Field(description="column of llm.pairwise over the two, `before` as its a and `after` as its b")
    column: str = Field("content_final", description="column for the text that is kept")


class Settle(RowStep[SettleConfig]):
    """Keeps the rewritten text where it won in both orders, else the text before: the worse version is never kept.

    Writes the text that is kept, `is_enriched`, and `edits`: what was changed in it, passage by passage, each as
    `old → new` (found by comparing the words; empty where the text before was kept).
    """

    Config = SettleConfig

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.before: "string", self.config.after: "string?", self.config.compared: "any"}

    def writes(self, incoming: Columns) -> Columns:
        new = {self.config.column: "string", "is_enriched": "bool", "edits": "list<string>"}
        return self.add(incoming, new)

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any]:
        config = self.config
        before, after = row[config.before] or "", row[config.after] or ""
        compared = row[config.compared]
        won = compared is not None and compared["winner"] == "b"
        better = won and bool(after.strip()) and after.strip() != before.strip()
        kept = after.strip() if better else before
        return {config.column: kept, "is_enriched": better, "edits": edits(before, kept) if better else []}


def edits(before: str, after: str) -> list[str]:
    """What was changed between two texts, word by word: `old → new`, with nothing on one side where words were put in
    or left out."""
    old, new = before.split(), after.split()
    # What both begin and end with is found at once; the matcher's time grows with the square of what is left.
    start = _shared(old, new)
    end = _shared(old[start:][::-1], new[start:][::-1])
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return [
        f"{' '.join(old[i1:i2])} → {' '.join(new[j1:j2])}".strip()
        for kind, i1, i2, j1, j2 in matcher.get_opcodes()
        if kind != "equal"
    ]


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many items two sequences begin with alike."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def grams(text: str) -> set[str]:
    """Character 3-grams, without case, white space as single spaces."""
    flat = " ".join(text.casefold().split())
    return {flat[i : i + 3] for i in range(len(flat) - 2)}


def names(text: str, latin: bool) -> set[str]:
    """What looks like names, without case: capitals within sentences; in other scripts every word in Latin letters."""
    found: list[str] = (_NAME if latin else _LATIN).findall(text)
    return {one.rstrip(".'’-").casefold() for one in found}


def _all_words(text: str) -> set[str]:
    return {word.casefold() for word in words(text)}


def _difference(before: Counter[Any], after: Counter[Any]) -> str:
    lost, added = before - after, after - before
    parts = [f"lost {', '.join(sorted(lost))}"] if lost else []
    return "; ".join([*parts, f"added {', '.join(sorted(added))}"] if added else parts)
