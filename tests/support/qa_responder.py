"""Stand-in answers for recipes/qa_extraction.yaml, made from the chunk in the prompt.

`respond` fails judges, breaks questions and answers by chance (QA_JUDGE_FAILS, QA_FORM_BREAKS in the environment).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from support.persona_responder import verdict

from attar.models.words import ENGLISH

Messages = Sequence[Mapping[str, Any]]
DOMAINS = ["Education", "Finance", "Governance", "Other"]


def respond(messages: Messages, body: Mapping[str, Any], rng: Random) -> str | dict[str, Any]:
    """Answers by the probabilities in the environment."""
    # Drawn first and always, so that the verdict does not depend on how long the answer turns out.
    bad = rng.random() < float(os.environ.get("QA_JUDGE_FAILS", "0.3"))
    broken = rng.random() < float(os.environ.get("QA_FORM_BREAKS", "0.2"))
    text = str(messages[-1]["content"])
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema") or {}
    properties = schema.get("properties", {})
    if "domain" in properties:
        return sorted_chunk(rng, broken)
    if "question" in properties:
        before = text.partition("Your last question was:\n")[2]
        if before and ("?" not in before.partition("\n")[0] or "It was not accepted:\n" not in before):
            raise ValueError("a question is to be written again without being shown, or without what is wrong with it")
        return {"question": question(rng, broken)}
    if "quotes" in properties:
        return answer(text, rng, broken)
    if "stands_alone" in properties and "<piece>" in text:
        raise ValueError("the blind judge was shown the chunk")
    if not properties:
        raise ValueError(f"not a prompt of this recipe: {text[:80]!r}")
    return verdict(schema, bad)


def sorted_chunk(rng: Random, broken: bool) -> dict[str, Any]:
    fate = rng.random()
    return {
        "reason": "It says so.",
        "relevant": fate > 0.05,
        "ephemeral": 0.05 < fate < 0.1,
        "technical": 0.1 < fate < 0.15,
        "domain": "Gardening" if broken else rng.choice(DOMAINS),
    }


def question(rng: Random, broken: bool) -> str | None:
    if rng.random() < 0.05:
        return None
    about = " ".join(rng.sample(ENGLISH, k=9))
    if broken:
        return rng.choice(
            [
                f"According to the passage above, what is {about}?",
                f"Menurut teks di atas, mengapa {about}?",
                f"इस अनुच्छेद में {about} क्या है?",
                f"இந்தப் பத்தியில் {about} என்ன?",
                f"Why is it {about}?",
                f"What is {about}? And who?",
            ]
        )
    return f"What would {about} mean in the Republic of {rng.choice(ENGLISH).capitalize()}?"


def answer(text: str, rng: Random, broken: bool) -> dict[str, Any]:
    piece = text.partition("<piece>\n")[2].partition("\n</piece>")[0]
    spaces = [match.start() for match in re.finditer(r"\s+", piece)]
    if len(spaces) > 12:
        first = rng.randrange(len(spaces) - 8)
        quote = " ".join(piece[spaces[first] : spaces[first + 8]].split())
    else:
        quote = " ".join(piece.split())
    told = [f"{' '.join(rng.sample(ENGLISH, k=7)).capitalize()}." for _ in range(rng.randint(3, 5))]
    crisp = " ".join(rng.sample(ENGLISH, k=8)).capitalize() + "."
    fault = rng.choice(["short", "cut", "quote", "number", "long"]) if broken else ""
    if fault == "short":
        told = told[:2]
    if fault == "cut":
        told[-1] = "And then there are"
    if fault == "quote":
        quote = f"{quote} as nobody wrote"
    if fault == "number":
        crisp = "It takes 90210733 of them."
    if fault == "long":
        crisp = " ".join(rng.sample(ENGLISH, k=26)) + "."
    return {"quotes": [quote], "crisp": crisp, "detailed": " ".join(told)}
