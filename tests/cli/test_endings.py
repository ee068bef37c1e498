"""However a command ends: its exit code, and what is and is not printed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from attar.cli import endings, main
from attar.errors import Diagnostic, Span, fail
from attar.errors.diagnostic import AttarError


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[BaseException]]:
    """`attar validate x` raises what the test puts into the list; crash logs go to tmp_path/runs."""
    raises: list[BaseException] = []

    @click.command("validate", context_settings={"ignore_unknown_options": True})
    @click.argument("rest", nargs=-1)
    def command(rest: tuple[str, ...]) -> int:
        if raises:
            raise raises[0]
        return 0

    monkeypatch.setattr("attar.cli.entry.LazyGroup.get_command", lambda self, ctx, name: command)
    monkeypatch.setattr(endings, "scene", endings.Scene(tmp_path / "runs"))
    monkeypatch.delenv("ATTAR_DEBUG", raising=False)
    yield raises


def run(*args: str) -> int:
    from attar.cli.entry import run_command

    return run_command(args)


def test_a_users_mistake_is_rendered_with_its_exit_code(
    verb: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    verb.append(AttarError([Diagnostic("E999", "one thing is wrong", Span("a.yaml", 3, 4)), Diagnostic("E998", "two")]))
    assert run("validate", "x") == 2
    printed = capsys.readouterr()
    assert "E999" in printed.err and "a.yaml:3:4" in printed.err and "E998" in printed.err
    assert "Traceback" not in printed.err and not printed.out
    verb[0] = fail("E700", "the run had to stop", exit_code=1)
    assert run("validate", "x") == 1


def test_ctrl_c_names_the_command_to_go_on(verb: list[BaseException], capsys: pytest.CaptureFixture[str]) -> None:
    verb.append(KeyboardInterrupt())
    assert run("validate", "my file.yaml", "--fresh", "-p", "n=3") == 130
    assert "attar validate 'my file.yaml' -p n=3\n" in capsys.readouterr().err


def test_our_own_fault_leaves_a_log_and_no_traceback(
    verb: list[BaseException],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("MY_API_KEY", "s3cr3t-value")
    monkeypatch.setenv("PLAIN_NAME", "hidden-by-the-plan")
    endings.set_scene(tmp_path / "runs" / "essays", {"models.a.endpoint.key": "PLAIN_NAME"})
    verb.append(ZeroDivisionError("by s3cr3t-value and hidden-by-the-plan"))
    assert run("validate", "x") == 1
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1 and "ZeroDivisionError" in printed and "Traceback" not in printed
    (log,) = (tmp_path / "runs" / "essays").glob("crash-*.log")
    assert str(log) in printed
    text = log.read_text(encoding="utf-8")
    assert "Traceback" in text and "ZeroDivisionError: by <MY_API_KEY> and <PLAIN_NAME>" in text
    assert "s3cr3t-value" not in printed + text


def test_debugging_shows_the_traceback(
    verb: list[BaseException], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ATTAR_DEBUG", "1")
    verb.append(ZeroDivisionError("oh"))
    assert run("validate", "x") == 1
    assert "Traceback" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_bad_usage_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("valdate") == 2
    assert "Did you mean 'validate'?" in capsys.readouterr().err
    assert run("validate") == 2
    assert run("validate", "x.yaml", "-p", "novalue") == 2
    assert "expected name=value" in capsys.readouterr().err
    assert run("run", "x.yaml", "--workers", "0") == 2
    assert run("run", "x.yaml", "-p", "a=1", "-p", "a=2") == 2
    assert "given twice" in capsys.readouterr().err


def test_help_and_version_are_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    assert run("--version") == 0
    assert capsys.readouterr().out.endswith("\n")


def test_main_exits_with_the_code(verb: list[BaseException]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["validate", "x"])
    assert stop.value.code == 0


def test_a_closed_pipe_is_quiet() -> None:
    code = "import sys; from attar.cli import main; main(['--help'])"
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run([sys.executable, "-c", code], stdout=closed, stderr=subprocess.PIPE, check=False)
    assert done.stderr == b""
    assert done.returncode in (0, 1)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, attar.cli; from attar.cli.entry import run_command; run_command(['--help']);"
        "heavy = {'pydantic', 'pyarrow', 'rich', 'aiohttp', 'datatrove', 'jinja2', 'jsonschema', 'yaml', 'regex',"
        " 'orjson', 'attar.api', 'attar.plan', 'attar.execute'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
