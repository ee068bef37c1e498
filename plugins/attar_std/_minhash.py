"""MinHash signatures and exact Jaccard similarity over the character shingles of texts, on arrays.

A shingle is n consecutive characters as a reader counts them (grapheme clusters): a vowel sign is never cut from its
letter, so कल and कुल share nothing. A text shorter than n is one shingle. Shingles are compared by 64-bit hashes; with
a million distinct ones the chance that any two are taken for one is 3 in 100 million.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import regex

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    U64 = NDArray[np.uint64]

_GRAPHEME = regex.compile(r"\X")
# Where none of these occur, every code point is a character of its own: marks, joiners, prepended and conjoining
# letters, emoji modifiers and flags are what clusters are made of.
_JOINING = regex.compile(r"[\p{M}\p{Cf}\u1100-\u11ff\uac00-\ud7ff\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff]")
_CHUNK_CHARS = 1 << 20  # characters worked on at once: about 60 MiB at the peak


def plain(text: str) -> str:
    """A text as it is compared: NFC, case-folded, each run of white space as one space, none at the ends."""
    folded = unicodedata.normalize("NFC", text).casefold()
    return " ".join(unicodedata.normalize("NFC", folded).split())


class Hashed(NamedTuple):
    """Distinct shingles of several texts, one text after the other, each text's in ascending order.

    Attributes:
        shingles: their hashes, uint64.
        counts: how many each text has, int64.
    """

    shingles: U64
    counts: NDArray[np.int64]


class Shingler:
    """Turns texts into hashes of their shingles of `n` characters."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._clusters: dict[str, int] = {}

    def hashes(self, texts: Sequence[str]) -> Hashed:
        """The distinct shingles of each text; none for a text that is blank."""
        import numpy as np

        n = self._n
        codes = [self._codes(plain(text)) for text in texts]
        sizes = np.fromiter(map(len, codes), np.int64, len(codes))
        windows = np.where(sizes >= n, sizes - n + 1, np.minimum(sizes, 1))
        longest = int(sizes.max(initial=0))
        if longest == 0:
            return Hashed(np.empty(0, np.uint64), np.zeros(len(codes), np.int64))
        # n - 1 zeros after each text: a short text's one shingle runs into them, no shingle runs into the next text
        # because only `windows` starts of each text are kept.
        starts = np.zeros(len(codes) + 1, np.int64)
        np.cumsum(sizes + (n - 1), out=starts[1:])
        line = np.zeros(int(starts[-1]), np.uint64)
        for code, start in zip(codes, starts.tolist(), strict=False):
            line[start : start + len(code)] = code
        rolled = np.zeros(len(line) - n + 1, np.uint64)
        for i in range(n):
            rolled *= np.uint64(0x9E3779B97F4A7C15)
            rolled += line[i : len(line) - n + 1 + i]
            _mix(rolled)
        owner = np.repeat(np.arange(len(codes)), windows)
        first = np.repeat(np.cumsum(windows) - windows, windows)
        at = starts[owner] + np.arange(len(owner)) - first
        return _distinct(rolled[at], owner, len(codes))

    def _codes(self, text: str) -> U64:
        """One number per character; equal ones for equal characters."""
        import numpy as np

        if text.isascii() or _JOINING.search(text) is None:
            return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
        known = self._clusters
        found = []
        for cluster in _GRAPHEME.findall(text):
            code = known.get(cluster)
            if code is None:
                if len(known) > 1 << 20:
                    known.clear()
                digest = hashlib.blake2b(cluster.encode("utf-8", "surrogatepass"), digest_size=8).digest()
                code = known[cluster] = ord(cluster) if len(cluster) == 1 else int.from_bytes(digest)
            found.append(code)
        return np.array(found, np.uint64)


def _mix(values: U64) -> None:
    """Scatters every bit over the whole number, in place (the finaliser of SplitMix64, Steele et al. 2014)."""
    import numpy as np

    values ^= values >> np.uint64(30)
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)


