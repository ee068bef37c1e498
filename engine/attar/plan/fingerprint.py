"""Fingerprints: when two steps are sure to make the same rows, so that a finished stage can be used again.

A step's own part covers what it is (use, version, code), its config without Runtime fields, the bytes of its prompts,
the content of its schemas, the params its prompts read, the identity of its models (not where or how fast they are
served), `when`, `on_fail`, the recipe's seed, and for a source the bytes it reads and the row limit. The fingerprint
adds those of all it reads, and of judges that may send those rows back. Left out on purpose: prices, throughput,
endpoints, requests in flight, backends (see `restamp`), workers, shards, descriptions.
"""

from __future__ import annotations

import datetime
import enum
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from pydantic import BaseModel

from attar import __version__
from attar.api import ModelRef, PromptRef, RecipePath, Runtime, SchemaRef, Source, StepRef
from attar.identity import H, canonical, file_digest
from attar.plan.refs import marked
from attar.plan.types import Plan, PlannedStep, Stage
from attar.recipe.language import ModelSpec

LANGUAGE = 1
MODEL_IDENTITY = ("model", "revision", "sampling", "send_seed", "max_context")
_digests: dict[tuple[str, int, int], str] = {}


def model_identity(spec: ModelSpec) -> list[Any]:
    """What decides a model's answers: repository, revision, sampling, seeding, context limit."""
    sampling = spec.sampling.model_dump(exclude_none=True)
    return [spec.model, spec.revision, sampling, spec.send_seed, spec.max_context]


def own_part(planned: PlannedStep, plan: Plan, folder: Path) -> str:
    """The part of a step's fingerprint that does not depend on other steps. Reads the files a source reads."""
    from attar.registry.digest import code_digest

    cls = type(planned.step)
    modules = dict.fromkeys(c.__module__ for c in cls.__mro__ if c.__module__.partition(".")[0] not in _NOT_PLUGINS)
    config = planned.step.config
    parts: list[Any] = [
        planned.use,
        cls.version,
        [code_digest(module) for module in modules],
        identity_of(config, folder),
        [model_identity(plan.models[name]) for name in planned.models],
        _params_read(config, planned.params, folder),
        plan.seed,
        planned.when,
        planned.on_fail.model_dump() if planned.on_fail is not None else None,
        planned.name,
    ]
    files = planned.step.inputs()
    if isinstance(planned.step, Source):
        parts += [input_digests(files), plan.limit]
    elif files:
        parts.append(input_digests(files))
    return H("fingerprint", LANGUAGE, *parts)


_NOT_PLUGINS = frozenset({"attar", "builtins", "typing", "abc"})


def stamp(plan: Plan, salt: Mapping[str, str] | None = None, decided: Mapping[str, str] | None = None) -> None:
    """Sets every fingerprint and the plan's digest from the steps' own parts."""
    salt, decided = salt or {}, decided or {}
    judges_of: dict[str, list[tuple[str, frozenset[str]]]] = {}
    for judge in plan.steps.values():
        region = frozenset(judge.retry_region)
        for name in judge.retry_region:
            judges_of.setdefault(name, []).append((judge.name, region))
    done: dict[str, str] = {}

    def seen(read: str, reader: PlannedStep) -> list[str]:
        """What a reader sees of a step: its fingerprint, and those of judges that may send its rows back first."""
        loops = [judge for judge, region in judges_of.get(read, ()) if reader.name not in region]
        return [done[read], *(done[name] for name in loops)]

    for name in plan.order:  # judges that may send back what a step reads stand before it
        step = plan.steps[name]
        salted = sorted((model, salt[model]) for model in step.models if model in salt)
        before = [seen(read, step) for read in step.inputs]
        sides = [[field, seen(read, step)] for field, read in sorted(step.side.items())]
        said = [decided[name]] if name in decided else []
        done[name] = step.fingerprint = H("step", plan.own.get(name, ""), salted, before, sides, *said)
    for stage in plan.stages:
        stage.fingerprint = _of_stage(plan, stage)
    plan.digest = _of_plan(plan)


def restamp(plan: Plan, salt: Mapping[str, str], decided: Mapping[str, str] | None = None) -> Plan:
    """A copy of the plan whose fingerprints also cover a word per model, and what people decided on a judge's rows.

    With an empty salt and no decisions the copy equals the plan.

    Args:
        salt: model, by its name in the recipe → the kind of backend that `execute` resolved ("rehearsal" or "real"),
            so that rehearsed stages are never taken for real ones.
        decided: judge → digest of the decisions on rows it laid aside. They change what comes out of it and of all
            behind it, but not the plan's digest: it is the same run that goes on.
    """
    copy = replace(
        plan,
        steps={name: replace(step) for name, step in plan.steps.items()},
        stages=[replace(stage) for stage in plan.stages],
    )
    stamp(copy, salt)
    if decided:
        digest = copy.digest
        stamp(copy, salt, decided)
        copy.digest = digest
    return copy


