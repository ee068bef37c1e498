"""Follows columns from the sources to the outputs: what each step reads must be there, what it writes must be new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attar.api import Columns, ConfigProblem, MergeStep, ParsedType, nullable, parse_type
from attar.errors import Diagnostic, Span
from attar.plan.draft import Draft
from attar.plan.faults import Faults
from attar.plan.templates import param_faults, struct_faults
from attar.recipe.loaded import LoadedRecipe, YamlPath
from attar.registry import nearest, suggest

ALWAYS = frozenset({"retry", "params"})
OWN = "id"


class Flow:
    """Walks the steps in order and notes for each what arrives, what it reads and what leaves."""

    def __init__(self, loaded: LoadedRecipe, drafts: Mapping[str, Draft], faults: Faults) -> None:
        self._loaded = loaded
        self._drafts = drafts
        self._faults = faults
        self._origin: dict[str, dict[str, str]] = {}
        self._missing: list[tuple[Draft, str, Diagnostic]] = []

    def follow(self, order: Sequence[str]) -> None:
        for name in order:
            draft = self._drafts[name]
            draft.incoming = self._incoming(draft)
            if draft.step is None or draft.incoming is None:
                continue
            draft.step.rewrites = self._rewrites(draft)
            sides = {field: self._drafts[name].columns for field, name in draft.side.items()}
            draft.step.side_columns = {field: columns for field, columns in sides.items() if columns is not None}
            self._visit(draft, draft.incoming)
        self._name_later_makers()

    # -- what arrives ------------------------------------------------------------------------------------------

    def _incoming(self, draft: Draft) -> Columns | None:
        if len(draft.inputs) < len(draft.loaded.inputs) or (draft.kind != "source" and not draft.inputs):
            return None
        parts = [self._drafts[name].columns for name in draft.inputs]
        merged: dict[str, str] = {}
        origin: dict[str, str] = {}
        for name, columns in zip(draft.inputs, parts, strict=True):
            if columns is None:
                return None
            for column, kind in columns.items():
                made = self._origin[name].get(column, name)
                if column in merged and origin[column] != made and draft.kind != "merge" and not draft.unjoinable:
                    self._faults.step(
                        draft.loaded,
                        ("from",),
                        "E502",
                        f"column {column!r} is written twice: by {origin[column]!r} and by {made!r}",
                        "rename one of them, or drop it before (std.select)",
                    )
                merged[column] = kind
                origin[column] = made
        self._origin[draft.name] = origin
        return merged

    def _rewrites(self, draft: Draft) -> frozenset[str]:
        """Columns that earlier rounds of the same step wrote."""
        written: set[str] = set()
        for name in draft.loaded.rewrites:
            earlier = self._drafts.get(name)
            if earlier is not None and earlier.columns is not None:
                own = self._origin[name]
                written.update(column for column, made in own.items() if made == name)
        return frozenset(written)

    # -- one step ----------------------------------------------------------------------------------------------

    def _visit(self, draft: Draft, incoming: Columns) -> None:
        step = draft.step
        assert step is not None
        reads: dict[str, str] = {}
        try:
            reads = dict(step.reads(incoming))
        except ConfigProblem as problem:
            self._problem(draft, problem)
        except Exception as error:
            self._plugin_fault(draft, "reads", error)
        for column, wanted in reads.items():
            self._check_read(draft, column, wanted, incoming)
        self._check_prompts(draft, incoming)
        extra = self._check_when(draft, incoming)
        names = [*reads, *self._prompt_columns(draft, incoming), *(by for _, by in draft.by), *extra]
        draft.reads = tuple(name for name in dict.fromkeys(names) if name in incoming)
        try:
            columns = self._leaving(draft, incoming)
        except ConfigProblem as problem:
            self._problem(draft, problem)
            columns = None
        except Exception as error:
            self._plugin_fault(draft, "writes", error)
            columns = None
        if columns is not None and self._typed(draft, columns):
            self._note(draft, incoming, columns)
        try:
            for found in step.check(incoming):
                self._problem(draft, found)
        except ConfigProblem as problem:
            self._problem(draft, problem)
        except Exception as error:
            self._plugin_fault(draft, "check", error)

    def _leaving(self, draft: Draft, incoming: Columns) -> Columns | None:
        step = draft.step
        if isinstance(step, MergeStep):
            return dict(step.merged({name: self._drafts[name].columns or {} for name in draft.inputs}))
        assert step is not None
        columns = dict(step.writes(incoming))
        if draft.tainted:
            return None
        if draft.loaded.when is not None:  # rows that pass by hold nulls in the new columns
            columns = {name: kind if name in incoming else nullable(kind) for name, kind in columns.items()}
        if draft.kind == "source" and not columns:
            self._faults.step(
                draft.loaded, (), "E505", f"source {draft.name!r} has no columns: there is nothing to read", key=True
            )
            return None
        return columns

    def _note(self, draft: Draft, incoming: Columns, columns: Columns) -> None:
        if OWN in columns and OWN not in incoming:
            self._faults.step(
                draft.loaded,
                (),
                "E504",
                f"step {draft.name!r} writes a column 'id', which is attar's own",
                "give the column another name",
                key=True,
            )
        for name in columns:
            if name.startswith("__") and name not in incoming:
                self._faults.step(
                    draft.loaded,
                    (),
                    "E504",
                    f"step {draft.name!r} writes a column {name!r}; names that begin with __ are attar's own",
                    "give the column another name (std.read: map: {<new name>: " + name + "})",
                    key=True,
                )
        draft.columns = columns
        before = self._origin[draft.name]
        step = draft.step
        assert step is not None
        rewritten = {*step.rewrites, *step.overwrites(incoming)}
        fresh = draft.kind in ("source", "merge")
        self._origin[draft.name] = {
            name: before[name]
            if not fresh and name in before and name not in rewritten and incoming[name] == kind
            else draft.name
            for name, kind in columns.items()
        }

    # -- reads -------------------------------------------------------------------------------------------------

    def _check_read(self, draft: Draft, column: str, wanted: str, incoming: Columns) -> None:
        if column not in incoming:
            path, text = self._place_of(draft, column)
            span = self._faults.word(draft.loaded, path, text, column)
            self._no_column(draft, column, span, (*draft.loaded.path, *path), incoming)
            return
        if not fits(incoming[column], wanted):
            path, _ = self._place_of(draft, column)
            made = self._origin[draft.name].get(column, draft.inputs[0] if draft.inputs else draft.name)
            self._faults.step(
                draft.loaded,
                path,
                "E503",
                f"column {column!r} is {incoming[column]} (from step {made!r}), {draft.loaded.use!r} needs {wanted}",
                "convert it before with std.derive, or name another column",
            )

    def _no_column(self, draft: Draft, column: str, span: Span | None, path: YamlPath, incoming: Columns) -> None:
        found = Diagnostic(
            "E501",
            f"no column {column!r} arrives at step {draft.name!r}",
            span,
            suggest(column, incoming, "columns"),
            path,
        )
        self._missing.append((draft, column, found))

    def _name_later_makers(self) -> None:
        """Adds the missing columns' diagnostics, once it is known which other step makes them."""
        from dataclasses import replace

        for draft, column, found in self._missing:
            makers = [
                name
                for name, other in self._drafts.items()
                if other.columns is not None and self._origin.get(name, {}).get(column) == name
            ]
            help = found.help
            if makers and not nearest_exactly(column, draft.incoming or {}):
                after = self._comes_after(makers[0], draft.name)
                where = f"step {makers[0]!r}, which comes later" if after else f"step {makers[0]!r}, on another branch"
                help = f"{column!r} is made by {where}: let {draft.name!r} read from it"
                if after and draft.name in self._before(makers[0]):
                    help = f"{column!r} is made by {where}: move {draft.name!r} behind it"
            self._faults.add(replace(found, help=help))

    def _comes_after(self, later: str, name: str) -> bool:
        return name in self._before(later)

    def _before(self, name: str) -> set[str]:
        from attar.plan.graph import ancestors, edges_of

        return ancestors(name, edges_of(self._drafts))

    def _place_of(self, draft: Draft, column: str) -> tuple[YamlPath, Any]:
        """Where in the step's config a column is named, and the value there; else the step's `from`."""
        found = find_value(draft.loaded.with_, column)
        if found is not None:
            value: Any = draft.loaded.with_
            for part in found:
                value = value[part]
            return ("with", *found), value
        return (("from",) if draft.loaded.inputs else ("use",)), None

    # -- prompts -----------------------------------------------------------------------------------------------

    def _prompt_columns(self, draft: Draft, incoming: Columns) -> list[str]:
        names = [[*text.variables, *text.rehearse_variables] for _, _, text in draft.prompts]
        return [name for part in names for name in part if name in incoming]

    def _check_prompts(self, draft: Draft, incoming: Columns) -> None:
        step = draft.step
        assert step is not None
        known = {*incoming, *ALWAYS, *step.provides}
        for path, by in draft.by:
            if by not in incoming:
                span = self._faults.span(draft.loaded, path)
                self._no_column(draft, by, span, (*draft.loaded.path, *path), incoming)
        for path, _, text in draft.prompts:
            for name, (line, column) in {**text.rehearse_variables, **text.variables}.items():
                if name not in known:
                    span = Span(text.file, line, column, column + len(name))
                    self._no_column(draft, name, span, (*draft.loaded.path, *path), known_columns(incoming, step))
            if draft.kind == "judge" and step.provides and step.provides.isdisjoint(text.variables):
                self._faults.step(
                    draft.loaded,
                    path,
                    "W535",
                    f"the prompt {text.file} uses none of {', '.join(sorted(step.provides))}: the model is not "
                    "shown them",
                    "put `{% for criterion in criteria %}…{% endfor %}` and `{{ answer_form }}` into the prompt"
                    if {"criteria", "answer_form"} <= step.provides
                    else "put one of them into the prompt",
                    severity="warning",
                )
            for name in text.inputs or ():
                if name not in known and name not in text.variables:
                    span = self._faults.span(draft.loaded, path)
                    self._no_column(draft, name, span, (*draft.loaded.path, *path), incoming)
            faults = list(param_faults(text, draft.loaded.params))
            for part in text.parts:
                inside = struct_faults(part.text, incoming, text.variables)
                faults += [fault._replace(line=part.line + fault.line - 1) for fault in inside]
            for one in faults:
                span = Span(text.file, one.line, one.column, one.column + len(one.field))
                self._faults.add(Diagnostic("E508", one.message, span, one.help, (*draft.loaded.path, *path)))

    def _check_when(self, draft: Draft, incoming: Columns) -> list[str]:
        if draft.loaded.when is None:
            return []
        from attar.plan.expressions import expression_names

        names, problem = expression_names(draft.loaded.when)
        if problem is not None:
            self._faults.step(
                draft.loaded, ("when",), "E520", problem, "write an expression such as `tier == 'direct'`"
            )
            return []
        for name in names:
            if name == "params":
                help = "write ${params.name}: it is filled in before the expression is read"
                self._faults.step(draft.loaded, ("when",), "E520", "`when` reads columns, not `params`", help)
            elif name not in incoming:
                span = self._faults.word(draft.loaded, ("when",), draft.loaded.when, name)
                self._no_column(draft, name, span, (*draft.loaded.path, "when"), incoming)
        for one in struct_faults(draft.loaded.when, incoming, dict.fromkeys(names)):
            span = self._faults.word(draft.loaded, ("when",), draft.loaded.when, one.field)
            self._faults.add(Diagnostic("E508", one.message, span, one.help, (*draft.loaded.path, "when")))
        return names

    # -- faults ------------------------------------------------------------------------------------------------

    def _problem(self, draft: Draft, problem: ConfigProblem) -> None:
        """What the step itself reports, unless it is a missing column that was told already."""
        told = {column for other, column, _ in self._missing if other is draft}
        if problem.code.startswith("E5") and any(repr(column) in problem.message for column in told):
            return
        self._faults.problem(draft.loaded, problem)

    def _plugin_fault(self, draft: Draft, where: str, error: Exception) -> None:
        if len(self._missing) and any(other is draft for other, _, _ in self._missing):
            return
        text = f"step {draft.loaded.use!r} cannot be checked: {where} raised {type(error).__name__}: {error}"
        self._faults.step(draft.loaded, ("use",), "E309", text, "this is a fault of the plugin, or of a file it reads")

    def _typed(self, draft: Draft, columns: Columns) -> bool:
        for name, kind in columns.items():
            try:
                parse_type(kind)
            except ValueError as error:
                text = f"step {draft.loaded.use!r} gives column {name!r} the type {kind!r}: {error}"
                self._faults.step(draft.loaded, ("use",), "E309", text, "this is a fault of the plugin")
                return False
        return True


