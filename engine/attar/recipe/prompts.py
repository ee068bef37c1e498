"""Prompt files: front matter, then `# system` / `# user` / `# assistant` parts, each a Jinja template.

Only a line that is exactly such a heading divides the file; every other line that begins with `#` is text, so prompts
may be written in Markdown. Blank lines at the borders of a part belong to the file's layout and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from attar.errors import Diagnostic, Severity, Span
from attar.identity import bytes_digest
from attar.recipe.document import Document, decode, parse, shown_path
from attar.recipe.explain import explain
from attar.recipe.files import PluginRoots, find
from attar.recipe.language import Model
from attar.recipe.nodes import close
from attar.recipe.prompt_text import PromptPart, PromptText

ALWAYS = frozenset({"retry", "params"})
"""Names every prompt has besides the row's columns."""
REHEARSAL = ALWAYS | {"extra", "words", "pick", "fail", "number"}
"""Names a `rehearse:` template has besides the row's columns."""

_HEADING = re.compile(r"# (system|user|assistant)[ \t]*$", re.IGNORECASE)
_NEARLY = re.compile(r"#+[ \t]*(system|user|assistant)[ \t]*:?[ \t]*$", re.IGNORECASE)


class FrontMatter(Model):
    """What may stand between the `---` lines."""

    inputs: list[str] | dict[str, str] | None = Field(None, description="columns the prompt uses")
    output: str | dict[str, Any] | None = Field(None, description="JSON Schema of the answer: a file, or the schema")
    version: str | int | float = "1"
    note: str = ""
    rehearse: str | None = Field(None, description="Jinja template of a made-up answer, for backend rehearsal")


def load_prompt(
    path: Path, shown: str | None = None, plugins: PluginRoots | None = None
) -> tuple[PromptText | None, list[Diagnostic]]:
    """Reads and checks a prompt file.

    Args:
        path: the file.
        shown: the path as messages name it.
        plugins: for an `output:` that names a plugin's file.

    Returns:
        The prompt, None where it cannot be used, and every fault, at its place in the file.
    """
    shown = shown or shown_path(path)
    text, found = decode(path, shown)
    if text is None:
        return None, found
    text = re.sub(r"\r\n?", "\n", text)
    loading = _Loading(path, shown, text.split("\n"), plugins)
    prompt = loading.prompt()
    return prompt, loading.found


