"""The distillation's steps up to the task, each alone: catalogue, dealing, nearness, assignment; and its prompts."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from attar.api import Reject, Retry, RowError, SchemaRef
from attar.recipe.expressions import render
from attar.testing import FakeContext, StepContract, build, run_dataset_step, run_judge, run_row_step
from attar_personas.catalogues import domains
from attar_personas.distillation.assign import CheckTask, WriteTask
from attar_personas.distillation.catalogue import TaskCatalogue, load_tasks
from attar_personas.distillation.deal import Deal, deal_one, shares
from attar_personas.distillation.near import NearTasks, candidates, ranked
from attar_personas.distillation.types import OUTPUT_TYPES

ROOT = Path(__file__).parents[2]
TASKS = yaml.safe_load((ROOT / "plugins/attar_personas/catalogues/tasks.yaml").read_text(encoding="utf-8"))
REF = {"files": {"": "tasks.yaml"}, "schemas": {"": TASKS}}
CATALOGUE = TaskCatalogue.model_validate(TASKS)

# -- the task catalogue ----------------------------------------------------------------------------------------------


def test_the_catalogue_has_two_tasks_for_every_general_field_and_many_for_every_type() -> None:
    per_field = Counter(task.domain for task in CATALOGUE.tasks)
    fields = {one.general for one in domains()}
    assert per_field.keys() == fields
    assert min(per_field.values()) >= 2
    assert len(CATALOGUE.tasks) >= 120
    assert len({task.id for task in CATALOGUE.tasks}) == len(CATALOGUE.tasks)
    assert len({task.function for task in CATALOGUE.tasks}) == len(CATALOGUE.tasks)
    for kind in OUTPUT_TYPES:
        assert sum(kind in task.types for task in CATALOGUE.tasks) >= 40, kind


@pytest.mark.parametrize(
    ("tasks", "told"),
    [
        ({"name": "t"}, "tasks"),
        ({"name": "t", "tasks": [{"id": "A b", "domain": "d", "context": "c", "function": "f"}]}, "tasks.0.id"),
        (
            {"name": "t", "tasks": [{"id": "a", "domain": "d", "context": "c", "function": "f", "types": ["poem"]}]},
            "types",
        ),
        ({"name": "t", "tasks": [{"id": "a", "domain": "d", "context": "", "function": "f"}]}, "context"),
    ],
)
def test_a_faulty_catalogue_is_told_by_place(tasks: dict[str, Any], told: str) -> None:
    ref = SchemaRef.model_validate({"files": {"": "mine.yaml"}, "schemas": {"": tasks}})
    with pytest.raises(ValueError, match=re.escape(told)):
        load_tasks(ref)
    step = build(NearTasks, {"tasks": ref})
    problems = list(step.check({}))
    assert problems and told in problems[0].message and "mine.yaml" in problems[0].message


def test_doubled_ids_and_types_without_a_task_are_told() -> None:
    one = {"id": "a", "domain": "d", "context": "c", "function": "f", "types": ["qa"]}
    ref = SchemaRef.model_validate({"files": {"": "m.yaml"}, "schemas": {"": {"name": "t", "tasks": [one, one]}}})
    messages = [problem.message for problem in build(NearTasks, {"tasks": ref}).check({})]
    assert any("'a' is there twice" in message for message in messages)
    assert any("no task suits the output type 'article'" in message for message in messages)


# -- dealing ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 20), min_size=1, max_size=8), st.integers(1, 300))
@settings(max_examples=60, deadline=None)
def test_every_prefix_holds_each_share_within_one(weights: list[int], rows: int) -> None:
    parts = shares({f"l{n}": float(weight) for n, weight in enumerate(weights)})
    dealt: Any = {(): Counter()}
    for count in range(1, rows + 1):
        deal_one({"axis": parts}, dealt)
        for label, share in parts.items():
            assert abs(dealt[()][label] - share * count) < 1


def test_two_axes_of_equal_length_do_not_fall_into_step() -> None:
    step = build(Deal, {"axes": {"a": ["x", "y", "z"], "b": "p:1,q:1,r:1"}, "each": 3})
    rows = run_dataset_step(step, [{"n": n} for n in range(30)])
    pairs = Counter((deal["a"], deal["b"]) for row in rows for deal in row["deals"])  # type: ignore[union-attr, index]
    assert set(pairs.values()) == {10} and len(pairs) == 9


def test_more_rows_change_nothing_for_those_before() -> None:
    def dealt(count: int) -> list[Any]:
        step = build(Deal, {"axes": {"a": {"x": 3, "y": 2, "z": 0}}})
        return [row["deals"] for row in run_dataset_step(step, [{"n": n} for n in range(count)])]  # type: ignore[union-attr, index]

    assert dealt(40)[:17] == dealt(17)
    assert not any(deal["a"] == "z" for deals in dealt(40) for deal in deals)


@pytest.mark.parametrize(
    "axes", [{}, {"a": []}, {"a": "x:y"}, {"a": ["x", "x"]}, {"a": {"x": -1}}, {"a": {"x": float("inf")}}]
)
def test_axes_that_say_nothing_are_refused(axes: Any) -> None:
    with pytest.raises(ValidationError):
        build(Deal, {"axes": axes})


def test_weights_of_zero_alone_are_told() -> None:
    assert [problem.field for problem in build(Deal, {"axes": {"a": {"x": 0}}}).check({})] == [("axes", "a")]
    assert shares({"a": 0.1, "b": 0.2}) == {"a": Fraction(1, 3), "b": Fraction(2, 3)}


# -- near tasks ------------------------------------------------------------------------------------------------------

PERSONA = {"sp_1": "handloom weaving", "gd_1": "textiles", "sp_01": None, "gd_01": ""}


def near(row: dict[str, Any], deals: list[dict[str, str]], **config: Any) -> list[dict[str, Any]]:
    step = build(NearTasks, {"tasks": SchemaRef.model_validate(REF), **config})
    (made,) = run_row_step(step, [{**row, "deals": deals}])
    assert isinstance(made, list)
    return [dict(one) for one in made]


def test_the_nearest_tasks_come_first_and_suit_the_type() -> None:
    (made,) = near(PERSONA, [{"output_type": "article", "cross_language": "Hindi"}])
    assert {one["task_id"] for one in made["candidates"][:2]} == {"textile_handloom_price", "textile_natural_dye"}
    assert len(made["candidates"]) == 8 and made["task_number"] == 1 and made["cross_language"] == "Hindi"
    suits = {task.id: task.types for task in CATALOGUE.tasks}
    for kind in OUTPUT_TYPES:
        (made,) = near(PERSONA, [{"output_type": kind}])
        assert len(made["candidates"]) == 8
        assert all(kind in suits[one["task_id"]] for one in made["candidates"])


def test_a_language_is_written_by_its_name() -> None:
    made = near(PERSONA, [{"output_type": "qa", "cross_language": "ta"}], language_axis="cross_language")
    assert made[0]["cross_language"] == "Tamil"


def test_rows_of_one_persona_share_no_candidate_while_there_are_enough() -> None:
    made = near(PERSONA, [{"output_type": "article"}] * 5)
    offered = [one["task_id"] for row in made for one in row["candidates"]]
    assert len(offered) == 40 == len(set(offered))
    assert [row["task_number"] for row in made] == [1, 2, 3, 4, 5]


def test_a_short_catalogue_is_shared_rather_than_refused() -> None:
    order = ranked(CATALOGUE, ["weaving"], FakeContext())
    for number in range(40):
        assert len(candidates(order, "dialogue", number, 40, 8)) == 8


@given(st.lists(st.text(max_size=60), min_size=4, max_size=4))
@settings(max_examples=40, deadline=None)
def test_any_labels_give_k_distinct_candidates(labels: list[str]) -> None:
    order = ranked(CATALOGUE, labels, FakeContext())
    assert sorted(task.id for task in order) == sorted(task.id for task in CATALOGUE.tasks)


def test_ties_depend_on_the_seed_and_nearness_does_not() -> None:
    one = ranked(CATALOGUE, ["zzzz"], FakeContext(seed=1))
    other = ranked(CATALOGUE, ["zzzz"], FakeContext(seed=2))
    assert one != other and one == ranked(CATALOGUE, ["zzzz"], FakeContext(seed=1))
    assert {task.domain for task in ranked(CATALOGUE, ["Cricket coaching"], FakeContext())[:2]} == {"sports"}


def test_other_scripts_are_words_too() -> None:
    assert ranked(CATALOGUE, ["हथकरघा बुनाई", "handloom"], FakeContext())[0].domain == "textiles"


# -- assignment ------------------------------------------------------------------------------------------------------

OFFERED = [
    {"task_id": name, "domain": "d", "context": f"c {name}", "function": "f", "languages": ""}
    for name in ("one", "two")
]


@pytest.mark.parametrize(
    ("picked", "tried", "code"),
    [
        ("one", (), ""),
        ("three", (), "unknown_task"),
        (None, (), "unknown_task"),
        ("one", ("one",), "tried_task"),
        ("two", ("one",), ""),
    ],
)
def test_only_a_candidate_that_was_not_tried_passes(picked: str | None, tried: tuple[str, ...], code: str) -> None:
    context = FakeContext(retry=Retry(len(tried) + 1, (), (), tried))
    (verdict,) = run_judge(build(CheckTask), [{"task_id": picked, "candidates": OFFERED}], context)
    assert not isinstance(verdict, RowError)
    assert verdict.code == code
    if code:
        named = verdict.feedback.partition("Choose one of: ")[2].split(", ")
        assert named == [name for name in ("one", "two") if name not in tried]


def test_the_task_becomes_columns() -> None:
    good, bad = run_row_step(
        build(WriteTask), [{"task_id": "two", "candidates": OFFERED}, {"task_id": "six", "candidates": OFFERED}]
    )
    assert good == {"task_domain": "d", "task_context": "c two", "task_function": "f", "task_languages": ""}
    assert isinstance(bad, Reject) and bad.code == "unknown_task"


# -- prompts ---------------------------------------------------------------------------------------------------------


def prompt(name: str, **values: Any) -> str:
    text = (ROOT / "prompts" / name).read_text(encoding="utf-8").split("# user\n", 1)[1]
    return render(text, {"retry": Retry(), "params": {"min_words": 900}, **values})


@pytest.mark.parametrize("layout", ["seed", "prefix_friendly"])
def test_articles_are_asked_for_by_the_published_template(layout: str) -> None:
    task = {"task_domain": "water", "task_context": "the tank is dry", "task_function": "share what is left"}
    essay = prompt(
        f"personas/essay_{layout}.md",
        ps="a weaver",
        domain="water",
        question="How would you share what is left, when the tank is dry?",
    )
    assert prompt(f"distillation/article_{layout}.md", ps="a weaver", **task) == essay


@pytest.mark.parametrize("name", ["article_prefix_friendly", "dialogue", "qa", "cot", "cross_lingual"])
def test_what_is_the_same_for_all_rows_stands_first(name: str) -> None:
    def one(value: str) -> str:
        names = ("ps", "task_domain", "task_context", "task_function", "task_languages", "cross_language")
        return prompt(f"distillation/{name}.md", **dict.fromkeys(names, value))

    shared = next(n for n, (a, b) in enumerate(zip(one("x"), one("y"), strict=False)) if a != b)
    assert shared > 0.8 * len(one("x"))


# -- contracts -------------------------------------------------------------------------------------------------------

DEALT = [
    {**PERSONA, "deals": [{"output_type": "qa", "cross_language": "Hindi"}]},
    {**PERSONA, "sp_1": None, "deals": []},
]


class TestDeal(StepContract):
    step = Deal
    config = {"axes": {"output_type": ["qa", "cot"]}}
    rows = [{"a": 1}, {"a": None}]


class TestNearTasks(StepContract):
    step = NearTasks
    config = {"tasks": REF}
    rows = DEALT
    incoming = {
        **dict.fromkeys(PERSONA, "string?"),
        "deals": "list<struct<output_type:string,cross_language:string>>",
    }


class TestCheckTask(StepContract):
    step = CheckTask
    rows = [{"task_id": "one", "candidates": OFFERED}, {"task_id": None, "candidates": OFFERED}]


class TestWriteTask(StepContract):
    step = WriteTask
    rows = [{"task_id": "one", "candidates": OFFERED}, {"task_id": "x", "candidates": None}]
