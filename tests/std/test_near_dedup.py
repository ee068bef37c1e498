"""std.near_dedup against brute force, on real personas with planted edits, and on scripts with vowel signs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.api import Drop, Row
from attar.testing import StepContract, build, run_dataset_step
from attar_std._minhash import Shingler, plain
from attar_std.near_dedup import NearDedup

PERSONAS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "personas_5k.jsonl"


class TestContract(StepContract):
    step = NearDedup
    config: ClassVar[dict[str, Any]] = {"by": "text"}
    rows: ClassVar[list[dict[str, Any]]] = [
        {"text": "A potter who sings at weddings in Khurja"},
        {"text": "A potter who sings at the weddings in Khurja"},
        {"text": None},
        {"text": ""},
    ]


def shingles(text: str, n: int = 5) -> frozenset[tuple[str, ...]]:
    clusters = regex.findall(r"\X", plain(text))
    if not clusters:
        return frozenset()
    return frozenset(tuple(clusters[i : i + n]) for i in range(max(1, len(clusters) - n + 1)))


def jaccard(one: str, other: str, n: int = 5) -> float:
    first, second = shingles(one, n), shingles(other, n)
    return len(first & second) / len(first | second) if first and second else 0.0


def kept_by_brute_force(texts: Sequence[str], threshold: float, n: int = 5) -> list[str]:
    kept: list[str] = []
    for text in texts:
        if all(jaccard(text, other, n) < threshold for other in kept):
            kept.append(text)
    return kept


def kept(texts: Sequence[str | None], **config: Any) -> list[str | None]:
    out = run_dataset_step(build(NearDedup, {"by": "text", **config}), [{"text": text} for text in texts])
    return [row["text"] for row in out if isinstance(row, Row)]


# Every pair above the threshold shares a band: one row per band, and as many bands as find all but one in 10^13.
EVERY_CANDIDATE = {"bands": 128, "rows": 1}
PARTS = st.sampled_from(
    ["weaver ", "who ", "sings ", "in ", "कल ", "कुल ", "खेत ", "நெசவு ", "👩‍🌾 ", "a", "é", "e\u0301"]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(PARTS, min_size=1, max_size=8).map("".join), max_size=8), st.sampled_from([0.3, 0.5, 0.8, 1]))
def test_drops_what_brute_force_drops(texts: list[str], threshold: float) -> None:
    assert kept(texts, threshold=threshold, **EVERY_CANDIDATE) == kept_by_brute_force(texts, threshold)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=40), st.integers(1, 7))
def test_shingles_are_runs_of_whole_characters(text: str, n: int) -> None:
    assert Shingler(n).hashes([text, text + "x"]).counts.tolist() == [
        len(shingles(text, n)),
        len(shingles(text + "x", n)),
    ]


def test_vowel_signs_tell_words_apart() -> None:
    assert kept(["कल", "कुल", "कल "], threshold=0.1) == ["कल", "कुल"]
    assert kept(["बल मल कम", "बेल मेल कुम"], threshold=0.1) == ["बल मल कम", "बेल मेल कुम"]
    composed, apart = "क़लम और दवात बेचने वाला", "क\u093cलम और दवात बेचने वाला"
    assert kept([composed, apart], threshold=1) == [composed]


def test_case_spacing_and_unicode_form_make_no_difference() -> None:
    assert kept(["A Café owner in  Leh", "a cafe\u0301 OWNER in Leh "], threshold=1) == ["A Café owner in  Leh"]


def test_similar_to_a_dropped_row_is_no_reason_to_go() -> None:
    a = "a retired potter who teaches children to sing"
    b = "a retired potter who teaches children to swim in the lake"
    c = "a lifeguard who teaches children to swim in the lake"
    assert jaccard(a, b) >= 0.5 and jaccard(b, c) >= 0.5 and jaccard(a, c) < 0.5
    assert kept([a, b, c], threshold=0.5) == [a, c]
    assert kept([b, a, c], threshold=0.5) == [b]


def test_names_the_most_similar_row_that_stays() -> None:
    texts = ["a nurse in a village clinic", "a nurse in a village school", "a nurse in a village schools"]
    out = run_dataset_step(build(NearDedup, {"by": "text", "threshold": 0.8}), [{"text": text} for text in texts])
    first, second, third = out
    assert isinstance(first, Row) and isinstance(second, Row) and isinstance(third, Drop)
    assert third.why.code == "near_duplicate"
    assert third.why.detail == f"{jaccard(texts[1], texts[2]):.2f} similar to row {second.id}"


def test_blank_and_null_texts_stay() -> None:
    assert kept(["", None, " ", "", "one"]) == ["", None, " ", "", "one"]


def test_the_best_stays_whatever_the_order() -> None:
    rows = [
        {"text": "a weaver of silk in Kanchipuram", "score": 0.2},
        {"text": "a weaver of silk in Kanchipuram!", "score": 0.9},
        {"text": "a weaver of silk, in Kanchipuram", "score": None},
    ]
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        step = build(NearDedup, {"by": "text", "best": "score"})
        out = run_dataset_step(step, [rows[i] for i in order])
        assert [row["score"] for row in out if isinstance(row, Row)] == [0.9]


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False))
def test_by_smallest_id_the_order_does_not_matter(random: Random) -> None:
    texts = [
        f"{a} who {b} in {c}" for a in ("A potter", "The potter") for b in ("sings", "sang") for c in ("Agra", "Ara")
    ]
    rows = [Row(f"{n:032x}", {"text": text}) for n, text in enumerate(texts)]
    step = build(NearDedup, {"by": "text", "keep": "smallest_id", "threshold": 0.5})

    def ids(order: Sequence[Row]) -> set[str]:
        return {row.id for row in run_dataset_step(step, order) if isinstance(row, Row)}

    shuffled = list(rows)
    random.shuffle(shuffled)
    assert ids(shuffled) == ids(rows)


def test_settings_that_would_find_little_are_refused() -> None:
    step = build(NearDedup, {"by": "text", "threshold": 0.3, "bands": 4, "rows": 16})
    assert [problem.field for problem in step.check({"text": "string"})] == [("rows",)]
    step = build(NearDedup, {"by": "text", "best": "tags"})
    assert [problem.field for problem in step.check({"text": "string", "tags": "list<string>"})] == [("best",)]


@pytest.mark.skipif(not PERSONAS.exists(), reason="the 5,000 personas are not beside the project")
def test_finds_planted_edits_among_real_personas_and_nothing_else() -> None:
    personas = [json.loads(line)["input persona"] for line in PERSONAS.open(encoding="utf-8")]
    rng = Random(3)
    spare = sorted({word for text in personas for word in text.split()})
    planted = []
    for text in personas[:1000]:
        words = text.split()
        words[rng.randrange(len(words))] = rng.choice(spare)
        planted.append(" ".join(words))
    similar = sum(jaccard(text, edit) >= 0.6 for text, edit in zip(personas, planted, strict=False))
    out = run_dataset_step(build(NearDedup, {"by": "text"}), [{"text": text} for text in [*personas, *planted]])
    assert not any(isinstance(row, Drop) for row in out[:5000])  # the default threshold costs no real persona
    found = sum(isinstance(row, Drop) for row in out[5000:])
    assert similar * 0.98 <= found <= similar  # recall of the bands
    assert similar >= 900  # one word of about 13 changed


def test_rows_of_other_groups_are_not_compared() -> None:
    text = "Which papers does a student of Khurja hand in for the scholarship of the potters' guild?"
    rows = [{"text": text, "doc": doc} for doc in ("a", "b", "a", None, "b", None, "None")]
    out = run_dataset_step(build(NearDedup, {"by": "text", "within": "doc"}), rows)
    assert [isinstance(one, Drop) for one in out] == [False, False, True, False, True, True, False]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.text("xyz ", min_size=1, max_size=12)), max_size=12))
def test_within_drops_what_each_group_alone_would(rows: list[tuple[str, str]]) -> None:
    made = [{"doc": doc, "text": text} for doc, text in rows]
    out = run_dataset_step(build(NearDedup, {"by": "text", "within": "doc", "bands": 64, "rows": 1}), made)
    for doc in "ab":
        alone = kept([text for one, text in rows if one == doc], bands=64, rows=1)
        assert [row["text"] for row in out if isinstance(row, Row) and row["doc"] == doc] == alone
