"""Decisions: the latest of a key counts, a segment is whole or absent, a key is that of one text and verdict."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attar.store import decisions as module
from attar.store.decisions import VERBS, Decision, append, decision_segments, latest, read_decisions, review_key, stands
from attar.store.journal import Journal, build_index, prune, records
from attar.store.segments import key_bytes
from attar.store.workspace import Workspace

TEXT = st.text(max_size=20)
JUDGED = st.dictionaries(st.sampled_from("abc"), TEXT | st.integers(0, 3) | st.lists(TEXT, max_size=2), max_size=3)


def made(key: str, reason: str = "r", **other: Any) -> Decision:
    return Decision(
        **{
            "key": key,
            "step": "judge",
            "row": "ab" * 16,
            "decision": "approve",
            "reason": reason,
            "who": "Asha",
            "when": "2026-01-02T03:04:05Z",
            **other,
        }
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    calls=st.lists(
        st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from(VERBS), TEXT), max_size=4), min_size=1, max_size=5
    ),
    clock=st.lists(st.integers(1, 10**18), min_size=5, max_size=5, unique=True),
)
def test_of_any_sequence_the_latest_counts_whatever_the_clock_says(
    calls: list[list[tuple[str, Any, str]]], clock: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    journal = tmp_path_factory.mktemp("journal")
    expected: dict[str, tuple[str, str]] = {}
    written = 0
    with pytest.MonkeyPatch.context() as patch:
        for call, moment in zip(calls, clock, strict=False):
            patch.setattr(module.time, "time_ns", lambda moment=moment: moment)
            append(journal, [made(key, reason, decision=verb) for key, verb, reason in call])
            written += len(call)
            expected.update({key: (verb, reason) for key, verb, reason in call})
    found = read_decisions(journal)
    assert [decision.number for decision in found] == list(range(1, written + 1))
    assert {key: (d.decision, d.reason) for key, d in latest(found).items()} == expected


@given(row=st.sampled_from(("a" * 32, "b" * 32)), step=st.sampled_from(("j", "k")), one=JUDGED, other=JUDGED)
def test_a_key_is_that_of_one_row_with_one_text_and_verdict(
    row: str, step: str, one: Mapping[str, Any], other: Mapping[str, Any]
) -> None:
    key = review_key(step, row, orjson.dumps(one))
    assert key == review_key(step, row, orjson.dumps(dict(reversed(one.items()))))
    assert (key == review_key(step, row, orjson.dumps(other))) == (one == other)
    assert key != review_key("another", row, orjson.dumps(one))
    assert key != review_key(step, "c" * 32, orjson.dumps(one))


def test_a_decision_comes_back_as_it_was_filed(tmp_path: Path) -> None:
    filed = made("k", "साफ़ है", decision="edit", columns={"a": ["ক", None, 1.5]}, judged='{"a": "ಕ"}')
    (numbered,) = append(tmp_path, [filed])
    assert read_decisions(tmp_path, judged=True) == (numbered,)
    assert read_decisions(tmp_path)[0].judged == ""
    assert read_decisions(tmp_path, {"other"}) == ()
    assert read_decisions(tmp_path / "none") == ()


def test_the_journal_carries_them_beside_answers(tmp_path: Path) -> None:
    with Journal(tmp_path, "abc123-0") as journal:
        journal.put("answer", "chat", {"text": "x"})
    append(tmp_path, [made("k", "first")])
    append(tmp_path, [made("k", "second")])
    assert build_index(tmp_path).records == 3
    assert [record.kind for record in records(tmp_path)].count("decision") == 2
    assert prune(tmp_path, lambda key: key != key_bytes("answer").hex()) == 1
    assert [d.reason for d in read_decisions(tmp_path)] == ["first", "second"]


def test_a_torn_tail_costs_only_what_it_touches(tmp_path: Path) -> None:
    append(tmp_path, [made("k", "first"), made("l", "second")])
    (path,) = decision_segments(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    assert [d.reason for d in read_decisions(tmp_path)] == ["first"]


def test_a_disk_that_refuses_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        append(tmp_path, [made("k")])
    assert list(tmp_path.iterdir()) == []


def test_how_far_a_judges_decisions_have_come(tmp_path: Path) -> None:
    assert stands(tmp_path) == {}
    append(tmp_path, [made("k"), made("l", step="other")])
    first = stands(tmp_path)
    assert {step: stand.made for step, stand in first.items()} == {"judge": 1, "other": 1}
    append(tmp_path, [made("k", "another reason")])
    second = stands(tmp_path)
    assert second["judge"].made == 2 and second["judge"].digest != first["judge"].digest
    assert second["other"] == first["other"]


def test_a_fresh_start_sets_answers_aside_and_keeps_decisions(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "r")
    append(workspace.journal, [made("k")])
    assert workspace.set_aside() is None
    with Journal(workspace.journal, "abc123-0") as journal:
        journal.put("answer", "chat", {"text": "x"})
    build_index(workspace.journal)
    aside = workspace.set_aside()
    assert aside is not None
    assert [record.kind for record in records(aside / "journal")] == ["chat"]
    assert [record.kind for record in records(workspace.journal)] == ["decision"]
    assert not (workspace.journal / "index.idx").exists()
