"""Builds each step's Config and instance: references merged and resolved, every mistake at its place in the recipe."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from attar.api import ConfigProblem, ModelRef, PromptRef, RecipePath, SchemaRef, Step, StepRef
from attar.errors import AttarError
from attar.plan.draft import Draft, kind_of
from attar.plan.faults import REFS, Faults
from attar.plan.files import Files
from attar.plan.refs import REF_TYPES, marked, mentions, models_in, references
from attar.recipe.explain import explain
from attar.recipe.loaded import LoadedRecipe, LoadedStep, YamlPath
from attar.registry import Registry, suggest


def draft_steps(
    loaded: LoadedRecipe, registry: Registry, files: Files, faults: Faults, holes: Collection[YamlPath] = ()
) -> dict[str, Draft]:
    """A draft of every step, with class, config and references as far as they can be had. A step with one of the
    `holes` (values that could not be filled in) below it is left without config."""
    drafts = {name: Draft(step) for name, step in loaded.steps.items()}
    for draft in drafts.values():
        step = draft.loaded
        try:
            draft.cls = registry.step(step.use)
        except AttarError as error:
            faults.error(error, loaded.places.value(step.file, (*step.path, "use")), (*step.path, "use"))
            continue
        if kind_of(draft.cls) is None:
            faults.step(step, ("use",), "E305", f"{step.use!r} is none of the kinds of step that attar.api offers")
            draft.cls = None
            continue
        if any(path[: len(step.path)] == step.path for path in holes):
            continue  # it hangs on a parameter that is not there; what it would say of it is noise
        config = _config(step, draft.cls, faults, loaded, registry)
        if config is None:
            continue
        _resolve(draft, config, loaded, files, faults)
        draft.step = _instance(draft, config, faults)
    return drafts


def _config(
    step: LoadedStep, cls: type[Step[Any]], faults: Faults, loaded: LoadedRecipe, registry: Registry
) -> BaseModel | None:
    """The validated config, or None where it is at fault."""
    model = cls.Config
    data: dict[str, Any] = dict(step.with_)
    good = True
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    for ref, value in step.refs.items():
        field = fields.get(ref)
        if field is None or not mentions(field.annotation, REF_TYPES):
            takes = [name for name in REFS if name in fields and mentions(fields[name].annotation, REF_TYPES)]
            help = f"it takes: {', '.join(takes)}" if takes else "it takes none of model, prompt, output, index"
            faults.step(step, (ref,), "E307", f"step {step.use!r} takes no {ref!r}", help, key=True)
            good = False
        elif ref in data:
            faults.step(
                step, ("with", ref), "E308", f"{ref!r} is given twice: beside `use` and in `with`", "keep one of them"
            )
            good = False
        else:
            data[ref] = value
    try:
        for full, written in absolute_paths(data, model, step.file.parent, registry).items():
            faults.wrote(step, full, written)
    except AttarError as error:  # a plugin whose files are named cannot be used
        faults.error(error, faults.span(step, ("with",)), (*step.path, "with"))
        return None
    key, value_of = faults.locate(step)
    try:
        config = model.model_validate(data)
    except ValidationError as error:
        for found in explain(error, model, data, key=key, value=value_of):
            faults.add(_placed(found, step, fields, faults))
        return None
    except Exception as error:  # a validator of the plugin's own
        faults.step(
            step, ("with",), "E309", f"step {step.use!r} cannot read its config: {type(error).__name__}: {error}"
        )
        return None
    renamed = _with_full_names(config, data, step, loaded)
    if renamed is not None:
        config = model.model_validate(renamed)
    return config if good else None


def _with_full_names(
    config: BaseModel, data: dict[str, Any], step: LoadedStep, loaded: LoadedRecipe
) -> dict[str, Any] | None:
    """The data with names inside `with:` made full, for a step that an include or a repeat has put under a namespace;
    None where nothing changes. (The references beside `use` are full already.)"""
    if "." not in step.name:
        return None
    changed: dict[str, Any] | None = None
    for path, ref in references(config):
        if not path or path[0] in step.refs or not isinstance(ref, ModelRef | StepRef):
            continue
        full = full_name(str(ref), step.name, loaded.models if isinstance(ref, ModelRef) else loaded.steps)
        if full != ref:
            changed = copy.deepcopy(data) if changed is None else changed
            here: Any = changed
            try:
                for part in path[:-1]:
                    here = here[part]
                if here[path[-1]] == ref:
                    here[path[-1]] = full
            except (KeyError, IndexError, TypeError):
                continue  # a default of the plugin's; it is looked up as it is
    return changed


def full_name(name: str, of_step: str, known: Mapping[str, Any]) -> str:
    """What a name written in step `of_step` stands for: nearest namespace first; a block stands for its last step."""
    parts = of_step.split(".")[:-1]
    for length in range(len(parts), -1, -1):
        candidate = ".".join([*parts[:length], name])
        if candidate in known:
            return candidate
        inside = [other for other in known if re.fullmatch(rf"{re.escape(candidate)}\.\d+\.[^.]+", other)]
        if inside:
            return inside[-1]
    return name


def _placed(found: Any, step: LoadedStep, fields: Mapping[str, Any], faults: Faults) -> Any:
    """Gives a config's diagnostic its whole path; a missing reference is told where references are written."""
    from dataclasses import replace

    path = found.path
    if found.code == "E201" and len(path) == 1:
        name = str(path[0])
        isref = name in REFS and name in fields and mentions(fields[name].annotation, REF_TYPES)
        before = "" if isref else "with."
        return replace(
            found,
            message=f"step {step.use!r} needs {name!r}",
            span=faults.locate(step)[0](()) if not isref and step.with_ else _use_span(step, faults),
            help=f"add `{name}: …` beside `use`" if isref else f"add `{name}: …` under `{before.rstrip('.')}`",
            path=(*step.path, *(() if isref else ("with",)), name),
        )
    full = (*step.path, *path) if path and path[0] in step.refs else (*step.path, "with", *path)
    return replace(found, path=full, message=found.message)


