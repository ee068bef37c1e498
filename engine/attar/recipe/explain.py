"""pydantic's errors as diagnostics: at the right place, in the words of someone who writes YAML.

Usable for any model whose data came from YAML (a plugin's Config under `with:` too): give the model, the data and two
functions that find places.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from attar.errors import Diagnostic, Span
from attar.recipe.loaded import YamlPath
from attar.recipe.nodes import close

_INSTEAD = {
    "text": "write a text",
    "a whole number": "write a whole number, such as 3, or ${params.name}",
    "a number": "write a number, such as 0.5, or ${params.name}",
    "true or false": "write true or false, without quotes",
    "a list": "write a list: [a, b], or one `- item` a line",
    "a mapping": "write `name: value`, one a line without a dash, or {name: value}",
    "nothing": "leave the key out",
}

Locate = Callable[[YamlPath], Span | None]

_EXPECTED = {
    "string_type": "text",
    "string_sub_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dataclass_type": "a mapping",
    "none_required": "nothing",
}


def explain(
    error: ValidationError,
    model: type[BaseModel],
    data: Any,
    *,
    key: Locate,
    value: Locate,
    base: YamlPath = (),
    written: Callable[[YamlPath], str | None] = lambda path: None,
) -> list[Diagnostic]:
    """One diagnostic per mistake behind a ValidationError.

    Args:
        error: from `model.model_validate(data)`.
        data: what was validated: plain dicts, lists and scalars.
        key, value: the place of the key, or the value, at a path (`base` included).
        base: the path of `data` in its file.
        written: how a scalar stands in the file where that differs from its value (`no` for false); None if unknown.

    Returns:
        In the order of pydantic's report. The members of a union speak with one voice.
    """
    found: list[Diagnostic] = []
    for path, errors in _grouped(error.errors(include_url=False), data):
        found.extend(_say(path, errors, model, data, key, value, base, written))
    return found


def _grouped(errors: Iterable[Mapping[str, Any]], data: Any) -> list[tuple[YamlPath, list[Mapping[str, Any]]]]:
    """Errors by the path where they stand in the data; a union's failed members whose shape is wrong are left out."""
    groups: dict[YamlPath, list[Mapping[str, Any]]] = {}
    for error in errors:
        groups.setdefault(_data_path(error["loc"], error["type"], data), []).append(error)
    # A member that got further (an item of the list is wrong) is what the user meant; drop its siblings' complaints
    # about the whole value.
    kept = []
    for path, group in groups.items():
        deeper = any(len(other) > len(path) and other[: len(path)] == path for other in groups)
        whole = [e for e in group if e["type"] in _EXPECTED]
        if deeper and len(whole) == len(group):
            continue
        kept.append((path, group))
    return kept


def _data_path(loc: Sequence[str | int], kind: str, data: Any) -> YamlPath:
    """The part of an error's loc that names data; the rest are pydantic's names of union members."""
    path: list[str | int] = []
    here = data
    for i, part in enumerate(loc):
        last = i == len(loc) - 1
        found, inner = _step_into(here, part)
        if found:
            path.append(part)
            here = inner
        elif last and kind == "missing":
            path.append(part)
    return tuple(path)


def _step_into(data: Any, part: str | int) -> tuple[bool, Any]:
    if isinstance(data, Mapping):
        return part in data, data.get(part)
    if isinstance(data, list) and isinstance(part, int) and 0 <= part < len(data):
        return True, data[part]
    return False, None


def _at(data: Any, path: YamlPath) -> Any:
    for part in path:
        data = data[part]
    return data


def _say(
    path: YamlPath,
    errors: list[Mapping[str, Any]],
    model: type[BaseModel],
    data: Any,
    key: Locate,
    value: Locate,
    base: YamlPath,
    written: Callable[[YamlPath], str | None],
) -> Iterable[Diagnostic]:
    full = base + path
    first = errors[0]
    kind = first["type"]
    name = ".".join(str(p) for p in path)
    if kind == "extra_forbidden":
        known = field_names(model, path[:-1], data)
        yield unknown_key(str(path[-1]), known, key(full), full)
        return
    if kind == "missing":
        yield Diagnostic(
            "E201", f"missing key {path[-1]!r}{_inside(base + path[:-1])}", key(full[:-1]), f"add `{path[-1]}: …`", full
        )
        return
    input_ = _at(data, path)
    expected = list(dict.fromkeys(_EXPECTED[e["type"]] for e in errors if e["type"] in _EXPECTED))
    if expected and len(expected) == len(dict.fromkeys(_EXPECTED.get(e["type"], e["type"]) for e in errors)):
        as_written = written(full)
        quote = ""
        if "text" in expected and isinstance(input_, bool | int | float):
            quote = f'put it in quotes: "{as_written or input_}"'
        elif isinstance(input_, str) and _reads_as(input_, expected):
            quote = f"leave out the quotes: {input_}"
        elif expected == ["a list"] and not isinstance(input_, Mapping):
            quote = f"write [{_short(input_)}]"
        if not quote:
            quote = _INSTEAD[expected[0]]
        yield Diagnostic(
            "E202",
            f"{name}: expected {_or(expected)}, found {describe(input_, as_written)}",
            value(full),
            quote,
            full,
        )
        return
    for one in errors:
        if one["type"] in _EXPECTED and len(errors) > 1:
            continue
        yield _single(one, name, input_, value(full), full)


