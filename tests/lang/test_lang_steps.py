"""The steps of lang through the contract, and what they say of odd rows and wrong settings."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from attar.api import Reject, RowError, Verdict
from attar.api.text import LANGUAGES
from attar.testing import StepContract, build, run_judge, run_row_step, schema
from attar_lang.check import CheckTranslation
from attar_lang.identify import Identify, identify
from attar_lang.protect import Protect
from attar_lang.restore import Restore

HINDI = "रवि ने 1,00,000 रुपये {bank} में जमा किए।"
KEPT = [{"mark": "⟦1⟧", "text": "1,00,000", "kind": "number"}, {"mark": "⟦2⟧", "text": "{bank}", "kind": "placeholder"}]
ROWS = [{"text": HINDI}, {"text": ""}, {"text": "no mark"}, {"text": None}]


class TestProtectContract(StepContract):
    step = Protect
    config = {"names": "people", "capitalised": True}
    rows = [{"text": HINDI, "people": ["रवि"]}, {"text": "", "people": []}, {"text": None, "people": None}]
    incoming = {"text": "string?", "people": "list<string>?"}


class TestRestoreContract(StepContract):
    step = Restore
    config = {"text": "answer", "kept": "kept", "faults": "faults"}
    rows = [
        {"answer": "⟦2⟧ ⟦ १ ⟧", "kept": KEPT},
        {"answer": "⟦3⟧", "kept": KEPT},
        {"answer": "", "kept": []},
        {"answer": None, "kept": None},
    ]
    incoming = {"answer": "string?", "kept": "any"}


class TestIdentifyContract(StepContract):
    step = Identify
    config = {"model": "none"}
    rows = ROWS
    incoming = {"text": "string?"}


class TestCheckTranslationContract(StepContract):
    step = CheckTranslation
    config = {"target": "out", "language_column": "to", "kept": "kept", "finish": "finish"}
    rows = [
        {"text": "Ravi has 5.", "out": "रवि के पास 5 हैं।", "to": "Hindi", "kept": [], "finish": "stop"},
        {"text": "Ravi has 5.", "out": None, "to": "hi", "kept": None, "finish": None},
        {"text": None, "out": "", "to": "klingon", "kept": [], "finish": "length"},
    ]
    incoming = {"text": "string?", "out": "string?", "to": "string", "kept": "any", "finish": "string?"}


def test_protect_then_restore() -> None:
    step = build(Protect, {"text": "text", "column": "masked", "names": "who"})
    [made] = run_row_step(step, [{"text": HINDI, "who": "रवि"}])
    assert made["masked"] == "⟦1⟧ ने ⟦2⟧ रुपये ⟦3⟧ में जमा किए।"
    back = build(Restore, {"text": "masked", "kept": "masked_kept", "column": "text"})
    assert run_row_step(back, [made]) == [{"text": HINDI}]


def test_a_glossary_is_masked() -> None:
    step = build(Protect, {"glossary": schema({"terms": ["Jan Dhan"]}), "kinds": ["name"]})
    [made] = run_row_step(step, [{"text": "The Jan Dhan account of 5."}])
    assert made["protected"] == "The ⟦1⟧ account of 5."
    wrong = build(Protect, {"glossary": schema({"words": []})})
    assert [problem.field for problem in wrong.check({"text": "string"})] == [("glossary",)]


@pytest.mark.parametrize(
    ("answer", "code"), [("⟦1⟧", "mark_lost"), ("⟦1⟧ ⟦1⟧ ⟦2⟧", "mark_repeated"), ("⟦1⟧ ⟦2⟧ ⟦7⟧", "mark_unknown")]
)
def test_restore_may_reject(answer: str, code: str) -> None:
    rows = [{"answer": answer, "kept": KEPT}]
    [strict] = run_row_step(build(Restore, {"text": "answer", "kept": "kept", "reject": True}), rows)
    assert isinstance(strict, Reject)
    assert strict.code == code
    [lenient] = run_row_step(build(Restore, {"text": "answer", "kept": "kept", "faults": "faults"}), rows)
    assert [fault["code"] for fault in lenient["faults"]] == [code]
    [verdict] = run_judge(
        build(CheckTranslation, {"source": "text", "target": "restored", "language": "hi", "faults": "faults"}),
        [{"text": "क {bank} 1,00,000", "restored": "क {bank} 1,00,000 है", "faults": lenient["faults"]}],
    )
    assert isinstance(verdict, Verdict)
    assert code in (verdict.code, "mark_lost", "mark_repeated", "mark_unknown")
    assert lenient["faults"][0]["mark"] in verdict.feedback


TEXTS = {
    "hi": "यह किताब बहुत अच्छी है और मुझे पसंद आई।", "mr": "हे पुस्तक खूप चांगले आहे आणि मला आवडले.",
    "sa": "रामः वनं गच्छति। सः तत्र ऋषीन् पश्यति।", "bn": "আমি প্রতিদিন সকালে বাজারে যাই।", "as": "মই প্ৰতিদিনে পুৱা বজাৰলৈ যাওঁ।",
    "ta": "நான் தினமும் காலை சந்தைக்கு செல்கிறேன்.", "te": "నేను ప్రతి రోజు ఉదయం సంతకు వెళ్తాను.", "gu": "હું દરરોજ સવારે બજારમાં જાઉં છું.",
    "kn": "ನಾನು ಪ್ರತಿದಿನ ಬೆಳಿಗ್ಗೆ ಮಾರುಕಟ್ಟೆಗೆ ಹೋಗುತ್ತೇನೆ.", "ml": "ഞാൻ എല്ലാ ദിവസവും രാവിലെ ചന്തയിൽ പോകുന്നു.",
    "pa": "ਮੈਂ ਹਰ ਸਵੇਰ ਬਾਜ਼ਾਰ ਜਾਂਦਾ ਹਾਂ।", "or": "ମୁଁ ପ୍ରତିଦିନ ସକାଳେ ବଜାରକୁ ଯାଏ।", "ur": "میں ہر صبح بازار جاتا ہوں۔",
    "id": "Saya pergi ke pasar setiap pagi.", "jv": "Aku lunga menyang pasar saben esuk tuku sayur.",
    "en": "I go to the market every morning to buy vegetables.",
}  # fmt: skip


@pytest.mark.parametrize("code", TEXTS)
def test_every_language_is_identified(code: str) -> None:
    pytest.importorskip("py3langid")
    found = identify(TEXTS[code], tuple(LANGUAGES))
    assert found.language == code
    assert found.score > 0.9
    assert found.mix == 0


@pytest.mark.parametrize("code", [code for code in TEXTS if code not in ("hi", "mr", "sa", "id", "jv", "en")])
def test_a_script_of_its_own_needs_no_model(code: str) -> None:
    assert identify(TEXTS[code], tuple(LANGUAGES), model=False).language == code


def test_candidates_restrict() -> None:
    assert identify(TEXTS["mr"], ("hi", "ta"), model=False).language == "hi"
    assert identify(TEXTS["ta"], ("hi", "mr")).language is None
    assert identify(TEXTS["hi"], ("hi", "mr"), model=False).language is None
    assert identify("123 !", ("hi",)).script == ""


def test_code_mixing_is_the_share_of_other_scripts() -> None:
    [made] = run_row_step(
        build(Identify, {"languages": ["Hindi", "ta"], "column": "l"}), [{"text": "मैं market गया और vegetables लिया।"}]
    )
    shares = {one["script"]: one["share"] for one in made["l_scripts"]}
    assert made["l"] is None or made["l_name"] == "Hindi"
    assert list(shares) == ["Latin", "Devanagari"]
    assert made["l_mix"] == pytest.approx(1 - shares["Latin"])
    [hindi] = run_row_step(build(Identify, {"languages": ["hi"]}, "l"), [{"text": "मैं बाज़ार गया और फिर वापस आया, ok।"}])
    assert hindi["l"] == "hi"
    assert hindi["l_name"] == "Hindi"
    assert 0 < hindi["l_mix"] == pytest.approx(1 - hindi["l_score"])
    [unsure] = run_row_step(build(Identify, {"languages": ["hi"], "min_score": 0.99}, "l"), [{"text": "मैं गया, ok।"}])
    assert unsure["l"] is None


def test_without_the_extra_the_recipe_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import attar_lang.check
    import attar_lang.identify

    for module in (attar_lang.check, attar_lang.identify):
        monkeypatch.setattr(module, "has_model", lambda: False)
    attar_lang.identify._model.cache_clear()
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)

    def problems(step: Any, config: dict[str, Any]) -> list[str]:
        return [str(problem) for problem in build(step, config).check({"text": "string", "out": "string"})]

    assert "extra `lang`" in problems(Identify, {})[0]
    assert problems(Identify, {"languages": ["hi", "ta", "as", "bn"]}) == []
    assert problems(Identify, {"model": "none"}) == []
    assert "extra `lang`" in problems(CheckTranslation, {"target": "out", "language": "hi", "identify": True})[0]
    [found] = run_row_step(build(Identify, {}), [{"text": TEXTS["hi"]}])
    assert isinstance(found, RowError)
    assert found.code == "no_model"
    assert "attar[lang]" in found.detail


@pytest.mark.parametrize(
    ("config", "field", "says"),
    [
        ({"target": "out"}, "language", "give language"),
        ({"target": "out", "language": "hi", "language_column": "to"}, "language", "one language"),
        ({"target": "out", "language": "Hindy"}, "language", "did you mean Hindi (hi)?"),
        ({"target": "out", "language": "hi", "source_language": "xx"}, "source_language", "known: en English"),
        ({"target": "out", "language": "hi", "min_ratio": 3}, "min_ratio", "nothing can pass"),
    ],
)
def test_wrong_settings_are_told(config: dict[str, Any], field: str, says: str) -> None:
    problems = list(build(CheckTranslation, config).check({"text": "string", "out": "string"}))
    assert [problem.field for problem in problems] == [(field,)]
    assert says in f"{problems[0]}; {problems[0].help}"


def test_a_row_in_an_unknown_language_is_an_error_of_that_row() -> None:
    step = build(CheckTranslation, {"target": "out", "language_column": "to"})
    [verdict] = run_judge(step, [{"text": "a", "out": "b", "to": "klingon"}])
    assert isinstance(verdict, Verdict)
    assert (verdict.outcome, verdict.code) == ("error", "unknown_language")


def test_the_verdict_carries_feedback_and_scores() -> None:
    step = build(CheckTranslation, {"target": "out", "language": "Hindi", "given_names": "people"})
    [verdict] = run_judge(
        step, [{"text": "Ravi paid 500 of 700 to Asha.", "out": "मोहन ने आशा को 500 दिए।", "people": ["Ravi", "Asha"]}]
    )
    assert isinstance(verdict, Verdict)
    assert (verdict.outcome, verdict.code) == ("fail", "number_changed")
    assert verdict.scores["numbers"] == verdict.scores["names"] == 0.5
    assert "700" in verdict.feedback
    assert "Ravi" in verdict.feedback
    assert "Asha" not in verdict.feedback
