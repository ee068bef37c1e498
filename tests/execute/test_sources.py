"""What the engine demands of a source: the records it promised, and a way back to those it could not read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.runs import Attar, left, run_folder

from attar.errors import AttarError
from attar.execute.faults import kept_its_word
from attar.execute.outputs import demand_own_ids
from attar.identity import file_digest, row_id
from attar.store.tables import RankWriter, StoredTable, join_ranks

RECIPE = """
attar: 1
name: bad
steps:
  read: {{use: std.read, with: {{path: in.jsonl, columns: {{n: int}}}}}}
  {extra}
outputs: {{dataset: {{from: {last}}}}}
"""


@pytest.mark.parametrize(
    ("extra", "last"),
    [
        ("more: {use: std.derive, from: read, with: {columns: {m: n + 1}}}", "more"),
        (
            "more: {use: std.explode, from: kept, with: {column: l, into: m}}\n  kept: {use: std.derive, from: read, "
            "with: {columns: {l: '[n, n]'}, types: {l: list<int>}}}",
            "more",
        ),
    ],
    ids=["batches", "rows"],
)
def test_a_dead_record_says_where_it_stands(tmp_path: Path, extra: str, last: str) -> None:
    (tmp_path / "in.jsonl").write_text('{"n": 1}\n{"n": "two"}\n{"n": 3}\n')
    (tmp_path / "bad.yaml").write_text(RECIPE.format(extra=extra, last=last))
    attar = Attar(tmp_path, None)
    attar("run", "bad.yaml", "--runs", attar.runs, expect=1)
    (letter,) = left(run_folder(attar.runs, "bad"))["dead_letter"]
    assert letter["code"] == "schema"
    assert json.loads(letter["row"]) == {"record": ["in.jsonl", 1]}


@pytest.mark.parametrize(("stop", "end"), [(10, 7), (10, 12)])
def test_a_source_that_breaks_its_word_stops_the_run(stop: int, end: int) -> None:
    with pytest.raises(AttarError, match=f"gave {end}"):
        kept_its_word("src", "own.source", 0, stop, end)
    kept_its_word("src", "own.source", 0, None, end)


def test_a_missing_key_is_told_before_anything_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"n": 1}\n')
    (tmp_path / "ask.md").write_text("# user\n{{ n }}\n")
    recipe = RECIPE.format(extra="said: {use: llm.generate, from: read, model: m, prompt: ask.md}", last="said")
    recipe += (
        'models: {m: {model: m, backend: endpoint, endpoint: {url: "http://127.0.0.1:9/v1", key: "${env.NO_SUCH}"}}}\n'
    )
    (tmp_path / "bad.yaml").write_text(recipe)
    attar = Attar(tmp_path, None)
    (attar.runs / "bad" / "stages" / "old").mkdir(parents=True)
    run = attar("run", "bad.yaml", "--runs", attar.runs, "--fresh", expect=(1, 2))
    assert "NO_SUCH" in run.stderr
    assert (attar.runs / "bad" / "stages" / "old").exists()


def test_columns_that_begin_like_the_engines_own_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"__id": "x", "n": 1}\n')
    (tmp_path / "bad.yaml").write_text(
        "attar: 1\nname: bad\nsteps: {a: {use: std.read, with: {path: in.jsonl}}}\noutputs: {dataset: {from: a}}\n"
    )
    refused = Attar(tmp_path, None)("validate", "bad.yaml", expect=2)
    assert "E504" in refused.stderr + refused.stdout
    assert "__id" in refused.stderr + refused.stdout


def test_a_runs_folder_that_cannot_be_written_is_no_crash(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"n": 1}\n')
    (tmp_path / "bad.yaml").write_text(RECIPE.format(extra="", last="read"))
    (tmp_path / "file").write_text("")
    run = Attar(tmp_path, None)("run", "bad.yaml", "--runs", tmp_path / "file" / "runs", expect=1)
    assert "E730" in run.stderr
    assert "--runs" in run.stderr


def test_the_manifest_names_inputs_by_digest_and_no_path_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"n": 1}\n')
    (tmp_path / "bad.yaml").write_text(RECIPE.format(extra="", last="read"))
    attar = Attar(tmp_path, None)
    attar("run", "bad.yaml", "--runs", attar.runs)
    text = (run_folder(attar.runs, "bad") / "manifest.json").read_text()
    assert json.loads(text)["inputs"] == {"read": [{"file": "in.jsonl", "digest": file_digest(tmp_path / "in.jsonl")}]}
    assert str(tmp_path) not in text


@pytest.mark.parametrize(("keys", "twice"), [((0, 1, 2), 0), ((0, 1, 1, 0), 2), ((), 0)])
def test_two_rows_of_one_id_are_never_published(tmp_path: Path, keys: tuple[int, ...], twice: int) -> None:
    writer = RankWriter(tmp_path / "ranks", "00000", {"n": "int"})
    for key in keys:
        writer.append(row_id("src", key), (), None, {"n": key})
    join_ranks([writer.close()], tmp_path / "table", {"n": "int"})
    table = StoredTable(tmp_path / "table")
    if twice:
        with pytest.raises(AttarError, match=f"^{twice} rows"):
            demand_own_ids(table, "dataset")
    else:
        demand_own_ids(table, "dataset")
