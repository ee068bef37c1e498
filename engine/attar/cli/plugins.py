"""attar plugins: what is installed, what a step offers, and a project to start one's own from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from attar.cli.common import json_option, print_json
from attar.errors import fail

if TYPE_CHECKING:
    from attar.registry import Registry

NAME = re.compile(r"[a-z][a-z0-9_]*")


@click.group("plugins")
def command() -> None:
    """List, show and start plugins."""


@command.command("list")
@json_option("Print one JSON document.")
def list_plugins(as_json: bool) -> int:
    """Installed plugins with their steps; broken and clashing ones with the reason."""
    from attar.registry import Registry

    registry = Registry.load()
    listed = describe_plugins(registry)
    if as_json:
        print_json(listed)
        return 0
    from attar.display.words import table

    rows = [
        [plugin["name"], f"{plugin['distribution']} {plugin['version']}".strip(), ", ".join(plugin["steps"]) or "–"]
        for plugin in listed["plugins"]
    ]
    print(table(("name", "distribution", "steps"), rows, left=3, indent=""))
    for broken in listed["broken"]:
        print(f"\nbroken: {broken['name']} ({broken['distribution']} {broken['version']}): {broken['error']}")
        print("  skipped; recipes that do not use it run as ever")
    for name, claims in listed["clashes"].items():
        who = " and ".join(f"{claim['distribution']} {claim['version']}".strip() for claim in claims)
        print(f"\nclash: {name} is claimed by {who}; uninstall one of them")
    return 0


def describe_plugins(registry: Registry) -> dict[str, Any]:
    """What `attar plugins list --json` prints."""
    return {
        "plugins": [
            {
                "name": plugin.name,
                "distribution": plugin.distribution,
                "version": plugin.version,
                "steps": [use.partition(".")[2] for use in registry.steps(plugin.name)],
            }
            for plugin in registry.plugins()
        ],
        "broken": [
            {"name": p.name, "distribution": p.distribution, "version": p.version, "error": p.error}
            for p in registry.broken
        ],
        "clashes": {
            name: [{"distribution": p.distribution, "version": p.version} for p in claims]
            for name, claims in registry.clashes.items()
        },
    }


@command.command("show")
@click.argument("name")
@json_option("Print one JSON document; a step's config as its JSON Schema.")
def show(name: str, as_json: bool) -> int:
    """Show a plugin's steps, or one step (`std.read`): what it does, its config, its columns."""
    from attar.cli.step_help import describe_step, step_text
    from attar.registry import Registry

    registry = Registry.load()
    if "." in name:
        described = describe_step(registry, name)
        if as_json:
            print_json(described)
        else:
            print(step_text(described))
        return 0
    if name not in {plugin.name for plugin in registry.plugins()}:
        registry.plugin_root(name)  # raises, and says what is wrong with it
    info = registry.info(name)
    steps = [describe_step(registry, use) for use in registry.steps(name)]
    if as_json:
        print_json({"name": name, "distribution": info.distribution, "version": info.version, "steps": steps})
        return 0
    from attar.display.words import table

    print(f"{name}: {info.distribution} {info.version}\n")
    print(table(("step", "kind", ""), [[s["use"], s["kind"], s["summary"]] for s in steps], left=3, indent=""))
    return 0


@command.command("new")
@click.argument("name")
@click.option("--dir", "folder", type=click.Path(path_type=Path), help="Where to write it; attar-NAME by default.")
def new(name: str, folder: Path | None) -> int:
    """Write a plugin project: a step, a recipe that uses it, tests that pass."""
    from attar import __version__
    from attar.cli.plugin_project import project_files
    from attar.cli.writing import write_project
    from attar.registry import Registry

    if not NAME.fullmatch(name):
        raise fail(
            "E703",
            f"{name!r} cannot be a plugin's name: expected lower-case letters, digits and _, a letter first",
            help="the name is the namespace of its steps in recipes: NAME.step",
        )
    if name in Registry.load().names():
        raise fail(
            "E703", f"a plugin {name!r} is installed already", help="choose another name: two plugins cannot share one"
        )
    folder = folder or Path(f"attar-{name.replace('_', '-')}")
    write_project(folder, project_files(name, __version__))
    print(f"Wrote {folder}. Next:\n  cd {folder}\n  pip install -e '.[dev]'\n  attar plugins show {name}.wordy")
    print(f"  attar run recipes/{name}.yaml --show 3\n  pytest")
    return 0
