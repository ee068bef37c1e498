"""Reads the first rows of a dataset that a run left, whatever of the plain formats it is in."""

from __future__ import annotations

import csv
import json
from itertools import islice
from pathlib import Path
from typing import Any


def read_first(folder: Path, format: str, count: int) -> list[dict[str, Any]] | None:
    """The first rows of the first part files.

    Args:
        folder: the output's folder (or its only file).
        format: the output's format; formats of plugins are recognised by their files' suffix.
        count: how many rows.

    Returns:
        None where the files are of no kind this knows.
    """
    files = [folder] if folder.is_file() else sorted(file for file in folder.rglob("*") if file.is_file())
    rows: list[dict[str, Any]] = []
    known = False
    for file in files:
        if file.suffix == ".parquet":
            found = _parquet(file, count - len(rows))
        elif file.suffix == ".jsonl":
            found = _jsonl(file, count - len(rows))
        elif file.suffix == ".csv":
            found = _csv(file, count - len(rows))
        else:
            continue
        known = True
        rows += found
        if len(rows) >= count:
            break
    return rows if known else None


def _parquet(file: Path, count: int) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as opened:
        for batch in opened.iter_batches(batch_size=max(count, 1)):
            found: list[dict[str, Any]] = batch.slice(0, count).to_pylist()
            return found
    return []


def _jsonl(file: Path, count: int) -> list[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in islice((line for line in lines if line.strip()), count)]


def _csv(file: Path, count: int) -> list[dict[str, Any]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(islice(csv.DictReader(lines), count))
