"""What is refused in a graph, and where."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.plans import good, planned, said

OUT = "outputs: {dataset: {from: b}}\n"


def test_a_plain_chain_is_one_stage(tmp_path: Path) -> None:
    plan = good(tmp_path, "steps:\n  a: {use: t.read}\n  b: {use: t.map, from: a}\n" + OUT)
    assert [(s.kind, s.steps, s.taps, s.batch) for s in plan.stages] == [("rows", ("a", "b"), ("b",), True)]
    assert plan.steps["b"].columns == {"text": "string", "b": "string"}


def test_an_unknown_from_suggests_and_does_not_cascade(tmp_path: Path) -> None:
    found = said(
        tmp_path, "steps:\n  alpha: {use: t.read}\n  b: {use: t.map, from: alpa, with: {reads: {zz: int}}}\n" + OUT
    )
    assert found == [("E401", 3, "no step 'alpa' in this recipe")]


@pytest.mark.parametrize(
    ("steps", "code", "line", "part"),
    [
        ("  a: {use: t.read, from: b}\n  b: {use: t.map, from: a}\n", "E404", 2, "takes no `from`"),
        ("  a: {use: t.read}\n  b: {use: t.map}\n", "E405", 3, "has no `from`"),
        ("  a: {use: t.read}\n  c: {use: t.read}\n  b: {use: t.sort, from: [a, c]}\n", "E406", 4, "reads one step"),
        ("  a: {use: t.read}\n  b: {use: t.map, from: [a, a]}\n", "E406", 3, "named twice"),
        (
            "  a: {use: t.read}\n  w: {use: t.write, from: a}\n  b: {use: t.map, from: w}\n",
            "E407",
            4,
            "hands on no rows",
        ),
        ("  a: {use: t.read}\n  c: {use: t.read}\n  b: {use: t.map, from: [a, c]}\n", "E409", 4, "same rows"),
        (
            "  a: {use: t.read}\n  c: {use: t.explode, from: a}\n  b: {use: t.map, from: [a, c]}\n",
            "E409",
            4,
            "same rows",
        ),
        ("  a: {use: t.read}\n  b: {use: t.map, from: a}\n  c: {use: t.map, from: a}\n", "E408", 4, "no output needs"),
        ("  a: {use: t.read}\n  b: {use: t.map, from: a, index: nope}\n", "E401", 3, "no step 'nope'"),
        ("  a: {use: t.read}\n  b: {use: t.map, from: a, index: b}\n", "E402", 3, "its own output"),
        ("  a: {use: t.read}\n  b: {use: t.map, from: a, on_fail: {then: drop}}\n", "E420", 3, "belongs to judges"),
    ],
)
def test_refused(tmp_path: Path, steps: str, code: str, line: int, part: str) -> None:
    found = said(tmp_path, "steps:\n" + steps + OUT)
    assert any(c == code and n == line and part in m for c, n, m in found), found


def test_a_cycle_is_named_whole_in_the_direction_of_the_rows(tmp_path: Path) -> None:
    body = (
        "steps:\n  a: {use: t.read}\n  b: {use: t.map, from: e}\n  c: {use: t.map, from: b}\n"
        "  d: {use: t.map, from: c}\n  e: {use: t.union, from: [a, d]}\n" + OUT
    )
    assert said(tmp_path, body) == [("E402", 3, "steps read each other in a circle: b → c → d → e → b")]


def test_a_cycle_through_a_side_table(tmp_path: Path) -> None:
    body = "steps:\n  a: {use: t.read}\n  b: {use: t.map, from: a, index: c}\n  c: {use: t.map, from: b}\n" + OUT
    assert [c for c, _, _ in said(tmp_path, body)] == ["E402"]


def test_two_cycles_are_two_faults(tmp_path: Path) -> None:
    body = (
        "steps:\n  a: {use: t.map, from: b}\n  b: {use: t.map, from: a}\n"
        "  c: {use: t.map, from: d}\n  d: {use: t.map, from: c}\n" + OUT
    )
    assert [(c, n) for c, n, _ in said(tmp_path, body)] == [("E402", 2), ("E402", 4)]


def test_an_output_of_a_step_that_is_not_there(tmp_path: Path) -> None:
    found = said(tmp_path, "steps:\n  rows: {use: t.read}\noutputs:\n  dataset: {from: row}\n")
    assert found == [("E401", 4, "no step 'row' in this recipe")]


def test_output_format_and_options(tmp_path: Path) -> None:
    _, found = planned(
        tmp_path, "steps:\n  a: {use: t.read}\noutputs:\n  dataset: {from: a, format: parket, with: {x: 1}}\n"
    )
    assert [(d.code, d.help) for d in found] == [("E306", "did you mean 'parquet'?")]
    found2 = said(tmp_path, "steps:\n  a: {use: t.read}\noutputs:\n  dataset: {from: a, with: {x: 1}}\n")
    assert [c for c, _, _ in found2] == ["E203"]


def test_reserved_output_name_and_no_output(tmp_path: Path) -> None:
    assert ("E431", 3) in [
        (c, n) for c, n, _ in said(tmp_path, "steps:\n  a: {use: t.read}\noutputs: {review: {from: a}}\n")
    ]
    assert "E432" in [c for c, _, _ in said(tmp_path, "steps:\n  a: {use: t.read}\noutputs: {}\n")]


def test_more_rows_than_the_limit_is_a_warning(tmp_path: Path) -> None:
    body = "steps:\n  b: {use: t.read}\noutputs:\n  dataset: {from: b, min_rows: 10}\n"
    plan, found = planned(tmp_path, body, limit=5)
    assert plan is not None
    assert [(d.code, d.severity) for d in found] == [("W430", "warning")]


def test_unused_model_warns_and_unknown_model_suggests(tmp_path: Path) -> None:
    body = (
        "models:\n  teacher: {model: m}\n  spare: {model: m}\n"
        "steps:\n  a: {use: t.read}\n  b: {use: t.gen, from: a, model: teacher}\n" + OUT
    )
    plan, found = planned(tmp_path, body)
    assert plan is not None
    assert [(d.code, d.message) for d in found] == [("W630", "no step uses model 'spare'")]
    _, found = planned(tmp_path, body.replace("model: teacher", "model: techer"))
    assert [(d.code, d.help) for d in found if d.severity == "error"] == [("E630", "did you mean 'teacher'?")]


def test_unknown_backend(tmp_path: Path) -> None:
    body = "models:\n  m: {backend: vlm, model: x}\nsteps:\n  b: {use: t.read}\n" + OUT
    assert [(c, n) for c, n, _ in said(tmp_path, body) if c[0] == "E"] == [("E631", 2)]


def test_all_faults_at_once_in_order_of_lines(tmp_path: Path) -> None:
    body = """
        models:
          m: {model: x, backend: vlm}
        steps:
          a: {use: t.read, with: {colums: {text: string}}}
          b: {use: t.mapp, from: a}
          c: {use: t.gen, from: b, model: nobody, prompt: none.md}
          d: {use: x.y, from: c}
        outputs:
          dataset: {from: dd}
    """
    found = said(tmp_path, body)
    assert [(c, n) for c, n, _ in found] == [
        ("E631", 2),
        ("E203", 4),
        ("E302", 5),
        ("E630", 6),
        ("E101", 6),
        ("E301", 7),
        ("E401", 9),
    ]


def test_a_param_that_nothing_reads_is_a_warning(tmp_path: Path) -> None:
    body = (
        "params:\n  n: {type: int, default: 1}\n  tone: {type: string, default: warm}\n"
        "  spare: {type: int, default: 1}\n"
        'models: {m: {model: x}}\nsteps:\n  a: {use: t.read, with: {threads: "${params.n}"}}\n'
        "  b: {use: t.gen, from: a, model: m, prompt: p.md}\n" + OUT
    )
    plan, found = planned(tmp_path, body, p_md="# user\n{{ text }} {{ params.tone }}\n")
    assert plan is not None
    assert [(d.code, d.message) for d in found] == [("W230", "nothing reads param 'spare'")]
