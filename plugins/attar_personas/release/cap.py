"""personas.cap: at most so many personas of each domain, drawn by a hash of their ids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, DatasetStep, Fates, RowSet, id_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attar_personas.release.ranks import U64, Decided

_PIECE = 1 << 16
CODES = (None, "duplicate", "over_cap", "over_total")
"""Reason codes by verdict (see ranks)."""


class CapConfig(Config):
    """See Cap."""

    by: str = Field("domain", min_length=1, description="column whose values are the buckets")
    cap: int | None = Field(100_000, ge=1, description="personas a bucket may hold; null: any number")
    rows: int | None = Field(
        None, ge=1, description="personas that stay in all, drawn evenly from those under the cap; null: all of them"
    )
    distinct: str | None = Field(
        "persona",
        description="column of which each text stays once (letter case, spacing and Unicode form make no difference); "
        "null: texts are not compared",
    )


class Cap(DatasetStep[CapConfig]):
    """Keeps at most `cap` rows of each bucket: those whose ids hash smallest under the recipe's seed, so the choice
    does not depend on where a row stands or what else is in the table.

    Rejects `duplicate` (another row has the same text and hashes smaller), `over_cap`, and `over_total` where `rows`
    asks for fewer than there are. Too few rows for `rows` are reported, and the run exits 1. Reads ids, buckets and
    texts in one pass and keeps 21 bytes of each row; texts are compared by a hash of 64 bits.
    """

    Config = CapConfig

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.by: "string?", **({self.config.distinct: "string?"} if self.config.distinct else {})}

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        config = self.config
        if config.cap is None and config.rows is None and config.distinct is None:
            yield ConfigProblem((), "nothing is asked for: cap, rows and distinct are all null", "give one of them")

    def apply_batches(self, rows: RowSet, ctx: Context) -> Iterator[Fates]:
        from attar_personas.release.ranks import decide

        wanted = self.config.rows
        ranks, buckets, texts, names = self._numbers(rows, ctx.seed("cap"))
        decided = decide(ranks, buckets, texts, self.config.cap, wanted)
        del ranks, texts
        if wanted is not None and decided.kept < wanted:
            ctx.shortfall(f"personas, of {wanted} asked for", wanted - decided.kept)
        for start in range(0, len(rows), _PIECE):
            yield self._fates(decided, buckets[start : start + _PIECE], names, start)

    def _numbers(self, rows: RowSet, seed: int) -> tuple[U64, NDArray[np.int32], U64 | None, list[str]]:
        """Rank, bucket and text hash of every row, and the buckets' names."""
        import numpy as np

        from attar_personas.release.ranks import ranks_of
        from attar_personas.release.texts import text_hashes

        config = self.config
        n = len(rows)
        ranks, buckets = np.empty(n, np.uint64), np.empty(n, np.int32)
        texts = np.empty(n, np.uint64) if config.distinct is not None else None
        numbers: dict[str | None, int] = {}
        at = 0
        for batch in rows.batches(list(dict.fromkeys([config.by, *([config.distinct] if config.distinct else [])]))):
            end = at + batch.num_rows
            ranks[at:end] = ranks_of(id_words(batch.column("id"))[:, 0], seed)
            coded = batch.column(config.by).dictionary_encode(null_encoding="encode")
            known = [numbers.setdefault(name, len(numbers)) for name in coded.dictionary.to_pylist()]
            buckets[at:end] = np.array(known, np.int32)[coded.indices.to_numpy()]
            if texts is not None:
                texts[at:end] = text_hashes(batch.column(config.distinct))
            at = end
        return ranks, buckets, texts, [name if name is not None else "null" for name in numbers]

    def _fates(self, decided: Decided, buckets: NDArray[np.int32], names: list[str], start: int) -> Fates:
        import numpy as np
        import pyarrow as pa

        from attar_personas.release.ranks import DUPLICATE, KEEP, OVER_CAP

        verdicts = decided.verdicts[start : start + len(buckets)]
        refused = np.flatnonzero(verdicts != KEEP)
        if not len(refused):
            return Fates(len(buckets))
        details: list[str | None] = [None] * len(buckets)
        total = f"more than the {self.config.rows} asked for"
        duplicate = int(np.searchsorted(decided.duplicates, start))
        for place, verdict in zip(refused.tolist(), verdicts[refused].tolist(), strict=True):
            if verdict == DUPLICATE:
                details[place] = f"same text as the row in place {decided.firsts[duplicate] + 1}"
                duplicate += 1
            elif verdict == OVER_CAP:
                bucket = buckets[place]
                details[place] = f"{names[bucket]}: {decided.sizes[bucket]} rows, {self.config.cap} may stay"
            else:
                details[place] = total
        codes = pa.array(CODES, pa.string()).take(pa.array(verdicts))
        return Fates(len(buckets), None, codes, pa.array(details, pa.string()))
