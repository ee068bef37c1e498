"""rag.distribution: how many rows there are by source, domain, kind or whatever else."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence

import orjson
from pydantic import Field

from attar.api import Columns, Config, Context, RowSet, Sink


class DistributionConfig(Config):
    """See Distribution."""

    by: list[str] = Field(..., min_length=1, max_length=6, description="columns to count by")


class Distribution(Sink[DistributionConfig]):
    """Counts rows by the values of columns, each alone and all together.

    Writes `distribution.md` (tables to read), `distribution.csv` (a line per combination, with its count) and
    `distribution.json`. Nulls are counted as “(none)”.
    """

    Config = DistributionConfig

    def reads(self, incoming: Columns) -> Columns:
        return dict.fromkeys(self.config.by, "any")

    def write(self, rows: RowSet, ctx: Context) -> None:
        by = self.config.by
        counts: Counter[tuple[str, ...]] = Counter()
        for batch in rows.batches(list(by)):
            columns = [batch.column(name).to_pylist() for name in by]
            counts.update(zip(*([_shown(value) for value in column] for column in columns), strict=True))
        together = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
        alone = {name: _alone(counts, place) for place, name in enumerate(by)}
        total = sum(counts.values())
        with (ctx.out / "distribution.csv").open("w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow([*by, "rows"])
            lines.writerows([*values, count] for values, count in together)
        told = {
            "rows": total,
            "by": alone,
            "together": [dict(zip(by, values, strict=True)) | {"rows": count} for values, count in together],
        }
        (ctx.out / "distribution.json").write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
        parts = [f"# Distribution\n\n{total} rows.\n"]
        parts += [_table([name], [((value,), count) for value, count in alone[name].items()], total) for name in by]
        if len(by) > 1:
            parts.append(_table(by, together, total))
        (ctx.out / "distribution.md").write_text("\n".join(parts), encoding="utf-8")


def _shown(value: object) -> str:
    return "(none)" if value is None else str(value)


def _alone(counts: Counter[tuple[str, ...]], place: int) -> dict[str, int]:
    found: Counter[str] = Counter()
    for values, count in counts.items():
        found[values[place]] += count
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))


def _table(names: Sequence[str], rows: Sequence[tuple[tuple[str, ...], int]], total: int) -> str:
    lines = [
        f"## By {', '.join(names)}\n",
        f"| {' | '.join(names)} | rows | share |",
        "| --- " * (len(names) + 2) + "|",
    ]
    for values, count in rows:
        cells = " | ".join(value.replace("|", "\\|").replace("\n", " ") for value in values)
        lines.append(f"| {cells} | {count} | {count / total:.1%} |")
    return "\n".join(lines) + "\n"
