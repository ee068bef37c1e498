"""The draws follow the tables, and the skew report says so of them and the contrary of others."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.testing import FakeContext, StepContract, build, run_sink
from attar_personas.population.chi_square import chi_square, upper_gamma
from attar_personas.population.draw import Drawing
from attar_personas.population.marginals import joint_of
from attar_personas.population.skew import Skew, Tally
from attar_personas.population.skew_report import report
from attar_personas.population.tables import PLUGIN, load_table
from attar_personas.population.types import Table

SMALL = Path(__file__).parent / "tables" / "small.yaml"
SHIPPED = [PLUGIN / "tables" / f"{name}.yaml" for name in ("india", "indonesia")]
DRAWS = 1_000_000
LEAST_P = 1e-4


def counts_of(table: Table, *, seed: int, bias: float = 0.0) -> tuple[dict[str, Any], dict[tuple[str, str], Any]]:
    """Counts of DRAWS persons: of each variable, and of it with each of its conditions. `bias` of them get the last
    value of each variable."""
    drawing = Drawing(table.variables, seed)
    single = {name: np.zeros(len(one.values), dtype=np.int64) for name, one in table.variables.items()}
    double = {
        (other, name): np.zeros((len(table.variables[other].values), len(one.values)), dtype=np.int64)
        for name, one in table.variables.items()
        for other in one.conditions
    }
    for start in range(0, DRAWS, 1 << 17):
        codes = drawing.codes(np.arange(start, min(start + (1 << 17), DRAWS), dtype=np.int64))
        if bias:
            wrong = np.arange(start, start + len(codes["state"])) % round(1 / bias) == 0
            codes = {name: np.where(wrong, len(single[name]) - 1, c) for name, c in codes.items()}
        for name, counts in single.items():
            counts += np.bincount(codes[name], minlength=len(counts))
        for (other, name), counts in double.items():
            flat = codes[other] * counts.shape[1] + codes[name]
            counts += np.bincount(flat, minlength=counts.size).reshape(counts.shape)
    return single, double


@pytest.mark.parametrize("file", [SMALL, *SHIPPED], ids=lambda file: file.stem)
def test_a_million_draws_follow_the_table(file: Path) -> None:
    table = load_table(file)
    single, double = counts_of(table, seed=20)
    found: dict[Any, float] = {}
    for name, counts in single.items():
        expected = joint_of(table.variables, [name])
        assert expected.exact
        found[name] = chi_square(counts.tolist(), expected.shares.tolist()).p
    for pair, counts in double.items():
        shares = joint_of(table.variables, list(pair)).shares
        found[pair] = chi_square(counts.ravel().tolist(), shares.ravel().tolist()).p
    assert len(found) > 20
    assert {name: p for name, p in found.items() if p <= LEAST_P} == {}
    assert 0.2 < np.mean(list(found.values())) < 0.8  # p of a true table is spread evenly, not heaped at 1


def test_every_row_of_the_conditionals_is_followed() -> None:
    """Beyond pairs: each variable's full conditional table, row by row."""
    table = load_table(SHIPPED[0])
    codes = Drawing(table.variables, 21).codes(np.arange(300_000, dtype=np.int64))
    worst: dict[str, float] = {}
    tests = 0
    for name, variable in table.variables.items():
        if not variable.conditions or name == "domain":
            continue
        shape = [len(table.variables[other].values) for other in variable.conditions]
        row = np.ravel_multi_index([codes[other] for other in variable.conditions], shape)
        wide = len(variable.values)
        counts = np.bincount(row * wide + codes[name], minlength=math.prod(shape) * wide).reshape(-1, wide)
        shares = variable.shares.reshape(-1, wide)
        for at in np.flatnonzero(counts.sum(axis=1) >= 400):
            tests += 1
            p = chi_square(counts[at].tolist(), shares[at].tolist()).p
            worst[name] = min(worst.get(name, 1.0), p)
    assert tests > 500
    assert all(p > 1e-3 / tests for p in worst.values()), worst


def test_a_planted_bias_is_found() -> None:
    table = load_table(SHIPPED[0])
    single, double = counts_of(table, seed=20, bias=0.01)
    for name, counts in single.items():
        shares = joint_of(table.variables, [name]).shares
        assert chi_square(counts.tolist(), shares.tolist()).p <= LEAST_P, name
    small = [pair for pair, counts in double.items() if counts.size < 20_000]
    for pair in small:
        shares = joint_of(table.variables, list(pair)).shares.ravel().tolist()
        assert chi_square(double[pair].ravel().tolist(), shares).p <= LEAST_P, pair


