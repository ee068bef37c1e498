"""Model clients, backends and servers.

Imported by plan and cli paths too: nothing heavy (aiohttp, jsonschema, datatrove) is loaded until a client is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attar.models.calls import Call, Journal, ServedModel, Stop
from attar.models.meter import Meter
from attar.models.policy import RetryPolicy

if TYPE_CHECKING:
    from attar.models.backends import resolve
    from attar.models.client import ModelClient

__all__ = ["Call", "Journal", "Meter", "ModelClient", "RetryPolicy", "ServedModel", "Stop", "resolve"]


def __getattr__(name: str) -> Any:
    if name == "ModelClient":
        from attar.models.client import ModelClient

        return ModelClient
    if name == "resolve":
        from attar.models.backends import resolve

        return resolve
    raise AttributeError(f"module 'attar.models' has no attribute {name!r}")
