"""personas.check_text: a long text that is whole, in English, not repetitive, and does not recite its prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import regex
from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Judge, Row, Verdict
from attar_personas.measure import (
    DUPLICATE_SIZES,
    TOP_SIZES,
    Repetition,
    english_share,
    longest_common_substring,
    repetition,
    words,
)

SECTIONS = ("CONTEXT", "OBJECTIVE", "STYLE", "TONE", "AUDIENCE", "RESPONSE")
FRAMES = (
    "as a proud indian",
    "as an ai",
    "as a large language model",
    "in today's fast-paced world",
    "in the ever-evolving landscape",
    "rich tapestry",
    "a testament to",
    "it is important to note that",
    "delve into",
    "in conclusion,",
)


class Limits(Config):
    """Highest shares of repetition, from 0 to 1; the defaults are Gopher's (Rae et al. 2021, table A1)."""

    duplicate_lines: float = Field(0.3, ge=0, le=1)
    top: tuple[float, ...] = Field((0.20, 0.18, 0.16), min_length=3, max_length=3, description="for n = 2, 3, 4")
    duplicate: tuple[float, ...] = Field(
        (0.15, 0.14, 0.13, 0.12, 0.11, 0.10), min_length=6, max_length=6, description="for n = 5 … 10"
    )


class CheckTextConfig(Config):
    """See CheckText."""

    column: str = Field("text", description="column with the text")
    min_words: int = Field(900, ge=1)
    max_words: int | None = Field(None, ge=1)
    min_english: float = Field(0.98, ge=0, le=1, description="lowest share of ASCII letters among letters")
    finish: str | None = Field(None, description="column with the finish reason; `length` fails as truncated")
    persona: str | None = Field(None, description="column whose wording must not be recited")
    max_shared: int = Field(59, ge=1, description="longest stretch of characters shared with the persona")
    sections: tuple[str, ...] = Field(SECTIONS, description="headings of the prompt that must not be echoed")
    repetition: Limits = Limits()
    frames: tuple[str, ...] = Field(FRAMES, description="stock phrases counted as score `frames`, in lower case")
    max_frames: int | None = Field(None, ge=0, description="more stock phrases than this fail; null: only counted")


class CheckText(Judge[CheckTextConfig]):
    """Checks a text without a model. The first fault decides the code; the feedback names all of them.

    Fail codes: `truncated`, `too_short`, `too_long`, `not_english`, `heading_echo`, `repetitive`, `persona_leak`,
    `stock_phrases`. Scores: `n_words`, `english`, `duplicate_lines`, `top_ngram` and `duplicate_ngram` (the highest
    share over n), `shared_characters`, `frames`.
    """

    Config = CheckTextConfig

    def reads(self, incoming: Columns) -> Columns:
        optional = {name: "string?" for name in (self.config.finish, self.config.persona) if name is not None}
        return {self.config.column: "string", **optional}

    def score_names(self) -> tuple[str, ...]:
        return (
            "n_words",
            "english",
            "duplicate_lines",
            "top_ngram",
            "duplicate_ngram",
            "shared_characters",
            "frames",
        )

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        if self.config.max_words is not None and self.config.min_words > self.config.max_words:
            yield ConfigProblem(
                ("min_words",),
                f"min_words {self.config.min_words} exceeds max_words {self.config.max_words}",
                "lower min_words or raise max_words",
            )

    async def judge(self, row: Row, ctx: Context) -> Verdict:
        config = self.config
        text: str = row[config.column] or ""
        count = len(words(text))
        english = english_share(text)
        found = repetition(text)
        shared = longest_common_substring(row[config.persona] or "", text) if config.persona is not None else ""
        frames = [frame for frame in config.frames if frame in text.casefold().replace("’", "'")]
        finish = row[config.finish] if config.finish is not None else None
        faults = [
            *self._form_faults(text, count, english, finish),
            *repetition_faults(found, config.repetition),
            *self._leak_faults(shared, frames),
        ]
        scores = {
            "n_words": float(count),
            "english": english,
            "duplicate_lines": found.lines,
            "top_ngram": max(found.top),
            "duplicate_ngram": max(found.duplicate),
            "shared_characters": float(len(shared)),
            "frames": float(len(frames)),
        }
        if not faults:
            return Verdict("pass", "", scores)
        return Verdict("fail", faults[0][0], scores, "\n".join(f"- {text}" for _, text in faults))

    def _form_faults(self, text: str, count: int, english: float, finish: str | None) -> Iterator[tuple[str, str]]:
        config = self.config
        if finish == "length":
            yield "truncated", "The text was cut off before its end. Write it to a close."
        if count < config.min_words:
            yield "too_short", f"The text has {count} words; at least {config.min_words} are needed."
        if config.max_words is not None and count > config.max_words:
            yield "too_long", f"The text has {count} words; at most {config.max_words} are allowed."
        if english < config.min_english:
            yield "not_english", f"Only {english:.0%} of the letters are English. Write in English."
        if config.sections:
            echo = heading_pattern(config.sections).search(text)
            if echo:
                yield "heading_echo", f"The heading {echo.group().strip()!r} is the instructions', not the text's."

    def _leak_faults(self, shared: str, frames: Sequence[str]) -> Iterator[tuple[str, str]]:
        config = self.config
        if len(shared) > config.max_shared:
            yield "persona_leak", f"The persona's own wording is recited: {shared!r}. Let it be felt instead."
        if config.max_frames is not None and len(frames) > config.max_frames:
            yield "stock_phrases", f"Leave out stock phrases such as: {'; '.join(frames)}."


@lru_cache(maxsize=16)
def heading_pattern(sections: tuple[str, ...]) -> Any:
    """Matches a line that is one of the headings, dressed as one (`# STYLE #`, `**Style**`, `STYLE:`)."""
    names = "|".join(regex.escape(section) for section in sections)
    return regex.compile(
        rf"^[ \t]*(?:#+[ \t]*(?:{names})[ \t]*#*|\*\*(?:{names}):?\*\*:?|(?-i:{names}):)[ \t]*$",
        regex.IGNORECASE | regex.MULTILINE,
    )


def repetition_faults(found: Repetition, limits: Limits) -> Iterator[tuple[str, str]]:
    """(code, feedback) of each kind of repetition above its limit."""
    if found.lines > limits.duplicate_lines:
        yield "repetitive", f"{found.lines:.0%} of the lines say the same as an earlier one."
    for n, share, limit in zip(TOP_SIZES, found.top, limits.top, strict=True):
        if share > limit:
            yield "repetitive", f"One run of {n} words makes up {share:.0%} of the text. Vary the wording."
            return
    for n, share, limit in zip(DUPLICATE_SIZES, found.duplicate, limits.duplicate, strict=True):
        if share > limit:
            yield "repetitive", f"{share:.0%} of the text repeats runs of {n} words. Vary the wording."
            return
