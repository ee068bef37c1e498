"""Rubrics: named, versioned lists of criteria; the answer schema they imply, and what an answer is worth."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from attar.api import Columns, ConfigProblem, PromptRef, SchemaRef

NAME = r"^[a-z][a-z0-9_]*$"
WORDS_OF_RULES = frozenset({"mean", "lowest", "must_pass", "agreement", "failed"})


def _scale(value: Any) -> Any:
    """Also takes `1-5`, as people write it."""
    if isinstance(value, str) and (found := re.fullmatch(r"\s*(-?\d+)\s*(?:-|–|to)\s*(-?\d+)\s*", value)):
        return int(found[1]), int(found[2])
    return value


class Criterion(BaseModel):
    """One question a judge answers about a row.

    Attributes:
        name: becomes a score's name.
        description: what the judge is asked.
        scale: "bool" (met or not: 1 or 0), or whole numbers, `[1, 5]` or `1-5`, higher is better.
        must: True: failing it fails the row, whatever the rest.
        threshold: the lowest passing score, on the scale's own numbers; default: 1 for bool, three quarters of the way
            up for a scale (4 of 1–5).
        levels: what each score means, by score; helps a judge to keep its standards.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=NAME)
    description: str = Field(min_length=1)
    scale: Annotated[Literal["bool"] | tuple[int, int], BeforeValidator(_scale)] = "bool"
    must: bool = False
    threshold: float | None = None
    levels: dict[int, str] = Field(default_factory=dict)

    @property
    def bounds(self) -> tuple[int, int]:
        return (0, 1) if self.scale == "bool" else self.scale

    @property
    def passing(self) -> float:
        if self.threshold is not None:
            return self.threshold
        low, high = self.bounds
        return 1.0 if self.scale == "bool" else low + 0.75 * (high - low)

    def share(self, score: float) -> float:
        """The score on a scale from 0 to 1, so that criteria of different scales can be averaged."""
        low, high = self.bounds
        return (score - low) / (high - low)

    def shown(self) -> dict[str, Any]:
        """The criterion as prompts see it."""
        low, high = self.bounds
        scale = "true or false" if self.scale == "bool" else f"a whole number from {low} to {high}"
        return {
            "name": self.name,
            "description": self.description,
            "must": self.must,
            "scale": scale,
            "bool": self.scale == "bool",
            "lowest": low,
            "highest": high,
            "threshold": self.passing,
            "levels": {str(score): text for score, text in sorted(self.levels.items())},
        }


class Rubric(BaseModel):
    """A rubric file.

    Attributes:
        name, version: how cards and reports name it.
        guidance: wording for the prompts of generators, so that they are told what they will be judged by.
        criteria: what judges ask; may be empty in a rubric that only guides.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    version: str = "1"
    note: str = ""
    guidance: str = ""
    criteria: tuple[Criterion, ...] = ()


class Opinion(NamedTuple):
    """One parsed answer of a judge: score and reason by criterion."""

    scores: Mapping[str, float]
    reasons: Mapping[str, str]


def load_rubric(ref: SchemaRef | None) -> Rubric | None:
    """The rubric of a resolved reference; None where there is none.

    Raises:
        ValueError: the file holds no rubric; the message lists what is wrong with it.
    """
    if ref is None or not ref.schemas:
        return None
    # YAML files have whole numbers as keys (levels: {1: …}), which JSON has not.
    return _parsed(orjson.dumps(next(iter(ref.schemas.values())), option=orjson.OPT_NON_STR_KEYS))


@lru_cache(maxsize=64)
def _parsed(data: bytes) -> Rubric:
    try:
        return Rubric.model_validate_json(data)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ValueError(faults) from None


def rubric_variables(rubric: Rubric | None) -> dict[str, Any]:
    """What prompts may read as `rubric`."""
    if rubric is None:
        return {}
    return {
        "rubric": {
            "name": rubric.name,
            "version": rubric.version,
            "guidance": rubric.guidance,
            "criteria": [criterion.shown() for criterion in rubric.criteria],
        }
    }


def rubric_problems(ref: SchemaRef | None, incoming: Columns, prompt: PromptRef) -> Iterator[ConfigProblem]:
    """Mistakes in a step's `rubric` that show before anything runs."""
    if ref is None:
        for text in prompt.texts.values():
            if "rubric" in text.variables and "rubric" not in incoming:
                yield ConfigProblem(
                    ("prompt",),
                    f"{text.file} reads `rubric`, but the step has none",
                    "add with: {rubric: <file>}",
                    "E501",
                )
        return
    if ref.by is not None:
        yield ConfigProblem(("rubric",), "a rubric is one file, not one by column", "name a single file")
        return
    try:
        rubric = load_rubric(ref)
    except ValueError as error:
        file = next(iter(ref.files.values()), "")
        yield ConfigProblem(
            ("rubric",), f"{file} is no rubric: {error}", "a rubric has name, version, guidance and criteria"
        )
        return
    if rubric is not None:
        yield from criteria_problems(rubric.criteria, ("rubric",))


