"""personas.normalise_domain: free domain labels become the buckets of a release."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import regex
from pydantic import Field

from attar.api import BatchResult, Columns, Config, ConfigProblem, Context, Reject, Row, RowStep

if TYPE_CHECKING:
    import pyarrow as pa

Style = Literal["head", "full"]

# Joiners stand inside words of Indic scripts; the apostrophe of a genitive belongs to its word.
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}\u200c\u200d]+")
_GENITIVE = regex.compile(r"(?<=\p{L})['\u2019](?=\p{L})")
_ARTICLES = frozenset({"a", "an", "the"})
COMPOUNDS = ("computer", "data")
"""First words that are kept with the next one, as the published release keeps them (computer_science, data_science)."""


@lru_cache(maxsize=1 << 17)
def label(raw: str, style: Style = "head", compounds: tuple[str, ...] = COMPOUNDS) -> str | None:
    """The bucket of a raw label, or None where it holds no letter, mark or digit.

    Args:
        raw: as written; any script.
        style: head keeps the leading word (after an article), full all words.
        compounds: leading words that are kept with the word after them.
    """
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", raw).lower())
    words = [word for word in _WORD.findall(_GENITIVE.sub("", text)) if word.strip("\u200c\u200d")]
    if len(words) > 1 and words[0] in _ARTICLES:
        words = words[1:]
    if style == "head":
        words = words[: 2 if words and words[0] in compounds else 1]
    return "_".join(words) or None


class NormaliseDomainConfig(Config):
    """See NormaliseDomain."""

    column: str = Field("domain", min_length=1, description="column with the raw label; the bucket takes its place")
    raw: str = Field("domain_raw", min_length=1, description="new column that keeps the label as it was written")
    text: str | None = Field("persona", description="column that must hold text; null checks none")
    style: Style = Field("head", description="head: the leading word (Indian history → indian); full: all words")
    compounds: tuple[str, ...] = Field(
        COMPOUNDS,
        description="leading words that say too little alone and keep the next one (computer engineer → "
        "computer_engineer)",
    )


class NormaliseDomain(RowStep[NormaliseDomainConfig]):
    """Turns free domain labels into buckets: lower-case words joined by `_`, marks of Indic scripts kept, form NFC.

    Rejects rows without a label (`no_domain`: null, blank, or signs only) and rows whose text is null or blank
    (`blank_persona`).
    """

    Config = NormaliseDomainConfig

    def __init__(self, config: NormaliseDomainConfig) -> None:
        super().__init__(config)
        self._compounds = tuple(unicodedata.normalize("NFC", word).lower() for word in config.compounds)

    def reads(self, incoming: Columns) -> Columns:
        return dict.fromkeys([self.config.column, *([self.config.text] if self.config.text else [])], "string?")

    def overwrites(self, incoming: Columns) -> Sequence[str]:
        return (self.config.column,)

    def writes(self, incoming: Columns) -> Columns:
        left = {**incoming, self.config.column: "string"}
        if self.config.text is not None:
            left[self.config.text] = "string"
        return self.add(left, {self.config.raw: "string"}, ("raw",))

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        if self.config.style == "full" and "compounds" in self.config.model_fields_set:
            yield ConfigProblem(("compounds",), "style full keeps all words", "remove compounds, or use style: head")

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject:
        config = self.config
        if config.text is not None and not (row[config.text] or "").strip():
            return Reject("blank_persona", f"column {config.text!r} holds no text")
        raw = row[config.column]
        found = None if raw is None else label(raw, config.style, self._compounds)
        if found is None:
            return Reject("no_domain", f"column {config.column!r} holds no label")
        return {config.column: found, config.raw: raw}

    def apply_batch(self, batch: pa.RecordBatch, ctx: Context) -> BatchResult:
        """Each distinct label of the batch is looked at once."""
        import pyarrow as pa
        import pyarrow.compute as pc

        config = self.config
        n = batch.num_rows
        raw = batch.column(config.column)
        distinct = raw.dictionary_encode()
        labels = [label(text, config.style, self._compounds) for text in distinct.dictionary.to_pylist()]
        found = pa.array(labels, pa.string()).take(distinct.indices)
        reject = pc.if_else(pc.is_null(found), "no_domain", pa.scalar(None, pa.string()))
        detail = pc.if_else(pc.is_null(found), f"column {config.column!r} holds no label", pa.scalar(None, pa.string()))
        if config.text is not None:
            blank = _blank(batch.column(config.text))
            reject = pc.if_else(blank, "blank_persona", reject)
            detail = pc.if_else(blank, f"column {config.text!r} holds no text", detail)
        columns = {config.column: found, config.raw: raw}
        return BatchResult(columns, reject if reject.null_count < n else None, detail)


def _blank(texts: pa.Array) -> pa.Array:
    """Where a text is null or all white space, as `str.strip` sees it."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    short = pc.fill_null(pc.less(pc.utf8_length(pc.utf8_ltrim_whitespace(texts)), 1), True)
    # str.strip and Arrow differ on a few separators (U+001C to U+001F), so whatever starts with one is looked at.
    odd = pc.fill_null(pc.match_substring_regex(texts, r"^[\x{1c}-\x{1f}\s\x{85}]"), False)
    places = pc.indices_nonzero(odd).to_numpy()
    if len(places):
        mask = np.array(short)
        mask[places] = [not text.strip() for text in texts.take(pa.array(places)).to_pylist()]
        return pa.array(mask)
    return short