# -- chi-square ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statistic", "degrees", "p"),
    [(3.841458820694124, 1, 0.05), (18.307038053275146, 10, 0.05), (124.34211340400408, 100, 0.05),
     (29.58829844507442, 10, 0.001), (1074.6794487898246, 1000, 0.05), (0.0039321400000195315, 1, 0.95)],
)  # fmt: skip
def test_p_values_of_the_textbook(statistic: float, degrees: int, p: float) -> None:
    assert upper_gamma(degrees / 2, statistic / 2) == pytest.approx(p, rel=1e-9)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 60), st.floats(0.001, 200))
def test_p_of_even_degrees_is_a_poisson_sum(half: int, x: float) -> None:
    poisson = math.fsum(math.exp(k * math.log(x) - x - math.lgamma(k + 1)) for k in range(half))
    assert upper_gamma(float(half), x) == pytest.approx(min(poisson, 1.0), rel=1e-9, abs=1e-12)


def test_few_expected_are_pooled_and_the_impossible_is_certain() -> None:
    fair = chi_square([50, 48, 1, 1], [0.5, 0.48, 0.01, 0.01])
    assert (fair.degrees, fair.pooled, fair.p) == (1, 2, 1.0)
    assert chi_square([0, 0], [0.5, 0.5]).p == 1.0
    never = chi_square([99, 1], [1.0, 0.0])
    assert (never.p, never.impossible) == (0.0, 1)
    assert chi_square([600, 400], [0.5, 0.5]).p < 1e-9


# -- the report ------------------------------------------------------------------------------------------------


class TestContract(StepContract):
    step = Skew
    config = {"table": str(SMALL)}
    rows = [{"state": "North"}]


def skewed(rows: list[Mapping[str, Any]], tmp_path: Path, **config: Any) -> dict[str, Any]:
    context = FakeContext(out=tmp_path)
    run_sink(build(Skew, {"table": str(SMALL), **config}), rows, context)
    assert {file.name for file in tmp_path.iterdir()} == {"skew.md", "skew.json", "skew.csv"}
    found: dict[str, Any] = json.loads((tmp_path / "skew.json").read_text(encoding="utf-8"))
    return {**found, **{one["variable"]: one for one in found["variables"]}}


def test_what_is_counted_apart(tmp_path: Path) -> None:
    rows: list[Mapping[str, Any]] = [
        {"home": home, "household_size": size, "age": age}
        for home, size, age in [
            ("North", "9+", 5), (" north ", "1", 70), ("SOUTH", "2", None), ("Norden", "3", 99), ("West", "x", 5),
            (None, None, 5), ("", "1", 5), ("South", "4", 5),
        ]
    ]  # fmt: skip
    found = skewed(rows, tmp_path, columns={"state": "home"}, values={"state": {"Norden": "North"}})
    state = found["state"]
    assert (state["known"], state["unknown"], state["empty"], state["several"]) == (5, 1, 2, 0)
    assert state["unknown_values"] == {"West": 1}
    assert state["values"][0] == {"value": "North", "count": 3, "share": 0.6, "expected": 0.6, "difference": 0.0}
    assert state["total_variation"] == 0.0
    assert (found["household_size"]["known"], found["household_size"]["unknown"]) == (6, 1)
    assert (found["age"]["known"], found["age"]["unknown"], found["age"]["empty"]) == (6, 1, 1)
    page = (tmp_path / "skew.md").read_text(encoding="utf-8")
    assert "# 8 personas against the table small 1" in page
    assert "Not in the table: 'West' (1)." in page
    table = list(csv.DictReader((tmp_path / "skew.csv").open(encoding="utf-8")))
    north = next(row for row in table if row["variable"] == "state" and row["value"] == "North")
    assert (north["count"], float(north["share"]), float(north["expected"])) == ("3", 0.6, 0.6)


def test_a_skewed_set_is_told_from_a_fair_one(tmp_path: Path) -> None:
    table = load_table(SMALL)
    codes = Drawing(table.variables, 5).codes(np.arange(4000, dtype=np.int64))
    names = ("state", "area", "religion")
    rows = [{name: table.variables[name].values[codes[name][i]] for name in names} for i in range(4000)]
    (tmp_path / "fair").mkdir()
    fair = skewed(rows, tmp_path / "fair")
    assert all(one["p"] > LEAST_P and one["total_variation"] < 0.03 for one in fair["variables"])
    assert all(one["total_variation"] < 4 * one["total_variation_by_chance"] + 0.01 for one in fair["variables"])
    biased = [row if row["religion"] == "Sun" or i % 3 else {**row, "religion": "Sun"} for i, row in enumerate(rows)]
    (tmp_path / "biased").mkdir()
    found = skewed(biased, tmp_path / "biased")
    assert found["religion"]["p"] < 1e-12 and found["religion"]["total_variation"] == pytest.approx(0.1, abs=0.03)
    assert found["religion"]["values"][0]["difference"] > 0.07
    assert found["state"]["p"] == fair["state"]["p"]


