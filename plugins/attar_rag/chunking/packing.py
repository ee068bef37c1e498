"""Packs a text into consecutive slices of so many tokens, cut at the best places that are near."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator, Iterator
from typing import NamedTuple

from .cuts import next_character, sentence_starts, word_start
from .estimate import Ruler
from .layout import ITEM, Place, scan

MARGIN = 0.03
"""How far below the limit a slice is aimed at where a tokenizer has the last word: a miss costs another count."""
_SAMPLE = 800
_TRIES = 12


class Slice(NamedTuple):
    """One chunk: `text[start:end]`.

    Attributes:
        tokens: of the slice, by the counter.
        path: headings above the slice's first text, the highest first; its own included.
        cut: True where the slice ends within a sentence, because the sentence alone is above the limit.
    """

    start: int
    end: int
    tokens: int
    path: tuple[str, ...]
    cut: bool


class Ask(NamedTuple):
    """The packer asks for the tokens of `text[start:end]`; they are sent to it."""

    start: int
    end: int


class Limits(NamedTuple):
    """Tokens of a chunk. `low` is met by all but the last one of a text, unless a sentence would have to be cut."""

    low: int
    high: int


def pack(
    text: str, limits: Limits, *, exact: bool, language: str | None = None, ratio: float = 1.0
) -> Generator[Slice | Ask, int, None]:
    """Slices of a text in order; joined they give it back.

    A slice goes as far as `limits.high` allows and ends, in its last half, at the best place there is: before the
    highest heading, else a paragraph, else an item of a list; where there is none, at the last sentence. The last
    slices share what is left, so that none is below `limits.low` where that can be.

    Args:
        text: any text.
        limits: tokens of a slice at least and at most.
        exact: True: yields `Ask` and is sent the tokens of that part by a tokenizer, so that no slice is above
            `limits.high`. False: the estimate counts.
        language: whose abbreviations hold (see `attar.api.text.sentences`).
        ratio: tokens of that tokenizer per estimated token, as far as known.
    """
    packer = _Packer(text, limits, language)
    end = len(text)
    start = 0
    if exact and end and packer.ruler.at(min(end, 4 * limits.high)) * ratio > 600 * limits.high:
        stop = min(end, _SAMPLE)  # the text may be cut: how many tokens it has is worth knowing
        ratio = _ratio((yield Ask(0, stop)), packer.ruler.at(stop), ratio)
    while start < end:
        place = yield from _exact(packer, start, ratio) if exact else _estimated(packer, start)
        weight = packer.ruler.at(place.end) - packer.ruler.at(start)
        if exact and place.tokens > 50:
            ratio = _ratio(place.tokens, weight, ratio)
        yield Slice(start, place.end, place.tokens, packer.path(start, place.end), place.cut)
        start = place.end


class _End(NamedTuple):
    end: int
    tokens: int
    cut: bool


def _ratio(tokens: int, weight: int, before: float) -> float:
    return tokens * 1000 / weight if tokens and weight else before


def _estimated(packer: _Packer, start: int) -> Generator[Ask, int, _End]:
    limits = packer.limits
    end, cut = packer.choose(start, max(0, limits.low - 1) * 1000, limits.high * 1000)
    weight = packer.ruler.at(end) - packer.ruler.at(start)
    return _End(end, -(-weight // 1000), cut)
    yield  # a generator, as `_exact` is


def _exact(packer: _Packer, start: int, ratio: float) -> Generator[Ask, int, _End]:
    """Chooses by the estimate times `ratio`, asks, and chooses again where that was not right."""
    limits, ruler = packer.limits, packer.ruler
    high = limits.high * 1000 / ratio * (1 - MARGIN)
    low = max(0, limits.low - 1) * 1000 / ratio
    before = ruler.at(start)
    best: _End | None = None
    for attempt in range(_TRIES):
        end, cut = packer.choose(start, int(min(low * (1 + MARGIN), high)), int(high))
        tokens = yield Ask(start, end)
        weight = ruler.at(end) - before
        if tokens > limits.high:
            if best is not None or end <= next_character(packer.text, start):
                break
            high = min(high, weight) * limits.high / tokens * (1 - MARGIN * (attempt + 1))
            low = min(low, high)
            continue
        if best is None or tokens > best.tokens:
            best = _End(end, tokens, cut)
        if tokens >= limits.low or end >= len(packer.text) or attempt or not weight:
            break
        low = limits.low * weight / tokens * (1 + MARGIN) if tokens else low
        if low >= high:
            break
    if best is not None:
        return best
    end = next_character(packer.text, start)
    tokens = yield Ask(start, end)
    return _End(end, tokens, True)


class _Packer:
    """A text with its places and weights, read as far as is needed."""

    def __init__(self, text: str, limits: Limits, language: str | None) -> None:
        self.text = text
        self.limits = limits
        self.ruler = Ruler(text)
        self._language = language
        self._scan: Iterator[Place] = scan(text)
        self._places: list[Place] = []
        self._offsets: list[int] = []
        self._above: list[tuple[int, str]] = []  # headings in force before the first place that is kept

    def choose(self, start: int, low: int, high: int) -> tuple[int, bool]:
        """Where a slice from `start` ends, and whether within a sentence.

        Args:
            low, high: weights the slice is to exceed, and not to exceed.
        """
        ruler, end = self.ruler, len(self.text)
        before = ruler.at(start)
        limit = ruler.locate(before + high)
        if limit >= end:
            return end, False
        least = ruler.locate(before + low)
        if ruler.locate(before + high + low) >= end:  # leave the last slice enough
            shared = ruler.locate(ruler.at(end) - low - 1)
            if shared > least:
                limit = min(limit, shared)
        near = max(least, ruler.locate(before + high // 2))
        self._read(limit)
        first = bisect_right(self._offsets, start)
        last = bisect_right(self._offsets, limit)
        some = self._places[first:last]
        for floor, ceiling in ((near, limit), (least, near)):
            rank = ITEM + 1
            found = 0
            for place in some:
                if floor < place.offset <= ceiling and 0 < place.rank <= rank:
                    rank, found = place.rank, place.offset
            if found and rank <= ITEM:
                return found, False
        block = self._places[last - 1] if last else None
        places = [place.offset for place in some if place.rank]
        if block is None or not block.solid:
            left = max(start, block.offset if block is not None else 0)
            places += sentence_starts(self.text, left, limit, self._language)[-1:]
        if places:
            return max(places), False
        if some:  # a heading parted from its text is better than half a sentence
            return some[-1].offset, False
        place_of_word = word_start(self.text, start, limit) if limit > start else start
        return (place_of_word, True) if place_of_word > start else (next_character(self.text, start), True)

    def path(self, start: int, end: int) -> tuple[str, ...]:
        """Headings above the first text of a slice. Slices are to be asked for in order: what lies before is let go."""
        passed = 0
        while passed < len(self._places) or self._read_one():  # no further than to the first text
            place = self._places[passed]
            if place.offset >= end or (place.offset >= start and not place.level):
                break
            passed += 1
            if place.level:
                while self._above and self._above[-1][0] >= place.level:
                    self._above.pop()
                self._above.append((place.level, place.title))
        path = tuple(title for _, title in self._above if title)
        gone = min(passed, max(0, bisect_right(self._offsets, end) - 1))
        if gone:
            # headings taken up here are met again only where they begin the next slice
            del self._places[:gone], self._offsets[:gone]
        return path

    def _read(self, offset: int) -> None:
        """Reads places until one lies behind `offset`."""
        while (not self._offsets or self._offsets[-1] <= offset) and self._read_one():
            pass

    def _read_one(self) -> bool:
        """Reads a place; False where there are no more."""
        place = next(self._scan, None)
        if place is None:
            return False
        self._places.append(place)
        self._offsets.append(place.offset)
        return True
