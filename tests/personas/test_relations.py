"""Groups as texts tell them, the catalogues of groups and relations, and who is related to whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.api import New, Row
from attar.testing import FakeContext, StepContract, build, run_dataset_step
from attar_personas.relations.ages import ages_in
from attar_personas.relations.catalogue import CatalogueError, folded, load_groups, load_relations
from attar_personas.relations.relate import Relate

DIRECTOR = "A film director who shoots in villages"
CLERK = "A land-records clerk in a hill district"
CHILD = "A seven-year-old who herds ducks"


class TestContract(StepContract):
    step = Relate
    config: ClassVar[dict[str, Any]] = {"relatives": 2}
    rows: ClassVar[list[dict[str, Any]]] = [{"persona": DIRECTOR, "x": 1}, {"persona": CLERK, "x": 2}]


def every_word() -> list[str]:
    return [word.rstrip("*") for group in load_groups().values() for some in group.words.values() for word in some]


# -- groups --------------------------------------------------------------------------------------------------------


def test_every_group_is_told_by_its_example_and_by_each_of_its_words() -> None:
    groups = load_groups()
    for group in groups.values():
        assert group.id in groups.told_by(group.example), group.id
        for code, listed in group.words.items():
            for word in listed:
                also = group.also.get(code, ("",))[0].rstrip("*")
                text = f"{word.replace('वाल*', 'वाला').rstrip('*')} {also}"
                assert group.id in groups.told_by(text), (group.id, word)


def test_each_group_has_words_in_three_languages_and_a_relation_that_leads_to_it() -> None:
    led = {group for relation in load_relations().values() for group in relation.leads_to}
    for group in load_groups().values():
        assert set(group.words) == {"en", "hi", "id"}, group.id
        assert all(group.words.values())
        assert 0 < group.share < 0.2
        assert group.id in led
    assert sum(group.share for group in load_groups().values()) < 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("An elderly widow who lives alone above a flour mill", ["elder_alone"]),
        ("An elderly widow who lives with three sons", []),
        ("A 72-year-old radio mechanic, alone since spring", ["elder_alone"]),
        ("A ten-year-old who sells balloons", ["primary_child"]),
        ("A mother of a ten-year-old who sells balloons", []),
        ("A social worker who helps homeless people", []),
        ("The son of a rag picker, studying law", []),
        ("A Rag-Picker who reads the labels", ["rag_picker"]),
        ("एक कूड़ा बीनने वाली जो गीत लिखती है", ["rag_picker"]),
        ("बारह साल की एक लड़की जो कबड्डी खेलती है", ["young_teen"]),
        ("Seorang pemulung berusia 70 tahun yang tinggal sendirian", ["elder_alone", "rag_picker"]),
        ("A beggarly sum counter", []),  # a word is no part of another
        ("", []),
    ],
)
def test_groups_a_text_tells(text: str, told: list[str]) -> None:
    assert load_groups().told_by(text) == told


@settings(max_examples=200)
@given(st.lists(st.sampled_from(["a", "of a", "alone", "with", "9 year old", *every_word()]), max_size=6).map(" ".join))
def test_a_catalogue_finds_what_each_of_its_groups_finds(text: str) -> None:
    groups = load_groups()
    assert groups.told_by(text) == [id for id, group in groups.items() if group.told_by(text)]


@pytest.mark.parametrize(
    ("text", "ages"),
    [
        ("a 7-year-old", [7]),
        ("a seventy-two year old man", [72]),
        ("aged 15, in Pune", [15]),
        ("with her 9-year-old", []),
        ("५ वर्षीय बच्ची", [5]),
        ("पाँच साल की बच्ची", [5]),
        ("berusia dua belas tahun", [12]),
        ("umur 8 tahun", [8]),
        ("worked there for 7 years", []),
    ],
)
def test_ages(text: str, ages: list[int]) -> None:
    assert ages_in(folded(text)) == ages


# -- catalogues ----------------------------------------------------------------------------------------------------


def test_every_relation_leads_back() -> None:
    relations = load_relations()
    kinds = {relation.kind for relation in relations.values()}
    assert {"family", "work_up", "work_down", "colleagues", "service", "care", "neighbours", "teaching"} == kinds
    for relation in relations.values():
        assert relations[relation.inverse].inverse == relation.id


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("format: attar-groups/2", "format"),
        ("- a list", "valid dictionary"),
        ("a: [", "no YAML"),
        ("format: attar-groups/1\nname: x\nversion: '1'\ngroups: []", "groups"),
        (
            "format: attar-groups/1\nname: x\nversion: '1'\n"
            "groups: [{id: a, label: a, example: a, share: 2, words: {en: [a]}}]",
            "share",
        ),
        (
            "format: attar-groups/1\nname: x\nversion: '1'\ngroups: [{id: a, label: a, example: a, share: 0.1}]",
            "neither words nor ages",
        ),
    ],
)
def test_a_broken_catalogue_is_told_before_anything_runs(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "groups.yaml"
    path.write_text(text)
    with pytest.raises(CatalogueError, match=told):
        load_groups(str(path))
    problems = list(build(Relate, {"groups": str(path)}).check({"persona": "string"}))
    assert [problem.field for problem in problems] == [("groups",)]
    assert [p.field for p in build(Relate, {"groups": str(tmp_path / "none.yaml")}).check({})] == [("groups",)]


def test_a_relation_to_nowhere_is_told(tmp_path: Path) -> None:
    path = tmp_path / "relations.yaml"
    head = "format: attar-relations/1\nname: x\nversion: '1'\nrelations: [{id: a, kind: b, text: c, inverse: %s}]"
    path.write_text(head % "d")
    problems = list(build(Relate, {"relations": str(path)}).check({}))
    assert [problem.field for problem in problems] == [("relations",)]
    path = tmp_path / "fine.yaml"
    path.write_text(head % "a")
    assert not list(build(Relate, {"relations": str(path)}).check({}))


# -- relate --------------------------------------------------------------------------------------------------------


def related(rows: Sequence[Any], seed: int = 0, **config: Any) -> tuple[list[Row], list[New]]:
    out = run_dataset_step(build(Relate, config, name="relate"), rows, FakeContext(seed=seed, step="relate"))
    return [one for one in out if isinstance(one, Row)], [one for one in out if isinstance(one, New)]


def test_old_rows_stay_and_new_ones_know_where_they_come_from() -> None:
    old, new = related([{"persona": DIRECTOR, "mine": 5}, {"persona": CLERK, "mine": 6}], relatives=2, extra=0)
    assert [row["mine"] for row in old] == [5, 6]
    assert all(row["hop"] == 0 and row["root_id"] == row.id and row["fresh"] is False for row in old)
    assert Counter(one.parents[0] for one in new) == {row.id: 2 for row in old}
    by_id = {row.id: row for row in old}
    for one in new:
        parent = by_id[one.parents[0]]
        columns = one.columns
        assert (columns["hop"], columns["fresh"], columns["root_id"]) == (1, True, parent.id)
        assert columns["persona"] == columns["parent_persona"] == parent["persona"]
        assert columns["mine"] is None and columns["relation_text"]
    assert len({(one.parents[0], one.columns["relation"]) for one in new}) == 4  # never twice the same relation


def test_the_order_of_rows_does_not_matter() -> None:
    rows = [Row(f"{n:032x}", {"persona": f"{who} number {n}"}) for n, who in enumerate([DIRECTOR, CLERK, CHILD] * 12)]
    shuffled = list(rows)
    Random(1).shuffle(shuffled)

    def chosen(given: Sequence[Row]) -> set[tuple[Any, ...]]:
        return {(one.parents[0], one.key, one.columns["group"]) for one in related(given)[1]}

    assert chosen(rows) == chosen(shuffled)
    assert chosen(rows) != {(one.parents[0], one.key, one.columns["group"]) for one in related(rows, seed=1)[1]}


def test_deficits_choose_the_relations() -> None:
    rows = [{"persona": f"{CLERK}, desk {n}"} for n in range(200)]
    _, new = related(rows, relatives=1, extra=1)
    wanted = Counter(one.columns["group"] for one in new)
    groups = load_groups()
    for id, group in groups.items():
        if id != "backstage_crew":  # no clerk knows any
            assert wanted[id] == pytest.approx(group.share * 400, abs=1), id
    assert wanted["backstage_crew"] == 0
    full = [{"persona": f"{group.example}, desk {n}"} for group in groups.values() for n in range(20)]
    _, others = related(full, relatives=1, extra=1, at_most=10)
    assert len(others) == 10
    assert not any(one.columns["group"] for one in others)  # nothing is short of its share


def test_only_the_newest_are_followed_and_nobody_is_sent_back() -> None:
    relations = load_relations()
    state = {"root_id": "0" * 32, "fresh": True, "parent_id": "0" * 32, "parent_persona": DIRECTOR, "hop": 1}
    first = {"persona": DIRECTOR, **dict.fromkeys(state), "hop": 0, "relation": None}
    second = [{"persona": f"{CLERK}, desk {n}", **state, "relation": "neighbour"} for n in range(30)]
    old, new = related([first, *second], relatives=5, extra=2)
    assert {one.columns["parent_persona"] for one in new}.isdisjoint({DIRECTOR})
    assert {one.columns["hop"] for one in new} == {2}
    assert {one.columns["root_id"] for one in new} == {"0" * 32}
    assert relations["neighbour"].inverse not in {one.columns["relation"] for one in new}
    assert [row["relation"] for row in old] == [None, *["neighbour"] * 30]


def test_relations_fit_the_person() -> None:
    _, new = related(
        [{"persona": CHILD}] * 1 + [{"persona": f"{CHILD} and counts to {n}"} for n in range(60)], relatives=6
    )
    found = {one.columns["relation"] for one in new}
    assert not found & {"child", "grandchild", "spouse", "pupil", "apprentice", "subordinate", "crew_behind_the_scenes"}
    assert {"parent", "teacher"} & found


def test_at_most() -> None:
    rows = [{"persona": f"{CLERK}, desk {n}"} for n in range(40)]
    assert len(related(rows, relatives=2, extra=3, at_most=7)[1]) == 7


def test_blank_personas_lead_nowhere() -> None:
    old, new = related([{"persona": ""}, {"persona": CLERK}], extra=0)
    assert len(old) == 2 and [one.parents[0] for one in new] == [old[1].id]
