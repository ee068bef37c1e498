"""std.near_dedup: texts that say nearly the same in nearly the same words."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, DatasetStep, Fates, RowSet

if TYPE_CHECKING:
    from ._minhash import ShingleFile

_AT_ONCE = 8192


class NearDedupConfig(Config):
    by: str = Field(..., min_length=1, description="column with the text that is compared")
    within: str | None = Field(
        None, min_length=1, description="column of groups: only rows with the same value in it are compared"
    )
    threshold: float = Field(
        0.6, gt=0, le=1, description="Jaccard similarity of two texts' shingles from which on they are near duplicates"
    )
    n: int = Field(5, ge=1, le=50, description="characters of a shingle, as a reader counts them")
    bands: int = Field(32, ge=1, le=256, description="bands of the MinHash signature; more find more candidates")
    rows: int = Field(4, ge=1, le=64, description="MinHashes per band; more let fewer unlike texts be candidates")
    keep: Literal["first", "smallest_id"] = Field(
        "first", description="which of similar rows stays: the first as they arrive, or the one of the smallest id"
    )
    best: str | None = Field(
        None, min_length=1, description="column of which the row with the highest value stays; `keep` decides ties"
    )


class NearDedup(DatasetStep[NearDedupConfig]):
    """Rejects rows as `near_duplicate` whose text is similar to that of a row that stays.

    Rows are taken in the order of preference (`best`, `keep`); one goes if it is similar to a row *kept* before it, and
    the detail names the most similar of those. So nothing is dropped for being like a row that was dropped itself: of
    a chain a ~ b ~ c where a and c differ, a and c stay.

    Similarity is the share of common character shingles (Jaccard), on text in form NFC, case-folded, with single
    spaces. Candidates come from MinHash bands (Broder 1997) and are then compared exactly, so nothing below `threshold`
    is dropped; of pairs at similarity s, 1 − (1 − s^rows)^bands are found: with 32 bands of 4 at 0.6, 988 of 1,000.
    Blank and null texts are not compared, and stay. With `within`, rows of different groups never are.

    Holds 8 bytes per row and band, about 100 more, and 100 MiB to work in; shingles wait on disk. 100,000 personas of
    13 words take about ten seconds of one core (twenty where each shares half its wording with others) and 220 MiB.
    Which rows stay depends on their texts and order (with `keep: smallest_id`: on texts and ids alone), never on how
    the work was cut.
    """

    Config = NearDedupConfig

    def reads(self, incoming: Columns) -> Columns:
        best = {} if self.config.best is None else {self.config.best: "any"}
        within = {} if self.config.within is None else {self.config.within: "any"}
        return {self.config.by: "string", **within, **best}

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        config = self.config
        found = 1 - (1 - config.threshold**config.rows) ** config.bands
        if found < 0.5:
            yield ConfigProblem(
                ("rows",),
                f"{config.bands} bands of {config.rows} find {found:.0%} of the pairs at the threshold "
                f"{config.threshold}: most near duplicates would stay",
                "take fewer rows per band, more bands, or a higher threshold",
            )
        kind = incoming.get(config.best or "", "float").rstrip("?")
        if kind not in ("int", "float", "string", "any"):
            yield ConfigProblem(("best",), f"{config.best!r} is {kind}, which has no order", "name a number", "E503")

    def apply_batches(self, rows: RowSet, ctx: Context) -> Iterator[Fates]:
        import pyarrow as pa

        with tempfile.TemporaryDirectory(prefix="attar-") as folder:
            repeats = self._repeats(rows, Path(folder))
        if not repeats:
            yield Fates(len(rows))
            return
        ids = _ids_at({kept for kept, _ in repeats.values()}, rows)
        for start in range(0, len(rows), _AT_ONCE):
            count = min(_AT_ONCE, len(rows) - start)
            found = [repeats.get(place) for place in range(start, start + count)]
            codes = [None if one is None else "near_duplicate" for one in found]
            details = [None if one is None else f"{one[1]:.2f} similar to row {ids[one[0]]}" for one in found]
            yield Fates(count, reject=pa.array(codes, pa.string()), detail=pa.array(details, pa.string()))

    def _repeats(self, rows: RowSet, folder: Path) -> dict[int, tuple[int, float]]:
        """Place of each row that goes → place of the row it is most similar to, and how similar."""
        import numpy as np

        from ._minhash import BandKeys, ShingleFile, Shingler, chunks

        config = self.config
        shingler, bands, file = (
            Shingler(config.n),
            BandKeys(config.bands, config.rows),
            ShingleFile(folder / "shingles"),
        )
        keys = []
        for texts in chunks(_texts(rows, config.by)):
            hashed = shingler.hashes(texts)
            file.add(hashed)
            keys.append(bands.of(hashed))
        file.close()
        if not keys:
            return {}
        table = np.concatenate(keys)
        del keys
        if config.within is not None:
            table ^= _groups(rows, config.within)[:, None]  # other group, other keys: no candidates
        shared, number = _shared(table, file)
        return self._walk(self._order(rows, np.flatnonzero(shared.any(axis=1))), shared, number, file)

    def _walk(self, order: list[int], shared: Any, number: Any, file: ShingleFile) -> dict[int, tuple[int, float]]:
        """Takes the rows that have a candidate, in order of preference, and finds those that go."""
        threshold = self.config.threshold
        holders: dict[int, list[int]] = {}  # band key → rows kept that have it
        gone: dict[int, tuple[int, float]] = {}
        for place in order:
            own = number[place][shared[place]].tolist()
            candidates = sorted({other for key in own for other in holders.get(key, ())})
            size = file.size(place)
            best, highest = -1, 0.0
            for other in candidates:
                smaller, larger = sorted((size, file.size(other)))
                if smaller / larger < max(threshold, highest):  # cannot reach it, whatever they share
                    continue
                similarity = file.similarity(place, other)
                if similarity >= threshold and similarity > highest:
                    best, highest = other, similarity
            if best >= 0:
                gone[place] = best, highest
                continue
            for key in own:
                holders.setdefault(key, []).append(place)
        return gone

    def _order(self, rows: RowSet, places: Any) -> list[int]:
        """The places in the order in which rows are taken."""
        config = self.config
        wanted = set(places.tolist())
        if config.best is None and config.keep == "first":
            return sorted(wanted)
        ranks: list[tuple[Any, ...]] = []
        place = -1
        for batch in rows.batches([] if config.best is None else [config.best]):
            ids = batch.column("id").to_pylist()
            values = [None] * len(ids) if config.best is None else batch.column(config.best).to_pylist()
            for id, value in zip(ids, values, strict=True):
                place += 1
                if place in wanted:
                    tie = id if config.keep == "smallest_id" else ""
                    ranks.append((value is None, _Descending(value), tie, place))
        return [rank[-1] for rank in sorted(ranks)]


class _Descending:
    """Sorts high values first, of whatever kind they are."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: _Descending) -> bool:
        return self.value is not None and other.value is not None and bool(self.value > other.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and bool(self.value == other.value)


def _texts(rows: RowSet, column: str) -> Iterator[str]:
    for batch in rows.batches([column]):
        for text in batch.column(column).to_pylist():
            yield text or ""


def _groups(rows: RowSet, column: str) -> Any:
    """A number per row, the same for equal values of a column: 64 bits, so that two groups never meet by chance."""
    import hashlib

    import numpy as np

    numbers: dict[str, int] = {}
    found = []
    for batch in rows.batches([column]):
        for value in batch.column(column).to_pylist():
            name = repr(value)
            if name not in numbers:
                numbers[name] = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")
            found.append(numbers[name])
    return np.array(found, np.uint64)


def _ids_at(places: set[int], rows: RowSet) -> dict[int, str]:
    found: dict[int, str] = {}
    start = 0
    for batch in rows.batches([]):
        ids = batch.column("id")
        for place in range(start, start + len(ids)):
            if place in places:
                found[place] = ids[place - start].as_py()
        start += len(ids)
    return found


def _shared(table: Any, file: ShingleFile) -> tuple[Any, Any]:
    """Which band keys more than one row has (rows × bands), and the keys as small numbers; `table` is overwritten.

    Most personas share none: only the others have to be looked at one by one.
    """
    import numpy as np

    some = np.flatnonzero(file.sizes(np.arange(len(table))))
    bands = table.shape[1]
    shared = np.zeros(table.shape, bool)
    for band in range(bands):
        _, inverse, counts = np.unique(table[some, band], return_inverse=True, return_counts=True)
        shared[some, band] = counts[inverse] > 1
        table[some, band] = inverse.astype(np.uint64) * np.uint64(bands) + np.uint64(band)
    return shared, table
