"""Measures against brute force."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from attar.models.words import ENGLISH
from attar_personas.measure import (
    DUPLICATE_SIZES,
    TOP_SIZES,
    english_share,
    longest_common_substring,
    repetition,
    words,
)

few_letters = st.text("ab ")
few_words = st.lists(st.sampled_from(["ka", "b", "ccc", "ख़"]), max_size=60)


def slow_common(one: str, other: str) -> int:
    return max((j - i for i in range(len(one)) for j in range(i, len(one) + 1) if one[i:j] in other), default=0)


@given(few_letters, few_letters)
def test_longest_common_substring(one: str, other: str) -> None:
    found = longest_common_substring(one, other)
    flat_one, flat_other = " ".join(one.split()), " ".join(other.split())
    assert found in flat_one and found in flat_other
    assert len(found) == slow_common(flat_one, flat_other)


def test_common_substring_looks_past_case_and_layout() -> None:
    text = "Said\n the WEAVER of  Kanchi, again"
    assert longest_common_substring("the weaver of kanchi", text) == "the weaver of kanchi"


def slow_top(tokens: list[str], n: int) -> float:
    grams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    if not grams:
        return 0.0
    most = max(Counter(grams).values())
    if most == 1:
        return 0.0
    gram = next(g for g in grams if grams.count(g) == most)
    covered = {i + k for i, g in enumerate(grams) if g == gram for k in range(n)}
    return sum(len(tokens[i]) for i in covered) / sum(map(len, tokens))


def slow_duplicate(tokens: list[str], n: int) -> float:
    grams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    covered = {i + k for i, g in enumerate(grams) if g in grams[:i] for k in range(n)}
    return sum(len(tokens[i]) for i in covered) / sum(map(len, tokens)) if tokens else 0.0


@given(few_words)
def test_repetition(tokens: list[str]) -> None:
    found = repetition(" ".join(tokens))
    assert all(abs(a - b) < 1e-12 for a, b in zip(found.top, (slow_top(tokens, n) for n in TOP_SIZES), strict=True))
    slow = [slow_duplicate(tokens, n) for n in DUPLICATE_SIZES]
    assert all(abs(a - b) < 1e-12 for a, b in zip(found.duplicate, slow, strict=True))


@given(st.lists(st.sampled_from(["x", "y", "", "  "]), max_size=12))
def test_repeated_lines(lines: list[str]) -> None:
    full = [line for line in lines if line.strip()]
    expected = sum(line in full[:i] for i, line in enumerate(full)) / len(full) if full else 0.0
    assert repetition("\n".join(lines)).lines == expected


@settings(max_examples=20)
@given(st.integers(), st.integers(200, 1500))
def test_random_words_are_not_repetition(seed: int, n: int) -> None:
    rng = Random(seed)
    found = repetition(" ".join(rng.choice(ENGLISH) for _ in range(n)))
    assert max(found.top) < 0.05 and max(found.duplicate) < 0.05


def test_words_of_indic_text_are_whole() -> None:
    assert words("हिन्दी में कुल 3 शब्द।") == ["हिन्दी", "में", "कुल", "3", "शब्द"]
    assert words("क्\u200dष don't") == ["क्\u200dष", "don't"]
    assert len(words("தமிழ் மொழி")) == 2


def test_english_share() -> None:
    assert english_share("Rain, 100 %!") == 1.0
    assert english_share("ab कख") == 0.5
    assert english_share("e\u0301") == 0.0  # é, however it is written
    assert english_share("…") == 1.0
