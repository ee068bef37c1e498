"""The verbs over real recipes, as a user would call them, with the rehearsal backend."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Attar = Callable[..., Any]
Recorded = Callable[[str, str], None]
GOLDEN = Path(__file__).parent.parent / "golden" / "cli"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def starter(here: Path, attar: Attar) -> Path:
    """The recipe `attar new` writes."""
    assert attar("new", "mine").code == 0
    return Path("mine/mine.yaml")


# -- validate ---------------------------------------------------------------------------------------------------


def test_validate_says_ok(starter: Path, attar: Attar) -> None:
    done = attar("validate", starter)
    assert (done.code, done.out, done.err) == (0, "OK mine/mine.yaml: 4 steps in 1 stage\n", "")
    document = json.loads(attar("validate", starter, "--json").out)
    assert document == {
        "ok": True,
        "file": "mine/mine.yaml",
        "recipe": "mine",
        "steps": 4,
        "stages": 1,
        "diagnostics": [],
    }


def test_validate_shows_all_mistakes_at_once(starter: Path, attar: Attar, recorded: Recorded) -> None:
    text = starter.read_text(encoding="utf-8")
    text = text.replace("use: std.read", "use: std.raed").replace("max_tokens", "max_tokenz")
    text = text.replace("from: answer", "from: anwser").replace("attempts: 3", "attempts: 0")
    starter.write_text(text, encoding="utf-8")
    done = attar("validate", starter)
    assert done.code == 2 and done.out == ""
    recorded("validate/four-mistakes.txt", done.err)
    as_json = attar("validate", starter, "--json")
    assert as_json.code == 2 and as_json.err == ""
    document = json.loads(as_json.out)
    assert document["ok"] is False
    assert {d["line"] for d in document["diagnostics"]} == {13, 17, 22, 29}
    recorded("validate/four-mistakes.json", as_json.out)


def test_prompts_that_leave_out_what_matters_are_warned_of(starter: Path, attar: Attar) -> None:
    def codes() -> list[str]:
        done = attar("validate", starter, "--json")
        assert done.code == 0
        found = json.loads(done.out)["diagnostics"]
        assert {one["severity"] for one in found} <= {"warning"}
        return sorted(one["code"] for one in found)

    assert codes() == []
    judge, answer = Path("mine/prompts/sound.md"), Path("mine/prompts/answer.md")
    whole = judge.read_text(encoding="utf-8")
    head, _, _ = whole.partition("Judge the answer by")
    judge.write_text(head.replace(", criteria, answer_form", ""), encoding="utf-8")
    assert codes() == ["W535"]
    judge.write_text(whole, encoding="utf-8")
    answer.write_text(answer.read_text(encoding="utf-8").partition("{% if retry")[0], encoding="utf-8")
    assert codes() == ["W536"]
    text = starter.read_text(encoding="utf-8").replace(" feedback: true,", "")  # nobody asked for it in so many words
    starter.write_text(text, encoding="utf-8")
    assert codes() == []


def test_no_verb_runs_a_broken_recipe(starter: Path, attar: Attar) -> None:
    starter.write_text(starter.read_text(encoding="utf-8").replace("std.read", "std.raed"), encoding="utf-8")
    for verb in ("run", "plan", "try"):
        done = attar(verb, starter)
        assert done.code == 2 and "did you mean 'std.read'?" in done.err and done.out == ""
    assert not Path("runs").exists()


def test_params_reach_the_recipe(starter: Path, attar: Attar) -> None:
    Path("other.jsonl").write_text('{"topic": "salt"}\n', encoding="utf-8")
    assert attar("validate", starter, "-p", "topics=other.jsonl").code == 0
    missing = attar("validate", starter, "-p", "topics=none.jsonl")
    assert missing.code == 2 and "none.jsonl" in missing.err
    unknown = attar("validate", starter, "-p", "topcs=other.jsonl")
    assert unknown.code == 2 and "topics" in unknown.err


# -- run and status ---------------------------------------------------------------------------------------------


def test_run_ends_with_ledger_dataset_and_rows(starter: Path, attar: Attar) -> None:
    done = attar("run", starter, "--show", 2)
    assert done.code == 0
    results = json.loads(next(Path("runs/mine").glob("*/results.json")).read_text(encoding="utf-8"))
    rows = results["outputs"]["dataset"]["rows"]
    path = f"runs/mine/{results['run']}/dataset"
    assert done.out.startswith("Ledger\n  step")
    assert f"dataset: {rows} rows in {path}, digest {results['outputs']['dataset']['digest']}" in done.out
    assert done.out.count("    topic: ") == 2
    assert "stage 1 of 1" in done.err and "rehearsal" in done.err
    assert "topic: why rain smells" in done.out


def test_run_again_reuses_everything(starter: Path, attar: Attar) -> None:
    first = attar("run", starter)
    again = attar("run", starter)
    assert again.code == first.code == 0
    assert "1 reused" in again.err
    digest = re.compile("digest [0-9a-f]+")
    assert digest.findall(again.out) == digest.findall(first.out) != []


def test_json_events_are_all_there_is_on_stdout(starter: Path, attar: Attar) -> None:
    done = attar("run", starter, "--json")
    events = [json.loads(line) for line in done.out.splitlines()]
    kinds = [event["type"] for event in events]
    assert kinds[0] == "run_started" and kinds[-1] == "run_finished" and "progress" in kinds
    last = events[-1]
    assert last["exit_code"] == 0 and last["results"]["ledger"]["topics"]["made"] == 6
    assert Path(last["path"]).is_dir()
    assert done.err == ""


def test_quiet_prints_the_outcome_alone(starter: Path, attar: Attar) -> None:
    done = attar("run", starter, "--quiet")
    assert done.err == "" and "Ledger" not in done.out and "dataset: " in done.out


def test_a_run_that_falls_short_exits_1(starter: Path, attar: Attar) -> None:
    text = starter.read_text(encoding="utf-8").replace("format: parquet}", "format: parquet, min_rows: 50}")
    starter.write_text(text, encoding="utf-8")
    done = attar("run", starter)
    assert done.code == 1
    assert "fewer than the 50 asked for" in done.out and "(exit 1)" in done.out
    assert attar("status", "mine").code == 0


def test_status_of_a_recorded_run(here: Path, attar: Attar, recorded: Recorded) -> None:
    folder = Path("runs/essays/0123456789ab")
    folder.mkdir(parents=True)
    shutil.copy(GOLDEN / "results.json", folder)
    (folder / "manifest.json").write_text("{}", encoding="utf-8")
    (folder.parent / "latest").write_text("0123456789ab", encoding="utf-8")
    texts = {attar("status", name).out for name in ("essays", "essays/0123456789ab", "0123", folder)}
    assert len(texts) == 1
    recorded("status.txt", texts.pop())
    document = json.loads(attar("status", "essays", "--json").out)
    assert document == json.loads((GOLDEN / "results.json").read_text(encoding="utf-8"))


def test_status_of_what_is_not_there(here: Path, attar: Attar) -> None:
    nothing = attar("status", "essays")
    assert nothing.code == 2 and "E701" in nothing.err
    folder = Path("runs/essays/0123456789ab")
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}", encoding="utf-8")
    unfinished = attar("status", "essays/0123")
    assert unfinished.code == 1 and "E702" in unfinished.err and "goes on" in unfinished.err


@pytest.mark.slow
def test_ctrl_c_prints_the_command_that_goes_on(starter: Path, attar: Attar) -> None:
    rows = "\n".join(json.dumps({"topic": f"topic {i}"}) for i in range(20_000))
    Path("many.jsonl").write_text(rows, encoding="utf-8")
    words = ["run", "mine/mine.yaml", "-p", "topics=many.jsonl", "--fresh", "--backend", "rehearsal"]
    running = subprocess.Popen(
        [sys.executable, "-m", "attar", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 60
        while not list(Path("runs/mine/journal").glob("*.seg")):  # it has begun to ask
            assert running.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 130, err
    go_on = "To go on: attar run mine/mine.yaml -p topics=many.jsonl --backend rehearsal"
    assert out.rstrip().endswith(go_on)
    assert "Traceback" not in out + err


# -- try --------------------------------------------------------------------------------------------------------


def test_try_shows_prompts_and_answers(starter: Path, attar: Attar) -> None:
    done = attar("try", starter, "--rows", 2)
    assert done.code == 0
    assert done.out.count("=== question · row ") == 2
    assert "Write one question about why rain smells" in done.out
    assert "--- answer (" in done.out
    assert not Path("runs").exists()  # a rehearsal leaves nothing


def test_try_tells_the_tries_of_a_row_apart(starter: Path, attar: Attar) -> None:
    judge = Path("mine/prompts/sound.md")
    judge.write_text(judge.read_text(encoding="utf-8").replace("not fail(0.3)", "false"), encoding="utf-8")
    done = attar("try", starter, "--rows", 1)
    heads = [re.sub(r" · row \w+| · model.*|^=== ", "", line) for line in done.out.splitlines() if line[:4] == "=== "]
    again = ["answer · try 2", "sound · try 2", "answer · try 3", "sound · try 3"]
    assert heads == ["question", "answer", "sound", *again]
    document = json.loads(attar("try", starter, "--rows", 1, "--json").out)
    assert [one["try"] for one in document["exchanges"]] == [1, 1, 1, 2, 2, 3, 3]


def test_try_dry_only_renders(starter: Path, attar: Attar) -> None:
    done = attar("try", starter, "--rows", 1, "--dry", "--step", "question")
    assert "=== question" in done.out and "=== answer" not in done.out
    assert "--- answer (" not in done.out and "No model was asked" in done.out
    document = json.loads(attar("try", starter, "--rows", 1, "--dry", "--json").out)
    assert {one["step"] for one in document["exchanges"]} == {"question", "answer", "sound"}
    assert all("answer" not in one for one in document["exchanges"])


def test_try_knows_the_steps_that_ask(starter: Path, attar: Attar) -> None:
    done = attar("try", starter, "--step", "topics")
    assert done.code == 2 and "steps that do: answer, question, sound" in done.err


# -- new --------------------------------------------------------------------------------------------------------


def test_new_from_a_shipped_recipe_is_ones_own(here: Path, attar: Attar) -> None:
    done = attar("new", "ours", "--from", "persona_essays")
    assert done.code == 0
    recipe = Path("ours/recipes/ours.yaml")
    assert str(recipe) in done.out
    assert yaml.safe_load(recipe.read_text(encoding="utf-8"))["name"] == "ours"
    assert list(Path("ours/prompts").rglob("*.md"))
    checked = attar("validate", recipe)
    assert checked.code == 0, checked.err


def test_new_copies_what_a_recipe_of_ones_own_names(starter: Path, attar: Attar) -> None:
    shutil.move("mine/prompts", "prompts")
    text = starter.read_text(encoding="utf-8").replace("prompts/", "../prompts/")
    text = text.replace("../prompts/question.md", "'../prompts/${params.style}.md'")
    text = text.replace("../prompts/sound.md", "bundled:prompts/llm/judge.md")  # which judges the column `text`
    for written in ("  answer: {", "from: answer\n", "retry: answer,"):
        text = text.replace(written, written.replace("answer", "text"))
    text = text.replace("params:\n", "params:\n  style: {type: string, default: question}\n")
    starter.write_text(text, encoding="utf-8")
    assert attar("validate", starter).code == 0
    done = attar("new", "copy", "--from", starter, "--dir", "elsewhere/copy")
    assert done.code == 0, done.err
    copied = sorted(
        str(path.relative_to("elsewhere/copy")) for path in Path("elsewhere/copy").rglob("*") if path.is_file()
    )
    assert copied == [
        "mine/copy.yaml",
        "mine/topics.jsonl",
        "prompts/answer.md",
        "prompts/llm/judge.md",
        "prompts/question.md",
        "prompts/sound.md",
    ]
    assert "bundled:" not in Path("elsewhere/copy/mine/copy.yaml").read_text(encoding="utf-8")
    shutil.rmtree("mine")
    shutil.rmtree("prompts")
    checked = attar("validate", "elsewhere/copy/mine/copy.yaml")
    assert checked.code == 0, checked.err


def test_new_overwrites_nothing(starter: Path, attar: Attar) -> None:
    before = starter.read_bytes()
    done = attar("new", "mine")
    assert done.code == 2 and "E704" in done.err
    assert starter.read_bytes() == before
    assert attar("new", "My Recipe!").code == 2
    assert "try my-recipe" in attar("new", "My Recipe!").err
    assert "persona_essays" in attar("new", "x", "--from", "nothing").err


# -- clean ------------------------------------------------------------------------------------------------------


def test_clean_keeps_what_kept_runs_use(starter: Path, attar: Attar) -> None:
    attar("run", starter)
    assert attar("clean").out == "Nothing to delete in runs.\n"
    first = set(Path("runs/mine").glob("*/manifest.json"))
    limited = attar("run", starter, "--limit", 2)
    (kept,) = set(Path("runs/mine").glob("*/manifest.json")) - first

    would = attar("clean", "mine", "--keep", 1, "--dry-run")
    assert "would delete" in would.out and all(file.exists() for file in first)
    done = attar("clean", "mine", "--keep", 1)
    assert done.code == 0 and "deleted" in done.out and "answers in runs/mine/journal" in done.out
    assert not any(file.exists() for file in first) and kept.exists()

    shutil.rmtree("runs/mine/stages")  # with its answers kept, the limited run repeats nothing
    again = attar("run", starter, "--limit", 2, "--json")
    finished = json.loads(again.out.splitlines()[-1])["results"]
    assert sum(use["requests"] for use in finished["usage"].values()) == 0
    assert sum(use["journal_hits"] for use in finished["usage"].values()) > 0
    assert finished["outputs"]["dataset"]["digest"] in limited.out


def test_clean_deletes_what_fresh_set_aside(starter: Path, attar: Attar) -> None:
    attar("run", starter)
    attar("run", starter, "--fresh")
    assert list(Path("runs/mine").glob("aside-*"))
    assert "aside-1" in attar("clean").out
    assert not list(Path("runs/mine").glob("aside-*"))
    assert attar("run", starter).err.count("reused") > 0


def test_status_and_clean_take_the_recipe_file(starter: Path, attar: Attar) -> None:
    assert attar("status").out == "There are no runs in runs.\n"
    text = starter.read_text(encoding="utf-8").replace("name: mine", "name: other")
    starter.write_text(text, encoding="utf-8")
    assert attar("run", starter, "--backend", "rehearsal", "--quiet").code in (0, 1)
    listed = attar("status").out.splitlines()
    assert len(listed) == 1 and listed[0].startswith("other/")
    assert json.loads(attar("status", "--json").out) == {"runs": listed}
    by_file = attar("status", starter)
    assert by_file.code == 0 and by_file.out == attar("status", "other").out
    assert attar("clean", starter, "--dry-run").out == "Nothing to delete in runs.\n"
    (Path("runs/other") / "crash-1.log").write_text("x", encoding="utf-8")
    assert "crash-1.log" in attar("clean", starter).out
    assert attar("status", "nowhere.yaml").code == 2


def test_shipped_recipes_are_found_by_name(here: Path, attar: Attar) -> None:
    bundled = attar("validate", "bundled:recipes/persona_essays.yaml")
    assert (bundled.code, bundled.err) == (0, "")
    for name in ("persona_essays", "persona-essays", "persona_essays.yaml"):
        refused = attar("run", name)
        assert refused.code == 2 and "bundled:recipes/persona_essays.yaml" in refused.err
    missing = attar("run", "bundled:recipes/persona_esays.yaml")
    assert missing.code == 2 and "did you mean persona_essays.yaml" in missing.err
    assert attar("new", "a", "--from", "persona-essays").code == 0
    assert attar("new", "b", "--from", "bundled:recipes/persona_essays.yaml").code == 0
    assert Path("a/recipes/a.yaml").is_file() and Path("b/recipes/b.yaml").is_file()


def test_clean_of_nothing(here: Path, attar: Attar) -> None:
    assert attar("clean").out == "Nothing to delete in runs.\n"
    assert attar("clean", "mine").code == 2


# -- plugins ----------------------------------------------------------------------------------------------------


def test_plugins_list_and_show(attar: Attar) -> None:
    listed = attar("plugins", "list")
    assert listed.code == 0 and "std" in listed.out and "generate" in listed.out
    shown = attar("plugins", "show", "llm.judge")
    assert shown.code == 0 and "llm.judge (judge, version" in shown.out and "criteria:" in shown.out
    document = json.loads(attar("plugins", "show", "std.read", "--json").out)
    assert document["kind"] == "source" and "path" in document["schema"]["properties"]
    near = attar("plugins", "show", "llm.jugde")
    assert near.code == 2 and "llm.judge" in near.err
    assert attar("plugins", "show", "nothing").code == 2


def test_types_are_shown_as_people_write_them(attar: Attar) -> None:
    from typing import Annotated, Any, Literal, Optional

    from pydantic import Field

    from attar.cli.step_help import type_text

    shown = attar("plugins", "show", "std.check").out
    assert "  rules: dict[str, str | Rule] (required)\n" in shown
    assert type_text(Annotated[str, Field(min_length=1)] | None) == "str | None"
    assert type_text(Optional[tuple[int, ...]]) == "tuple[int, ...] | None"  # noqa: UP045 - people still write it so
    assert type_text(list[Literal["a", "b"]]) == "list[Literal['a', 'b']]"
    assert type_text(Any) == "Any"


def test_every_step_can_be_shown(attar: Attar) -> None:
    listed = json.loads(attar("plugins", "list", "--json").out)
    for plugin in listed["plugins"]:
        done = attar("plugins", "show", plugin["name"])
        assert done.code == 0
        assert all(f"{plugin['name']}.{step}" in done.out for step in plugin["steps"])
        for step in plugin["steps"]:
            described = json.loads(attar("plugins", "show", f"{plugin['name']}.{step}", "--json").out)
            assert described["summary"], f"{plugin['name']}.{step} has no docstring"


def test_plugins_new_refuses_names_that_cannot_be(here: Path, attar: Attar) -> None:
    assert "installed already" in attar("plugins", "new", "std").err
    assert attar("plugins", "new", "My-Plugin").code == 2
    assert list(here.iterdir()) == []


def test_a_new_plugin_is_well_formed(here: Path, attar: Attar) -> None:
    """ruff finds nothing in what was written; that it works is shown in test_wheel_and_plugins."""
    assert attar("plugins", "new", "neat_words").code == 0
    for words in (["check", "--select", "E,F,W,UP,B,SIM,RET"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "--line-length", "120", "attar-neat-words"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


# -- plan -------------------------------------------------------------------------------------------------------


def test_plan_shows_graph_reuse_and_estimate(starter: Path, attar: Attar, recorded: Recorded) -> None:
    done = attar("plan", starter)
    assert done.code == 0 and done.err == ""
    recorded("plan/starter.txt", re.sub(r"model (judge|writer): .*", r"model \1: …", done.out))
    assert not Path("runs").exists()
    mermaid = attar("plan", starter, "--mermaid")
    assert mermaid.out.startswith("flowchart TD\n") and "retry, 3 tries" in mermaid.out


def test_plan_says_what_would_be_reused_and_where_a_change_begins(starter: Path, attar: Attar) -> None:
    before = json.loads(attar("plan", starter, "--json").out)
    assert [stage["reused"] for stage in before["stages"]] == [False]
    attar("run", starter)
    after = json.loads(attar("plan", starter, "--json").out)
    assert [stage["reused"] for stage in after["stages"]] == [True]
    assert "stage 1 (rows): reused" in attar("plan", starter).out

    prompt = Path("mine/prompts/answer.md")
    prompt.write_text(prompt.read_text(encoding="utf-8").replace("plainly", "kindly"), encoding="utf-8")
    run = json.loads(next(Path("runs/mine").glob("*/manifest.json")).read_text(encoding="utf-8"))["digest"][:12]
    (stage,) = json.loads(attar("plan", starter, "--json").out)["stages"]
    assert not stage["reused"] and stage["why"].endswith(f"changed since run {run}: answer")


def test_plan_takes_acceptance_from_real_runs_alone(starter: Path, attar: Attar) -> None:
    attar("run", starter)
    assert "taken to pass 80%" in attar("plan", starter).out  # a rehearsal says nothing of models
    (path,) = Path("runs/mine").glob("*/results.json")
    results = json.loads(path.read_text(encoding="utf-8"))
    results["rehearsal"] = False
    results["ledger"]["sound"] |= {"in": 6, "accepted": 3, "dead": 0, "retried": 6}
    path.write_text(json.dumps(results), encoding="utf-8")
    done = attar("plan", starter)
    assert "taken to pass 25%" in done.out and f"those of run {path.parent.name}" in done.out


def test_plan_of_models_that_cannot_be_served(starter: Path, attar: Attar) -> None:
    done = attar("plan", starter, "--backend", "endpoint")
    assert done.code == 0
    assert "ATTAR_BASE_URL" in done.out and "depends on the backend" in done.out
    assert attar("run", starter, "--backend", "endpoint").code == 2


# -- schema -----------------------------------------------------------------------------------------------------


def test_schema_writes_and_checks(here: Path, attar: Attar) -> None:
    missing = attar("schema", "--check")
    assert missing.code == 1 and "recipe.schema.json" in missing.err
    assert attar("schema").code == 0
    assert attar("schema", "--check").code == 0
    file = Path("schemas/recipe.schema.json")
    schema = json.loads(file.read_text(encoding="utf-8"))
    assert "steps" in schema["properties"]
    file.write_text("{}", encoding="utf-8")
    stale = attar("schema", "--check")
    assert stale.code == 1 and "recipe.schema.json" in stale.err and file.read_text(encoding="utf-8") == "{}"


# -- against a server -------------------------------------------------------------------------------------------


def test_what_try_paid_for_a_run_does_not_pay_again(
    starter: Path, attar: Attar, monkeypatch: pytest.MonkeyPatch
) -> None:
    from attar.testing import StandInServer

    with StandInServer.start(responder="schema") as server:
        monkeypatch.setenv("ATTAR_BASE_URL", server.url)
        monkeypatch.setenv("ATTAR_API_KEY", "key-of-the-test")
        tried = attar("try", starter, "--rows", 2)
        assert tried.code == 0, tried.err
        assert tried.out.count("=== question · row ") == 2
        first = server.stats()["requests"]
        assert first >= 6
        done = attar("run", starter)
        assert done.code in (0, 1), done.err
        assert server.stats()["repeated"] == 0 and server.stats()["requests"] > first
        limited = attar("run", starter, "--limit", 2)
        assert server.stats()["repeated"] == 0
        assert "endpoint (an endpoint is set: environment variable ATTAR_BASE_URL)" in limited.out
        everything = tried.out + tried.err + done.out + done.err
        assert "key-of-the-test" not in everything and str(server.url) not in everything
        status = attar("status", "mine")
        assert status.code == 0 and "writer" in status.out
