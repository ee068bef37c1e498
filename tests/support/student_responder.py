"""Stand-in answers for recipes/student_report.yaml: a student that learnt, the model before it, and a judge.

`student` says the reference (looked up by the question's passages); `before` refuses what it could answer and answers
what it cannot. The judge goes by the reply alone, and answers in no form at all for one reply of the student.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

QUESTIONS = Path(__file__).parents[2] / "recipes" / "data" / "student_questions.jsonl"
REFUSAL = "Maaf, informasinya belum tersedia."
UNREADABLE = "q05"


def cases() -> list[dict[str, Any]]:
    return [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]


def respond(messages: Sequence[Mapping[str, Any]], body: Mapping[str, Any], rng: Random) -> str | dict[str, Any]:
    """Answers by the model's name."""
    told = "\n".join(str(message["content"]) for message in messages)
    (case,) = [one for one in cases() if one["question"] in told and one["contexts"][0] in told]
    if body["model"] == "student":
        return str(case["answer"] or REFUSAL)
    if body["model"] == "before":
        return REFUSAL if case["twin_id"] and case["answerable"] else "Biayanya Rp 999.000, kata Pak Zulkarnain."
    reply = told.partition("<reply>\n")[2].partition("\n</reply>")[0]
    right = reply == (case["answer"] or REFUSAL)
    if right and case["id"] == UNREADABLE:
        return "I would rather not say."
    return {"right": {"reason": "so", "met": right}, "tone": {"reason": "so", "score": 5 if right else 2}}
