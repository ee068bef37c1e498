"""personas.near_tasks: the tasks of a catalogue that lie nearest to a persona's domains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from math import log
from typing import Any

import regex
from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Reject, Row, RowStep, SchemaRef, parse_type
from attar.api.text import language
from attar_personas.catalogues import domains
from attar_personas.distillation.catalogue import Task, TaskCatalogue, load_tasks, task_problems
from attar_personas.distillation.types import OUTPUT_TYPES
from attar_personas.measure import words

CANDIDATE = "struct<task_id:string,domain:string,context:string,function:string,languages:string>"

# Too common in labels to tell one domain from another.
_STOP = """
    a an and are as at by for from in into is it its of on or that the their this to with within across india indian
    indias traditional local rural urban modern practices practice systems expertise studies work services
"""
STOP = frozenset(_STOP.split())
# English endings, so that `farmer`, `farmers` and `farming` meet; other scripts are left as they are.
_ENDING = regex.compile(r"(?:ings?|ers?|ors?|ists?|ies|als?|es|ed|s|y|e)$")


class NearTasksConfig(Config):
    """See NearTasks."""

    tasks: SchemaRef = Field(description="task catalogue: {name, version, tasks: [{id, domain, context, function, …}]}")
    labels: tuple[str, ...] = Field(
        ("sp_1", "gd_1", "sp_01", "gd_01"), min_length=1, description="columns that tell the persona's domains"
    )
    deals: str = Field("deals", description="list column of personas.deal: one row is made for each of its structs")
    type_axis: str = Field("output_type", description="the deals' field that holds the output type")
    language_axis: str | None = Field(
        None, description="the deals' field that holds a language, by code or name; written as its English name"
    )
    k: int = Field(8, ge=1, le=100, description="candidates per row")
    column: str = Field("candidates", description="column for the candidates")


class NearTasks(RowStep[NearTasksConfig]):
    """Makes a row per deal of a persona, each with the k tasks nearest to the persona's domains that suit its type.

    Nearness is lexical: the words of the labels, weighted by how few tasks share them, against those of a task; a
    task's general field counts through the words of all its domains in the domain catalogue. Tasks that tie, among them
    all that share no word, are ordered by chance, those of the nearest field first. Rows of one persona are handed
    every n-th of that order, so that two of them get no task in common while there are enough.

    Writes the deals' fields, `task_number` (from 1) and the candidates, nearest first. Reject code: `no_task`, where no
    task suits (only if the catalogue was not checked against the deals' labels).
    """

    Config = NearTasksConfig
    expands = True

    def reads(self, incoming: Columns) -> Columns:
        return {**dict.fromkeys(self.config.labels, "string?"), self.config.deals: "any"}

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        yield from task_problems(self.config.tasks, dict.fromkeys(OUTPUT_TYPES))
        kind = incoming.get(self.config.deals)
        if kind is not None and self._axes(incoming) is None:
            message = f"{self.config.deals!r} is {kind}, not a list of deals with a field {self.config.type_axis!r}"
            yield ConfigProblem(("deals",), message, "make it with personas.deal", "E503")

    def writes(self, incoming: Columns) -> Columns:
        kept = {name: kind for name, kind in incoming.items() if name != self.config.deals}
        axes = self._axes(incoming) or {self.config.type_axis: "string"}
        return self.add(kept, {**axes, "task_number": "int", self.config.column: f"list<{CANDIDATE}>"})

    def _axes(self, incoming: Columns) -> dict[str, str] | None:
        kind = parse_type(incoming.get(self.config.deals, "any"))
        if kind.kind != "list" or kind.item is None or kind.item.kind != "struct":
            return None
        axes = {name: part.text() for name, part in kind.item.fields}
        return axes if self.config.type_axis in axes else None

    async def apply(self, row: Row, ctx: Context) -> list[Mapping[str, Any]] | Reject:
        config = self.config
        catalogue = load_tasks(config.tasks)
        deals: Sequence[Mapping[str, str]] = row[config.deals] or ()
        if catalogue is None or not deals:
            return Reject("no_task", "the row has no deals" if catalogue is not None else "no catalogue")
        order = ranked(catalogue, [row[name] or "" for name in config.labels], ctx)
        made: list[Mapping[str, Any]] = []
        for number, deal in enumerate(deals):
            fit = candidates(order, deal[config.type_axis], number, len(deals), config.k)
            if not fit:
                return Reject("no_task", f"no task suits {deal[config.type_axis]}")
            shown = [
                {
                    "task_id": task.id,
                    "domain": task.domain,
                    "context": task.context,
                    "function": task.function,
                    "languages": task.languages,
                }
                for task in fit
            ]
            named = {axis: language(deal[axis]).name} if (axis := config.language_axis) is not None else {}
            made.append({**deal, **named, "task_number": number + 1, config.column: shown})
        return made


def candidates(order: Sequence[Task], kind: str, number: int, of: int, k: int) -> list[Task]:
    """The k nearest tasks for the `number`-th of `of` rows: its own share of the order, then others' where that is
    too small."""
    own = [task for place, task in enumerate(order) if place % of == number and kind in task.types]
    if len(own) < k:
        own += [task for place, task in enumerate(order) if place % of != number and kind in task.types]
    return own[:k]


def ranked(catalogue: TaskCatalogue, labels: Sequence[str], ctx: Context) -> list[Task]:
    """All tasks, nearest to the labels first; ties in an order drawn for this row."""
    index = _index(catalogue)
    wanted = set(stems(" ".join(labels)))
    fields = {name: sum(profile.get(stem, 0.0) for stem in wanted) for name, profile in index.fields.items()}
    highest = max(fields.values(), default=0.0) or 1.0

    def nearness(task: Task) -> float:
        own = sum(index.weight[stem] for stem in index.stems[task.id] & wanted)
        return own + 2 * fields.get(task.domain, 0.0) / highest

    chance = {task.id: place for place, task in enumerate(ctx.rng.sample(catalogue.tasks, len(catalogue.tasks)))}
    return sorted(catalogue.tasks, key=lambda task: (-nearness(task), chance[task.id]))


def stems(text: str) -> list[str]:
    """The telling words of a text, without case and English endings."""
    found = []
    for word in words(text.replace("'s", "").replace("’s", "")):
        word = word.casefold()
        if word in STOP or (len(word) < 3 and word.isascii()):
            continue
        shorter = _ENDING.sub("", word) if word.isascii() else word
        found.append(shorter if len(shorter) >= 3 else word)
    return found


class _Index:
    """Words of tasks and of general fields, and what they weigh.

    Attributes:
        stems: task id → its words.
        weight: word → log of tasks per task that has it.
        fields: general field → word → weight, from the domain catalogue.
    """

    __slots__ = ("fields", "stems", "weight")

    def __init__(self, catalogue: TaskCatalogue) -> None:
        self.stems = {task.id: set(stems(f"{task.domain} {task.context} {task.function}")) for task in catalogue.tasks}
        shared = Counter(stem for found in self.stems.values() for stem in found)
        self.weight = {stem: log(1 + len(self.stems) / count) for stem, count in shared.items()}
        self.fields = _field_profiles()


@lru_cache(maxsize=8)
def _index(catalogue: TaskCatalogue) -> _Index:
    return _Index(catalogue)


@lru_cache(maxsize=1)
def _field_profiles() -> dict[str, dict[str, float]]:
    """General field → word → how much the word speaks for it: its share of the word's uses over all fields."""
    uses: dict[str, Counter[str]] = {}
    for one in domains():
        uses.setdefault(one.general, Counter(stems(one.general) * 3)).update(stems(f"{one.domain} {one.specific}"))
    everywhere: Counter[str] = Counter()
    for counts in uses.values():
        everywhere.update(counts)
    return {name: {stem: count / everywhere[stem] for stem, count in counts.items()} for name, counts in uses.items()}
