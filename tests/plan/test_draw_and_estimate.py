"""The graph as text and Mermaid, and what a run would take."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.plans import good

from attar.plan import Plan
from attar.plan.counting import Sample
from attar.plan.draw import draw_mermaid, draw_text
from attar.plan.estimate import estimate, tokens

BODY = """
    models:
      m:
        model: gemma
        sampling: {max_tokens: 100}
        prices: {input: 2, output: 10, currency: EUR, source: price page of May}
        throughput: {tokens_per_second: 1000, source: our benchmark}
      j: {model: other}
    steps:
      a: {use: t.read}
      g: {use: t.gen, from: a, model: m, prompt: p.md}
      z: {use: t.score, from: g, model: j, prompt: p.md, on_fail: {retry: g, attempts: 3}}
      sorted: {use: t.sort, from: z}
      near: {use: t.map, from: sorted, index: g}
    outputs: {dataset: {from: near, min_rows: 2}}
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return good(tmp_path, BODY, p_md="# user\n" + "word " * 80 + "{{ text }}\n")


def test_text_shows_stages_edges_and_loops(plan: Plan) -> None:
    assert draw_text(plan, {0: "reused"}) == (
        "stage 1 (rows): reused\n"
        "  a       t.read   adds text\n"
        "  g       t.gen    from a; asks m; adds g\n"
        "  z       t.score  from g; asks j; adds z; sends back to g, 3 tries, then drop\n"
        "\n"
        "stage 2 (dataset, reads z, after stage 1)\n"
        "  sorted  t.sort   from z\n"
        "\n"
        "stage 3 (rows, reads sorted, after stage 1, 2)\n"
        "  near    t.map    from sorted; beside g; adds near\n"
        "\n"
        "output dataset: near as parquet, at least 2 rows (text, g, z, near)\n"
    )


def test_mermaid_dashes_exactly_the_retries(plan: Plan) -> None:
    lines = draw_mermaid(plan).splitlines()
    edges = [line.strip() for line in lines if "-->" in line or ".->" in line]
    style = next(line for line in lines if "linkStyle" in line)
    dashed = [edges[int(n)] for n in style.split()[1].split(",")]
    assert dashed == ['s2 -. "retry, 3 tries" .-> s1']
    assert 's1 -. "index" .-> s4' in edges
    assert sum("subgraph" in line for line in lines) == sum(line.strip() == "end" for line in lines) == 3


def test_estimate_counts_tries_tokens_and_money(plan: Plan) -> None:
    sample = {"a": Sample(({"text": "x" * 400},), 1000)}
    found = estimate(plan, 0.5, sample)
    write, judge = found.steps
    runs = 1 + 0.5 + 0.25  # tries expected of three at one half
    assert write.calls == judge.calls == 1000 * runs
    assert write.completion_tokens == 1000 * runs * 100
    assert write.prompt_tokens == pytest.approx(1000 * runs * (100 + 100 + 4), rel=0.02)
    assert write.gpu_hours == pytest.approx(1000 * runs * 100 / 1000 / 3600)
    assert write.cost == pytest.approx((write.prompt_tokens * 2 + write.completion_tokens * 10) / 1e6)
    assert write.currency == "EUR"
    assert judge.cost is None and judge.gpu_hours is None
    assert found.total("cost") is None and found.total("calls") == 2000 * runs
    assert found.rows["dataset"] == 1000 * (1 - 0.5**3)
    text = found.text()
    assert "price page of May" in text and "our benchmark" in text
    assert "prices of j: unknown" in text


def test_what_is_unknown_stays_unknown(plan: Plan) -> None:
    found = estimate(plan, 0.5, {"a": Sample()})
    assert all(step.calls is None and step.cost is None for step in found.steps)
    assert found.rows["dataset"] is None
    assert "unknown" in found.text()


def test_a_source_is_looked_at_without_a_run(tmp_path: Path) -> None:
    from attar.plan import check
    from attar.plan.counting import sample_source

    (tmp_path / "rows.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n')
    file = tmp_path / "r.yaml"
    file.write_text(
        "attar: 1\nname: x\nsteps: {a: {use: std.read, with: {path: rows.jsonl}}}\noutputs: {dataset: {from: a}}\n"
    )
    plan, found = check(file)
    assert plan is not None, found
    sample = sample_source(plan, "a")
    assert (sample.count, [row["text"] for row in sample.rows]) == (2, ["one", "two"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.yaml", "rows.jsonl"], "nothing is left behind"


@given(st.text(), st.text())
def test_tokens_add_up(one: str, two: str) -> None:
    assert tokens(one + two) == pytest.approx(tokens(one) + tokens(two))
    assert tokens(one) >= 0


def test_indic_text_takes_more_tokens_than_latin_text_of_that_length() -> None:
    assert tokens("नमस्ते दुनिया") > tokens("hello, world!")