def nearest_exactly(column: str, incoming: Columns) -> str | None:
    """The incoming column that a name surely stands for: the same but for case, `-` and `_`."""
    near = nearest(column, incoming)
    return near if near is not None and near.casefold() == column.casefold() else None


def known_columns(incoming: Columns, step: Any) -> dict[str, str]:
    """Columns and the names the step adds, for suggestions."""
    return {**incoming, **dict.fromkeys(step.provides, "any")}


def find_value(value: Any, wanted: str) -> YamlPath | None:
    """The path of the first text in a config that is, or names as a whole word, `wanted`; exact ones come first."""
    exact = _search(value, lambda text: text == wanted)
    if exact is not None:
        return exact
    import re

    word = re.compile(rf"(?<!\w){re.escape(wanted)}(?!\w)")
    return _search(value, lambda text: word.search(text) is not None)


def _search(value: Any, matches: Any, path: YamlPath = ()) -> YamlPath | None:
    if isinstance(value, str):
        return path if matches(value) else None
    items: Any = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    for key, item in items:
        found = _search(item, matches, (*path, key))
        if found is None and isinstance(key, str) and matches(key):
            found = (*path, key)
        if found is not None:
            return found
    return None


def fits(found: str, wanted: str) -> bool:
    """Whether a column of type `found` can be read as `wanted`. Nulls are let through: steps must cope with them."""
    try:
        return _fits(parse_type(found), parse_type(wanted))
    except ValueError:
        return True  # told elsewhere


def _fits(found: ParsedType, wanted: ParsedType) -> bool:
    if wanted.kind in ("any", "json") or found.kind in ("any", "json"):
        return True
    if found.kind != wanted.kind:
        return (found.kind, wanted.kind) == ("int", "float")
    if found.item is not None and wanted.item is not None:
        return _fits(found.item, wanted.item)
    own = dict(found.fields)
    return all(name in own and _fits(own[name], kind) for name, kind in wanted.fields)
