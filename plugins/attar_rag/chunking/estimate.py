"""The estimate of a text's tokens where no tokenizer is at hand: so many thousandths of a token for each character.

Calibrated against tokenizers of current multilingual models; `benchmarks/chunking.py` tells how far it is from one that
you name. Whole numbers, so that the estimates of a text's parts add up to that of the whole.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .weights import BEYOND, OTHER, WEIGHTS

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

PAGE = 1 << 18


@lru_cache(maxsize=1)
def weights() -> Array:
    """Weight of each code point of the Basic Multilingual Plane, and one for all beyond: shape (65537,), uint16."""
    import numpy as np

    table = np.full(0x10001, OTHER, np.uint16)
    for first, last, weight in WEIGHTS:
        table[first : last + 1] = weight
    table[0x10000] = BEYOND
    return table


def weigh(text: str) -> Array:
    """Weight of each character of a text, in thousandths of a token: shape (len(text),)."""
    import numpy as np

    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    return weights()[np.minimum(codes, 0x10000)]


def estimate(text: str) -> int:
    """Estimated tokens of a text, rounded up."""
    return -(-int(weigh(text).sum(dtype="int64")) // 1000)


class Ruler:
    """Thousandths of a token from the start of a text to any place in it, and back. Keeps a few pages of 262,144
    characters, whatever the length of the text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._before = [0]  # weight of all before page k
        self._pages: dict[int, Array] = {}

    def at(self, offset: int) -> int:
        """Weight of `text[:offset]`."""
        page, within = divmod(offset, PAGE)
        if not within:
            self._reach(page)
            return self._before[page]
        return self._before[page] + int(self._page(page)[within - 1])

    def locate(self, weight: int) -> int:
        """The greatest offset that has no more than this weight before it."""
        from bisect import bisect_right

        while self._before[-1] <= weight and (len(self._before) - 1) * PAGE < len(self._text):
            self._page(len(self._before) - 1)
        page = bisect_right(self._before, weight) - 1
        if page * PAGE >= len(self._text):
            return len(self._text)
        sums = self._page(page)
        return page * PAGE + int(sums.searchsorted(weight - self._before[page], side="right"))

    def _reach(self, page: int) -> None:
        while len(self._before) <= page:
            self._page(len(self._before) - 1)

    def _page(self, page: int) -> Array:
        """Running sums of a page; `sums[i]` covers its characters 0 to i."""
        found = self._pages.get(page)
        if found is None:
            self._reach(page)
            found = weigh(self._text[page * PAGE : (page + 1) * PAGE]).cumsum(dtype="int64")
            if len(self._pages) >= 4:
                del self._pages[min(self._pages)]
            self._pages[page] = found
            if len(self._before) == page + 1:
                self._before.append(self._before[page] + int(found[-1] if len(found) else 0))
        return found
