"""Stand-in answers for recipes/domain_distillation.yaml.

`respond` scripts one course for every panel: the merger leaves expert 1 out, then, told so, adds what nobody said,
then, told so by the judge, does it right; each answer is too short until its writer is told. `stubborn` adds it for
ever. `random_judges` does everything right, and judges fail with probability DOMAIN_JUDGE_FAILS (default 0.3).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from support.persona_responder import question, verdict

from attar.models.words import ENGLISH

ADDED = "A king decreed it in the ninth century"
AGAIN = "Your last answer was not accepted:"


def respond(messages: Sequence[Mapping[str, Any]], body: Mapping[str, Any], rng: Random) -> str | dict[str, Any]:
    """The scripted course."""
    text = str(messages[-1]["content"])
    schema = _schema(body)
    if schema is None:
        return (
            question(rng, False) if text.startswith("Craft a single") else _answer(text, rng, short=AGAIN not in text)
        )
    if "points" not in schema["properties"]:
        return verdict(schema, bad=ADDED in text)
    told = text.partition(AGAIN)[2]
    if not told:
        return _merged(text, rng, skip=1)
    return _merged(text, rng, add=ADDED if "expert 1" in told else "")


def stubborn(messages: Sequence[Mapping[str, Any]], body: Mapping[str, Any], rng: Random) -> str | dict[str, Any]:
    """The merger adds what nobody said, whatever it is told; all else is right at once."""
    schema = _schema(body) or {"properties": {}}
    if "points" in schema["properties"]:
        return _merged(str(messages[-1]["content"]), rng, add=ADDED)
    text = str(messages[-1]["content"])
    if schema["properties"]:
        return verdict(schema, bad=ADDED in text)
    return question(rng, False) if text.startswith("Craft a single") else _answer(text, rng, short=False)


def random_judges(messages: Sequence[Mapping[str, Any]], body: Mapping[str, Any], rng: Random) -> str | dict[str, Any]:
    """Judges fail at random, all else is right at once."""
    bad = rng.random() < float(os.environ.get("DOMAIN_JUDGE_FAILS", "0.3"))
    text = str(messages[-1]["content"])
    schema = _schema(body)
    if schema is None:
        return question(rng, False) if text.startswith("Craft a single") else _answer(text, rng, short=False)
    return _merged(text, rng) if "points" in schema["properties"] else verdict(schema, bad)


def _schema(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = body.get("response_format", {}).get("json_schema", {}).get("schema")
    return found


def _answer(text: str, rng: Random, *, short: bool) -> str:
    wanted = int(re.search(r"at least (\d+) words", text)[1])  # type: ignore[index]
    drawn = rng.choices(ENGLISH, k=wanted // 2 if short else wanted + 20)
    return " ".join(" ".join(drawn[i : i + 12]).capitalize() + "." for i in range(0, len(drawn), 12))


def _merged(text: str, rng: Random, skip: int = 0, add: str = "") -> dict[str, Any]:
    """Merges what the prompt says each expert answered, `skip` of the first left out."""
    wanted = int(re.search(r"of at least (\d+) words", text)[1])  # type: ignore[index]
    said = re.findall(r"^Expert (\d+) \(.*\):\n(.*)$", text, re.MULTILINE)[skip:]
    points = [{"claim": " ".join(answer.split()[:15]), "experts": [int(number)]} for number, answer in said]
    filler = " ".join(rng.choices(ENGLISH, k=wanted // len(said)))
    sentences = [f"{point['claim']} {filler} [{point['experts'][0]}]" for point in points]
    return json.loads(json.dumps({"points": points, "text": " ".join([*sentences, add])}))  # type: ignore[no-any-return]
