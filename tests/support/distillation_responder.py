"""Stand-in answers for recipes/indic_distillation.yaml and recipes/indic_refinement.yaml.

Every answer is drawn from `rng`, which the stand-in server seeds by the request key: same request, same answer.

`respond` fails judges at random; it reads

- DISTILL_JUDGE_FAILS: probability that a judge fails a row (default 0.3)
- DISTILL_BORDERLINE: probability that the validation judge gives a 3 instead (default 0)
- DISTILL_FORM_BREAKS: probability that a generator's answer fails its check (default 0)

`scripted` does as the persona says: a persona `alpha relevance=2 picked=1` fails the relevance judge twice and picks an
unknown task once; all else passes. The server keeps count by (persona's first word, kind). Kinds: labels, compliance,
picked, relevance, draft, validation, borderline, translation, refinement, faithful, enriched, compare. DISTILL_LOG
names a file that gets one JSON line per request: kind, persona, what was decided, and the prompt's text.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from support import persona_responder as personas

from attar.models.words import ENGLISH

Messages = Sequence[Mapping[str, Any]]
HINDI = ("सुबह", "पानी", "भरकर", "सब", "खेत", "ओर", "चले", "बाज़ार", "आज", "मोल", "कम", "भीड़", "बहुत", "बच्चों", "आँगन", "पौधा")
_DIRECTIVE = re.compile(r"\b([a-z]+)=(\d+)")
_NAMED = re.compile(r"\b((?:alpha|bravo|delta|gamma|kappa|omega|sigma|theta|zeta)[a-z]*)\b")
_seen: Counter[tuple[str, str]] = Counter()
_plans: dict[str, dict[str, int]] = {}  # persona's first word → what it asked for when it was first seen

SYSTEMS = {
    "You review personas": "compliance",
    "You pair people with tasks": "picked",
    "You judge whether a person and a task": "relevance",
    "You check texts before people learn": "validation",
    "You are an editor with a good ear": "enriched",
    "You compare two versions": "compare",
    "You are a careful translator": "translation",
    "You are an editor of": "refinement",
    "You review translations": "faithful",
}


JUDGES = ("compliance", "relevance", "validation", "faithful", "compare")


def kind_of(messages: Messages) -> str:
    """Which step of the recipe asks."""
    first, last = str(messages[0]["content"]), str(messages[-1]["content"])
    for start, kind in SYSTEMS.items():
        if first.startswith(start):
            return kind
    if last.startswith("Modify the following persona"):
        return "labels"
    if "# OBJECTIVE #" in last or "Answer in JSON:" in last:
        return "draft"
    raise ValueError(f"not a prompt of the distillation: {first[:80]!r}")


def respond(messages: Messages, body: Mapping[str, Any], rng: Random) -> str | dict[str, Any]:
    """Answers by the probabilities in the environment."""

    def share(name: str, default: str) -> float:
        return float(os.environ.get(f"DISTILL_{name}", default))

    kind = kind_of(messages)
    # Drawn first and always, so that the verdict does not depend on how long the answer turns out.
    judged, doubt, broken = rng.random(), rng.random(), rng.random()
    doubted = kind == "validation" and doubt < share("BORDERLINE", "0")
    if kind in JUDGES:
        bad = judged < share("JUDGE_FAILS", "0.3")
    else:
        bad = broken < share("FORM_BREAKS", "0")
    return answer(kind, messages, body, rng, bad, doubted)


def scripted(messages: Messages, body: Mapping[str, Any], rng: Random) -> str | dict[str, Any]:
    """Answers as the persona in the prompt says; see the module."""
    kind = kind_of(messages)
    text = str(messages[-1]["content"])
    named = _NAMED.search(text)
    who = named[1] if named else ""
    wanted = _plans.setdefault(who, {name: int(count) for name, count in _DIRECTIVE.findall(text)})
    _seen[who, kind] += 1
    bad = _seen[who, kind] <= wanted.get(kind, 0)
    doubtful = kind == "validation" and _seen[who, kind] <= wanted.get("borderline", 0)
    if log := os.environ.get("DISTILL_LOG"):
        with Path(log).open("a", encoding="utf-8") as file:
            line = {"kind": kind, "who": who, "bad": bad, "doubtful": doubtful, "text": text}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return answer(kind, messages, body, rng, bad, doubtful, who)


def answer(
    kind: str, messages: Messages, body: Mapping[str, Any], rng: Random, bad: bool, doubtful: bool, who: str = ""
) -> str | dict[str, Any]:
    """An answer to a step's prompt; `bad` fails the judge or check behind it, `doubtful` is borderline."""
    text = str(messages[-1]["content"])
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
    if kind == "labels":
        written = personas.persona(rng, bad)
        return re.sub(r"(ps\W*: ?\**) ?", lambda found: f"{found[1]} {who} ", written, count=1) if who else written
    if kind == "picked":
        offered = re.findall(r"^- (\w+) \(", text, re.MULTILINE)
        return {"task_reason": "It is near.", "task_id": "no_such_task" if bad else rng.choice(offered)}
    if kind == "draft":
        return draft(text, schema, rng, bad, who)
    if kind in ("translation", "refinement"):
        source = text.rpartition("\nText:\n")[2].rstrip()
        target = hindi(source) if kind == "translation" else source
        return target[: len(target) // 2] if bad else target
    if kind == "enriched":
        before = text.rpartition("\nText:\n")[2].partition("\n\nYour last answer")[0]
        return f"{before} 4711" if bad else edited(before)
    if kind == "compare":
        first, _, second = (
            text.rpartition("First:\n")[2].partition("\n\nWhich is better?")[0].partition("\n\nSecond:\n")
        )
        better = "second" if second.strip() == edited(first.strip()) else "first"
        return {"reason": "It reads better.", "better": "tie" if bad else better}
    assert schema is not None, kind
    verdict = personas.verdict(schema, bad)
    if doubtful:
        next(iter(verdict.values()))["score"] = 3
    return verdict


def hindi(text: str) -> str:
    """A text word by word in Devanagari: paragraphs, marks, numbers and sentences stay; so does a scripted name."""

    def word(found: re.Match[str]) -> str:
        if _NAMED.fullmatch(found[0]):
            return found[0]
        return HINDI[sum(map(ord, found[0])) % len(HINDI)]

    return re.sub(r"[A-Za-z]+", word, text).replace(". ", "। ").replace(".\n", "।\n").removesuffix(".") + (
        "।" if text.endswith(".") else ""
    )


def edited(text: str) -> str:
    """A text with one word more, in its own script."""
    words = text.split(" ")
    return " ".join([*words[:5], "quite" if words[0].isascii() else "भी", *words[5:]])


def prose(rng: Random, count: int, who: str = "") -> str:
    """English sentences of `count` words in all."""
    drawn = rng.choices(ENGLISH, k=count)
    drawn[3:3] = [who] if who else []  # within a sentence, where it stays in lower case
    return " ".join(" ".join(drawn[i : i + 12]).capitalize() + "." for i in range(0, len(drawn), 12))


def draft(text: str, schema: Mapping[str, Any] | None, rng: Random, bad: bool, who: str) -> str | dict[str, Any]:
    """What a generator of stage 5 writes; `bad` breaks the form of its type."""
    if schema is None:
        found = re.search(r"with (\d+)\+", text)
        assert found
        return personas.essay(rng, bad, int(found[1])) + (f"\n\nThus it went, {who}." if who else "")
    fields = schema["properties"]
    if "turns" in fields:
        roles = ["user", "assistant"] * 3
        return {"turns": [{"role": r, "content": prose(rng, 24, who)} for r in (roles[:3] if bad else roles)]}
    if "crisp" in fields:
        bare = " ".join(rng.choices(ENGLISH, k=12))
        detailed = " ".join(prose(rng, 12) for _ in range(4))
        return {"question": f"How {who} {bare}?", "crisp": prose(rng, 60 if bad else 11), "detailed": detailed}
    if "problem" in fields:
        steps = [prose(rng, 20) for _ in range(1 if bad else 4)]
        return {"problem": prose(rng, 40, who), "steps": steps, "answer": prose(rng, 12)}
    target = " ".join(" ".join(rng.choices(HINDI, k=9)) + "।" for _ in range(10))
    return {"source_text": prose(rng, 20 if bad else 90, who), "target_text": target}
