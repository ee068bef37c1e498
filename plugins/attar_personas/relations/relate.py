"""personas.relate: which new persons the newest personas lead to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from random import Random
from typing import Annotated, Any

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, DatasetStep, New, RecipePath, Row, RowSet, nullable
from attar_personas.relations.catalogue import (
    Groups,
    Relation,
    files_of,
    group_problem,
    load_groups,
    load_relations,
    relation_problem,
)

_OWN: Mapping[str, str] = {
    "hop": "int",
    "fresh": "bool",
    "root_id": "string",
    "parent_id": "string?",
    "parent_persona": "string?",
    "relation": "string?",
    "relation_kind": "string?",
    "relation_text": "string?",
    "group": "string?",
    "group_label": "string?",
    "group_words": "list<string>?",
    "group_example": "string?",
}
# How much more likely a relation is that leads to the group most wanted than one that leads to none.
_PULL = 60.0


class RelateConfig(Config):
    """See Relate."""

    persona: str = Field("persona", min_length=1, description="column with the persona")
    relatives: int = Field(1, ge=1, le=100, description="new persons for each of the newest personas")
    extra: int = Field(1, ge=0, le=100, description="and up to so many more where a group is still short")
    at_most: int | None = Field(
        None, ge=1, description="new persons in all, from personas chosen by a hash of their ids"
    )
    language: str = Field("English", description="language of the words by which a prompt is told a group")
    groups: Annotated[str | None, RecipePath()] = Field(None, description="group catalogue; default: the shipped one")
    relations: Annotated[str | None, RecipePath()] = Field(None, description="relation catalogue; default: the shipped")


class Relate(DatasetStep[RelateConfig]):
    """Gives the newest personas relatives, neighbours, colleagues …, more where they lead to people the set lacks.

    Of all personas so far it counts the groups their texts tell, and what each group lacks to its target share. Every
    persona of the last hop then gets `relatives` relations that fit it, and up to `extra` more as long as a group is
    short; the more a group lacks, and the fewer can lead to it, the likelier it is chosen. The way back to where a
    persona came from is not taken.

    All rows stay, in order and with `fresh` false; the new ones follow with `fresh` true, the parent's text in
    `persona` and `parent_persona` until a model has written theirs, and what to write: `relation`, `relation_kind`,
    `relation_text`, and where a group is wanted `group`, `group_label`, `group_words`, `group_example`. `hop` counts
    from 0, `root_id` is the first ancestor's row id, `parent_id` the parent's. Every other column is null in new rows.
    The choice hangs on the recipe's seed, the ids and the texts, not on the order of rows.
    """

    Config = RelateConfig

    def inputs(self) -> Sequence[str]:
        return files_of(self.config.groups, self.config.relations)

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.persona: "string", **{name: kind for name, kind in _OWN.items() if name in incoming}}

    def writes(self, incoming: Columns) -> Columns:
        persona = self.config.persona
        kept = {name: kind if name == persona else nullable(kind) for name, kind in incoming.items()}
        return {**self.add(kept, _OWN), **_OWN}

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        config = self.config
        for problem in (group_problem(config.groups), relation_problem(config.relations, config.groups)):
            if problem is not None:
                yield problem

    def apply(self, rows: RowSet, ctx: Context) -> Iterator[Row | New]:
        config = self.config
        groups = load_groups(config.groups)
        plan = _Plan(groups, load_relations(config.relations, config.groups), self._language(), ctx.seed())
        last = max((row.get("hop") or 0 for row in rows), default=0)
        counts = dict.fromkeys(groups, 0)
        newest: list[_Person] = []
        for row in rows:
            text = row[config.persona] or ""
            told = groups.told_by(text)
            for id in told:
                counts[id] += 1
            if (row.get("hop") or 0) == last and text.strip():
                newest.append(_Person(row.id, text, row.get("root_id") or row.id, row.get("relation"), tuple(told)))
        newest.sort(key=lambda person: plan.place(person.id))
        if config.at_most is not None:
            newest = newest[: ceil(config.at_most / config.relatives)]
        planned = len(rows) + config.relatives * len(newest)
        plan.lack = {
            group.id: max(0, ceil(group.share * planned - counts[group.id] - 1e-9)) for group in groups.values()
        }
        chosen = plan.choose(newest, config.relatives, config.extra)
        for row in rows:
            hop, root = row.get("hop") or 0, row.get("root_id") or row.id
            kept = {name: row.get(name) for name in _OWN}
            yield Row(row.id, {**row.columns, **kept, "hop": hop, "root_id": root, "fresh": False}, row.parents)
        left = config.at_most if config.at_most is not None else len(chosen)
        empty = dict.fromkeys(rows.columns)
        for person, relation, group in chosen[:left]:
            yield New(
                [person.id],
                f"{relation.id} {group or ''}",
                {**empty, **plan.columns(person, relation, group, last + 1, config.persona)},
            )

    def _language(self) -> str:
        from attar.api.text import language

        return language(self.config.language).code


@dataclass(frozen=True, slots=True)
class _Person:
    """One of the newest personas."""

    id: str
    text: str
    root: str
    relation: str | None
    groups: tuple[str, ...]


_Choice = tuple[_Person, Relation, str | None]


class _Plan:
    """Who leads to whom. `lack` holds what each group lacks; it sinks as persons are chosen."""

    def __init__(self, groups: Groups, relations: Mapping[str, Relation], language: str, seed: int) -> None:
        self._groups = groups
        self._relations = relations
        self._language = language
        self._seed = seed
        self.lack: dict[str, int] = {}
        self._reach: dict[str, int] = {}

    def place(self, id: str) -> bytes:
        """Where a persona stands in the order in which relations are given out."""
        return hashlib.blake2b(f"{self._seed} {id}".encode(), digest_size=16).digest()

    def choose(self, people: Sequence[_Person], relatives: int, extra: int) -> list[_Choice]:
        """The new persons: of each persona in turn, first those everybody gets, then what groups still lack."""
        open_ = {person.id: self._fitting(person) for person in people}
        self._reach = dict.fromkeys(self._groups, 0)
        for fitting in open_.values():
            for group in {group for relation in fitting for group in relation.leads_to}:
                self._reach[group] += 1
        chosen: list[_Choice] = []
        for wanted, only_lacking in ((relatives, False), (extra, True)):
            for person in people:
                rng = Random(self.place(f"{person.id} {only_lacking}"))
                for _ in range(wanted):
                    choice = self._one(person, open_[person.id], rng, only_lacking)
                    if choice is None:
                        break
                    chosen.append(choice)
        return chosen

    def columns(self, person: _Person, relation: Relation, group: str | None, hop: int, persona: str) -> dict[str, Any]:
        """The columns of a new person."""
        told = self._groups[group] if group is not None else None
        return {
            persona: person.text,
            "hop": hop,
            "fresh": True,
            "root_id": person.root,
            "parent_id": person.id,
            "parent_persona": person.text,
            "relation": relation.id,
            "relation_kind": relation.kind,
            "relation_text": relation.text,
            "group": group,
            "group_label": told.label if told else None,
            "group_words": list(told.words_in(self._language)) if told else None,
            "group_example": told.example if told else None,
        }

    def _fitting(self, person: _Person) -> list[Relation]:
        back = self._relations.get(person.relation or "")
        return [
            relation
            for relation in self._relations.values()
            if (back is None or relation.id != back.inverse) and relation.fits(person.text, person.groups)
        ]

    def _one(self, person: _Person, fitting: list[Relation], rng: Random, only_lacking: bool) -> _Choice | None:
        """Draws a relation, and the group it leads to; the relation is then taken from the persona's list."""
        pull = {group: self._pull(group) for group, lack in self.lack.items() if lack > 0}
        pulls = [max((pull.get(group, 0.0) for group in relation.leads_to), default=0.0) for relation in fitting]
        strongest = max(pull.values(), default=0.0)
        weights = [_PULL * one / strongest if strongest else 0.0 for one in pulls]
        if not only_lacking:
            weights = [weight + 1 for weight in weights]
        if not any(weights):
            return None
        relation = rng.choices(fitting, weights)[0]
        fitting.remove(relation)
        lacking = [group for group in relation.leads_to if self.lack[group] > 0]
        if not lacking:
            return person, relation, None
        group = rng.choices(lacking, [pull[group] for group in lacking])[0]
        self.lack[group] -= 1
        return person, relation, group

    def _pull(self, group: str) -> float:
        """How much a group is wanted: what it lacks, for each persona that could lead to it."""
        reach = self._reach.get(group, 0)
        return self.lack[group] / reach if reach and self.lack[group] > 0 else 0.0
