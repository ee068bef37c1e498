"""personas.stances: who reads, writes, likes or dislikes a text: one row per stance."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from math import floor
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from attar.api import Columns, Config, ConfigProblem, Context, Reject, Row, RowStep
from attar_personas.measure import WORD

STANCES = ("read", "write", "like", "dislike")


def _weighed(value: Any) -> Any:
    """Also takes a list, or names with commas between, as a command line writes them: each may bear a weight
    (`dislike=0.5`)."""
    if isinstance(value, str):
        value = [part for part in value.split(",") if part.strip()]
    if not isinstance(value, list | tuple):
        return value
    weights: dict[str, Any] = {}
    for part in value:
        name, _, weight = str(part).partition("=")
        if name.strip() in weights:
            raise ValueError(f"stance {name.strip()!r} is listed twice; give it a weight: {name.strip()}=2")
        weights[name.strip()] = weight.strip() or 1
    return weights


class StancesConfig(Config):
    """See Stances."""

    text: str = Field("text", min_length=1, description="column with the text")
    stances: Annotated[dict[str, float], BeforeValidator(_weighed)] = Field(
        default_factory=lambda: dict.fromkeys(STANCES, 1.0),
        min_length=1,
        description="read, write, like, dislike: a list, or weights (`{read: 2, dislike: 1}`, `[read=2, dislike]`)",
    )
    per_text: int | None = Field(
        None, ge=1, description="rows per text, shared out by the weights; without it, one for every stance"
    )
    max_words: int = Field(400, ge=1, description="longer texts are cut at the last sentence end within so many words")
    max_chars: int = Field(12_000, ge=1, description="and within so many characters, for texts without spaces")


class Stances(RowStep[StancesConfig]):
    """Makes a row per stance towards a text.

    Writes `stance`, `excerpt` (the text, cut to the budget at a sentence end; at a word's where the first sentence is
    longer than that) and `source_text_sha256` (of the whole text, UTF-8). With `per_text` the stances of a text are
    drawn so that each comes as often as its weight says, give or take one, and over many texts exactly so on average.
    Reject code: `empty` for a text without a word.
    """

    Config = StancesConfig
    expands = True
    varies = True

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.text: "string?"}

    def writes(self, incoming: Columns) -> Columns:
        return self.add(incoming, {"stance": "string", "excerpt": "string", "source_text_sha256": "string"})

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        for name, weight in self.config.stances.items():
            if name not in STANCES:
                yield ConfigProblem(("stances",), f"{name!r} is no stance", f"expected some of {', '.join(STANCES)}")
            elif not weight > 0:
                yield ConfigProblem(("stances",), f"the weight of {name!r} is {weight:g}", "weights are above 0")

    async def apply(self, row: Row, ctx: Context) -> list[Mapping[str, Any]] | Reject:
        text = row[self.config.text] or ""
        excerpt = shortened(text, self.config.max_words, self.config.max_chars)
        if not excerpt:
            return Reject("empty", "the text has no words")
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        shared = {"excerpt": excerpt, "source_text_sha256": digest}
        return [{"stance": stance, **shared} for stance in self._drawn(ctx)]

    def _drawn(self, ctx: Context) -> list[str]:
        stances = self.config.stances
        if self.config.per_text is None:
            return list(stances)
        return systematic(stances, self.config.per_text, ctx.rng.random())


def systematic(weights: Mapping[str, float], count: int, start: float) -> list[str]:
    """`count` names by systematic sampling: each comes floor or ceiling of its share, and in the mean over `start`
    (uniform on 0 to 1) its share exactly."""
    total = sum(weights.values())
    drawn: list[str] = []
    along = 0.0
    for place, (name, weight) in enumerate(weights.items()):
        along += weight / total * count
        # The last one ends at `count` itself, whatever the sum of the shares was rounded to.
        until = count if place == len(weights) - 1 else min(count, floor(along + start))
        drawn += [name] * (until - len(drawn))
    return drawn


def shortened(text: str, max_words: int, max_chars: int) -> str:
    """The longest beginning of a text within both limits that ends with a sentence; "" for a text without words."""
    from attar.api.text import sentences

    text = text.strip()
    limit = min(len(text), max_chars)
    found = 0
    for found, word in enumerate(WORD.finditer(text, 0, limit), start=1):
        if found == max_words:
            following = WORD.search(text, word.end(), limit)
            limit = following.start() if following else limit
            break
    if not found or limit == len(text):
        return text if found else ""
    # Sentences are found with what follows the limit in sight, or a cut one would pass for whole.
    ends = [one.end for one in sentences(text[: limit + 2000]) if one.end <= limit]
    if ends:
        return text[: ends[-1]]
    head = text[:limit].rstrip()
    return head if limit < max_chars or " " not in head else head[: head.rindex(" ")]
