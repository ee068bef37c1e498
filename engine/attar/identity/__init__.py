"""Ids, seeds and digests. What identity is, and what is left out of it on purpose.

H is blake2b-128 over a canonical JSON array (UTF-8, sorted keys, no spaces; strings as they are, not normalised).
Never part of an id, seed or request key: fingerprints, row limits, shard layout, URLs, times. So a row keeps its id,
and its answers stay paid, whatever the concurrency, the executor or the edits elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


def _default(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, str):  # str subclasses (ModelRef and the like)
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Sequence):
        return list(value)
    if isinstance(value, int):  # beyond 64 bits
        return {"$int": str(value)}
    raise TypeError(f"{type(value).__name__} has no canonical JSON form")


def canonical(value: Any) -> bytes:
    """Canonical JSON of a value: equal values give equal bytes on every machine."""
    return orjson.dumps(value, default=_default, option=_OPTIONS)


def H(*parts: Any) -> str:
    """blake2b-128 of the canonical JSON array of the parts, as 32 hex digits."""
    return hashlib.blake2b(canonical(parts), digest_size=16).hexdigest()


def row_id(step: str, key: Any) -> str:
    """Id of a row a source makes; `key` is its id column's value, else [relative file, record number]."""
    return H("row", step, key)


def row_ids(step: str, keys: Sequence[Any]) -> list[str]:
    """`row_id` of many keys; those of the usual form (file, record number) at half the cost."""
    ids: list[str] = []
    file: Any = None
    begun = hashlib.blake2b(digest_size=16)
    for key in keys:
        if (
            type(key) is tuple
            and len(key) == 2
            and type(key[0]) is str
            and type(key[1]) is int
            and 0 <= key[1] < 1 << 53
        ):
            if file is not key[0]:
                file = key[0]
                begun = hashlib.blake2b(canonical(("row", step, (file,)))[:-2] + b",", digest_size=16)
            digest = begun.copy()
            digest.update(b"%d]]" % key[1])
            ids.append(digest.hexdigest())
        else:
            ids.append(row_id(step, key))
    return ids


def child_id(parent: str, step: str, k: int) -> str:
    """Id of the k-th child (from 0) an expanding step makes of a row."""
    return H("child", parent, step, k)


def merged_id(parents: Iterable[str], step: str, key: str) -> str:
    """Id of a row a dataset step makes out of others."""
    return H("new", sorted(parents), step, key)


def seed_of(recipe_seed: int, step: str, row: str, attempt: int, key: str = "", sample: int = 0) -> int:
    """Seed of one request or draw, 0 ≤ seed < 2³¹."""
    digest = hashlib.blake2b(canonical(("seed", recipe_seed, step, row, attempt, key, sample)), digest_size=16)
    return int.from_bytes(digest.digest()[:8], "big") % (1 << 31)


def request_key(protocol: str, model: str, revision: str | None, body: Mapping[str, Any], seed: int) -> str:
    """Key of one request: what is paid for. `body` must hold no transport fields (stream, user, priority, …)."""
    return H("request", protocol, model, revision, body, seed)


def bytes_digest(data: bytes) -> str:
    """blake2b-128 of bytes, hex."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def file_digest(path: Path) -> str:
    """blake2b-128 of a file's bytes, hex; reads in pieces of 1 MiB."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
