"""The index over a step's chunks: BM25, embeddings by faiss, both fused by reciprocal rank. In memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

from attar.api import RowSet

from .terms import terms
from .types import Ask, BadIndex, Hit

_SPARE = 16  # faiss is asked for some more: what is left out, and equals at the end, are then at hand
_NEAR = 1e-5  # float32 products of two unit vectors are off by less


class Options(NamedTuple):
    """Which columns, and how to search; as rag.retrieve's config has them."""

    mode: str
    top_k: int
    fetch: int
    rrf_k: int
    id: str
    text: str
    embedding: str
    k1: float
    b: float


class ChunkIndex:
    """Searches the rows of a finished step; built once per process.

    Raises:
        BadIndex: a column is not there or of the wrong kind, or embeddings differ in length.
    """

    def __init__(self, rows: RowSet, options: Options) -> None:
        import numpy as np

        self._options = options
        by_words, by_vectors = options.mode != "embeddings", options.mode != "bm25"
        wanted = [options.id, options.text, *([options.embedding] if by_vectors else [])]
        for name in wanted:
            if len(rows) and name not in rows.columns:
                there = ", ".join(rows.columns)
                help = "embed the chunks by rag.index first" if name == options.embedding else "name it in `with:`"
                raise BadIndex(f"the index has no column {name!r}, it has {there}; {help}")
        self._texts: list[Any] = []  # Arrow arrays, each with the number of its first row
        self._starts: list[int] = []
        self._ids: list[str] = []
        words = _Words() if by_words else None
        vectors = _Vectors() if by_vectors else None
        for batch in rows.batches(wanted) if len(rows) else ():
            ids = [str(one) for one in batch.column(options.id).to_pylist()]
            self._starts.append(len(self._ids))
            self._ids += ids
            self._texts.append(batch.column(options.text))
            if words is not None:
                words.add(batch.column(options.text).to_pylist())
            if vectors is not None:
                vectors.add(batch.column(options.embedding), ids, options.embedding)
        order = sorted(range(len(self._ids)), key=self._ids.__getitem__)
        # Position → place among all ids: equal scores come in the order of ids, however the rows lie.
        self._place = np.empty(len(order), np.int64)
        self._place[order] = np.arange(len(order))
        self._rows_of: dict[str, list[int]] | None = None
        self._words = words.index(options.k1, options.b) if words is not None else None
        self._vectors = vectors.index() if vectors is not None else None

    def search(self, asks: Sequence[Ask]) -> list[list[Hit]]:
        if not self._ids:
            return [[] for _ in asks]
        options = self._options
        lists: list[list[list[tuple[int, float]]]] = []
        out = [self._excluded(ask) for ask in asks]
        most = options.fetch if options.mode == "hybrid" else options.top_k
        if self._words is not None:
            lists.append([self._by_words(ask.text, gone, most) for ask, gone in zip(asks, out, strict=True)])
        if self._vectors is not None:
            lists.append(self._by_vectors([ask.vector or () for ask in asks], out, most))
        return [
            [Hit(self._ids[row], self._text(row), score) for row, score in self._fused(found)]
            for found in zip(*lists, strict=True)
        ]

    def _excluded(self, ask: Ask) -> list[int]:
        if not ask.exclude:
            return []
        if self._rows_of is None:
            self._rows_of = {}
            for row, id in enumerate(self._ids):
                self._rows_of.setdefault(id, []).append(row)
        return [row for id in ask.exclude for row in self._rows_of.get(id, ())]

    def _text(self, row: int) -> str:
        from bisect import bisect_right

        part = bisect_right(self._starts, row) - 1
        return self._texts[part][row - self._starts[part]].as_py() or ""

    def _by_words(self, text: str, out: Sequence[int], most: int) -> list[tuple[int, float]]:
        import numpy as np

        assert self._words is not None
        scores = self._words.scores(terms(text))
        if scores is None:
            return []
        scores[out] = 0
        if most < len(scores):
            # Everything that is as good as the last one wanted; which of the equals stay is decided by their ids.
            least = np.partition(scores, len(scores) - most)[len(scores) - most]
            rows = np.flatnonzero(scores >= least if least > 0 else scores)
        else:
            rows = np.flatnonzero(scores)
        return self._best(rows, scores[rows], most)

    def _by_vectors(
        self, vectors: Sequence[Sequence[float]], out: Sequence[Sequence[int]], most: int
    ) -> list[list[tuple[int, float]]]:
        import numpy as np

        assert self._vectors is not None
        queries = self._vectors.queries(vectors)
        everything = len(self._ids)
        found: list[list[tuple[int, float]]] = [[] for _ in vectors]
        left, wanted = list(range(len(vectors))), most + _SPARE + max(map(len, out), default=0)
        while left:
            wanted = min(wanted, everything)
            near, again = self._vectors.nearest(queries[left], wanted), []
            for query, (about, rows) in zip(left, near, strict=True):
                rows = rows[~np.isin(rows, out[query])] if out[query] else rows
                best = self._best(rows, self._vectors.exact(rows, queries[query]), most)
                if wanted < everything and (len(best) < most or about[-1] > best[-1][1] - _NEAR):
                    again.append(query)  # what was not looked at may be as good as the last one
                else:
                    found[query] = best
            left, wanted = again, wanted * 4
        return found

    def _best(self, rows: Any, scores: Any, most: int) -> list[tuple[int, float]]:
        import numpy as np

        order = np.lexsort((self._place[rows], -scores))[:most]
        return list(zip(rows[order].tolist(), scores[order].tolist(), strict=True))

    def _fused(self, lists: Sequence[list[tuple[int, float]]]) -> list[tuple[int, float]]:
        """Reciprocal rank fusion (Cormack, Clarke and Buettcher 2009): the sum of 1 / (rrf_k + rank) over the lists."""
        if len(lists) == 1:
            return lists[0]
        fused: dict[int, float] = {}
        for found in lists:
            for rank, (row, _) in enumerate(found, 1):
                fused[row] = fused.get(row, 0.0) + 1 / (self._options.rrf_k + rank)
        best = sorted(fused.items(), key=lambda item: (-item[1], self._place[item[0]]))
        return best[: self._options.top_k]


