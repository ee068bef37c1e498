"""lang.segments and lang.join: a long text in pieces, and the pieces' translations as one text again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Literal

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, DatasetStep, Drop, New, Reject, Row, RowSet, RowStep

_PARTS = ("of", "number", "count", "before", "after")


class SegmentsConfig(Config):
    """See Segments."""

    text: str = Field("text", min_length=1, description="column with the text")
    column: str = Field("segment", min_length=1, description="new column with the piece; helpers begin with its name")
    by: Literal["paragraph", "sentence"] = Field("paragraph", description="what a text is never cut within")
    max_characters: int = Field(2000, ge=1, description="neighbours are put together up to this many characters")
    language_column: str | None = Field(None, min_length=1, description="column with the language, for sentences")


class Segments(RowStep[SegmentsConfig]):
    """Cuts a text between paragraphs or sentences; each piece becomes a row. `lang.join` puts them together again.

    Writes `<column>` and, for the joining, `<column>_of` (the text's row id), `<column>_number` (from 1),
    `<column>_count`, `<column>_before` and `<column>_after` (white space around the piece; `after` of the last alone).
    All pieces with their `before`, and the last `after`, are the text to the character. A paragraph or sentence longer
    than `max_characters` stays whole.
    """

    Config = SegmentsConfig
    expands = True

    def reads(self, incoming: Columns) -> Columns:
        language = {} if self.config.language_column is None else {self.config.language_column: "string?"}
        return {self.config.text: "string?", **language}

    def writes(self, incoming: Columns) -> Columns:
        name = self.config.column
        kinds = {"of": "string", "number": "int", "count": "int", "before": "string", "after": "string"}
        new = {name: "string", **{f"{name}_{part}": kinds[part] for part in _PARTS}}
        return self.add(incoming, new, ("column",))

    async def apply(self, row: Row, ctx: Context) -> list[Mapping[str, Any]] | Reject:
        from attar.api.text import UnknownLanguage

        config = self.config
        language = row[config.language_column] if config.language_column is not None else None
        try:
            pieces = cut(row[config.text] or "", config.by, config.max_characters, language)
        except UnknownLanguage as error:
            return Reject("unknown_language", str(error))
        name = config.column
        return [
            {
                name: piece,
                f"{name}_of": row.id,
                f"{name}_number": number,
                f"{name}_count": len(pieces),
                f"{name}_before": before,
                f"{name}_after": after,
            }
            for number, (before, piece, after) in enumerate(pieces, start=1)
        ]


def cut(text: str, by: str = "paragraph", most: int = 2000, language: str | None = None) -> list[tuple[str, str, str]]:
    """Pieces of a text as (white space before, piece, white space after); joined in order they are the text.

    Raises:
        UnknownLanguage: the language is not in the table.
    """
    from attar.api.text import sentences

    if by == "sentence":
        places: Iterable[tuple[int, int]] = ((one.start, one.end) for one in sentences(text, language or None))
    else:
        places = _paragraphs(text)
    cuts: list[tuple[int, int]] = []
    for start, end in places:
        if cuts and end - cuts[-1][0] <= most:
            cuts[-1] = (cuts[-1][0], end)
        else:
            cuts.append((start, end))
    if not cuts:  # nothing but white space and signs
        stripped = text.strip()
        start = text.index(stripped) if stripped else 0
        return [(text[:start], stripped, text[start + len(stripped) :])]
    # Signs outside all sentences go with their neighbour, so that only white space is between.
    made, position = [], 0
    for number, (start, _) in enumerate(cuts):
        last = number + 1 == len(cuts)
        stop = len(text) if last else cuts[number + 1][0]
        piece = text[position:start].lstrip() + text[start:stop].rstrip()
        at = text.index(piece, position)
        made.append((text[position:at], piece, text[at + len(piece) :] if last else ""))
        position = at + len(piece)
    return made


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    import regex

    position = 0
    for gap in regex.finditer(r"\n[^\S\n]*\n\s*", text):
        if text[position : gap.start()].strip():
            yield position + _indent(text[position : gap.start()]), gap.start()
        position = gap.end()
    if text[position:].strip():
        yield position + _indent(text[position:]), len(text.rstrip())


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


class JoinConfig(Config):
    """See Join."""

    text: str = Field(..., min_length=1, description="column with what has become of each piece")
    column: str = Field("joined", min_length=1, description="new column with the whole text")
    segment: str = Field("segment", min_length=1, description="the column that lang.segments made")
    keep: tuple[str, ...] = Field((), description="columns of the whole text, taken from its first piece")


class Join(DatasetStep[JoinConfig]):
    """Puts the pieces that `lang.segments` made together again, with the white space that was between them.

    Each text becomes a new row with `keep` and `<column>`, in the order of the texts' ids. Where a piece was lost on
    the way, the others are rejected as `incomplete`: half a text is none. Sorts on disk; one text is held in memory.
    """

    Config = JoinConfig

    def reads(self, incoming: Columns) -> Columns:
        name = self.config.segment
        kinds = {"of": "string", "number": "int", "count": "int", "before": "string", "after": "string"}
        helpers = {f"{name}_{part}": kinds[part] for part in _PARTS}
        return {self.config.text: "string?", **helpers, **dict.fromkeys(self.config.keep, "any")}

    def writes(self, incoming: Columns) -> Columns:
        kept = {name: incoming.get(name, "any") for name in self.config.keep}
        if self.config.column in kept:
            raise ConfigProblem(
                ("column",), f"column {self.config.column!r} is written twice: it is in keep, too", "rename it", "E502"
            )
        return {**kept, self.config.column: "string"}

    def apply(self, rows: RowSet, ctx: Context) -> Iterator[Row | Drop | New]:
        name = self.config.segment
        ordered = rows.sorted_by(f"{name}_of", f"{name}_number")
        for of, several in groupby(ordered, key=lambda row: row[f"{name}_of"]):
            yield from self._joined(str(of), list(several))

    def _joined(self, of: str, pieces: list[Row]) -> Iterator[Drop | New]:
        name, text = self.config.segment, self.config.text
        count = pieces[0][f"{name}_count"]
        if [piece[f"{name}_number"] for piece in pieces] != list(range(1, count + 1)):
            why = Reject("incomplete", f"{len(pieces)} of {count} pieces are there")
            yield from (Drop(piece, why) for piece in pieces)
            return
        whole = "".join(piece[f"{name}_before"] + (piece[text] or "").strip() for piece in pieces)
        columns = {kept: pieces[0][kept] for kept in self.config.keep}
        columns[self.config.column] = whole + pieces[-1][f"{name}_after"]
        yield New([piece.id for piece in pieces], of, columns)
