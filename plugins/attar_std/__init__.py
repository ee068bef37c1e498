"""attar's own steps: reading, shaping, sampling, quotas and writing. Nothing here calls a model."""

from __future__ import annotations

from collections.abc import Mapping

from attar.api import hookimpl


class Plugin:
    """What the entry point `std` of the group `attar` names."""

    @hookimpl
    def attar_steps(self) -> Mapping[str, str]:
        return {
            "quota": "attar_std.quota:Quota",
            "read": "attar_std.read:Read",
            "slots": "attar_std.slots:Slots",
            "derive": "attar_std.derive:Derive",
            "filter": "attar_std.filter:Filter",
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
