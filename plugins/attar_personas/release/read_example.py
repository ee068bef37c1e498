"""Reads the release as a stream: no more than 10,000 personas are in memory at a time.

    python read_example.py [FOLDER]

FOLDER holds this file, parquet/ and jsonl/; by default the one this file lies in. Needs pyarrow.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds

BATCH = 10_000


def batches(folder: Path) -> Iterator[pa.RecordBatch]:
    """Record batches with the columns id, persona and domain."""
    dataset = ds.dataset(folder / "parquet", format="parquet")
    scanner = dataset.scanner(columns=["id", "persona", "domain"], batch_size=BATCH, batch_readahead=2)
    yield from scanner.to_batches()


def main(folder: Path) -> None:
    domains: Counter[str] = Counter()
    first = None
    for batch in batches(folder):
        if first is None and batch.num_rows:
            first = batch.slice(0, 1).to_pylist()[0]
        for counted in batch.column("domain").value_counts().to_pylist():
            domains[counted["values"]] += counted["counts"]
        # Here goes your work: embed batch.column("persona"), write prompts, draw a sample, …
    print(f"{domains.total():,} personas in {len(domains):,} domains")
    for domain, count in domains.most_common(10):
        print(f"{count:>12,}  {domain}")
    if first is not None:
        print(f"first: {first['id']} ({first['domain']})\n{first['persona']}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent)
