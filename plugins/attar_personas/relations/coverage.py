"""personas.groups and the format coverage: which groups personas are of, and what a set of them lacks."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import ceil, log2
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from attar.api import BatchResult, Columns, Config, ConfigProblem, Context, RecipePath, Row, RowSet, RowStep, Sink
from attar_personas.relations.catalogue import Groups, files_of, group_problem, load_groups

if TYPE_CHECKING:
    import pyarrow as pa


class GroupsConfig(Config):
    """See GroupsOf."""

    persona: str = Field("persona", min_length=1, description="column with the persona")
    column: str = Field("groups", min_length=1, description="column for the ids of the groups")
    groups: Annotated[str | None, RecipePath()] = Field(None, description="group catalogue; default: the shipped one")


class GroupsOf(RowStep[GroupsConfig]):
    """Writes the groups that a persona's text tells, as a list of ids of the group catalogue; most have none."""

    Config = GroupsConfig

    def inputs(self) -> Sequence[str]:
        return files_of(self.config.groups)

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.persona: "string?"}

    def writes(self, incoming: Columns) -> Columns:
        return self.add(incoming, {self.config.column: "list<string>"}, ("column",))

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        problem = group_problem(self.config.groups)
        if problem is not None:
            yield problem

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any]:
        groups = load_groups(self.config.groups)
        return {self.config.column: groups.told_by(row[self.config.persona] or "")}

    def apply_batch(self, batch: pa.RecordBatch, ctx: Context) -> BatchResult:
        """As `apply`."""
        import pyarrow as pa

        groups = load_groups(self.config.groups)
        found = [groups.told_by(text or "") for text in batch.column(self.config.persona).to_pylist()]
        return BatchResult({self.config.column: pa.array(found, pa.list_(pa.string()))})


class CoverageConfig(Config):
    """See Coverage."""

    persona: str = Field("persona", min_length=1, description="column with the persona")
    hop: str = Field("hop", min_length=1, description="column with the hop, 0 for the personas it began with")
    relation_kind: str = Field("relation_kind", min_length=1, description="column with the kind of relation, or null")
    groups: Annotated[str | None, RecipePath()] = Field(None, description="group catalogue; default: the shipped one")


class Coverage(Sink[CoverageConfig]):
    """Reports how well personas cover the groups of a catalogue, before the first hop and after each.

    Leaves three files. `coverage.csv`: for every hop and group the personas up to that hop that tell the group, their
    share, the target share, and the deficit (personas the group lacks to its target). `hops.csv`: personas of every hop
    by kind of relation. `summary.json`: personas, how many groups meet their target before and after, the sum of the
    deficits, and the entropy of the groups in bits (higher: more even).
    """

    Config = CoverageConfig

    def inputs(self) -> Sequence[str]:
        return files_of(self.config.groups)

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.persona: "string?", self.config.hop: "int?", self.config.relation_kind: "string?"}

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        problem = group_problem(self.config.groups)
        if problem is not None:
            yield problem

    def write(self, rows: RowSet, ctx: Context) -> None:
        config = self.config
        groups = load_groups(config.groups)
        totals: Counter[int] = Counter()
        told: Counter[tuple[int, str]] = Counter()
        kinds: Counter[tuple[int, str]] = Counter()
        for batch in rows.batches([config.persona, config.hop, config.relation_kind]):
            columns = (batch.column(name).to_pylist() for name in (config.persona, config.hop, config.relation_kind))
            for text, hop, kind in zip(*columns, strict=True):
                hop = hop or 0
                totals[hop] += 1
                kinds[hop, kind or ""] += 1
                told.update((hop, group) for group in groups.told_by(text or ""))
        table = _table(groups, totals, told)
        _write(ctx.out / "coverage.csv", list(table[0]) if table else ["hop"], table)
        shares = [
            {"hop": hop, "relation_kind": kind, "personas": count} for (hop, kind), count in sorted(kinds.items())
        ]
        _write(ctx.out / "hops.csv", ["hop", "relation_kind", "personas"], shares)
        text = json.dumps(_summary(table, totals), ensure_ascii=False, indent=2)
        (ctx.out / "summary.json").write_text(text + "\n", encoding="utf-8")


def _table(groups: Groups, totals: Counter[int], told: Counter[tuple[int, str]]) -> list[dict[str, Any]]:
    table = []
    for last in sorted(totals):
        total = sum(count for hop, count in totals.items() if hop <= last)
        for group in groups.values():
            count = sum(told[hop, group.id] for hop in totals if hop <= last)
            table.append(
                {
                    "hop": last,
                    "group": group.id,
                    "label": group.label,
                    "personas": count,
                    "of": total,
                    "share": round(count / total, 6),
                    "target_share": group.share,
                    "deficit": max(0, ceil(group.share * total - count - 1e-9)),
                }
            )
    return table


def _summary(table: list[dict[str, Any]], totals: Counter[int]) -> dict[str, Any]:
    by_hop = []
    for last in sorted(totals):
        rows = [row for row in table if row["hop"] == last]
        counts = [row["personas"] for row in rows if row["personas"]]
        by_hop.append(
            {
                "hop": last,
                "new_personas": totals[last],
                "personas": rows[0]["of"] if rows else totals[last],
                "groups": len(rows),
                "groups_found": len(counts),
                "groups_on_target": sum(row["deficit"] == 0 for row in rows),
                "deficit": sum(row["deficit"] for row in rows),
                "entropy_bits": round(sum(-n / sum(counts) * log2(n / sum(counts)) for n in counts), 4),
            }
        )
    return {"personas": sum(totals.values()), "after": by_hop}


def _write(path: Path, names: list[str], rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
