"""The entry point: finds the verb, and turns every ending into an exit code and a sentence, never into a traceback."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import NamedTuple

import click

from attar import __version__
from attar.errors import AttarError


class Verb(NamedTuple):
    """Where a verb lives and the line `attar --help` shows for it, so that help imports no verb."""

    module: str
    help: str


VERBS: dict[str, Verb] = {
    "validate": Verb("attar.cli.validate", "Check a recipe: every mistake at once, before any model is called."),
    "plan": Verb("attar.cli.plan", "Show the graph, the stages, what would be reused and what a run would cost."),
    "run": Verb("attar.cli.run", "Run a recipe, or go on where the last run of it stopped."),
    "status": Verb("attar.cli.status", "Show what became of a run's rows: ledger, reasons, tokens, cost, time."),
    "review": Verb("attar.cli.review", "List, show and decide the rows that wait for review."),
    "try": Verb("attar.cli.try_", "Show prompts as sent and answers for a few rows."),
    "report": Verb("attar.cli.report", "Compare two evaluations: differences in points and percent, task by task."),
    "new": Verb("attar.cli.new", "Write a recipe of your own, with its prompts."),
    "clean": Verb("attar.cli.clean", "Delete stages, answers and leftovers that no kept run uses."),
    "schema": Verb("attar.cli.schema", "Write the JSON Schemas of the recipe language and of the installed steps."),
    "plugins": Verb("attar.cli.plugins", "List, show and start plugins."),
}

EPILOG = (
    "Exit codes: 0 everything asked for is there; 1 a run fell short or failed; "
    "2 bad usage or recipe; 130 interrupted, the same command goes on."
)


class LazyGroup(click.Group):
    """Imports a verb's module only when that verb is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        command = importlib.import_module(verb.module).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, verb.help) for name, verb in VERBS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], VERBS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" The verbs are {', '.join(VERBS)}."
            raise click.UsageError(f"There is no verb {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="attar")
def cli() -> None:
    """attar runs synthetic-data recipes: checked first, nothing lost, nothing paid twice."""


def main(args: Sequence[str] | None = None) -> None:
    """Runs one command and exits the process with its code."""
    sys.exit(run_command(list(sys.argv[1:] if args is None else args)))


def run_command(args: Sequence[str]) -> int:
    """Runs one command in this process.

    Returns:
        The exit code; every message has been printed.
    """
    from attar.cli import endings

    try:
        code = cli.main(list(args), prog_name="attar", standalone_mode=False, obj=tuple(args))
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Abort:
        return endings.interrupted(args)
    except KeyboardInterrupt:
        return endings.interrupted(args)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except AttarError as error:
        return endings.refused(error)
    except BrokenPipeError:
        return endings.pipe_closed()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    except Exception as error:
        if isinstance(error, OSError) and error.errno in endings.NO_ROOM:
            return endings.no_room(error)
        return endings.crashed(error)
