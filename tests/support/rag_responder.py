"""Stand-in answers for recipes/teacher_student_rag.yaml, made from the pages in the prompt.

`respond` plants faults by chance: RAG_FAULTS (wrong conversations and questions, default 0.25) and RAG_BROKEN (answers
that are no JSON, default 0.1) in the environment. Whether pages answer a question goes by the question's long words.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import regex

Messages = Sequence[Mapping[str, Any]]
FAULTS = ("thought", "price", "date", "name", "order", "refusal", "turns")
NOWHERE = ("helikopter", "planetarium", "akuarium")


def respond(messages: Messages, body: Mapping[str, Any], rng: Random) -> str | dict[str, Any]:
    """Answers by the probabilities in the environment."""
    bad = rng.random() < float(os.environ.get("RAG_FAULTS", "0.25"))
    broken = rng.random() < float(os.environ.get("RAG_BROKEN", "0.1"))
    text = str(messages[-1]["content"])
    properties = body["response_format"]["json_schema"]["schema"]["properties"]
    made: dict[str, Any]
    if "answered" in properties:
        made = answered(text)
    elif "question" in properties:
        made = question(text, rng, bad)
    else:
        (name,) = properties
        assert name in ("messages", "twin_messages")
        made = {name: conversation(text, rng, bad)}
    if not broken:
        return made
    written = json.dumps(made, ensure_ascii=False)
    return rng.choice([f"Here it is:\n```json\n{written}\n```", written[:-1] + ",}", "I cannot do that."])


def long_words(text: str) -> list[str]:
    return [word for word in regex.findall(r"[\p{L}\p{M}]+", text) if len(word) > 4]


def answered(text: str) -> dict[str, Any]:
    pages, _, rest = text.partition("\nQuestion: ")
    asked = rest.partition("\n")[0]
    missing = [word for word in long_words(asked) if word.lower() not in pages.lower()]
    return {"reason": f"missing: {missing}", "answered": not missing}


def question(text: str, rng: Random, bad: bool) -> dict[str, Any]:
    parts = re.split(r"\[(Page|Needed|Withheld)(?: \d+)?\]\n", text)
    found = list(zip(parts[1::2], parts[2::2], strict=True))
    pages = [page.strip() for kind, page in found if kind == "Page"]
    pages[-1] = re.split(r"\n\n+(?:Write two|These pages|The pages above)", pages[-1])[0].strip()
    gold = [re.split(r"\n\n+Write one", page)[0].strip() for kind, page in found if kind != "Page"]
    if not gold:
        gold = [re.split(r"\n\nAn earlier|\n\nAnswer in JSON", text.rpartition("this page:\n\n")[2])[0].strip()]
    told = [rare(one, [page for page in pages if page != one], rng) for one in gold]
    if "at most 8 words" in text:
        return {"question": f"Mana dulu, {told[0]} atau {told[0] if bad else told[-1]}?", "twin_question": ""}
    nowhere = f"Apa ada {rng.choice(NOWHERE)}?"
    if "[Withheld]" in text:
        return {"question": nowhere if bad else f"Apa itu {told[0]}?", "twin_question": ""}
    return {"question": f"Soal {told[0]} gimana?" if bad else nowhere, "twin_question": f"Apa itu {told[0]}?"}


def rare(page: str, others: Sequence[str], rng: Random) -> str:
    """A long word of a page that the others do not have."""
    beside = " ".join(others).lower()
    words = [word for word in dict.fromkeys(long_words(page)) if word.lower() not in beside]
    return rng.choice(words or long_words(page) or page.split())


def conversation(text: str, rng: Random, bad: bool) -> list[dict[str, Any]]:
    context, _, task = text.partition("CONTEXT:\n")[2].partition("\nTASK:\n")
    turns = int(re.search(r"with (\d+) turns", task)[1])  # type: ignore[index]
    asked = re.search(r"asks this, in these words: (.*)", task)
    refuse = "has no answer in the context" in task
    fault = rng.choice(FAULTS) if bad else ""
    said = [line.replace("*", "") for line in context.split("\n") if len(line) > 60 and line[0] not in "#|"]
    made: list[dict[str, Any]] = []
    for turn in range(turns + (fault == "turns")):
        last = turn == turns - 1
        fact = rng.choice(said or [context.strip("# \n")])
        wanted = asked[1] if asked and last else f"Tolong, soal {' '.join(long_words(fact)[:3])} bagaimana?"
        reply = "Maaf, informasi itu belum tersedia pada kami." if refuse and last else fact
        thought = f"Yang ditanya: {wanted} Yang tertulis: {fact}"
        if last and fault == "refusal":
            reply = fact if refuse else "Maaf, saya tidak menemukan informasi itu."
        elif last:
            reply += {"price": " Rp 98.765.", "date": " Mulai 31 Februari 2031.", "name": " Temui Zulkarnaen Fxq."}.get(
                fault, ""
            )
        made.append({"role": "user", "content": wanted})
        made.append({"role": "model", "thought": thought, "content": reply})
    if fault == "thought":
        del made[-1]["thought"]
    if fault == "order":
        made.insert(0, made[0])
    return made
