"""`models:` with `extends` resolved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from attar.errors import Diagnostic
from attar.recipe.document import Document
from attar.recipe.language import ModelSpec, Recipe, RepeatSpec
from attar.recipe.nodes import close


def resolve_models(
    recipe: Recipe, data: Mapping[str, Any], document: Document
) -> tuple[dict[str, ModelSpec], list[Diagnostic]]:
    """Every model with what it extends merged in.

    `sampling`, `serve` and `endpoint` merge key by key (so does what lies in them); everything else is replaced. A null
    takes a value away. A model that others extend need not name a `model` itself, unless a step asks it.
    """
    found: list[Diagnostic] = []
    written = {name: spec.model_dump(exclude_unset=True, by_alias=True) for name, spec in recipe.models.items()}
    resolved: dict[str, ModelSpec] = {}
    for name in written:
        merged = _merged(name, written, document, found)
        merged.pop("extends", None)
        try:
            resolved[name] = ModelSpec.model_validate(merged, strict=True)
        except ValidationError:  # each half is right, so a merge cannot be wrong; a null in a required place is
            resolved[name] = recipe.models[name]
    asked = {
        step.model
        for entry in recipe.steps.values()
        for step in (entry.repeat.steps.values() if isinstance(entry, RepeatSpec) else (entry,))
    }
    extended = {spec.extends for spec in recipe.models.values()}
    for name, spec in resolved.items():
        path = ("models", name)
        raw = data.get("models", {}).get(name)
        told = isinstance(raw, Mapping) and "model" in raw  # there, but of the wrong type: said already
        told = told or any(d.path[:2] == path for d in found)  # what it extends is not known
        if not spec.model and spec.backend != "rehearsal" and not told and (name in asked or name not in extended):
            help = "add `model: …` (the name the server knows), or `backend: rehearsal`"
            found.append(
                Diagnostic(
                    "E222", f"model {name!r} does not say which model it is", document.key_span(path), help, path
                )
            )
        found.extend(_literal_secrets(name, recipe.models[name], document))
    return resolved, found


def _merged(
    name: str, written: Mapping[str, dict[str, Any]], document: Document, found: list[Diagnostic]
) -> dict[str, Any]:
    chain = [name]
    while (base := written[chain[-1]].get("extends")) is not None:
        path = ("models", chain[-1], "extends")
        if base not in written:
            if len(chain) == 1:  # said once, at the model that writes it
                near = close(base, written)
                help = f"did you mean {near!r}?" if near else f"models: {', '.join(written)}"
                found.append(Diagnostic("E220", f"no model {base!r} to extend", document.value_span(path), help, path))
            break
        if base in chain:
            if base == name and name == min(chain):  # said once for the whole circle
                circle = " → ".join([*chain, base])
                found.append(
                    Diagnostic(
                        "E221",
                        f"models extend each other in a circle: {circle}",
                        document.value_span(path),
                        "take one `extends` away",
                        path,
                    )
                )
            break
        chain.append(base)
    merged: dict[str, Any] = {}
    for link in reversed(chain):
        merged = deep_merge(merged, written[link])
    return merged


def deep_merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`: mappings merge key by key, everything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = deep_merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


_SECRET_IN_URL = (r"://[^/@:]*:([^/@]+)@", r"(?i)[?&][\w.-]*(?:key|token|secret|password)[\w.-]*=([^&#]+)")
_SECRET_HEADER = re.compile(r"authorization|cookie|token|secret|api[-_]?key", re.IGNORECASE)


def _literal_secrets(name: str, spec: ModelSpec, document: Document) -> list[Diagnostic]:
    """Keys written into the recipe itself: they would end up in version control."""
    texts: dict[tuple[str, ...], str] = {("key",): spec.endpoint.key or ""}
    texts.update({("headers", k): v for k, v in spec.endpoint.headers.items() if _SECRET_HEADER.search(k)})
    url = spec.endpoint.url or ""
    parts = [found[1] for pattern in _SECRET_IN_URL for found in re.finditer(pattern, url)]
    texts[("url",)] = next((part for part in parts if "${env." not in part), "")
    found = []
    for where, text in texts.items():
        if text and "${env." not in text:
            path = ("models", name, "endpoint", *where)
            help = "keep it in the environment and write ${env.NAME} here; a server without a key needs no `key`"
            found.append(Diagnostic("E218", "a secret stands in the recipe", document.value_span(path), help, path))
    return found
