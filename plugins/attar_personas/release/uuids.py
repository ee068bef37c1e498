"""Row ids as UUIDs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

_HEX = np.frombuffer("".join(f"{octet:02x}" for octet in range(256)).encode(), np.uint8).reshape(256, 2)
_DASHES = (8, 13, 18, 23)
_DIGITS = np.array([place for place in range(36) if place not in _DASHES])


def uuids(words: np.ndarray[tuple[int, ...], np.dtype[np.uint64]]) -> pa.Array:
    """UUIDs of version 8 (RFC 9562, section 5.8: contents of one's own) from 128-bit ids, less the six bits that the
    version and the variant take.

    Args:
        words: shape (rows, 2), the halves of the ids.
    """
    import pyarrow as pa

    n = len(words)
    octets = words.astype(">u8").view(np.uint8).reshape(n, 16).copy()
    octets[:, 6] = octets[:, 6] & 0x0F | 0x80
    octets[:, 8] = octets[:, 8] & 0x3F | 0x80
    text = np.full((n, 36), ord("-"), np.uint8)
    text[:, _DIGITS] = _HEX[octets].reshape(n, 32)
    offsets = np.arange(0, 36 * n + 1, 36, dtype=np.int32)
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(text))


def uuid_keys(words: np.ndarray[tuple[int, ...], np.dtype[np.uint64]]) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """What the first halves of the UUIDs have of the ids, 60 bits: equal keys, perhaps equal UUIDs."""
    keys: np.ndarray[tuple[int], np.dtype[np.uint64]] = words[:, 0] & np.uint64(0xFFFFFFFFFFFF0FFF)
    return keys
