"""The datasets a recipe leaves: checked, with the sink that writes each."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import ValidationError

from attar.api import ConfigProblem
from attar.errors import AttarError, Diagnostic, Severity
from attar.plan.configs import absolute_paths
from attar.plan.draft import Draft
from attar.plan.faults import Faults
from attar.plan.types import PlannedOutput
from attar.recipe.explain import explain
from attar.recipe.language import OutputSpec
from attar.recipe.loaded import LoadedRecipe, YamlPath
from attar.registry import Registry, nearest, suggest

RESERVED = frozenset({"rejected", "review", "dead_letter", "provenance", "report", "manifest", "results"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Outputs:
    """Checks `outputs:`; `wanted` are the steps that they read."""

    def __init__(
        self, loaded: LoadedRecipe, drafts: Mapping[str, Draft], registry: Registry, faults: Faults, limit: int | None
    ) -> None:
        self._loaded = loaded
        self._drafts = drafts
        self._registry = registry
        self._faults = faults
        self._limit = limit
        self.wanted: list[str] = []

    def connect(self) -> None:
        """Resolves `from` of every output."""
        if not self._loaded.outputs and not any(draft.kind == "sink" for draft in self._drafts.values()):
            place = self._loaded.places.key(self._loaded.file, ("outputs",))
            help = "add `outputs: {dataset: {from: <step>}}`"
            self._faults.add(Diagnostic("E432", "the recipe leaves no output", place, help, ("outputs",)))
        for name, spec in self._loaded.outputs.items():
            if name in RESERVED:
                self._fault(name, (), "E431", f"{name!r} is a name attar uses itself", "call it dataset", key=True)
            elif not _NAME.fullmatch(name):
                message = f"{name!r} cannot name a folder"
                self._fault(name, (), "E431", message, "use letters, digits, - and _", key=True)
            draft = self._drafts.get(spec.from_)
            if draft is None:
                near = nearest(spec.from_, self._drafts)
                if near is not None:
                    self.wanted.append(near)
                help = suggest(spec.from_, self._drafts, "steps")
                self._fault(name, ("from",), "E401", f"no step {spec.from_!r} in this recipe", help)
            elif draft.kind == "sink":
                self._fault(name, ("from",), "E407", f"step {spec.from_!r} writes files and hands on no rows")
            else:
                self.wanted.append(spec.from_)

    def build(self) -> dict[str, PlannedOutput]:
        """Builds the sinks; what is at fault is reported and left out."""
        built: dict[str, PlannedOutput] = {}
        for name, spec in self._loaded.outputs.items():
            planned = self._one(name, spec)
            if planned is not None:
                built[name] = planned
        return built

    def _one(self, name: str, spec: OutputSpec) -> PlannedOutput | None:
        min_rows = self._min_rows(name, spec)
        try:
            cls = self._registry.exporter(spec.format)
        except AttarError as error:
            file, path = self._loaded.output_paths[name]
            place = (*path, "format")
            self._faults.error(error, self._loaded.places.value(file, place), place)
            return None
        data = dict(spec.with_)
        file, path = self._loaded.output_paths[name]
        places = self._loaded.places
        try:
            absolute_paths(data, cls.Config, file.parent, self._registry)
        except AttarError as error:  # a plugin whose files are named cannot be used
            self._faults.error(error, places.value(file, (*path, "with")), (*path, "with"))
            return None
        try:
            config = cls.Config.model_validate(data)
            sink = cls(config)
        except ValidationError as error:
            for found in explain(
                error,
                cls.Config,
                data,
                key=lambda at: places.key(file, (*path, "with", *at)),
                value=lambda at: places.value(file, (*path, "with", *at)),
            ):
                self._faults.add(found)
            return None
        except ConfigProblem as problem:
            self._problem(name, problem)
            return None
        sink.name = name
        draft = self._drafts.get(spec.from_)
        if draft is None or draft.columns is None:
            return None
        columns = dict(draft.columns)
        try:
            for column, wanted in sink.reads(columns).items():
                self._check_column(name, spec, column, wanted, columns)
            sink.writes(columns)
            for wrong in sink.check(columns):
                self._problem(name, wrong)
        except ConfigProblem as problem:
            self._problem(name, problem)
        return PlannedOutput(name, spec.from_, spec.format, min_rows, sink, columns)

    def _check_column(self, name: str, spec: OutputSpec, column: str, wanted: str, columns: Mapping[str, str]) -> None:
        from attar.plan.columns import find_value, fits

        found = find_value(spec.with_, column)
        place: YamlPath = ("with", *found) if found is not None else ("from",)
        if column not in columns:
            help = suggest(column, columns, "columns")
            self._fault(name, place, "E501", f"no column {column!r} arrives at output {name!r}", help)
        elif not fits(columns[column], wanted):
            message = f"column {column!r} is {columns[column]}, format {spec.format!r} needs {wanted}"
            self._fault(name, place, "E503", message)

    def _min_rows(self, name: str, spec: OutputSpec) -> int | None:
        value = spec.min_rows
        if value is None:
            return None
        if isinstance(value, str) and "${params." in value:
            return None  # the param is at fault, and told
        if isinstance(value, str) and not re.fullmatch(r"\d+", value):
            self._fault(name, ("min_rows",), "E202", f"min_rows: expected a whole number, found {value!r}")
            return None
        rows = int(value)
        if rows < 0:
            self._fault(name, ("min_rows",), "E204", f"min_rows: expected at least 0, found {rows}")
            return None
        if self._limit is not None and rows > self._limit:
            message = f"output {name!r} asks for {rows:,} rows, the limit is {self._limit:,} records of each source"
            self._fault(name, ("min_rows",), "W430", message, "the run will fall short", severity="warning")
        return rows

    def _problem(self, name: str, problem: ConfigProblem) -> None:
        place = ("with", *problem.field) if problem.field else ()
        self._fault(name, place, problem.code, problem.message, problem.help, key=not problem.field)

    def _fault(
        self,
        name: str,
        place: YamlPath,
        code: str,
        message: str,
        help: str = "",
        *,
        key: bool = False,
        severity: Severity = "error",
    ) -> None:
        file, path = self._loaded.output_paths[name]
        full = (*path, *place)
        span = self._loaded.places.key(file, full) if key else self._loaded.places.value(file, full)
        self._faults.add(Diagnostic(code, message, span, help, full, severity))
