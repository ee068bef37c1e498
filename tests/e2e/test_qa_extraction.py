"""Documents to questions and answers: real documents, judges that fail at random, and what must hold of each row."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.runs import TESTS, Attar, results, run_folder, table

from attar.api.text import numbers, sentences, words
from attar.testing.stand_in import StandInServer
from attar_rag.qa.deictic import bare_subject, to_the_text

ROOT = TESTS.parent
DATA = ROOT.parent / "shared" / "data"
RECIPE = ROOT / "recipes" / "qa_extraction.yaml"
NAME = "qa-extraction"
KINDS = {"general_explanation", "commonsense", "causal", "open_ended"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInServer]:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    monkeypatch.setenv("QA_JUDGE_FAILS", "0.3")
    monkeypatch.setenv("QA_FORM_BREAKS", "0.2")
    faults = {"503": 0.05, "cut_body": 0.03}
    with StandInServer.start(responder="support.qa_responder:respond", faults=faults) as running:
        yield running


def balanced(ledger: dict[str, Any]) -> bool:
    return all(c["in"] == c["accepted"] + c["rejected"] + c["review"] + c["dead"] for c in ledger.values())


def well_made(row: dict[str, Any]) -> bool:
    """What the recipe promises of every row, looked at anew."""
    texts = (row["crisp"], row["detailed"])
    known = {number.value for text in (row["chunk"], row["question"]) for number in numbers(text)}
    return (
        to_the_text(row["question"]) is None
        and bare_subject(row["question"]) is None
        and row["question"].count("?") == 1
        and len(words(row["crisp"])) <= 25
        and 3 <= len(sentences(row["detailed"])) <= 5
        and row["detailed"].endswith((".", "!", "?", "।"))
        and bool(row["evidence"])
        and all(row["chunk"][span["start"] : span["end"]] == span["text"] for span in row["evidence"])
        and {number.value for text in texts for number in numbers(text)} <= known
        and row["gates"]["outcome"] == "pass"
    )


@pytest.mark.timeout(170)
@pytest.mark.skipif(not DATA.exists(), reason="the real input is not beside the project")
@pytest.mark.parametrize(
    ("documents", "more"),
    [
        (
            "handbook_id",
            [
                *("-p", r"category_heading=^(?:Bab )?(\d+)[.]"),
                *("-p", 'drop_lines=["- (Sebelumnya.*|Induk|Depan|Lanjut.*)"]'),
            ],
        ),
        ("help_hi.jsonl", ["-p", "id_key=id", "-p", "min_tokens=200"]),
    ],
)
def test_real_documents_with_judges_that_fail_at_random(
    tmp_path: Path, server: StandInServer, documents: str, more: list[str]
) -> None:
    attar = Attar(tmp_path, server.url)
    attar("run", RECIPE, "-p", f"documents={DATA / documents}", *more, "--limit", 30, "--runs", attar.runs)
    found = results(attar.runs, NAME)
    ledger = found["ledger"]
    assert balanced(ledger)
    assert ledger["documents"]["in"] == 30
    assert ledger["kinds"]["made"] == 4 * ledger["worth_asking"]["accepted"] > 0
    after = ("asked", "question_ok", "there", "understood", "answered", "answer_ok", "gates", "evidence", "distinct")
    lost = sum(ledger[step][fate] for step in after for fate in ("rejected", "review", "dead"))
    rows = table(run_folder(attar.runs, NAME) / "dataset")
    assert len(rows) == ledger["kinds"]["made"] - lost > 30
    assert all(ledger[judge]["retried"] for judge in ("domain_ok", "question_ok", "understood", "answer_ok", "gates"))
    assert [row["id"] for row in rows if not well_made(row)] == []
    assert {row["kind"] for row in rows} == KINDS
    assert {row["source"] for row in rows} == {Path(documents).stem}
    codes = Counter(row["code"] for row in table(run_folder(attar.runs, NAME) / "rejected"))
    assert codes["no_question"] and codes["failed_stands_alone"]
    # Whoever answered, nobody was asked twice for the same: and the blind judge refuses to be shown a chunk.
    assert not [n for n in server.keys()["answered"].values() if n > 1]
    chunks = json.loads((run_folder(attar.runs, NAME) / "chunks" / "distribution.json").read_text())
    assert chunks["rows"] == ledger["domain_ok"]["accepted"]
    told = json.loads((run_folder(attar.runs, NAME) / "distribution" / "distribution.json").read_text())
    counted = Counter((row["source"], row["domain"], row["kind"]) for row in rows)
    assert {(one["source"], one["domain"], one["kind"]): one["rows"] for one in told["together"]} == counted
    if documents == "handbook_id":
        assert all(re.fullmatch(r"\d+", row["category"] or "0") for row in rows)
        assert not any("Sebelumnya" in row["chunk"] for row in rows)


def test_the_same_question_of_two_chunks_of_a_document_is_kept_once(tmp_path: Path, server: StandInServer) -> None:
    """A judge that always passes, and one question for all: one row per document is left."""
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    body = "Perpustakaan kampus dibuka setiap hari kerja untuk semua mahasiswa. " * 12
    docs = tmp_path / "docs"
    docs.mkdir()
    for name in ("a", "b"):
        (docs / f"{name}.md").write_text(f"# {name}\n\n{body}\n\n# Lagi {name}\n\n{body}\n")
    recipe = RECIPE.read_text(encoding="utf-8").replace("../prompts", str(ROOT / "prompts"))
    (prompts / "ask.md").write_text(
        "---\noutput: {type: object, required: [question], properties: {question: {type: string}}}\n"
        'rehearse: \'{"question": "When is the library of Kembang open to its students?"}\'\n---\n'
        "{{ kind }}: {{ chunk }}\n"
    )
    (prompts / "yes.md").write_text(
        "---\nrehearse: |\n"
        '  { {%- for c in criteria %}"{{ c.name }}": {"reason": "so", "{{ "met" if c.bool else "score" }}": '
        '{{ "true" if c.bool else 2 }} }'
        "{{ '' if loop.last else ',' }}{% endfor %} }\n---\n"
        "{{ question }}{% for c in criteria %} {{ c.name }}{{ c.description }}{% endfor %}{{ answer_form }}\n"
    )
    for old in ("judge_blind", "judge_answer"):
        recipe = recipe.replace(f"{ROOT / 'prompts'}/qa/{old}.md", str(prompts / "yes.md"))
    recipe = recipe.replace(f"{ROOT / 'prompts'}/qa/question.md", str(prompts / "ask.md"))
    (tmp_path / "recipe.yaml").write_text(recipe, encoding="utf-8")
    attar = Attar(tmp_path, None)
    small = ["-p", "documents=docs", "-p", "min_tokens=20", "-p", "max_tokens=300", "-p", "attempts=9"]
    attar("run", "recipe.yaml", *small, "--backend", "rehearsal", "--runs", attar.runs)
    ledger = results(attar.runs, NAME)["ledger"]
    assert balanced(ledger)
    rows = table(run_folder(attar.runs, NAME) / "dataset")
    assert Counter(row["doc_id"] for row in rows) == {"a.md": 1, "b.md": 1}
    assert ledger["distinct"]["rejected"] == ledger["distinct"]["in"] - 2 >= 8
