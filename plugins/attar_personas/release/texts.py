"""Hashes of texts that are the same but for letter case, spacing and Unicode form."""

from __future__ import annotations

import hashlib
import unicodedata
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

_SPACE = 0x20


def plain(text: str) -> str:
    """A text as it is compared: NFC, case folded, runs of white space as one space."""
    folded = unicodedata.normalize("NFC", text).casefold()
    return " ".join(unicodedata.normalize("NFC", folded).split())


def text_hashes(texts: pa.Array) -> NDArray[np.uint64]:
    """A hash of 64 bits per text, 0 for null. Plain ASCII is folded and hashed where it lies."""
    import pyarrow as pa
    import pyarrow.compute as pc

    large = texts.cast(pa.large_string())
    hashes = np.zeros(len(large), np.uint64)
    if not len(large):
        return hashes
    valid = np.array(pc.is_valid(large))
    odd = _odd(large) & valid
    lowered = pc.ascii_lower(large)
    offsets = np.frombuffer(lowered.buffers()[1], np.int64)[lowered.offset : lowered.offset + len(lowered) + 1].tolist()
    data = memoryview(lowered.buffers()[2] or b"")
    digest = hashlib.blake2b
    made = b"".join([digest(data[a:b], digest_size=8).digest() for a, b in pairwise(offsets)])
    hashes[:] = np.frombuffer(made, "<u8")
    places = np.flatnonzero(odd)
    if len(places):
        own = [
            digest(plain(text).encode(), digest_size=8).digest() for text in large.take(pa.array(places)).to_pylist()
        ]
        hashes[places] = np.frombuffer(b"".join(own), "<u8")
    hashes[hashes == 0] = 1
    hashes[~valid] = 0
    return hashes


def _odd(large: pa.Array) -> NDArray[np.bool_]:
    """Texts that need more than lower case: not ASCII, a control character, or space where folding would drop it."""
    offsets = np.frombuffer(large.buffers()[1], np.int64)[large.offset : large.offset + len(large) + 1]
    first, last = int(offsets[0]), int(offsets[-1])
    found = np.zeros(len(large), bool)
    if last == first:
        return found
    octets = np.frombuffer(large.buffers()[2], np.uint8)[first:last]
    space = octets == _SPACE
    bad = (octets >= 0x7F) | (octets < _SPACE)
    bad[1:] |= space[1:] & space[:-1]
    places = np.flatnonzero(bad) + first
    if len(places):
        found[np.unique(np.searchsorted(offsets, places, side="right") - 1)] = True
    full = np.flatnonzero(offsets[1:] > offsets[:-1])
    begins, ends = offsets[:-1][full] - first, offsets[1:][full] - first - 1
    found[full[space[begins] | space[ends]]] = True
    return found
