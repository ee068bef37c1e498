"""A tiny plugin `t` and a way from YAML text to a plan, for tests of planning."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from attar.api import (
    BatchSource,
    Columns,
    Config,
    ConfigProblem,
    DatasetStep,
    Judge,
    MergeStep,
    ModelRef,
    PromptRef,
    RecipePath,
    RowStep,
    Runtime,
    SchemaRef,
    Sink,
    Source,
    Step,
    StepRef,
    hookimpl,
)
from attar.errors import Diagnostic
from attar.plan import Plan, check
from attar.registry import Registry


class SourceConfig(Config):
    columns: dict[str, str] = {"text": "string"}
    files: Annotated[list[str], RecipePath()] = []
    threads: Annotated[int, Runtime()] = 1


class Read(BatchSource[SourceConfig]):
    Config = SourceConfig

    def inputs(self) -> Sequence[str]:
        return self.config.files

    def writes(self, incoming: Columns) -> Columns:
        return dict(self.config.columns)

    def batches(self, start: int, stop: int | None, ctx: Any) -> Iterator[Any]:
        return iter(())


class Slots(Source[SourceConfig]):
    Config = SourceConfig

    def writes(self, incoming: Columns) -> Columns:
        return dict(self.config.columns)

    def redraw(self, row: Any, ctx: Any) -> Mapping[str, Any]:
        return {}


class MapConfig(Config):
    reads: dict[str, str] = {}
    adds: dict[str, str] | None = None
    drops: list[str] = []
    index: StepRef | None = None


class Map(RowStep[MapConfig]):
    """Adds a column named after the step."""

    Config = MapConfig

    def reads(self, incoming: Columns) -> Columns:
        return dict(self.config.reads)

    def writes(self, incoming: Columns) -> Columns:
        new = {self.short_name: "string"} if self.config.adds is None else self.config.adds
        kept = {name: kind for name, kind in incoming.items() if name not in self.config.drops}
        return self.add(kept, new, ("adds",) if self.config.adds else ())

    def apply_batch(self, batch: Any, ctx: Any) -> Any:
        return None


class Explode(Map):
    expands = True


class Draw(Map):
    varies = True


class Ask(MapConfig):
    model: ModelRef
    prompt: PromptRef | None = None
    output: SchemaRef | None = None
    others: list[ModelRef] = []


class Gen(RowStep[Ask]):
    Config = Ask
    provides = frozenset({"criteria"})

    def writes(self, incoming: Columns) -> Columns:
        return self.add(incoming, {self.short_name: "string"})


class Check(Judge[Config]):
    """A judge without a model."""

    Config = Config


class ScoreConfig(Config):
    model: ModelRef
    prompt: PromptRef | None = None


class Score(Judge[ScoreConfig]):
    Config = ScoreConfig

    def score_names(self) -> Sequence[str]:
        return ("quality",)


class Sort(DatasetStep[Config]):
    Config = Config


class Union(MergeStep[Config]):
    Config = Config

    def merged(self, incoming: Mapping[str, Columns]) -> Columns:
        return {name: kind for columns in incoming.values() for name, kind in columns.items()}


class Write(Sink[Config]):
    Config = Config


class Strict(Map):
    """Raises what a step may raise."""

    def writes(self, incoming: Columns) -> Columns:
        raise ConfigProblem(("adds", "x"), "adds.x is wrong", "mend it")


class Odd(Map):
    def writes(self, incoming: Columns) -> Columns:
        raise ZeroDivisionError("a fault of its own")


class WeirdConfig(Config):
    thing: Any = object()


class Weird(Map):
    Config = WeirdConfig

    def reads(self, incoming: Columns) -> Columns:
        return {}

    def writes(self, incoming: Columns) -> Columns:
        return dict(incoming)


STEPS: dict[str, type[Step[Any]]] = {
    "read": Read,
    "slots": Slots,
    "map": Map,
    "explode": Explode,
    "draw": Draw,
    "gen": Gen,
    "check": Check,
    "score": Score,
    "sort": Sort,
    "union": Union,
    "write": Write,
    "strict": Strict,
    "odd": Odd,
    "weird": Weird,
}


class Plugin:
    """The plugin `t`, by the same hooks as any other."""

    @hookimpl
    def attar_steps(self) -> Mapping[str, Any]:
        return STEPS

    @hookimpl
    def attar_exporters(self) -> Mapping[str, Any]:
        return {"parquet": Write, "jsonl": Write}


REGISTRY = Registry.of({"t": Plugin()})
HEAD = "attar: 1\nname: x\n"


def write_recipe(folder: Path, body: str, **files: str) -> Path:
    """A recipe file of `attar: 1`, a name and `body`; `files` are written beside it (`prompt_md=` is prompt.md)."""
    for name, text in files.items():
        (folder / ".".join(name.rsplit("_", 1))).write_text(textwrap.dedent(text).lstrip("\n"))
    file = folder / "recipe.yaml"
    file.write_text(HEAD + textwrap.dedent(body).lstrip("\n"))
    return file


def planned(folder: Path, body: str, *, limit: int | None = None, **files: str) -> tuple[Plan | None, list[Diagnostic]]:
    """Writes a recipe and plans it with the plugin `t`."""
    return check(write_recipe(folder, body, **files), {}, limit=limit, registry=REGISTRY)


def good(folder: Path, body: str, *, limit: int | None = None, **files: str) -> Plan:
    """The plan of a recipe that has no errors."""
    plan, found = planned(folder, body, limit=limit, **files)
    assert plan is not None, [f"{d.code} {d.message}" for d in found]
    return plan


def said(folder: Path, body: str, **files: str) -> list[tuple[str, int, str]]:
    """(code, line of the body, message) of every diagnostic of a recipe; lines count from 1 in `body`."""
    _, found = planned(folder, body, **files)
    offset = HEAD.count("\n")
    own = str(folder / "recipe.yaml")
    lines = []
    for d in found:
        line = 0 if d.span is None else d.span.line - (offset if d.span.file.endswith(Path(own).name) else 0)
        lines.append((d.code, line, d.message))
    return lines
