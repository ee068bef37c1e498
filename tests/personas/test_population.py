"""Persons of a population: each one a function of seed and number alone, rendered in good English."""

from __future__ import annotations

import re
import tracemalloc
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.testing import FakeContext, StepContract, build, run_source
from attar_personas.population.draw import Drawing, Shuffled, random_bits
from attar_personas.population.english import article, capital, in_words, small
from attar_personas.population.render import Renderer
from attar_personas.population.source import Population
from attar_personas.population.tables import PLUGIN, load_table
from attar_personas.population.types import Table

SMALL = Path(__file__).parent / "tables" / "small.yaml"
SHIPPED = [PLUGIN / "tables" / f"{name}.yaml" for name in ("india", "indonesia")]
EVERY = 370_000_000


def persons(start: int = 0, stop: int = 3, **config: Any) -> list[tuple[Any, Any]]:
    return run_source(build(Population, {"table": str(SMALL), "seed": 7, **config}), start, stop)


class TestContract(StepContract):
    step = Population
    config = {"table": str(SMALL), "count": 5}


def test_the_first_persons_stay_who_they_are() -> None:
    """But for their domains, which follow the catalogue."""
    for (number, row), wanted in zip(persons(0, len(GOLDEN)), GOLDEN, strict=True):
        told = row["persona"].replace(row["domain"], "<domain>").replace(row["specific"], "<specific>")
        assert told == wanted
        if number == 0:
            assert {name: row[name] for name in FIRST} == FIRST


@settings(max_examples=40, deadline=None)
@given(st.integers(0, EVERY - 1), st.lists(st.integers(0, 40), min_size=1, max_size=6))
def test_any_slice_is_the_union_of_single_persons(start: int, cuts: list[int]) -> None:
    stop = min(start + 40, EVERY)
    whole = persons(start, stop)
    assert [key for key, _ in whole] == list(range(start, stop))
    edges = sorted({start, stop, *(min(start + cut, stop) for cut in cuts)})
    parts = [row for low, high in pairwise(edges) for row in persons(low, high)]
    assert parts == whole
    assert persons(start, start + 1) == whole[:1]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5000), st.integers(0, 2**31), st.integers(0, 60))
def test_a_sample_is_distinct_addressable_and_grows_at_its_end(people: int, seed: int, count: int) -> None:
    config = {"people": people, "seed": seed, "columns": ["person", "state"]}
    order = Shuffled(people, seed).persons(np.arange(people, dtype=np.int64))
    assert sorted(order) == list(range(people))
    count = min(count, people)
    sample = persons(0, count, sample=count, **config)
    assert [key for key, _ in sample] == order[:count].tolist()
    assert sample == persons(0, count, count=count, spread=True, **config)
    if count > 2:
        assert persons(1, 2, sample=count, **config) == sample[1:2]
        assert persons(0, count - 1, sample=count - 1, first=1, **config) == sample[1:]


def test_a_person_is_the_same_in_a_sample_and_in_a_row() -> None:
    for number, row in persons(0, 5, sample=5):
        assert persons(number, number + 1) == [(number, row)]


def test_another_seed_makes_another_population_and_another_variable_does_not() -> None:
    table = load_table(SMALL)
    numbers = np.arange(1000, dtype=np.int64)
    codes = Drawing(table.variables, 7).codes(numbers)
    fewer = {name: one for name, one in table.variables.items() if name not in ("sex", "religion")}
    without = Drawing(fewer, 7).codes(numbers)
    assert all((codes[name] == without[name]).all() for name in fewer)
    other = Drawing(table.variables, 8).codes(numbers)
    assert 0.3 < (codes["state"] == other["state"]).mean() < 0.7


def test_variables_are_drawn_independently_of_each_other() -> None:
    numbers = np.arange(200_000, dtype=np.int64)
    one, other = (random_bits(1, name, numbers).astype(float) for name in ("state", "sex"))
    for lag in range(3):
        assert abs(np.corrcoef(one[lag:], other[: len(other) - lag])[0, 1]) < 0.01
        assert lag == 0 or abs(np.corrcoef(one[lag:], one[:-lag])[0, 1]) < 0.01


