"""The worked stem-cell example of the published pipeline, stage by stage, through the door a user takes.

tests/golden/stem_cell holds the published templates (`template_*`), the prompts they become for the example
(`prompt_*`), and answers in the form they ask for (`answer_*`): the question is the published one, word for word; the
persona and the text are ours, for of those the source gives a summary alone.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.runs import TESTS, Attar, results, run_folder, table
from support.stem_cell_responder import GOLDEN, STAGES, golden

from attar.testing import build, run_judge
from attar.testing.stand_in import StandInServer
from attar_personas.indianization.labels import CheckLabelled, parse_labels
from attar_personas.indianization.question import CheckQuestion
from attar_personas.indianization.text import CheckText

ROOT = TESTS.parent
RECIPE = ROOT / "recipes" / "persona_essays.yaml"
SEEDS = ROOT.parent / "shared" / "seeds"
PERSONA = "A scientist who advocates for the ethical use of stem cells in research, particularly embryonic stem cells."
LABELS = {
    "ps": (
        "A dedicated Indian scientist at a public research institute in Bengaluru who works on embryonic stem cells and"
        " argues for their ethical use, seeing her advocacy as a contribution to India's healthcare ecosystem and to"
        " patients who have waited longest"
    ),
    "gd_1": "Biomedical research and public health policy in India",
    "sp_1": "Stem Cell Biology & Ethics",
    "gd_01": "Ethics review of clinical research in India's public hospitals",
    "sp_01": "Informed consent for the donation of surplus embryos at Indian fertility clinics",
}
QUESTION = (
    "How should India navigate the ethical complexities of stem cell research and therapy, balancing the potential for"
    " groundbreaking medical advancements with the moral considerations surrounding the use of embryonic stem cells,"
    " informed consent, and equitable access to treatments?"
)


@pytest.fixture
def attar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Attar]:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    with StandInServer.start(responder="support.stem_cell_responder:respond") as server:
        shutil.copy(GOLDEN / "personas.jsonl", tmp_path)
        yield Attar(tmp_path, server.url)


def words(attar: Attar) -> list[str | Path]:
    """The published template as it stands: the national rubric's sentence, the seed's layout, the specific domain."""
    rubric = ROOT / "prompts" / "rubrics" / "values_national.yaml"
    chosen = ["-p", "personas=personas.jsonl", "-p", f"rubric={rubric}", "-p", "layout=seed", "-p", "domains=sp_1"]
    return [RECIPE, *chosen, "--runs", attar.runs]


def asked(said: str) -> Mapping[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for exchange in json.loads(said)["exchanges"]:
        found.setdefault(exchange["step"], []).append(exchange)
    return found


@pytest.mark.skipif(not SEEDS.is_dir(), reason="the published pipeline's page is not beside the project")
def test_the_templates_are_the_published_ones() -> None:
    page = next(SEEDS.glob("000*")).read_text(encoding="utf-8").replace("\r\n", "\n")
    part = page[page.index("## Indianization of Personas") : page.index("## Expanded QA Extraction")]
    assert re.findall(r"```\n(.*?)\n```", part, re.DOTALL) == [golden(f"template_{stage}") for stage in STAGES]
    assert f'*"{QUESTION}"*' in part


def test_the_prompts_are_the_templates_with_the_example_filled_in() -> None:
    slots = {
        "{original_persona}": PERSONA,
        "{persona}": LABELS["ps"],
        "{domain}": LABELS["sp_1"],
        "{question}": QUESTION,
    }
    for stage in STAGES:
        prompt = golden(f"template_{stage}")
        for slot, value in slots.items():
            prompt = prompt.replace(slot, value)
        assert prompt == golden(f"prompt_{stage}"), stage


def test_a_dry_try_shows_the_first_prompt_byte_for_byte(attar: Attar) -> None:
    shown = asked(attar("try", *words(attar), "--dry", "--json").stdout)
    first = shown["indianized"][0]["messages"]
    assert first == [{"role": "user", "content": golden("prompt_1_persona")}]


def test_a_try_shows_all_three_stages_as_published(attar: Attar) -> None:
    shown = asked(attar("try", *words(attar), "--json").stdout)
    for step, stage in zip(("indianized", "question", "essay"), STAGES, strict=True):
        (exchange,) = shown[step]
        assert exchange["messages"] == [{"role": "user", "content": golden(f"prompt_{stage}")}], step
        assert exchange["answer"] == golden(f"answer_{stage}"), step
    assert LABELS["ps"] in shown["persona_judged"][0]["messages"][-1]["content"]
    assert "avoids any anti-Indian government stance" in shown["persona_judged"][0]["messages"][-1]["content"]
    assert QUESTION in shown["essay_judged"][0]["messages"][-1]["content"]


def test_a_run_leaves_the_stage_outputs_as_columns(attar: Attar) -> None:
    attar("run", *words(attar))
    ledger = results(attar.runs, "persona-essays")["ledger"]
    assert all(count["accepted"] == 1 and count["retried"] == 0 for count in ledger.values()), ledger
    (row,) = table(run_folder(attar.runs, "persona-essays") / "dataset")
    assert {key: row[key] for key in LABELS} == LABELS
    assert row["persona"] == PERSONA
    assert (row["domain"], row["domain_key"], row["question"]) == (LABELS["sp_1"], "sp_1", QUESTION)
    assert row["text"] == golden("answer_3_text")
    assert row["n_words"] == len(golden("answer_3_text").split())


def test_the_answers_pass_the_checks_and_their_spoilt_twins_do_not() -> None:
    labelled, question, text = (golden(f"answer_{stage}") for stage in STAGES)
    check = build(CheckLabelled, {"text": "t", "original": "p"})
    spoilt = labelled.replace("sp_01:", "sp01:")
    good, bad = run_judge(check, [{"t": labelled, "p": PERSONA}, {"t": spoilt, "p": PERSONA}])
    assert (good.outcome, bad.code) == ("pass", "missing_key")
    good, bad = run_judge(build(CheckQuestion), [{"question": question}, {"question": f"Sure! {question}"}])
    assert (good.outcome, bad.code) == ("pass", "preamble")
    good, echo, short = run_judge(
        build(CheckText, {"persona": "ps"}),
        [{"text": t, "ps": LABELS["ps"]} for t in (text, f"# RESPONSE #\n{text}", text[: len(text) // 2])],
    )
    assert (good.outcome, echo.code, short.code) == ("pass", "heading_echo", "too_short")
    assert good.scores["n_words"] >= 900


@pytest.mark.parametrize(
    "dressed",
    [
        golden("answer_1_persona"),
        golden("answer_1_persona").replace(" | \n", " | ").replace(" | ", "\n"),
        "\n".join(f"**{key}:** {LABELS[key]}" for key in reversed(LABELS)),
        "Here it is:\n" + "\n".join(f"- {key} (1%): {value}" for key, value in LABELS.items()),
    ],
)
def test_the_five_labels_become_columns_however_they_are_dressed(dressed: str) -> None:
    found = parse_labels(dressed)
    assert (found.code, found.values) == ("", LABELS)
