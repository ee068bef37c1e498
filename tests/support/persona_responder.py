"""Stand-in answers for recipes/persona_essays.yaml: judges fail with a known p, generators break form on demand.

Every answer is drawn from `rng`, which the stand-in server seeds by the request key: same request, same answer.

Use `respond` as the server's responder (`persona_responder:respond`, this folder on the path); it reads

- PERSONA_JUDGE_FAILS: probability that a judge fails a row (default 0.3)
- PERSONA_FORM_BREAKS: probability that a generator's answer fails its check (default 0)

or make one of your own with `responder(judge_fails, form_breaks)`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from attar.models.words import ENGLISH

PLACES = ("Madurai", "Pune", "Shillong", "Kochi", "Jaipur", "Guwahati", "Indore", "Cuttack", "Mysuru", "Leh")
TRADES = ("public health", "dry farming", "school teaching", "river care", "handloom weaving", "folk music")
SKILLS = ("fair pricing", "patient listening", "record keeping", "seed saving", "street theatre")

Respond = Callable[[Sequence[Mapping[str, Any]], Mapping[str, Any], Random], "str | dict[str, Any]"]


def respond(messages: Sequence[Mapping[str, Any]], body: Mapping[str, Any], rng: Random) -> str | dict[str, Any]:
    """Answers by the probabilities in the environment."""
    judge_fails = float(os.environ.get("PERSONA_JUDGE_FAILS", "0.3"))
    form_breaks = float(os.environ.get("PERSONA_FORM_BREAKS", "0"))
    return responder(judge_fails, form_breaks)(messages, body, rng)


def responder(judge_fails: float, form_breaks: float = 0.0) -> Respond:
    """A responder with fixed probabilities."""

    def answer(messages: Sequence[Mapping[str, Any]], body: Mapping[str, Any], rng: Random) -> str | dict[str, Any]:
        # Drawn first and always, so that the verdict does not depend on how long the answer turns out.
        bad, broken = rng.random() < judge_fails, rng.random() < form_breaks
        schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
        if schema is not None:
            return verdict(schema, bad)
        text = str(messages[-1]["content"])
        if text.startswith("Modify the following persona"):
            return persona(rng, broken)
        if text.startswith("Craft a single"):
            return question(rng, broken)
        if "# OBJECTIVE #" in text:
            return essay(rng, broken, int(re.search(r"with (\d+)\+", text)[1]))  # type: ignore[index]
        raise ValueError(f"not a prompt of persona_essays: {text[:80]!r}")

    return answer


def accepted_share(judge_fails: float, attempts: int, judges: int = 2) -> float:
    """Share of rows that pass all judges in time when generators never break form (judges draw independently)."""
    return float((1 - judge_fails**attempts) ** judges)


def verdict(schema: Mapping[str, Any], bad: bool) -> dict[str, Any]:
    """An answer to a rubric's schema; `bad` fails its first criterion, which is a `must` in our rubrics."""
    answer: dict[str, Any] = {}
    for number, (name, part) in enumerate(schema["properties"].items()):
        fails = bad and number == 0
        reason = "It is not so in the second half." if fails else "It is so throughout."
        if "met" in part["properties"]:
            answer[name] = {"reason": reason, "met": not fails}
        else:
            score = part["properties"]["score"]
            answer[name] = {"reason": reason, "score": score["minimum" if fails else "maximum"]}
    return answer


def persona(rng: Random, broken: bool) -> str:
    """Five labelled values, in any order, dressed as models dress them; `broken` loses one."""
    place = rng.choice(PLACES)
    values = {
        "ps": f"A person of {place} who {' '.join(rng.choices(ENGLISH, k=12))} | and lives near the market",
        "gd_1": rng.choice(TRADES),
        "sp_1": f"{rng.choice(TRADES)} and {rng.choice(SKILLS)}",
        "gd_01": f"{rng.choice(TRADES)} near {place}",
        "sp_01": f"{rng.choice(SKILLS)} near {place}",
    }
    if broken:
        del values[rng.choice(list(values))]
    keys = list(values)
    if rng.random() < 0.2:
        rng.shuffle(keys)
    form, between = rng.choice([("{}: {}", " | "), ("{}: {}", "\n"), ("**{}:** {}", "\n"), ("- **{}**: {}", "\n")])
    return between.join(form.format(key, values[key]) for key in keys)


def question(rng: Random, broken: bool) -> str:
    """One question; `broken` is one with a preamble, two, or one that is too short."""
    bare = f"How might the people of {rng.choice(PLACES)} weigh {' '.join(rng.choices(ENGLISH, k=rng.randint(8, 30)))}?"
    if not broken:
        return bare
    return rng.choice([f"Here is a question: {bare}", f"{bare} {bare}", "Why is that?"])


def essay(rng: Random, broken: bool, min_words: int) -> str:
    """A text of at least `min_words` words; `broken` is too short, repetitive, or echoes a heading."""
    fault = rng.choice(["short", "repetitive", "heading"]) if broken else ""
    count = min_words // 3 if fault == "short" else min_words + rng.randint(10, min_words // 3 + 10)
    drawn = rng.choices(ENGLISH, k=count)
    if fault == "repetitive":
        drawn = drawn[: count // 8] * 9
    lines = [" ".join(drawn[i : i + 12]).capitalize() + "." for i in range(0, len(drawn), 12)]
    paragraphs = [" ".join(lines[i : i + 8]) for i in range(0, len(lines), 8)]
    return ("# RESPONSE #\n" if fault == "heading" else "") + "\n\n".join(paragraphs)
