"""Sandboxed Jinja: prompts, `when:`, rules. Strict about undefined names, the same on every run.

What Jinja offers that could differ between two runs (the filter `random`, the global `lipsum`) is taken out. Prompts
are byte-faithful: nothing is escaped, trailing newlines stay, a line that holds only a block tag leaves no empty line.
Line ends of a template become `\\n`, so that a prompt is the same after a checkout on another system; values are put in
as they are, and nothing in a value is ever run as a template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple


class ExpressionError(ValueError):
    """An expression or template could not be worked out over the values it was given."""


class Fault(NamedTuple):
    """A syntax error in an expression or template; line and column count from 1."""

    message: str
    line: int
    column: int


@lru_cache(maxsize=1)
def environment() -> Any:
    """The one Jinja environment. jinja2 costs about 40 ms to import, so it is imported on first use."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    from attar.recipe.text import count_characters, count_sentences, count_words, nfc

    class Sandbox(ImmutableSandboxedEnvironment):
        def getattr(self, obj: Any, attribute: str) -> Any:
            # A struct column is a dict: its own `items` or `keys` field comes before dict's method of that name.
            if isinstance(obj, Mapping) and attribute in obj:
                return obj[attribute]
            return super().getattr(obj, attribute)

    made = Sandbox(
        undefined=StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: "" if value is None else value,  # a null column leaves nothing, not the word None
        cache_size=0,
    )
    del made.filters["random"], made.globals["lipsum"]
    made.filters.update(
        words=count_words, sentences=count_sentences, chars=count_characters, nfc=nfc, json=to_json, tojson=to_json
    )
    return made


def to_json(value: Any) -> str:
    """JSON as a person reads it: one line, no escapes for non-ASCII text, keys in the order they have."""
    return json.dumps(value, ensure_ascii=False, default=_jsonable)


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    return str(value)


@lru_cache(maxsize=4096)
def compile_expression(text: str) -> Callable[[Mapping[str, Any]], Any]:
    """A function from variables to the expression's value.

    Raises:
        ExpressionError: the text is no expression; the function raises it for undefined names and failed operations.
    """
    from jinja2 import TemplateSyntaxError

    try:
        run = environment().compile_expression(text, undefined_to_none=False)
    except TemplateSyntaxError as error:
        raise ExpressionError(f"{text!r} is no expression: {error.message}") from None
    from jinja2 import Undefined

    def evaluate(variables: Mapping[str, Any]) -> Any:
        try:
            value = run(variables)
            if isinstance(value, Undefined):
                str(value)  # a strict undefined says what is missing
            return value
        except _failures() as error:
            raise ExpressionError(f"{text!r}: {error}") from error

    return evaluate


@lru_cache(maxsize=1024)
def _template(text: str) -> Any:
    from jinja2 import TemplateSyntaxError

    try:
        return environment().from_string(text)
    except TemplateSyntaxError as error:
        raise ExpressionError(f"line {error.lineno}: {error.message}") from None


def render(template: str, variables: Mapping[str, Any]) -> str:
    """The template's text over the variables.

    Raises:
        ExpressionError: a syntax error, an undefined name, or an operation that fails on these values.
    """
    compiled = _template(template)
    spare = _contexts(template)
    try:
        # What Template.render does, but with contexts used again: making one costs five times what rendering does.
        context = spare.pop() if spare else compiled.new_context({}, shared=True)
        context.parent = {**_globals(), **variables}
        context.vars = {}
        text = "".join(compiled.root_render_func(context))
    except _failures() as error:
        raise ExpressionError(str(error)) from error
    context.exported_vars.clear()
    spare.append(context)  # only now: nobody else may have it while it renders (steps render in threads, too)
    return text


@lru_cache(maxsize=512)
def _contexts(template: str) -> list[Any]:
    """Contexts of a template that wait to be used again."""
    return []


@lru_cache(maxsize=1)
def _globals() -> dict[str, Any]:
    return dict(environment().globals)


@lru_cache(maxsize=1)
def _failures() -> tuple[type[Exception], ...]:
    from jinja2 import TemplateError

    return (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)


def expression_variables(text: str) -> set[str]:
    """Names an expression reads.

    Raises:
        ExpressionError: the text is no expression.
    """
    return set(template_variables("{{ (" + text + ") }}"))


def template_variables(text: str) -> dict[str, tuple[int, int]]:
    """Names a template reads, each with line and column of its first use, in order of use.

    Raises:
        ExpressionError: the text is no template.
    """
    from jinja2 import TemplateSyntaxError, meta

    try:
        names = meta.find_undeclared_variables(environment().parse(text))
    except TemplateSyntaxError as error:
        raise ExpressionError(f"line {error.lineno}: {error.message}") from None
    places: dict[str, tuple[int, int]] = {}
    tokens = list(_tokens(text))
    for i, (kind, value, offset) in enumerate(tokens):
        if kind != "name" or value not in names or value in places:
            continue
        before = tokens[i - 1][1] if i else ""
        after = tokens[i + 1][1] if i + 1 < len(tokens) else ""
        if before in (".", "|", "is", "filter") or (after == "=" and before in ("(", ",")):
            continue  # an attribute, a filter, a test, an argument's name
        places[value] = _position(text, offset)
    for name in sorted(names - places.keys()):  # only a name in a form not foreseen above
        places[name] = (1, 1)
    return places


