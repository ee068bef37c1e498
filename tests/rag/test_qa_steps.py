"""Checks of questions and answers: planted faults by their codes, each beside a clean twin; evidence; distribution."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from attar.api import Reject, Verdict
from attar.testing import FakeContext, StepContract, build, run_judge, run_row_step, run_sink
from attar_rag.qa.answer import CheckAnswer
from attar_rag.qa.deictic import bare_subject, speaks_of_text, to_the_text
from attar_rag.qa.distribution import Distribution
from attar_rag.qa.domain import CheckDomain
from attar_rag.qa.evidence import Evidence
from attar_rag.qa.kinds import Kinds
from attar_rag.qa.question import CheckQuestion
from attar_rag.qa.spans import find

CHUNK = (
    "## Beasiswa Bakti Desa\n\nBeasiswa ini untuk mahasiswa dari desa di Kabupaten Kembang. Kepala desa memberi surat\n"
    "pengantar; setiap desa boleh mengusulkan paling banyak 2 orang. Penerima bekerja 40 jam per semester, dan IPK "
    "yang diminta ialah 2,75. Uang saku Rp 1.250.000 dibayarkan setiap bulan oleh Dr. Ratna Widyasari, M.Si."
)
GOOD: dict[str, Any] = {
    "chunk": CHUNK,
    "question": "Siapa yang memberi surat pengantar untuk Beasiswa Bakti Desa?",
    "crisp": "Kepala desa memberi surat pengantar.",
    "detailed": (
        "Surat pengantar untuk Beasiswa Bakti Desa diberikan oleh kepala desa. Setiap desa boleh mengusulkan paling "
        "banyak 2 orang. Penerima bekerja 40 jam per semester, dan IPK yang diminta ialah 2,75. Uang saku dibayarkan "
        "oleh Dr. Ratna Widyasari, M.Si."
    ),
    "evidence": ["Kepala desa memberi surat pengantar", "setiap desa boleh mengusulkan paling banyak 2 orang"],
}


class TestCheckQuestionContract(StepContract):
    step = CheckQuestion
    rows = [{"question": "What is SKS?"}, {"question": "What does the passage above say?"}, {"question": None}]


class TestCheckAnswerContract(StepContract):
    step = CheckAnswer
    config = {"question": "question"}
    rows = [GOOD, {**GOOD, "evidence": []}, dict.fromkeys(GOOD, None) | {"chunk": CHUNK}]
    incoming = {**dict.fromkeys(GOOD, "string?"), "chunk": "string", "evidence": "list<string>?"}


class TestEvidenceContract(StepContract):
    step = Evidence
    rows = [GOOD, {**GOOD, "evidence": ["nowhere at all"]}, {**GOOD, "evidence": []}]


class TestKindsContract(StepContract):
    step = Kinds
    rows = [{"chunk": "a"}]


class TestCheckDomainContract(StepContract):
    step = CheckDomain
    config = {"domains": ["Law", "News"]}
    rows = [{"domain": "Law"}, {"domain": "law"}, {"domain": None}]


def question(text: str | None, **row: Any) -> Verdict:
    config = {"kind": "kind"} if "kind" in row else {}
    return run_judge(build(CheckQuestion, config), [{"question": text, **row}])[0]


def answer(config: dict[str, Any] | None = None, **changed: Any) -> Verdict:
    return run_judge(build(CheckAnswer, {"question": "question", **(config or {})}), [{**GOOD, **changed}])[0]


# fault → clean twin
QUESTIONS = [
    ("refers_to_text", "What does the passage above say of fees?", "What are the fees at IIT Delhi?"),
    ("refers_to_text", "According to the text, when does it rain?", "When does it rain in Bihar?"),
    ("refers_to_text", "What is this document about?", "What documents does a visa applicant in India need?"),
    ("refers_to_text", "As mentioned earlier, why is it free?", "Why is school free in India?"),
    ("refers_to_text", "What does the author suggest about saving?", "What tax do authors in India pay?"),
    ("refers_to_text", "इस अनुच्छेद में किस पर ज़ोर है?", "पंचायती राज में किस पर ज़ोर है?"),
    ("refers_to_text", "पाठ के अनुसार मैक्रो क्या है?", "LibreOffice में मैक्रो क्या है?"),
    ("refers_to_text", "ऊपर बताए गए नियम क्या हैं?", "LibreOffice Basic में वेरिएबल के नियम क्या हैं?"),
    ("refers_to_text", "Menurut teks di atas, kapan pendaftaran dibuka?", "Kapan pendaftaran PMB di Kembang dibuka?"),
    ("refers_to_text", "Berdasarkan dokumen ini, berapa biayanya?", "Berdasarkan apa biaya di Kembang dihitung?"),
    ("refers_to_text", "Mengapa dana tersebut habis?", "Bila dana desa habis, kapan dana tersebut ada lagi?"),
    ("refers_to_text", "இந்தப் பத்தியில் என்ன உள்ளது?", "தஞ்சை நகரில் என்ன உள்ளது?"),
    ("refers_to_text", "மேலே உள்ள உரையின்படி விலை எவ்வளவு?", "தமிழ் உரைநடை எப்போது எப்படி வளர்ந்தது?"),
    ("bare_reference", "Why is it so expensive in June?", "Why is it important to back up a server?"),
    ("bare_reference", "How do they pay the rent?", "If a student leaves a hostel, how do they pay the rent?"),
    ("bare_reference", "इसका उपयोग कैसे किया जाता है?", "मैक्रो का उपयोग कैसे किया जाता है?"),
    ("bare_reference", "यह किसके लिए उपयोगी है?", "यह कैसे पता चलता है कि मैक्रो चल रहा है?"),
    ("bare_reference", "Mengapa hal ini penting bagi mahasiswa?", "Mengapa IPK penting bagi mahasiswa?"),
    ("bare_reference", "Bagaimana mereka membayar kuliah?", "Apa itu SKS di Indonesia?"),
    ("bare_reference", "இது எதற்குப் பயன்படுகிறது என்று தெரியுமா?", "நெல் எதற்குப் பயன்படுகிறது என்று தெரியுமா?"),
    ("preamble", "Question: What is the hostel fee at IIT Delhi?", "What is the question of title in Indian land law?"),
    ("question_marks", "What is SKS in Indonesia? And what is IPK?", "What are SKS and IPK in Indonesia?"),
    ("question_marks", "Explain the credit system of Indonesia.", "What is the credit system of Indonesia?"),
    ("commentary", "What is SKS in Indonesia? This asks for a fact.", "What is SKS in Indonesia?"),
    ("too_short", "What is SKS?", "What is an SKS?"),
    ("too_long", "Why " + "oh " * 60 + "is SKS counted?", "Why " + "oh " * 30 + "is SKS counted?"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "bad", "twin"), QUESTIONS)
def test_a_planted_fault_of_a_question_is_caught_and_its_clean_twin_passes(code: str, bad: str, twin: str) -> None:
    found = question(bad)
    assert (found.outcome, found.code) == ("fail", code) and found.feedback
    assert question(twin) == Verdict("pass")
    for form in ("NFD", "NFC"):
        assert question(unicodedata.normalize(form, bad)).code == code


@pytest.mark.parametrize("text", [None, "", " ", "???"])
def test_no_question_at_all(text: str | None) -> None:
    assert question(text).code == "empty"


def test_an_open_ended_prompt_needs_no_question_mark() -> None:
    text = "Compare how banks in Kerala and Odisha treat small loans."
    assert question(text, kind="open_ended").outcome == "pass"
    assert question(text, kind="causal").code == "question_marks"
    assert question("Discuss the passage above in some detail.", kind="open_ended").code == "refers_to_text"


def test_the_feedback_names_every_fault() -> None:
    found = question("Why is it said in this passage? And who?")
    assert found.code == "refers_to_text"
    assert [part in found.feedback for part in ("this passage", "“it”", "2 question marks")] == [True] * 3


ANSWERS: list[tuple[str, dict[str, Any]]] = [
    ("too_few_sentences", {"detailed": "Surat itu diberikan oleh kepala desa. Setiap desa boleh mengusulkan 2 orang."}),
    ("too_many_sentences", {"detailed": "Kepala desa memberi surat. " * 6}),
    ("cut_sentence", {"detailed": GOOD["detailed"] + " Dan penerima juga harus"}),
    ("cut_sentence", {"crisp": "Kepala desa, yang,"}),
    ("crisp_too_long", {"crisp": "desa " * 25 + "itu."}),
    ("evidence_not_in_text", {"evidence": ["Kepala desa memberi surat rekomendasi"]}),
    ("evidence_too_short", {"evidence": ["desa"]}),
    ("no_evidence", {"evidence": []}),
    ("no_evidence", {"evidence": None}),
    ("number_not_in_text", {"crisp": "Kepala desa, untuk 3 orang."}),
    ("number_not_in_text", {"crisp": "Uang sakunya Rp 1.350.000."}),
    ("refusal", {"crisp": "Maaf, saya tidak tahu."}),
    ("refusal", {"crisp": "Hal itu tidak disebutkan dalam teks."}),
    ("refers_to_text", {"crisp": "Menurut teks, kepala desa."}),
    ("empty", {"crisp": ""}),
    ("empty", {"detailed": None}),
]


@pytest.mark.parametrize(("code", "fault"), ANSWERS)
def test_a_planted_fault_of_an_answer_is_caught(code: str, fault: dict[str, Any]) -> None:
    found = answer(**fault)
    assert (found.outcome, found.code) == ("fail", code) and found.feedback


@pytest.mark.parametrize(
    "twin",
    [
        {},
        {"crisp": "Kepala desa"},  # a phrase will do
        {"crisp": "desa " * 24 + "itu."},
        {"evidence": ["memberi surat pengantar; setiap desa"]},  # the line end in between is a space here
        {"evidence": ["“Kepala desa memberi surat pengantar”"]},
        {"crisp": "Untuk २ orang, dengan IPK 2,75."},
        {"crisp": "Dalam 12 bulan.", "question": "Siapa memberi surat dalam 12 bulan?"},
        {"detailed": "Kepala desa memberi surat. Surat tersebut wajib. Dokumen ini dibawa ke Dr. Ratna, M.Si."},
    ],
)
def test_a_clean_twin_of_an_answer_passes(twin: dict[str, Any]) -> None:
    found = answer(**twin)
    assert (found.outcome, found.feedback) == ("pass", "")


@pytest.mark.parametrize(("count", "code"), [(2, "too_few_sentences"), (3, ""), (5, ""), (6, "too_many_sentences")])
@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("hi", "यह नियम डॉ. मेहता ने बनाया है। "),
        ("id", "Surat dibawa oleh Bp. Ratna. "),
        ("ta", "திரு. குமரன் கடிதம் தந்தார். "),
    ],
)
def test_sentences_are_those_of_the_language(language: str, sentence: str, count: int, code: str) -> None:
    found = answer({"language": language}, detailed=(sentence * count).strip())
    assert (found.code, found.outcome) == (code, "fail" if code else "pass")


def test_what_speaks_of_the_text_in_answers_is_less_than_in_questions() -> None:
    fine = ["Dokumen ini harus diserahkan.", "This information is kept.", "यह जानकारी पोर्टल पर है।"]
    assert [speaks_of_text(text) for text in fine] == [None] * 3
    told = [
        "As stated in the text, it is free.",
        "इस अनुच्छेद में लिखा है।",
        "Dalam bacaan disebut dua.",
        "இந்தப் பத்தியில் உள்ளது.",
    ]
    assert all(speaks_of_text(text) for text in told)
    assert to_the_text("plain words") is None and bare_subject("plain words") is None


@given(st.data())
def test_every_stretch_of_a_text_is_found_whatever_its_spaces(data: st.DataObject) -> None:
    drawn = data.draw(st.text(st.sampled_from("ab.(*\n \tकि़हि்க"), min_size=1, max_size=40))
    text = unicodedata.normalize("NFC", drawn)
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    quote = text[start:end]
    assume(quote.strip() and unicodedata.is_normalized("NFC", quote))
    space = data.draw(st.sampled_from([" ", "\n", "  \t"]))
    span = find(space.join(quote.split()), text)
    assert span is not None and text[span.start : span.end] == span.text
    assert span.text.split() == quote.split() and span.start <= start + len(quote) - len(quote.lstrip())


def test_evidence_is_places_in_the_order_of_the_text() -> None:
    quotes = ["40 jam per semester", "surat pengantar; setiap desa", "40 jam  per\nsemester"]
    [made] = run_row_step(build(Evidence), [{**GOOD, "evidence": quotes}])
    assert isinstance(made, dict)
    [spans] = [value for value in made.values() if isinstance(value, list)]
    assert [span["text"] for span in spans] == ["surat\npengantar; setiap desa", "40 jam per semester"]
    assert all(CHUNK[span["start"] : span["end"]] == span["text"] for span in spans)
    rejected = run_row_step(build(Evidence), [{**GOOD, "evidence": ["not there"]}, {**GOOD, "evidence": None}])
    assert [one.code for one in rejected if isinstance(one, Reject)] == ["evidence_not_in_text", "no_evidence"]


def test_domains_are_spelt_as_in_the_list() -> None:
    step = build(CheckDomain, {"domains": ["Law", "News"]})
    outcomes = [
        verdict.outcome for verdict in run_judge(step, [{"domain": d} for d in ("Law", "law", "Gardens", None)])
    ]
    assert outcomes == ["pass", "fail", "fail", "fail"]


def test_a_row_per_kind() -> None:
    [made] = run_row_step(build(Kinds, {"kinds": ["causal", "open_ended"]}), [{"chunk": "a"}])
    assert made == [{"chunk": "a", "kind": "causal"}, {"chunk": "a", "kind": "open_ended"}]
    assert [one.field for one in build(Kinds, {"kinds": ["a", "a"]}).check({})] == [("kinds",)]


def test_the_distribution_counts_alone_and_together(tmp_path: Path) -> None:
    rows = [{"source": s, "domain": d} for s, d in [("a", "Law"), ("a", "Law"), ("b", None), ("b", "x|y")]]
    context = FakeContext(out=tmp_path)
    run_sink(build(Distribution, {"by": ["source", "domain"]}), rows, context)
    told = json.loads((tmp_path / "distribution.json").read_text())
    assert (told["rows"], told["by"]["source"]) == (4, {"a": 2, "b": 2})
    assert told["by"]["domain"] == {"Law": 2, "(none)": 1, "x|y": 1}
    assert told["together"][0] == {"source": "a", "domain": "Law", "rows": 2}
    assert (tmp_path / "distribution.csv").read_text().splitlines()[:2] == ["source,domain,rows", "a,Law,2"]
    assert "| b | x\\|y | 1 | 25.0% |" in (tmp_path / "distribution.md").read_text()
