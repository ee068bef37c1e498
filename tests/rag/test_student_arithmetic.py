"""The arithmetic of the student report, against values worked out by hand; and what code tells of a reply."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attar.api import Reject
from attar.testing import FakeContext, build, run_row_step, run_sink
from attar_rag.student.counts import Scored, wilson
from attar_rag.student.grade import GradeReply
from attar_rag.student.perplexity import Perplexity, perplexity
from attar_rag.student.report import StudentReport

GOLDEN = Path(__file__).parents[1] / "golden" / "student"
CONTEXT = "Wisma Bima untuk putra; sewanya Rp 350.000 per bulan, dibuka 1 Juni 2026."


def logprobs(*numbers: float | None) -> dict[str, Any]:
    return {
        "choices": [{"text": "", "logprobs": {"token_logprobs": [None, *numbers]}}],
        "usage": {"prompt_tokens": len(numbers) + 1},
    }


def test_perplexity_of_tokens_of_one_half_one_quarter_and_one_eighth() -> None:
    # (1/2 · 1/4 · 1/8)^(-1/3) = 64^(1/3) = 4
    assert perplexity(math.log(1 / 2) + math.log(1 / 4) + math.log(1 / 8), 3) == pytest.approx(4)
    assert perplexity(-1e6, 1) is None and perplexity(-math.inf, 2) is None and perplexity(0, 0) is None


def test_a_corpus_is_no_mean_of_perplexities() -> None:
    # One text of one token at 1/16, one of three at 1/2: (16 · 2³)^(1/4) = 128^(1/4), not (16 + 2) / 2 = 9.
    corpus = Scored(logprob=-math.log(16) - 3 * math.log(2), tokens=4, bytes=7, texts=2)
    assert corpus.perplexity == pytest.approx(128**0.25)
    assert corpus.bits_per_byte == pytest.approx(1.0)  # 4 + 3 bits in 7 bytes
    assert Scored().perplexity is None and Scored().bits_per_byte is None


def test_wilson_by_hand() -> None:
    # z² = 3.8415: 0 of 10 gives [0, z² / (10 + z²)]; 5 of 10 is symmetric around one half.
    none, half = wilson(0, 10), wilson(5, 10)
    assert none is not None and half is not None
    assert none.low == 0 and none.high == pytest.approx(3.8415 / 13.8415, abs=1e-4)
    assert (half.low, half.high) == (pytest.approx(0.2366, abs=1e-4), pytest.approx(0.7634, abs=1e-4))
    assert wilson(0, 0) is None


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_mirrors(case: tuple[int, int]) -> None:
    hits, n = case
    one, other = wilson(hits, n), wilson(n - hits, n)
    assert one is not None and other is not None
    assert 0 <= one.low <= hits / n + 1e-12 and hits / n - 1e-12 <= one.high <= 1
    assert one.low == pytest.approx(1 - other.high, abs=1e-9)


def test_a_step_sums_what_the_server_says() -> None:
    step = build(Perplexity, {"model": "m"}, name="held")
    (made,) = run_row_step(step, [{"text": "a ब c"}], FakeContext(lambda call: [-1.0, -2.0]))
    assert (made["held_logprob"], made["held_tokens"], made["held_bytes"]) == (-3.0, 2, 7)
    assert made["held_perplexity"] == pytest.approx(math.exp(1.5))


@pytest.mark.parametrize("text", ["", " \n", None])
def test_blank_text_asks_no_model(text: str | None) -> None:
    ctx = FakeContext([])
    (made,) = run_row_step(build(Perplexity, {"model": "m"}), [{"text": text}], ctx)
    assert isinstance(made, Reject) and made.code == "blank_text" and not ctx.calls


@pytest.mark.parametrize(
    ("reply", "answer", "answerable", "refused", "beyond", "correct"),
    [
        ("Sewanya 350 ribu sebulan.", "Rp 350.000 per bulan.", True, False, 0, True),
        ("Sewanya Rp 375.000 per bulan.", "Rp 350.000 per bulan.", True, False, 1, False),
        ("Sewanya murah.", "Rp 350.000 per bulan.", True, False, 0, False),
        ("Maaf, saya tidak menemukan informasi itu.", "Rp 350.000 per bulan.", True, True, 0, False),
        ("Rp 350.000. Info lain: Rp 99.000.", "Rp 350.000", True, False, 1, False),
        ("Asrama itu untuk putra.", "Untuk putra.", True, False, 0, True),
        ("Asrama itu untuk putri.", "Untuk putra saja.", True, False, 0, False),
        ("Ya.", None, True, False, 0, None),
        ("Maaf, informasinya belum tersedia.", None, False, True, 0, True),
        ("Ada, di lantai dua.", None, False, False, 0, False),
        ("मुझे इसकी जानकारी नहीं है।", None, False, True, 0, True),
        ("", "Rp 350.000", True, False, 0, False),
    ],
)
def test_a_graded_reply(
    reply: str, answer: str | None, answerable: bool, refused: bool, beyond: int, correct: bool | None
) -> None:
    row = {"reply": reply, "question": "Berapa?", "answer": answer, "contexts": [CONTEXT], "answerable": answerable}
    (made,) = run_row_step(build(GradeReply, {}), [row], FakeContext())
    assert (made["refused"], made["n_ungrounded"], made["correct"]) == (refused, beyond, correct)


def reply(system: str, question: str, answerable: bool = True, **more: Any) -> dict[str, Any]:
    given = {"twin_id": None, "refused": False, "n_ungrounded": 0, "correct": True, "judged_right": None, "tone": None}
    return {"system": system, "question_id": question, "answerable": answerable, **given, **more}


def cases() -> list[dict[str, Any]]:
    rows = [
        reply("before", "a", twin_id="t", refused=True, correct=False, judged_right=False, tone=2.0),
        reply("student", "a", twin_id="t", judged_right=True, tone=5.0),
        reply("before", "b", n_ungrounded=1, correct=False, judged_right=False, tone=3.0),
        reply("student", "b", judged_right=False, tone=3.0),
        reply("before", "c", False, twin_id="t", correct=False),
        reply("student", "c", False, twin_id="t", refused=True),
        reply("student", "lost"),
        reply("student", "a", refused=True, correct=False),
    ]
    texts = [
        {"before_logprob": -8 * math.log(2), "before_tokens": 2, "before_bytes": 4},
        {"before_logprob": -1 * math.log(2), "before_tokens": 1, "before_bytes": 4},
    ]
    for text in texts:
        text |= {"student_logprob": text["before_logprob"] / 3, "student_tokens": 1, "student_bytes": 4}
    columns = dict.fromkeys(key for row in (*rows, *texts) for key in row)
    return [{**columns, **row} for row in (*rows, *texts)]


def test_the_report(tmp_path: Path) -> None:
    run_sink(build(StudentReport, {}), cases(), FakeContext(out=tmp_path))
    told = json.loads((tmp_path / "report.json").read_text())
    assert (told["questions"], told["unpaired_questions"], told["repeated_replies"]) == (3, 1, 1)
    found = {one["metric"]: one for one in told["metrics"]}
    assert found["perplexity"]["before"] == pytest.approx(2**3)  # 9 bits over 3 tokens
    assert found["perplexity"]["after"] == pytest.approx(2**1.5)  # 3 bits over 2
    assert found["bits_per_byte"]["before"] == pytest.approx(9 / 8)
    shares = {name: (one["hits"], one["n"]) for name, one in found.items() if "hits" in one}
    assert shares == {
        "accuracy": ({"before": 0, "after": 2}, {"before": 2, "after": 2}),
        "judged_accuracy": ({"before": 0, "after": 1}, {"before": 2, "after": 2}),
        "grounded": ({"before": 2, "after": 3}, {"before": 3, "after": 3}),
        "over_refusal_twins": ({"before": 1, "after": 0}, {"before": 1, "after": 1}),
        "over_refusal": ({"before": 1, "after": 0}, {"before": 2, "after": 2}),
        "refusal": ({"before": 0, "after": 1}, {"before": 1, "after": 1}),
        "tone_match": ({"before": 0, "after": 1}, {"before": 2, "after": 2}),
    }
    assert found["tone"]["difference"] == pytest.approx(1.5)
    assert (tmp_path / "report.md").read_text() == (GOLDEN / "report.md").read_text()


def test_nothing_to_report_is_no_zero(tmp_path: Path) -> None:
    rows = [{**cases()[0], "question_id": "alone"}]
    run_sink(build(StudentReport, {}), rows, FakeContext(out=tmp_path))
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["unpaired_questions"] == 1
    assert {one["before"] for one in told["metrics"]} == {None} == {one["difference"] for one in told["metrics"]}
