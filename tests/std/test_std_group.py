"""std.group: which rows sit together, what becomes of those left over, and what the new row holds."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attar.api import ConfigProblem, Drop, New
from attar.testing import StepContract, build, run_dataset_step
from attar_std.group import Group

COLUMNS = {"topic": "string?", "n": "int", "text": "string?"}


class TestContract(StepContract):
    step = Group
    config = {"by": "topic", "collect": ["text"], "size": 2, "remainder": "keep", "ids": "ids", "name": "panel"}
    rows = [
        {"topic": "a", "n": 1, "text": "x"},
        {"topic": None, "n": 2, "text": "y"},
        {"topic": "a", "n": 3, "text": None},
    ]
    columns = COLUMNS


def grouped(rows: list[dict[str, Any]], **config: Any) -> tuple[list[dict[str, Any]], Counter[str]]:
    out = run_dataset_step(build(Group, config), rows)
    new = [dict(item.columns) for item in out if isinstance(item, New)]
    return new, Counter(item.why.code for item in out if isinstance(item, Drop))


def rows(*topics: str | None) -> list[dict[str, Any]]:
    return [{"topic": topic, "n": n, "text": f"t{n}"} for n, topic in enumerate(topics)]


def test_rows_of_one_value_in_the_order_they_came() -> None:
    made, lost = grouped(rows("b", "a", "b", "a", "b"), by="topic", collect=["n"], size=2)
    assert made == [{"topic": "a", "n": [1, 3]}, {"topic": "b", "n": [0, 2]}]
    assert lost == {"remainder": 1}
    made, lost = grouped(rows("b", "a", "b", "a", "b"), by="topic", collect={"n": "numbers"}, size=2, remainder="keep")
    assert made == [
        {"topic": "a", "numbers": [1, 3]},
        {"topic": "b", "numbers": [0, 2]},
        {"topic": "b", "numbers": [4]},
    ]
    assert not lost


def test_without_a_size_all_that_share_the_values() -> None:
    made, lost = grouped(rows("b", "a", None, "b", "b"), by=["topic"], collect=["n"], min_size=2, name="group")
    assert made == [{"topic": "b", "n": [0, 3, 4], "group": "b"}]
    assert lost == {"too_few": 1, "no_group": 1}


def test_structs_keep_what_belongs_together() -> None:
    made, _ = grouped(rows("a", "a"), by="topic", collect={"n": "number", "text": "text"}, into="members", ids="id_of")
    (one,) = made
    assert [set(member) for member in one["members"]] == [{"id_of", "number", "text"}] * 2
    assert [(member["number"], member["text"]) for member in one["members"]] == [(0, "t0"), (1, "t1")]
    assert len({member["id_of"] for member in one["members"]}) == 2


def test_the_types_it_writes() -> None:
    step = build(Group, {"by": "topic", "collect": ["text"], "ids": "ids", "name": "panel"})
    assert step.writes(COLUMNS) == {
        "topic": "string",
        "panel": "string",
        "ids": "list<string>",
        "text": "list<string?>",
    }
    step = build(Group, {"by": "n", "collect": {"text": "said"}, "into": "all", "ids": "row"})
    assert step.writes(COLUMNS) == {"n": "int", "all": "list<struct<row:string,said:string?>>"}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"by": "j", "collect": ["text"]}, "cannot be sorted"),
        ({"by": "topic", "collect": ["text"], "size": 2, "min_size": 3}, "no group can be made"),
        ({"by": "topic", "collect": ["text"], "remainder": "keep"}, "nothing remains"),
        ({"by": "topic", "collect": {"n": "a", "text": "a"}}, "two collected columns"),
    ],
)
def test_mistakes_are_told(config: dict[str, Any], said: str) -> None:
    columns = {**COLUMNS, "j": "json"}
    problems = [problem.message for problem in Group(Group.Config(**config)).check(columns)]
    assert any(said in problem for problem in problems), problems


def test_a_group_cannot_write_over_its_own_value() -> None:
    with pytest.raises(ConfigProblem, match="written twice"):
        Group(Group.Config(by="topic", collect={"text": "topic"})).writes(COLUMNS)


@given(
    st.lists(st.sampled_from(["a", "b", "c", None]), max_size=30), st.integers(1, 4), st.sampled_from(["keep", "drop"])
)
def test_every_row_has_one_fate(topics: list[str | None], size: int, remainder: str) -> None:
    given_rows = rows(*topics)
    made, lost = grouped(given_rows, by="topic", collect=["n"], size=size, remainder=remainder)
    taken = [n for group in made for n in group["n"]]
    assert len(taken) == len(set(taken))
    assert len(taken) + sum(lost.values()) == len(topics)
    assert lost["no_group"] == topics.count(None)
    for group in made:
        assert group["n"] == sorted(group["n"])
        assert all(given_rows[n]["topic"] == group["topic"] for n in group["n"])
        assert len(group["n"]) == size or remainder == "keep"
    counts = Counter(topic for topic in topics if topic is not None)
    assert lost["remainder"] == (sum(c % size for c in counts.values()) if remainder == "drop" else 0)
