"""attar review from end to end: rows wait, people decide, the next run carries it on and pays nothing twice."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.review_recipe import copy_review_recipe
from support.runs import COMMAND, TESTS, Attar, results, run_folder, table

from attar.store.decisions import latest, read_decisions
from attar.store.lock import OwnerLock
from attar.testing.stand_in import StandInServer

EDITED = "विषय-1 दोबारा लिखा गया"


class Team:
    """A folder with the recipe, its runs, and a server that counts what is asked. `here` runs verbs in this process."""

    def __init__(self, folder: Path, server: StandInServer, here: Callable[..., Any] | None = None) -> None:
        self.folder = folder
        self.server = server
        self.here = here
        self.attar = Attar(folder, server.url, ATTAR_REVIEWER="Asha")
        self.recipe = folder / "recipe" / "recipe.yaml"
        self.journal = folder / "runs" / "review" / "journal"

    @property
    def words(self) -> list[str]:
        return [str(self.recipe), "-p", f"topics={self.recipe.parent / 'topics.jsonl'}"]

    def run(self, *more: str, expect: int = 0) -> dict[str, Any]:
        if self.here is None or more:
            self.attar("run", *self.words, "--quiet", *more, expect=expect)
        else:
            done = self.here("run", *self.words, "--quiet")
            assert done.code == expect, done
        return results(self.attar.runs, "review")

    def review(self, *words: str | Path, expect: int = 0) -> str:
        return self.say("review", "review", *words, expect=expect)

    def say(self, *words: str | Path, expect: int = 0) -> str:
        """What a verb prints."""
        assert self.here is not None
        done = self.here(*words)
        assert done.code == expect, done
        return str(done.out if expect == 0 else done.err)

    def waiting(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.review("--json"))["waiting"]
        return found

    def rows(self, name: str = "dataset") -> list[dict[str, Any]]:
        return table(run_folder(self.attar.runs, "review") / name)

    def topic(self, row: dict[str, Any]) -> int:
        return int(re.search(r"विषय-(\d+)", row["row"]["draft"])[1])  # type: ignore[index]


@pytest.fixture(scope="module")
def server() -> Iterator[StandInServer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(TESTS))
        with StandInServer.start(responder="support.review_recipe:respond") as running:
            yield running


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, server: StandInServer) -> Path:
    """A folder in which the recipe ran once: four rows wait at the looped judge, four children at the other."""
    folder = tmp_path_factory.mktemp("first")
    copy_review_recipe(folder / "recipe")
    assert Team(folder, server).run(expect=1)["ledger"]["sound"]["review"] == 4
    return folder


@pytest.fixture
def team(
    first: Path, tmp_path: Path, server: StandInServer, attar: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Team:
    folder = tmp_path / "team"
    shutil.copytree(first, folder, symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ATTAR_REVIEWER", "Asha")
    monkeypatch.setenv("ATTAR_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-test")
    return Team(folder, server, attar)


@pytest.mark.parametrize("layout", [[], ["--workers", "2"]], ids=["1 worker", "2 workers"])
def test_decisions_go_through_the_rest_of_the_graph(layout: list[str], team: Team) -> None:
    paid = team.server.stats()
    at_sound = {team.topic(row): row for row in team.waiting() if row["step"] == "sound"}
    assert {n: (row["code"], row["verdict"]["outcome"]) for n, row in at_sound.items()} == {
        0: ("borderline", "pass"),
        4: ("borderline", "pass"),
        1: ("failed_clear", "fail"),
        5: ("failed_clear", "fail"),
    }
    team.review(at_sound[0]["id"][:10], "--approve", "--reason", "clear enough")
    team.review(at_sound[1]["id"], "--edit", "--set", f"draft={EDITED}", "--reason", "rewritten", "--who", "Bala")
    said = team.review(at_sound[4]["id"], at_sound[5]["id"], "--reject", "--reason", "off topic")
    assert said.startswith("2 decisions filed; 4 rows still wait.")
    plan = team.say("plan", *team.words)
    assert "stage 1 (rows): runs: 4 review decisions since" in plan and plan.count("runs again after") == 2

    # What is behind the judge runs for the rows that go on; two more of their children wait for a person.
    second = team.run(*layout, expect=1)
    assert {key: second["ledger"]["sound"][key] for key in ("in", "accepted", "rejected", "review")} == {
        "in": 8,
        "accepted": 6,
        "rejected": 2,
        "review": 0,
    }
    assert second["ledger"]["fair"]["review"] == 6 and second["ledger"]["close"]["accepted"] == 6
    assert [use["requests"] for use in second["usage"].values()] == [0, 0, 0, 2]  # the two that go on, at `close`
    stats = team.server.stats()
    assert stats["requests"] - paid["requests"] == 2
    assert "stage 1 (rows): reused" in team.say("plan", *team.words)

    team.review("--all", "--step", "fair", "--approve", "--reason", "part B is fine")
    third = team.run()
    assert third["run"] == second["run"] and third["ledger"]["fair"]["review"] == 0
    assert team.server.stats()["requests"] - stats["requests"] == 6
    dataset = team.rows()
    assert len(dataset) == 12 and team.rows("review") == []
    edited = [row for row in dataset if row["draft"] == EDITED]
    assert sorted(row["part"] for row in edited) == [f"{EDITED} part A", f"{EDITED} part B"]
    for row in edited:
        assert row["head"].endswith(": " + EDITED) and EDITED in row["close"] and EDITED not in row["title"]
        assert row["sound"]["outcome"] == "fail"  # the judge's word stays
    turned = [row for row in team.rows("rejected") if row["step"] == "sound"]
    assert {(row["id"], row["code"], row["detail"]) for row in turned} == {
        (at_sound[n]["id"], "review_rejected", "off topic") for n in (4, 5)
    }
    history = {row["id"]: json.loads(row["history"]) for row in team.rows("provenance")}
    decided = [entry for row in edited for entry in history[row["id"]] if "decision" in entry]
    assert {(e["step"], e["decision"], e["who"], e["reason"]) for e in decided} == {
        ("sound", "edit", "Bala", "rewritten"),
        ("fair", "approve", "Asha", "part B is fine"),
    }
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry["when"]) for entry in decided)

    again = team.run()  # no new decisions: nothing runs
    assert all(stage["reused"] for stage in again["stages"])
    assert again["outputs"] == third["outputs"]


def test_the_list_and_a_row_in_full(team: Team, recorded: Callable[[str, str], None]) -> None:
    name = run_folder(team.attar.runs, "review").name
    listed = team.review()
    shown = team.review(team.waiting()[1]["id"][:8], "--show")
    assert "it is a 1" in shown and "draft, try 2: m answered" in shown and "\n    draft on विषय-1 mind:" in shown
    text = re.sub(r"since \d{4}-\d\d-\d\d \d\d:\d\d UTC", "since TIME", f"{listed}\n{shown}").replace(name, "RUN")
    recorded("review.txt", re.sub(r"  +(# s|\d+(\.\d+)? s)  ", "  AGE  ", text))
    status = team.say("status", "review")
    assert status.rstrip().endswith("To review the rows that wait: attar review review")


def test_a_csv_goes_to_the_team_and_comes_back(team: Team) -> None:
    sheet = team.folder / "sheet.csv"
    assert "8 rows in" in team.review("--export", sheet)
    assert "is there already" in team.review("--export", sheet, expect=2)
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["step"] == "fair":
            row |= {"decision": "Reject", "reason": "not needed", "who": "Chandra"}
        elif row["code"] == "borderline":
            row |= {"decision": "approve", "reason": "fine"}
        else:
            # Lines of a spreadsheet: other line ends, a text that begins like a formula.
            row |= {"decision": "edit", "reason": "put right", "row.draft": "'=SUM of\r\nविषय-3", "row.note": ""}
    with sheet.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, rows[0], delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    assert team.review("--from", sheet).startswith("8 decisions filed; 0 rows still wait.")
    assert team.review("--from", sheet).startswith("0 decisions filed; 8 stood so already; 0 rows still wait.")
    made = latest(read_decisions(team.journal)).values()
    assert {d.decision: {x.who for x in made if x.decision == d.decision} for d in made} == {
        "reject": {"Chandra"},
        "approve": {"Asha"},
        "edit": {"Asha"},
    }
    assert all(d.columns == {"draft": "=SUM of\r\nविषय-3"} for d in made if d.decision == "edit")
    done = team.run(expect=1)  # the children of the approved and edited rows wait now
    assert done["ledger"]["sound"]["accepted"] == 8 and done["ledger"]["fair"]["rejected"] == 4
    assert [w for w in done["why"] if "review" in w] == ["4 rows await review (see review/)"]


def test_every_fault_of_a_sheet_is_told_with_its_line_and_nothing_is_filed(team: Team) -> None:
    sheet = team.folder / "sheet.jsonl"
    team.review("--export", sheet, "--step", "sound")
    lines = [json.loads(line) for line in sheet.read_text(encoding="utf-8").splitlines()]
    good = {"decision": "approve", "reason": "fine"}
    faults: list[tuple[Any, str]] = [
        ({**lines[0], **good}, ""),
        ({**lines[0], **good}, "is decided twice; first in line 1"),
        ({**lines[0], "decision": "reject", "reason": "no"}, "is decided approve and reject"),
        ({**lines[1], "decision": "aprove", "reason": "x"}, "approve, edit or reject, found 'aprove'"),
        ({**lines[1], "decision": "reject"}, "a decision needs a reason"),
        ({**lines[2], **good, "key": "f" * 32}, "no row of this run is in review under the key"),
        ({"id": "ffff", **good}, "no row in review"),
        (
            {"id": lines[2]["id"][:9], "decision": "edit", "reason": "x", "row": {"n": "four"}},
            "n: expected int, found str",
        ),
        ({"id": lines[2]["id"], "decision": "edit", "reason": "x", "row": {"darft": "y"}}, "no column 'darft'"),
        (
            {"id": lines[2]["id"], "decision": "edit", "reason": "x", "row": {"sound": {}}},
            "it stays as the judge gave it",
        ),
        ({**lines[3], "decision": "edit", "reason": "x"}, "nothing is changed"),
        ({**lines[3], **good, "row": {"draft": "other"}}, "draft changed, but the decision is approve"),
        ("{no json", "no JSON"),
        ([1], "expected a JSON object"),
        ({**lines[3], "decision": ""}, ""),
    ]
    text = "\n".join(one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one, _ in faults)
    sheet.write_text(text, encoding="utf-8")
    said = team.review("--from", sheet, expect=2)
    expected = [number for number, (_, words) in enumerate(faults, start=1) if words]
    told = [int(n) for n in re.findall(r"sheet\.jsonl:(\d+):1", said)]
    assert sorted(set(told)) == expected and told == sorted(told)
    for _, words in faults:
        assert words in said
    assert f"{len(told)} errors" in said
    assert read_decisions(team.journal) == ()
    for data, words in (
        (b"key,decision\n", "names no column reason"),
        ("id,decision,reason\nक,approve,x\n".encode("utf-16"), "no UTF-8"),
        (b"id,decision,reason\nab,,\n", "no line of"),
    ):
        broken = team.folder / "broken.csv"
        broken.write_bytes(data)
        assert words in team.review("--from", broken, expect=2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--approve", "--all"], "a decision needs a reason"),
        (["--approve", "--reason", "x"], "--approve takes the IDs of rows, or --all"),
        (["--approve", "--reject", "--all", "--reason", "x"], "exclude each other"),
        (["ab"], "say what to do"),
        (["--edit", "--all", "--reason", "x"], "at least one --set"),
        (["zz", "--approve", "--reason", "x"], "no row in review"),
        (["6", "--show"], "3 rows have ids that begin with '6'"),
        (["--all", "--edit", "--set", "id=x", "--reason", "x"], "id is the row's name"),
        (["--all", "--edit", "--set", "n=[1", "--reason", "x"], "expected int as JSON, found '[1'"),
        (["--all", "--step", "sond", "--approve", "--reason", "x"], "did you mean 'sound'?"),
        (["--export", "sheet.xlsx"], ".jsonl or a .csv"),
        (["--from", "nowhere.csv"], "there is no file"),
        (["--interactive"], "asks at a terminal"),
        (["--all", "--approve", "--reason", "x", "--who", " "], "it is not known who decides"),
    ],
)
def test_what_cannot_be_is_refused(
    words: list[str], said: str, first: Path, attar: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(first)
    done = attar("review", "review", *words)
    assert done.code == 2 and said in done.err, done
    assert read_decisions(first / "runs" / "review" / "journal") == ()


def test_programs_read_json(team: Team) -> None:
    row = next(row for row in team.waiting() if row["code"] == "failed_clear")
    assert row["verdict"]["scores"] == {"clear": 1.0, "mean": 0.0} and re.fullmatch(r"\d{4}-.*Z", row["since"])
    (shown,) = json.loads(team.review(row["id"], "--show", "--json"))["rows"]
    assert {name: shown[name] for name in row} == row
    tries = [(e["step"], e["attempt"], "answer" in e, e.get("outcome")) for e in shown["history"]]
    assert tries == [
        ("draft", 1, True, None),
        ("draft", 2, True, None),
        ("sound", 1, True, None),
        ("sound", 1, False, "fail"),
        ("sound", 2, True, None),
        ("sound", 2, False, "fail"),
    ]
    filed = json.loads(team.review(row["id"], "--approve", "--reason", "fine", "--json"))
    assert {name: filed[name] for name in ("written", "unchanged", "replaced", "waiting")} == {
        "written": 1,
        "unchanged": 0,
        "replaced": 0,
        "waiting": 7,
    }
    assert json.loads(team.review("--json"))["decided"] == 1
    assert "1 row decided, but not carried on yet." in team.say("status", "review")
    assert "Decided\n  approve by Asha at 2" in team.review(row["id"], "--show")


def test_a_changed_mind_counts_and_another_text_waits_again(team: Team) -> None:
    row = next(row for row in team.waiting() if row["code"] == "borderline")
    team.review(row["id"], "--approve", "--reason", "fine")
    assert row["id"] in {found["id"] for found in team.rows("review")}
    team.run(expect=1)
    assert "1 of them in place of an earlier one" in team.review(row["id"], "--reject", "--reason", "looked again")
    done = team.run(expect=1)
    assert done["ledger"]["sound"]["rejected"] == 1
    listed = json.loads(team.review("--decided", "--json"))["decisions"]
    assert [(one["decision"], one["counts"]) for one in listed] == [("approve", False), ("reject", True)]
    draft = team.recipe.parent / "draft.md"
    draft.write_text(draft.read_text(encoding="utf-8").replace("DRAFT on", "DRAFT anew on"), encoding="utf-8")
    done = team.run(expect=1)  # another text: nobody has decided on it
    assert done["ledger"]["sound"]["review"] == 4 and done["ledger"]["sound"]["rejected"] == 0


def test_while_the_recipe_runs_nothing_is_decided(team: Team) -> None:
    with OwnerLock(team.folder / "runs" / "review" / "lock"):
        said = team.attar("review", "review", "--all", "--approve", "--reason", "fine", expect=1).stderr
        assert "nothing was decided" in said and f"in use by process {os.getpid()}" in said
        assert len(team.waiting()) == 8  # looking is always allowed
    assert read_decisions(team.journal) == ()


def test_clean_and_fresh_keep_decisions(team: Team) -> None:
    team.review("--all", "--approve", "--reason", "fine")
    team.say("clean", "review")
    assert len(read_decisions(team.journal)) == 8
    assert team.run("--fresh", expect=1)["ledger"]["sound"]["review"] == 0
    team.say("clean", "review", "--keep", "0")
    assert len(read_decisions(team.journal)) == 8


KILLS = {
    "while writing": ("attar.store.decisions.encode", 3),
    "before it is durable": ("os.fsync", 0),
    "before it has its name": ("pathlib.Path.replace", 0),
    "once it has its name": ("attar.store.decisions.fsync_folder", 0),
}
KILLER = """
import os, signal, sys, importlib, functools
path, after = sys.argv[1], int(sys.argv[2])
import attar.store.decisions, attar.cli.review, pathlib
holder, _, name = path.rpartition(".")
target = pathlib.Path if holder == "pathlib.Path" else importlib.import_module(holder)
plain, armed, calls = getattr(target, name), attar.store.decisions.append, [0]
@functools.wraps(plain)
def deadly(*args, **kwargs):
    calls[0] += 1
    if calls[0] > after:
        os.kill(os.getpid(), signal.SIGKILL)
    return plain(*args, **kwargs)
