"""Reading one YAML file: bytes to text, text to values, and the place of each value (`Places`)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attar.errors import Diagnostic, Span
from attar.recipe.loaded import YamlPath
from attar.recipe.nodes import LineIndex, Node, Refused, Trouble, compose, scalar

MAX_BYTES = 8 << 20


@dataclass(slots=True)
class Document:
    """One YAML file that was read. `data` is plain Python; `root` the tree with positions."""

    file: Path
    shown: str
    text: str
    lines: LineIndex
    root: Node
    data: Any

    def span(self, start: int, end: int) -> Span:
        """The span of a piece of the text; `end_column` 0 where it ends on another line."""
        line, column = self.lines.position(start)
        last, end_column = self.lines.position(end)
        return Span(self.shown, line, column, end_column if last == line and end_column > column else 0)

    def find(self, path: YamlPath) -> tuple[Node | None, Node, bool]:
        """(key node, value node, whether the whole path exists); the nearest existing ancestor where it does not."""
        key: Node | None = None
        node = self.root
        for part in path:
            if node.kind == "map" and (entry := node.entries.get(str(part))) is not None:
                key, node = entry
            elif node.kind == "list" and isinstance(part, int) and -1 < part < len(node.items):
                key, node = None, node.items[part]
            else:
                return key, node, False
        return key, node, True

    def value_span(self, path: YamlPath) -> Span:
        _, node, _ = self.find(path)
        return self.span(node.start, node.end)

    def key_span(self, path: YamlPath) -> Span:
        key, node, _ = self.find(path)
        node = key or node
        return self.span(node.start, node.end)


@dataclass(slots=True)
class FilePlaces:
    """`Places` over the files of one recipe. Picklable: a plan is sent to workers."""

    documents: dict[Path, Document] = field(default_factory=dict)

    def value(self, file: Path, path: YamlPath) -> Span:
        """The value at a path; the nearest existing ancestor where the path does not exist."""
        document = self.documents.get(file)
        return document.value_span(path) if document else Span(str(file))

    def key(self, file: Path, path: YamlPath) -> Span:
        """The key of the last element of a path; as `value` where there is none."""
        document = self.documents.get(file)
        return document.key_span(path) if document else Span(str(file))


def shown_path(file: Path) -> str:
    """A path as messages show it: relative to the working directory where it lies inside, else as given."""
    try:
        return os.path.relpath(file) if file.resolve().is_relative_to(Path.cwd().resolve()) else str(file)
    except (OSError, ValueError):
        return str(file)


def name_of(file: Path) -> str | None:
    """The recipe's `name` in a file; None where the file cannot be read or gives none."""
    document, _ = read(file)
    name = document.data.get("name") if document is not None and isinstance(document.data, dict) else None
    return name if isinstance(name, str) else None


def decode(file: Path, shown: str) -> tuple[str | None, list[Diagnostic]]:
    """A file's text, or why it cannot be read: missing, a folder, unreadable, not UTF-8."""
    try:
        if file.stat().st_size > MAX_BYTES:
            return None, [Diagnostic("E101", f"{shown} is larger than 8 MiB", Span(shown), "is this the right file?")]
        raw = file.read_bytes()
    except FileNotFoundError:
        from attar.recipe.files import nearest, shipped_recipe

        shipped = shipped_recipe(file)
        help = f"the shipped recipe of that name is {shipped}" if shipped else nearest(file)
        return None, [Diagnostic("E101", f"no file {shown}", Span(shown), help)]
    except IsADirectoryError:
        return None, [Diagnostic("E101", f"{shown} is a folder", Span(shown), "name a file in it")]
    except OSError as error:
        return None, [Diagnostic("E101", f"{shown} cannot be read: {error.strerror}", Span(shown))]
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or (len(raw) > 3 and raw[:4].count(0) >= 2):
        why = Diagnostic("E102", f"{shown} is UTF-16 or UTF-32, not UTF-8", Span(shown), "save the file as UTF-8")
        return None, [why]
    try:
        return raw.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        good = raw[: error.start].decode("utf-8-sig", "replace")
        line, column = LineIndex(good).position(len(good))
        return None, [
            Diagnostic(
                "E102",
                f"byte 0x{raw[error.start]:02x} is not UTF-8",
                Span(shown, line, column, column + 1),
                "save the file as UTF-8 (it may be Latin-1 or Windows-1252)",
            )
        ]


def read(file: Path, shown: str | None = None) -> tuple[Document | None, list[Diagnostic]]:
    """Reads a YAML file whose top level is a mapping.

    Returns:
        The document, None where it cannot be used at all, and every fault found. Faults such as a duplicate key leave
        a usable document, so that the recipe's other mistakes are found in the same go.
    """
    shown = shown or shown_path(file)
    text, found = decode(file, shown)
    if text is None:
        return None, found
    return parse(text, file, shown)


_BEGIN = "begin with `attar: 1`, then `name:`, `steps:` and `outputs:`, none of them after a dash"
_NEW = "`attar new RECIPE` writes a recipe to start from"


def parse(
    text: str, file: Path, shown: str, *, begin: str = _BEGIN, new: str = _NEW
) -> tuple[Document | None, list[Diagnostic]]:
    """As `read`, from a text. `begin` and `new`: what to say to a file that holds no mapping, or nothing."""
    lines = LineIndex(text)
    troubles: list[Trouble] = []
    document = Document(file, shown, text, lines, Node("map", 0, 0), None)

    def diagnostics() -> list[Diagnostic]:
        return [
            Diagnostic(
                t.code, t.message, document.span(t.start, t.end), t.help, (), "warning" if t.warning else "error"
            )
            for t in dict.fromkeys(troubles)
        ]

    try:
        root = compose(text, lines, troubles.append)
    except Refused as error:
        troubles.append(error.trouble)
        return None, diagnostics()
    if root is None:
        troubles.append(Trouble("E106", "the file is empty", 0, 0, new))
        return None, diagnostics()
    if root.kind != "map":
        kind = "a list" if root.kind == "list" else "a single value"
        troubles.append(
            Trouble("E107", f"expected a mapping at the top level, found {kind}", root.start, root.start, begin)
        )
        return None, diagnostics()
    document.root = root
    document.data = _plain(root, troubles)
    return document, diagnostics()


def _plain(node: Node, troubles: list[Trouble]) -> Any:
    if node.kind == "scalar":
        return scalar(node, troubles.append)
    if (
        node.tag
        and not node.tag.startswith("tag:yaml.org,2002:map")
        and not node.tag.startswith("tag:yaml.org,2002:seq")
    ):
        name = node.tag.replace("tag:yaml.org,2002:", "!!")
        troubles.append(
            Trouble("E111", f"the tag {name} is not known in recipes", node.start, node.start, "leave the tag out")
        )
    if node.kind == "list":
        return [_plain(item, troubles) for item in node.items]
    return {name: _plain(value, troubles) for name, (_, value) in node.entries.items()}
