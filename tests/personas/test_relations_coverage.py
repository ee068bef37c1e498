"""The coverage table, against counting by hand."""

from __future__ import annotations

import csv
import json
from math import ceil
from pathlib import Path
from typing import Any, ClassVar

from attar.testing import FakeContext, StepContract, build, run_row_step, run_sink
from attar_personas.relations.catalogue import load_groups
from attar_personas.relations.coverage import Coverage, GroupsOf

ROWS: list[dict[str, Any]] = [
    {"persona": "A rag picker who reads", "hop": 0, "relation_kind": None},
    {"persona": "A clerk", "hop": 0, "relation_kind": None},
    {"persona": "A rag picker who sings", "hop": 1, "relation_kind": "service"},
    {"persona": "A nine-year-old waste picker", "hop": 2, "relation_kind": "family"},
]


class TestGroupsContract(StepContract):
    step = GroupsOf
    rows: ClassVar[list[dict[str, Any]]] = [{"persona": "A rag picker"}, {"persona": None}]


def test_groups_column_row_by_row_and_in_batches() -> None:
    import pyarrow as pa

    step = build(GroupsOf)
    texts = ["A nine-year-old waste picker", None, "A clerk"]
    single = [found["groups"] for found in run_row_step(step, [{"persona": text} for text in texts])]
    assert single == [["primary_child", "rag_picker"], [], []]
    batch = pa.RecordBatch.from_pydict({"persona": pa.array(texts, pa.string())})
    assert step.apply_batch(batch, FakeContext()).columns["groups"].to_pylist() == single


def test_the_table_grows_hop_by_hop(tmp_path: Path) -> None:
    run_sink(build(Coverage), ROWS, FakeContext(out=tmp_path))
    with (tmp_path / "coverage.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == 3 * len(load_groups())
    found = {(int(row["hop"]), row["group"]): row for row in table}
    assert [int(found[hop, "rag_picker"]["personas"]) for hop in (0, 1, 2)] == [1, 2, 3]
    assert [int(found[hop, "primary_child"]["personas"]) for hop in (0, 1, 2)] == [0, 0, 1]
    assert [int(found[hop, "beggar"]["of"]) for hop in (0, 1, 2)] == [2, 3, 4]
    for row in table:
        lack = float(row["target_share"]) * int(row["of"]) - int(row["personas"])
        assert int(row["deficit"]) == max(0, ceil(lack - 1e-9))
    with (tmp_path / "hops.csv").open(encoding="utf-8", newline="") as file:
        hops = [(row["hop"], row["relation_kind"], row["personas"]) for row in csv.DictReader(file)]
    assert hops == [("0", "", "2"), ("1", "service", "1"), ("2", "family", "1")]
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["personas"] == 4
    assert [one["groups_found"] for one in summary["after"]] == [1, 1, 2]
    assert [one["entropy_bits"] for one in summary["after"]] == [0, 0, 0.8113]


def test_no_personas_leave_an_empty_table(tmp_path: Path) -> None:
    run_sink(build(Coverage), [], FakeContext(out=tmp_path))
    assert json.loads((tmp_path / "summary.json").read_text()) == {"personas": 0, "after": []}
