"""Stand-in answers for recipes/text_to_persona.yaml and recipes/persona_to_persona.yaml.

`respond` fails judges and breaks generators' form by chance (PERSONA_JUDGE_FAILS, PERSONA_FORM_BREAKS in the
environment); `scripted` does what the text or persona asked about says: `[copy once]`, `[name once]`, `[essay once]`,
`[judge once]` go wrong until the prompt holds the feedback on that very fault, `[… always]` go wrong for ever, and
`[same always]` gets the same answer whoever asks.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from support.persona_responder import PLACES, TRADES, verdict

from attar.models.words import ENGLISH

Messages = Sequence[Mapping[str, Any]]
TOLD = {"copy": "are copied", "name": "Name nobody", "essay": "one single person", "group": "does not tell"}
"""What the feedback on a fault says."""
MARK = re.compile(r"\[(\w+) (once|always)\]")


def respond(messages: Messages, body: Mapping[str, Any], rng: Random) -> str | dict[str, Any]:
    """Answers by the probabilities in the environment."""
    judge_fails = float(os.environ.get("PERSONA_JUDGE_FAILS", "0.3"))
    form_breaks = float(os.environ.get("PERSONA_FORM_BREAKS", "0"))
    # Drawn first and always, so that the verdict does not depend on how long the answer turns out.
    bad, broken = rng.random() < judge_fails, rng.random() < form_breaks
    properties = _properties(body)
    text = str(messages[-1]["content"])
    if "demographic" in properties:
        return inferred("I'm sorry, I cannot." if broken else sentence(rng))
    if "relative" in properties:
        return relative("A group of people" if broken else related(text, rng))
    if properties:
        return verdict(_schema(body), bad)
    if text.startswith("Sketch: "):
        return "Too short" if broken else paragraph(text, rng)
    raise ValueError(f"not a prompt of these recipes: {text[:80]!r}")


def scripted(messages: Messages, body: Mapping[str, Any], rng: Random) -> str | dict[str, Any]:
    """Answers as the marks in the prompt say."""
    text = str(messages[-1]["content"])
    properties = _properties(body)
    mark = MARK.search(text)
    fault, often = mark.groups() if mark else ("", "")
    if properties and not {"demographic", "relative"} & properties.keys():
        # A judge is shown no feedback: the persona written after one says that it is the second.
        return verdict(_schema(body), fault == "judge" and (often == "always" or "Second thoughts" not in text))
    good = related(text, rng) if "relative" in properties else sentence(rng)
    if not properties:
        return paragraph(text, rng)
    answer = relative if "relative" in properties else inferred
    if fault == "judge" and "not accepted" in text:
        return answer(f"Second thoughts: {good}")
    if fault == "same":
        return answer(related(text, Random(0)))
    if fault not in TOLD or (often == "once" and TOLD[fault] in text):
        return answer(good)
    source = text.rpartition("Text:\n")[2] if "Text:\n" in text else text.split("\n")[1]
    wrong = {
        "copy": f"Somebody who says: {source[:90]}",
        "name": f"{good[:-1]}, an admirer of Ravi Kumar Sharma.",
        "essay": f"# A heading\n\n{good}\n\n{good}",
        "group": sentence(rng),
    }
    return answer(wrong[fault])


def sentence(rng: Random) -> str:
    """One person in one sentence."""
    first, *rest = rng.choices(ENGLISH, k=14)
    head = f"{first.capitalize()} {' '.join(rest[:4])}, one of {rng.choice(PLACES)}"
    return f"{head} in {rng.choice(TRADES)} who {' '.join(rest)}."


def related(prompt: str, rng: Random) -> str:
    """One person of the group that the prompt asks for."""
    wanted = re.search(r'\(as in "(.+?)"\)', prompt)
    return f"{wanted[1]}; {sentence(rng)}" if wanted else sentence(rng)


def paragraph(prompt: str, rng: Random) -> str:
    """The sketch as a paragraph."""
    sketch = prompt.partition("\n")[0].removeprefix("Sketch: ")
    return f"{sketch} At home they {' '.join(rng.choices(ENGLISH, k=40))}."


def inferred(persona: str) -> dict[str, Any]:
    rest = ("domain", "demographic", "professional", "cultural", "interest")
    return {"persona": persona, **dict.fromkeys(rest, "river care")}


def relative(persona: str) -> dict[str, Any]:
    return {"relative": persona, "relative_domain": "river care"}


def _schema(body: Mapping[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = body.get("response_format", {}).get("json_schema", {}).get("schema") or {}
    return schema


def _properties(body: Mapping[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = _schema(body).get("properties", {})
    return properties


def texts(*marks: str) -> str:
    """JSON lines, a text of some length for each mark."""
    body = "The tank behind the school was drained in May, and the carp went to the market in a borrowed lorry. "
    return "".join(json.dumps({"text": f"{mark} Case {n}. {body * 2}"}) + "\n" for n, mark in enumerate(marks))
