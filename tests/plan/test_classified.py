"""A new config field must be classified: does it decide the output (identity), or not (Runtime, Operational)?

Add the field to CLASSIFIED as `identity` or `runtime`; mark it in the code accordingly.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from attar.api import Runtime
from attar.plan.fingerprint import MODEL_IDENTITY
from attar.plan.refs import marked
from attar.recipe.language import ModelSpec, Operational
from attar.registry import Registry

CLASSIFIED = Path(__file__).parent / "classified.txt"


def fields(model: type[BaseModel], seen: frozenset[type] = frozenset()) -> Iterator[tuple[str, str]]:
    """(path, class) of every field of a config, nested models included."""
    if model in seen:
        return
    runtime = marked(model, Runtime)
    for name, field in sorted(model.model_fields.items()):
        yield name, "runtime" if name in runtime else "identity"
        if name not in runtime:
            for inner in models_in(field.annotation):
                yield from ((f"{name}.{path}", kind) for path, kind in fields(inner, seen | {model}))


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation.__module__ != "attar.api.refs":
            yield annotation
    else:
        for part in get_args(annotation):
            yield from models_in(part)


def found() -> list[str]:
    registry = Registry.load()
    lines = []
    for use in registry.steps():
        if registry.info(use.partition(".")[0]).distribution == "attar":
            lines += [f"{use} {path} {kind}" for path, kind in fields(registry.step(use).Config)]
    for name in registry.exporters():
        lines += [f"format:{name} {path} {kind}" for path, kind in fields(registry.exporter(name).Config)]
    return sorted(dict.fromkeys(lines))


def test_every_config_field_of_our_plugins_is_classified() -> None:
    listed = CLASSIFIED.read_text().splitlines()
    new = sorted(set(found()) - set(listed))
    gone = sorted(set(listed) - set(found()))
    assert not new, f"classify in {CLASSIFIED.name}: does the field decide the output? {new}"
    assert not gone, f"remove from {CLASSIFIED.name}: {gone}"


def test_every_field_of_a_model_is_classified() -> None:
    operational = marked(ModelSpec, Operational)
    resolved_before = {"extends"}
    unclassified = set(ModelSpec.model_fields) - operational - set(MODEL_IDENTITY) - resolved_before
    assert not unclassified, f"put into MODEL_IDENTITY, or mark Operational(): {unclassified}"
    assert not operational & set(MODEL_IDENTITY)


if __name__ == "__main__":
    CLASSIFIED.write_text("\n".join(found()) + "\n")
