"""Steps that rewrite personas and write from their point of view."""

from __future__ import annotations

from collections.abc import Mapping

from attar.api import hookimpl


class Plugin:
    """The plugin as the engine sees it; nothing is imported before a recipe uses it."""

    @hookimpl
    def attar_steps(self) -> Mapping[str, str]:
        return {
            "labelled": "attar_personas.labels:Labelled",
            "check_labelled": "attar_personas.labels:CheckLabelled",
            "domains": "attar_personas.domains:Domains",
            "check_question": "attar_personas.question:CheckQuestion",
            "check_text": "attar_personas.text:CheckText",
        }


plugin = Plugin()
