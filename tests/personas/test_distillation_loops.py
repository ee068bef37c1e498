"""Every loop of recipes/indic_distillation.yaml at work: judges that fail as each persona's script says."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.runs import TESTS, Attar, results, run_folder, table

from attar.testing.stand_in import StandInServer

RECIPE = TESTS.parent / "recipes" / "indic_distillation.yaml"
NAME = "indic-distillation"
LATER_LOOPS = ("translation", "faithful", "enriched", "compare")
SCRIPTS = {
    "alpha": "",
    "bravo": "compliance=1",
    "delta": "compliance=9",
    "gamma": "relevance=2",
    "kappa": "relevance=9",
    "omega": "validation=1",
    "sigma": "validation=9",
    "theta": "borderline=1",
    "thetatwo": "borderline=1",
    "zeta": "picked=1 labels=1 draft=1",
    "kappatwo": "translation=1",
    "omegatwo": "translation=9",
    "gammatwo": "faithful=1",
    "sigmatwo": "faithful=9",
    "alphatwo": "enriched=1",
    "bravotwo": "enriched=9",
    "deltatwo": "compare=2",
}
LATER = {name for name, script in SCRIPTS.items() if script.partition("=")[0] in LATER_LOOPS}  # never lose a row


class Scripted(NamedTuple):
    """A run over the scripted personas, its server still up."""

    attar: Attar
    command: list[Any]
    log: Path

    @property
    def ledger(self) -> Mapping[str, Mapping[str, int]]:
        found: Mapping[str, Mapping[str, int]] = results(self.attar.runs, NAME)["ledger"]
        return found

    @property
    def folder(self) -> Path:
        return run_folder(self.attar.runs, NAME)

    @property
    def asked(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def of(self, name: str, kind: str) -> list[str]:
        """The prompts of one kind that were sent for a persona, in order."""
        return [one["text"] for one in self.asked if one["who"] == name and one["kind"] == kind]

    def who(self, output: str) -> set[str]:
        """The personas found in an output."""
        return {row.get("source_persona", row.get("persona", "")).split()[1] for row in table(self.folder / output)}

    def row(self, name: str) -> dict[str, Any]:
        """A persona's row of the dataset."""
        (found,) = (row for row in table(self.folder / "dataset") if row["persona"].split()[1] == name)
        return found

    def lost(self, kind: str) -> dict[str, tuple[str, str, int]]:
        """Persona → (step, code, attempt) of rows rejected or in review."""
        return {
            json.loads(row["row"])["persona"].split()[1]: (row["step"], row["code"], row["attempt"])
            for row in table(self.folder / kind)
        }


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scripted]:
    folder = tmp_path_factory.mktemp("loops")
    lines = [{"persona": f"The {name} weaver of a small town. {script}"} for name, script in SCRIPTS.items()]
    (folder / "people.jsonl").write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    log = folder / "asked.jsonl"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]))
        patch.setenv("DISTILL_LOG", str(log))
        server = StandInServer.start(responder="support.distillation_responder:scripted")
    with server:
        attar = Attar(folder, server.url)
        params = ["-p", "personas=people.jsonl", "-p", "persona_key=persona", "-p", "mix=qa", "-p", "attempts=3"]
        attar("run", RECIPE, *params, "--runs", attar.runs, expect=1)  # one row waits for a person
        yield Scripted(attar, [RECIPE, *params], log)


def test_the_ledger_balances_and_nothing_else_was_lost(run: Scripted) -> None:
    for step, count in run.ledger.items():
        assert count["in"] == count["accepted"] + count["rejected"] + count["review"] + count["dead"], step
        assert count["dead"] == 0, step
    assert run.who("dataset") == {"alpha", "bravo", "gamma", "omega", "zeta"} | LATER
    assert run.lost("review").keys() == {"theta", "thetatwo"}


def test_a_persona_is_recycled_with_the_failed_criteria(run: Scripted) -> None:
    first, second = run.of("bravo", "labels")
    assert "not accepted" not in first
    told = second.partition("Your last answer was not accepted:")[2]
    assert "at home in India" in told and "(not met)" in told
    assert "No community, faith" not in told, "criteria that were met are no feedback"
    assert len(run.of("bravo", "compliance")) == 2
    assert "bravo" in run.who("personas")


def test_a_persona_that_never_complies_is_rejected_after_its_attempts(run: Scripted) -> None:
    assert len(run.of("delta", "compliance")) == 3
    assert run.lost("rejected")["delta"] == ("compliant", "failed_indian_setting", 3)
    assert "delta" not in run.who("personas")
    assert run.of("delta", "picked") == []


def test_an_unsuitable_task_is_replaced_by_another_without_those_that_failed(run: Scripted) -> None:
    judged = [text.partition("The task (")[2].partition("\n")[0] for text in run.of("gamma", "relevance")]
    assert len(judged) == 3 == len(set(judged))
    offered = [offers(text) for text in run.of("gamma", "picked")]
    assert [len(one) for one in offered] == [8, 7, 6]
    assert offered[1] < offered[0] and offered[2] < offered[1]
    assert run.row("gamma")["task_id"] in offered[2]


def offers(prompt: str) -> set[str]:
    listed = prompt.partition("The person:")[0]
    return {line[2:].partition(" ")[0] for line in listed.splitlines() if line.startswith("- ")}


