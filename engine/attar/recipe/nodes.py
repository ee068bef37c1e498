"""YAML as a tree that remembers where everything stands.

PyYAML's own tree forgets where an alias was written and hides duplicate keys, and its scalars follow YAML 1.1 (`no` is
false, `1e3` is text, `010` is eight). So the tree is built here from the parser's events (libyaml's where it is there),
with each surprise reported instead of swallowed. Keys are always text: a label `no` or `1` stays what was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

MAX_NODES = 200_000
"""Values one file may come to, aliases written out: a few lines of nested aliases can stand for billions."""


@dataclass(slots=True)
class Node:
    """One YAML value. Lines and columns count from 1; `end_*` is exclusive; `start`/`end` are offsets in the text."""

    kind: Literal["scalar", "map", "list"]
    start: int
    end: int
    text: str = ""
    plain: bool = True
    tag: str = ""
    entries: dict[str, tuple[Node, Node]] = field(default_factory=dict)
    items: list[Node] = field(default_factory=list)
    size: int = 1


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something wrong in the YAML itself, before any meaning. `severity` as in Diagnostic."""

    code: str
    message: str
    start: int
    end: int
    help: str = ""
    warning: bool = False


Report = Callable[[Trouble], None]


class Refused(Exception):
    """The text cannot be read any further."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble


class LineIndex:
    """Offsets to lines and columns, as editors count them (`\\n`, `\\r\\n`, `\\r`), and from the parser's own count.

    libyaml also ends lines at U+0085, U+2028 and U+2029; prompts pasted into a recipe hold those, so the two differ.
    """

    def __init__(self, text: str) -> None:
        self.starts = [0, *(m.end() for m in re.finditer(r"\r\n|\n|\r", text))]
        exotic = any(c in text for c in "\x85\u2028\u2029")
        self._parser = (
            [0, *(m.end() for m in re.finditer("\r\n|[\n\r\x85\u2028\u2029]", text))] if exotic else self.starts
        )
        self._length = len(text)

    def offset(self, line: int, column: int) -> int:
        """Offset of a parser mark (line and column from 0)."""
        if line >= len(self._parser):
            return self._length
        return min(self._parser[line] + column, self._length)

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1, of an offset."""
        from bisect import bisect_right

        line = bisect_right(self.starts, offset) - 1
        return line + 1, offset - self.starts[line] + 1


def compose(text: str, lines: LineIndex, report: Report) -> Node | None:
    """The tree of a text's only document; None for a text with nothing but comments.

    Raises:
        Refused: for YAML that cannot be read at all. Lesser faults go to `report`, and the tree is still built.
    """
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Composer(yaml.parse(text, Loader=loader), lines, report).document()
    except yaml.YAMLError as error:
        raise Refused(_syntax(error, text, lines)) from None