def test_a_pair_shows_the_skew_that_its_single_variables_hide(tmp_path: Path) -> None:
    shares = {("North", "urban"): 0.35, ("North", "rural"): 0.25, ("South", "urban"): 0.0, ("South", "rural"): 0.4}
    rows = [{"state": s, "area": a} for (s, a), share in shares.items() for _ in range(round(2000 * share))]
    found = skewed(rows, tmp_path)
    assert found["state"]["p"] > 0.99 and found["area"]["p"] > 0.99
    (pair,) = found["pairs"]
    assert (pair["given"], pair["variable"]) == ("state", "area")
    assert pair["p"] < 1e-12 and pair["total_variation"] == pytest.approx(0.4)


def test_values_are_found_in_free_text(tmp_path: Path) -> None:
    texts = [
        "A farmer from North who likes music", "in north.", "Northern lights", "from South to North", "", None,
        "The SOUTH of the land", "nowhere",
    ]  # fmt: skip
    found = skewed([{"about": text} for text in texts], tmp_path, text="about", detect=["state", "sex"])
    state = found["state"]
    assert [cell["count"] for cell in state["values"]] == [2, 1]
    assert (state["unknown"], state["several"], state["empty"]) == (2, 1, 2)
    assert state["detected_in_text"] and state["column"] is None
    assert "(from text)" in (tmp_path / "skew.md").read_text()


def test_names_of_indic_values_are_whole_words() -> None:
    table = load_table(SHIPPED[0])
    tally = Tally(table, {}, ["state", "mother_tongue"], "t")
    texts = ["एक किसान West Bengal में", "Bengali speaker of Delhi", "Delhiites", "Tamil Nadu", "Tamil"]
    tally.add(pa.RecordBatch.from_pydict({"t": texts}))
    states = dict(zip(table.variables["state"].values, tally.counts["state"].tolist(), strict=False))
    tongues = dict(zip(table.variables["mother_tongue"].values, tally.counts["mother_tongue"].tolist(), strict=False))
    assert {name: count for name, count in states.items() if count} == {"West Bengal": 1, "Delhi": 1, "Tamil Nadu": 1}
    assert tongues["Bengali"] == 1 and tongues["Tamil"] == 2


def test_no_rows_and_nothing_known(tmp_path: Path) -> None:
    found = skewed([{"state": ""}], tmp_path)
    assert found["state"]["total_variation"] is None and found["state"]["p"] == 1.0
    table = load_table(SMALL)
    assert report(table, Tally(table, {"state": "state"}))["rows"] == 0


def test_memory_does_not_grow_with_the_rows() -> None:
    table = load_table(SMALL)
    tally = Tally(table, {"state": "state"})

    def strange(start: int) -> Iterator[str]:
        return (f"place {i}" for i in range(start, start + 1000))

    for start in range(0, 5000, 1000):
        tally.add(pa.RecordBatch.from_pydict({"state": list(strange(start))}))
    assert len(tally.unknown["state"]) == 1000
    assert tally.counts["state"][2] == 5000


@pytest.mark.parametrize(
    ("config", "incoming", "field", "words"),
    [
        ({"columns": {"stat": "state"}}, {"state": "string"}, ("columns", "stat"), "no variable 'stat'"),
        ({"values": {"stat": {"a": "b"}}}, {"state": "string"}, ("values", "stat"), "no variable 'stat'"),
        ({"values": {"state": {"N": "Nord"}}}, {"state": "string"}, ("values", "state", "N"), "no value 'Nord'"),
        ({"columns": {"state": "s"}}, {"s": "list<string>"}, ("columns", "state"), "is list<string>"),
        ({"detect": ["states"], "text": "t"}, {"t": "string", "sex": "string"}, ("detect", 0), "no variable 'states'"),
        ({}, {"t": "string"}, ("columns",), "no column that arrives is a variable"),
    ],
)
def test_a_wish_that_cannot_be_met_is_told(
    config: dict[str, Any], incoming: dict[str, str], field: tuple[Any, ...], words: str
) -> None:
    problems = list(build(Skew, {"table": str(SMALL), **config}).check(incoming))
    assert (field, True) in [(problem.field, words in problem.message) for problem in problems]