def test_the_last_person_needs_no_memory_for_those_before() -> None:
    source = build(Population, {"table": str(SMALL), "seed": 7})
    context = FakeContext()
    list(source.rows(0, 1, context))
    tracemalloc.start()
    try:
        ((key, row),) = source.rows(EVERY - 1, EVERY, context)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (key, row["person"]) == (EVERY - 1, EVERY - 1)
    assert peak < 2_000_000
    assert source.count(context) == EVERY


def test_batches_are_the_rows_with_the_types_promised() -> None:
    source = build(Population, {"table": str(SMALL), "seed": 7, "count": 20_000})
    context = FakeContext()
    found = list(source.batches(0, None, context))
    assert len(found) > 1
    assert [key for keys, _, _ in found for key in keys] == list(range(20_000))
    batch = found[0][1]
    kinds = {"int": pa.int64(), "string": pa.string(), "float?": pa.float64()}
    assert {n: kinds[k] for n, k in source.writes({}).items()} == {f.name: f.type for f in batch.schema}
    assert batch.slice(0, 3).to_pylist() == [row for _, row in persons()]


def test_columns_may_be_chosen() -> None:
    chosen = ["domain", "specific", "age", "persona"]
    whole, few = persons()[2][1], persons(columns=chosen)[2][1]
    assert few == {name: whole[name] for name in chosen} and list(few) == chosen
    assert persons(columns=chosen[:3])[2][1] == {name: whole[name] for name in chosen[:3]}
    assert "persona" not in persons(render=False)[0][1]


@pytest.mark.parametrize(
    ("config", "field", "words"),
    [
        ({"count": 11, "people": 10}, ("count",), "asks for 11 persons from 0 on; there are 10"),
        ({"sample": 6, "people": 10, "first": 5}, ("sample",), "asks for 6 persons from 5 on; there are 5"),
        ({"first": 11, "people": 10}, ("first",), "first is 11, there are 10 people"),
        ({"sample": 1, "count": 1}, ("sample",), "sample and count do not go together"),
        ({"sample": 1, "spread": True}, ("sample",), "sample and spread do not go together"),
        ({"columns": ["stat"]}, ("columns", 0), "no column 'stat'"),
        ({"columns": ["persona"], "render": False}, ("columns", 0), "no column 'persona'"),
    ],
)
def test_a_wish_that_cannot_be_met_is_told(config: dict[str, Any], field: tuple[Any, ...], words: str) -> None:
    source = build(Population, {"table": str(SMALL), **config})
    (problem,) = source.check({})
    assert problem.field == field
    assert words in problem.message


# -- texts -----------------------------------------------------------------------------------------------------


def rendered(file: Path, count: int, seed: int) -> tuple[Table, dict[str, list[str]], list[str]]:
    table = load_table(file)
    numbers = np.arange(count, dtype=np.int64) * 7919
    codes = Drawing(table.variables, seed).codes(numbers)
    values = {name: [table.variables[name].values[code] for code in found] for name, found in codes.items()}
    return table, values, Renderer(table, seed).paragraphs(numbers, codes).to_pylist()


