"""What `rag.retrieve` costs beside bm25s and faiss called directly: 100,000 chunks, 1,000 queries.

    python benchmarks/retrieval.py [--chunks 100000] [--queries 1000] [--times 3]

Each way runs in a process of its own, in turn, from the same Parquet file: it reads the chunks, makes its index and
answers the queries. Seconds are wall time of that, imports left out. Chunks are drawn from the words of the handbook
in `recipes/data/handbook` (Indonesian and Hindi) by a fixed seed; embeddings are random directions, and the queries'
are at hand, so that no model's time is in it. bm25s is called twice: with its own tokenizer, and with our words (its
own takes no Devanagari vowel sign for part of a word, ours must).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness as h

SIZE = 384
TOP = 3
WORDS_IN_CHUNK = (60, 180)
PAIRS = (
    ("bm25", "bm25s"),
    ("bm25", "bm25s_our_words"),
    ("embeddings", "faiss"),
    ("hybrid", "both_direct"),
)


def make(folder: Path, chunks: int, queries: int) -> None:
    """Writes chunks.parquet, queries.json and the queries' embeddings."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from attar.api.text import words

    rng = np.random.default_rng(4)
    texts = [file.read_text(encoding="utf-8") for file in sorted((h.ROOT / "recipes/data/handbook").rglob("*.md"))]
    known = np.array(sorted({word for text in texts for word in words(text)}))
    rng.shuffle(known)
    # As in language, few words make most of the text.
    shares = 1 / np.arange(1, len(known) + 1)
    shares /= shares.sum()
    lengths = rng.integers(*WORDS_IN_CHUNK, size=chunks)
    drawn = known[rng.choice(len(known), size=int(lengths.sum()), p=shares)]
    ends = np.cumsum(lengths)
    rows = [" ".join(drawn[end - length : end]) for end, length in zip(ends, lengths, strict=True)]
    vectors = rng.standard_normal((chunks, SIZE))
    table = pa.table(
        {
            "chunk_id": [f"doc{n // 20}#{n % 20}" for n in range(chunks)],
            "chunk": rows,
            "embedding": pa.ListArray.from_arrays(
                pa.array(np.arange(0, chunks * SIZE + 1, SIZE, dtype=np.int32)), pa.array(vectors.ravel())
            ),
        }
    )
    pq.write_table(table, folder / "chunks.parquet", row_group_size=10_000)
    asked = [" ".join(known[rng.choice(len(known), size=8, p=shares)]) for _ in range(queries)]
    (folder / "queries.json").write_text(json.dumps(asked), encoding="utf-8")
    np.save(folder / "queries.npy", rng.standard_normal((queries, SIZE)))


