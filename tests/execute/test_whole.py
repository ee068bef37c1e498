"""Steps that see all rows at once account for every row that came in, and for no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from attar.api import Drop, New, Reject, Row
from attar.errors import AttarError
from attar.execute.faults import blamed_on
from attar.execute.whole import Account
from attar.store.ledger import Ledger
from attar.store.tables import RankWriter, StoredTable, join_ranks

IDS = [f"{n:032x}" for n in range(1, 5)]
FOREIGN = "f" * 32
Item = Row | Drop | New


@pytest.fixture()
def table(tmp_path: Path) -> StoredTable:
    writer = RankWriter(tmp_path, "00000", {"n": "int"})
    for n, id in enumerate(IDS):
        writer.append(id, (), None, {"n": n})
    join_ranks([writer.close()], tmp_path / "out", {"n": "int"})
    return StoredTable(tmp_path / "out")


def account(table: StoredTable, items: Sequence[Item]) -> None:
    files: Any = type("Files", (), {"ledger": Ledger()})()
    one = Account("s", {"t": table})
    for item in items:
        one.take(item)
    one.close(files)


def new(*parents: str, key: str = "k") -> New:
    return New(parents, key, {"n": 0})


def rows(*ids: str) -> list[Item]:
    return [Row(id, {"n": 0}, ()) for id in ids]


def test_ids_are_read_alone_and_in_order(table: StoredTable) -> None:
    assert list(table.ids()) == IDS


def test_rows_drops_and_parents_account_for_all(table: StoredTable) -> None:
    account(table, [*rows(IDS[0]), Drop(Row(IDS[1], {"n": 1}, ()), Reject("no")), new(IDS[2], IDS[3])])
    account(table, [*rows(*IDS), new(IDS[0]), new(IDS[0], key="other")])


@pytest.mark.parametrize(
    ("items", "word"),
    [
        (rows(*IDS[:3]), "4 rows came in, 3 came out"),
        (rows(*IDS[:3], FOREIGN), "none of the rows that came in"),
        ([*rows(*IDS[:3]), new(FOREIGN)], "4 rows came in, 3 came out"),
        ([*rows(*IDS), new(FOREIGN)], "none of the rows that came in"),
        ([*rows(*IDS), new(IDS[0]), new(IDS[0])], "two new rows"),
        (rows(*IDS, IDS[0]), "came out twice"),
    ],
)
def test_lost_foreign_and_doubled_rows_fail_the_step(table: StoredTable, items: Sequence[Item], word: str) -> None:
    with pytest.raises(AttarError, match=word):
        account(table, items)


@pytest.mark.parametrize(
    ("items", "word"),
    [
        ([new(id, id) for id in IDS], ""),  # as a join of two branches makes them
        ([*rows(IDS[0]), new(IDS[1], IDS[0]), new(IDS[2], IDS[1]), new(IDS[3], IDS[2]), *rows(IDS[3])], ""),
        (rows(*IDS, *IDS), ""),
        (rows(*IDS, *IDS[:3]), "8 rows came in, 7 came out"),
        (rows(*IDS, *IDS, IDS[0]), "8 rows came in, 9 came out"),
        (rows(*IDS, *IDS[:3], IDS[0]), "none of the rows that came in"),
    ],
)
def test_two_inputs_may_bring_one_id(table: StoredTable, items: Sequence[Item], word: str) -> None:
    files: Any = type("Files", (), {"ledger": Ledger()})()
    one = Account("s", {"left": table, "right": table})
    counted = sum(n for item in items for _, field, n in one.take(item).counts if field == "in")
    if word:
        with pytest.raises(AttarError, match=word):
            one.close(files)
    else:
        one.close(files)
        assert counted + files.ledger.to_json()["counts"]["s"]["in"] == 8


def test_a_reason_without_words_is_stored_as_none(table: StoredTable) -> None:
    why: Any = Reject("no", None)  # type: ignore[arg-type]
    result = Account("s", {"t": table}).take(Drop(Row(IDS[0], {"n": 0}, ()), why))
    assert result.outcomes[0].detail == ""


@pytest.mark.parametrize("kind", [RuntimeError, SystemExit])
def test_whatever_a_step_raises_is_told_by_its_name(kind: Callable[[str], BaseException]) -> None:
    def steps() -> Iterator[None]:
        with blamed_on("s", "x.y"):
            raise kind("boom")
        yield

    with pytest.raises(AttarError, match=r"step 's' \(x\.y\) failed: .*boom"):
        list(steps())
