"""Contexts are drawn by the row's seed, questions are proved, and noise leaves facts alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.api import Reject, Row, Verdict
from attar.testing import FakeContext, StepContract, build, prompt, run_judge, run_row_step
from attar_rag.conversations.draw import DrawContext
from attar_rag.conversations.noise import Noise
from attar_rag.conversations.proof import CheckCamouflage, CheckUnanswerable

SUBJECTS = ("biaya kuliah semester", "asrama kamar putri", "beasiswa prestasi desa")
CHUNKS: list[dict[str, Any]] = [
    {
        "chunk_id": f"{subject.split()[0]}#{n}",
        "chunk": f"## Bagian {subject} {n}\n\nTentang {subject} bagian {n}: gedung {n + 1} kampus.",
        "category": subject.split()[0],
        "heading_path": ["Buku", subject],
    }
    for subject in SUBJECTS
    for n in range(4)
]
KINDS = {"kind": "technique", "gold": {"camouflage": 2}, "withhold": ["elsewhere"]}


def draw(row: Mapping[str, Any], attempt: int = 1, chunks: list[dict[str, Any]] = CHUNKS, **config: Any) -> Any:
    step = build(DrawContext, {"index": "chunks", **KINDS, **config})
    one = Row("ab", {"technique": "cot", **row}, attempt=attempt)
    [found] = run_row_step(step, [one], FakeContext(side={"index": chunks}))
    return found


class TestDrawContract(StepContract):
    step = DrawContext
    config = {"index": "chunks", **KINDS}
    rows = [
        {"category": "biaya", "technique": "cot"},
        {"category": "asrama", "technique": "camouflage"},
        {"category": "Buku", "technique": "elsewhere"},
        {"category": "none such", "technique": None},
        {"category": None, "technique": None},
    ]
    incoming = {"category": "string?", "technique": "string?"}
    side = {"index": CHUNKS}


@pytest.mark.parametrize("category", ["asrama", "asrama kamar putri", "Bagian asrama kamar putri 2"])
def test_a_category_is_a_folder_a_heading_above_or_one_within(category: str) -> None:
    found = draw({"category": category})
    assert found["gold_ids"][0].startswith("asrama#")
    assert set(found["gold_ids"]) <= set(found["context_ids"]) and len(found["context_ids"]) == 3
    assert found["gold"] == [one["chunk"] for one in CHUNKS if one["chunk_id"] in found["gold_ids"]]
    assert found["twin_context_ids"] == found["context_ids"]
    scores = dict(zip(found["context_ids"], found["retrieval_scores"], strict=True))
    assert [id for id, score in scores.items() if score is None] == found["gold_ids"]


def test_another_try_draws_another_chunk_and_the_same_try_the_same() -> None:
    drawn = {draw({"category": "biaya"}, attempt)["gold_ids"][0] for attempt in range(1, 12)}
    assert drawn == {f"biaya#{n}" for n in range(4)}
    assert draw({"category": "biaya"}, 3) == draw({"category": "biaya"}, 3)


def test_camouflage_gets_two_gold_chunks_and_they_are_shown() -> None:
    for attempt in range(1, 6):
        found = draw({"category": "biaya", "technique": "camouflage"}, attempt)
        assert len(set(found["gold_ids"])) == 2
        assert set(found["gold_ids"]) <= set(found["context_ids"])


def test_where_the_answer_stands_elsewhere_the_context_lacks_the_gold_and_the_twins_has_it() -> None:
    for attempt in range(1, 6):
        found = draw({"category": "biaya", "technique": "elsewhere"}, attempt)
        assert not set(found["gold_ids"]) & set(found["context_ids"])
        assert len(found["context_ids"]) == len(found["twin_context_ids"]) == 3
        assert set(found["gold_ids"]) < set(found["twin_context_ids"])
        assert len(set(found["context_ids"]) & set(found["twin_context_ids"])) == 2


def test_a_category_without_chunks_is_named() -> None:
    found = draw({"category": "parkir"})
    assert isinstance(found, Reject) and found.code == "empty_category" and "parkir" in found.detail
    lone = draw({"category": "biaya", "technique": "camouflage"}, chunks=CHUNKS[:1])
    assert isinstance(lone, Reject) and lone.code == "empty_category"


def test_a_copy_of_the_gold_chunk_is_no_neighbour() -> None:
    copies = [*CHUNKS, {**CHUNKS[0], "chunk_id": "copy#0", "category": "x", "heading_path": []}]
    for attempt in range(1, 8):
        found = draw({"category": "biaya", "technique": "elsewhere"}, attempt, copies)
        assert len(set(found["contexts"])) == 3
        assert not set(found["gold"]) & set(found["contexts"])


PROMPT = "{{ asked }}\n{% for one in passages %}\n[{{ one }}]{% endfor %}"
NEGATIVE = {
    "question": "Berapa tarif parkir?",
    "twin_question": "Berapa uang kuliah?",
    "negative_kind": "nowhere",
    "gold": ["Uang kuliah lima juta."],
    "contexts": ["Uang kuliah lima juta.", "Kamar putri."],
    "twin_contexts": ["Uang kuliah lima juta.", "Kamar putri."],
    "proof_contexts": [f"Halaman {n}." for n in range(20)],
}


def reader(call: dict[str, Any]) -> Any:
    """Answers yes where the last word of the question stands in a passage; `a+b` needs both."""
    question, _, passages = call["text"].partition("\n")
    wanted = re.sub(r"\W", " ", question.rsplit(" ", 1)[-1].replace("+", " ")).split()
    return {"reason": "…", "answered": all(word in passages for word in wanted)}


def proved(step: Any, row: Mapping[str, Any], **config: Any) -> tuple[Verdict, FakeContext]:
    context = FakeContext(reader)
    [found] = run_judge(build(step, {"model": "judge", "prompt": prompt(PROMPT), **config}), [dict(row)], context)
    return found, context


class TestUnanswerableContract(StepContract):
    step = CheckUnanswerable
    config = {"model": "judge", "prompt": prompt(PROMPT)}
    rows = [NEGATIVE, {**NEGATIVE, "negative_kind": "elsewhere"}, {**NEGATIVE, "question": None}]
    incoming = {
        **dict.fromkeys(("question", "twin_question", "negative_kind"), "string?"),
        **dict.fromkeys(("gold", "contexts", "twin_contexts"), "list<string>"),
        "proof_contexts": "list<string>?",
    }
    answers = staticmethod(reader)


class TestCamouflageContract(StepContract):
    step = CheckCamouflage
    config = {"model": "judge", "prompt": prompt(PROMPT)}
    rows = [
        {"question": "Mana murah, x+y?", "gold": ["x", "y"], "contexts": ["x", "y", "z"]},
        {"question": "", "gold": ["x", "y"], "contexts": ["x", "y", "z"]},
        {"question": None, "gold": [], "contexts": []},
    ]
    incoming = {"question": "string?", "gold": "list<string>", "contexts": "list<string>"}
    answers = staticmethod(reader)


@pytest.mark.parametrize("place", [0, 7, 19])
def test_a_negative_whose_answer_stands_elsewhere_is_found_wherever_it_stands(place: int) -> None:
    found, _ = proved(CheckUnanswerable, NEGATIVE)
    assert found.outcome == "pass" and found.scores["n_searched"] == 22
    pages = [f"Halaman {n}." if n != place else "Tarif parkir dua ribu." for n in range(20)]
    found, _ = proved(CheckUnanswerable, {**NEGATIVE, "proof_contexts": pages})
    assert (found.outcome, found.code) == ("fail", "answerable_elsewhere")


def test_every_found_chunk_is_looked_at_once() -> None:
    _, context = proved(CheckUnanswerable, NEGATIVE, per_call=6)
    asked = [call["text"] for call in context.calls]
    for page in NEGATIVE["proof_contexts"]:
        assert sum(f"[{page}]" in text for text in asked) == 1
    assert len(asked) == 1 + 4 + 1  # the context, 20 pages by 6, the twin


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"contexts": ["Ada parkir."]}, "answered_by_context"),
        ({"negative_kind": "elsewhere"}, "not_answerable_elsewhere"),
        ({"twin_question": "Berapa denda?"}, "twin_unanswerable"),
        ({"twin_question": "berapa tarif PARKIR"}, "twin_is_the_same"),
        ({"question": " "}, "no_question"),
        ({"twin_question": None}, "no_question"),
    ],
)
def test_a_faulty_negative_has_its_code(change: dict[str, Any], code: str) -> None:
    found, _ = proved(CheckUnanswerable, {**NEGATIVE, **change})
    assert (found.outcome, found.code) == ("fail", code)


def test_elsewhere_is_answered_by_the_withheld_chunk_alone() -> None:
    row = {**NEGATIVE, "negative_kind": "elsewhere", "twin_question": "", "gold": ["Tarif parkir dua ribu."]}
    with_gold = [*row["gold"], "Kamar putri."]
    assert proved(CheckUnanswerable, {**row, "twin_contexts": with_gold})[0].outcome == "pass"
    assert proved(CheckUnanswerable, row)[0].code == "twin_unanswerable"
    shown = {**row, "contexts": with_gold, "twin_contexts": with_gold}
    assert proved(CheckUnanswerable, shown)[0].code == "answered_by_context"


SHORT = {"question": "Mana lebih murah, x+y?", "gold": ["x", "y"], "contexts": ["z", "x", "y"]}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, ""),
        ({"question": "Mana lebih murah di antara x atau di antara y?"}, "too_many_words"),
        ({"question": "Mana lebih murah, x?"}, "camouflage_too_easy"),
        ({"question": "Mana lebih murah, x+q?"}, "camouflage_unanswerable"),
        ({"contexts": ["z", "x y", "x", "y"]}, "camouflage_too_easy"),
        ({"gold": ["x"]}, "too_few_gold"),
        ({"gold": ["x", "x"]}, "too_few_gold"),
        ({"gold": ["x", "w"]}, "too_few_gold"),
        ({"question": "?"}, "no_question"),
    ],
)
def test_camouflage_needs_every_gold_chunk(change: dict[str, Any], code: str) -> None:
    found, _ = proved(CheckCamouflage, {**SHORT, **change})
    assert (found.outcome, found.code) == ("fail" if code else "pass", code)


SAID = "Katanya ada diskon untuk yang hafal 15 juz, apa saya bisa dapat potongan di Gedung Wijaya sebelum 12/05/2026?"
MESSAGES = [{"role": "user", "content": SAID}, {"role": "model", "thought": "t", "content": "Ada potongan 50 %."}]


class TestNoiseContract(StepContract):
    step = Noise
    rows = [{"messages": MESSAGES}, {"messages": []}]
    incoming = {"messages": "list<struct<role:string,thought:string?,content:string>>"}


def noisy(said: str, seed: int = 0, **config: Any) -> str:
    step = build(Noise, config, "noise")
    messages = [{"role": "user", "content": said}, *MESSAGES[1:]]
    [found] = run_row_step(step, [{"messages": messages}], FakeContext(seed=seed))
    assert isinstance(found, Mapping)
    assert found["noise"][1] == messages[1], "a reply was touched"
    assert (found["noise_edits"] > 0) == (found["noise"][0]["content"] != said)
    return str(found["noise"][0]["content"])


def test_noise_follows_the_seed_and_leaves_facts_alone() -> None:
    made = {noisy(SAID, seed) for seed in range(30)}
    assert len(made) > 20 and SAID not in made
    assert noisy(SAID, 3) == noisy(SAID, 3)
    for text in made:
        assert re.findall(r"\d+", text) == ["15", "12", "05", "2026"]
        assert "Gedung Wijaya" in text


def test_each_operator_does_what_it_says() -> None:
    only = {"typos": 0, "dropped": 0, "code_mix": 0}
    assert noisy(SAID, **only) == SAID
    mixed = noisy("Kenapa saya tidak bisa bayar sekarang?", **{**only, "code_mix": 1})
    assert mixed == "Ngopo aku ora iso mbayar saiki?"
    typed = noisy("potongan semester", **{**only, "typos": 1})
    assert len(typed) == len("potongan semester") and typed != "potongan semester"
    assert sum(a != b for a, b in zip(typed, "potongan semester", strict=True)) == 2  # one a word
    assert [len(word) for word in noisy("potongan semester", **{**only, "dropped": 1}).split()] == [7, 7]
    question = "apa ada potongan"
    kept = build(Noise, {**only, "typos": 1, "keep": "q"}, "noise")
    [found] = run_row_step(kept, [{"messages": [{"role": "user", "content": f"Permisi, {question}?"}], "q": question}])
    assert isinstance(found, Mapping) and question in found["noise"][0]["content"]


@given(st.text(max_size=200), st.integers(0, 1000))
@settings(deadline=None, max_examples=60)
def test_noise_never_touches_a_digit_nor_parts_a_letter_from_its_signs(text: str, seed: int) -> None:
    step = build(Noise, {"typos": 0.4, "dropped": 0.4})
    assert isinstance(step, Noise)
    rough, edits = step.roughened(text, Random(seed))
    assert [char for char in rough if char.isdigit()] == [char for char in text if char.isdigit()]
    assert (edits > 0) == (rough != text)


def test_hindi_loses_whole_letters() -> None:
    word = "विश्वविद्यालय"
    step = build(Noise, {"typos": 1, "dropped": 1})
    assert isinstance(step, Noise)
    import regex

    letters = regex.findall(r"\X", word)
    for seed in range(8):
        rough, _ = step.roughened(word, Random(seed))
        assert regex.findall(r"\X", rough) == [one for n, one in enumerate(letters) if n != _lost(letters, rough)]


def _lost(letters: list[str], rough: str) -> int:
    return next(n for n in range(len(letters)) if "".join(letters[:n] + letters[n + 1 :]) == rough)
