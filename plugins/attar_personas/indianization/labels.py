"""The five labelled values of a rewritten persona: found by label, in any order."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import regex
from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Judge, Reject, Row, RowStep, Verdict
from attar_personas.measure import english_share, words

KEYS = ("ps", "gd_1", "sp_1", "gd_01", "sp_01")
_MARKS = "*_`#>"


class Found(NamedTuple):
    """What was found in an answer: its values by label, or what is wrong with it."""

    values: Mapping[str, str]
    code: str = ""
    detail: str = ""


@lru_cache(maxsize=32)
def _label(keys: tuple[str, ...]) -> Any:
    """Matches a label at the start, at a line's start or at a `|`, with the markdown models put around labels.

    `gd\\_1` is how markdown escapes `gd_1`; `(1%)` after a label is copied from the format line of the prompt.
    """
    names = "|".join(regex.escape(key).replace("_", r"\\?_") for key in sorted(keys, key=len, reverse=True))
    dress = rf"[ \t{_MARKS}]*"
    return regex.compile(
        rf"(?:^|[\n|])[ \t]*(?:[-+•>]|\d+[.)])?{dress}(?P<key>{names}){dress}(?:\([^)\n]{{0,20}}\))?{dress}:",
        regex.IGNORECASE,
    )


def parse_labels(text: str, keys: Sequence[str] = KEYS) -> Found:
    """Finds each label's value: what stands between it and the next label.

    A `|` inside a value stays, since only a `|` before a label ends one. Text before the first label is left out.
    Markdown emphasis and a trailing `|` around values are removed.

    Codes: `missing_key`, `empty_key`, `repeated_key`.
    """
    values: dict[str, str] = {}
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n")
    hits = list(_label(tuple(keys)).finditer(text))
    names = {key.casefold(): key for key in keys}
    for hit, after in zip(hits, [*hits[1:], None], strict=False):
        key = names[hit["key"].replace("\\", "").casefold()]
        if key in values:
            return Found(values, "repeated_key", f"{key} is there more than once")
        values[key] = _clean(text[hit.end() : after.start() if after else len(text)])
    missing = [key for key in keys if key not in values]
    if missing:
        return Found(values, "missing_key", f"missing: {', '.join(missing)}")
    empty = [key for key in keys if not words(values[key])]
    if empty:
        return Found(values, "empty_key", f"empty: {', '.join(empty)}")
    return Found(values)


def _clean(value: str) -> str:
    value = regex.sub(r"\*\*(.+?)\*\*", r"\1", value, flags=regex.DOTALL)
    return value.strip().strip("|*`").strip()


class LabelledConfig(Config):
    """See Labelled."""

    text: str = Field(description="column with the model's answer")
    keys: tuple[str, ...] = Field(KEYS, min_length=1, description="the labels; each becomes a column")


class Labelled(RowStep[LabelledConfig]):
    """Turns `ps: … | gd_1: … | …` into one column per label.

    Rows that cannot be parsed are rejected with the codes of `parse_labels`; put `personas.check_labelled` before it to
    have them written again instead.
    """

    Config = LabelledConfig

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.text: "string"}

    def writes(self, incoming: Columns) -> Columns:
        return self.add(incoming, dict.fromkeys(self.config.keys, "string"))

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject:
        found = parse_labels(row[self.config.text] or "", self.config.keys)
        return Reject(found.code, found.detail) if found.code else found.values


class CheckLabelledConfig(LabelledConfig):
    """See CheckLabelled."""

    original: str | None = Field(None, description="column with the persona as it was; the rewritten one must differ")
    main: str = Field("ps", description="the label that holds the persona")
    min_english: float = Field(0.98, ge=0, le=1, description="lowest share of ASCII letters among letters")


class CheckLabelled(Judge[CheckLabelledConfig]):
    """Passes an answer that holds all labels, in English, with a persona that was changed.

    Fail codes: `missing_key`, `empty_key`, `repeated_key`, `unchanged_persona`, `not_english`.
    """

    Config = CheckLabelledConfig

    def reads(self, incoming: Columns) -> Columns:
        original = {} if self.config.original is None else {self.config.original: "string"}
        return {self.config.text: "string", **original}

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        if self.config.main not in self.config.keys:
            yield ConfigProblem(
                ("main",),
                f"main {self.config.main!r} is none of the keys {', '.join(self.config.keys)}",
                "name one of them",
            )

    async def judge(self, row: Row, ctx: Context) -> Verdict:
        config = self.config
        text = row[config.text] or ""
        found = parse_labels(text, config.keys)
        if found.code:
            form = " | ".join(f"{key}: …" for key in config.keys)
            return Verdict("fail", found.code, feedback=f"{found.detail}. Answer with all keys, as {form}")
        if config.original is not None and _same(found.values[config.main], row[config.original] or ""):
            return Verdict("fail", "unchanged_persona", feedback="The persona is the same as before. Rewrite it.")
        share = english_share(text)
        if share < config.min_english:
            return Verdict("fail", "not_english", feedback=f"Only {share:.0%} of the letters are English. Use English.")
        return Verdict("pass")


def _same(one: str, other: str) -> bool:
    """Whether two texts differ in no word: a changed comma is no rewritten persona."""
    return [word.casefold() for word in words(one)] == [word.casefold() for word in words(other)]
