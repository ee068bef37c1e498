"""Conversations: each planted fault is found by the check that is named for it, and its clean twin passes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from attar.api import Verdict
from attar.testing import StepContract, build, run_judge
from attar_rag.conversations.check import CheckConversation
from attar_rag.conversations.ground import CheckGrounded
from attar_rag.conversations.refusal import overclaims, refuses

ROOT = Path(__file__).parents[2]
CONTEXT = (
    "Uang kuliah Teknik Informatika Rp 5.000.000 per semester, dibayar antara 1 Juli dan 15 Agustus 2026 di Gedung "
    "Wijaya. Anak kedua mendapat potongan 15 %. Layanan buka pukul 08.00–15.30, telepon 0286-555-0147. Biaya kuliah "
    "bagi pelajar asing 1,00,000 rupee. डॉ. शर्मा भारतीय छात्रों की मदद करते हैं; शुल्क ₹५०,००० है, अंतिम तिथि १२ जनवरी २०२७।"
)
THOUGHT = "Yang tertulis: uang kuliah Teknik Informatika per semester."


def turns(*said: str, thought: str | None = THOUGHT) -> list[dict[str, Any]]:
    """Messages of user and model in turn."""
    return [
        {"role": "model", "thought": thought, "content": text} if place % 2 else {"role": "user", "content": text}
        for place, text in enumerate(said)
    ]


CLEAN = turns("Berapa uang kuliah Informatika?", "Uang kuliahnya Rp 5.000.000 per semester.")


def checked(messages: list[dict[str, Any]], config: Mapping[str, Any] | None = None, **row: Any) -> Verdict:
    step = build(CheckConversation, dict(config or {}))
    [found] = run_judge(step, [{"messages": messages, "contexts": [CONTEXT], **row}])
    return found


def grounded(said: str, asked: str = "Tolong dibantu.", language: str | None = "Indonesian") -> Verdict:
    step = build(CheckGrounded, {"language": language})
    [found] = run_judge(step, [{"messages": turns(asked, said), "contexts": [CONTEXT]}])
    return found


class TestConversationContract(StepContract):
    step = CheckConversation
    config = {"answerable": "answerable", "turns": "turns", "question": "question", "narrow": "narrow"}
    rows = [
        {"messages": CLEAN, "contexts": [CONTEXT], "answerable": True, "turns": 1, "question": None, "narrow": False},
        {"messages": CLEAN, "contexts": [CONTEXT], "answerable": False, "turns": 1, "question": "Apa?", "narrow": True},
        {"messages": [], "contexts": [], "answerable": None, "turns": 1, "question": None, "narrow": None},
    ]
    incoming = {
        "messages": "list<struct<role:string,thought:string?,content:string>>",
        "contexts": "list<string>",
        "answerable": "bool?",
        "turns": "int",
        "question": "string?",
        "narrow": "bool?",
    }


class TestGroundedContract(StepContract):
    step = CheckGrounded
    rows = [
        {"messages": CLEAN, "contexts": [CONTEXT]},
        {"messages": turns("Berapa?", "Rp 7.000.000."), "contexts": [CONTEXT]},
        {"messages": [], "contexts": []},
    ]
    incoming = {
        "messages": "list<struct<role:string,thought:string?,content:string>>",
        "contexts": "list<string>",
    }


REFUSAL = turns("Apa ada helikopter?", "Maaf, informasi tentang helikopter belum tersedia pada kami.")
NO_THOUGHT = turns("Berapa uang kuliah Informatika?", "Uang kuliahnya Rp 5.000.000.", thought=None)
ORDER = [{"role": "user", "content": "Halo?"}, *CLEAN]


@pytest.mark.parametrize(
    ("messages", "config", "row", "code"),
    [
        (ORDER, {}, {}, "role_order"),
        (CLEAN[1:], {}, {}, "first_not_user"),
        (CLEAN[:1], {}, {}, "last_not_model"),
        (turns("Berapa?", " \u200b"), {}, {}, "empty_content"),
        (NO_THOUGHT, {}, {}, "missing_thought"),
        (CLEAN, {"turns": "n"}, {"n": 2}, "wrong_turn_count"),
        (REFUSAL, {"answerable": "ok"}, {"ok": True}, "refused_answerable"),
        (CLEAN, {"answerable": "ok"}, {"ok": False}, "answered_unanswerable"),
        (CLEAN, {"question": "q"}, {"q": "Berapa denda?"}, "question_missing"),
        (turns("Berapa?", "Rp 5.000.000.", thought="Mudah sekali."), {}, {}, "thought_without_evidence"),
        (turns("Berapa?", "Menurut konteks, Rp 5.000.000."), {}, {}, "context_leak"),
        (turns("कितना?", "दिए गए दस्तावेज़ में ₹५०,००० है।"), {}, {}, "context_leak"),
    ],
)
def test_a_planted_fault_has_its_code(
    messages: list[dict[str, Any]], config: dict[str, Any], row: dict[str, Any], code: str
) -> None:
    found = checked(messages, config, **row)
    assert (found.outcome, found.code) == ("fail", code)
    assert found.feedback


@pytest.mark.parametrize(
    ("messages", "config", "row"),
    [
        (CLEAN, {}, {}),
        (CLEAN, {"turns": "n"}, {"n": 1}),
        (CLEAN, {"answerable": "ok"}, {"ok": True}),
        (REFUSAL, {"answerable": "ok", "evidence": 1}, {"ok": False}),
        (CLEAN, {"question": "q"}, {"q": "berapa UANG kuliah informatika"}),
        (CLEAN, {"question": "q"}, {"q": None}),
        (NO_THOUGHT, {"thoughts": False}, {}),
        (turns("Berapa?", "Unggah dokumen pendaftaran di portal."), {}, {}),
    ],
)
def test_the_clean_twin_passes(messages: list[dict[str, Any]], config: dict[str, Any], row: dict[str, Any]) -> None:
    assert checked(messages, config, **row).outcome == "pass"


def test_a_question_without_answer_must_be_the_last_one() -> None:
    both = [*REFUSAL, *CLEAN]
    config = {"answerable": "ok", "question": "q"}
    assert checked(both, config, ok=False, q="Apa ada helikopter?").code == "question_missing"
    assert checked([*CLEAN, *REFUSAL], {**config, "evidence": 1}, ok=False, q="Apa ada helikopter?").outcome == "pass"


def test_where_the_answer_stands_elsewhere_a_refusal_does_not_speak_for_all_documents() -> None:
    bold = turns("Apa ada helikopter?", "Informasi itu tidak ada di dokumen mana pun.")
    config = {"answerable": "ok", "narrow": "elsewhere", "evidence": 1}
    assert checked(bold, config, ok=False, elsewhere=True).code == "overclaimed_absence"
    assert checked(bold, config, ok=False, elsewhere=False).outcome == "pass"
    assert checked(REFUSAL, config, ok=False, elsewhere=True).outcome == "pass"


@pytest.mark.parametrize(
    "text",
    [
        "Maaf, informasi itu tidak ditemukan.",
        "Mohon maaf, saya tidak menemukan keterangan tentang parkir.",
        "Kami belum memiliki informasi tentang itu.",
        "Tidak ada informasi tentang biaya helikopter di sini.",
        "Ngapunten, kulo mboten ngertos babagan niku.",
        "I'm sorry, I could not find that.",
        "Information not found in UNSIQ documents.",
        "There is no information about parking.",
        "I don't have details on that.",
        "क्षमा करें, इस बारे में जानकारी उपलब्ध नहीं है।",
        "मुझे इसका पता नहीं है।",
        "यह जानकारी मुझे नहीं मिली।",
        "Pertanyaan itu di luar lingkup layanan kami.",
        "Informasi mengenai hal tersebut tidak kami miliki.",
        "Sayangnya hal itu tidak disebutkan.",
        "Mohon maaf, saya hanya bisa membantu soal kampus.",
        "Nyuwun pangapunten, kulo mboten gadhah informasi menika.",
        "Unfortunately that isn't covered in what I have.",
        "Sorry, I only help with campus questions.",
        "माफ़ कीजिए, यह बात हमारे पास दर्ज नहीं है।",
        "Biaya tersebut belum kami ketahui.",
    ],
)
def test_refusals_are_known(text: str) -> None:
    assert refuses(text)


@pytest.mark.parametrize(
    "text",
    [
        "Biaya pendaftaran tidak dapat ditarik kembali.",
        "Kampus tidak menerima uang tunai.",
        "Kamar tidak tersedia bagi mahasiswa D3.",
        "Potongan tidak berlaku untuk uang gedung.",
        "Informasi lengkap ada di Gedung Wijaya lantai 2.",
        "Angsuran tidak dikenai bunga.",
        "Tidak ada biaya tambahan.",
        "Data Anda tidak akan dibagikan.",
        "Jika data tidak tersedia di portal, hubungi Biro Keuangan.",
        "Kalau belum ada jawaban dalam 24 jam, kirim foto ke meja bantuan.",
        "There is no fee for that.",
        "हाँ, कोई शुल्क नहीं है।",
        "Fees are not refundable.",
        "Cash is not accepted, you can pay at the bank.",
        "नकद नहीं लिया जाता।",
        "छात्रावास में खाना बनाना मना है।",
    ],
)
def test_answers_with_a_not_are_no_refusals(text: str) -> None:
    assert not refuses(text)
    assert not overclaims(text)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("Uang kuliahnya Rp 4.750.000.", "ungrounded_money"),
        ("Uang kuliahnya lima, Rp 15.", "ungrounded_money"),  # 15 is a day and a percentage
        ("शुल्क ₹६०,००० है।", "ungrounded_money"),
        ("Bayar paling lambat 16 Agustus 2026.", "ungrounded_date"),
        ("Bayar paling lambat 15 Juli 2026.", "ungrounded_date"),  # each part stands there, not together
        ("Bayar sebelum 15 Agustus 2027.", "ungrounded_date"),
        ("अंतिम तिथि १२ फ़रवरी २०२७ है।", "ungrounded_date"),
        ("Ada 38 pesantren mitra.", "ungrounded_number"),
        ("Potongannya 20 %.", "ungrounded_number"),
        ("Silakan temui Bu Ratna Kusuma di sana.", "ungrounded_name"),
        ("Datanglah ke Gedung Merdeka.", "ungrounded_name"),
        ("Ratna Kusuma akan membantu.", "ungrounded_name"),
        ("डॉ. मिश्रा से मिलें।", "ungrounded_name"),
        ("मिश्रा जी से मिलें।", "ungrounded_name"),
    ],
)
def test_what_no_source_says_is_found(said: str, code: str) -> None:
    found = grounded(said)
    assert (found.outcome, found.code) == ("fail", code)
    assert found.scores["n_ungrounded"] < 0


@pytest.mark.parametrize(
    "said",
    [
        "Uang kuliahnya Rp 5.000.000 per semester.",
        "Biayanya Rp5 juta.",
        "Biayanya Rp ५०,००,०००.",
        "Biayanya 100.000 rupee, atau १,००,००० rupee.",
        "Bayar paling lambat 15 Agustus 2026, mulai 1 Juli 2026.",
        "Bayar sampai Agustus 2026.",
        "Pay by August 15, 2026, or 15/08/2026.",
        "शुल्क ₹50,000 है, अंतिम तिथि 12 जनवरी 2027।",
        "Potongannya 15%, telepon 0286-555-0147, pukul 08.00.",
        "Silakan ke Gedung Wijaya, Bapak. Anda bisa datang hari Senin.",
        "Dr. Sharma akan membantu Anda.",
        "शर्मा जी मदद करेंगे।",
        "Caranya:\n1. Buka portal.\n2. Bayar.\n3. Unduh kuitansi.",
    ],
)
def test_what_a_source_says_is_let_through(said: str) -> None:
    found = grounded(said)
    assert found.outcome == "pass", found.feedback


def test_what_the_user_said_may_be_said_again_but_not_before() -> None:
    assert grounded("Baik, Rp 900.000 untuk Pak Joyo.", asked="Saya Joyo, punya Rp 900.000.").outcome == "pass"
    step = build(CheckGrounded, {})
    early = turns("Halo, tolong.", "Baik, Rp 900.000.", "Saya punya Rp 900.000.", "Baik.")
    [found] = run_judge(step, [{"messages": early, "contexts": [CONTEXT]}])
    assert found.code == "ungrounded_money"


HANDBOOK = sorted((ROOT / "recipes" / "data" / "handbook").rglob("*.md"))


@pytest.mark.parametrize("page", HANDBOOK, ids=lambda page: page.stem)
def test_no_paragraph_of_a_document_is_ungrounded_in_it_and_a_changed_amount_is(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    paragraphs = [one for one in text.split("\n\n") if not one.startswith(("#", "|"))]
    step = build(CheckGrounded, {})
    said = [{"messages": turns("Bagaimana?", one), "contexts": [text]} for one in paragraphs]
    assert [found.feedback for found in run_judge(step, said) if found.outcome != "pass"] == []
    assert [one for one in paragraphs if refuses(one)] == []

    amounts = [one for one in paragraphs if re.search(r"(?:Rp|₹)\s?[\d०-९]", one)]
    changed = [re.sub(r"((?:Rp|₹)\s?)[\d०-९]", r"\g<1>98", one, count=1) for one in amounts]
    wrong = [{"messages": turns("Bagaimana?", one), "contexts": [text]} for one in changed]
    assert {found.code for found in run_judge(step, wrong)} == ({"ungrounded_money"} if amounts else set())


SEEDS = ROOT.parent / "shared" / "seeds"


@pytest.mark.skipif(not SEEDS.exists(), reason="the published templates are not beside the project")
@pytest.mark.parametrize("name", ["conversation", "twin"])
def test_the_prompts_are_the_published_ones_word_for_word(name: str) -> None:
    [seed] = SEEDS.glob("003*")
    strategy = seed.read_text(encoding="utf-8")
    found = re.search(r'> "(You are an expert.*?)"', strategy)
    assert found is not None
    template = strategy.partition("**User Prompt for Teacher (12B):**")[2].split("```")[1].removeprefix("text\n")
    ours = (ROOT / "prompts" / "rag" / f"{name}.md").read_text(encoding="utf-8")
    technique = "{{ selected_technique }}" if name == "conversation" else "Implicit_CoT"
    slots = {
        "{retrieved_chunk_from_rag}": None,
        "{turn_count}": "{{ turn_count }}",
        "{selected_persona}": "{{ selected_persona }}",
        "{selected_complexity}": "{{ selected_complexity }}",
        "{Implicit_CoT_or_Hard_Negative}": technique,
        "{Technique}": technique,
    }
    assert f"# system\n{found[1]}\n" in ours
    at = ours.index("# user")
    for line in template.strip().split("\n"):
        for slot, value in slots.items():
            line = line.replace(slot, value) if value is not None else line
        if line.strip() and "{retrieved_chunk_from_rag}" not in line:
            assert line in ours[at:]
            at = ours.index(line, at)
