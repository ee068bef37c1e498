"""Loading a recipe: read, fill in parameters, check the language, resolve `extends`, `include` and `repeat`."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError

from attar.errors import Diagnostic
from attar.recipe.document import Document, FilePlaces, read
from attar.recipe.explain import explain
from attar.recipe.language import ModelSpec, Param, Recipe
from attar.recipe.loaded import LoadedRecipe, LoadedStep, YamlPath
from attar.recipe.params import IDENTIFIER, UNSET, Interpolation, Override, param_values

_NONE: Mapping[str, Any] = MappingProxyType({})


def load(file: Path, overrides: Mapping[str, Any] = _NONE) -> tuple[LoadedRecipe | None, list[Diagnostic]]:
    """Reads a recipe and everything it includes.

    Args:
        file: the recipe.
        overrides: parameter values, as texts from the command line (parsed by the parameter's type) or typed.

    Returns:
        The recipe and every fault found. With faults there may still be a recipe, as far as it can be read, so that
        the graph's faults can be found in the same go; it is None where that would only add noise.
        A recipe may run only when no diagnostic is an error.
    """
    loader = Loader()
    file = Path(file)
    part = loader.part(file, {k: Override(v) for k, v in overrides.items()}, "", ())
    wrong = {d.span for d in loader.found if d.severity == "error"}
    # One voice per place; a file that is included twice tells its faults once.
    found = dict.fromkeys(d for d in loader.found if d.severity == "error" or d.span not in wrong)
    return (loader.finish(part) if part is not None and not part.broken else None), sorted(found, key=_order)


def _order(diagnostic: Diagnostic) -> tuple[str, int, int]:
    span = diagnostic.span
    return (span.file, span.line, span.column) if span else ("", 0, 0)


@dataclass(slots=True)
class Part:
    """What one file gives, its includes resolved into it. Names are full."""

    document: Document
    recipe: Recipe
    params: Mapping[str, Any]
    param_paths: frozenset[str]
    models: dict[str, ModelSpec] = field(default_factory=dict)
    model_paths: dict[str, tuple[Path, YamlPath]] = field(default_factory=dict)
    steps: dict[str, LoadedStep] = field(default_factory=dict)
    blocks: dict[str, str] = field(default_factory=dict)
    """A repeat's full name → the full name of its last step in its last round, for which it stands."""
    broken: bool = False


@dataclass(slots=True)
class Loader:
    """The work of one `load`."""

    places: FilePlaces = field(default_factory=FilePlaces)
    found: list[Diagnostic] = field(default_factory=list)

    def part(
        self,
        file: Path,
        overrides: Mapping[str, Override],
        namespace: str,
        stack: tuple[Path, ...],
        included: tuple[Document, YamlPath] | None = None,
    ) -> Part | None:
        """Loads one file under a namespace (`""` or `name.`); None where nothing can be made of it."""
        from attar.recipe.unroll import include_parts, unroll_steps

        document, found = read(file)
        self.found.extend(found)
        if document is None:
            return None
        self.places.documents[file] = document
        data = document.data
        declared, ok = self._declared(document)
        values, wrong = param_values(declared, document, overrides, "with" if namespace else "-p")
        self.found.extend(wrong)
        for name in data.get("params") or {} if isinstance(data.get("params"), Mapping) else {}:
            values.setdefault(name, UNSET)  # declared, if wrongly
        filling = Interpolation(document, values, env_allowed)
        filled = {k: v if k in _LITERAL else filling.fill(v, (k,)) for k, v in data.items()}
        self.found.extend(filling.found)
        recipe, broken = self._recipe(document, filled, filling.holes)
        if recipe is None:
            return None
        part = Part(
            document,
            recipe,
            {k: None if v is UNSET else v for k, v in values.items()},
            frozenset(n for n, p in declared.items() if p.type == "path"),
            broken=broken or not ok,
        )
        self._names(part)
        from attar.recipe.extends import resolve_models

        models, found = resolve_models(recipe, filled, document)
        self.found.extend(found)
        part.models = {namespace + name: spec for name, spec in models.items()}
        part.model_paths = {namespace + name: (file, ("models", name)) for name in models}
        include_parts(self, part, namespace, (*stack, file.resolve()))
        unroll_steps(self, part, namespace)
        return part

    def _declared(self, document: Document) -> tuple[dict[str, Param], bool]:
        """The parameters whose declarations are right; the others are reported with the whole recipe."""
        raw = document.data.get("params")
        declared: dict[str, Param] = {}
        ok = True
        for name, value in raw.items() if isinstance(raw, Mapping) else ():
            try:
                declared[name] = Param.model_validate(value, strict=True)
            except ValidationError:
                ok = False
        return declared, ok

    def _recipe(self, document: Document, data: dict[str, Any], holes: set[YamlPath]) -> tuple[Recipe | None, bool]:
        """The recipe, without what is at fault in it, and whether a whole entry (a step, a model) had to go."""
        data = copy.deepcopy(data)
        broken = False
        for attempt in range(100):
            try:
                return Recipe.model_validate(data, strict=True), broken
            except ValidationError as error:
                problems = explain(
                    error,
                    Recipe,
                    data,
                    key=document.key_span,
                    value=document.value_span,
                    written=lambda path: _written(document, path),
                )
                problems = [_newer(p) if p.path == ("attar",) else p for p in problems]
            if attempt == 0:
                self.found.extend(p for p in problems if p.path not in holes)
            for path in sorted({p.path for p in problems}, key=lambda p: tuple(map(str, p)), reverse=True):
                missing = any(p.path == path and p.code == "E201" for p in problems)
                target = path[:-1] if missing else path
                if len(target) < 2 and (missing or target[0] in _REQUIRED):
                    return None, True
                broken = broken or missing or (len(target) == 2 and target[0] in _ENTRIES)
                _remove(data, target)
        return None, True

    def _names(self, part: Part) -> None:
        """Names of steps, models, params and outputs: usable in expressions, and free of dots."""
        recipe = part.recipe
        for section, names in (
            ("params", recipe.params),
            ("models", recipe.models),
            ("steps", recipe.steps),
            ("outputs", recipe.outputs),
        ):
            for name in names:
                self.check_name(part, section, name, (section, name))

    def check_name(self, part: Part, section: str, name: str, path: YamlPath) -> None:
        """Reports a name that cannot be used."""
        what = section.removesuffix("s")
        span = part.document.key_span(path)
        if not IDENTIFIER.match(name) or (section == "steps" and "-" in name):
            help = f"use letters, digits and _, such as {_nameable(name)!r}"
            self.found.append(Diagnostic("E205", f"{name!r} cannot be the name of a {what}", span, help, path))
        elif name in _RESERVED.get(section, ()):
            self.found.append(
                Diagnostic("E208", f"{name!r} is reserved and cannot name a {what}", span, "rename it", path)
            )

    def finish(self, part: Part) -> LoadedRecipe:
        recipe, file = part.recipe, part.document.file
        secrets: dict[str, str] = {}
        for name, spec in part.models.items():
            secrets.update(secret_names(f"models.{name}", spec))
        return LoadedRecipe(
            file=file,
            name=recipe.name,
            description=recipe.description,
            seed=recipe.seed,
            params=part.params,
            models=part.models,
            model_paths=part.model_paths,
            steps=part.steps,
            outputs={
                name: spec.model_copy(update={"from_": part.blocks.get(spec.from_, spec.from_)})
                for name, spec in recipe.outputs.items()
            },
            output_paths={name: (file, ("outputs", name)) for name in recipe.outputs},
            places=self.places,
            param_paths=part.param_paths,
            secrets=secrets,
            card=recipe.card,
        )


_LITERAL = ("attar", "name", "params")
_REQUIRED = ("attar", "name", "steps", "outputs")
_ENTRIES = ("params", "models", "steps", "outputs")
_RESERVED = {"steps": ("id", "retry", "params"), "outputs": ("rejected", "review", "dead_letter", "provenance")}


def env_allowed(path: YamlPath) -> bool:
    """Whether `${env.X}` may stand at a path: a model's endpoint.url, endpoint.key, endpoint.headers.*."""
    if len(path) < 4 or path[0] != "models" or path[2] != "endpoint":
        return False
    return (len(path) == 4 and path[3] in ("url", "key")) or (len(path) == 5 and path[3] == "headers")


def secret_names(prefix: str, spec: ModelSpec) -> dict[str, str]:
    """Dotted path → environment variable for the `${env.X}` texts of a model; several in one text get `#2`, …"""
    import re

    texts = {"url": spec.endpoint.url, "key": spec.endpoint.key}
    texts.update({f"headers.{k}": v for k, v in spec.endpoint.headers.items()})
    names: dict[str, str] = {}
    for where, text in texts.items():
        for i, match in enumerate(re.finditer(r"\$\{\s*env\.([A-Za-z_][A-Za-z0-9_]*)\s*\}", text or "")):
            names[f"{prefix}.endpoint.{where}" + (f"#{i + 1}" if i else "")] = match[1]
    return names


def _newer(problem: Diagnostic) -> Diagnostic:
    help = "write attar: 1; a recipe in a newer language needs a newer attar"
    return problem if problem.code == "E201" else replace(problem, help=help)


def _written(document: Document, path: YamlPath) -> str | None:
    _, node, whole = document.find(path)
    return node.text if whole and node.kind == "scalar" and node.plain else None


def _remove(data: Any, path: YamlPath) -> None:
    for part in path[:-1]:
        if isinstance(data, BaseModel):
            return
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return
    try:
        del data[path[-1]]
    except (KeyError, IndexError, TypeError):
        return


def _nameable(name: str) -> str:
    import re

    made = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")
    return f"s_{made}" if not made or made[0].isdigit() else made
