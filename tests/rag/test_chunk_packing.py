"""Chunks of any text: joined they give it back, none is above the limit, no sentence and no character is cut."""

from __future__ import annotations

import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from attar_rag.chunking.estimate import Ruler, estimate, weigh
from attar_rag.chunking.packing import Ask, Limits, Slice, pack

PIECES = st.sampled_from([
    "# Judul\n", "## Sub\r\n", "Kalimat satu. ", "कार्यालय खुला है। ", "डॉ. शर्मा ", "\n\n", "\r\n\r\n", "- butir\n",
    "| a | b |\n",
    "```\nx = 1\n", "```\n", "\x00", "क्‍ष", "👩‍👩‍👧‍👦", "🇮🇩🇮🇳", "e\u0301\u0302", "\n===\n", "\r", " ",
    "\t", "kata", "Rp 5.000.000 ", "1. ",
    "\u200d", "~~~\n", "---\n", "\u2028", "한국어",
])  # fmt: skip
TEXTS = st.one_of(
    st.text(), st.lists(PIECES, max_size=60).map("".join), st.text(alphabet=" \n\r\t"), st.text(alphabet="ab")
)


def slices(text: str, low: int, high: int, exact: bool = False) -> list[Slice]:
    """All slices; an exact count is one and a half tokens a character, so that the estimate is far off."""
    packing = pack(text, Limits(low, high), exact=exact)
    found: list[Slice] = []
    answer = None
    while True:
        try:
            one = packing.send(answer)  # type: ignore[arg-type]
        except StopIteration:
            return found
        answer = None
        if isinstance(one, Ask):
            answer = count(text[one.start : one.end])
        else:
            found.append(one)


def count(text: str) -> int:
    return (len(text) * 3 + 1) // 2


@settings(deadline=None, max_examples=200)
@given(TEXTS, st.integers(0, 12), st.integers(4, 60), st.booleans())
def test_slices_are_the_text_within_the_limit_and_cut_no_character(text: str, low: int, more: int, exact: bool) -> None:
    high = low + more
    found = slices(text, low, high, exact)
    assert "".join(text[one.start : one.end] for one in found) == text
    assert all(one.start < one.end for one in found)
    places = {one.start() for one in regex.finditer(r"\X", text)} | {len(text)}
    for one in found:
        part = text[one.start : one.end]
        assert one.end in places
        assert one.tokens == (count(part) if exact else estimate(part))
        assert one.tokens <= high or len(regex.findall(r"\X", part)) == 1
    assert found == slices(text, low, high, exact)


@settings(deadline=None, max_examples=200)
@given(TEXTS, st.lists(st.integers(0, 400)))
def test_the_ruler_measures_any_part(text: str, offsets: list[int]) -> None:
    ruler = Ruler(text)
    weights = weigh(text)
    for offset in offsets:
        place = min(offset, len(text))
        before = int(weights[:place].sum(dtype="int64"))
        assert ruler.at(place) == before
        assert ruler.at(ruler.locate(before)) <= before
        assert ruler.locate(before) >= place
