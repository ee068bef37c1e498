"""Parameters: their values, and `${params.x}` / `${env.X}` in a recipe's texts."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attar.errors import Diagnostic, Span
from attar.recipe.document import Document
from attar.recipe.explain import describe
from attar.recipe.files import is_url
from attar.recipe.language import Param
from attar.recipe.loaded import YamlPath
from attar.recipe.nodes import close

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*$")
_INTERPOLATION = re.compile(r"\$(\$\{)|\$\{([^{}]*)\}|(\$\{)")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*$")


class Unset:
    """A parameter that exists but whose value could not be found; what uses it is not judged further."""


UNSET = Unset()


@dataclass(frozen=True, slots=True)
class Override:
    """A value for a parameter given from outside: by `-p`, or by an include's `with`.

    Attributes:
        base: folder against which a relative path is read; None for the working directory.
        span: where it stands; None for the command line.
    """

    value: Any
    base: Path | None = None
    span: Span | None = None
    path: YamlPath = ()


def param_values(
    params: Mapping[str, Param], document: Document, overrides: Mapping[str, Override], origin: str
) -> tuple[dict[str, Any], list[Diagnostic]]:
    """The value of each parameter, checked. One whose value is at fault is `UNSET`.

    Args:
        origin: how a value is given, for messages: `-p` or `with`.
    """
    values: dict[str, Any] = {}
    found: list[Diagnostic] = []
    for name, param in params.items():
        path: YamlPath = ("params", name)
        override = overrides.get(name)
        if override is not None:
            where = f"-p {name}" if override.span is None else f"{name}"
            value, why = _typed(override.value, param, override.base, parse=override.span is None)
            why = why or _limits(value, param)
            if why:
                help = f"{name}: {param.help}" if param.help else f"{name} takes {_TYPE_WORDS[param.type]}"
                found.append(Diagnostic("E212", f"{where}: {why}", override.span, help, override.path))
            values[name] = UNSET if why else value
        elif param.default is not None:
            value, why = _typed(param.default, param, document.file.parent, parse=False)
            why = why or _limits(value, param)
            if why:
                span = document.value_span((*path, "default"))
                help = "mend the default, or the type, limits or choices beside it"
                found.append(Diagnostic("E210", f"params.{name}.default: {why}", span, help, (*path, "default")))
            values[name] = UNSET if why else value
        elif param.required:
            give = f"give it: {origin} {name}=…" if origin == "-p" else f"add `{name}: …` under the include's with"
            help = f"{give} ({param.help})" if param.help else give
            found.append(Diagnostic("E214", f"parameter {name!r} needs a value", document.key_span(path), help, path))
            values[name] = UNSET
        else:
            values[name] = None
    for name, override in overrides.items():
        if name not in params:
            near = close(name, params)
            known = f"parameters of this recipe: {', '.join(params)}" if params else "this recipe has no parameters"
            message = f"-p {name}: no such parameter" if override.span is None else f"no parameter {name!r}"
            found.append(
                Diagnostic("E213", message, override.span, f"did you mean {near!r}?" if near else known, override.path)
            )
    return values, found


def _typed(value: Any, param: Param, base: Path | None, *, parse: bool) -> tuple[Any, str]:
    """The value as its parameter's type, or why it is not one. `parse`: it is a text from the command line."""
    if parse and isinstance(value, str):
        return _parsed(value, param, base)
    kind = param.type
    if kind == "string" and isinstance(value, str):
        return value, ""
    if kind == "int" and isinstance(value, int) and not isinstance(value, bool):
        return value, ""
    if kind == "float" and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value), "" if math.isfinite(value) else "expected a finite number"
    if kind == "bool" and isinstance(value, bool):
        return value, ""
    if kind == "list" and isinstance(value, list | tuple):
        return list(value), ""
    if kind == "path" and isinstance(value, str | Path):
        return _path(str(value), base), ""
    return None, f"expected {_TYPE_WORDS[kind]}, found {describe(value)}"


_TYPE_WORDS = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "path": "a path",
    "list": "a list",
}


def _parsed(text: str, param: Param, base: Path | None) -> tuple[Any, str]:
    kind = param.type
    wrong = f"expected {_TYPE_WORDS[kind]}, found {describe(text)}"
    if kind == "string":
        return text, ""
    if kind == "path":
        return (_path(text, base), "") if text else (None, "expected a path, found nothing")
    if kind == "int":
        if not re.fullmatch(r"\s*[-+]?[0-9]+\s*", text):
            return None, wrong
        try:
            return int(text), ""
        except ValueError:  # Python reads no number of more than 4,300 digits
            return None, "expected a whole number that is not so long"
    if kind == "float":
        try:
            number = float(text)
        except ValueError:
            return None, wrong
        return (number, "") if math.isfinite(number) and "_" not in text else (None, wrong)
    if kind == "bool":
        word = text.strip().lower()
        if word in ("true", "yes", "on", "1", "false", "no", "off", "0"):
            return word in ("true", "yes", "on", "1"), ""
        return None, wrong
    if text.strip().startswith("["):
        import json

        try:
            parsed = json.loads(text)
        except ValueError:
            return None, f'expected a JSON list such as ["a", "b"], found {describe(text)}'
        return list(parsed), ""
    return [part.strip() for part in text.split(",")] if text.strip() else [], ""


