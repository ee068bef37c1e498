"""The help texts as recorded, and that they tell the truth about the verbs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from attar.cli.entry import VERBS, cli

SUBVERBS = [("plugins", "list"), ("plugins", "show"), ("plugins", "new")]


@pytest.mark.parametrize("words", [(), *((verb,) for verb in VERBS), *SUBVERBS], ids=" ".join)
def test_help_is_as_recorded(
    words: tuple[str, ...], attar: Callable[..., Any], recorded: Callable[[str, str], None]
) -> None:
    done = attar(*words, "--help")
    assert done.code == 0 and done.err == ""
    recorded(f"help/{'-'.join(words) or 'attar'}.txt", done.out)


@pytest.mark.parametrize("verb", VERBS)
def test_a_verbs_line_begins_its_own_help(verb: str) -> None:
    """`attar --help` imports no verb, so its lines are written twice; they must not drift apart."""
    import click

    command = cli.get_command(click.Context(cli), verb)
    assert command is not None and command.help is not None
    assert command.help.partition("\n")[0] == VERBS[verb].help
