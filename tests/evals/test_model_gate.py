"""What a recipe requires of its models stops a real run, is told in a rehearsal, and is written down in both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.runs import Attar, results, run_folder

from attar.plan import check
from attar.plan.types import Gate
from attar.testing.stand_in import StandInServer

MODEL = "google/gemma-3-12b-it"


@pytest.fixture(scope="module")
def server() -> Iterator[StandInServer]:
    with StandInServer.start() as running:
        yield running


def recipe(folder: Path, teacher: str, more: str = "", judge: str = "{extends: teacher}") -> Path:
    (folder / "rows.jsonl").write_text('{"topic": "millet"}\n{"topic": "wells"}\n', encoding="utf-8")
    (folder / "ask.md").write_text("Ask one question about {{ topic }}.\n", encoding="utf-8")
    text = f"""\
attar: 1
name: gated
params: {{results: {{type: path, default: evals.json}}, needed: {{type: float, default: 0.3}}}}
models:
  teacher: {{model: {MODEL}, {teacher}}}
  judge: {judge}
steps:
  read: {{use: std.read, with: {{path: rows.jsonl}}}}
  question: {{use: llm.generate, from: read, model: teacher, prompt: ask.md}}
  again: {{use: llm.generate, from: question, model: judge, prompt: ask.md}}
