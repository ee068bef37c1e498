"""What a plugin offers. A plugin is an object or module whose functions carry `@hookimpl`; its entry point in the
group `attar` gives it its namespace: step `chunk` of the plugin registered as `rag` is `rag.chunk`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pluggy

hookspec = pluggy.HookspecMarker("attar")
hookimpl = pluggy.HookimplMarker("attar")


class Hooks:
    """The hook specifications. Every value is an import path `module:attribute`, imported on first use."""

    @hookspec
    def attar_steps(self) -> Mapping[str, str]:  # type: ignore[empty-body]
        """Step name → import path of its class."""

    @hookspec
    def attar_backends(self) -> Mapping[str, str]:  # type: ignore[empty-body]
        """Backend name → import path of its class (see attar.models.backends)."""

    @hookspec
    def attar_tokenizers(self) -> Mapping[str, str]:  # type: ignore[empty-body]
        """Tokenizer name → import path of a function text → token count."""

    @hookspec
    def attar_exporters(self) -> Mapping[str, str]:  # type: ignore[empty-body]
        """Output format name → import path of a Sink class."""

    @hookspec
    def attar_metrics(self) -> Mapping[str, str]:  # type: ignore[empty-body]
        """Metric name → import path of a function RowSet → Json."""

    @hookspec
    def attar_event(self, event: Mapping[str, Any]) -> None:
        """Told of run, stage and row events, batched."""
