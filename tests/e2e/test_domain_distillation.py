"""recipes/domain_distillation.yaml: by rehearsal, with every loop scripted, and with judges that fail at random."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.domain_responder import ADDED
from support.persona_responder import accepted_share
from support.runs import TESTS, Attar, results, run_folder, table

from attar.testing.stand_in import StandInServer

ROOT = TESTS.parent
RECIPE = ROOT / "recipes" / "domain_distillation.yaml"
LOOPS = ("question_ok", "answer_ok", "answer_judged", "merged_ok", "faithful")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInServer]:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    with StandInServer.start(responder="support.domain_responder:respond") as running:
        yield running


def balanced(ledger: dict[str, dict[str, int]]) -> None:
    for step, count in ledger.items():
        assert count["in"] == count["accepted"] + count["rejected"] + count["review"] + count["dead"], step


def outputs(runs: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    run = run_folder(runs, "domain-distillation")
    return table(run / "dataset"), table(run / "answers")


def held_together(merged: list[dict[str, Any]], answers: list[dict[str, Any]], experts: int) -> None:
    """Answers stand apart, each in one panel of one domain, and every merged text names those it was made of."""
    by_id = {row["id"]: row for row in answers}
    assert all(count <= experts for count in Counter(row["panel"] for row in answers).values())
    for row in merged:
        for number, expert in enumerate(row["experts"], start=1):
            own = by_id[expert["answer_id"]]
            assert {k: own[k] for k in ("persona_id", "persona", "answer")} == {
                k: expert[k] for k in ("persona_id", "persona", "answer")
            }
            assert (own["panel"], own["domain"], own["question"]) == (row["panel"], row["domain"], row["question"])
            assert f"[{number}]" in row["text"]
            assert any(number in point["experts"] for point in row["points"])


@pytest.mark.parametrize("source", ["file", "population"])
def test_rehearsal_accepts_half_reaches_every_step_and_takes_every_loop(tmp_path: Path, source: str) -> None:
    attar = Attar(tmp_path, None)
    words = ["-p", f"source={source}", "-p", "people=90", "--runs", attar.runs]
    attar("run", RECIPE, "--backend", "rehearsal", *words)
    found = results(attar.runs, "domain-distillation")
    ledger = found["ledger"]
    balanced(ledger)
    assert found["outputs"]["dataset"]["rows"] * 2 >= ledger["panels"]["made"] > 0
    assert all(count["in"] > 0 for count in ledger.values())
    assert all(ledger[judge]["retried"] > 0 for judge in LOOPS)
    held_together(*outputs(attar.runs), experts=3)
    if source == "file":
        sits_by_domain(attar.runs)


def sits_by_domain(runs: Path) -> None:
    """People of one domain sit together, whatever their labels look like."""
    _, answers = outputs(runs)
    people = ROOT / "recipes" / "data" / "domain_personas.jsonl"
    labels = {row["persona"]: row["domain"] for row in map(json.loads, people.read_text().splitlines())}
    by_panel: dict[str, set[str]] = {}
    for row in answers:
        by_panel.setdefault(row["panel"], set()).add(labels[row["persona"]].casefold().replace("-", " "))
    assert all(len(seen) == 1 for seen in by_panel.values())
    assert {"groundwater #1", "groundwater #2", "school teaching #2"} <= set(by_panel)
    spelt = {labels[row["persona"]] for row in answers if row["domain"] == "groundwater"}
    assert len(spelt) > 1, "the file spells them differently"
    reasons = results(runs, "domain-distillation")["reasons"]
    assert reasons["panels"]["remainder"]["count"] == 3
    assert reasons["labelled"]["no_domain"]["count"] == 1


def test_every_loop_runs_with_the_reasons(tmp_path: Path, server: StandInServer) -> None:
    """Nobody is put right without having been told why: the stand-in mends only what its prompt complains of."""
    attar = Attar(tmp_path, server.url)
    attar("run", RECIPE, "--runs", attar.runs)
    found = results(attar.runs, "domain-distillation")
    ledger, reasons = found["ledger"], found["reasons"]
    balanced(ledger)
    assert ledger["answer_ok"]["retried"] == ledger["answer"]["in"] == 24
    assert ledger["merged_ok"]["retried"] == ledger["faithful"]["retried"] == ledger["merged"]["in"] == 8
    assert {code for step in ("merged_ok", "faithful") for code in reasons[step]} == {
        "expert_missing", "failed_attributed",
    }  # fmt: skip
    merged, answers = outputs(attar.runs)
    assert len(merged) == 8
    assert not any(ADDED in row["text"] for row in merged)
    held_together(merged, answers, experts=3)


def test_a_merge_that_is_never_right_is_not_kept_but_its_answers_are(tmp_path: Path, server: StandInServer) -> None:
    server.configure(responder="support.domain_responder:stubborn")
    attar = Attar(tmp_path, server.url)
    attar("run", RECIPE, "-p", "attempts=2", "--runs", attar.runs, expect=1)
    found = results(attar.runs, "domain-distillation")
    assert found["ledger"]["faithful"]["rejected"] == 8
    merged, answers = outputs(attar.runs)
    assert (len(merged), len(answers)) == (0, 24)


def test_judges_that_fail_at_random(tmp_path: Path, server: StandInServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.configure(responder="support.domain_responder:random_judges")
    people = tmp_path / "people.jsonl"
    lines = [
        {"persona": f"A person who does thing {i} in their own way.", "domain": f"trade {i % 40}"} for i in range(240)
    ]
    people.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    attar = Attar(tmp_path, server.url)
    attar("run", RECIPE, "-p", f"personas={people}", "-p", "attempts=2", "--runs", attar.runs)
    ledger = results(attar.runs, "domain-distillation")["ledger"]
    balanced(ledger)
    assert ledger["panels"]["made"] == 80
    share = accepted_share(0.3, attempts=2, judges=1)
    for step, made in (("answer_judged", 240), ("faithful", ledger["gathered"]["made"])):
        deviation = math.sqrt(share * (1 - share) / made)
        assert abs(ledger[step]["accepted"] / made - share) <= 4 * deviation, step
    merged, answers = outputs(attar.runs)
    held_together(merged, answers, experts=3)
    assert len(merged) == ledger["faithful"]["accepted"]
    assert {len(row["experts"]) for row in merged} == {2, 3}, "a panel that lost one answer is merged from the others"
