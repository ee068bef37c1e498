"""Going through the rows that wait, one by one, at a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from attar.cli.common import count
from attar.cli.review import go_on
from attar.cli.review_desk import Desk, Waiting, decide, now, reviewer
from attar.cli.review_edits import Unfit, set_columns
from attar.errors import fail
from attar.store.decisions import Verb

_KEYS: dict[str, Verb] = {"a": "approve", "e": "edit", "r": "reject"}


def one_by_one(desk: Desk, rows: Sequence[Waiting], who: str | None) -> int:
    """Shows each row and asks what to do with it. Every decision is filed at once: quitting loses none.

    Raises:
        AttarError: E757, there is no terminal to ask at.
    """
    from attar.display.review import whole_row

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise fail("E757", "--interactive asks at a terminal, and here is none", help="use --export and --from instead")
    name = reviewer(who)
    done = 0
    for number, (row, since) in enumerate(zip(rows, desk.since(rows), strict=True), start=1):
        print(f"\n[{number} of {len(rows)}] {whole_row(row, desk.answers(row), since, desk.earlier(row))}\n")
        key = _key()
        if key == "q":
            break
        if key == "s":
            continue
        columns: dict[str, Any] = {}
        if key == "e":
            columns = _edited(row)
            if not columns:
                print("Nothing is changed; the row still waits.")
                continue
        reason = click.prompt("Reason").strip()
        desk.file_all([decide(row, _KEYS[key], reason, name, now(), columns)])
        done += 1
    print(f"\n{count(done, 'decision')} filed; {count(len(rows) - done, 'row')} left.")
    if done:
        print(go_on(desk))
    return 0


def _key() -> str:
    while True:
        text = click.prompt("(a)pprove, (e)dit, (r)eject, (s)kip, (q)uit", prompt_suffix=": ").strip().lower()
        if text[:1] in ("a", "e", "r", "s", "q"):
            return str(text[:1])


def _edited(row: Waiting) -> dict[str, Any]:
    """The columns a person changes, each in their editor; asked again while a value does not fit."""
    columns: dict[str, Any] = {}
    names = list(row.row)
    while True:
        column = click.prompt(f"Column ({', '.join(names)}; empty to end)", default="", show_default=False).strip()
        if not column:
            return columns
        value = columns.get(column, row.row.get(column))
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
        changed = click.edit(text, extension=".txt")
        if changed is None:
            continue
        if not text.endswith("\n"):
            changed = changed.removesuffix("\n")  # editors end a text with one
        if isinstance(value, str) and len(changed) > 1 and changed[0] == changed[-1] == '"':
            changed = json.dumps(changed)  # the quotes are the text's own
        try:
            columns.update(set_columns(row, {column: changed}))
        except Unfit as fault:
            print(f"That does not fit: {fault}")
