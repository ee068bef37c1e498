"""Personas to the people around them: rehearsed, against judges that fail at random, loops and hops scripted."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.runs import TESTS, Attar, results, run_folder, table

from attar.testing.stand_in import StandInServer
from attar_personas.relations.catalogue import load_groups, load_relations

ROOT = TESTS.parent
PERSONAS = ROOT.parent / "shared" / "data" / "personas_5k.jsonl"
RECIPE = ROOT / "recipes" / "persona_to_persona.yaml"
NAME = "persona-to-persona"
JUDGE_FAILS, ATTEMPTS = 0.3, 3


def balanced(ledger: dict[str, Any]) -> bool:
    return all(c["in"] == c["accepted"] + c["rejected"] + c["review"] + c["dead"] for c in ledger.values())


def summary(attar: Attar) -> list[dict[str, Any]]:
    after: list[dict[str, Any]] = json.loads((run_folder(attar.runs, NAME) / "coverage" / "summary.json").read_text())[
        "after"
    ]
    return after


def dataset(attar: Attar) -> list[dict[str, Any]]:
    return table(run_folder(attar.runs, NAME) / "dataset")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInServer]:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    monkeypatch.setenv("PERSONA_JUDGE_FAILS", str(JUDGE_FAILS))
    monkeypatch.setenv("PERSONA_FORM_BREAKS", "0.05")
    with StandInServer.start(responder="support.synthesis_responder:respond") as running:
        yield running


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInServer]:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    with StandInServer.start(responder="support.synthesis_responder:scripted") as running:
        yield running


def test_rehearsal_accepts_half_reaches_every_step_and_takes_every_loop(tmp_path: Path) -> None:
    attar = Attar(tmp_path, None)
    attar("run", RECIPE, "--backend", "rehearsal", "--runs", attar.runs)
    found = results(attar.runs, NAME)
    ledger = found["ledger"]
    assert balanced(ledger)
    made = sum(ledger[f"hops.{hop}.relate"]["made"] for hop in (1, 2, 3))
    assert found["outputs"]["dataset"]["rows"] * 2 >= ledger["read"]["made"] + made
    assert all(count["in"] > 0 for count in ledger.values())
    assert all(
        ledger[f"hops.{hop}.{judge}"]["retried"] > 0 for hop in (1, 2, 3) for judge in ("relative_ok", "related")
    )
    rows = dataset(attar)
    check_lineage(rows, hops=3)
    deficits = [one["deficit"] for one in summary(attar)]
    assert deficits[0] == 31 and deficits[-1] <= 6  # from nobody to nearly the targets, which grow with the set


def check_lineage(rows: list[dict[str, Any]], hops: int) -> None:
    """Hops, roots and parents are those of the rows they name."""
    by_id = {row["id"]: row for row in rows}
    relations = load_relations()
    assert {row["hop"] for row in rows} == set(range(hops + 1))
    for row in rows:
        if row["hop"] == 0:
            assert row["synth_method"] == "seed" and row["root_id"] == row["id"] and row["relation"] is None
            continue
        parent = by_id[row["parent_id"]]
        assert (row["hop"], row["root_id"], row["parent_persona"]) == (
            parent["hop"] + 1,
            parent["root_id"],
            parent["persona"],
        )
        assert row["synth_method"] == "persona_to_persona" and 0 < row["confidence_score"] <= 1
        relation = relations[row["relation"]]
        assert row["relation_kind"] == relation.kind
        assert parent["relation"] is None or relations[parent["relation"]].inverse != relation.id
        assert row["group"] is None or (row["group"] in relation.leads_to and row["group"] in row["groups"])


@pytest.mark.timeout(170)
@pytest.mark.skipif(not PERSONAS.exists(), reason="the 5,000 personas are not beside the project")
def test_real_personas_with_judges_that_fail_at_random(tmp_path: Path, server: StandInServer) -> None:
    attar = Attar(tmp_path, server.url)
    attar("run", RECIPE, "-p", f"personas={PERSONAS}", "-p", "hops=2", "--limit", 150, "--runs", attar.runs)
    found = results(attar.runs, NAME)
    ledger = found["ledger"]
    assert balanced(ledger)
    judges = [ledger[f"hops.{hop}.related"] for hop in (1, 2)]
    judged, accepted = (sum(judge[field] for judge in judges) for field in ("in", "accepted"))
    expected = 1 - JUDGE_FAILS**ATTEMPTS
    assert abs(accepted - expected * judged) <= 4 * math.sqrt(expected * (1 - expected) * judged)
    lost = sum(count[fate] for count in ledger.values() for fate in ("rejected", "review", "dead"))
    made = sum(ledger[f"hops.{hop}.relate"]["made"] for hop in (1, 2))
    assert found["outputs"]["dataset"]["rows"] + lost == 150 + made
    assert not [n for n in server.keys()["answered"].values() if n > 1]
    rows = dataset(attar)
    check_lineage(rows, hops=2)
    seeds = {row["persona"] for row in rows if row["hop"] == 0}
    given = {json.loads(line)["input persona"] for line in PERSONAS.read_text(encoding="utf-8").splitlines()[:150]}
    assert seeds == given  # later hops rewrite nobody
    first, *_, last = summary(attar)
    assert last["deficit"] * 4 < first["deficit"] and last["groups_found"] > first["groups_found"]
    check_coverage_table(attar, rows)


def check_coverage_table(attar: Attar, rows: list[dict[str, Any]]) -> None:
    """The table counts what the dataset's column of groups says."""
    with (run_folder(attar.runs, NAME) / "coverage" / "coverage.csv").open(encoding="utf-8", newline="") as file:
        found = {(int(line["hop"]), line["group"]): int(line["personas"]) for line in csv.DictReader(file)}
    for hop in {row["hop"] for row in rows}:
        counted = Counter(group for row in rows if row["hop"] <= hop for group in row["groups"])
        assert {group: found[hop, group] for group in load_groups()} == {g: counted[g] for g in load_groups()}


