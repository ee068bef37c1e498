"""Steps of std that need all rows: nothing lost, the same whatever the order, the same larger than memory."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import attar_std.join
import attar_std.sample
from attar.api import ConfigProblem, Drop, New, Row
from attar.testing.fakes import FakeContext, ListRowSet, make_rows
from attar.testing.steps import build, run_dataset_step, run_merge_step
from attar_std.dedup import Dedup
from attar_std.join import Join
from attar_std.sample import Limit, Sample, Shuffle, Sort
from attar_std.union import Union

Out = Sequence[Row | Drop | New]


def kept(out: Out) -> list[dict[str, Any]]:
    return [dict(item) if isinstance(item, Row) else dict(item.columns) for item in out if not isinstance(item, Drop)]


def dropped(out: Out) -> Counter[str]:
    return Counter(item.why.code for item in out if isinstance(item, Drop))


def numbers(count: int) -> list[dict[str, Any]]:
    return [{"n": n} for n in range(count)]


def test_sample_is_exact_and_does_not_hang_on_the_order() -> None:
    rows = make_rows(numbers(500))
    for config, size in (({"n": 50}, 50), ({"share": 0.25}, 125), ({"n": 0}, 0), ({"n": 900}, 500)):
        step = build(Sample, config)
        out = run_dataset_step(step, rows)
        assert len(kept(out)) == size and dropped(out)["not_sampled"] == 500 - size
        assert [row["n"] for row in kept(out)] == sorted(row["n"] for row in kept(out))
        mixed = random.Random(1).sample(rows, len(rows))
        assert {r["n"] for r in kept(run_dataset_step(step, mixed))} == {r["n"] for r in kept(out)}
    a, b = (kept(run_dataset_step(build(Sample, {"n": 50, "seed": seed}), rows)) for seed in (0, 1))
    assert a != b
    assert [p.field for p in build(Sample, {}).check({})] == [()]


def test_shuffle_depends_on_ids_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = make_rows(numbers(500))
    order = [row["n"] for row in kept(run_dataset_step(build(Shuffle), rows))]
    assert sorted(order) == list(range(500)) and order != sorted(order)
    mixed = random.Random(1).sample(rows, len(rows))
    assert [row["n"] for row in kept(run_dataset_step(build(Shuffle), mixed))] == order
    monkeypatch.setattr(attar_std.sample, "HELD", 37)  # larger than memory
    assert [row["n"] for row in kept(run_dataset_step(build(Shuffle), mixed))] == order
    assert [row["n"] for row in kept(run_dataset_step(build(Shuffle, {"seed": 1}), rows))] != order


def test_sort_and_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"a": n % 7, "n": n} for n in range(100)]
    assert kept(run_dataset_step(build(Sort, {"by": ["a", "n"]}), rows)) == sorted(rows, key=lambda r: (r["a"], r["n"]))
    monkeypatch.setattr(attar_std.sample, "HELD", 9)
    down = kept(run_dataset_step(build(Sort, {"by": "n", "descending": True}), rows))
    assert [row["n"] for row in down] == list(range(99, -1, -1))
    out = run_dataset_step(build(Limit, {"n": 3}), rows)
    assert kept(out) == rows[:3] and dropped(out) == {"over_limit": 97}
    (problem,) = build(Sort, {"by": "x"}).check({"x": "list<int>"})
    assert problem.code == "E503"


def test_dedup_is_indic_safe() -> None:
    texts = ["कल", "कुल", "Straße  x", "STRASSE x", "e\u0301", "\u00e9", None, None, "new\nline", "new line"]
    out = run_dataset_step(build(Dedup, {"by": "t"}), [{"t": t} for t in texts])
    assert [row["t"] for row in kept(out)] == ["कल", "कुल", "Straße  x", "e\u0301", None, None, "new\nline"]
    first = next(item for item in out if isinstance(item, Row) and item["t"] == "Straße  x")
    drop = next(item for item in out if isinstance(item, Drop))
    assert drop.why.code == "duplicate" and first.id in drop.why.detail
    exact = run_dataset_step(build(Dedup, {"by": ["t"], "exact": True}), [{"t": "a"}, {"t": "A"}, {"t": "a"}])
    assert len(kept(exact)) == 2


def test_union_fills_and_keeps_a_row_once() -> None:
    a, b = {"x": "string", "n": "int"}, {"x": "string?", "m": "float"}
    with pytest.raises(ConfigProblem, match="no column"):
        build(Union).merged({"a": a, "b": b})
    assert build(Union, {"fill": True}).merged({"a": a, "b": b}) == {"x": "string?", "n": "int?", "m": "float?"}
    with pytest.raises(ConfigProblem, match="'x'"):
        build(Union).merged({"a": {"x": "string"}, "b": {"x": "int"}})
    assert build(Union).merged({"a": {"x": "float"}, "b": {"x": "int"}}) == {"x": "float"}
    shared = make_rows([{"n": 1}, {"n": 2}], "same")
    out = run_merge_step(build(Union), {"a": [*shared, *make_rows([{"n": 3}], "a")], "b": [shared[1]]})
    assert [row["n"] for row in kept(out)] == [1, 2, 3] and dropped(out) == {"duplicate_id": 1}


LEFT = [{"k": 1, "l": "a"}, {"k": 2, "l": "b"}, {"k": None, "l": "c"}, {"k": 1, "l": "d"}]
RIGHT = [{"k": 1, "r": "x"}, {"k": 3, "r": "y"}, {"k": None, "r": "z"}]


def test_join_inner_and_left() -> None:
    out = run_merge_step(build(Join, {"on": "k"}), {"left": LEFT, "right": RIGHT})
    assert kept(out) == [{"k": 1, "l": "a", "r": "x"}, {"k": 1, "l": "d", "r": "x"}]
    assert dropped(out) == {"no_match": 4}
    out = run_merge_step(build(Join, {"on": "k", "how": "left"}), {"left": LEFT, "right": RIGHT})
    assert [row["r"] for row in kept(out)] == ["x", None, None, "x"]
    assert dropped(out) == {"no_match": 2}
    assert [type(item) for item in out[:4]] == [New, Row, Row, New]


def test_join_says_what_to_do_with_several_matches() -> None:
    right = [{"k": 1, "r": "x"}, {"k": 1, "r": "y"}]
    with pytest.raises(ConfigProblem, match="several right rows"):
        run_merge_step(build(Join, {"on": "k"}), {"left": LEFT, "right": right})
    first = run_merge_step(build(Join, {"on": "k", "many": "first"}), {"left": LEFT, "right": right})
    assert [row["r"] for row in kept(first)] == ["x", "x"] and dropped(first)["duplicate_key"] == 1
    every = run_merge_step(build(Join, {"on": "k", "many": "all"}), {"left": LEFT, "right": right})
    assert [row["l"] + row["r"] for row in kept(every)] == ["ax", "ay", "dx", "dy"]
    keys = [(item.parents, item.key) for item in every if isinstance(item, New)]
    assert len(set(keys)) == 4


def test_join_columns() -> None:
    left, right = {"k": "int", "t": "string"}, {"key": "int", "t": "string", "u": "float"}
    with pytest.raises(ConfigProblem) as caught:
        build(Join, {"on": {"k": "key"}}).merged({"a": left, "b": right})
    assert caught.value.code == "E502"
    prefixed = build(Join, {"on": {"k": "key"}, "prefix": "r_"})
    assert prefixed.merged({"a": left, "b": right}) == {"k": "int", "t": "string", "r_t": "string", "r_u": "float"}
    chosen = build(Join, {"on": {"k": "key"}, "columns": ["u"], "how": "left"})
    assert chosen.merged({"a": left, "b": right}) == {"k": "int", "t": "string", "u": "float?"}
    for config, code in (({"on": "kk"}, "E501"), ({"on": {"t": "u"}, "columns": ["key"]}, "E503")):
        with pytest.raises(ConfigProblem) as caught:
            build(Join, config).merged({"a": left, "b": right})
        assert caught.value.code == code
    with pytest.raises(ConfigProblem):
        build(Join, {"on": "k"}).merged({"a": left})


def side(name: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    row = st.fixed_dictionaries({"k": st.one_of(st.none(), st.integers(0, 6)), name: st.integers()})
    return st.lists(row, max_size=25)


def _inputs(item: Row | Drop | New) -> Sequence[str]:
    return item.parents if isinstance(item, New) else [item.row.id if isinstance(item, Drop) else item.id]


@given(side("l"), side("r"), st.sampled_from(["inner", "left"]), st.sampled_from(["first", "all"]))
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_join_agrees_with_a_nested_loop_and_with_itself_in_parts(
    monkeypatch: pytest.MonkeyPatch, left: list[Any], right: list[Any], how: str, many: str
) -> None:
    step = build(Join, {"on": "k", "how": how, "many": many})
    inputs: Mapping[str, Any] = {"left": left, "right": right}
    monkeypatch.setattr(attar_std.join, "HELD", 100_000)
    kinds = {"left": {"k": "int?", "l": "int"}, "right": {"k": "int?", "r": "int"}}
    sets = {name: ListRowSet(make_rows(rows, name), kinds[name]) for name, rows in inputs.items()}
    out = list(step.merge(sets, FakeContext()))
    expected = []
    for a in left:
        matches = [b for b in right if a["k"] is not None and b["k"] == a["k"]]
        expected += [{**a, "r": b["r"]} for b in (matches[:1] if many == "first" else matches)]
        if not matches and how == "left":
            expected.append({**a, "r": None})
    assert kept(out) == expected
    monkeypatch.setattr(attar_std.join, "HELD", 3)
    parts = list(step.merge(sets, FakeContext()))
    assert len(right) + len(left) == len({parent for item in out for parent in _inputs(item)})
    plain = [(type(i), i.row.id, i.why) if isinstance(i, Drop) else (type(i), getattr(i, "id", i)) for i in out]
    again = [(type(i), i.row.id, i.why) if isinstance(i, Drop) else (type(i), getattr(i, "id", i)) for i in parts]
    assert plain == again
