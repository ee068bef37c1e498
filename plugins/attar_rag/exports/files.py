"""The folder of an export: JSON Lines by split, and a README.md by which `datasets.load_dataset` reads it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import orjson

from attar_rag.exports.columns import Feature
from attar_rag.exports.split import Documents, Name

_HELD = 1 << 18
"""Bytes of a split that wait in memory."""


def pattern(name: Name) -> str:
    """The files of a split, from the export's folder."""
    return f"data/{name}-*.jsonl"


class _Part:
    """The files of one split, one behind another."""

    def __init__(self, folder: Path, name: Name, rows_per_file: int) -> None:
        self._folder, self._name, self._most = folder, name, rows_per_file
        self._files = 0
        self._room = 0
        self._held = bytearray()
        self.records = 0
        self.sum = hashlib.blake2b(digest_size=16)
        self._file = self._next()

    def _next(self) -> BinaryIO:
        file = (self._folder / f"{self._name}-{self._files:05d}.jsonl").open("wb")
        self._files += 1
        self._room = self._most
        return file

    def add(self, line: bytes) -> None:
        if not self._room:
            self.close()
            self._file = self._next()
        self._held += line
        self._room -= 1
        self.records += 1
        if len(self._held) >= _HELD:
            self._flush()

    def _flush(self) -> None:
        self._file.write(self._held)
        self.sum.update(self._held)
        self._held.clear()

    def close(self) -> None:
        if not self._file.closed:
            self._flush()
            self._file.close()


class SplitFiles:
    """`data/train-00000.jsonl` and so on below a folder; a split without records is one empty file."""

    def __init__(self, folder: Path, names: Sequence[Name], rows_per_file: int) -> None:
        (folder / "data").mkdir()
        self._parts = {name: _Part(folder / "data", name, rows_per_file) for name in names}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for part in self._parts.values():
            part.close()

    def add(self, name: Name, record: Mapping[str, Any]) -> None:
        """Appends a record to a split."""
        self._parts[name].add(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))

    def records(self) -> dict[Name, int]:
        """Records of each split so far."""
        return {name: part.records for name, part in self._parts.items()}

    def digest(self) -> str:
        """Digest of all records and their splits; to be asked for when the files are closed."""
        own = "".join(f"{name} {part.sum.hexdigest()} " for name, part in self._parts.items())
        return hashlib.blake2b(own.encode(), digest_size=16).hexdigest()


def readme(
    title: str,
    told: str,
    features: Mapping[str, Feature],
    records: Mapping[Name, int],
    documents: Mapping[Name, Documents],
    digest: str,
) -> str:
    """README.md of the folder. Its front matter names the files of each split and the features, so that a field that is
    null in all records of a file is read all the same. A split without records is not named: `datasets` refuses it. The
    digest is there because `datasets` (5.2) keeps what it has read under the folder's last name and this front matter:
    without it, other data in a folder of the same name would be read from that cache.

    Args:
        title: name of the format.
        told: what a record is, in a sentence or two.
        features: of a record, in order.
        records: of each split.
        documents: of each split; empty where rows are not split by documents.
        digest: of the records.
    """
    import yaml

    files = [{"split": name, "path": pattern(name)} for name, count in records.items() if count]
    front = {
        **({"configs": [{"config_name": "default", "data_files": files}]} if files else {}),
        "dataset_info": {
            "description": f"{title}; records {digest}",
            "features": [{"name": name, **feature} for name, feature in features.items()],
        },
    }
    head = ["split", "records", *(["documents", "largest group"] if documents else [])]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for name, count in records.items():
        cells = [name, f"{count:,}"]
        if documents:
            cells += [f"{documents[name].count:,}", f"{documents[name].largest_group:,}"]
        lines.append("| " + " | ".join(cells) + " |")
    groups = (
        "\n\nDocuments that rows name together are one group, and a group is in one split."
        if any(one.largest_group > 1 for one in documents.values())
        else ""
    )
    return (
        "---\n"
        + yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=1000)
        + f"---\n\n# {title}\n\n{told}\n\n"
        + "\n".join(lines)
        + groups
        + '\n\n```python\nfrom datasets import load_dataset\n\ndata = load_dataset("path/of/this/folder")\n```\n'
    )