def _distinct(values: U64, owner: Any, texts: int) -> Hashed:
    import numpy as np

    order = np.lexsort((values, owner))
    values, owner = values[order], owner[order]
    keep = np.ones(len(values), bool)
    keep[1:] = (values[1:] != values[:-1]) | (owner[1:] != owner[:-1])
    return Hashed(values[keep], np.bincount(owner[keep], minlength=texts).astype(np.int64))


class BandKeys:
    """Band keys by MinHash: texts that share one are candidates.

    The k-th hash of a shingle is the upper half of a_k · shingle + b_k mod 2⁶⁴ (multiply-shift); a text's k-th MinHash
    is the smallest over its shingles. `rows` consecutive ones make the key of a band. Two texts of similarity s share
    some key with probability 1 − (1 − s^rows)^bands.
    """

    def __init__(self, bands: int, rows: int) -> None:
        import numpy as np

        self.bands, self.rows = bands, rows
        rng = np.random.Generator(np.random.PCG64(20250116))  # one fixed family of hashes: the same rows for everybody
        self._a = rng.integers(0, 2**64, bands * rows, np.uint64) | np.uint64(1)
        self._b = rng.integers(0, 2**64, bands * rows, np.uint64)

    def of(self, hashed: Hashed) -> U64:
        """Keys, texts × bands; those of a text without shingles mean nothing."""
        import numpy as np

        keys = np.zeros((len(hashed.counts), self.bands), np.uint64)
        some = np.flatnonzero(hashed.counts)
        if not len(some):
            return keys
        ends = np.cumsum(hashed.counts[some])
        starts = ends - hashed.counts[some]
        scratch = np.empty_like(hashed.shingles)
        for band in range(self.bands):
            key = np.full(len(some), band + 1, np.uint64)
            for k in range(band * self.rows, (band + 1) * self.rows):
                np.multiply(hashed.shingles, self._a[k], out=scratch)
                np.add(scratch, self._b[k], out=scratch)
                np.right_shift(scratch, np.uint64(32), out=scratch)
                key *= np.uint64(0x9E3779B97F4A7C15)
                key += np.minimum.reduceat(scratch, starts)
                _mix(key)
            keys[some, band] = key
        return keys


class ShingleFile:
    """Every text's shingles on disk, so that memory does not grow with the length of texts.

    Args:
        path: of the file, in a folder that is removed afterwards.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._counts: list[Any] = []
        self._file: Any = path.open("wb")
        self._ends: Any = None
        self._map: Any = None

    def add(self, hashed: Hashed) -> None:
        hashed.shingles.tofile(self._file)
        self._counts.append(hashed.counts)

    def close(self) -> None:
        """No more texts; from now on they can be read."""
        import numpy as np

        self._file.close()
        counts = np.concatenate(self._counts) if self._counts else np.zeros(0, np.int64)
        self._counts = []
        self._ends = np.concatenate(([0], np.cumsum(counts)))
        # As a plain array: slices of a memmap cost more than comparing two short texts.
        self._map = np.asarray(np.memmap(self._path, np.uint64, "r")) if self._ends[-1] else np.empty(0, np.uint64)

    def size(self, text: int) -> int:
        return int(self._ends[text + 1] - self._ends[text])

    def sizes(self, texts: Any) -> Any:
        return self._ends[texts + 1] - self._ends[texts]

    def shingles(self, text: int) -> Any:
        """The distinct shingles of a text, ascending."""
        return self._map[self._ends[text] : self._ends[text + 1]]

    def similarity(self, one: int, other: int) -> float:
        """Jaccard similarity: shared shingles over all shingles of both."""
        import numpy as np

        first, second = self.shingles(one), self.shingles(other)
        both = np.concatenate((first, second))
        both.sort()
        shared = int(np.count_nonzero(both[1:] == both[:-1]))
        return shared / (len(both) - shared)


def chunks(texts: Iterator[str]) -> Iterator[list[str]]:
    """Texts in lists of about a million characters; one longer than that is alone."""
    held: list[str] = []
    size = 0
    for text in texts:
        if held and size + len(text) > _CHUNK_CHARS:
            yield held
            held, size = [], 0
        held.append(text)
        size += len(text) + 16
    if held:
        yield held
