"""The distillation's steps after a task is given, each alone: checks, uniform columns, languages, enrichment."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.api import Reject, RowError
from attar.testing import StepContract, build, run_judge, run_row_step
from attar_personas.distillation.content import Content, Turns, parts_again, turns_again
from attar_personas.distillation.enrich import CheckEnriched, Settle, edits
from attar_personas.distillation.output import CheckOutput
from attar_personas.distillation.targets import Targets
from attar_personas.distillation.types import OUTPUT_TYPES
from attar_personas.measure import words

# -- outputs ---------------------------------------------------------------------------------------------------------

WRITTEN = (
    "draft",
    "turns",
    "question",
    "crisp",
    "detailed",
    "problem",
    "steps",
    "answer",
    "source_text",
    "target_text",
)
EMPTY: dict[str, Any] = dict.fromkeys(WRITTEN)
LONG = " ".join(f"word{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n // 676)}" for n in range(900))
PLAIN = " ".join(LONG.split()[:80])
HINDI = "आज सुबह सब लोग खेत की ओर चले और बीज बोए गए। "


def talk(*texts: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]


GOOD: dict[str, dict[str, Any]] = {
    "article": {"draft": LONG},
    "dialogue": {
        "turns": talk("Where do I go?", "To the ward office.", "And what do I bring?", "Your card and a photograph.")
    },
    "qa": {
        "question": "Why is it so?",
        "crisp": "Because it rained.",
        "detailed": "It rained. The road broke. So it is.",
    },
    "cot": {"problem": "Who pays what?", "steps": ["Add all of it.", "Share it."], "answer": "Each pays a third."},
    "cross_lingual": {"source_text": PLAIN, "target_text": HINDI * 12},
}


def output(kind: str, **changed: Any) -> dict[str, Any]:
    return {**EMPTY, "output_type": kind, "ps": "", "finish": "stop", "language": "Hindi", **GOOD[kind], **changed}


def code_of(row: dict[str, Any], **config: Any) -> str:
    step = build(CheckOutput, {"finish": "finish", "persona": "ps", "language": "language", **config})
    (verdict,) = run_judge(step, [row])
    assert not isinstance(verdict, RowError)
    return verdict.code


@pytest.mark.parametrize("kind", OUTPUT_TYPES)
def test_a_good_output_passes(kind: str) -> None:
    assert code_of(output(kind)) == ""


@pytest.mark.parametrize(
    ("kind", "changed", "code"),
    [
        ("article", {"draft": " ".join(LONG.split()[:899])}, "too_short"),
        ("article", {"draft": None}, "empty"),
        ("article", {"draft": "I'm sorry, but I can't help with that. " + LONG}, "refused"),
        ("article", {"draft": "# RESPONSE #\n" + LONG}, "heading_echo"),
        ("article", {"draft": "the same few words again and again " * 150}, "repetitive"),
        ("article", {"draft": LONG + HINDI * 30}, "not_english"),
        ("article", {"finish": "length"}, "truncated"),
        ("article", {"ps": " ".join(LONG.split()[100:120])}, "persona_leak"),
        ("dialogue", {"turns": []}, "empty"),
        ("dialogue", {"turns": talk("a?", "b.")}, "too_few_turns"),
        ("dialogue", {"turns": talk(*[f"turn {n}" for n in range(22)])}, "too_many_turns"),
        ("dialogue", {"turns": talk("a?", "b.", "c?", "d.", "e?")}, "roles_out_of_turn"),
        ("dialogue", {"turns": talk("a?", "b.", "c?", "d.")[::-1]}, "roles_out_of_turn"),
        ("dialogue", {"turns": talk("a?", "b.", "A!", "d.")}, "repeated_turn"),
        ("dialogue", {"turns": talk("a?", " ", "c?", "d.")}, "empty"),
        ("dialogue", {"turns": talk("a?", None, "c?", "d.")}, "empty"),  # type: ignore[arg-type]
        ("qa", {"question": "Tell me why."}, "no_question"),
        ("qa", {"crisp": "word " * 26}, "crisp_too_long"),
        ("qa", {"detailed": "It rained. The road broke."}, "detailed_length"),
        ("qa", {"detailed": "A b. " * 6}, "detailed_length"),
        ("cot", {"steps": ["Only one."]}, "too_few_steps"),
        ("cot", {"steps": ["One.", ""]}, "empty"),
        ("cot", {"answer": "who pays what"}, "answer_missing"),
        ("cross_lingual", {"source_text": "Too short."}, "too_short"),
        ("cross_lingual", {"target_text": HINDI}, "length_ratio"),
        ("cross_lingual", {"target_text": PLAIN}, "untranslated"),
        ("cross_lingual", {"target_text": "இன்று காலை எல்லோரும் வயலுக்குச் சென்றனர். " * 14}, "wrong_script"),
    ],
)
def test_each_fault_has_its_code(kind: str, changed: dict[str, Any], code: str) -> None:
    assert code_of(output(kind, **changed)) == code


def test_feedback_names_every_fault() -> None:
    step = build(CheckOutput, {"finish": "finish"})
    (verdict,) = run_judge(step, [output("qa", question="Tell me.", crisp="word " * 30, finish="length")])
    assert not isinstance(verdict, RowError)
    assert verdict.code == "truncated" and len(verdict.feedback.splitlines()) == 3


def test_an_unknown_type_is_an_error_of_the_row() -> None:
    (verdict,) = run_judge(build(CheckOutput), [{**output("qa"), "output_type": "poem"}])
    assert not isinstance(verdict, RowError)
    assert (verdict.outcome, verdict.code) == ("error", "output_type")


def test_limits_that_exclude_each_other_are_told() -> None:
    problems = list(build(CheckOutput, {"min_turns": 9, "max_turns": 3, "detailed_sentences": [5, 3]}).check({}))
    assert [problem.field for problem in problems] == [("min_turns",), ("detailed_sentences",)]


# -- uniform columns and back ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OUTPUT_TYPES)
def test_every_type_becomes_the_same_columns(kind: str) -> None:
    (made,) = run_row_step(build(Content), [output(kind)])
    assert isinstance(made, dict) and set(made) == {"content", "rendering", "parts", "turns"}
    assert made["content"]
    assert (made["rendering"] is not None) == (kind == "cross_lingual")
    labelled = kind in ("dialogue", "qa", "cot")
    assert (made["turns"] is not None) == labelled == (made["parts"] is not None)
    if labelled:
        assert [turn["role"] for turn in made["turns"]] == ["user", "assistant"] * (len(made["turns"]) // 2)
        assert parts_again(made["content"], made["parts"]) == made["parts"]
        assert turns_again(kind, made["parts"], made["turns"]) == made["turns"]


def test_turns_come_back_from_a_translation_with_its_own_labels() -> None:
    (made,) = run_row_step(build(Content), [output("dialogue")])
    assert isinstance(made, dict)
    hindi = "\n\n".join(f"{'उपयोगकर्ता' if n % 2 == 0 else 'सहायक'}: वाक्य {n}: आगे।" for n in range(4))
    row = {**made, "output_type": "dialogue", "content_final": hindi}
    (back,) = run_row_step(build(Turns), [row])
    assert isinstance(back, dict)
    assert back["turns_final"] == [
        {"role": ("user", "assistant")[n % 2], "content": f"वाक्य {n}: आगे।"} for n in range(4)
    ]
    (lost,) = run_row_step(build(Turns), [{**row, "content_final": hindi.replace("\n\n", " ")}])
    assert lost == {"parts_final": None, "turns_final": None}


def test_nothing_written_is_a_reject() -> None:
    (made,) = run_row_step(build(Content), [{**EMPTY, "output_type": "qa"}])
    assert isinstance(made, Reject) and made.code == "empty"


def test_targets_make_a_row_per_language_and_refine_what_is_there() -> None:
    config = {"languages": "Hindi, ta,English,hi", "rendering": "rendering", "rendering_language": "cross_language"}
    rows = [
        {"content": "A text.", "rendering": None, "cross_language": "Tamil"},
        {"content": "A text.", "rendering": "एक पाठ।", "cross_language": "Hindi"},
        {"content": None, "rendering": None, "cross_language": None},
    ]
    plain, rendered, none = run_row_step(build(Targets, config), rows)
    assert isinstance(plain, list) and isinstance(rendered, list)
    assert [(one["target_language"], one["mode"]) for one in plain] == [
        ("Hindi", "translate"),
        ("Tamil", "translate"),
        ("English", "refine"),
    ]
    assert rendered == [{"text": "एक पाठ।", "source_language": "Hindi", "target_language": "Hindi", "mode": "refine"}]
    assert isinstance(none, Reject) and none.code == "no_text"


def test_an_unknown_language_is_told_before_anything_runs() -> None:
    problems = list(build(Targets, {"languages": ["Hindi", "Hindii"], "content_language": "Elvish"}).check({}))
    assert [problem.field for problem in problems] == [("languages", 1), ("content_language",)]


# -- enrichment ------------------------------------------------------------------------------------------------------

BEFORE = (
    "In 2011 the town of Pune had 3,124,458 people; the river Mula ran through it. See http://example.org/a for {name}."
)
BEFORE_HI = "सन २०११ में पुणे में ३१,२४,४५८ लोग रहते थे और मुला नदी बीच से बहती थी।"


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        (BEFORE, BEFORE.replace("ran through it", "flowed right through it"), ""),
        (BEFORE, BEFORE.replace("3,124,458", "31,24,458"), ""),  # the same number, grouped the Indian way
        (BEFORE, BEFORE.replace("3,124,458", "3,124,485"), "number_changed"),
        (BEFORE, BEFORE.replace("In 2011 the", "The"), "number_changed"),
        (BEFORE, BEFORE.replace("Pune", "Nashik"), "name_added"),
        (BEFORE, BEFORE.replace("river Mula", "river"), "name_lost"),
        (BEFORE, BEFORE.replace("/a ", "/b "), "mark_lost"),
        (BEFORE, BEFORE.replace("{name}", "you"), "mark_lost"),
        (
            BEFORE,
            BEFORE + " It was a fine place, with markets, schools and long evenings by the bridges, as all said.",
            "length_ratio",
        ),
        (BEFORE, "", "empty"),
        (BEFORE, "Here is the text: " + BEFORE, "preamble"),
        (BEFORE, "I'm sorry, I cannot edit this. " + BEFORE, "refused"),
        (BEFORE_HI, BEFORE_HI.replace("रहते थे", "बसते थे"), ""),
        (BEFORE_HI, BEFORE_HI.replace("२०११", "2011"), ""),
        (BEFORE_HI, BEFORE_HI.replace("३१,२४,४५८", "३१,२४,४५"), "number_changed"),
        (BEFORE_HI, "In २०११ the town of Pune had ३१,२४,४५८ people and a river ran through it.", "wrong_script"),
    ],
)
def test_enrichment_keeps_facts(before: str, after: str, code: str) -> None:
    language = "Hindi" if before == BEFORE_HI else "English"
    step = build(CheckEnriched, {"before": "a", "after": "b", "language": "language"})
    (verdict,) = run_judge(step, [{"a": before, "b": after, "language": language}])
    assert not isinstance(verdict, RowError)
    assert verdict.code == code, verdict.feedback


@given(st.text(min_size=1, max_size=200), st.sampled_from(["hi", "ta", "en", None]))
@settings(max_examples=100, deadline=None)
def test_a_text_that_was_left_as_it_was_passes(text: str, language: str | None) -> None:
    step = build(CheckEnriched, {"before": "a", "after": "b", "language": "language"})
    (verdict,) = run_judge(step, [{"a": text, "b": text, "language": language}])
    assert not isinstance(verdict, RowError)
    assert verdict.code == ("" if words(text) else "empty"), verdict.feedback


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=12), st.lists(st.sampled_from(["a", "b", "c"]), max_size=12))
@settings(max_examples=100, deadline=None)
def test_edits_are_empty_only_where_nothing_was_changed(before: list[str], after: list[str]) -> None:
    assert (edits(" ".join(before), " ".join(after)) == []) == (before == after)


def test_another_text_of_the_same_length_is_new_text() -> None:
    before = "the well behind the school dries up in may and the women walk to the next village for water"
    after = "our dogs bark loudly at every passing lorry, but no one up here ever cares or gets angry about"
    (verdict,) = run_judge(build(CheckEnriched, {"before": "a", "after": "b"}), [{"a": before, "b": after}])
    assert not isinstance(verdict, RowError)
    assert verdict.code == "new_text" and verdict.scores["containment"] < 0.5


def test_labelled_paragraphs_and_protected_words_stay() -> None:
    config = {"before": "a", "after": "b", "parts": "parts", "kept": "kept", "finish": "finish"}
    text = "User: कैसे हो?\n\nAssistant: सब ठीक, राम।"
    row: dict[str, Any] = {
        "a": text,
        "parts": ["कैसे हो?", "सब ठीक, राम।"],
        "kept": [{"mark": "1", "text": "राम", "kind": "name"}],
        "finish": "stop",
    }
    rows = [
        {**row, "b": text.replace("सब ठीक", "सब कुशल")},
        {**row, "b": text.replace("\n\n", " ")},
        {**row, "b": text.replace("राम", "भाई")},
        {**row, "b": text, "finish": "length"},
    ]
    codes = [verdict.code for verdict in run_judge(build(CheckEnriched, config), rows)]
    assert codes == ["", "structure_changed", "mark_lost", "truncated"]


def test_only_a_version_that_won_is_kept() -> None:
    rows = [
        {"a": "the old text", "b": "the newer text\n", "better": {"winner": "b"}},
        {"a": "the old text", "b": "the newer text", "better": {"winner": "tie"}},
        {"a": "the old text", "b": "the newer text", "better": {"winner": "a"}},
        {"a": "the old text", "b": "the newer text", "better": None},
        {"a": "the old text", "b": None, "better": {"winner": "b"}},
        {"a": "the old text", "b": "the old text ", "better": {"winner": "b"}},
    ]
    made = run_row_step(build(Settle, {"before": "a", "after": "b", "compared": "better"}), rows)
    assert made[0] == {"content_final": "the newer text", "is_enriched": True, "edits": ["old → newer"]}
    assert made[1:] == [{"content_final": "the old text", "is_enriched": False, "edits": []}] * 5
    assert edits("a b c", "b c d") == ["a →", "→ d"] and edits("a b", "a b") == []


# -- contracts -------------------------------------------------------------------------------------------------------

OUTPUTS = [output(kind) for kind in OUTPUT_TYPES]
OUTPUT_COLUMNS = {
    **dict.fromkeys(EMPTY, "string?"),
    "turns": "list<struct<role:string,content:string>>?",
    "steps": "list<string>?",
    **dict.fromkeys(("output_type", "ps", "finish", "language"), "string?"),
}


class TestCheckOutput(StepContract):
    step = CheckOutput
    config = {"finish": "finish", "persona": "ps", "language": "language"}
    rows = [*OUTPUTS, {**OUTPUTS[0], **EMPTY}]
    incoming = OUTPUT_COLUMNS


class TestContent(StepContract):
    step = Content
    rows = [*OUTPUTS, {**OUTPUTS[0], **EMPTY}]
    incoming = OUTPUT_COLUMNS


class TestTurns(StepContract):
    step = Turns
    rows = [
        {"output_type": "qa", "content_final": "Q: a?\n\nA: b.", "parts": ["a?", "b."], "turns": talk("a?", "b.")},
        {"output_type": "qa", "content_final": None, "parts": None, "turns": None},
    ]


class TestTargets(StepContract):
    step = Targets
    config = {"languages": ["Hindi", "Tamil"], "rendering": "rendering", "rendering_language": "lang"}
    rows = [{"content": "a", "rendering": None, "lang": None}, {"content": None, "rendering": "अ", "lang": "Hindi"}]


class TestSettle(StepContract):
    step = Settle
    config = {"before": "a", "after": "b", "compared": "c"}
    rows = [{"a": "x", "b": "y", "c": {"winner": "b"}}, {"a": "x", "b": None, "c": None}]


class TestCheckEnriched(StepContract):
    step = CheckEnriched
    config = {"before": "a", "after": "b", "language": "lang", "kept": "kept", "parts": "parts", "finish": "finish"}
    rows = [
        {"a": "x 1", "b": "x 1", "lang": "hi", "kept": [{"text": "x"}], "parts": ["x"], "finish": "stop"},
        {"a": None, "b": None, "lang": None, "kept": None, "parts": None, "finish": None},
    ]