def test_the_film_directors_crew(tmp_path: Path, scripted: StandInServer) -> None:
    """The published example: from a film director to a lighting technician, and not to another director."""
    director = "A film director who shoots in villages with actors nobody knows"
    clerk = "A land-records clerk in a hill district who collects fountain pens"
    text = "".join(json.dumps({"input persona": persona}) + "\n" for persona in (director, clerk))
    (tmp_path / "personas.jsonl").write_text(text)
    groups = tmp_path / "groups.yaml"
    shipped = (ROOT / "plugins/attar_personas/catalogues/groups.yaml").read_text(encoding="utf-8")
    groups.write_text(only_short_of(shipped, "backstage_crew"), encoding="utf-8")
    attar = Attar(tmp_path, scripted.url)
    command = ["-p", "personas=personas.jsonl", "-p", "groups=groups.yaml", "-p", "hops=1"]
    attar("run", RECIPE, *command, "--runs", attar.runs)
    new = [row for row in dataset(attar) if row["hop"] == 1]
    assert {row["parent_persona"] for row in new} == {director, clerk}
    crew = [row for row in new if row["relation"] == "crew_behind_the_scenes"]
    assert [(row["parent_persona"], row["group"]) for row in crew] == [(director, "backstage_crew")]
    assert "lighting technician" in crew[0]["persona"]
    assert not any(row["group"] for row in new if row["parent_persona"] == clerk)  # nobody a clerk knows is lacking


def only_short_of(catalogue: str, wanted: str) -> str:
    """The catalogue with no target but for one group."""
    lines, group = [], ""
    for line in catalogue.splitlines():
        if line.startswith("  - id: "):
            group = line.removeprefix("  - id: ")
        if line.startswith("    share: "):
            line = f"    share: {0.5 if group == wanted else 0}"
        lines.append(line)
    return "\n".join(lines) + "\n"


