"""From a file to a plan: what `validate`, `plan` and `run` all begin with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from attar.errors import Diagnostic
from attar.plan.types import GateRule, Plan
from attar.registry import Registry

_NONE: Mapping[str, str] = MappingProxyType({})


def check(
    file: Path,
    params: Mapping[str, str] = _NONE,
    *,
    limit: int | None = None,
    registry: Registry | None = None,
    fingerprints: bool = True,
    gates: GateRule = "stop",
) -> tuple[Plan | None, list[Diagnostic]]:
    """Reads, checks and plans a recipe file.

    Args:
        file: the recipe.
        params: values as given on the command line.
        limit: first n records of each source.
        registry: the plugins; by default those installed.
        fingerprints: False where nothing will run: source files are then not read as a whole.
        gates: what a model's unmet requirement is, as in `build`.

    Returns:
        The plan, None where any diagnostic is an error, and all diagnostics.
    """
    from attar.plan.build import build
    from attar.plan.faults import in_order
    from attar.recipe.load import load

    loaded, found = load(file, params)
    if loaded is None:
        return None, found
    plugins = registry if registry is not None else Registry.load()
    plan, more = build(loaded, plugins, limit, fingerprints=fingerprints, told=found, gates=gates)
    found += [one for one in more if not _told(one, found)]
    if any(one.severity == "error" for one in found):
        plan = None
    return plan, in_order(found, loaded.places.value(loaded.file, ()).file)


def _told(one: Diagnostic, found: Sequence[Diagnostic]) -> bool:
    """Whether planning found only what loading had found already, or what follows from it."""
    for other in found:
        if (other.span, other.code[:2]) == (one.span, one.code[:2]) and other.severity == "error":
            return True
        if (one.code, one.span, one.message) == (other.code, other.span, other.message):
            return True
        # `modle: x` is why `model` is missing
        if other.code == "E203" and one.code == "E201" and repr(one.path[-1] if one.path else "") in other.help:
            return other.path[:2] == one.path[:2]
    return False