outputs:
  dataset: {{from: again}}
{more}"""
    (folder / "recipe.yaml").write_text(text, encoding="utf-8")
    return folder / "recipe.yaml"


def evals(path: Path, model: str = MODEL, day: int = 1, **tasks: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"results": tasks, "config": {"model_args": {"pretrained": model}}, "date": 1_750_000_000 + 86_400 * day}
    path.write_text(json.dumps(document), encoding="utf-8")


def gates(file: Path, **params: str) -> tuple[Gate, ...]:
    plan, found = check(file, params, gates="later")
    assert plan is not None, found
    return plan.gates


def test_a_real_run_is_stopped_before_it_asks(tmp_path: Path, server: StandInServer) -> None:
    evals(tmp_path / "evals.json", milu={"acc,none": 0.3226})
    file = recipe(tmp_path, "evals: '${params.results}', requires: {milu: 0.6}")
    attar = Attar(tmp_path, server.url)
    told = attar("run", file, "--runs", attar.runs, expect=2).stderr
    assert "error[E646]" in told
    assert "recipe.yaml:5:" in told
    assert "0.6 is required, and milu is 0.3226 (acc)" in told
    assert told.count("error[") == 1, "an inherited requirement is told once"
    assert not attar.runs.exists()
    assert attar("validate", file, expect=2).stderr.partition("error[")[2] == told.partition("error[")[2]
    assert "warning[E646]" in attar("validate", file, "--backend", "rehearsal").stderr
    tried = attar("try", file, "--dry", "--runs", attar.runs)
    assert "milu is 0.3226" in tried.stderr


def test_a_rehearsal_goes_on_and_says_so(tmp_path: Path) -> None:
    evals(tmp_path / "evals.json", milu={"acc,none": 0.3226, "acc_stderr,none": 0.01})
    file = recipe(tmp_path, "evals: evals.json, requires: {milu: 0.6}")
    attar = Attar(tmp_path, None)
    done = attar("run", file, "--backend", "rehearsal", "--runs", attar.runs)
    assert "a run with the model would stop" in done.stderr
    assert "NOT met (not enforced in a rehearsal)" in done.stdout
    (teacher, judge) = results(attar.runs, "gated")["gates"]
    assert (teacher["model"], judge["model"]) == ("teacher", "judge")
    assert {k: teacher[k] for k in ("needed", "found", "stderr", "met", "metric", "file")} == {
        "needed": 0.6, "found": 0.3226, "stderr": 0.01, "met": False, "metric": "acc", "file": "evals.json",
    }  # fmt: skip
    assert json.loads((run_folder(attar.runs, "gated") / "manifest.json").read_text())["gates"] == [teacher, judge]


def test_a_model_that_passed_runs_and_the_proof_is_kept(tmp_path: Path, server: StandInServer) -> None:
    evals(tmp_path / "evals.json", milu={"acc,none": 0.61})
    file = recipe(tmp_path, "evals: evals.json, requires: {milu: '${params.needed}'}")
    attar = Attar(tmp_path, server.url)
    assert "met with 0.61" in attar("run", file, "-p", "needed=0.6", "--runs", attar.runs).stdout
    (gate, _) = results(attar.runs, "gated")["gates"]
    assert gate["met"] is True
    assert len(gate["digest"]) == 32
    digest = results(attar.runs, "gated")["outputs"]["dataset"]["digest"]
    attar("run", file, "-p", "needed=0.5", "--runs", attar.runs)
    after = results(attar.runs, "gated")
    assert after["outputs"]["dataset"]["digest"] == digest
    assert all(stage["reused"] for stage in after["stages"]), "a requirement changes no data"


def test_the_newest_results_win_task_by_task(tmp_path: Path) -> None:
    evals(tmp_path / "out/m/results_1.json", day=1, milu={"acc,none": 0.9}, cb={"acc,none": 0.8})
    evals(tmp_path / "out/m/results_2.json", day=2, milu={"acc,none": 0.2})
    evals(tmp_path / "out/n/results_3.json", day=3, model="other/model", milu={"acc,none": 0.1})
    found = gates(recipe(tmp_path, "evals: out, requires: {milu: 0.5, cb: 0.5}"))[:2]
    assert [(gate.task, gate.found, gate.met, gate.file) for gate in found] == [
        ("milu", 0.2, False, "results_2.json"),
        ("cb", 0.8, True, "results_1.json"),
    ]


def test_metrics_filters_and_lower_is_better(tmp_path: Path) -> None:
    evals(
        tmp_path / "evals.json",
        hellaswag={"acc,none": 0.5, "acc_norm,none": 0.7},
        gsm8k={"exact_match,strict-match": 0.4, "exact_match,flexible-extract": 0.6},
        wiki={"word_perplexity,none": 12.5},
        **{"a/b": {"acc,none": 0.3}},
    )
    wanted = (
        "{hellaswag: {acc: 0.5, acc_norm: 0.71}, 'hellaswag/acc': 0.51, 'gsm8k/exact_match,strict-match': 0.4,"
        " 'gsm8k/exact_match': 0.4, wiki: 13, 'wiki/word_perplexity': 12, a/b: 0.3, hellaswag/f1: 1}"
    )
    found = gates(recipe(tmp_path, f"evals: evals.json, requires: {wanted}"))
    said = [(g.task, g.metric, g.met, g.problem.code if g.problem else "") for g in found if g.model == "teacher"]
    assert said == [
        ("hellaswag", "acc", True, ""),
        ("hellaswag", "acc_norm", False, "E646"),
        ("hellaswag", "acc", False, "E646"),
        ("gsm8k", "exact_match,strict-match", True, ""),
        ("gsm8k", "exact_match", False, "E643"),
        ("wiki", "word_perplexity", True, ""),
        ("wiki", "word_perplexity", False, "E646"),
        ("a/b", "acc", True, ""),
        ("hellaswag", "f1", False, "E643"),
    ]


def test_percent_is_not_taken_for_a_share(tmp_path: Path) -> None:
    evals(tmp_path / "evals.json", milu={"acc,none": 32.26}, mmlu={"acc,none": 0.9})
    found = gates(recipe(tmp_path, "evals: evals.json, requires: {milu: 0.3, mmlu: 0.5}"))
    assert [gate.problem.code for gate in found if gate.problem] == ["E644"] * 4
    assert found[0].problem is not None
    assert "percent" in found[0].problem.message
    assert "write 30" in found[0].problem.help
    assert gates(recipe(tmp_path, "evals: evals.json, requires: {milu: 30}"))[0].met


def test_inherited_until_taken_away(tmp_path: Path) -> None:
    evals(tmp_path / "evals.json", milu={"acc,none": 0.4}, cb={"acc,none": 0.2})
    both = "evals: evals.json, requires: {milu: 0.3}"
    found = gates(recipe(tmp_path, both, judge="{extends: teacher, requires: {cb: 0.3}}"))
    assert [(g.model, g.task, g.met) for g in found] == [
        ("teacher", "milu", True), ("judge", "milu", True), ("judge", "cb", False),
    ]  # fmt: skip
    assert found[2].problem is not None
    assert found[2].problem.span is not None
    assert found[2].problem.span.line == 6
    assert len(gates(recipe(tmp_path, both, judge="{extends: teacher, requires: {milu: null}, evals: null}"))) == 1
    other = gates(recipe(tmp_path, both, judge="{extends: teacher, model: other/model}"))[1]
    assert other.problem is not None
    assert other.problem.code == "E645"


def test_the_name_the_server_knows_will_do(tmp_path: Path) -> None:
    evals(tmp_path / "evals.json", model="teacher-v2", milu={"acc,none": 0.4})
    gate = gates(recipe(tmp_path, "serve: {served-model-name: Teacher-V2}, evals: evals.json, requires: {milu: 0.3}"))[
        0
    ]
    assert gate.met


def test_an_includes_paths_are_its_own(tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.mkdir()
    evals(part / "evals.json", milu={"acc,none": 0.4})
    recipe(part, "evals: evals.json, requires: {milu: 0.3}")
    (tmp_path / "whole.yaml").write_text(
        "attar: 1\nname: whole\ninclude: {file: part/recipe.yaml, as: part}\nsteps:\n"
        "  last: {use: std.select, from: part.again, with: {keep: [again]}}\noutputs:\n  dataset: {from: last}\n"
    )
    assert [(gate.model, gate.met) for gate in gates(tmp_path / "whole.yaml")] == [
        ("part.teacher", True), ("part.judge", True),
    ]  # fmt: skip


def test_a_model_that_is_rehearsed_by_its_recipe_is_only_warned_of(tmp_path: Path) -> None:
    evals(tmp_path / "evals.json", milu={"acc,none": 0.1})
    file = recipe(tmp_path, "backend: rehearsal, evals: evals.json, requires: {milu: 0.3}")
    plan, found = check(file)
    assert plan is not None
    assert [(one.code, one.severity) for one in found if one.code == "E646"] == [("E646", "warning")]


def test_a_plan_tells_what_a_run_would_refuse(tmp_path: Path, server: StandInServer) -> None:
    evals(tmp_path / "evals.json", milu={"acc,none": 0.1})
    file = recipe(tmp_path, "evals: evals.json, requires: {milu: 0.3}")
    attar = Attar(tmp_path, server.url)
    assert (
        "model trouble: model 'google/gemma-3-12b-it' did not pass" in attar("plan", file, "--runs", attar.runs).stdout
    )
    assert "error[E646]" in attar("try", file, "--runs", attar.runs, expect=2).stderr