def _of_stage(plan: Plan, stage: Stage) -> str:
    """Of a stage: all its steps (a row's fate in a loop shows in its taps), which of them it writes, and the engine."""
    steps = [[name, plan.steps[name].fingerprint] for name in stage.steps]
    return H("stage", LANGUAGE, __version__, stage.kind, steps, list(stage.taps))


def _of_plan(plan: Plan) -> str:
    folder = plan.file.absolute().parent
    outputs = []
    for name, output in sorted(plan.outputs.items()):
        step = plan.steps[output.step]
        config = identity_of(output.sink.config, folder)
        loops = [s.fingerprint for s in plan.steps.values() if output.step in s.retry_region]
        files = output.sink.inputs()
        read = [input_digests(files)] if files else []
        outputs.append([name, output.format, config, step.fingerprint, loops, *read])
    sinks = sorted([s.name, s.fingerprint] for s in plan.steps.values() if s.kind == "sink")
    return H("plan", LANGUAGE, plan.recipe, outputs, sinks)


def identity_of(value: Any, folder: Path) -> Any:
    """A config as canonical JSON of what decides the output.

    Runtime fields are left out; a prompt is its digest, a schema its content; names of models and steps are left out,
    for what they refer to is covered apart; paths are relative to the recipe, so that moving both changes nothing.
    """
    if isinstance(value, PromptRef):
        return {"by": value.by, "prompts": {key: text.digest for key, text in value.texts.items()}}
    if isinstance(value, SchemaRef):
        return {"by": value.by, "schemas": {key: canonical(schema).decode() for key, schema in value.schemas.items()}}
    if isinstance(value, ModelRef | StepRef):
        return {"ref": type(value).__name__}
    if isinstance(value, BaseModel):
        runtime, paths = marked(type(value), Runtime), marked(type(value), RecipePath)
        return {
            name: identity_of(
                _relative(getattr(value, name), folder) if name in paths else getattr(value, name), folder
            )
            for name in type(value).model_fields
            if name not in runtime
        }
    if isinstance(value, Mapping):
        return {str(key): identity_of(item, folder) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [identity_of(item, folder) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((identity_of(item, folder) for item in value), key=canonical)
    if isinstance(value, enum.Enum):
        return identity_of(value.value, folder)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, PurePath | datetime.date | datetime.time | re.Pattern):
        return str(value.pattern if isinstance(value, re.Pattern) else value)
    raise TypeError(
        f"a config field of type {type(value).__name__} has no fingerprint; mark it Runtime() or use a model"
    )


def _relative(value: Any, folder: Path) -> Any:
    if isinstance(value, str):
        return os.path.relpath(value, folder.absolute()).replace(os.sep, "/") if Path(value).is_absolute() else value
    if isinstance(value, list | tuple):
        return [_relative(item, folder) for item in value]
    return value


def _params_read(config: BaseModel, params: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The params that the prompts of a config read; all of them where a prompt uses `params` other than by name."""
    from attar.plan.refs import references

    names: set[str] = set()
    for _, ref in references(config):
        if not isinstance(ref, PromptRef):
            continue
        for text in ref.texts.values():
            source = "\n".join([*(part.text for part in text.parts), text.rehearse or ""])
            used = re.findall(r"\bparams\s*\.\s*([A-Za-z_]\w*)", source)
            names.update(used)
            if len(re.findall(r"\bparams\b", source)) > len(used):
                names.update(params)
    return {name: identity_of(_relative(params[name], folder), folder) for name in sorted(names) if name in params}


def input_digests(inputs: Sequence[str]) -> list[list[Any]]:
    """Name (relative to the files' common folder) and digest of each file a source reads, in order.

    A remote file has no digest without fetching it: what its file system says of it (etag, checksum, else size and
    time) stands for it, or the name alone where it says nothing.
    """
    from attar.recipe.files import is_url

    local = [name for name in inputs if not is_url(name)]
    base = os.path.commonpath([os.path.dirname(os.path.abspath(name)) for name in local]) if local else ""  # noqa: PTH100, PTH120
    found: list[list[Any]] = []
    for name in inputs:
        if is_url(name) and not name.startswith("file://"):
            found.append([name, _remote_mark(name)])
        else:
            path = Path(name.removeprefix("file://"))
            found.append([os.path.relpath(path, base or path.parent).replace(os.sep, "/"), _digest(path)])
    return found


def _digest(path: Path) -> str:
    try:
        stat = path.stat()
        key = (str(path.absolute()), stat.st_size, stat.st_mtime_ns)
        if key not in _digests:
            _digests[key] = file_digest(path)
        return _digests[key]
    except OSError:
        return ""  # gone since the source named it; reading it will tell


def _remote_mark(url: str) -> str:
    try:
        import fsspec

        fs, path = fsspec.core.url_to_fs(url)
        info = fs.info(path)
    except Exception:  # offline, or a file system that is not installed: reading will tell
        return ""
    for word in ("ETag", "etag", "checksum", "sha256", "md5", "blob_id"):
        if info.get(word):
            return f"{word}:{info[word]}"
    return "|".join(str(info.get(word, "")) for word in ("size", "mtime", "LastModified", "last_modified"))
