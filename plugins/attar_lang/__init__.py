"""Steps for texts in several languages: which one it is, protection of what must not change, and translation guards."""

from __future__ import annotations

from collections.abc import Mapping

from attar.api import hookimpl


class Plugin:
    """The plugin as the engine sees it; nothing is imported before a recipe uses it."""

    @hookimpl
    def attar_steps(self) -> Mapping[str, str]:
        return {
            "identify": "attar_lang.identify:Identify",
            "protect": "attar_lang.protect:Protect",
            "restore": "attar_lang.restore:Restore",
            "check_translation": "attar_lang.check:CheckTranslation",
            "segments": "attar_lang.segments:Segments",
            "join": "attar_lang.segments:Join",
        }


plugin = Plugin()
