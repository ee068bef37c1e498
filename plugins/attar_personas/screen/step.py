"""personas.screen: rows that hold personal data or name real people go no further."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from attar.api import BatchResult, Columns, Config, ConfigProblem, Context, Reject, Row, RowStep

if TYPE_CHECKING:
    import pyarrow as pa

_ONE_PATTERN = 300
"""Names in one pattern: with twice as many RE2's automaton outgrows its memory and it falls back to a slow one."""


class ScreenConfig(Config):
    """See Screen."""

    columns: tuple[str, ...] = Field(("persona",), min_length=1, description="text columns that are looked through")
    pii: bool = Field(True, description="whether personal data reject a row: numbers, addresses, telephones")
    names: Literal["off", "living", "all"] = Field(
        "living",
        description="whose names reject a row: living public figures (the lately dead too), historical ones as well",
    )
    allow: tuple[str, ...] = Field((), description="names that are no reason to reject, as they are written")


class Screen(RowStep[ScreenConfig]):
    """Rejects rows whose texts hold personal data (`pii`) or name a public figure (`real_name`).

    Personal data: e-mail and UPI addresses, telephones of India and Indonesia, Aadhaar, PAN, GSTIN, voter's card,
    passport, vehicle, IFSC, NIK, NPWP, payment cards; numbers with a check digit only where it fits, in digits of any
    script. Details say the kind and the place, never the value. The list of public figures ships with the plugin; it
    cannot hold everyone.
    """

    Config = ScreenConfig

    def reads(self, incoming: Columns) -> Columns:
        return dict.fromkeys(self.config.columns, "string?")

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        config = self.config
        if not config.pii and config.names == "off":
            yield ConfigProblem(("names",), "this step looks for nothing", "switch pii or names on, or leave it out")
        if config.allow and config.names == "off":
            yield ConfigProblem(("allow",), "allow has no effect while names is off", "remove one of the two")

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject:
        return self._look({column: row[column] for column in self.config.columns}) or {}

    def apply_batch(self, batch: pa.RecordBatch, ctx: Context) -> BatchResult:
        """Arrow's kernels pick the rows that may hold something; only those are looked at one by one."""
        import pyarrow as pa

        columns = {name: batch.column(name) for name in self.config.columns}
        codes: list[str | None] = [None] * batch.num_rows
        details: list[str | None] = [None] * batch.num_rows
        found = False
        for i in self._suspects(list(columns.values())):
            why = self._look({name: column[i].as_py() for name, column in columns.items()})
            if why is not None:
                codes[i], details[i], found = why.code, why.detail, True
        if not found:
            return BatchResult({})
        return BatchResult({}, pa.array(codes, pa.string()), pa.array(details, pa.string()))

    def _look(self, texts: Mapping[str, str | None]) -> Reject | None:
        from attar_personas.screen.names import real_names
        from attar_personas.screen.pii import pii

        config = self.config
        for column, text in texts.items():
            if not text:
                continue
            if config.pii and (hits := pii(text)):
                return Reject("pii", "; ".join(f"{hit.kind} at character {hit.start + 1} of {column}" for hit in hits))
            if config.names != "off" and (hits := real_names(text, config.names, frozenset(config.allow))):
                hit = hits[0]
                return Reject("real_name", f"a public figure is named at character {hit.start + 1} of {column}")
        return None

    def _suspects(self, columns: list[pa.Array]) -> list[int]:
        import pyarrow.compute as pc

        config = self.config
        patterns = [*((_pii_pattern(),) if config.pii else ()), *_name_patterns(config.names)]
        suspect: pa.Array | None = None
        for column in columns:
            for pattern, ignore_case in patterns:
                some = pc.fill_null(pc.match_substring_regex(column, pattern, ignore_case=ignore_case), False)
                suspect = some if suspect is None else pc.or_(suspect, some)
        if suspect is None:
            return []
        found: list[int] = pc.indices_nonzero(suspect).to_pylist()
        return found


def _pii_pattern() -> tuple[str, bool]:
    from attar_personas.screen.pii import SUSPECT

    return SUSPECT, False


@lru_cache(maxsize=3)
def _name_patterns(whom: Literal["off", "living", "all"]) -> tuple[tuple[str, bool], ...]:
    """RE2 patterns that every listed name matches."""
    if whom == "off":
        return ()
    import unicodedata

    import regex

    from attar_personas.screen.names import names

    listed = {form for name in names(whom) for form in (name, unicodedata.normalize("NFD", name))}
    escaped = [
        regex.escape(name, special_only=True, literal_spaces=True).replace(" ", r"[\s\p{Z}]+")
        for name in sorted(listed)
    ]
    return tuple(("|".join(escaped[i : i + _ONE_PATTERN]), True) for i in range(0, len(escaped), _ONE_PATTERN))
