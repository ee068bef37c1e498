"""Reads a table's YAML as text values with the line of each, and tells every fault by file, line and key path.

A population table is keyed by what people are called (`Yes`, `5`, `1e3` may all be names), so nothing is guessed from a
scalar's looks: every scalar is text, and becomes a number only where the format asks for one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

Key = str | int
KeyPath = tuple[Key, ...]
MOST_NODES = 500_000  # aliases of aliases can blow a small file up; a real table has tens of thousands
MOST_FAULTS = 40


class Fault(NamedTuple):
    """One thing wrong in a file: where (key path), what was found and expected, and what to do."""

    path: KeyPath
    message: str
    help: str = ""


@dataclass(slots=True)
class Document:
    """A YAML file as plain dicts, lists and texts.

    Attributes:
        file: where it was read.
        data: the content; None where the file could not be read at all.
        lines: line (from 1) of the key or item at each key path.
        faults: what is wrong, in order of discovery; users of the document add theirs.
    """

    file: Path
    data: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def fault(self, path: Sequence[Key], message: str, help: str = "") -> None:
        """Notes a fault at a key path."""
        self.faults.append(Fault(tuple(path), message, help))

    def line(self, path: KeyPath) -> int:
        """The line of a path, or of the nearest path above it that stands in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def told(self, fault: Fault) -> str:
        """A fault as a user reads it: file, line, key path, what is wrong."""
        where = f"{self.file}:{self.line(fault.path)}"
        path = ".".join(str(part) for part in fault.path)
        return f"{where}: {path}: {fault.message}" if path else f"{where}: {fault.message}"


class TableError(Exception):
    """A population table cannot be used; `faults` are pairs of message and help."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        super().__init__("\n".join(message for message, _ in faults))
        self.faults = list(faults)


def raise_faults(*documents: Document) -> None:
    """Raises TableError if any of the documents has a fault; past a few dozen the rest are only counted."""
    found = [(document.told(fault), fault.help) for document in documents for fault in document.faults]
    if found:
        rest = len(found) - MOST_FAULTS
        shown = found[:MOST_FAULTS]
        raise TableError([*shown, (f"and {rest} more faults in {documents[0].file}", "")] if rest > 0 else shown)


def read_document(file: Path) -> Document:
    """Reads a YAML file. A file that is no UTF-8, no YAML or no mapping is told as a fault, as is a key twice."""
    import yaml

    document = Document(file)
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        document.fault((), f"cannot be read: {error.strerror or error}", _beside(file))
        return document
    except UnicodeDecodeError as error:
        document.fault((), f"byte {error.start} is not UTF-8", "save the file as UTF-8")
        return document

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
            """No guessing by looks, which also takes most of the time."""
            return ""

    try:
        node = yaml.compose(text, Loader=Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        document.lines[()] = mark.line + 1 if mark is not None else 1
        document.fault((), f"is not YAML: {error.problem or error.context}")
        return document
    except yaml.YAMLError as error:  # characters YAML forbids
        document.fault((), f"is not YAML: {' '.join(str(error).split())}")
        return document
    reader = _Reader(document)
    data = reader.value(node, ()) if node is not None else None
    if not isinstance(data, dict):
        what = "nothing" if data in (None, "") else "a list" if isinstance(data, list) else "a single value"
        document.fault((), f"expected a mapping, found {what}")
    else:
        document.data = data
    return document


def _beside(file: Path) -> str:
    """What to say about a file that is not there: the nearest name in its folder, or what lies there."""
    from difflib import get_close_matches

    try:
        names = sorted(path.name for path in file.parent.iterdir() if path.suffix in (".yaml", ".yml"))
    except OSError:
        return "name a population table"
    near = get_close_matches(file.name, names, n=1)
    listed = ", ".join(names[:8])
    return f"did you mean {near[0]}?" if near else f"beside it are: {listed}" if names else "name a population table"


class _Reader:
    """Turns YAML nodes into values; knows which nodes it is inside of, so that a circle of aliases ends."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._inside: set[int] = set()
        self._seen = 0

    def value(self, node: Any, path: KeyPath) -> Any:
        self._seen += 1
        kind = type(node).__name__
        if kind == "ScalarNode":
            return unicodedata.normalize("NFC", node.value)
        if self._seen > MOST_NODES or id(node) in self._inside:
            if not any("aliases" in fault.message for fault in self._document.faults):
                self._document.fault(path, "aliases (*) make this too large, or a circle", "write the values out")
            return {}
        self._inside.add(id(node))
        if kind == "SequenceNode":
            items = []
            for number, item in enumerate(node.value):
                self._document.lines[(*path, number)] = item.start_mark.line + 1
                items.append(self.value(item, (*path, number)))
            found: Any = items
        else:
            found = self._mapping(node, path)
        self._inside.discard(id(node))
        return found

    def _mapping(self, node: Any, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if type(key_node).__name__ != "ScalarNode":
                self._document.fault(path, "a key is a list or a mapping; expected a text")
                continue
            key = unicodedata.normalize("NFC", key_node.value)
            if key == "<<" and not key_node.style:
                for part in value_node.value if type(value_node).__name__ == "SequenceNode" else [value_node]:
                    value = self.value(part, path)
                    if isinstance(value, dict):
                        merged = {**value, **merged}
                    else:
                        self._document.fault((*path, "<<"), "expected an alias of a mapping")
                continue
            at = (*path, key)
            line = key_node.start_mark.line + 1
            if key in found:
                self._document.fault(
                    at, f"the key {key!r} stands twice, on lines {self._document.lines[at]} and {line}", "keep one"
                )
            self._document.lines[at] = line
            found[key] = self.value(value_node, at)
        return {**merged, **found} if merged else found
