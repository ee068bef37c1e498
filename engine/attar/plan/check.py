"""From a file to a plan: what `validate`, `plan` and `run` all begin with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from attar.errors import Diagnostic
from attar.plan.types import Plan
from attar.registry import Registry

_NONE: Mapping[str, str] = MappingProxyType({})


def check(
    file: Path,
    params: Mapping[str, str] = _NONE,
    *,
    limit: int | None = None,
    registry: Registry | None = None,
    fingerprints: bool = True,
) -> tuple[Plan | None, list[Diagnostic]]:
    """Reads, checks and plans a recipe file.

    Args:
        file: the recipe.
        params: values as given on the command line.
        limit: first n records of each source.
        registry: the plugins; by default those installed.
        fingerprints: False where nothing will run: source files are then not read as a whole.

    Returns:
        The plan, None where any diagnostic is an error, and all diagnostics.
    """
    from attar.plan.build import build
    from attar.plan.faults import in_order
    from attar.recipe.load import load

    loaded, found = load(file, params)
    if loaded is None:
        return None, found
    plan, more = build(loaded, registry if registry is not None else Registry.load(), limit, fingerprints=fingerprints)
    told = {(one.code, one.span, one.message) for one in found}
    places = {(one.span, one.code[:2]) for one in found if one.severity == "error"}
    for one in more:
        if (one.code, one.span, one.message) not in told and (one.span, one.code[:2]) not in places:
            found.append(one)
    if any(one.severity == "error" for one in found):
        plan = None
    return plan, in_order(found, loaded.places.value(loaded.file, ()).file)