def _single(error: Mapping[str, Any], name: str, input_: Any, span: Span | None, full: YamlPath) -> Diagnostic:
    kind, ctx = error["type"], error.get("ctx") or {}
    if kind in ("literal_error", "enum"):
        choices = [c.strip().strip("'") for c in str(ctx.get("expected", "")).replace(" or ", ", ").split(",")]
        near = close(str(input_), choices) if isinstance(input_, str) else None
        help = f"did you mean {near}?" if near else "choose one of these" if len(choices) > 1 else f"write {choices[0]}"
        return Diagnostic("E206", f"{name}: expected {_or(choices)}, found {describe(input_)}", span, help, full)
    limits = {
        "greater_than": ("gt", "more than"),
        "greater_than_equal": ("ge", "at least"),
        "less_than": ("lt", "less than"),
        "less_than_equal": ("le", "at most"),
    }
    if kind in limits:
        field, words = limits[kind]
        limit = ctx.get(field)
        limit = f"{limit:g}" if isinstance(limit, float) else limit
        message = f"{name}: expected {words} {limit}, found {_short(input_)}"
        return Diagnostic("E204", message, span, f"write a number that is {words} {limit}", full)
    if kind == "string_pattern_mismatch":
        message = f"{name}: {_short(input_)!r} has a form that is not allowed here"
        return Diagnostic("E205", message, span, f"it must match {ctx.get('pattern')}", full)
    if kind in ("string_too_short", "too_short"):
        return Diagnostic("E204", f"{name}: must not be empty", span, "fill it in, or take the key away", full)
    if kind == "string_too_long":
        limit = ctx.get("max_length")
        message = f"{name}: expected at most {limit} characters, found {len(str(input_))}"
        return Diagnostic("E204", message, span, "shorten it", full)
    message = str(error.get("msg", kind)).removeprefix("Value error, ")
    if kind in _EXPECTED:
        message = f"expected {_EXPECTED[kind]}, found {describe(input_)}"
    return Diagnostic("E204", f"{name}: {message}" if name else message, span, "", full)


def unknown_key(name: str, known: Iterable[str], span: Span | None, path: YamlPath) -> Diagnostic:
    """The diagnostic for a key that nobody knows, with the nearest name, else all of them."""
    names = sorted(known)
    near = close(name, names)
    if near:
        help = f"did you mean {near!r}?"
    else:
        help = f"allowed here: {', '.join(names)}" if names else "no keys are allowed here"
    return Diagnostic("E203", f"unknown key {name!r}{_inside(path[:-1])}", span, help, path)


def describe(value: Any, written: str | None = None) -> str:
    """A value in the words of someone who writes YAML."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        word = "true" if value else "false"
        return f"{word} (written {written})" if written and written.lower() != word else word
    if isinstance(value, int | float):
        return f"the number {written or value}"
    if isinstance(value, str):
        return f"the text {_short(value)!r}"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else type(value).__name__


def field_names(model: Any, path: YamlPath, data: Any) -> set[str]:
    """The keys allowed at a path of a model's data; of a union, those of the member the data looks most like."""
    here: list[Any] = [model]
    for part in path:
        _, data = _step_into(data, part)
        following: list[Any] = []
        for tp in here:
            following.extend(_child(tp, part))
        here = [m for tp in following for m in _members(tp)]
        here = _meant(here, data)
    names: set[str] = set()
    for tp in here:
        if isinstance(tp, type) and issubclass(tp, BaseModel):
            names.update(f.alias or n for n, f in tp.model_fields.items())
    return names


def _meant(members: list[Any], data: Any) -> list[Any]:
    models = [m for m in members if isinstance(m, type) and issubclass(m, BaseModel)]
    if len(models) < 2 or not isinstance(data, Mapping):
        return members
    scores = {m: len({f.alias or n for n, f in m.model_fields.items()} & set(data)) for m in models}
    if "repeat" in data:  # `steps:` holds steps and repeats; the key decides
        repeats = [m for m in models if "repeat" in m.model_fields]
        if repeats:
            return repeats
    best = max(scores.values())
    return [m for m in models if scores[m] == best][:1]


def _members(tp: Any) -> list[Any]:
    if get_origin(tp) is Annotated:
        return _members(get_args(tp)[0])
    if get_origin(tp) in (Union, types.UnionType):
        return [m for a in get_args(tp) for m in _members(a)]
    return [tp]


def _child(tp: Any, part: str | int) -> list[Any]:
    if isinstance(tp, type) and issubclass(tp, BaseModel):
        for n, f in tp.model_fields.items():
            if (f.alias or n) == part:
                return [f.annotation]
        return []
    origin, args = get_origin(tp), get_args(tp)
    if origin in (dict, Mapping, typing.Mapping) and len(args) == 2:
        return [args[1]]
    if origin in (list, tuple, set, Sequence) and args:
        return [args[0]]
    return []


def _reads_as(text: str, expected: list[str]) -> bool:
    try:
        if "a whole number" in expected:
            int(text)
            return True
        if "a number" in expected:
            float(text)
            return True
    except ValueError:
        return False
    return "true or false" in expected and text in ("true", "false")


def _inside(path: YamlPath) -> str:
    return f" in {'.'.join(str(p) for p in path)}" if path else ""


def _or(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "…"