class _Words:
    """Gathers texts, then scores by BM25 as Lucene has it (Kamphuis et al. 2020), in float32.

    What a word adds to a text's score is known beforehand; so a query is a sum over its words' postings.
    """

    def __init__(self) -> None:
        self._vocabulary: defaultdict[str, int] = defaultdict()
        self._vocabulary.default_factory = self._vocabulary.__len__
        self._lengths: list[Any] = []
        self._pairs: list[tuple[Any, Any, Any]] = []
        self._texts = 0

    def add(self, texts: Sequence[str | None]) -> None:
        import numpy as np

        known = self._vocabulary.__getitem__
        numbers = [list(map(known, terms(text or ""))) for text in texts]
        lengths = np.fromiter(map(len, numbers), np.int64, len(numbers))
        flat = np.fromiter(chain.from_iterable(numbers), np.int64, int(lengths.sum()))
        # (word, text) in one number, sorted and counted: how often each text has each of its words
        pairs, counts = np.unique((flat << 32) | np.repeat(np.arange(len(numbers)), lengths), return_counts=True)
        words, places = (pairs >> 32).astype(np.int32), (pairs & 0xFFFFFFFF).astype(np.int32)
        self._pairs.append((words, places + np.int32(self._texts), counts.astype(np.float32)))
        self._lengths.append(lengths)
        self._texts += len(numbers)

    def index(self, k1: float, b: float) -> _Words:
        import numpy as np

        if not self._vocabulary:
            return self
        words, texts, counts = (np.concatenate(part) for part in zip(*self._pairs, strict=True))
        self._pairs = []
        order = (words.astype(np.int64) << 32) | np.arange(len(words))
        order.sort()  # by word, and each word's texts in their order
        order &= 0xFFFFFFFF
        lengths = np.concatenate(self._lengths)
        held = (k1 * (1 - b + b * lengths / lengths.mean())).astype(np.float32)
        having = np.bincount(words, minlength=len(self._vocabulary))
        rarity = np.log(1 + (self._texts - having + 0.5) / (having + 0.5)).astype(np.float32)
        self._rows = texts[order]
        self._adds = (rarity[words] * (counts / (held[texts] + counts)))[order]
        self._ends = np.concatenate([[0], np.cumsum(having)])
        self._vocabulary.default_factory = None  # words of queries are no longer new
        return self

    def scores(self, query: Sequence[str]) -> Any:
        """One score per text, or None where no text has any of the words."""
        import numpy as np

        known = [self._vocabulary[word] for word in query if word in self._vocabulary]
        if not known:
            return None
        scores = np.zeros(self._texts, np.float32)
        for word in known:
            postings = slice(self._ends[word], self._ends[word + 1])
            np.add.at(scores, self._rows[postings], self._adds[postings])
        return scores


