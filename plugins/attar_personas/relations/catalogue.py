"""The catalogues of groups and relations: how they are read, and how a persona's text tells its groups."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import regex
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from attar.api import ConfigProblem
from attar_personas.relations.ages import AGE_HINT, ages_in

HERE = Path(__file__).resolve().parents[1] / "catalogues"
GROUPS, RELATIONS = HERE / "groups.yaml", HERE / "relations.yaml"
Words = dict[str, tuple[str, ...]]
"""Language code → words or phrases; `*` at the end stands for the rest of a word."""

_TOKEN = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_HYPHEN = regex.compile(r"[-‐‑–]")
_EDGE = r"[\p{L}\p{M}\p{N}]"
# "the son of a rag picker", "helps homeless people": the group is another's, not the persona's own.
_OTHERS = (
    r"(?<!\b(?:of|for|with|among|to|about|by|in|help\w*|assist\w*|teach\w*|support\w*|serv\w*|train\w*|treat\w*|hir\w+|"
    r"stud\w+|anak|untuk|membantu|bagi)\s(?:(?:a|an|the|some|many|other|her|his|their|seorang|para)\s)?"
    r"(?:[^\s,;.]+\s)?)"
)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Group(_Part):
    """People of one kind, and how a text tells that somebody is one of them.

    Attributes:
        share: what a set of personas should at least hold of them, 0 to 1.
        example: a few words in English that tell the group.
        ages: lowest and highest age, both included.
        also: words of which one has to stand there besides an age or one of `words`.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    label: str = Field(min_length=1)
    example: str = Field(min_length=1)
    share: float = Field(ge=0, le=1)
    ages: tuple[int, int] | None = None
    words: Words = Field(default_factory=dict)
    also: Words = Field(default_factory=dict)

    @model_validator(mode="after")
    def _tells(self) -> Group:
        if not any(self.words.values()) and self.ages is None:
            raise ValueError("neither words nor ages tell this group")
        return self

    def told_by(self, text: str) -> bool:
        """Whether a persona's text tells that they are of this group."""
        flat = folded(text)
        pattern = self.pattern
        named = pattern is not None and pattern.search(flat) is not None
        return self.confirmed(flat, named, ages_in(flat) if self.ages is not None else ())

    def confirmed(self, flat: str, named: bool, ages: Sequence[int]) -> bool:
        """The same, of a folded text: whether a word names the group, or an age is in range; and `also` holds."""
        if not named and not (self.ages is not None and any(self.ages[0] <= age <= self.ages[1] for age in ages)):
            return False
        return self._also is None or self._also.search(flat) is not None

    @cached_property
    def pattern(self) -> Any:
        """Finds a word that tells the group of the persona themselves; None where there are no words."""
        return _pattern(self.words_of_all(self.words))

    @cached_property
    def _also(self) -> Any:
        return _pattern(self.words_of_all(self.also), own=False)

    def words_in(self, code: str) -> tuple[str, ...]:
        """Words of a language for a prompt; those of English where there are none."""
        found = self.words.get(code) or self.words.get("en") or ()
        also = self.also.get(code) or self.also.get("en") or ()
        return tuple(word.replace("वाल*", "वाला").rstrip("*") for word in (*found[:6], *also[:2]))

    @staticmethod
    def words_of_all(words: Words) -> tuple[str, ...]:
        return tuple(dict.fromkeys(word for some in words.values() for word in some))