VOWEL_LETTER_CONSONANT_SOUND = ("one", "university", "unit", "unified", "useful", "european", "urdu-")
CONSONANT_LETTER_VOWEL_SOUND = (
    "hour",
    "honest",
    "8",
    "11",
    "18",
    "80",
    "81",
    "82",
    "83",
    "84",
    "85",
    "86",
    "87",
    "88",
    "89",
)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_texts_read_well(file: Path) -> None:
    _, _, texts = rendered(file, 25_000, seed=3)
    lengths = np.array([len(text.split()) for text in texts])
    assert lengths.min() >= 40
    assert lengths.max() <= 90
    assert len(set(texts)) > 0.999 * len(texts)
    for text in texts:
        assert not re.search(r"[{}]|  |\s[.,;]|\.\.|,,|\bnone\b", text), text
        assert text == unicodedata.normalize("NFC", text).strip()
        assert text[0].isupper() and text.endswith(".")
        assert not re.search(r"[.] [a-z]", text), text
    for match in re.findall(r"\b([Aa]n?) ([\w-]+)", " ".join(texts)):
        word = match[1].lower()
        begins = word.startswith(tuple("aeiou")) and not word.startswith(VOWEL_LETTER_CONSONANT_SOUND)
        vowel = begins or word.split("-")[0] in CONSONANT_LETTER_VOWEL_SOUND
        assert (match[0].lower() == "an") == vowel, match


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_children_have_no_occupation_and_do_not_marry(file: Path) -> None:
    table, values, texts = rendered(file, 25_000, seed=4)
    no_job = {"child", "student", "homemaker", "retired", "seeking work", "not working"}
    jobs = [said for job in table.variables["occupation"].values if job not in no_job for said in _said(table, job)]
    assert len(jobs) > 30
    young = [i for i, age in enumerate(values["age"]) if int(age) < 15]
    assert len(young) > 4000
    for i in young:
        assert values["occupation"][i] in ("child", "student")
        assert values["marital_status"][i] == "never married"
        assert not any(job in texts[i] for job in jobs), texts[i]
        assert "married" not in texts[i] and "university" not in texts[i].split("lives")[0]
    retired = [i for i, job in enumerate(values["occupation"]) if job == "retired"]
    assert retired and all(int(values["age"][i]) >= 45 for i in retired)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_religion_is_told_as_often_of_every_religion(file: Path) -> None:
    """Nobody's religion is marked more than another's: the choice of texts does not look at it."""
    table, values, texts = rendered(file, 40_000, seed=5)
    variable = table.variables["religion"]
    told = {}
    for religion in variable.values:
        at = [i for i, value in enumerate(values["religion"]) if value == religion]
        if len(at) >= 300:
            told[religion] = np.mean([any(said in texts[i] for said in variable.say[religion]) for i in at])
    whole = np.mean(list(told.values()))
    assert len(told) >= 4 and 0.2 < whole < 0.8
    assert all(abs(share - whole) < 0.12 for share in told.values()), told


def _said(table: Table, job: str) -> tuple[str, ...]:
    return table.variables["occupation"].say.get(job, (job,))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("engineer", "an"), ("farmer", "a"), ("18-year-old", "an"), ("80-year-old", "an"), ("8", "an"), ("11", "an"),
        ("118", "a"), ("1-year-old", "a"), ("one-year-old", "a"), ("university", "a"), ("uninvited guest", "an"),
        ("unimportant detail", "an"), ("hour", "an"), ("house", "a"), ("honest trader", "an"), ("heir", "an"),
        ("UN office", "a"), ("FM station", "an"), ("X-ray technician", "an"), ("European", "a"), ("Urdu teacher", "an"),
    ],
)  # fmt: skip
def test_articles_follow_the_sound(text: str, wanted: str) -> None:
    assert article(text) == wanted


def test_small_changes() -> None:
    assert capital("éa B") == "Éa B"
    assert (small("Soil health"), small("IT support")) == ("soil health", "IT support")
    assert [in_words(text) for text in ("1", "20", "21", "9+", "x", "२")] == [
        "one",
        "twenty",
        "21",
        "nine or more",
        "x",
        "२",
    ]


def test_no_persons_no_texts() -> None:
    table = load_table(SMALL)
    none = np.arange(0, dtype=np.int64)
    assert Renderer(table, 1).paragraphs(none, Drawing(table.variables, 1).codes(none)).to_pylist() == []


FIRST: dict[str, Any] = {
    "person": 0,
    "state": "North",
    "area": "rural",
    "sex": "female",
    "age_band": "15-59",
    "age": 16,
    "religion": "Sun",
    "mother_tongue": "Boreal",
    "second_language": "Austral",
    "third_language": "none",
    "education": "primary",
    "occupation": "farmer",
    "household_size": "4",
    "marital_status": "married",
    "general": "environment",
    "synth_method": "population",
    "confidence_score": None,
}
GOLDEN = [
    "She was raised in a Sun family, finished primary school and lives with four people in all. By trade, she is a "
    "farmer. Ask about environment.",
    "A 14-year-old of North, Examplia. He is growing up. He lives with five people in all.",
    "A 54-year-old of the rural North. He works as a farmer. He likes <domain>, <specific> above all.",
]