class _Vectors:
    """Gathers embeddings, then finds the nearest by cosine."""

    def __init__(self) -> None:
        self._parts: list[Any] = []
        self._size = 0
        self._index: Any = None
        self._all: Any = None

    def add(self, column: Any, ids: Sequence[str], name: str) -> None:
        import numpy as np
        import pyarrow as pa

        if not pa.types.is_list(column.type) or not pa.types.is_floating(column.type.value_type):
            raise BadIndex(f"column {name!r} of the index holds {column.type}, not embeddings (list<float>)")
        if not len(column):
            return
        lengths = np.diff(column.offsets.to_numpy())
        self._size = self._size or int(lengths[0])
        odd = np.flatnonzero((lengths != self._size) | (lengths == 0))
        if len(odd):
            raise BadIndex(
                f"chunk {ids[odd[0]]!r} has an embedding of {lengths[odd[0]]} numbers, others have {self._size}: "
                "they are not of one model"
            )
        values = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32).reshape(-1, self._size)
        self._parts.append(_unit(values))

    def index(self) -> _Vectors:
        import faiss

        if self._parts:
            # From some 64 queries on a product of matrices is faster than faiss' own loop, which takes up to 300.
            faiss.cvar.distance_compute_blas_threshold = min(
                faiss.cvar.distance_compute_blas_threshold, 64 * self._size
            )
            self._index = faiss.IndexFlatIP(self._size)
            while self._parts:
                self._index.add(self._parts.pop(0))
            flat = faiss.rev_swig_ptr(self._index.get_xb(), self._index.ntotal * self._size)
            self._all = flat.reshape(-1, self._size)  # faiss' own memory, not a copy
        return self

    def queries(self, vectors: Sequence[Sequence[float]]) -> Any:
        import numpy as np

        for vector in vectors:
            if len(vector) != self._size:
                raise BadIndex(
                    f"the query's embedding has {len(vector)} numbers, those of the index {self._size}: "
                    "embed both by the same model"
                )
        return _unit(np.asarray(vectors, np.float32))

    def nearest(self, queries: Any, most: int) -> list[tuple[Any, Any]]:
        """For each query the best products, as far as float32 tells, and their rows."""
        products, rows = self._index.search(queries, most)
        return list(zip(products, rows, strict=True))

    def exact(self, rows: Any, query: Any) -> Any:
        """Cosines that are the same to the last bit whatever batch the query was in, as faiss' are not."""
        import numpy as np

        return (self._all[rows].astype(np.float64) * query).sum(axis=1).round(7)


def _unit(vectors: Any) -> Any:
    import numpy as np

    if not np.isfinite(vectors).all():
        raise BadIndex("an embedding holds a number that is not finite")
    lengths = np.sqrt((vectors * vectors).sum(axis=1, keepdims=True))
    return np.ascontiguousarray(vectors / np.where(lengths == 0, 1, lengths))