class Side:
    """The chunks as a step's finished rows (attar.api.RowSet)."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        self._file = pq.ParquetFile(path)
        self.columns = {"chunk_id": "string", "chunk": "string", "embedding": "list<float>"}

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[Any]:
        return self._file.iter_batches(batch_size=1024, columns=columns)


class Asked:
    """What rag.retrieve asks of the engine: the chunks, and embeddings that are at hand."""

    def __init__(self, side: Side, vectors: dict[str, list[float]]) -> None:
        self._side = side
        self._vectors = vectors

    def side(self, field: str) -> Side:
        return self._side

    async def embed(self, model: str, texts: Sequence[str], *, key: str = "") -> list[list[float]]:
        return [self._vectors[text] for text in texts]


def ours(folder: Path, mode: str) -> tuple[float, float, list[list[str]]]:
    """Seconds until the first answer, until the last, and the ids found."""
    import bm25s  # noqa: F401
    import faiss  # noqa: F401
    import numpy as np

    from attar.api import Row
    from attar.testing import build
    from attar_rag.retrieval.retrieve import Retrieve

    asked = json.loads((folder / "queries.json").read_text(encoding="utf-8"))
    vectors = dict(zip(asked, np.load(folder / "queries.npy").tolist(), strict=True))
    model = {} if mode == "bm25" else {"model": "m"}
    step = build(Retrieve, {"query": "q", "index": "chunks", "mode": mode, "top_k": TOP, **model})
    ctx: Any = Asked(Side(folder / "chunks.parquet"), vectors)
    rows = [Row(str(n), {"q": query}) for n, query in enumerate(asked)]

    async def run() -> tuple[float, float, list[list[str]]]:
        began = time.perf_counter()
        first = await step.apply(rows[0], ctx)
        built = time.perf_counter()
        found = [first, *await asyncio.gather(*(step.apply(row, ctx) for row in rows[1:]))]
        return built - began, time.perf_counter() - began, [list(one["context_ids"]) for one in found]

    return asyncio.run(run())


def direct(folder: Path, mode: str) -> tuple[float, float, list[list[str]]]:
    """The same by the libraries' own calls."""
    import bm25s
    import faiss
    import numpy as np
    import pyarrow.parquet as pq

    from attar_rag.retrieval.terms import terms

    asked = json.loads((folder / "queries.json").read_text(encoding="utf-8"))
    vectors = np.load(folder / "queries.npy").astype(np.float32)
    began = time.perf_counter()
    columns = ["chunk_id", *(["embedding"] if mode == "faiss" else ["chunk"])]
    table = pq.read_table(
        folder / "chunks.parquet", columns=["chunk", *columns[:1], "embedding"] if mode == "both_direct" else columns
    )
    ids = table.column("chunk_id").to_pylist()
    most = 50 if mode == "both_direct" else TOP
    lists = []
    if mode != "faiss":
        texts = table.column("chunk").to_pylist()
        tokens: Any
        if mode == "bm25s":
            tokens = bm25s.tokenize(texts, stopwords=None, show_progress=False)
        else:
            tokens = [terms(text) for text in texts]
        retriever = bm25s.BM25(method="lucene")
        retriever.index(tokens, show_progress=False)
    if mode in ("faiss", "both_direct"):
        flat = np.concatenate([part.flatten().to_numpy() for part in table.column("embedding").chunks])
        matrix = np.ascontiguousarray(flat.reshape(-1, SIZE), dtype=np.float32)
        faiss.normalize_L2(matrix)
        index = faiss.IndexFlatIP(SIZE)
        index.add(matrix)
    built = time.perf_counter()
    if mode != "faiss":
        words = (
            bm25s.tokenize(asked, stopwords=None, show_progress=False)
            if mode == "bm25s"
            else [terms(query) for query in asked]
        )
        numbers, _ = retriever.retrieve(words, k=most, show_progress=False)
        lists.append(numbers)
    if mode in ("faiss", "both_direct"):
        faiss.normalize_L2(vectors)
        _, numbers = index.search(vectors, most)
        lists.append(numbers)
    found = []
    for query in range(len(asked)):
        scores: dict[int, float] = {}
        for numbers in lists:
            for rank, number in enumerate(numbers[query].tolist(), 1):
                scores[number] = scores.get(number, 0.0) + 1 / (60 + rank)
        best = sorted(scores, key=lambda number: (-scores[number], ids[number]))[:TOP]
        found.append([ids[number] for number in best])
    return built - began, time.perf_counter() - began, found


def run(chunks: int = 100_000, queries: int = 1_000, times: int = 3) -> dict[str, Any]:
    """Medians of seconds for each way, ratios of pairs run next to each other, and how many answers are the same."""
    ways = list(dict.fromkeys(way for pair in PAIRS for way in pair))
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    found: dict[str, list[list[str]]] = {}
    with h.scratch("retrieval") as folder:
        make(folder, chunks, queries)
        for turn in range(times):
            for way in ways if turn % 2 == 0 else reversed(ways):
                h.progress(f"{way} {turn + 1}/{times}")
                command = [sys.executable, __file__, "--way", way, "--folder", str(folder)]
                said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                runs[way].append({key: said[key] for key in ("index", "all", "peak")})
                found[way] = said["found"]
    same = {f"{a}/{b}": sum(x == y for x, y in zip(found[a], found[b], strict=True)) for a, b in PAIRS}
    return {
        "machine": h.machine(),
        "chunks": chunks,
        "queries": queries,
        "times": times,
        "seconds": {way: h.medians(runs[way]) for way in ways},
        "ratios": {f"{a}/{b}": h.median_ratio(runs[a], runs[b], "all") for a, b in PAIRS},
        "same_answers": same,
    }


def show(record: dict[str, Any]) -> str:
    """The record as tables."""
    seconds = [[way, one["index"], one["all"], round(one["peak"])] for way, one in record["seconds"].items()]
    ratios = [[pair, ratio, record["same_answers"][pair]] for pair, ratio in record["ratios"].items()]
    return "\n".join(
        [
            f"{record['chunks']:,} chunks, {record['queries']:,} queries, median of {record['times']}",
            h.table(["way", "until the index stands, s", "with all answers, s", "peak RSS, MiB"], seconds),
            "",
            h.table(["pair", "ratio (at most 1.3)", "queries with the same chunks"], ratios),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.way:
        way = ours if args.way in ("bm25", "embeddings", "hybrid") else direct
        index, everything, found = way(args.folder, args.way)
        # Not getrusage: its peak is inherited from the process that made the data.
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        peak = int(status["VmHWM"].split()[0]) / 1024
        print(json.dumps({"index": index, "all": everything, "peak": peak, "found": found}))
        return
    record = run(args.chunks, args.queries, args.times)
    h.report("retrieval", show(record), record)


if __name__ == "__main__":
    main()
