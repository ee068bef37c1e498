"""The same release by hand: pyarrow and orjson, numbers in numpy, one pass over the labels and one over the rows.

    python release_raw.py PEOPLE OUT ROWS CAP

Reads the Parquet files of PEOPLE, keeps at most CAP rows per domain and ROWS in all, and writes what attar's release
writes for them: Parquet (id, persona, domain), JSONL, and the table of rejected rows with their reasons. No checks, no
ledger, no digests, no history, no check for equal texts, nothing flushed to the disk, nothing to resume from.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

GROUP = 20_000
PER_FILE = 1_000_000
COMPACT = pa.schema([(name, pa.string()) for name in ("id", "persona", "domain")])
REJECTED = pa.schema([(name, pa.string()) for name in ("id", "code", "row")])


def head(label: str) -> str:
    words = label.lower().replace("-", " ").split()
    return "_".join(words[: 2 if words[0] in ("computer", "data") else 1])


def choose(files: list[Path], cap: int, total: int) -> tuple[np.ndarray[Any, Any], list[str], np.ndarray[Any, Any]]:
    """Which rows stay (by place), the buckets' names, and each row's bucket."""
    numbers: dict[str, int] = {}
    parts = []
    for file in files:
        for batch in pq.ParquetFile(file).iter_batches(GROUP, columns=["domain"]):
            coded = batch.column(0).dictionary_encode()
            known = [numbers.setdefault(head(name), len(numbers)) for name in coded.dictionary.to_pylist()]
            parts.append(np.array(known, np.int32)[coded.indices.to_numpy()])
    buckets = np.concatenate(parts)
    keys = np.random.default_rng(20).random(len(buckets))
    order = np.lexsort((keys, buckets))
    ends = np.cumsum(np.bincount(buckets))
    place = np.arange(len(order)) - np.concatenate([[0], ends[:-1]])[buckets[order]]
    kept = np.zeros(len(buckets), bool)
    kept[order[place < cap]] = True
    some = np.flatnonzero(kept)
    if len(some) > total:
        kept[some[np.argpartition(keys[some], total)[total:]]] = False
    return kept, list(numbers), buckets


def ids_of(rng: np.random.Generator, count: int) -> list[str]:
    text = rng.bytes(16 * count).hex()
    return [
        f"{one[:8]}-{one[8:12]}-8{one[13:16]}-a{one[17:20]}-{one[20:]}"
        for one in (text[i : i + 32] for i in range(0, 32 * count, 32))
    ]


def main(people: Path, out: Path, total: int, cap: int) -> None:
    files = sorted(people.glob("*.parquet"))
    kept, names, buckets = choose(files, cap, total)
    label = pa.array(names)
    rng = np.random.default_rng(21)
    for name in ("parquet", "jsonl"):
        (out / name).mkdir(parents=True)
    rejected = pq.ParquetWriter(out / "rejected.parquet", REJECTED, compression="zstd")
    compact: Any = None
    lines: Any = None
    at = written = number = 0
    for file in files:
        for batch in pq.ParquetFile(file).iter_batches(GROUP):
            here = kept[at : at + batch.num_rows]
            domain = label.take(pa.array(buckets[at : at + batch.num_rows]))
            at += batch.num_rows
            ids = pa.array(ids_of(rng, batch.num_rows))
            rows = batch.append_column("bucket", domain).append_column("id", ids)
            gone = rows.filter(pa.array(~here))
            if gone.num_rows:
                dropped = [orjson.dumps(row).decode() for row in gone.to_pylist()]
                codes = pa.array(["over_cap"] * gone.num_rows)
                rejected.write_batch(pa.record_batch([gone.column("id"), codes, pa.array(dropped)], schema=REJECTED))
            stays = rows.filter(pa.array(here))
            if compact is None or written >= PER_FILE:
                if compact is not None:
                    compact.close()
                    lines.close()
                compact = pq.ParquetWriter(
                    out / "parquet" / f"part-{number:05d}.parquet",
                    COMPACT,
                    compression="zstd",
                    compression_level=3,
                    use_dictionary=["domain"],
                )
                lines = (out / "jsonl" / f"part-{number:05d}.jsonl").open("wb")
                number += 1
                written = 0
            written += stays.num_rows
            columns = [stays.column(name) for name in ("id", "persona", "bucket")]
            compact.write_batch(pa.record_batch(columns, schema=COMPACT))
            values = [stays.column(name).to_pylist() for name in ("domain", "synth_method", "confidence_score")]
            lines.write(
                b"".join(
                    [
                        orjson.dumps(
                            {
                                "id": id,
                                "persona_description": persona,
                                "domain": bucket,
                                "domain_raw": raw,
                                "synth_method": method,
                                "confidence_score": score,
                            },
                            option=orjson.OPT_APPEND_NEWLINE,
                        )
                        for id, persona, bucket, raw, method, score in zip(
                            *(column.to_pylist() for column in columns), *values, strict=True
                        )
                    ]
                )
            )
    if compact is not None:
        compact.close()
        lines.close()
    rejected.close()
    print(int(kept.sum()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