def test_feedback_mends_what_it_names_and_stubborn_faults_are_dropped(tmp_path: Path, scripted: StandInServer) -> None:
    marks = [f"[{fault} {often}]" for often in ("once", "always") for fault in ("copy", "name", "essay", "judge")]
    told = "admirer of Ravi Kumar Sharma and of ducks that swim in rows"
    lines = [{"input persona": f"A keeper of pond number {n}, {told} {mark}"} for n, mark in enumerate(marks)]
    (tmp_path / "personas.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    attar = Attar(tmp_path, scripted.url)
    command = ["-p", "personas=personas.jsonl", "-p", "hops=1", "-p", "extra=0", "-p", "similar=1"]
    attar("run", RECIPE, *command, "--runs", attar.runs)
    ledger = results(attar.runs, NAME)["ledger"]
    assert balanced(ledger)
    assert (ledger["hops.1.relative_ok"]["retried"], ledger["hops.1.relative_ok"]["rejected"]) == (3 * 1 + 3 * 2, 3)
    assert (ledger["hops.1.related"]["retried"], ledger["hops.1.related"]["rejected"]) == (1 + 2, 1)
    codes = Counter(row["code"] for row in table(run_folder(attar.runs, NAME) / "rejected"))
    assert codes == {"copies_source": 1, "names_person": 1, "not_one_person": 1, "failed_plausible": 1}
    assert Counter(row["hop"] for row in dataset(attar)) == {0: 8, 1: 4}


def test_near_duplicates_go_after_the_hop_that_made_them(tmp_path: Path, scripted: StandInServer) -> None:
    groups = tmp_path / "groups.yaml"
    shipped = (ROOT / "plugins/attar_personas/catalogues/groups.yaml").read_text(encoding="utf-8")
    groups.write_text(only_short_of(shipped, "nobody"), encoding="utf-8")
    people = ("A lighthouse painter afraid of heights", "The tax office's cat feeder", "A juggler of seven knives",
              "An orchard owner who grafts by moonlight")  # fmt: skip
    lines = [{"input persona": f"{one} [same always]"} for one in people]
    lines += [{"input persona": " "}, {"input persona": f"{lines[0]['input persona']}!"}]
    (tmp_path / "personas.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    attar = Attar(tmp_path, scripted.url)
    attar(
        "run", RECIPE, "-p", "personas=personas.jsonl", "-p", "groups=groups.yaml", "-p", "hops=2", "--runs", attar.runs
    )
    ledger = results(attar.runs, NAME)["ledger"]
    assert balanced(ledger)
    lost = {step: count["rejected"] for step, count in ledger.items() if count["rejected"]}
    assert lost == {"usable": 1, "seeds": 1, "hops.1.distinct": 3}
    rows = dataset(attar)
    assert Counter(row["hop"] for row in rows) == {0: 4, 1: 1, 2: 1}
    kept = [row["id"] for row in rows if row["hop"] == 1]
    rejected = table(run_folder(attar.runs, NAME) / "rejected")
    details = [row["detail"] for row in rejected if row["step"] == "hops.1.distinct"]
    assert details == [f"1.00 similar to row {kept[0]}"] * 3


def test_six_hops_at_most_and_the_seeds_may_go(tmp_path: Path) -> None:
    attar = Attar(tmp_path, None)
    command = [RECIPE, "--backend", "rehearsal", "--limit", 3, "--runs", attar.runs]
    attar("run", *command, "-p", "hops=6", "-p", "keep_seeds=false", "-p", "per_hop=4")
    rows = dataset(attar)
    assert {row["hop"] for row in rows} == {1, 2, 3, 4, 5, 6}
    assert all(count <= 4 for count in Counter(row["hop"] for row in rows).values())
    assert len(summary(attar)) == 7  # before, and after each hop
    refused = attar("run", *command, "-p", "hops=7", expect=2)
    assert "hops" in refused.stderr