def criteria_problems(criteria: Sequence[Criterion], field: tuple[str, ...]) -> Iterator[ConfigProblem]:
    """Mistakes in a list of criteria: doubled or reserved names, impossible scales and thresholds."""
    inline = field[-1] == "criteria"
    seen: set[str] = set()
    for number, criterion in enumerate(criteria):
        place: tuple[str | int, ...] = (*field, number) if inline else field
        if criterion.name in seen:
            yield ConfigProblem(place, f"criterion {criterion.name!r} is there twice", "rename one")
        if criterion.name in WORDS_OF_RULES:
            yield ConfigProblem(
                place, f"criterion name {criterion.name!r} is a word of pass_if and review_if", "rename it"
            )
        seen.add(criterion.name)
        low, high = criterion.bounds
        if low >= high:
            yield ConfigProblem(place, f"criterion {criterion.name!r}: scale {low} to {high} is empty", "lowest first")
        elif not low <= criterion.passing <= high:
            yield ConfigProblem(
                (*place, "threshold") if inline else place,
                f"criterion {criterion.name!r}: threshold {criterion.passing:g} is outside its scale {low} to {high}",
                f"choose a threshold from {low} to {high}",
            )
        elif criterion.passing == low:
            yield ConfigProblem(
                (*place, "threshold") if inline else place,
                f"criterion {criterion.name!r}: every score passes threshold {criterion.passing:g}",
                f"choose a threshold above {low}",
            )


def answer_schema(criteria: Sequence[Criterion]) -> dict[str, Any]:
    """JSON Schema of a judge's answer: per criterion first the reason, then the verdict it leads to."""
    properties: dict[str, Any] = {}
    for criterion in criteria:
        if criterion.scale == "bool":
            verdict: dict[str, Any] = {"met": {"type": "boolean"}}
        else:
            low, high = criterion.bounds
            verdict = {"score": {"type": "integer", "minimum": low, "maximum": high}}
        properties[criterion.name] = {
            "type": "object",
            "properties": {"reason": {"type": "string"}, **verdict},
            "required": ["reason", *verdict],
            "additionalProperties": False,
        }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def answer_form(criteria: Sequence[Criterion]) -> str:
    """The answer's form in words, for models that follow the prompt better than a schema."""
    lines = []
    for criterion in criteria:
        low, high = criterion.bounds
        verdict = '"met": true or false' if criterion.scale == "bool" else f'"score": {low} to {high}'
        lines.append(f'  "{criterion.name}": {{"reason": "one or two sentences", {verdict}}}')
    return "{\n" + ",\n".join(lines) + "\n}"


def opinion(value: Mapping[str, Any], criteria: Sequence[Criterion]) -> Opinion:
    """Reads an answer that is valid for `answer_schema`."""
    scores: dict[str, float] = {}
    reasons: dict[str, str] = {}
    for criterion in criteria:
        part = value[criterion.name]
        scores[criterion.name] = float(part["met" if criterion.scale == "bool" else "score"])
        reasons[criterion.name] = str(part["reason"]).strip()
    return Opinion(scores, reasons)


def failed_criteria(scores: Mapping[str, float], criteria: Sequence[Criterion]) -> list[Criterion]:
    """Criteria below their thresholds: `must` ones first, each in rubric order."""
    below = [criterion for criterion in criteria if scores[criterion.name] < criterion.passing]
    return sorted(below, key=lambda criterion: not criterion.must)


def rule_values(scores: Mapping[str, float], criteria: Sequence[Criterion], agreement: float) -> dict[str, Any]:
    """What rules may use: each score by name, and mean, lowest (0 to 1), must_pass, failed, agreement."""
    shares = [criterion.share(scores[criterion.name]) for criterion in criteria]
    below = failed_criteria(scores, criteria)
    return {
        **scores,
        "mean": sum(shares) / len(shares),
        "lowest": min(shares),
        "must_pass": not any(criterion.must for criterion in below),
        "failed": [criterion.name for criterion in below],
        "agreement": agreement,
    }


def feedback_text(scores: Mapping[str, float], reasons: Mapping[str, str], criteria: Sequence[Criterion]) -> str:
    """What the writer is told: each failed criterion with its score and the judge's reason."""
    lines = []
    for criterion in failed_criteria(scores, criteria):
        if criterion.scale == "bool":
            found = "not met"
        else:
            found = f"{scores[criterion.name]:g} of {criterion.bounds[1]}, at least {criterion.passing:g} is needed"
        reason = reasons.get(criterion.name, "")
        lines.append(f"- {criterion.description} ({found}){': ' + reason if reason else ''}")
    return "\n".join(lines)
