"""personas.skeleton_cap: no more than so many personas of one template ("a student interested in …")."""

from __future__ import annotations

import hashlib
import heapq
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field

from attar.api import Columns, Config, Context, DatasetStep, Fates, RowSet
from attar_personas.measure import words

HOLE = "_"
_AT_ONCE = 8192


class SkeletonCapConfig(Config):
    """See SkeletonCap."""

    by: str = Field("persona", min_length=1, description="column with the persona")
    share: float = Field(0.02, gt=0, le=1, description="most personas of one skeleton, as a share of all")
    at_least: int = Field(10, ge=1, description="and never fewer than so many, where the set is small")
    common: float = Field(
        0.005, gt=0, le=1, description="words in this share of the personas (and in three at least) are the skeleton's"
    )
    parts: int = Field(6, ge=2, description="words and holes of the opening that make a skeleton")
    fixed: int = Field(3, ge=1, description="skeletons with fewer words than this are too general to be capped")
    best: str | None = Field(None, description="column: rows with the highest values stay; else a hash of their ids")


class SkeletonCap(DatasetStep[SkeletonCapConfig]):
    """Rejects rows as `over_skeleton_cap` where too many personas are made by one template.

    A skeleton is a persona's opening with every word that is rare in this set left out: "a student interested in _",
    "_ में रुचि रखने वाला छात्र". What is common is counted, not listed, so it holds in any language. Rows stay in
    order; the choice depends on texts, ids and `best` alone. Holds the openings, about 150 bytes a row.
    """

    Config = SkeletonCapConfig

    def reads(self, incoming: Columns) -> Columns:
        best = {} if self.config.best is None else {self.config.best: "float?"}
        return {self.config.by: "string?", **best}

    def apply_batches(self, rows: RowSet, ctx: Context) -> Iterator[Fates]:
        import pyarrow as pa

        config = self.config
        known = self._common(rows)
        cap = max(config.at_least, int(config.share * len(rows)))
        members: dict[str, list[tuple[float, str, int]]] = {}
        for place, (id, text, value) in enumerate(self._rows(rows)):
            skeleton = skeleton_of(text, known, config.parts)
            if len(skeleton.split()) - skeleton.split().count(HOLE) >= config.fixed:
                members.setdefault(skeleton, []).append((-value, _place(id), place))
        gone: dict[int, str] = {}
        for skeleton, found in members.items():
            if len(found) > cap:
                stay = {place for _, _, place in heapq.nsmallest(cap, found)}
                gone.update((place, skeleton) for _, _, place in found if place not in stay)
        for start in range(0, len(rows), _AT_ONCE):
            count = min(_AT_ONCE, len(rows) - start)
            held = [gone.get(place) for place in range(start, start + count)]
            codes = pa.array([None if one is None else "over_skeleton_cap" for one in held], pa.string())
            told = [None if one is None else f"{cap} are kept of: {one}" for one in held]
            yield Fates(count, reject=codes, detail=pa.array(told, pa.string()))

    def _common(self, rows: RowSet) -> frozenset[str]:
        counts: Counter[str] = Counter()
        for _, text, _ in self._rows(rows):
            counts.update(set(opening(text)))
        least = max(3, self.config.common * len(rows))
        return frozenset(word for word, count in counts.items() if count >= least)

    def _rows(self, rows: RowSet) -> Iterator[tuple[str, str, float]]:
        config = self.config
        names = [config.by, *([config.best] if config.best is not None else [])]
        for batch in rows.batches(names):
            texts = batch.column(config.by).to_pylist()
            values: Sequence[Any] = [None] * len(texts)
            if config.best is not None:
                values = batch.column(config.best).to_pylist()
            for id, text, value in zip(batch.column("id").to_pylist(), texts, values, strict=True):
                yield id, text or "", float("-inf") if value is None else float(value)


def opening(text: str) -> list[str]:
    """The words of a persona's opening, as they are compared."""
    return [word.casefold() for word in words(unicodedata.normalize("NFC", text[:400]))[:24]]


def skeleton_of(text: str, known: frozenset[str], parts: int) -> str:
    """The opening with runs of words that are not `known` as one hole each; at most `parts` words and holes."""
    found: list[str] = []
    for word in opening(text):
        part = word if word in known else HOLE
        if part == HOLE and found and found[-1] == HOLE:
            continue
        if len(found) == parts:
            break
        found.append(part)
    return " ".join(found)


def _place(id: str) -> str:
    return hashlib.blake2b(id.encode(), digest_size=8).hexdigest()
