"""The ledger: the same whatever the order of merging, and it says where rows went missing."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attar.store.ledger import FIELDS, KINDS, Ledger

EVENTS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(KINDS), st.sampled_from(["weak", "long"]), st.integers(0, 50)),
    max_size=40,
)


def ledger_of(events: list[tuple[str, str, str, int]]) -> Ledger:
    ledger = Ledger()
    for step, kind, code, order in events:
        ledger.count(step, kind)
        ledger.reason(step, kind, code, f"id{order}", f"detail {order}", order)
    return ledger


@given(events=EVENTS, data=st.data())
def test_ranks_and_merge_order_do_not_matter(events: list[Any], data: st.DataObject) -> None:
    ranks: list[list[Any]] = [[], [], []]
    for event in events:
        ranks[data.draw(st.integers(0, 2))].append(event)
    merged = Ledger()
    for rank in data.draw(st.permutations(ranks)):
        merged.merge(Ledger.from_json(orjson.loads(orjson.dumps(ledger_of(rank).to_json()))))
    assert orjson.dumps(merged.to_json()) == orjson.dumps(ledger_of(events).to_json())


@given(events=EVENTS)
def test_json_and_back(events: list[Any]) -> None:
    ledger = ledger_of(events)
    assert Ledger.from_json(ledger.to_json()).to_json() == ledger.to_json()


def test_the_first_three_examples_are_kept() -> None:
    ledger = Ledger()
    for order in (9, 3, 7, 1, 5):
        ledger.reason("essay", "rejected", "short", f"id{order}", f"{order} words", order)
    assert ledger.to_json()["reasons"] == {
        "essay": {
            "short": {
                "kind": "rejected",
                "count": 5,
                "examples": [{"id": f"id{n}", "detail": f"{n} words", "order": n} for n in (1, 3, 5)],
            }
        }
    }


def test_a_code_of_two_kinds_stands_twice_the_gravest_first() -> None:
    ledger = Ledger()
    ledger.reason("judge", "retried", "weak", "a", "", 0)
    ledger.reason("judge", "rejected", "weak", "a", "", 0)
    reasons = ledger.to_json()["reasons"]["judge"]
    assert {name: entry["kind"] for name, entry in reasons.items()} == {"weak": "rejected", "weak (retried)": "retried"}
    assert Ledger.from_json(ledger.to_json()).to_json() == ledger.to_json()


def test_a_step_that_loses_a_row_is_named() -> None:
    ledger = Ledger()
    ledger.count("good", "in", 5)
    ledger.count("good", "accepted", 2)
    for field in ("rejected", "review", "dead"):
        ledger.count("good", field)
    ledger.count("good", "made", 7)
    ledger.count("good", "passed_by", 7)
    assert ledger.check() == []
    ledger.count("bad", "in", 3)
    ledger.count("bad", "accepted", 2)
    assert ledger.check() == [
        "step 'bad' does not balance: 3 rows went in, 2 are accounted for (2 accepted, 0 rejected, 0 in review, 0 dead)"
    ]


def test_every_field_is_there_and_no_other() -> None:
    ledger = Ledger()
    ledger.count("a", "in")
    assert tuple(ledger.to_json()["counts"]["a"]) == FIELDS
    with pytest.raises(KeyError):
        ledger.count("a", "acepted")
