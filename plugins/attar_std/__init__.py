"""attar's own steps: reading, shaping, sampling, quotas and writing. Nothing here calls a model."""

from __future__ import annotations

from collections.abc import Mapping

from attar.api import hookimpl


class Plugin:
    """What the entry point `std` of the group `attar` names."""

    @hookimpl
    def attar_steps(self) -> Mapping[str, str]:
        return {
            "check": "attar_std.check:Check",
            "dedup": "attar_std.dedup:Dedup",
            "derive": "attar_std.derive:Derive",
            "explode": "attar_std.explode:Explode",
            "filter": "attar_std.filter:Filter",
            "group": "attar_std.group:Group",
            "join": "attar_std.join:Join",
            "limit": "attar_std.sample:Limit",
            "near_dedup": "attar_std.near_dedup:NearDedup",
            "quota": "attar_std.quota:Quota",
            "read": "attar_std.read:Read",
            "rename": "attar_std.columns:Rename",
            "sample": "attar_std.sample:Sample",
            "select": "attar_std.columns:Select",
            "shuffle": "attar_std.sample:Shuffle",
            "slots": "attar_std.slots:Slots",
            "sort": "attar_std.sample:Sort",
            "thin": "attar_std.sample:Thin",
            "union": "attar_std.union:Union",
            "write": "attar_std.write:Write",
        }

    @hookimpl
    def attar_exporters(self) -> Mapping[str, str]:
        return {
            "parquet": "attar_std.write:ParquetExporter",
            "jsonl": "attar_std.write:JsonlExporter",
            "csv": "attar_std.write:CsvExporter",
        }


plugin = Plugin()
