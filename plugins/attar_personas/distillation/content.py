"""personas.content and personas.turns: five kinds of output as uniform columns, and back again as turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import regex
from pydantic import Field

from attar.api import Columns, Config, Context, Reject, Row, RowStep
from attar_personas.distillation.types import FIELD_TYPES, FIELDS, TURNS

_BREAK = regex.compile(r"\n\s*\n")
_LABEL = regex.compile(r"^[^\n:：]{1,40}[:：]\s*")

NAMES = {"user": "User", "assistant": "Assistant"}


class ContentConfig(Config):
    """See Content."""

    type: str = Field("output_type", description="column with the output type")


class Content(RowStep[ContentConfig]):
    """Puts what the generators of the five types left into uniform columns, and drops theirs.

    Writes `content` (readable text: an article as it is; a dialogue, an answered question or a chain of thought as
    labelled paragraphs; the source_text of a cross_lingual row), `rendering` (its target_text, else null), `parts` (the
    labelled paragraphs without their labels: question, crisp and detailed answer; problem, steps and answer; turns) and
    `turns` (the exchange as user and assistant); both are null for running text. Reject code: `empty`, where nothing
    was written or the type is none of the five.
    """

    Config = ContentConfig

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.type: "string", **FIELD_TYPES}

    def writes(self, incoming: Columns) -> Columns:
        kept = {name: kind for name, kind in incoming.items() if name not in FIELD_TYPES}
        new = {"content": "string", "rendering": "string?", "parts": "list<string>?", "turns": f"{TURNS}?"}
        return self.add(kept, new)

    def overwrites(self, incoming: Columns) -> Sequence[str]:
        return ("turns",)

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject:
        kind = row[self.config.type]
        if kind not in FIELDS or any(not row[name] for name in FIELDS[kind]):
            return Reject("empty", f"nothing is written for output type {kind!r}")
        if kind in ("article", "cross_lingual"):
            text = row["draft"] if kind == "article" else row["source_text"]
            rendering = None if kind == "article" else row["target_text"].strip()
            return {"content": text.strip(), "rendering": rendering, "parts": None, "turns": None}
        labelled = labelled_parts(kind, row)
        parts = [_tight(text) for _, text in labelled]
        content = "\n\n".join(f"{label}: {text}" for (label, _), text in zip(labelled, parts, strict=True))
        return {"content": content, "rendering": None, "parts": parts, "turns": turns_of(kind, row)}


def labelled_parts(kind: str, row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Label and text of each paragraph of a dialogue, an answered question or a chain of thought."""
    if kind == "dialogue":
        return [(NAMES.get(turn["role"], turn["role"]), turn["content"]) for turn in row["turns"]]
    if kind == "qa":
        return [("Question", row["question"]), ("Short answer", row["crisp"]), ("Answer", row["detailed"])]
    steps = [(f"Step {number}", step) for number, step in enumerate(row["steps"], start=1)]
    return [("Problem", row["problem"]), *steps, ("Answer", row["answer"])]


def turns_of(kind: str, row: Mapping[str, Any]) -> list[dict[str, str]]:
    """The same as a chat of user and assistant."""
    if kind == "dialogue":
        return [{"role": turn["role"], "content": turn["content"].strip()} for turn in row["turns"]]
    if kind == "qa":
        asked, said = row["question"], row["detailed"]
    else:
        asked, said = row["problem"], "\n\n".join([*row["steps"], row["answer"]])
    return [{"role": "user", "content": asked.strip()}, {"role": "assistant", "content": said.strip()}]


def _tight(text: str) -> str:
    """Without blank lines, which part paragraphs."""
    tight: str = _BREAK.sub("\n", text.strip())
    return tight


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a text, parted by blank lines."""
    return [part.strip() for part in _BREAK.split(text.strip()) if part.strip()]


def unlabelled(text: str) -> list[str]:
    """The paragraphs of a labelled text without their labels, in whatever language those now are."""
    return [_LABEL.sub("", part, count=1).strip() for part in paragraphs(text)]


class TurnsConfig(Config):
    """See Turns."""

    type: str = Field("output_type", description="column with the output type")
    text: str = Field("content_final", description="column with the labelled paragraphs, translated or rewritten")
    parts: str = Field("parts", description="column with the paragraphs as they were first written; null: running text")
    turns: str = Field("turns", description="column with the turns as they were first written")


class Turns(RowStep[TurnsConfig]):
    """Reads parts and turns back out of a text that `personas.content` made and others have translated or rewritten.

    Writes `parts_final` and `turns_final`, like `parts` and `turns`. Null for running text, and where the paragraphs
    are no longer as many as they were: nothing is guessed.
    """

    Config = TurnsConfig

    def reads(self, incoming: Columns) -> Columns:
        config = self.config
        return {config.type: "string", config.text: "string", config.parts: "any", config.turns: "any"}

    def writes(self, incoming: Columns) -> Columns:
        return self.add(incoming, {"parts_final": "list<string>?", "turns_final": f"{TURNS}?"})

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any]:
        config = self.config
        parts = parts_again(row[config.text] or "", row[config.parts])
        turns = None if parts is None else turns_again(row[config.type], parts, row[config.turns] or ())
        return {"parts_final": parts, "turns_final": turns}


def parts_again(text: str, parts: Sequence[str] | None) -> list[str] | None:
    """The parts of a translated or rewritten text; None where they cannot be told apart any longer."""
    found = unlabelled(text)
    return found if parts and len(found) == len(parts) and all(found) else None


def turns_again(kind: str, parts: Sequence[str], turns: Sequence[Mapping[str, str]]) -> list[dict[str, str]] | None:
    """The turns made of such parts; None where they do not fit the turns there were."""
    if kind == "dialogue":
        said = list(parts)
    elif kind == "qa":
        said = [parts[0], parts[-1]]
    else:
        said = [parts[0], "\n\n".join(parts[1:])]
    if len(said) != len(turns):
        return None
    return [{"role": turn["role"], "content": text} for turn, text in zip(turns, said, strict=True)]
