"""Stand-in answers for recipes/translate.yaml: translators that lose things and judges that fail, by known chances.

Use `respond` as the server's responder; it reads from the environment

- TRANSLATE_FAULTS: probability that a translation has a planted fault (default 0); which one is drawn
- TRANSLATE_JUDGE_FAILS: probability that the judge fails it (default 0)
- TRANSLATE_LOG: file that gets one JSON line for each translation asked for: the fault planted, the prompt, the answer
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from support.persona_responder import verdict

from attar.models.words import ENGLISH, INDIC

HINDI, TAMIL = INDIC[0].split(), INDIC[1].split()
WORDS = {"Hindi": HINDI, "Tamil": TAMIL, "English": ENGLISH}
FAULTS = ("number", "script", "cut", "echo", "stray")


def respond(messages: Sequence[Mapping[str, Any]], body: Mapping[str, Any], rng: Random) -> str | dict[str, Any]:
    """A verdict where a schema is asked for, else a translation of the prompt's text."""
    chance = rng.random()  # drawn first and always
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
    if schema is not None:
        return verdict(schema, chance < float(os.environ.get("TRANSLATE_JUDGE_FAILS", "0")))
    prompt = str(messages[-1]["content"])
    fault = rng.choice(FAULTS) if chance < float(os.environ.get("TRANSLATE_FAULTS", "0")) else ""
    answer = translate(prompt, fault, rng)
    if log := os.environ.get("TRANSLATE_LOG"):
        with Path(log).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"fault": fault, "prompt": prompt, "answer": answer}, ensure_ascii=False) + "\n")
    return answer


def translate(prompt: str, fault: str, rng: Random) -> str:
    """The text with its words drawn anew in the target language; marks, paragraphs, ends of sentences stay."""
    text = prompt.rpartition("Text:\n")[2].rstrip("\n")
    if fault == "echo":
        return text
    if prompt.startswith("Refine"):
        answer = text
    else:
        language = re.search(r"into (\w+)\.", prompt)[1]  # type: ignore[index]
        if fault == "script":
            language = "Tamil" if language != "Tamil" else "English"
        answer = re.sub(r"[^\s⟦⟧]+", lambda found: _word(found[0], WORDS[language], rng), text)
    if fault == "number":
        answer = answer.replace("⟦1⟧", "", 1)
    elif fault == "cut":
        answer = answer[: len(answer) // 3].rstrip(".।?! \n")
    elif fault == "stray":
        answer += " ⟦999⟧"
    return answer


def _word(token: str, words: Sequence[str], rng: Random) -> str:
    """Another word with the same end; marks' numbers and what stands for layout stay."""
    if not any(char.isalpha() for char in token):
        return token
    end = re.search(r"[.,;:!?।]*$", token)
    return rng.choice(words) + (end[0] if end else "")
