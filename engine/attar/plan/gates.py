"""What a recipe requires of its models: figures of an evaluation that a model must reach before it makes data.

A gate is judged here, where a results file can be read and a place in the recipe be shown; whether it stops anything
is for whoever knows the backend: a rehearsal asks no model, so there an unmet gate is told and no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

from attar.errors import AttarError, Diagnostic, Span
from attar.evals import Evals, EvalsProblem, Figure, is_share, pick, read_evals
from attar.plan.draft import Draft
from attar.plan.faults import Faults
from attar.plan.types import Gate
from attar.recipe.files import is_url, resolve
from attar.recipe.language import ModelSpec
from attar.recipe.loaded import LoadedRecipe, YamlPath
from attar.registry import Registry, suggest


def find_gates(
    loaded: LoadedRecipe, drafts: Mapping[str, Draft], registry: Registry, faults: Faults
) -> tuple[Gate, ...]:
    """Every requirement of every model that a step asks, judged.

    What needs no results file to be seen (a requirement without `evals`) goes to `faults`; the rest stands in the
    gates, each unmet one with its diagnostic.
    """
    used = {name for draft in drafts.values() for name in draft.models}
    gates: list[Gate] = []
    read: dict[Path, list[Evals] | EvalsProblem] = {}
    for name, spec in loaded.models.items():
        wanted = list(_wanted(spec))
        if name not in used or not (wanted or spec.evals):
            continue
        owner = _Owner(loaded, name)
        if not wanted and not owner.says("requires"):  # else it stands there, and wrongly: said already
            message = f"model {name!r} names evaluation results and requires nothing of them"
            help = "add `requires: {task: figure}`, or take `evals` away"
            path = owner.path("evals")
            faults.add(Diagnostic("W640", message, owner.span("evals"), help, path, "warning"))
        elif wanted and not spec.evals:
            message = f"model {name!r} requires an evaluation, and no results file is named"
            help = "add `evals: path/to/results.json`, as lm-evaluation-harness writes it (a folder of them will do)"
            faults.add(Diagnostic("E640", message, owner.span("requires", key=True), help, owner.path("requires")))
        else:
            judge = _Judge(name, spec, owner, registry, read)
            gates += [judge.gate(task, metric, needed, path) for task, metric, needed, path in wanted]
    return tuple(gates)


def _wanted(spec: ModelSpec) -> Iterator[tuple[str, str | None, float, YamlPath]]:
    """(task, metric or None, figure, path below the model's entry) of each requirement."""
    for task, value in (spec.requires or {}).items():
        if isinstance(value, Mapping):
            yield from ((task, metric, needed, ("requires", task, metric)) for metric, needed in value.items())
        elif value is not None:
            yield task, None, value, ("requires", task)


class _Owner:
    """Where a model's requirements are written: in its own entry, or in one that it extends."""

    def __init__(self, loaded: LoadedRecipe, name: str) -> None:
        self._loaded = loaded
        self.file, own = loaded.model_paths[name]
        document = getattr(loaded.places, "documents", {}).get(self.file)
        written = document.data.get("models") if document is not None else None
        entries = written if isinstance(written, Mapping) else {}
        self._entries: dict[str, Mapping[str, Any]] = {k: v for k, v in entries.items() if isinstance(v, Mapping)}
        self._chain = [str(own[1])]
        while True:
            base = self._entries.get(self._chain[-1], {}).get("extends")
            if not isinstance(base, str) or base not in self._entries or base in self._chain:
                break
            self._chain.append(base)

    def path(self, *below: str | int) -> YamlPath:
        for link in self._chain:
            here: Any = self._entries.get(link)
            for part in below:
                here = here.get(part) if isinstance(here, Mapping) else None
            if here is not None:
                return ("models", link, *below)
        return ("models", self._chain[0], *below)

    def says(self, key: str) -> bool:
        """Whether the entry, or one it extends, has a key at all."""
        return any(key in self._entries.get(link, {}) for link in self._chain)

    def span(self, *below: str | int, key: bool = False) -> Span:
        places = self._loaded.places
        return (places.key if key else places.value)(self.file, self.path(*below))


class _Judge:
    """Judges the requirements of one model."""

    def __init__(
        self,
        name: str,
        spec: ModelSpec,
        owner: _Owner,
        registry: Registry,
        read: dict[Path, list[Evals] | EvalsProblem],
    ) -> None:
        self.name = name
        self.spec = spec
        self.owner = owner
        self.evals: list[Evals] = []
        self.fault: tuple[str, str, str] | None = None
        """code, message and help of what is wrong with the results as a whole."""
        try:
            path = self._path(registry)
            if path not in read:
                try:
                    read[path] = read_evals(path)
                except EvalsProblem as problem:
                    read[path] = problem
            found = read[path]
            if isinstance(found, EvalsProblem):
                raise found
            self._choose(found)
        except EvalsProblem as problem:
            self.fault = ("E641", problem.message, problem.help)
        except AttarError as error:
            first = error.diagnostics[0]
            self.fault = (first.code, first.message, first.help)

    def _path(self, registry: Registry) -> Path:
        written = self.spec.evals or ""
        folder = self.owner.file.parent
        if is_url(written):
            raise EvalsProblem(f"{written} is not on this machine", "download the results file and name it here")
        path = Path(written).expanduser() if written.startswith("~") else folder / written
        if path.is_dir():
            return path
        return resolve(written, folder, lambda name: registry.plugin_root(name) if name in registry.names() else None)

    def _choose(self, found: list[Evals]) -> None:
        """Keeps the results of this model; names the models of the others where there are none."""
        served = [self.spec.serve.get("served-model-name"), self.spec.serve.get("served_model_name")]
        names = {_plain(str(name)) for name in (self.spec.model, *served) if name}
        self.evals = [
            one
            for one in found
            if _plain(one.model) in names
            and (one.revision is None or self.spec.revision in (None, "main", one.revision))
        ]
        if self.evals:
            return
        other = [one for one in found if _plain(one.model) in names]
        said = " and ".join(
            dict.fromkeys(
                (f"{one.model}@{one.revision}" if other else one.model) or "no model" for one in other or found
            )
        )
        wanted = f"{self.spec.model or self.name}" + (f"@{self.spec.revision}" if other else "")
        self.fault = (
            "E645",
            f"{found[0].file.name if len(found) == 1 else 'the results'} evaluated {said}, not {wanted}",
            "name the results of this model; where the server knows it by another name, say so in"
            " `serve: {served-model-name: …}`; `requires: null` takes an inherited requirement away",
        )

    def gate(self, task: str, metric: str | None, needed: float, below: YamlPath) -> Gate:
        blank = Gate(self.name, self.spec.model or "", task, metric or "", needed)
        if self.fault is not None:
            code, message, help = self.fault
            return self._unmet(blank, ("evals",), code, message, help)
        found = self._find(task)
        if found is None and metric is None and "/" in task:
            short, _, metric = task.rpartition("/")
            found = self._find(short)
            task = short if found is not None else task
            metric = metric if found is not None else None
            blank = replace(blank, task=task, metric=metric or "")
        if found is None:
            tasks = list(dict.fromkeys(name for one in self.evals for name in one.tasks))
            message = f"{self.evals[0].file.name} has no task {task!r}"
            return self._unmet(blank, below, "E642", message, suggest(task, tasks, "tasks"))
        evals, figures = found
        figure = pick(figures, metric)
        if len(figure) != 1:
            return self._unmet(blank, below, "E643", *self._unclear(evals, task, metric, figures, figure))
        return self._judged(blank, evals, figure[0], below)

    def _find(self, task: str) -> tuple[Evals, tuple[Figure, ...]] | None:
        return next(((one, one.tasks[task]) for one in self.evals if task in one.tasks), None)

    def _unclear(
        self, evals: Evals, task: str, metric: str | None, figures: tuple[Figure, ...], found: list[Figure]
    ) -> tuple[str, str]:
        if found:
            keys = [one.key for one in found]
            message = f"{task} has {found[0].metric} under several filters in {evals.file.name}: {_listed(found)}"
            return message, f"name one: {task}: {{{keys[0]!r}: …}}"
        names = list(dict.fromkeys(one.key for one in figures))
        return f"{evals.file.name} has no metric {metric!r} of {task}", suggest(metric or "", names, "metrics")

    def _judged(self, blank: Gate, evals: Evals, figure: Figure, below: YamlPath) -> Gate:
        from attar.identity import file_digest

        needed = blank.needed
        gate = replace(
            blank,
            metric=figure.key,
            found=figure.value,
            stderr=figure.stderr,
            at_most=not figure.higher,
            file=evals.file.name,
            digest=file_digest(evals.file),
            date=_day(evals.date),
        )
        has = f"{blank.task} is {_show(figure.value)} ({figure.key}) in {evals.file.name}"
        if is_share(figure.metric) and (needed > 1) != evals.percent and needed != 0:
            counts = "percent" if evals.percent else "shares of 1"
            mended = _show(needed * 100 if evals.percent else needed / 100)
            message = f"{_show(needed)} is required, but that file counts in {counts}: {has}"
            return self._unmet(gate, below, "E644", message, f"write {mended} if that is what is meant")
        if figure.value <= needed if gate.at_most else figure.value >= needed:
            return replace(gate, met=True)
        rule = f"at {'most' if gate.at_most else 'least'} {_show(needed)} is required"
        of = f" of {gate.date}" if gate.date else ""
        message = f"model {self.spec.model!r} did not pass: {rule}, and {has}{of}"
        help = "name a model that passes, or require less; `--backend rehearsal` tries the recipe without a model"
        return self._unmet(gate, below, "E646", message, help)

    def _unmet(self, gate: Gate, below: YamlPath, code: str, message: str, help: str) -> Gate:
        path = self.owner.path(*below)
        return replace(gate, problem=Diagnostic(code, message, self.owner.span(*below), help, path))


def _plain(name: str) -> str:
    """A model's name as it is compared: the hub's names ignore letter case, and folders may end in a slash."""
    return name.rstrip("/").casefold()


def _listed(figures: list[Figure]) -> str:
    return ", ".join(f"{one.filter} {_show(one.value)}" for one in figures)


def _show(number: float) -> str:
    return f"{number:.6g}"


def _day(seconds: float) -> str:
    if not seconds:
        return ""
    from datetime import datetime

    try:
        return datetime.fromtimestamp(seconds, UTC).date().isoformat()
    except (OverflowError, ValueError, OSError):
        return ""
