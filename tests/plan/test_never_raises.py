"""Whatever a recipe holds, planning ends in a plan or in diagnostics with places: never in a traceback."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attar.errors import render
from attar.plan import check
from attar.registry import Registry

ROOT = Path(__file__).resolve().parents[2]
BROKEN = ROOT / "tests" / "golden" / "broken"
SEEDS = [
    yaml.safe_load(next(BROKEN.glob(f"*-{name}")).joinpath("fixed.yaml").read_text())
    for name in ("six-faults", "cycle", "unknown-step-of-an-include", "repeat-without-an-end", "unknown-param")
]
SEEDS[-1]["steps"]["slots"] = {"use": "std.slots", "with": {"rows": 3, "axes": {"tier": {"a": 1, "b": 2}}}}
SEEDS[-1]["steps"]["both"] = {"use": "std.union", "from": ["question", "slots"]}
SEEDS[-1]["steps"]["kept"] = {"use": "std.dedup", "from": "both", "when": "tier == 'a'"}
NAMES = ["x", "question", "read", "a.b.c", "std.read", "llm.judge", "std.union", "नाम", "../shared", "${params.x}"]
SHAPES = [
    None,
    True,
    0,
    -1,
    1e300,
    "",
    "${",
    "{{ a",
    [],
    ["question"],
    {},
    [["x"]],
    {"x": None},
    {"by": "town", "x": "y"},
]
ODD = st.sampled_from([*NAMES, *SHAPES])


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        found += paths(part, (*path, key))
    return found


@st.composite
def recipes(draw: st.DrawFn) -> Any:
    data = copy.deepcopy(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        known = paths(data)
        if not known:
            break
        path = draw(st.sampled_from(known))
        here = data
        for part in path[:-1]:
            here = here[part]
        action = draw(st.sampled_from(["replace", "delete", "rename", "copy"]))
        if action == "replace":
            here[path[-1]] = copy.deepcopy(draw(ODD))
        elif action == "delete":
            del here[path[-1]]
        elif action == "rename" and isinstance(here, dict):
            here[draw(st.sampled_from(["x", "a.b", "from", "with", "id", "retry", "1"]))] = here.pop(path[-1])
        elif action == "copy":
            other = draw(st.sampled_from(known))
            value = data
            for part in other:
                if not isinstance(value, dict | list):
                    break
                value = value[part] if not isinstance(value, dict) or part in value else None
            here[path[-1]] = copy.deepcopy(value)
    return data


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.load()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe's folder beside what the recipes name."""
    root = tmp_path_factory.mktemp("mutated")
    shutil.copytree(BROKEN / "shared", root / "shared")
    shutil.copytree(next(BROKEN.glob("*-unknown-step-of-an-include")), root / "recipe")
    return root / "recipe"


@given(data=recipes())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_plan_or_diagnostics_with_places(data: Any, registry: Registry, folder: Path) -> None:
    file = folder / "mutated.yaml"
    file.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False))
    plan, found = check(file, registry=registry)
    errors = [one for one in found if one.severity == "error"]
    assert (plan is None) == bool(errors)
    assert all(one.span is not None and one.span.line >= 1 and one.span.column >= 1 for one in errors)
    assert not [one for one in errors if one.code == "E309"], render(errors)
