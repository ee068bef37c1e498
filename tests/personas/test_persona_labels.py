"""The label parser: any order, any persona text, the dress that models put around labels."""

from __future__ import annotations

import asyncio
import unicodedata
from typing import Any

import pytest
import regex
from hypothesis import assume, given
from hypothesis import strategies as st

from attar.api import Reject, Row
from attar_personas.indianization.labels import KEYS, CheckLabelled, Labelled, parse_labels

ANSWER = "ps: A weaver from Kanchi | gd_1: crafts | sp_1: silk | gd_01: dyes | sp_01: madder root"
VALUES = {"ps": "A weaver from Kanchi", "gd_1": "crafts", "sp_1": "silk", "gd_01": "dyes", "sp_01": "madder root"}


def test_the_form_asked_for() -> None:
    assert parse_labels(ANSWER) == (VALUES, "", "")


@pytest.mark.parametrize(
    "answer",
    [
        ANSWER.replace(" | ", "\n"),
        ANSWER.replace(" | ", " |\n"),
        ANSWER.replace(" | ", "\r\n\r\n"),
        "Here is the persona:\n\n" + ANSWER,
        "\n".join(f"- **{key}:** {value}" for key, value in VALUES.items()),
        "\n".join(f"* **{key}**: *{value}*" for key, value in VALUES.items()),
        "\n".join(f"{n}. `{key}`: {value}" for n, (key, value) in enumerate(VALUES.items(), 1)),
        "\n".join(f"### {key.replace('_', chr(92) + '_')}: **{value}**" for key, value in VALUES.items()),
        "|".join(f"{key.upper()} (1%) : {value}" for key, value in VALUES.items()) + "|",
        " | ".join(f"{key}: {value}" for key, value in reversed(VALUES.items())),
    ],
)
def test_dressed_answers_hold_the_same_values(answer: str) -> None:
    assert parse_labels(answer) == (VALUES, "", "")


def test_a_bar_inside_the_persona_stays() -> None:
    found = parse_labels(ANSWER.replace("A weaver from Kanchi", "A weaver | dyer, who says: ps is short | done"))
    assert found.values["ps"] == "A weaver | dyer, who says: ps is short | done"
    assert not found.code


@pytest.mark.parametrize(
    ("answer", "code", "detail"),
    [
        ("", "missing_key", "missing: ps, gd_1, sp_1, gd_01, sp_01"),
        (ANSWER.replace("gd_01:", "gd:"), "missing_key", "missing: gd_01"),
        (ANSWER.replace("silk", " ** "), "empty_key", "empty: sp_1"),
        (ANSWER + " | ps: another", "repeated_key", "ps is there more than once"),
    ],
)
def test_faults_have_codes(answer: str, code: str, detail: str) -> None:
    found = parse_labels(answer)
    assert (found.code, found.detail) == (code, detail)


LOOKS_LIKE_A_LABEL = regex.compile(r"(?:ps|gd|sp)", regex.IGNORECASE)
text = st.text(st.characters(codec="utf-8") | st.sampled_from("|:\n भारत की क्‍ष தமிழ்")).map(
    lambda t: unicodedata.normalize("NFC", t).replace("\r\n", "\n")
)
# What counts as dress at a value's edges is not the value's: the round trip is of undressed values.
value = text.map(lambda t: t.replace("*", "").strip().strip("|`").strip()).filter(
    lambda t: bool(regex.search(r"[\p{L}\p{N}]", t)) and not LOOKS_LIKE_A_LABEL.search(t)
)


@given(st.fixed_dictionaries(dict.fromkeys(KEYS, value)), st.permutations(KEYS), st.sampled_from([" | ", "\n", "|"]))
def test_round_trip_in_any_order(values: dict[str, str], order: list[str], between: str) -> None:
    assume(all(v == v.strip().strip("|*`").strip() for v in values.values()))
    answer = between.join(f"{key}: {values[key]}" for key in order)
    assert parse_labels(answer) == (values, "", "")


@given(st.text())
def test_no_text_breaks_the_parser(answer: str) -> None:
    found = parse_labels(answer)
    assert found.code or set(found.values) == set(KEYS)


def judged(answer: str, **config: Any) -> Any:
    step = CheckLabelled(CheckLabelled.Config(text="answer", original="persona", **config))
    return asyncio.run(step.judge(Row("r", {"answer": answer, "persona": "a WEAVER, from Kanchi."}), None))  # type: ignore[arg-type]


def test_a_persona_must_change_in_more_than_commas() -> None:
    assert judged(ANSWER).code == "unchanged_persona"
    assert judged(ANSWER.replace("Kanchi", "Kanchipuram")).outcome == "pass"


def test_answers_in_another_script_fail() -> None:
    hindi = ANSWER.replace("A weaver from Kanchi", "कांचीपुरम की एक बुनकर")
    assert judged(hindi).code == "not_english"
    assert judged(hindi, min_english=0.3).outcome == "pass"


def test_feedback_shows_the_form() -> None:
    verdict = judged("A weaver.")
    assert (verdict.outcome, verdict.code) == ("fail", "missing_key")
    assert "ps: … | gd_1: …" in verdict.feedback


def test_labels_become_columns_or_a_reject() -> None:
    step = Labelled(Labelled.Config(text="answer"))
    step.name = "labels"
    assert step.writes({"answer": "string"}) == {"answer": "string", **dict.fromkeys(KEYS, "string")}
    assert asyncio.run(step.apply(Row("r", {"answer": ANSWER}), None)) == VALUES  # type: ignore[arg-type]
    rejected = asyncio.run(step.apply(Row("r", {"answer": "?"}), None))  # type: ignore[arg-type]
    assert isinstance(rejected, Reject) and rejected.code == "missing_key"


def test_the_main_label_must_be_a_key() -> None:
    step = CheckLabelled(CheckLabelled.Config(text="answer", main="persona"))
    assert [problem.field for problem in step.check({})] == [("main",)]
