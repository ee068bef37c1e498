"""Steps that make personas from texts: stances, checks, names, agreement, confidence, skeletons."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from attar.api import Reject, Row, Verdict
from attar.testing import FakeContext, StepContract, build, run_dataset_step, run_judge, run_row_step
from attar.testing.steps import prompt
from attar_personas.measure import words
from attar_personas.synthesis.agreement import Agreement, ngram_similarity
from attar_personas.synthesis.check import CheckPersona
from attar_personas.synthesis.confidence import Confidence
from attar_personas.synthesis.names import full_names, recurring_names
from attar_personas.synthesis.skeleton import SkeletonCap
from attar_personas.synthesis.stances import STANCES, Stances, shortened, systematic

SCHEMA = {"type": "object", "properties": {"persona": {"type": "string"}}, "required": ["persona"]}


class TestStancesContract(StepContract):
    step = Stances
    config: ClassVar[dict[str, Any]] = {"per_text": 2}
    rows: ClassVar[list[dict[str, Any]]] = [{"text": "The well is dry. It rained."}, {"text": " "}, {"text": None}]


class TestCheckContract(StepContract):
    step = CheckPersona
    config: ClassVar[dict[str, Any]] = {"source": "text", "group": "group"}
    rows: ClassVar[list[dict[str, Any]]] = [
        {"persona": "A well digger of Bhuj who paints signboards.", "text": "Wells.", "group": None},
        {"persona": None, "text": "Wells.", "group": "rag_picker"},
    ]


class TestAgreementContract(StepContract):
    step = Agreement
    config: ClassVar[dict[str, Any]] = {"model": "m", "prompt": prompt("Who writes {{ text }}?", output=SCHEMA)}
    rows: ClassVar[list[dict[str, Any]]] = [{"persona": "A well digger of Bhuj", "text": "Wells."}]
    answers: ClassVar[Any] = staticmethod(lambda call: {"persona": "A well digger of Kutch"})


class TestConfidenceContract(StepContract):
    step = Confidence
    config: ClassVar[dict[str, Any]] = {"parts": {"judged.scores.implied": [1, 5], "agreement": [0, 1]}}
    rows: ClassVar[list[dict[str, Any]]] = [{"judged": {"scores": {"implied": 4.0}}, "agreement": 0.5}]


class TestSkeletonContract(StepContract):
    step = SkeletonCap
    config: ClassVar[dict[str, Any]] = {"at_least": 1, "best": "score"}
    rows: ClassVar[list[dict[str, Any]]] = [
        {"persona": f"A student interested in {what}", "score": 0.5} for what in ("moss", "bees", "rain", "salt")
    ]


# -- stances -------------------------------------------------------------------------------------------------------


def test_a_row_for_every_stance() -> None:
    text = "The well is dry. It rained."
    (children,) = run_row_step(build(Stances), [{"text": text}])
    assert [child["stance"] for child in children] == list(STANCES)
    assert {child["excerpt"] for child in children} == {text}
    assert {child["source_text_sha256"] for child in children} == {hashlib.sha256(text.encode()).hexdigest()}


def test_texts_without_words_are_rejected() -> None:
    assert (
        run_row_step(build(Stances), [{"text": "?! …"}, {"text": None}])
        == [Reject("empty", "the text has no words")] * 2
    )


@pytest.mark.parametrize("given_as", ["read=3, dislike", ["read=3", "dislike"], {"read": 3, "dislike": 1}])
def test_weights_may_be_written_as_on_a_command_line(given_as: Any) -> None:
    step = build(Stances, {"stances": given_as, "per_text": 4})
    assert not list(step.check({"text": "string"}))
    for children in run_row_step(step, [{"text": f"Text {n}."} for n in range(9)]):
        assert Counter(child["stance"] for child in children) == {"read": 3, "dislike": 1}


def test_wrong_stances_are_refused() -> None:
    assert [p.field for p in build(Stances, {"stances": ["admire"]}).check({})] == [("stances",)]
    assert [p.field for p in build(Stances, {"stances": "read=0"}).check({})] == [("stances",)]
    with pytest.raises(ValidationError, match="listed twice"):
        build(Stances, {"stances": ["read", "read"]})


@given(st.lists(st.floats(0.01, 50), min_size=1, max_size=6), st.integers(1, 30), st.floats(0, 1, exclude_max=True))
def test_shares_are_kept_to_within_one(weights: list[float], count: int, start: float) -> None:
    named = {str(n): weight for n, weight in enumerate(weights)}
    drawn = Counter(systematic(named, count, start))
    assert drawn.total() == count
    for name, weight in named.items():
        assert abs(drawn[name] - count * weight / sum(weights)) < 1 + 1e-6


SENTENCES = st.lists(
    st.sampled_from(["The well is dry.", "पानी नहीं आया।", "Air tidak mengalir hari ini!", "Why?", "கிணறு வறண்டது."]),
    min_size=1,
    max_size=12,
)


@settings(max_examples=80)
@given(SENTENCES, st.integers(1, 30))
def test_texts_are_cut_at_a_sentence_end_within_the_budget(sentences: list[str], budget: int) -> None:
    text = " ".join(sentences)
    cut = shortened(text, budget, 10_000)
    assert text.startswith(cut)
    assert 0 < len(words(cut)) <= budget
    if len(words(sentences[0])) <= budget:
        ends = {" ".join(sentences[:n]) for n in range(1, len(sentences) + 1)}
        assert cut in ends
        longer = [end for end in ends if len(end) > len(cut)]
        assert all(len(words(end)) > budget for end in longer)


def test_a_text_without_spaces_or_ends_is_cut_by_characters() -> None:
    assert len(shortened("ก" * 50_000, 10, 1000)) == 1000
    assert shortened("word " * 5000, 10, 10_000).split() == ["word"] * 10


# -- checks --------------------------------------------------------------------------------------------------------

GOOD = "A bus conductor in Bhuj who hums old film songs between stops."


def verdict(persona: str | None, source: str = "", **config: Any) -> Verdict:
    step = build(CheckPersona, {"source": "source", **config})
    (found,) = run_judge(step, [{"persona": persona, "source": source, "group": config.pop("of", None)}])
    assert isinstance(found, Verdict)
    return found


def test_a_good_persona_passes() -> None:
    found = verdict(GOOD, "The buses of Bhuj are old. A conductor hums.")
    assert (found.outcome, found.code, found.feedback) == ("pass", "", "")
    assert found.scores["form"] == 1


@pytest.mark.parametrize(
    ("persona", "code"),
    [
        (None, "empty"),
        ("…", "empty"),
        ("I'm sorry, but I cannot say who would read such a text.", "refusal"),
        ("क्षमा करें, मैं यह नहीं बता सकता कि कौन पढ़ेगा।", "refusal"),
        ("Maaf, saya tidak bisa menentukan siapa pembacanya.", "refusal"),
        ("A group of students who meet in a library in Pune.", "not_one_person"),
        ("People who like to walk along the river at dawn.", "not_one_person"),
        ("- a potter who sings\n- a tailor who whistles", "not_one_person"),
        ("# Persona\nA potter who sings at weddings in Khurja.", "not_one_person"),
        ("Here is a persona: a potter who sings at weddings.", "not_one_person"),
        (f"{GOOD}\n\n{GOOD}", "not_one_person"),
        ("A singing potter.", "too_short"),
        (" ".join(["potter"] * 121), "too_long"),
        ("एक कुम्हार जो शादियों में गाता है और घड़े बेचता है।", "wrong_script"),
        ("A potter reached at +91 98765 43210 in the market lane.", "pii"),
        ("A fan of Mahatma Gandhi who spins cotton every evening.", "names_person"),
    ],
)
def test_faults_and_their_codes(persona: str | None, code: str) -> None:
    found = verdict(persona)
    assert (found.outcome, found.code) == ("fail", code)
    assert found.feedback.startswith("- ")
    assert found.scores["form"] < 1


@pytest.mark.parametrize(
    "persona",
    [
        "A families' court clerk in Kochi who feeds crows.",  # begins like a crowd, is none
        "A student's grandmother in Almora who grades pencils.",
        "A groundnut seller in Bhuj who knows all the bus drivers.",
        "A teamster in Surabaya who owns two oxen and a radio.",
    ],
)
def test_one_person_is_no_crowd(persona: str) -> None:
    assert verdict(persona).outcome == "pass"


def test_hindi_and_indonesian_personas() -> None:
    assert verdict("एक कुम्हार जो शादियों में गाता है और घड़े बेचता है।", language="Hindi").outcome == "pass"
    assert verdict("Seorang tukang perahu di Ende yang merekam suara ombak.", language="id").outcome == "pass"
    assert verdict(GOOD, language="hi").code == "wrong_script"
    assert verdict("एक कुम्हार जो शादियों में गाता है।", language=None).outcome == "pass"
    assert [p.field for p in build(CheckPersona, {"language": "Klingonian"}).check({})] == [("language",)]


def test_a_copy_is_told_from_fifty_characters_on() -> None:
    source = "who carries every parcel himself up to the fourth floor of the house"
    assert len(source[:49]) == 49
    assert verdict(f"A man {source[:49]}.", source).outcome == "pass"
    assert verdict(f"A man {source[:50]}.", source).code == "copies_source"
    assert verdict(f"A man {source[:50].upper()}.", source).code == "copies_source"


def test_names_of_the_source_must_not_recur() -> None:
    source = (
        "The dance was set by Meera Kulkarni Deshpande. Delhi University gave the hall, Vedic Mathematics the numbers."
    )
    named = "A dancer who rehearses with Meera Kulkarni on the roof."
    assert verdict(named, source).code == "names_person"
    assert "Meera Kulkarni" in verdict(named, source).feedback
    assert verdict(named, "Somebody danced.").outcome == "pass"  # not in this source, and no known person
    assert verdict("A dancer at Delhi University who counts in fives.", source).outcome == "pass"


def test_full_names() -> None:
    people = "Dr. Asha Rao met Ludwig van Beethoven."
    others = "New Delhi, Uttar Pradesh. The Green Party said. Organic Chemistry is organic chemistry."
    assert full_names(f"{people} {others}") == ["Asha Rao", "Ludwig van Beethoven"]
    assert recurring_names("Asha Rao Case", "a pupil of asha rao") == ["Asha Rao"]


def test_a_wanted_group_has_to_be_told() -> None:
    step = build(CheckPersona, {"group": "group"})
    rows = [
        {"persona": "A rag picker of Kochi who sorts bottles by tune.", "group": "rag_picker"},
        {"persona": "A tailor of Kochi who sorts buttons by tune.", "group": "rag_picker"},
        {"persona": "A tailor of Kochi who sorts buttons by tune.", "group": None},
    ]
    assert [found.code for found in run_judge(step, rows) if isinstance(found, Verdict)] == ["", "wrong_group", ""]


# -- agreement and confidence --------------------------------------------------------------------------------------


def test_agreement_asks_again_and_compares() -> None:
    asked = prompt("Who writes {{ text }}?", output=SCHEMA)
    step = build(Agreement, {"model": "m", "prompt": asked, "samples": 3}, name="agreement")
    context = FakeContext(lambda call: {"persona": "abcd" if call["sample"] == 1 else "wxyz"})
    (found,) = run_row_step(step, [{"persona": "abcd", "text": "it"}], context)
    assert found == {"agreement": pytest.approx(1 / 3)}  # one pair of three is alike
    assert sorted(call["sample"] for call in context.calls) == [1, 2]


def test_similarity_is_by_characters_as_readers_count_them() -> None:
    assert ngram_similarity("एक कुम्हार", "एक कुम्हार") == 1
    assert ngram_similarity("कल", "कुल") == 0
    assert ngram_similarity("abcd", "abce") == pytest.approx(1 / 3)


def test_confidence_is_the_geometric_mean() -> None:
    step = build(Confidence, {"parts": {"j.scores.s": [1, 5], "a": [0, 1]}})
    rows = [
        {"j": {"scores": {"s": 4.0}}, "a": 0.27},
        {"j": {"scores": {"s": 1.0}}, "a": 1.0},
        {"j": {"scores": {"s": 9.0}}, "a": 1.0},
        {"j": {"scores": {"s": None}}, "a": 1.0},
        {"j": None, "a": 1.0},
    ]
    values = [found["confidence_score"] for found in run_row_step(step, rows)]
    assert values == [pytest.approx(0.45), 0, 1, None, None]


def test_confidence_finds_wrong_parts_before_anything_runs() -> None:
    incoming = {"j": "struct<scores:struct<s:float?>,code:string?>", "a": "float"}
    wrong = {"j.scores.t": [1, 5], "j.code": [0, 1], "a.b": [0, 1], "a": [1, 1]}
    fields = [problem.field for problem in build(Confidence, {"parts": wrong}).check(incoming)]
    assert fields == [("parts", name) for name in wrong]


# -- skeletons -----------------------------------------------------------------------------------------------------

THINGS = "moss bees rain salt iron silk clay dust hail figs owls reeds".split()  # noqa: SIM905


def kept(personas: list[str], **config: Any) -> list[str]:
    out = run_dataset_step(build(SkeletonCap, config), [{"persona": text} for text in personas])
    return [row["persona"] for row in out if isinstance(row, Row)]


def test_hub_personas_are_capped_and_others_stay() -> None:
    hub = [f"A student interested in {thing} and maps" for thing in THINGS]
    others = ["The last ferryman of a dry river", "Somebody who tunes sitars by lamp light", "A judge of goat races"]
    left = kept([*hub, *others], at_least=4)
    assert len([text for text in left if text in hub]) == 4
    assert [text for text in left if text in others] == others


def test_hindi_hubs_are_found_without_a_list_of_words() -> None:
    hub = [f"{thing} में रुचि रखने वाला छात्र" for thing in ("कीट", "गणित", "तबला", "इतिहास", "धातु", "वर्षा")]
    assert len(kept([*hub, "नदी का आख़िरी मल्लाह"], at_least=2)) == 3


def test_the_best_of_a_skeleton_stay() -> None:
    rows = [{"persona": f"A student interested in {thing}", "score": float(n)} for n, thing in enumerate(THINGS)]
    for order in (rows, rows[::-1]):
        out = run_dataset_step(build(SkeletonCap, {"at_least": 3, "best": "score"}), order)
        assert sorted(row["score"] for row in out if isinstance(row, Row)) == [9, 10, 11]