class _Composer:
    def __init__(self, events: Iterator[Any], lines: LineIndex, report: Report) -> None:
        self._events = events
        self._lines = lines
        self._report = report
        self._anchors: dict[str, Node | None] = {}  # None while the anchored value is still being read

    def document(self) -> Node | None:
        root: Node | None = None
        seen = False
        for event in self._events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                if seen:
                    start, end = self._marks(event)
                    raise Refused(
                        Trouble(
                            "E108",
                            "a second document starts here; a recipe is one document",
                            start,
                            end,
                            "remove the line `---` and what follows, or put it in a file of its own",
                        )
                    )
                seen = True
            elif kind not in ("StreamStartEvent", "StreamEndEvent", "DocumentEndEvent"):
                root = self._node(event, 0)
        if root is not None and root.kind == "scalar" and root.plain and root.text == "":
            return None
        return root

    def _marks(self, event: Any) -> tuple[int, int]:
        s, e = event.start_mark, event.end_mark
        return self._lines.offset(s.line, s.column), self._lines.offset(e.line, e.column)

    def _node(self, event: Any, depth: int) -> Node:
        kind = type(event).__name__
        start, end = self._marks(event)
        if depth > 100:
            raise Refused(Trouble("E110", "values are nested more than 100 deep", start, end))
        if kind == "AliasEvent":
            return self._alias(event.anchor, start, end)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        tag = event.tag or ""
        if kind == "ScalarEvent":
            node = Node("scalar", start, end, event.value, bool(event.implicit[0]) and not event.style, tag)
        elif kind == "MappingStartEvent":
            node = Node("map", start, end, tag=tag)
            self._fill_map(node, depth)
        else:
            node = Node("list", start, end, tag=tag)
            while type(inner := next(self._events)).__name__ != "SequenceEndEvent":
                child = self._node(inner, depth + 1)
                node.items.append(child)
                node.size += child.size
            node.end = self._marks(inner)[1]
        if node.size > MAX_NODES:
            raise Refused(
                Trouble("E110", f"aliases in this value stand for more than {MAX_NODES:,} values", start, start)
            )
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, name: str, start: int, end: int) -> Node:
        if name not in self._anchors:
            near = close(name, self._anchors)
            raise Refused(
                Trouble(
                    "E110",
                    f"alias *{name} names no anchor written before it",
                    start,
                    end,
                    f"did you mean *{near}?" if near else f"write &{name} before the value it stands for",
                )
            )
        node = self._anchors[name]
        if node is None:
            raise Refused(Trouble("E110", f"alias *{name} stands inside the value it names", start, end))
        return Node(node.kind, start, end, node.text, node.plain, node.tag, node.entries, node.items, node.size)

    def _fill_map(self, node: Node, depth: int) -> None:
        merges: list[Node] = []
        while type(event := next(self._events)).__name__ != "MappingEndEvent":
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            node.size += value.size
            if key.kind != "scalar" or (key.plain and key.text in ("", "~")):
                self._report(Trouble("E109", "a key must be a text", key.start, key.end, "write `name: value`"))
                continue
            if key.plain and key.text == "<<":
                merges.append(value)
                continue
            if key.text in node.entries:
                first, _ = self._lines.position(node.entries[key.text][0].start)
                self._report(
                    Trouble(
                        "E105",
                        f"duplicate key {key.text!r}; it stands first on line {first}",
                        key.start,
                        key.end,
                        "remove one of the two, or rename it",
                    )
                )
                continue
            node.entries[key.text] = (key, value)
        node.end = self._marks(event)[1]
        for merged in merges:
            for source in merged.items if merged.kind == "list" else [merged]:
                if source.kind != "map":
                    self._report(
                        Trouble(
                            "E112",
                            "`<<` merges a mapping or a list of mappings",
                            source.start,
                            source.end,
                            "give it an alias of a mapping, such as `<<: *base`",
                        )
                    )
                    continue
                for name, entry in source.entries.items():
                    node.entries.setdefault(name, entry)


_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)$")
_BASED = re.compile(r"0(?:x[0-9a-fA-F]+|o[0-7]+|b[01]+)$")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$")
_INFINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$")
_UNDERSCORED = re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(?:\.[0-9_]*)?$")
_ZERO_FIRST = re.compile(r"[-+]?0[0-9_]+$")
_WORDS = {"yes": True, "no": False, "on": True, "off": False}


