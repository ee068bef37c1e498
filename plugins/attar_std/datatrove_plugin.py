"""The plugin `datatrove`: its filters and formatters as steps."""

from __future__ import annotations

from collections.abc import Mapping

from attar.api import hookimpl


class Plugin:
    """What the entry point `datatrove` of the group `attar` names."""

    @hookimpl
    def attar_steps(self) -> Mapping[str, str]:
        return {"block": "attar_std.block:Block"}


plugin = Plugin()