class _Loading:
    def __init__(self, path: Path, shown: str, lines: list[str], plugins: PluginRoots | None) -> None:
        self._path = path
        self._shown = shown
        self._lines = lines
        self._plugins = plugins
        self._params: dict[str, tuple[int, int]] = {}
        self.found: list[Diagnostic] = []

    def prompt(self) -> PromptText | None:
        body = self._body_start()
        document, front = self._front_matter(body)
        parts = list(self._parts(body))
        variables: dict[str, tuple[int, int]] = {}
        for part in parts:
            for name, place in self._variables(part.text, part.line, 0).items():
                variables.setdefault(name, place)
        rehearse = front.rehearse
        rehearse_variables: dict[str, tuple[int, int]] = {}
        if rehearse is not None and document is not None:
            line, indent = _content_place(document)
            names = self._variables(rehearse, line, indent)
            rehearse_variables = {n: p for n, p in names.items() if n not in REHEARSAL and n not in variables}
        inputs = None if front.inputs is None else tuple(front.inputs)
        unread = any(d.code == "E531" for d in self.found)  # then what it uses is not known
        if document is not None and inputs is not None and not unread:
            self._compare(document, inputs, variables, rehearse_variables)
        output = self._output(document, front)
        if any(d.severity == "error" for d in self.found):
            return None
        return PromptText(
            file=self._shown,
            parts=tuple(parts),
            inputs=inputs,
            output=output,
            version=str(front.version),
            note=front.note,
            rehearse=rehearse,
            digest=bytes_digest(self._path.read_bytes()),
            variables=variables,
            rehearse_variables=rehearse_variables,
            params=self._params,
        )

    def _say(self, code: str, message: str, line: int, column: int, help: str = "", end: int = 0) -> None:
        severity: Severity = "warning" if code.startswith("W") else "error"
        self.found.append(Diagnostic(code, message, Span(self._shown, line, column, end), help, (), severity))

    # -- front matter ------------------------------------------------------------------------------------------

    def _body_start(self) -> int:
        """Index of the first line after the front matter."""
        if self._lines[0].rstrip() != "---":
            return 0
        for i, line in enumerate(self._lines[1:], 1):
            if line.rstrip() == "---":
                return i + 1
        self._say("E530", "the front matter is never closed", 1, 1, "end it with a line `---`", 4)
        return len(self._lines)

    def _front_matter(self, body: int) -> tuple[Document | None, FrontMatter]:
        if body == 0:
            return None, FrontMatter()
        block = self._lines[1 : body - 1] if self._lines[body - 1].rstrip() == "---" else self._lines[1:body]
        if not any(line.strip() and not line.lstrip().startswith("#") for line in block):
            return None, FrontMatter()
        # The line `---` becomes an empty one: every place in the YAML is its place in the file.
        begin = "front matter holds `inputs:`, `output:`, `version:`, `note:` and `rehearse:`"
        document, found = parse("\n".join(["", *block]), self._path, self._shown, begin=begin, new="")
        self.found.extend(found)
        if document is None:
            return None, FrontMatter()
        data = dict(document.data)
        for _ in range(20):
            try:
                return document, FrontMatter.model_validate(data, strict=True)
            except ValidationError as error:
                problems = explain(error, FrontMatter, data, key=document.key_span, value=document.value_span)
            self.found.extend(p for p in problems if p not in self.found)
            for problem in problems:
                data.pop(str(problem.path[0]), None)
        return document, FrontMatter()

    def _output(self, document: Document | None, front: FrontMatter) -> dict[str, Any] | None:
        if not isinstance(front.output, str) or document is None:
            return None if isinstance(front.output, str) else front.output
        span = document.value_span(("output",))
        file, found = find(front.output, self._path.parent, span, self._plugins)
        self.found.extend(found)
        if file is None:
            return None
        shown = shown_path(file)
        text, found = decode(file, shown)
        self.found.extend(found)
        if text is None:
            return None
        if file.suffix in (".yaml", ".yml"):
            schema, found = parse(text, file, shown, begin="a JSON Schema is a mapping", new="")
            self.found.extend(found)
            return None if schema is None else dict(schema.data)
        import json

        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            place = Span(shown, error.lineno, error.colno)
            self.found.append(Diagnostic("E120", f"not valid JSON: {error.msg}", place, "mend the file"))
            return None
        if not isinstance(data, dict):
            self.found.append(Diagnostic("E121", "expected a JSON Schema (an object)", Span(shown), ""))
            return None
        return data

    def _compare(
        self,
        document: Document,
        inputs: tuple[str, ...],
        variables: dict[str, tuple[int, int]],
        rehearse_variables: dict[str, tuple[int, int]],
    ) -> None:
        listed = document.data.get("inputs")
        for i, name in enumerate(inputs):
            if name not in variables and name not in rehearse_variables:
                path = ("inputs", i if isinstance(listed, list) else name)
                span = document.value_span(path) if isinstance(listed, list) else document.key_span(path)
                near = close(name, variables.keys() - set(inputs))
                help = f"did you mean {near!r}?" if near else "use it in a part, or take it off the list"
                self.found.append(
                    Diagnostic("W534", f"input {name!r} is declared but not used", span, help, path, "warning")
                )
        for names in (variables, rehearse_variables):
            for name, (line, column) in names.items():
                if name not in inputs and name not in ALWAYS:
                    near = close(name, inputs)
                    help = f"did you mean {near!r}?" if near else f"add {name} to `inputs:`"
                    self._say(
                        "E533",
                        f"{name!r} is used but not among the declared inputs",
                        line,
                        column,
                        help,
                        column + len(name),
                    )

    # -- parts -------------------------------------------------------------------------------------------------

    def _parts(self, body: int) -> Iterator[PromptPart]:
        headings: list[tuple[int, str]] = []
        for i in range(body, len(self._lines)):
            line = self._lines[i]
            if match := _HEADING.match(line):
                headings.append((i, match[1].lower()))
            elif match := _NEARLY.match(line):
                self._say(
                    "W532",
                    f"{line.strip()!r} is text here, not the heading of a part",
                    i + 1,
                    1,
                    f"write exactly `# {match[1].lower()}` to begin a part",
                    len(line) + 1,
                )
        first = headings[0][0] if headings else len(self._lines)
        before = self._part("user", body, first)
        if before is not None:
            if headings:
                self._say(
                    "E532", "text stands before the first part", before.line, 1, "begin it with `# system` or `# user`"
                )
            else:
                yield before
        elif not headings and not any(d.code == "E530" for d in self.found):
            self._say("E530", "the prompt is empty", min(body + 1, len(self._lines)), 1, "write its text")
        for n, (start, role) in enumerate(headings):
            end = headings[n + 1][0] if n + 1 < len(headings) else len(self._lines)
            if role == "system" and n > 0:
                self._say(
                    "E532",
                    "`# system` must be the first part, and there is only one",
                    start + 1,
                    1,
                    "move its text into the first part",
                    len(self._lines[start]) + 1,
                )
            part = self._part(role, start + 1, end)
            if part is None:
                self._say(
                    "E532",
                    f"the part `# {role}` is empty",
                    start + 1,
                    1,
                    "write its text, or remove it",
                    len(self._lines[start]) + 1,
                )
            else:
                yield part

    def _part(self, role: str, start: int, end: int) -> PromptPart | None:
        while start < end and not self._lines[start].strip():
            start += 1
        while end > start and not self._lines[end - 1].strip():
            end -= 1
        if start == end:
            return None
        return PromptPart(role=role, text="\n".join(self._lines[start:end]), line=start + 1)

    def _variables(self, template: str, line: int, indent: int) -> dict[str, tuple[int, int]]:
        """Names a template uses, at their places in the file; a syntax error is reported."""
        from attar.recipe.expressions import (
            ExpressionError,
            Fault,
            check_template,
            template_attributes,
            template_variables,
        )

        if "{{" not in template and "{%" not in template and "{#" not in template:
            return {}
        try:
            names = template_variables(template)  # reads all of it: what check_template would find fails here too
        except ExpressionError:
            fault = check_template(template) or Fault("this is no Jinja template", 1, 1)
            self._say(
                "E531",
                fault.message,
                line + fault.line - 1,
                fault.column + indent,
                "`{{ … }}` and `{% … %}` are Jinja; {% raw %}…{% endraw %} keeps braces as text",
            )
            return {}
        for name, (at, column) in template_attributes(template, "params").items():
            self._params.setdefault(name, (line + at - 1, column + indent))
        return {n: (line + at - 1, column + indent) for n, (at, column) in names.items()}


def _content_place(document: Document) -> tuple[int, int]:
    """Line of the first line of the text of `rehearse:`, and how far it is indented."""
    _, node, _ = document.find(("rehearse",))
    line, column = document.lines.position(node.start)
    opening = document.text[node.start : node.start + 1]
    if opening in ("|", ">"):
        following = document.text[node.start :].split("\n")[1:]
        content = next((text for text in following if text.strip()), "")
        return line + 1, len(content) - len(content.lstrip(" "))
    return line, column - 1 + (opening in ("'", '"'))
