"""Finds plugins, one by one and apart from each other: a broken one is reported and skipped, never fatal.

pluggy's own loader lets a plugin silently replace another that claims the same name, and one that raises at import
ends the program; so entry points are read here, and pluggy only checks and calls the hooks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any

GROUP = "attar"


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """A plugin that could not be used. `error` is one line: the exception's type and message."""

    name: str
    distribution: str
    version: str
    error: str


@dataclass(slots=True)
class Claim:
    """One distribution's claim to a namespace, not yet imported; `plugin` holds what no entry point names."""

    name: str
    distribution: str
    version: str
    entry: EntryPoint | None = None
    plugin: object | None = None


@dataclass(slots=True)
class Loaded:
    """An imported plugin: what its hooks offer, by hook name without `attar_` ("steps", "exporters", …)."""

    claim: Claim
    plugin: object
    offers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


OFFERS = ("steps", "backends", "tokenizers", "exporters", "metrics")


def claims() -> dict[str, list[Claim]]:
    """Namespace → distributions that claim it (more than one is a clash), without importing any of them."""
    found: dict[str, list[Claim]] = {}
    seen: set[tuple[str, str, str]] = set()
    for entry in entry_points(group=GROUP):
        distribution = entry.dist.name if entry.dist is not None else "unknown"
        version = entry.dist.version if entry.dist is not None else ""
        key = (entry.name, distribution, entry.value)
        if key in seen:  # an editable install may be found twice on sys.path
            continue
        seen.add(key)
        found.setdefault(entry.name, []).append(Claim(entry.name, distribution, version, entry))
    return found


def load(claim: Claim) -> Loaded | BrokenPlugin:
    """Imports one plugin and asks its hooks what it offers."""
    try:
        plugin = claim.plugin if claim.entry is None else claim.entry.load()
        return Loaded(claim, plugin, _offers(claim.name, plugin))
    except (Exception, SystemExit) as error:
        return BrokenPlugin(claim.name, claim.distribution, claim.version, one_line(error))


def one_line(error: BaseException) -> str:
    """`ImportError: No module named x`, without line breaks."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _offers(name: str, plugin: object) -> dict[str, Mapping[str, Any]]:
    if isinstance(plugin, Mapping):  # the test door: step name → class
        return {"steps": dict(plugin)}
    manager = manager_of(name, plugin)
    offers: dict[str, Mapping[str, Any]] = {}
    for what in OFFERS:
        answers = getattr(manager.hook, f"attar_{what}")()
        merged: dict[str, Any] = {}
        for answer in answers:
            if not isinstance(answer, Mapping):
                raise TypeError(f"attar_{what} must return a mapping, found {type(answer).__name__}")
            merged.update(answer)
        for key, value in merged.items():
            if not isinstance(key, str) or not (isinstance(value, str | type) or callable(value)):
                raise TypeError(f"attar_{what}: expected name → 'module:attribute', found {key!r} → {value!r}")
        offers[what] = merged
    return offers


def manager_of(name: str, plugin: object) -> Any:
    """A plugin manager that holds this plugin alone: its hooks can be called without the others'.

    Raises:
        pluggy.PluginValidationError: a hook's arguments do not fit its specification, or no hook of that name exists.
    """
    import pluggy

    from attar.api.hooks import Hooks

    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(Hooks)
    manager.register(plugin, name=name)
    manager.check_pending()
    return manager
