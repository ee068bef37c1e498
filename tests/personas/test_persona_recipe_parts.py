"""The recipe's prompts and rubrics, and the stand-in's answers, against the checks they must meet."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest
import yaml

from attar.api import Row, SchemaRef
from attar.plan import check
from attar.recipe.expressions import render
from attar_llm.rubric import answer_schema, criteria_problems, load_rubric, opinion, rubric_variables, rule_values
from attar_personas.indianization.labels import KEYS, CheckLabelled, parse_labels
from attar_personas.indianization.question import CheckQuestion
from attar_personas.indianization.text import CheckText

ROOT = Path(__file__).parents[2]
PROMPTS = ROOT / "prompts"
SEED = """Modify the following persona to make it culturally Indian while preserving 
their core personality traits. Ensure the persona remains aligned with Indian 
nationalism, avoids any anti-Indian government stance, and embodies 
patriotism towards India.

A baker.

Provide the generated response (strictly in English language) in the 
following key, value format without any header.

Format:
ps: value of Indianized persona | gd_1: Indianized value of general domain (1%) | 
sp_1: Indianized value of specific domain (1%) | gd_01: Indianized value of 
general domain (0.1%) | sp_01: Indianized value of specific domain (0.1%)"""  # noqa: W291 (as published)


def rubric_ref(name: str) -> SchemaRef:
    content = yaml.safe_load((PROMPTS / "rubrics" / name).read_text(encoding="utf-8"))
    return SchemaRef(files={"": name}, schemas={"": content})


def rendered(name: str, **values: Any) -> str:
    user = (PROMPTS / "personas" / name).read_text(encoding="utf-8").split("# user\n", 1)[1]
    return render(user, values).rstrip("\n")


def test_with_the_national_rubric_the_first_prompt_is_the_published_one() -> None:
    values = rubric_variables(load_rubric(rubric_ref("values_national.yaml")))
    assert rendered("indianize.md", persona="A baker.", retry={"feedback": []}, **values) == SEED


def test_the_neutral_rubric_changes_that_sentence_alone() -> None:
    values = rubric_variables(load_rubric(rubric_ref("values_neutral.yaml")))
    found = rendered("indianize.md", persona="A baker.", retry={"feedback": []}, **values)
    start, end = SEED.index("Ensure the persona"), SEED.index("\n\nA baker.")
    assert found.startswith(SEED[:start]) and found.endswith(SEED[end:])
    assert "nationalism" not in found and "patriotism" not in found


def test_a_retry_adds_the_last_reason() -> None:
    retry = {"feedback": ["first reason", "last reason"]}
    found = rendered("question.md", domain="weaving", retry=retry)
    assert found.endswith("last reason\n\nAnswer again, with this mended.")
    assert "first reason" not in found


def test_the_prefix_friendly_essay_prompt_shares_its_long_part_between_rows() -> None:
    def one(ps: str) -> str:
        values = {"ps": ps, "domain": ps, "question": ps, "retry": {"feedback": []}, "params": {"min_words": 900}}
        return rendered("essay_prefix_friendly.md", **values)

    first, second = one("a baker"), one("the judge")
    shared = next(i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b)
    assert shared > 0.8 * len(first)
    seeded = rendered(
        "essay_seed.md", ps="P", domain="D", question="Q?", retry={"feedback": []}, params={"min_words": 900}
    )
    assert seeded.startswith("You are P.") and "900+ \nwords for D" in seeded and "Question: Q?\n" in seeded


@pytest.mark.parametrize("name", sorted(path.name for path in (PROMPTS / "rubrics").iterdir()))
def test_rubrics_are_sound(name: str) -> None:
    rubric = load_rubric(rubric_ref(name))
    assert rubric is not None and rubric.version
    assert list(criteria_problems(rubric.criteria, ("rubric",))) == []
    assert rubric.criteria[0].must, "the stand-in and the rehearsal fail the first criterion"


def responders() -> ModuleType:
    spec = importlib.util.spec_from_file_location("persona_responder", ROOT / "tests/support/persona_responder.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def asked(text: str, schema: Any = None) -> tuple[list[dict[str, str]], dict[str, Any]]:
    body = {"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}} if schema else {}
    return [{"role": "user", "content": text}], body


def checked(text: str, name: str) -> str:
    """The fail code of an answer under the recipe's own check, "" where it passes."""
    step: Any = {
        "indianized": CheckLabelled(CheckLabelled.Config(text="text", original="persona")),
        "question": CheckQuestion(CheckQuestion.Config(column="text")),
        "essay": CheckText(CheckText.Config(column="text", persona="persona")),
    }[name]
    return str(asyncio.run(step.judge(Row("r", {"text": text, "persona": "A baker of the hills"}), None)).code)


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        ("indianized", "Modify the following persona …"),
        ("question", "Craft a single …"),
        ("essay", "You are …\n# OBJECTIVE #\n… with 900+ words"),
    ],
)
def test_stand_in_answers_pass_or_break_as_told(name: str, prompt: str) -> None:
    module = responders()
    for seed in range(60):
        messages, body = asked(prompt)
        assert checked(module.responder(0.5, 0.0)(messages, body, Random(seed)), name) == ""
        assert checked(module.responder(0.5, 1.0)(messages, body, Random(seed)), name) != ""


