"""personas.check_merged: a text merged from several people's answers names each of them for what they said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import regex
from pydantic import Field

from attar.api import Columns, Config, Context, Judge, Row, Verdict
from attar_personas.measure import words

_MARK = regex.compile(r"\[([\p{Nd}\s,;]+)\]")


class CheckMergedConfig(Config):
    """See CheckMerged."""

    text: str = Field("text", description="column with the merged text; `[2]` in it marks what expert 2 said")
    points: str = Field("points", description="column with the list of claims, each with the numbers of its experts")
    experts: str = Field("experts", description="list column with what was merged; expert 1 is its first entry")
    answer: str = Field("answer", description="field of an expert that holds the answer")
    min_words: int = Field(80, ge=1, description="shortest merged text")
    min_shared: float = Field(
        0.2, ge=0, le=1, description="lowest share of a claim's words that must stand in the answer of each it names"
    )


class CheckMerged(Judge[CheckMergedConfig]):
    """Checks by code that no one's contribution is lost, unnamed or put into another's mouth.

    Fail codes: `too_short`, `no_points`, `expert_missing` (named for no claim), `unmarked` (no `[n]` in the text),
    `unknown_expert` (a number nobody has), `not_theirs` (a claim shares too few words with the answer of an expert it
    names). The first fault decides the code; the feedback names all of them. Scores: `n_words`, `named` (share of the
    experts named both ways), `shared` (of the worst claim).
    """

    Config = CheckMergedConfig

    def reads(self, incoming: Columns) -> Columns:
        config = self.config
        return {config.text: "string", config.points: "any", config.experts: "any"}

    def score_names(self) -> tuple[str, ...]:
        return ("n_words", "named", "shared")

    async def judge(self, row: Row, ctx: Context) -> Verdict:
        config = self.config
        text: str = row[config.text] or ""
        experts: Sequence[Mapping[str, Any]] = row[config.experts] or ()
        points: Sequence[Mapping[str, Any]] = row[config.points] or ()
        answers = [_vocabulary(expert.get(config.answer) or "") for expert in experts]
        known = set(range(1, len(experts) + 1))
        claimed = {number for point in points for number in point["experts"] or ()}
        marked = marks(text)
        shares = [
            (number, point["claim"], _shared(point["claim"] or "", answers[number - 1]))
            for point in points
            for number in point["experts"] or ()
            if number in known
        ]
        count = len(words(text))
        faults = [
            *self._form_faults(count, points),
            *_naming_faults(known, claimed, marked),
            *self._foreign_claims(shares),
        ]
        scores = {
            "n_words": float(count),
            "named": len(known & claimed & marked) / len(known) if known else 0.0,
            "shared": min((share for _, _, share in shares), default=0.0),
        }
        if not faults:
            return Verdict("pass", "", scores)
        return Verdict("fail", faults[0][0], scores, "\n".join(f"- {said}" for _, said in faults))

    def _form_faults(self, count: int, points: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
        if count < self.config.min_words:
            yield "too_short", f"The text has {count} words; at least {self.config.min_words} are needed."
        if not points or any(not words(point["claim"] or "") or not point["experts"] for point in points):
            yield "no_points", "List every claim in `points`, each with a text and the numbers of those who made it."

    def _foreign_claims(self, shares: Sequence[tuple[int, str, float]]) -> Iterator[tuple[str, str]]:
        for number, claim, share in shares:
            if share < self.config.min_shared:
                yield "not_theirs", f"Expert {number} did not say this, or not nearly so: {claim!r}"


def marks(text: str) -> set[int]:
    """Numbers marked in a text: `[1]`, `[2, 3]`; digits of any script."""
    return {int(part) for found in _MARK.finditer(text) for part in regex.findall(r"\p{Nd}+", found[1])}


def _naming_faults(known: set[int], claimed: set[int], marked: set[int]) -> Iterator[tuple[str, str]]:
    if missing := sorted(known - claimed):
        yield "expert_missing", f"No claim is given to {_listed(missing)}. Everyone's contribution must be there."
    if unmarked := sorted(known - marked):
        yield "unmarked", f"The text marks nothing as said by {_listed(unmarked)}. Write [n] after what expert n said."
    if unknown := sorted((claimed | marked) - known):
        yield "unknown_expert", f"There is no {_listed(unknown)}; the numbers go from 1 to {len(known)}."


def _listed(numbers: Sequence[int]) -> str:
    return f"expert{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _vocabulary(text: str) -> set[str]:
    return {word.casefold() for word in words(text)}


def _shared(claim: str, answer: set[str]) -> float:
    """Share of a claim's distinct words that an answer has, too."""
    own = _vocabulary(claim)
    return len(own & answer) / len(own) if own else 0.0