def scalar(node: Node, report: Report) -> Any:
    """The value of a scalar: YAML 1.2's rules, with a report wherever YAML 1.1 tools would read another value."""
    text = node.text
    if node.tag and node.tag not in ("!", "tag:yaml.org,2002:str"):
        report(
            Trouble(
                "E111",
                f"the tag {node.tag.replace('tag:yaml.org,2002:', '!!')} is not known in recipes",
                node.start,
                node.end,
                "leave the tag out",
            )
        )
        return text
    if not node.plain or node.tag:
        return text
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true"
    if text.lower() in _WORDS and text in (text.lower(), text.capitalize(), text.upper()):
        value = _WORDS[text.lower()]
        report(
            Trouble(
                "W102",
                f"{text} is read as {str(value).lower()}",
                node.start,
                node.end,
                f'write "{text}" for the word, or {str(value).lower()} for the truth value',
                warning=True,
            )
        )
        return value
    if text[0] not in "+-.0123456789":
        return text
    if _ZERO_FIRST.match(text) and text.strip("+-").strip("0") != "":
        report(
            Trouble(
                "E113",
                f"{text} begins with a zero: some tools read an octal number",
                node.start,
                node.end,
                f'write "{text}" for the text, or {text.lstrip("+-0_") or "0"} for the number',
            )
        )
        return text
    if _INT.match(text):
        return int(text) if len(text) < 4000 else text
    if _BASED.match(text):
        return int(text, 0)
    if _UNDERSCORED.match(text):
        bare = text.replace("_", "")
        report(
            Trouble(
                "W103",
                f"{text} is read as the number {bare}",
                node.start,
                node.end,
                f'write {bare} for the number, or "{text}" for the text',
                warning=True,
            )
        )
        return float(bare) if "." in bare else int(bare)
    if _FLOAT.match(text):
        return float(text)
    if found := _INFINITE.match(text):
        return float("nan") if found[3] else float(f"{found[1]}inf")
    return text


def close(name: str, known: Any) -> str | None:
    """The known name nearest to a mistyped one, or None. Case and `-`/`_` do not count as differences."""
    from difflib import get_close_matches

    folded = {str(k).casefold().replace("-", "_"): str(k) for k in known}
    found = get_close_matches(str(name).casefold().replace("-", "_"), list(folded), n=1, cutoff=0.55)
    return folded[found[0]] if found else None


def _syntax(error: Any, text: str, lines: LineIndex) -> Trouble:
    """A YAML syntax error in words a user can act on."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    at = lines.offset(mark.line, mark.column) if mark is not None else int(getattr(error, "position", 0) or 0)
    problem = str(getattr(error, "problem", "") or error).strip()
    context = str(getattr(error, "context", "") or "").strip()
    number, column = lines.position(at)
    begin = lines.starts[number - 1]
    line = text[begin : lines.starts[number] if number < len(lines.starts) else len(text)].rstrip("\r\n")
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent or (problem.startswith("found character") and line[column - 1 : column] == "\t"):
        tab = begin + line.index("\t")
        return Trouble("E104", "a tab stands where YAML wants spaces", tab, tab + 1, "indent with spaces, two a level")
    if conflict := re.search(r"^(<{7}|>{7}) ", text, re.MULTILINE):
        place = conflict.start()
        return Trouble("E103", "a merge conflict was left in the file", place, place + 7, "resolve it, then run again")
    end = at + 1
    if "mapping values are not allowed" in problem:
        return Trouble(
            "E103",
            "a `:` stands where no key can be",
            at,
            end,
            "put a text that holds `: ` in quotes, and check that the line is not indented too far",
        )
    if "${" in line and re.search(r"[{\[]", line.split("${", 1)[0]):
        return Trouble(
            "E103",
            "`${…}` inside { } or [ ] needs quotes",
            begin + line.index("${"),
            end=end,
            help='write "${params.name}", in quotes',
        )
    if "did not find expected key" in problem or "did not find expected '-'" in problem:
        return Trouble(
            "E103",
            "this line does not fit the lines above it",
            at,
            end,
            "check its indentation, and that quotes and brackets above it are closed",
        )
    if "found character" in problem and "cannot start any token" in problem:
        return Trouble(
            "E103", f"a plain text cannot begin with {line[column - 1 : column]!r}", at, end, "put the text in quotes"
        )
    if "found unexpected end of stream" in problem or "quoted scalar" in context:
        opened = getattr(error, "context_mark", None)
        where = lines.offset(opened.line, opened.column) if opened is not None else at
        return Trouble("E103", "this quoted text is never closed", where, where + 1, "close the quote")
    if "control characters are not allowed" in str(error) or "special characters are not allowed" in str(error):
        return Trouble("E102", "a control character stands in the file", at, end, "remove it")
    message = f"not valid YAML: {problem}" + (f" ({context})" if context else "")
    return Trouble("E103", message, at, end, "check indentation, quotes and brackets here and on the line above")