class Groups(dict[str, Group]):
    """Groups by id, in catalogue order."""

    def told_by(self, text: str) -> list[str]:
        """The groups a persona's text tells."""
        flat = folded(text)
        named: set[str] = set()
        exact, beginnings = self._firsts
        stems = tuple(beginnings)
        for token in _TOKEN.finditer(flat):
            word = token.group()
            likely = exact.get(word, ())
            if word.startswith(stems):
                likely = [*likely, *(id for stem, ids in beginnings.items() if word.startswith(stem) for id in ids)]
            named.update(id for id in likely if id not in named and self[id].pattern.match(flat, token.start()))
        ages = ages_in(flat) if AGE_HINT.search(flat) else ()
        if not named and not ages:
            return []
        return [id for id, group in self.items() if group.confirmed(flat, id in named, ages)]

    @cached_property
    def _firsts(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """Which groups have a word that begins with this token, and which one that begins like this.

        A pattern of all words of all groups would take thirty times as long.
        """
        exact: dict[str, list[str]] = {}
        beginnings: dict[str, list[str]] = {}
        for id, group in self.items():
            for word in Group.words_of_all(group.words):
                tokens = _TOKEN.findall(folded(word.rstrip("*")))
                open_ = word.endswith("*") and len(tokens) == 1
                ids = (beginnings if open_ else exact).setdefault(tokens[0], [])
                if id not in ids:
                    ids.append(id)
        return exact, beginnings


class Relation(_Part):
    """How one person knows another; see the note of the shipped catalogue."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    text: str = Field(min_length=1)
    inverse: str
    leads_to: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    for_: Words = Field(default_factory=dict, alias="for")

    def fits(self, text: str, groups: Iterable[str]) -> bool:
        """Whether a persona of these groups can have such a person."""
        if any(group in self.unless for group in groups):
            return False
        return self._fitting is None or self._fitting.search(folded(text)) is not None

    @cached_property
    def _fitting(self) -> Any:
        return _pattern(Group.words_of_all(self.for_), own=False)


class _GroupFile(_Part):
    format: str = Field(pattern=r"^attar-groups/1$")
    name: str
    version: str
    note: str = ""
    groups: tuple[Group, ...] = Field(min_length=1)


class _RelationFile(_Part):
    format: str = Field(pattern=r"^attar-relations/1$")
    name: str
    version: str
    note: str = ""
    relations: tuple[Relation, ...] = Field(min_length=1)


class CatalogueError(ValueError):
    """A catalogue that cannot be used; the message names the file and what is wrong."""


@lru_cache(maxsize=16)
def load_groups(path: str | None = None) -> Groups:
    """Groups by id, in the file's order; the shipped ones without a path.

    Raises:
        CatalogueError: the file cannot be read, or is no such catalogue.
    """
    file = _read(Path(path) if path else GROUPS, _GroupFile)
    return Groups(_by_id(file.groups, path or GROUPS.name))


@lru_cache(maxsize=16)
def load_relations(path: str | None = None, groups: str | None = None) -> Mapping[str, Relation]:
    """Relations by id, in the file's order, with every group and inverse they name known.

    Raises:
        CatalogueError: as `load_groups`, or a relation names what is not there.
    """
    name = path or RELATIONS.name
    file = _read(Path(path) if path else RELATIONS, _RelationFile)
    known = load_groups(groups)
    relations = _by_id(file.relations, name)
    for relation in relations.values():
        unknown = [group for group in (*relation.leads_to, *relation.unless) if group not in known]
        if unknown:
            raise CatalogueError(f"{name}: relation {relation.id!r} names the unknown group {unknown[0]!r}")
        if relation.inverse not in relations or relations[relation.inverse].inverse != relation.id:
            raise CatalogueError(f"{name}: {relation.inverse!r} is not there, or not the way back of {relation.id!r}")
    return relations


def files_of(groups: str | None, relations: str | None = "") -> list[str]:
    """The catalogues that a step's config names, for `inputs`: their bytes decide what the step does."""
    return [groups or str(GROUPS), *([] if relations == "" else [relations or str(RELATIONS)])]


def group_problem(groups: str | None) -> ConfigProblem | None:
    """What is wrong with a group catalogue, as a mistake of a step's config."""
    try:
        load_groups(groups)
    except CatalogueError as error:
        return ConfigProblem(("groups",), str(error), "see plugins/attar_personas/catalogues/groups.yaml for the form")
    return None


def relation_problem(relations: str | None, groups: str | None) -> ConfigProblem | None:
    """The same of a relation catalogue; of its groups, `group_problem` tells."""
    try:
        load_groups(groups)
    except CatalogueError:
        return None
    try:
        load_relations(relations, groups)
    except CatalogueError as error:
        help = "see plugins/attar_personas/catalogues/relations.yaml for the form"
        return ConfigProblem(("relations",), str(error), help)
    return None


@lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """A text as it is searched: NFC, case-folded, hyphens as spaces, single spaces."""
    flat = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return " ".join(_HYPHEN.sub(" ", flat).split())


@lru_cache(maxsize=256)
def _pattern(words: tuple[str, ...], own: bool = True) -> Any:
    """Finds one of the words; with `own`, not where it tells of somebody else. None for no words."""
    if not words:
        return None
    return regex.compile(rf"(?<!{_EDGE}){_OTHERS if own else ''}(?:{_alternatives(words)})(?!{_EDGE})")


def _alternatives(words: tuple[str, ...]) -> str:
    parts = []
    for word in sorted(words, key=lambda one: (-len(one), one)):
        stem = regex.escape(folded(word.rstrip("*"))).replace(r"\ ", " ")
        parts.append(stem + (r"[\p{L}\p{M}]*" if word.endswith("*") else ""))
    return "|".join(parts)


def _read(path: Path, form: type[Any]) -> Any:
    import yaml

    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML was built with it
        content = yaml.load(path.read_text(encoding="utf-8"), loader)
    except OSError as error:
        raise CatalogueError(f"{path.name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{path.name} is not UTF-8 (byte {error.start})") from None
    except yaml.YAMLError as error:
        raise CatalogueError(f"{path.name} is no YAML: {' '.join(str(error).split())}") from None
    try:
        return form.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise CatalogueError(f"{path.name}: {where}: {first['msg']}") from None


def _by_id(parts: Iterable[Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in parts:
        if part.id in found:
            raise CatalogueError(f"{name}: {part.id!r} is there twice")
        found[part.id] = part
    return found
