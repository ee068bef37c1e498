"""Arguments that several verbs share, and the way from a recipe file to a checked plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from attar.cli.endings import set_scene, show_diagnostics
from attar.errors import AttarError, Diagnostic

if TYPE_CHECKING:
    from attar.plan.types import GateRule, Plan

F = TypeVar("F", bound=Callable[..., Any])


def _parse_params(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    params: dict[str, str] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise click.BadParameter(f"expected name=value, found {text!r}", ctx, param)
        if name.strip() in params:
            raise click.BadParameter(f"{name.strip()!r} is given twice", ctx, param)
        params[name.strip()] = value
    return params


def _find_recipe(ctx: click.Context, param: click.Parameter, value: Path) -> Path:
    """A file of a name such as `bundled:recipes/…`; a path stays as it is written (the loader says what is wrong)."""
    from attar.recipe.files import resolve

    return resolve(str(value), Path()) if str(value).startswith("bundled:") else value


def recipe_argument(function: F) -> F:
    """RECIPE: the file to work on; `bundled:recipes/…` is one of those that are shipped."""
    return click.argument("recipe", type=click.Path(path_type=Path), callback=_find_recipe)(function)


def recipe_name(text: str, runs: Path) -> str:
    """What runs are filed under, where a recipe's file may stand in place of its name.

    Args:
        text: a recipe file, or anything else; a run or recipe of that name in `runs` comes first.

    Returns:
        The recipe's `name`, or the text unchanged where it is no recipe file.

    Raises:
        AttarError: E101, a `bundled:` file that is not there.
    """
    if (runs / text).is_dir() or not (text.startswith("bundled:") or Path(text).suffix in (".yaml", ".yml")):
        return text
    from attar.recipe.document import name_of
    from attar.recipe.files import resolve

    file = resolve(text, Path()) if text.startswith("bundled:") else Path(text)
    return name_of(file) or text


def params_option(function: F) -> F:
    """-p name=value, as often as needed."""
    option = click.option(
        "-p",
        "--param",
        "params",
        multiple=True,
        metavar="NAME=VALUE",
        callback=_parse_params,
        help="Set a parameter of the recipe; paths are relative to the working directory. Repeatable.",
    )
    return option(function)


def runs_option(function: F) -> F:
    """--runs DIR: where runs are kept."""
    option = click.option(
        "--runs",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("runs"),
        show_default=True,
        help="The folder that holds all runs.",
    )
    return option(function)


def json_option(help: str) -> Callable[[F], F]:
    """--json, with its own word on what is printed."""
    return click.option("--json", "as_json", is_flag=True, help=help)


def check(
    recipe: Path,
    params: Mapping[str, str],
    limit: int | None = None,
    *,
    to_run: bool = True,
    gates: GateRule = "later",
) -> tuple[Plan | None, Sequence[Diagnostic]]:
    """Everything `validate` knows about a recipe. The plan is None where a diagnostic is an error.

    `to_run` False leaves out what only a run needs: digests of whole source files. `gates` says what a model that did
    not pass a required evaluation is; a run decides that once it knows who serves the model.
    """
    from attar import plan

    return plan.check(recipe, params, limit=limit, fingerprints=to_run, gates=gates)


def plan_or_refuse(recipe: Path, params: Mapping[str, str], limit: int | None, runs: Path) -> Plan:
    """A plan free of errors; warnings are printed on stderr.

    Raises:
        AttarError: all diagnostics, warnings included, where one of them is an error.
    """
    plan, diagnostics = check(recipe, params, limit)
    if plan is None or any(found.severity == "error" for found in diagnostics):
        raise AttarError(list(diagnostics))
    set_scene(runs / plan.recipe, plan.secrets)
    show_diagnostics(diagnostics)
    return plan


def print_json(value: Any) -> None:
    """One JSON document on stdout, readable by people too."""
    import json

    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 step`, `3 steps`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