def test_stand_in_judges_fail_with_the_given_probability() -> None:
    module = responders()
    rubric = load_rubric(rubric_ref("essay.yaml"))
    assert rubric is not None
    messages, body = asked("Judge.", answer_schema(rubric.criteria))
    verdicts = [
        rule_values(
            opinion(module.responder(0.3)(messages, body, Random(n)), rubric.criteria).scores, rubric.criteria, 1
        )
        for n in range(2000)
    ]
    failed = sum(not verdict["must_pass"] for verdict in verdicts)
    assert abs(failed - 600) < 3 * (2000 * 0.3 * 0.7) ** 0.5
    assert module.accepted_share(0.3, 3) == pytest.approx((1 - 0.027) ** 2)


def test_our_persona_file_is_plain_and_varied() -> None:
    lines = (ROOT / "recipes/data/personas.jsonl").read_text(encoding="utf-8").splitlines()
    personas = [json.loads(line) for line in lines]
    assert all(set(one) == {"input persona"} for one in personas)
    texts = [one["input persona"] for one in personas]
    assert len(set(texts)) == len(texts) >= 24
    assert any("|" in one for one in texts), "the label parser must meet a bar"


def test_format_line_of_the_prompt_itself_is_parsed_as_labels() -> None:
    """A model that copies the form line gives all keys: only the persona judge can see that it said nothing."""
    form = re.search(r"Format:\n(.*)", SEED, re.DOTALL)
    assert form
    assert set(parse_labels(form[1]).values) == set(KEYS)


REAL = ROOT.parent / "shared" / "data" / "personas_5k.jsonl"


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"layout": "prefix_friendly", "rubric": str(PROMPTS / "rubrics/values_national.yaml"), "min_words": "50"},
        {
            "domains": "gd_1,sp_1,gd_01,sp_01",
            "questions": "3",
            "attempts": "5",
            "min_rows": "10",
            "judge": "other/model",
        },
        pytest.param(
            {"personas": str(REAL)},
            marks=pytest.mark.skipif(not REAL.exists(), reason="the real personas are not beside the project"),
        ),
    ],
)
def test_the_recipe_is_valid_with_each_of_its_params(params: dict[str, str]) -> None:
    plan, found = check(ROOT / "recipes/persona_essays.yaml", params)
    assert found == []
    assert plan is not None
    columns = plan.outputs["dataset"].columns
    expected = {"persona": "string", "ps": "string", "question": "string", "text": "string", "n_words": "int"}
    assert expected.items() <= dict(columns).items()
    assert {name for name, step in plan.steps.items() if step.retry_region} == {
        "labels_ok",
        "persona_judged",
        "question_ok",
        "essay_ok",
        "essay_judged",
    }


def test_a_domain_that_is_no_label_is_told() -> None:
    _, found = check(ROOT / "recipes/persona_essays.yaml", {"domains": "sp_2"})
    assert any("sp_2" in one.message and "sp_1" in one.help for one in found)
