"""Finds plugins by entry point, isolates broken ones, and resolves names in recipes to what plugins bring."""

from attar.registry.load import BrokenPlugin
from attar.registry.names import nearest, suggest
from attar.registry.registry import PluginInfo, Registry

__all__ = ["BrokenPlugin", "PluginInfo", "Registry", "nearest", "suggest"]
