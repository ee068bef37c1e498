"""Documents: reading, chunks, retrieval, questions and answers, conversations, and what a student makes of them."""

from __future__ import annotations

from collections.abc import Mapping

from attar.api import hookimpl


class Plugin:
    """The plugin as the engine sees it; nothing is imported before a recipe uses it."""

    @hookimpl
    def attar_steps(self) -> Mapping[str, str]:
        return {
            "chunk": "attar_rag.chunking.chunk:Chunk",
        }


plugin = Plugin()