def append(*args):
    setattr(target, name, deadly)
    return armed(*args)
attar.store.decisions.append = append
from attar.cli import main
main(sys.argv[3:])
"""


def test_a_sheet_is_there_whole_or_not_at_all_after_kill_9(team: Team) -> None:
    sheet = team.folder / "sheet.jsonl"
    team.review("--export", sheet)
    empty, filled = '"decision": "", "reason": ""', '"decision": "reject", "reason": "x"'
    sheet.write_text(sheet.read_text(encoding="utf-8").replace(empty, filled), encoding="utf-8")
    for place, after in KILLS.values():
        assert read_decisions(team.journal) == ()
        words = [sys.executable, "-c", KILLER, place, str(after), "review", "review", "--from", str(sheet)]
        killed = subprocess.run(words, cwd=team.folder, env=team.attar.env, capture_output=True, check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(read_decisions(team.journal)) == 8  # the last one was killed once all of it was there
    assert team.review("--from", sheet).startswith("0 decisions filed; 8 stood so already")
    done = team.run()
    assert (done["ledger"]["sound"]["rejected"], done["ledger"]["fair"]["rejected"]) == (4, 4)
    assert not list(team.journal.glob(".*.tmp"))


def test_a_run_killed_while_it_carries_decisions_goes_on(team: Team) -> None:
    team.review("--all", "--approve", "--reason", "fine")
    twin = Team(team.folder.parent / "twin", team.server)
    shutil.copytree(team.folder, twin.folder, symlinks=True)
    expected = twin.run(expect=1)
    for moment in ("stage_started", "stage_finished"):
        process = team.attar.start("run", *team.words, "--json")
        assert process.stdout is not None
        assert any(json.loads(line)["type"] == moment for line in process.stdout)  # read no further
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    done = team.run(expect=1)
    assert done["outputs"] == expected["outputs"] and done["ledger"] == expected["ledger"]
    assert team.rows("provenance") == twin.rows("provenance")


def test_row_by_row_at_a_terminal(team: Team) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "review", "review", "-i", "--step", "sound"],
        cwd=team.folder,
        env={**team.attar.env, "EDITOR": "sed -i s/draft/DRAFT/", "TERM": "dumb", "NO_COLOR": "1"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = ""

    def until(words: str) -> None:
        nonlocal seen
        deadline = time.monotonic() + 30
        while words not in seen:
            assert time.monotonic() < deadline, seen
            if select.select([ours], [], [], 0.2)[0]:
                try:
                    seen += os.read(ours, 65536).decode("utf-8", "replace")
                except OSError:
                    break
        assert words in seen, seen
        seen = seen.partition(words)[2]

    def answer(prompt: str, text: str) -> None:
        until(prompt)
        os.write(ours, f"{text}\n".encode())

    answer("(q)uit:", "a")
    answer("Reason:", "fine")
    until("[2 of 4]")
    answer("(q)uit:", "e")
    answer("empty to end", "draft")
    answer("empty to end", "")
    answer("Reason:", "capital")
    answer("(q)uit:", "s")
    answer("(q)uit:", "q")
    until("2 decisions filed; 2 rows left.")
    assert process.wait(10) == 0
    os.close(ours)
    made = read_decisions(team.journal)
    assert [(d.decision, d.who, d.reason) for d in made] == [("approve", "Asha", "fine"), ("edit", "Asha", "capital")]
    assert made[1].columns["draft"].startswith("DRAFT on विषय-1")