def _use_span(step: LoadedStep, faults: Faults) -> Any:
    return faults.span(step, ("use",))


def absolute_paths(data: dict[str, Any], model: type[BaseModel], folder: Path, registry: Registry) -> dict[str, str]:
    """Makes paths in fields marked RecipePath absolute, in place: a path is relative to the file (in `folder`) that
    names it, `<plugin>:…` to the plugin's. Returns how each changed path was written."""
    changed: dict[str, str] = {}

    def one(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        prefix, colon, rest = value.partition(":")
        if colon and not rest.startswith("//") and prefix in registry.names():
            full = str(registry.plugin_root(prefix) / rest)
        else:
            full = absolute(value, folder)
        if full != value:
            changed[full] = value
        return full

    for name in marked(model, RecipePath):
        alias = model.model_fields[name].alias or name
        if alias in data:
            value = data[alias]
            data[alias] = [one(item) for item in value] if isinstance(value, list) else one(value)
    for name, field in model.model_fields.items():  # a config within the config
        alias = field.alias or name
        inner = [kind for kind in models_in(field.annotation) if marked(kind, RecipePath)]
        if inner and isinstance(data.get(alias), Mapping):
            data[alias] = dict(data[alias])
            changed |= absolute_paths(data[alias], inner[0], folder, registry)
    return changed


def absolute(path: str, folder: Path) -> str:
    """A path as the recipe in `folder` means it; URLs stay, `bundled:` is the shipped files' folder."""
    from attar.recipe.files import bundled_root, is_url

    if is_url(path) or not path:
        return path
    if path.startswith("bundled:"):
        return str(bundled_root() / path.removeprefix("bundled:"))
    return os.path.normpath(folder.absolute() / Path(path).expanduser())


def _resolve(draft: Draft, config: BaseModel, loaded: LoadedRecipe, files: Files, faults: Faults) -> None:
    """Checks names of models and steps, loads prompt and schema files into the references."""
    step = draft.loaded
    models: list[str] = []
    for path, ref in references(config):
        place = path if path and path[0] in step.refs else ("with", *path)
        if isinstance(ref, ModelRef):
            draft.asks = True
            if ref in loaded.models:
                models.append(str(ref))
            else:
                help = suggest(ref, loaded.models, "models") or "declare it under `models:`"
                faults.step(step, place, "E630", f"no model {str(ref)!r} in this recipe", help)
        elif isinstance(ref, StepRef):
            if ref == step.name:
                faults.step(step, place, "E402", f"step {step.name!r} reads its own output as a side table")
            elif ref in loaded.steps:
                draft.side[".".join(map(str, path))] = str(ref)
            else:
                help = suggest(ref, loaded.steps, "steps")
                faults.step(step, place, "E401", f"no step {str(ref)!r} in this recipe", help)
        else:
            _load(draft, ref, place, files, faults)
    draft.models = tuple(dict.fromkeys(models))


def _load(draft: Draft, ref: PromptRef | SchemaRef, place: tuple[str | int, ...], files: Files, faults: Faults) -> None:
    step = draft.loaded
    if ref.by is not None:
        draft.by.append(((*place, "by"), ref.by))
    for value, name in ref.files.items():
        at = (*place, value) if ref.by is not None else place
        span = faults.span(step, at)
        if isinstance(ref, PromptRef):
            text, found = files.prompt(name, step.file.parent, span)
            if text is not None:
                ref.texts[value] = text
                draft.prompts.append((at, value, text))
            loaded = text is not None
        else:
            schema, found = files.schema(name, step.file.parent, span)
            if schema is not None:
                ref.schemas[value] = schema
            loaded = schema is not None
        for one in found:
            faults.add(one)
        if not loaded:
            draft.tainted = True


def _instance(draft: Draft, config: BaseModel, faults: Faults) -> Step[Any] | None:
    assert draft.cls is not None
    try:
        step = draft.cls(config)
    except ConfigProblem as problem:
        faults.problem(draft.loaded, problem)
        return None
    except Exception as error:
        faults.step(
            draft.loaded,
            ("use",),
            "E309",
            f"step {draft.loaded.use!r} cannot be built: {type(error).__name__}: {error}",
            "this is a fault of the plugin",
        )
        return None
    step.name = draft.name
    return step
