"""Makes a skew report of a tally: numbers as JSON and CSV, and a page to read."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attar_personas.population.chi_square import chi_square
from attar_personas.population.marginals import SAMPLED, joint_of
from attar_personas.population.types import Table

if TYPE_CHECKING:
    from attar_personas.population.skew import Tally

WORST = 8  # values shown of each variable in the page
HEAD = ("variable", "given", "given_value", "value", "count", "share", "expected", "difference")


def report(table: Table, tally: Tally) -> dict[str, Any]:
    """The report of a tally as plain values; shares are of rows whose value is known."""
    return {
        "table": {"name": table.name, "version": table.version},
        "rows": tally.rows,
        "variables": [_variable(table, tally, name) for name in tally.counts],
        "pairs": [_pair(table, tally, pair) for pair in tally.together],
        "pairs_left_out": [list(pair) for pair in tally.left_out],
    }


def _variable(table: Table, tally: Tally, name: str) -> dict[str, Any]:
    variable = table.variables[name]
    counts = tally.counts[name].tolist()
    seen, (unknown, several, empty) = counts[: len(variable.values)], counts[len(variable.values) :]
    expected = joint_of(table.variables, [name])
    strange = sorted(tally.unknown.get(name, {}).items(), key=lambda pair: (-pair[1], pair[0]))
    return {
        "variable": name,
        "kind": variable.kind,
        "sources": [table.sources[one].title for one in variable.sources],
        "column": tally.columns.get(name),
        "detected_in_text": name in tally.detected,
        "known": sum(seen),
        "unknown": unknown,
        "several": several,
        "empty": empty,
        "unknown_values": dict(strange[:20]),
        "expected_is": "exact" if expected.exact else f"estimated from {SAMPLED:,} drawn persons",
        **_compared(seen, expected.shares.tolist()),
        "values": _cells(variable.values, seen, expected.shares.tolist()),
    }


def _pair(table: Table, tally: Tally, pair: tuple[str, str]) -> dict[str, Any]:
    given, name = pair
    expected = joint_of(table.variables, list(pair))
    seen = tally.together[pair].ravel().tolist()
    shares = expected.shares.ravel().tolist()
    names = [(a, b) for a in table.variables[given].values for b in table.variables[name].values]
    cells = _cells(names, seen, shares)
    return {
        "variable": name,
        "given": given,
        "known": sum(seen),
        "expected_is": "exact" if expected.exact else f"estimated from {SAMPLED:,} drawn persons",
        **_compared(seen, shares),
        "cells": [
            {"given_value": one["value"][0], **one, "value": one["value"][1]}
            for one in cells
            if one["count"] or one["expected"]
        ],
    }


def _compared(seen: Sequence[int], shares: Sequence[float]) -> dict[str, Any]:
    total = sum(seen)
    test = chi_square(seen, shares)
    distance = sum(abs(count / total - share) for count, share in zip(seen, shares, strict=True)) / 2 if total else None
    return {
        "total_variation": distance,
        "total_variation_by_chance": _by_chance(shares, total),
        "chi_square": test.statistic,
        "degrees_of_freedom": test.degrees,
        "p": test.p,
        "pooled_cells": test.pooled,
        "impossible": test.impossible,
    }


def _by_chance(shares: Sequence[float], rows: int) -> float | None:
    """About the total variation distance of so many rows drawn from the table itself: half the sum of the cells' mean
    absolute deviations, each nearly that of a normal distribution."""
    if not rows:
        return None
    return sum(math.sqrt(2 * share * (1 - share) / (math.pi * rows)) for share in shares if share > 0) / 2


def _cells(values: Sequence[Any], seen: Sequence[int], shares: Sequence[float]) -> list[dict[str, Any]]:
    total = sum(seen)
    found = []
    for value, count, expected in zip(values, seen, shares, strict=True):
        share = count / total if total else None
        difference = share - expected if share is not None else None
        found.append({"value": value, "count": count, "share": share, "expected": expected, "difference": difference})
    return found


def write_report(found: dict[str, Any], folder: Path) -> None:
    """Writes skew.json, skew.csv and skew.md into a folder."""
    (folder / "skew.json").write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    with (folder / "skew.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEAD)
        for one in found["variables"]:
            for cell in one["values"]:
                writer.writerow([one["variable"], "", "", cell["value"], *(_rounded(cell[key]) for key in HEAD[4:])])
        for one in found["pairs"]:
            for cell in one["cells"]:
                row = [one["variable"], one["given"], cell["given_value"], cell["value"]]
                writer.writerow([*row, *(_rounded(cell[key]) for key in HEAD[4:])])
    (folder / "skew.md").write_text("\n".join(_page(found)) + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    return f"{value:.8g}" if isinstance(value, float) else "" if value is None else value


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f} %"


def _page(found: dict[str, Any]) -> Iterable[str]:
    table = found["table"]
    yield f"# {found['rows']:,} personas against the table {table['name']} {table['version']}"
    yield ""
    yield "Distance is the total variation distance: the share of rows that would have to change for the shares to be"
    yield "as expected. By chance: about the distance of as many persons drawn from the table itself. p: how probable"
    yield "a chi-square as large is by chance; with many rows even a difference of no importance has a small p. Shares"
    yield "are of rows whose value is known to the table."
    yield ""
    yield "| variable | kind | known | unknown | several | empty | distance | by chance | chi-square | degrees | p |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for one in found["variables"]:
        note = " (from text)" if one["detected_in_text"] else ""
        cells = [
            one["variable"] + note,
            one["kind"],
            *(f"{one[k]:,}" for k in ("known", "unknown", "several", "empty")),
        ]
        yield "| " + " | ".join([*cells, *_test(one)]) + " |"
    if found["pairs"]:
        yield ""
        yield "| variable | given | known | distance | by chance | chi-square | degrees | p |"
        yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
        for one in found["pairs"]:
            yield "| " + " | ".join([one["variable"], one["given"], f"{one['known']:,}", *_test(one)]) + " |"
    if any(one["detected_in_text"] for one in found["variables"]):
        yield ""
        yield "Variables marked (from text) were found by the names of their values in free text: an approximation."
        yield "Texts that name several values or none enter no share."
    for one in found["variables"]:
        yield from _section(one)


def _test(one: dict[str, Any]) -> list[str]:
    distances = [one["total_variation"], one["total_variation_by_chance"]]
    shown = ["" if distance is None else f"{distance:.4f}" for distance in distances]
    p = "< 1e-12" if one["p"] < 1e-12 else f"{one['p']:.3g}"
    return [*shown, f"{one['chi_square']:.1f}", f"{one['degrees_of_freedom']:,}", p]


def _section(one: dict[str, Any]) -> Iterable[str]:
    yield ""
    yield f"## {one['variable']}"
    yield ""
    sources = "; ".join(one["sources"])
    yield f"{one['kind'].capitalize()}{f' ({sources})' if sources else ''}; expected shares: {one['expected_is']}."
    if one["impossible"]:
        yield f"{one['impossible']:,} rows have a value whose expected share is 0."
    ranked = sorted(one["values"], key=lambda cell: (-abs(cell["difference"] or 0.0), cell["value"]))
    yield ""
    yield "| value | count | share | expected | difference |"
    yield "| --- | --- | --- | --- | --- |"
    for cell in ranked[:WORST]:
        difference = "" if cell["difference"] is None else f"{100 * cell['difference']:+.2f}"
        value = str(cell["value"]).replace("|", "\\|")
        shares = f"{_percent(cell['share'])} | {_percent(cell['expected'])}"
        yield f"| {value} | {cell['count']:,} | {shares} | {difference} |"
    if len(ranked) > WORST:
        yield ""
        yield f"The {WORST} largest differences of {len(ranked):,}; the rest is in skew.csv."
    if one["unknown_values"]:
        yield ""
        shown = ", ".join(f"{value!r} ({count:,})" for value, count in list(one["unknown_values"].items())[:8])
        yield f"Not in the table: {shown}."
