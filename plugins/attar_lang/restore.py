"""lang.restore: puts what was masked back in the place of its marks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from attar.api import Columns, Config, Context, Reject, Row, RowStep, nullable

FAULTS_TYPE = "list<struct<code:string,mark:string,text:string>>"


class RestoreConfig(Config):
    """See Restore."""

    text: str = Field(..., min_length=1, description="column with the translation, marks in it")
    kept: str = Field(..., min_length=1, description="column that lang.protect called `<column>_kept`")
    column: str = Field("restored", min_length=1, description="new column with the text")
    faults: str | None = Field(None, min_length=1, description="new column that lists marks lost, repeated and unknown")
    reject: bool = Field(False, description="reject a row with such a fault; else lang.check_translation sees to it")


class Restore(RowStep[RestoreConfig]):
    """Replaces marks by what they stand for. Spaces in a mark, other brackets ([[1]], 【1】) and other digits (⟦१⟧)
    do no harm. A mark that stands for nothing stays in the text, where `lang.check_translation` finds it.

    Reject codes, with `reject: true`: `mark_lost`, `mark_repeated`, `mark_unknown`.
    """

    Config = RestoreConfig

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.text: "string?", self.config.kept: "any"}

    def writes(self, incoming: Columns) -> Columns:
        kind = nullable("string") if incoming.get(self.config.text, "string").endswith("?") else "string"
        new = {self.config.column: kind}
        if self.config.faults is not None:
            new[self.config.faults] = FAULTS_TYPE
        return self.add(incoming, new, ("column",))

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject:
        from attar_lang.marks import kept_of, restore

        config = self.config
        text: str | None = row[config.text]
        if text is None:
            return {config.column: None, **({config.faults: []} if config.faults is not None else {})}
        found = restore(text, kept_of(row[config.kept]))
        faults = [
            *({"code": "mark_lost", "mark": one.mark, "text": one.text} for one in found.lost),
            *({"code": "mark_repeated", "mark": one.mark, "text": one.text} for one in found.repeated),
            *({"code": "mark_unknown", "mark": mark, "text": ""} for mark in found.unknown),
        ]
        if faults and config.reject:
            shown = "; ".join(f"{fault['code']} {fault['mark']} {fault['text']}".strip() for fault in faults[:5])
            return Reject(faults[0]["code"], shown)
        made: dict[str, Any] = {config.column: found.text}
        if config.faults is not None:
            made[config.faults] = faults
        return made