def test_an_exhausted_pair_is_dropped_and_its_persona_kept(run: Scripted) -> None:
    assert run.lost("rejected")["kappa"] == ("relevant", "failed_coherence", 3)
    assert "kappa" in run.who("personas") and "kappa" not in run.who("dataset")
    assert run.of("kappa", "draft") == []


def test_a_task_nobody_offered_is_picked_again(run: Scripted) -> None:
    first, second = run.of("zeta", "picked")
    assert "'no_such_task' is none of the tasks" in second and "none of the tasks" not in first
    assert offers(first) == offers(second)
    assert len(run.of("zeta", "labels")) == 2 and len(run.of("zeta", "draft")) == 2


def test_what_is_not_valid_is_written_once_more_then_rejected(run: Scripted) -> None:
    first, second = run.of("omega", "draft")
    assert "not accepted" not in first and "(1 of 5, at least 4 is needed)" in second
    assert len(run.of("sigma", "draft")) == 2 == len(run.of("sigma", "validation"))
    assert run.lost("rejected")["sigma"] == ("valid", "failed_accuracy", 2)


def test_a_borderline_text_waits_for_a_person(run: Scripted) -> None:
    assert run.lost("review")["theta"] == ("valid", "borderline", 1)
    assert len(run.of("theta", "draft")) == 1, "a 3 is not written again"
    assert "theta" in run.who("personas")


def test_a_broken_translation_is_made_again_with_the_reason(run: Scripted) -> None:
    first, second = run.of("kappatwo", "translation")
    assert "not accepted" not in first and "Translate to the last sentence" in second
    row = run.row("kappatwo")
    assert not row["translation_failed"] and row["final_language"] == "Hindi"
    assert len(run.of("kappatwo", "faithful")) == 1, "a translation that code refuses is not judged"


def test_an_unfaithful_translation_is_made_again_with_the_reason(run: Scripted) -> None:
    _, second = run.of("gammatwo", "translation")
    assert "(1 of 5" in second and not run.row("gammatwo")["translation_failed"]


@pytest.mark.parametrize(("name", "judged"), [("omegatwo", 0), ("sigmatwo", 3)])
def test_what_cannot_be_translated_keeps_its_source(run: Scripted, name: str, judged: int) -> None:
    assert len(run.of(name, "translation")) == 3 and len(run.of(name, "faithful")) == judged
    row = run.row(name)
    assert row["translation_failed"] and row["translation"] is None
    assert row["final_language"] == "English" and row["target_language"] == "Hindi"
    assert name in row["content"] and name in row["content_final"] and row["content_final"].isascii()


def test_enrichment_that_adds_a_fact_is_made_again_with_the_reason(run: Scripted) -> None:
    _, second = run.of("alphatwo", "enriched")
    assert "added 4711" in second
    row = run.row("alphatwo")
    assert row["is_enriched"] and row["edits"] == ["→ भी"] and "4711" not in row["content_final"]


@pytest.mark.parametrize(("name", "asked", "compared"), [("bravotwo", 3, 0), ("deltatwo", 1, 2)])
def test_the_worse_version_is_never_kept(run: Scripted, name: str, asked: int, compared: int) -> None:
    assert len(run.of(name, "enriched")) == asked and len(run.of(name, "compare")) == compared
    row = run.row(name)
    assert not row["is_enriched"] and row["edits"] == [] and row["content_final"] == row["translation"]


def test_turns_are_found_again_in_the_final_text(run: Scripted) -> None:
    row = run.row("alpha")
    assert [turn["role"] for turn in row["turns"]] == ["user", "assistant"]
    assert [turn["role"] for turn in row["turns_final"]] == ["user", "assistant"]
    assert len(row["parts"]) == 3 == len(row["parts_final"])  # question, crisp answer, detailed answer
    said = row["turns_final"][1]["content"]
    assert said in row["content_final"] and not said[0].isascii()


def test_decided_rows_go_back_through_the_rest_of_the_graph(run: Scripted) -> None:
    """The last test of the module: it runs the recipe once more."""
    waiting = {json.loads(row["row"])["persona"].split()[1]: row["id"] for row in table(run.folder / "review")}
    before, ids = len(run.asked), [row["id"] for row in table(run.folder / "dataset")]
    words = ["review", NAME, "--runs", run.attar.runs, "--who", "asha"]
    run.attar(*words, waiting["theta"], "--approve", "--reason", "the claim holds")
    run.attar(*words, waiting["thetatwo"], "--reject", "--reason", "nobody can know this")
    run.attar("run", *run.command, "--runs", run.attar.runs, expect=0)
    assert run.ledger["valid"]["review"] == 0
    assert run.who("dataset") == {"alpha", "bravo", "gamma", "omega", "zeta", "theta"} | LATER
    assert set(ids) < {row["id"] for row in table(run.folder / "dataset")}
    assert run.lost("rejected")["thetatwo"][0] == "valid"
    asked = {(one["who"], one["kind"]) for one in run.asked[before:]}
    assert asked and {who for who, _ in asked} == {"theta"}, "nothing that was paid is asked again"
    assert not {kind for _, kind in asked} & {"labels", "compliance", "picked", "relevance", "draft", "validation"}
