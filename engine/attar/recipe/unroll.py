"""`include` and `repeat` written out: every step with its full name and the full names of what it reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attar.errors import Diagnostic
from attar.recipe.language import Include, OnFail, RepeatSpec, StepSpec
from attar.recipe.loaded import LoadedStep, YamlPath
from attar.recipe.params import Override

if TYPE_CHECKING:
    from attar.recipe.load import Loader, Part

MAX_ROUNDS = 1000


def include_parts(loader: Loader, part: Part, namespace: str, stack: tuple[Path, ...]) -> None:
    """Loads what a part includes and puts its steps and models into the part."""
    includes = part.recipe.include
    single = isinstance(includes, Include)
    taken: dict[str, int] = {}
    for i, include in enumerate([includes] if isinstance(includes, Include) else includes):
        path: YamlPath = ("include",) if single else ("include", i)
        value_span = part.document.value_span
        if include.as_ in part.recipe.steps or include.as_ in taken:
            what = "a step" if include.as_ in part.recipe.steps else "another include"
            loader.found.append(
                Diagnostic(
                    "E231",
                    f"{include.as_!r} is also the name of {what}",
                    value_span((*path, "as")),
                    "give the include another `as`",
                    (*path, "as"),
                )
            )
            continue
        taken[include.as_] = i
        from attar.recipe.files import find

        file_path = (*path, "file")
        file, found = find(include.file, part.document.file.parent, value_span(file_path))
        loader.found.extend(found)
        if file is None:
            part.broken = True
            continue
        if file.resolve() in stack:
            loader.found.append(
                Diagnostic(
                    "E230",
                    f"{include.file} includes itself",
                    value_span(file_path),
                    "a recipe can only include recipes that do not lead back to it",
                    file_path,
                )
            )
            part.broken = True
            continue
        overrides = {
            name: Override(value, part.document.file.parent, value_span((*path, "with", name)), (*path, "with", name))
            for name, value in include.with_.items()
        }
        inner = loader.part(file, overrides, f"{namespace}{include.as_}.", stack, (part.document, path))
        if inner is None:
            part.broken = True
            continue
        part.broken = part.broken or inner.broken
        part.models.update(inner.models)
        part.model_paths.update(inner.model_paths)
        part.steps.update(inner.steps)
        part.blocks.update(inner.blocks)


def unroll_steps(loader: Loader, part: Part, namespace: str) -> None:
    """Puts a part's own steps into it, blocks written out round by round."""
    rounds: dict[str, int] = {}
    for name, entry in part.recipe.steps.items():
        if isinstance(entry, RepeatSpec):
            times = _times(loader, part, name, entry)
            rounds[name] = times
            if times and entry.repeat.steps:
                part.blocks[namespace + name] = f"{namespace}{name}.{times}.{list(entry.repeat.steps)[-1]}"

    def outside(written: str) -> str:
        return part.blocks.get(namespace + written, namespace + written)

    for name, entry in part.recipe.steps.items():
        if isinstance(entry, RepeatSpec):
            _unroll(loader, part, namespace, name, entry, rounds[name], outside)
        else:
            part.steps[namespace + name] = _step(
                part, namespace, namespace + name, entry, ("steps", name), _inputs(entry.from_), outside
            )


def _times(loader: Loader, part: Part, name: str, entry: RepeatSpec) -> int:
    path: YamlPath = ("steps", name, "repeat", "times")
    times = entry.repeat.times
    span = part.document.value_span(path)
    if isinstance(times, str):
        if "${" not in times:  # else its fault is told already
            loader.found.append(
                Diagnostic(
                    "E240",
                    f"times: expected a whole number, found the text {times!r}",
                    span,
                    "write a number, or ${params.name}",
                    path,
                )
            )
        return 1
    if not 1 <= times <= MAX_ROUNDS:
        loader.found.append(
            Diagnostic(
                "E240",
                f"times: expected 1 to {MAX_ROUNDS:,}, found {times}",
                span,
                "write how often the steps run",
                path,
            )
        )
        return 1
    return times


def _unroll(
    loader: Loader, part: Part, namespace: str, block: str, entry: RepeatSpec, times: int, outside: Any
) -> None:
    path: YamlPath = ("steps", block, "repeat", "steps")
    siblings = list(entry.repeat.steps)
    if not siblings:
        loader.found.append(
            Diagnostic("E241", f"the repeat {block!r} has no steps", part.document.value_span(path), "add a step", path)
        )
    for name in siblings:
        loader.check_name(part, "steps", name, (*path, name))
    for number in range(1, times + 1):
        round_ = f"{block}.{number}."

        def inside(written: str, round_: str = round_) -> str:
            return f"{namespace}{round_}{written}" if written in entry.repeat.steps else outside(written)

        for i, name in enumerate(siblings):
            spec = entry.repeat.steps[name]
            if spec.from_ is not None:
                inputs = [inside(w) for w in _inputs(spec.from_)]
            elif i > 0:
                inputs = [inside(siblings[i - 1])]
            elif number > 1:
                inputs = [f"{namespace}{block}.{number - 1}.{siblings[-1]}"]
            else:
                inputs = [outside(w) for w in _inputs(entry.from_)]
            full = f"{namespace}{round_}{name}"
            part.steps[full] = _step(
                part,
                namespace,
                full,
                spec,
                (*path, name),
                inputs,
                inside,
                resolved=True,
                rewrites=tuple(f"{namespace}{block}.{n}.{name}" for n in range(1, number)),
            )


def _inputs(written: str | list[str] | None) -> list[str]:
    if written is None:
        return []
    return [written] if isinstance(written, str) else list(written)


def _step(
    part: Part,
    namespace: str,
    full: str,
    spec: StepSpec,
    path: YamlPath,
    inputs: list[str],
    name_of: Any,
    *,
    resolved: bool = False,
    rewrites: tuple[str, ...] = (),
) -> LoadedStep:
    refs: dict[str, Any] = {}
    if spec.model is not None:
        refs["model"] = namespace + spec.model
    if spec.prompt is not None:
        refs["prompt"] = spec.prompt
    if spec.output is not None:
        refs["output"] = spec.output
    if spec.index is not None:
        refs["index"] = name_of(spec.index)
    on_fail: OnFail | None = spec.on_fail
    if on_fail is not None and on_fail.retry is not None:
        on_fail = on_fail.model_copy(update={"retry": name_of(on_fail.retry)})
    with_: Mapping[str, Any] = spec.with_
    return LoadedStep(
        name=full,
        use=spec.use,
        inputs=tuple(inputs if resolved else [name_of(w) for w in inputs]),
        with_=with_,
        refs=refs,
        when=spec.when,
        on_fail=on_fail,
        file=part.document.file,
        path=path,
        rewrites=rewrites,
        params=part.params,
    )
