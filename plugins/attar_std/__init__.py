"""attar's own steps: reading, shaping, sampling, quotas and writing. Nothing here calls a model."""

from __future__ import annotations

from collections.abc import Mapping

from attar.api import hookimpl


class Plugin:
    """What the entry point `std` of the group `attar` names."""

    @hookimpl
    def attar_steps(self) -> Mapping[str, str]:
        return {
            "read": "attar_std.read:Read",
        }


plugin = Plugin()
