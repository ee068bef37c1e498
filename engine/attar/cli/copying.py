"""Copies a recipe with every file it names, keeping their places to each other, so that no reference changes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from attar.errors import fail

if TYPE_CHECKING:
    from attar.recipe.nodes import Node

MOST_BYTES = 64 << 20
LONGEST_NAME = 255  # bytes of a file's name, on every system in use
SCHEMA_COMMENT = re.compile(r"\$schema=(\S+)")
INTERPOLATION = re.compile(r"\$\{[^}]*\}")
TOP_LEVEL_NAME = re.compile(r"^name:.*$", re.MULTILINE)


@dataclass(slots=True)
class Copy:
    """The files of a copied recipe. `recipe` is the place of the recipe among `files`."""

    recipe: str
    files: dict[str, str | bytes] = field(default_factory=dict)


def copy_of(recipe: Path, name: str) -> Copy:
    """The recipe under a new name, with the prompts, schemas, data and recipes it names.

    `bundled:` names become relative ones: the copy is to be changed. Absolute paths and remote places stay as they are.

    Raises:
        AttarError: E705, the files it names are larger than 64 MiB in all.
    """
    recipe = recipe.resolve()
    found = _collect(recipe)
    places = _places(found)
    copy = Copy(str(Path(places[recipe]).with_name(f"{name}.yaml")))
    total = 0
    for file, place in places.items():
        data = file.read_bytes()
        total += len(data)
        if total > MOST_BYTES:
            raise fail("E705", f"{recipe.name} names more than 64 MiB of files", help="copy the recipe by hand")
        if not _is_text(file):
            copy.files[place] = data
            continue
        text = _unbundled(data.decode("utf-8"), place, places)
        if file == recipe:
            copy.files[copy.recipe] = TOP_LEVEL_NAME.sub(f"name: {name}", text, count=1)
        else:
            copy.files[place] = text
    return copy


def _places(found: list[Path]) -> dict[Path, str]:
    """File → its place in the copy: shipped files as they are shipped, others as they lie to each other."""
    from attar.recipe.files import bundled_root

    shipped = bundled_root().resolve()
    own = [file for file in found if not file.is_relative_to(shipped)]
    root = Path(os.path.commonpath([file.parent for file in own])) if own else shipped
    return {file: file.relative_to(shipped if file.is_relative_to(shipped) else root).as_posix() for file in found}


def _collect(recipe: Path) -> list[Path]:
    """The recipe and every file that it, or a file it names, names; the recipe first."""
    found: dict[Path, None] = {}
    waiting = [recipe]
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found[file] = None
        if _is_text(file):
            waiting += _named_by(file)
    return list(found)


def _named_by(file: Path) -> Iterator[Path]:
    text = file.read_text(encoding="utf-8")
    names = set(_strings(_data(text, file))) | set(SCHEMA_COMMENT.findall(text))
    for name in sorted(names):
        for path in _targets(name, file):
            if path.is_file():
                yield path
            else:
                yield from sorted(inside for inside in path.rglob("*") if inside.is_file())


def _targets(name: str, file: Path) -> list[Path]:
    """The files or folders a string names; every one it may name where a parameter stands in it."""
    from attar.recipe.files import bundled_root, is_url

    if not name or len(name) > 1000 or "\n" in name or is_url(name) or Path(name).is_absolute():
        return []
    if max(map(len, name.encode().split(b"/"))) > LONGEST_NAME:  # a description, say: no system would look for it
        return []
    base = file.parent
    if name.startswith("bundled:"):
        base, name = bundled_root(), name.removeprefix("bundled:")
    elif "/" not in name and "." not in name:  # a bare word is a name in the recipe, not a file
        return []
    pattern = INTERPOLATION.sub("*", name)
    if pattern.strip("*") == "" or "*" in name:
        return []
    found = sorted(base.glob(pattern)) if pattern != name else [base / name]
    paths = [path.resolve() for path in found if path.exists()]
    return [path for path in paths if not (path.is_dir() and file.is_relative_to(path))]  # not the recipe's own folder


def _data(text: str, file: Path) -> Node | None:
    """A YAML file's values, or those of a prompt file's front matter; None where there are none.

    Read as recipes are read: PyYAML's own loader refuses some of what attar takes (`{domain: string?}`).
    """
    from attar.recipe.nodes import LineIndex, Refused, compose

    if file.suffix == ".md":
        parts = text.split("---", 2)
        if not text.startswith("---") or len(parts) < 3:
            return None
        text = parts[1]
    try:
        return compose(text, LineIndex(text), lambda trouble: None)
    except Refused:
        return None


def _strings(value: Node | None) -> Iterator[str]:
    if value is None:
        return
    if value.kind == "scalar":
        yield value.text
    for _, part in value.entries.values():
        yield from _strings(part)
    for part in value.items:
        yield from _strings(part)


def _is_text(file: Path) -> bool:
    return file.suffix in (".yaml", ".yml", ".md")


def _unbundled(text: str, place: str, places: Mapping[Path, str]) -> str:
    """The text of the file at `place`, with `bundled:` names of copied files made relative to it."""
    from attar.recipe.files import bundled_root

    def relative(match: re.Match[str]) -> str:
        target = places.get((bundled_root() / match[1]).resolve())
        return match[0] if target is None else Path(os.path.relpath(target, Path(place).parent)).as_posix()

    return re.sub(r"bundled:([\w./-]+)", relative, text)
