"""Teacher-student RAG over the handbook's chapters: the delivered mix is the declared one, whatever was rejected."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from support.runs import TESTS, Attar, results, run_folder, table

from attar.testing import build, run_judge
from attar.testing.stand_in import StandInServer
from attar_rag.conversations.check import CheckConversation
from attar_rag.conversations.ground import CheckGrounded
from attar_std._quota import cell_counts

ROOT = TESTS.parent
RECIPE = ROOT / "recipes" / "teacher_student_rag.yaml"
DATA = ROOT.parent / "shared" / "data"
AXES = {
    "tier": {"direct": Fraction(40), "reasoning": Fraction(40), "edge_case": Fraction(20)},
    "persona": dict.fromkeys(
        ("anxious_parent", "ambitious_student", "confused_transfer", "local_villager"), Fraction(1)
    ),
    "technique": {
        "implicit_cot": Fraction(70),
        "complexity_camouflage": Fraction(15),
        "hard_negative_elsewhere": Fraction(5),
        "hard_negative_nowhere": Fraction(5),
        "hard_negative_out_of_domain": Fraction(5),
    },
}
CHAPTERS = ("Beasiswa", "Potongan", "Keamanan")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    monkeypatch.setenv("RAG_FAULTS", "0.45")
    with StandInServer.start(responder="support.rag_responder:respond") as running:
        yield running


def run(attar: Attar, conversations: int, chapters: tuple[str, ...], *more: str, expect: int = 0) -> dict[str, Any]:
    given = {"conversations": conversations, "candidates": 1.05, "categories": ",".join(chapters)}
    words = [word for name, value in given.items() for word in ("-p", f"{name}={value}")]
    attar("run", RECIPE, *words, *more, "--runs", attar.runs, expect=expect)
    return results(attar.runs, "teacher-student-rag")


def wanted(conversations: int, chapters: tuple[str, ...]) -> dict[tuple[Any, ...], int]:
    cells = cell_counts(conversations, {**AXES, "category": dict.fromkeys(chapters, Fraction(1))})
    return {cell: count for cell, count in cells.items() if count}


def delivered(rows: list[dict[str, Any]]) -> Counter[tuple[Any, ...]]:
    return Counter((row["tier"], row["persona"], row["technique"], row["category"]) for row in rows)


def test_the_mix_is_exact_after_random_rejections_and_all_of_it_holds(tmp_path: Path, server: StandInServer) -> None:
    attar = Attar(tmp_path, server.url)
    found = run(attar, 120, CHAPTERS)
    ledger = found["ledger"]
    loops = ("unanswerable", "camouflaged", "whole", "grounded", "twin_whole", "twin_grounded", "accepted")
    assert all(ledger[judge]["retried"] for judge in loops), {judge: ledger[judge]["retried"] for judge in loops}
    assert not [n for n in server.keys()["answered"].values() if n > 1]

    home = run_folder(attar.runs, "teacher-student-rag")
    rows, twins = table(home / "dataset"), table(home / "twins")
    assert delivered(rows) == wanted(120, CHAPTERS)
    assert Counter(row["tier"] for row in rows) == {"direct": 48, "reasoning": 48, "edge_case": 24}
    assert set(Counter(row["persona"] for row in rows).values()) == {30}

    grounded = build(CheckGrounded, {"column": "messages_clean", "language": "Indonesian"})
    whole = build(
        CheckConversation,
        {"column": "messages_clean", "turns": "turn_count", "answerable": "answerable", "question": "question"},
    )
    for several in (rows, twins):
        for step in (grounded, whole):
            assert {verdict.outcome for verdict in run_judge(step, several)} == {"pass"}

    negatives = {row["twin_id"]: row for row in rows if row["technique"].startswith("hard_negative")}
    assert set(negatives) == {row["twin_id"] for row in twins} and len(negatives) == len(twins) == 18
    for twin in twins:
        negative = negatives[twin["twin_id"]]
        assert twin["answerable"] and not negative["answerable"]
        assert all(twin[name] == negative[name] for name in ("tier", "persona", "category", "turn_count"))
        assert set(twin["gold_ids"]) <= set(twin["context_ids"])
        assert (twin["question"] == negative["question"]) == (negative["negative_kind"] == "elsewhere")
        if negative["negative_kind"] == "elsewhere":
            assert not set(negative["gold_ids"]) & set(negative["context_ids"])
    for row in rows:
        assert len(row["context_ids"]) == 3
        if row["technique"] == "complexity_camouflage":
            assert len(row["question"].split()) <= 8 and len(set(row["gold_ids"])) == 2
        replies = [one for one in row["messages"] if one["role"] == "model"]
        assert replies == [one for one in row["messages_clean"] if one["role"] == "model"]
        assert (row["messages"] != row["messages_clean"]) == (row["tier"] == "edge_case")


def test_cells_that_cannot_be_filled_are_named(tmp_path: Path) -> None:
    chapters = ("Beasiswa", "Kantin Astronaut")
    found = run(Attar(tmp_path, None), 24, chapters, "--backend", "rehearsal", expect=1)
    rows = table(run_folder(tmp_path / "runs", "teacher-student-rag") / "dataset")
    full = wanted(24, chapters)
    assert delivered(rows) == {cell: count for cell, count in full.items() if cell[3] == "Beasiswa"}
    missing = [cell for cell in full if cell[3] == "Kantin Astronaut"]
    assert missing
    for tier, persona, technique, category in missing:
        name = f"tier={tier}, persona={persona}, technique={technique}, category={category}"
        assert any(name in why for why in found["why"]), name


@pytest.mark.skipif(not DATA.exists(), reason="the real input is not beside the project")
@pytest.mark.parametrize(
    ("documents", "chapters", "more"),
    [
        (
            "handbook_id",
            tuple(map(str, range(4, 16))),
            [
                *("-p", r"category_heading=^(?:Bab )?(\d+)[.]"),
                *("-p", 'drop_lines=["- (Sebelumnya.*|Induk|Depan|Lanjut.*)"]'),
            ],
        ),
        (
            "help_hi.jsonl",
            ("shared", "swriter", "scalc", "sbasic", "simpress", "sdraw"),
            ["-p", "id_key=id", "-p", r"category_id=#(\w+)/", "-p", "language=Hindi"],
        ),
    ],
)
def test_real_documents_by_chapter(
    tmp_path: Path, server: StandInServer, documents: str, chapters: tuple[str, ...], more: list[str]
) -> None:
    attar = Attar(tmp_path, server.url)
    found = run(attar, 60, chapters, "-p", f"documents={DATA / documents}", *more)
    for step, counts in found["ledger"].items():
        assert counts["in"] == sum(counts[kind] for kind in ("accepted", "rejected", "review", "dead")), step
    home = run_folder(attar.runs, "teacher-student-rag")
    assert delivered(table(home / "dataset")) == wanted(60, chapters)
    assert not [n for n in server.keys()["answered"].values() if n > 1]