def template_attributes(text: str, name: str) -> dict[str, tuple[int, int]]:
    """Attributes that a template reads of a name (`x` of `params.x` and `params["x"]`), each with line and column of
    its first use."""
    places: dict[str, tuple[int, int]] = {}
    tokens = list(_tokens(text))
    for i, (kind, value, offset) in enumerate(tokens[2:], 2):
        dot = tokens[i - 1][1]
        quoted = kind == "string" and dot == "["
        if (quoted or (kind == "name" and dot == ".")) and tokens[i - 2][:2] == ("name", name):
            if i > 2 and tokens[i - 3][1] == ".":
                continue  # an attribute of that name, of something else
            places.setdefault(value[1:-1] if quoted else value, _position(text, offset + quoted))
    return places


def check_expression(text: str) -> Fault | None:
    """What is wrong with an expression's syntax; None when it can be read."""
    from jinja2 import TemplateSyntaxError

    if not text.strip():
        return Fault("the expression is empty", 1, 1)
    try:
        environment().compile_expression(text)
    except TemplateSyntaxError as error:
        return _fault(text, error, "variable")
    return None


def check_template(text: str) -> Fault | None:
    """What is wrong with a template's syntax; None when it can be read."""
    from jinja2 import TemplateSyntaxError

    try:
        environment().compile(text, raw=True)  # finds unknown filters too, and leaves out Python's own compiler
    except TemplateSyntaxError as error:
        return _fault(text, error)
    return None


def _fault(text: str, error: Exception, state: str | None = None) -> Fault:
    """Message, line and column of a Jinja syntax error. Jinja tells the line only; the column is that of the token at
    which its parser stopped."""
    message = str(getattr(error, "message", None) or error)
    line = int(getattr(error, "lineno", 1) or 1)
    for name, better in _BETTER.items():
        message = message.replace(name, better)
    if character := _CHARACTER.match(message):
        return Fault(f"unexpected character {character[1]}", *_position(text, int(character[2])))
    if unknown := re.match(r"No (filter|test) named '(.*)'", message):
        return _unknown_name(text, unknown[1], unknown[2], state)
    if (unclosed := re.search(r"block that needs to be closed is '(\w+)'", message)) and state is None:
        name = unclosed[1]
        place = _position(text, _opening(text, name))
        return Fault(f"{{% {name} … %}} is never closed; end it with {{% end{name} %}}", *place)
    offset = _stopped_at(text, state)
    if offset is not None:
        found = _position(text, offset)
        if found[0] == line:
            return Fault(message, *found)
    starts = text.split("\n")
    here = starts[line - 1] if line <= len(starts) else ""
    return Fault(message, line, len(here) - len(here.lstrip()) + 1)


def _opening(text: str, name: str) -> int:
    """Offset of the innermost `{% name … %}` that has no end."""
    stack = [0]
    for before, token in pairwise(_tokens(text)):
        if before[0] == "block_begin" and token[1] == name:
            stack.append(before[2])
        elif before[0] == "block_begin" and token[1] == f"end{name}" and len(stack) > 1:
            stack.pop()
    return stack[-1]


def _unknown_name(text: str, kind: str, name: str, state: str | None) -> Fault:
    """A filter or test that is not there: its place, and the nearest that is."""
    from attar.recipe.nodes import close

    known = environment().filters if kind == "filter" else environment().tests
    near = close(name, known)
    message = f"no {kind} {name!r}" + (f"; did you mean {near}?" if near else "")
    for before, token in pairwise(_tokens(text, state)):
        if token[1] == name and before[1] in ("|", "is", "not", "filter"):
            return Fault(message, *_position(text, token[2]))
    return Fault(message, 1, 1)


_CHARACTER = re.compile(r"unexpected char (.+) at ([0-9]+)")
_BETTER = {
    "chunk after expression": "something follows the expression",
    "unexpected 'end of template'": "unexpected end",
    "Unexpected end of template": "Unexpected end",
    "unexpected end of template": "unexpected end",
    "end of print statement": "}}",
    "end of statement block": "%}",
    "begin of statement block": "{%",
    "end of template": "the end",
}


def _stopped_at(text: str, state: str | None) -> int | None:
    """Offset of the token at which the parser gives up; None where it does not, or the lexer does."""
    from jinja2 import TemplateSyntaxError
    from jinja2.parser import Parser

    tokens: list[tuple[str, str, int]] = []
    try:
        for token in _tokens(text, state):
            tokens.append(token)  # noqa: PERF402
    except TemplateSyntaxError:  # the lexer gives up, at a bracket closed that was never opened
        end = tokens[-1][2] + len(tokens[-1][1]) if tokens else 0
        return end + len(text[end:]) - len(text[end:].lstrip())
    parser = Parser(environment(), text, state=state)
    # The stream holds one token already: `taken` counts those it takes from here on, so it is the current one's index.
    taken = 0
    source = parser.stream._iter

    def counted() -> Iterator[Any]:
        nonlocal taken
        for token in source:
            taken += 1
            yield token

    parser.stream._iter = counted()
    try:
        if state is None:
            parser.parse()
        else:
            parser.parse_expression()
            if not parser.stream.eos:
                parser.fail("")
    except TemplateSyntaxError:
        at = taken - len(parser.stream._pushed)
        if parser.stream.current.type == "eof" or at >= len(tokens):
            return len(text.rstrip())
        return tokens[at][2]
    return None


def _tokens(text: str, state: str | None = None) -> Iterator[tuple[str, str, int]]:
    """The tokens the parser sees, as (type, text, offset)."""
    from jinja2.lexer import ignored_tokens

    position = 0
    for _, kind, value in environment().lexer.tokeniter(text, None, None, state):
        at = text.find(value, position)  # the lexer leaves out white space that it trims
        offset = at if at >= 0 else position
        position = offset + len(value) if at >= 0 else position
        if kind not in ignored_tokens and kind not in ("raw_begin", "raw_end"):
            yield str(kind), str(value), offset


def _position(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
