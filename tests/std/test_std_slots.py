"""std.slots and std.quota: exact marginals, balanced cells, addressable order."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st

from attar.api import Drop, Row
from attar.identity import seed_of
from attar_std._quota import cell_counts, controlled, largest_remainder
from attar_std.quota import Quota, QuotaConfig
from attar_std.slots import Slots, SlotsConfig

weights = st.lists(st.integers(0, 50), min_size=1, max_size=6).filter(any)


def context(attempt: int = 1, row: str = "") -> SimpleNamespace:
    shorts: list[tuple[str, int]] = []
    return SimpleNamespace(
        seed=lambda key="", sample=0: seed_of(7, "slots", row, attempt, key, sample),
        shorts=shorts,
        shortfall=lambda what, count: shorts.append((what, count)),
    )


@given(st.integers(0, 5000), weights)
def test_largest_remainder_is_exact_and_fair(total: int, parts: list[int]) -> None:
    counts = largest_remainder(total, [Fraction(p) for p in parts])
    assert sum(counts) == total
    for count, part in zip(counts, parts, strict=True):
        assert abs(Fraction(count) - Fraction(part * total, sum(parts))) < 1


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8), st.data())
def test_controlled_rounding_keeps_both_sums_and_rounds_each_entry(lines: list[int], data: st.DataObject) -> None:
    total = sum(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, total), max_size=6)))
    columns = [b - a for a, b in zip([0, *cuts], [*cuts, total], strict=True)]
    table = controlled(lines, columns)
    assert [sum(row) for row in table] == lines
    assert [sum(column) for column in zip(*table, strict=True)] == columns
    for row, line in zip(table, lines, strict=True):
        for entry, column in zip(row, columns, strict=True):
            assert total == 0 or abs(Fraction(entry) - Fraction(line * column, total)) < 1


@given(st.integers(1, 600), st.lists(weights, min_size=1, max_size=4))
@settings(deadline=None)
def test_every_marginal_is_its_largest_remainder_and_cells_are_balanced(rows: int, parts: list[list[int]]) -> None:
    axes = {f"a{k}": {f"l{i}": Fraction(w) for i, w in enumerate(one)} for k, one in enumerate(parts)}
    counts = cell_counts(rows, axes)
    assert sum(counts.values()) == rows and min(counts.values()) >= 0
    exact = []
    for k, labels in enumerate(axes.values()):
        marginal = [sum(n for cell, n in counts.items() if cell[k] == label) for label in labels]
        assert marginal == largest_remainder(rows, list(labels.values()))
        exact.append(dict(zip(labels, marginal, strict=True)))
    order = sorted(range(len(exact)), key=lambda k: -max(exact[k].values()))
    bound, factor = Fraction(1), Fraction(1)
    for k in order[2:]:  # 1 + q3 + q3·q4 …, from the inside out
        factor = Fraction(max(exact[k].values()), rows)
        bound = 1 + bound * factor
    for cell, count in counts.items():
        share = Fraction(rows)
        for k, label in enumerate(cell):
            share *= Fraction(exact[k][label], rows)
        assert abs(count - share) < bound


def example(**more: object) -> Slots:
    axes = {
        "tier": {"direct": 40, "reasoning": 40, "edge_case": 20},
        "persona": ["anxious_parent", "ambitious_student", "confused_transfer", "local_villager"],
        "technique": {"implicit_cot": 85, "hard_negative": 15},
    }
    return Slots(SlotsConfig.model_validate({"rows": 1000, "axes": axes, **more}))


def test_the_design_example_meets_its_quotas() -> None:
    slots = example()
    assert list(slots.check({})) == []
    assert slots.writes({})["tier"] == "string"
    rows = [row for _, row in slots.rows(0, None, context())]  # type: ignore[arg-type]
    assert slots.count(context()) == len(rows) == 1000  # type: ignore[arg-type]
    assert Counter(r["tier"] for r in rows) == {"direct": 400, "reasoning": 400, "edge_case": 200}
    assert Counter(r["persona"] for r in rows) == dict.fromkeys({r["persona"] for r in rows}, 250)
    assert Counter(r["technique"] for r in rows) == {"implicit_cot": 850, "hard_negative": 150}
    assert Counter((r["tier"], r["persona"]) for r in rows)["direct", "local_villager"] == 100
    assert [r["slot"] for r in rows] == list(range(1000))
    for size in (10, 50, 200, 500):  # any prefix is nearly balanced
        tiers = Counter(r["tier"] for r in rows[:size])
        assert abs(tiers["direct"] - 0.4 * size) <= 0.1 * size + 1, (size, tiers)


@given(st.lists(st.integers(0, 1000), max_size=6))
@settings(deadline=None, max_examples=20)
def test_any_partition_gives_the_same_slots(cuts: list[int]) -> None:
    slots = example(draw={"mood": ["calm", "angry"]})
    whole = list(slots.rows(0, None, context()))  # type: ignore[arg-type]
    edges = [0, *sorted(cuts), 1000]
    parts = [
        item for a, b in pairwise(edges) for item in example(draw={"mood": ["calm", "angry"]}).rows(a, b, context())
    ]  # type: ignore[arg-type]
    assert parts == whole


def test_more_rows_keep_the_keys_there_were_and_spares_come_last() -> None:
    few = {key for key, _ in example().rows(0, None, context())}  # type: ignore[arg-type]
    more = [key for key, _ in example(spare=0.1).rows(0, None, context())]  # type: ignore[arg-type]
    assert len(more) == len(set(more)) > 1000
    assert set(more[:1000]) == few
    by_count = [row["cell"] for _, row in example(spare=3).rows(0, None, context())]  # type: ignore[arg-type, call-overload]
    assert len(by_count) == 1000 + 3 * 24


def test_candidates_are_so_many_slots_and_the_spare_ones_go_to_the_largest_cells() -> None:
    wanted = [row["cell"] for _, row in example().rows(0, None, context())]  # type: ignore[arg-type, call-overload]
    slots = example(candidates=1.02)
    assert list(slots.check({})) == []
    cells = [row["cell"] for _, row in slots.rows(0, None, context())]  # type: ignore[arg-type, call-overload]
    assert len(cells) == 1020 and cells[:1000] == wanted
    spare = Counter(cells[1000:])
    assert all("implicit_cot" in cell for cell, count in spare.items() if count > 1)
    assert max(spare.values()) - min(spare.values()) <= 1
    assert [p.field for p in example(candidates=1.02, spare=2).check({})] == [("spare",)]


def test_redraw_stays_in_the_cell_and_draws_again() -> None:
    slots = example(draw={"number": list(range(100))})
    (_, columns), *_ = slots.rows(0, 1, context())  # type: ignore[arg-type]
    row = Row("ab", columns)  # type: ignore[arg-type]
    seen = {slots.redraw(row, context(attempt, "ab"))["number"] for attempt in range(2, 12)}  # type: ignore[arg-type]
    assert len(seen) > 3
    again = slots.redraw(row, context(2, "ab"))  # type: ignore[arg-type]
    assert again == slots.redraw(row, context(2, "ab"))  # type: ignore[arg-type]
    assert {k: v for k, v in again.items() if k != "number"} == {k: v for k, v in row.items() if k != "number"}


def test_weighted_draws_follow_their_weights() -> None:
    slots = example(draw={"mood": {"calm": 9, "angry": 1, "never": 0}})
    moods = Counter(row["mood"] for _, row in slots.rows(0, None, context()))  # type: ignore[arg-type, call-overload]
    assert 860 < moods["calm"] < 940 and moods["never"] == 0


def test_problems_are_all_found() -> None:
    slots = Slots(
        SlotsConfig.model_validate(
            {
                "rows": 5,
                "axes": {"slot": ["a"], "b": {"x": 0}, "c": ["p", "p"], "d": [1, "z"]},
                "draw": {"b": [1], "e": []},
            }
        )
    )
    found = [(p.field, p.code) for p in slots.check({})]
    assert (("axes", "slot"), "E502") in found
    assert (("axes", "b"), "E310") in found
    assert (("axes", "c"), "E310") in found
    assert (("axes", "d"), "E310") in found
    assert (("draw", "b"), "E502") in found
    assert (("draw", "e"), "E310") in found


class Rows(list[Row]):
    columns = {"tier": "string", "slot": "int"}

    def sorted_by(self, *keys: str) -> Rows:
        return Rows(sorted(self, key=lambda row: tuple(row[k] for k in keys)))


def test_quota_keeps_the_first_of_each_cell_and_names_what_is_short() -> None:
    config = {"rows": 10, "axes": {"tier": {"a": 6, "b": 4}}}
    tiers = ["b", "a", "a", "x", "b", "a", "b", "b", "b", "b"]
    rows = Rows(Row(f"{n}", {"tier": tier, "slot": 9 - n}) for n, tier in enumerate(tiers))
    ctx = context()
    out = list(Quota(QuotaConfig.model_validate(config)).apply(rows, ctx))  # type: ignore[arg-type]
    assert len(out) == 10
    drops = {item.row.id: item.why.code for item in out if isinstance(item, Drop)}
    assert drops == {"3": "no_cell", "4": "over_quota", "0": "over_quota"}
    assert ctx.shorts == [("tier=a", 3)]