def _path(text: str, base: Path | None) -> str:
    if is_url(text) or re.match(r"[a-z][a-z0-9_-]+:", text):  # remote, bundled:…, <plugin>:…
        return text
    return os.path.abspath(os.path.join(base or Path.cwd(), os.path.expanduser(text)))  # noqa: PTH100, PTH111, PTH118


def _limits(value: Any, param: Param) -> str:
    if param.choices is not None and value not in param.choices:
        near = close(str(value), param.choices) if isinstance(value, str) else None
        hint = f" (did you mean {near}?)" if near else ""
        return f"expected one of {', '.join(map(str, param.choices))}, found {value}{hint}"
    size = len(value) if isinstance(value, str | list) and param.type != "path" else value
    if isinstance(size, int | float) and not isinstance(size, bool):
        what = " items" if param.type == "list" else " characters" if param.type == "string" else ""
        if param.min is not None and size < param.min:
            return f"expected at least {param.min:g}{what}, found {size}"
        if param.max is not None and size > param.max:
            return f"expected at most {param.max:g}{what}, found {size}"
    return ""


@dataclass(slots=True)
class Interpolation:
    """Fills in `${params.x}` in one file's data; finds every `${…}` that cannot be filled.

    Attributes:
        holes: paths whose value hangs on a parameter that has none; what is said about them would be noise.
    """

    document: Document
    values: Mapping[str, Any]
    env_allowed: Callable[[YamlPath], bool]
    found: list[Diagnostic] = field(default_factory=list)
    holes: set[YamlPath] = field(default_factory=set)

    def fill(self, data: Any, path: YamlPath) -> Any:
        """`data` with its texts filled in; `path` is its place in the file."""
        if isinstance(data, str):
            return self._text(data, path) if "${" in data else data
        if isinstance(data, Mapping):
            return {k: self.fill(v, (*path, k)) for k, v in data.items()}
        if isinstance(data, list):
            return [self.fill(v, (*path, i)) for i, v in enumerate(data)]
        return data

    def _text(self, text: str, path: YamlPath) -> Any:
        pieces: list[Any] = []
        position = 0
        for nth, match in enumerate(_INTERPOLATION.finditer(text)):
            pieces.append(text[position : match.start()])
            position = match.end()
            if match[1]:
                pieces.append("${")
            elif match[3]:
                self._wrong("E216", "`${` is never closed", "write ${params.name}, or $${ for a literal ${", path, nth)
                self.holes.add(path)
            else:
                whole = match.start() == 0 and match.end() == len(text)
                value = self._value(match[2].strip(), match[0], path, nth)
                if isinstance(value, Unset):
                    self.holes.add(path)
                elif whole:
                    return value
                else:
                    pieces.append(self._inside(value, match[2].strip(), path, nth))
        pieces.append(text[position:])
        return text if path in self.holes else "".join(pieces)

    def _value(self, inner: str, raw: str, path: YamlPath, nth: int) -> Any:
        space, _, name = inner.partition(".")
        if space == "params" and name:
            if name in self.values:
                return self.values[name]
            near = close(name, self.values)
            known = f"parameters: {', '.join(self.values)}" if self.values else "declare it under params:"
            self._wrong(
                "E211", f"no parameter {name!r}", f"did you mean ${{params.{near}}}?" if near else known, path, nth
            )
            return UNSET
        if space == "env" and name:
            if not _ENV_NAME.match(name):
                self._wrong(
                    "E216", f"{name!r} is no name of an environment variable", "use letters, digits and _", path, nth
                )
            elif not self.env_allowed(path):
                help = "it may stand in a model's endpoint.url, endpoint.key and endpoint.headers; elsewhere use params"
                self._wrong("E215", "${env.…} is not allowed here", help, path, nth)
            else:
                return raw
            return UNSET
        near = close(inner, [f"params.{n}" for n in self.values]) or (
            f"params.{inner}" if inner in self.values else None
        )
        help = f"did you mean ${{{near}}}?" if near else "write ${params.name}; for a literal ${ write $${"
        self._wrong("E216", f"{raw} is not known", help, path, nth)
        return UNSET

    def _inside(self, value: Any, name: str, path: YamlPath, nth: int) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, list | dict):
            self._wrong(
                "E217", f"{name} is a list and cannot stand inside a text", "let it be the whole value", path, nth
            )
            self.holes.add(path)
            return ""
        return "" if value is None else str(value)

    def _wrong(self, code: str, message: str, help: str, path: YamlPath, nth: int) -> None:
        self.found.append(Diagnostic(code, message, self._place(path, nth), help, path))

    def _place(self, path: YamlPath, nth: int) -> Span:
        """The span of the nth `${…}` of the text at a path."""
        _, node, _ = self.document.find(path)
        source = self.document.text[node.start : node.end]
        for i, match in enumerate(_INTERPOLATION.finditer(source)):
            if i == nth:
                return self.document.span(node.start + match.start(), node.start + match.end())
        return self.document.span(node.start, node.end)
