"""What the stand-in server answers.

A responder is `(messages, body, rng) -> str | dict | list | Reply`; a dict or list is sent as JSON text.

`rng` is seeded by the request key, so the same request gets the same answer on every machine.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

import orjson

from attar.models.instances import instance
from attar.models.words import words as some_words

Messages = Sequence[Mapping[str, Any]]


class Reply(NamedTuple):
    """A full answer, for responders that set more than the content."""

    content: str
    reasoning: str = ""
    finish_reason: str = "stop"


Responder = Callable[[Messages, Mapping[str, Any], Random], "str | Mapping[str, Any] | list[Any] | Reply"]
_GOOD = ("pass", "passed", "yes", "accept", "accepted", "true", "good", "grounded", "ok")
_BAD = ("fail", "failed", "no", "reject", "rejected", "false", "bad", "ungrounded")


def text_of(messages: Messages) -> str:
    """The text of all messages, in order; parts that are no text are left out."""
    out: list[str] = []
    for message in messages:
        content = message.get("content")
        if isinstance(content, str):
            out.append(content)
        elif isinstance(content, list):
            out += [part["text"] for part in content if isinstance(part, Mapping) and isinstance(part.get("text"), str)]
    return "\n".join(out)


def schema_of(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The JSON Schema a request asks for, or None."""
    wanted = body.get("response_format")
    if not isinstance(wanted, Mapping) or wanted.get("type") != "json_schema":
        return None
    schema = wanted.get("json_schema", {}).get("schema")
    return schema if isinstance(schema, Mapping) else None


def echo(messages: Messages, body: Mapping[str, Any], rng: Random) -> str:
    """The last message's text."""
    return text_of(messages[-1:])


def body(messages: Messages, body: Mapping[str, Any], rng: Random) -> Mapping[str, Any]:
    """The request itself, for tests of what is sent."""
    return body


def schema(messages: Messages, body: Mapping[str, Any], rng: Random) -> Any:
    """A random valid instance of the schema asked for; words where none was."""
    wanted = schema_of(body)
    return some_words(rng, 40) if wanted is None else instance(wanted, rng)


def words(n: int) -> Responder:
    """`n` words."""

    def respond(messages: Messages, body: Mapping[str, Any], rng: Random) -> str:
        return some_words(rng, n)

    return respond


def judge(p: float) -> Responder:
    """Passes with probability `p`: true, "pass" or the highest score in every place of the schema that can say so."""

    def respond(messages: Messages, body: Mapping[str, Any], rng: Random) -> Any:
        good = rng.random() < p
        wanted = schema_of(body)
        if wanted is None:
            return "PASS" if good else "FAIL"
        return _verdict(wanted, instance(wanted, rng), good)

    return respond


def _verdict(schema: Any, value: Any, good: bool) -> Any:
    if not isinstance(schema, Mapping):
        return value
    options = schema.get("enum")
    if options:
        for option in options:
            if str(option).lower() in (_GOOD if good else _BAD):
                return option
        if all(isinstance(option, int | float) for option in options):
            return max(options) if good else min(options)
        return value
    if isinstance(value, bool):
        return good
    if isinstance(value, int | float) and "minimum" in schema and "maximum" in schema:
        return schema["maximum"] if good else schema["minimum"]
    if isinstance(value, dict):
        parts = schema.get("properties", {})
        return {name: _verdict(parts.get(name), item, good) for name, item in value.items()}
    if isinstance(value, list):
        return [_verdict(schema.get("items"), item, good) for item in value]
    return value


def find(spec: str) -> Responder:
    """The responder a setting names: `echo`, `schema`, `words(20)`, `judge(0.7)` or `module:function`.

    Raises:
        ValueError: there is no such responder.
    """
    if spec == "echo":
        return echo
    if spec == "schema":
        return schema
    if found := re.fullmatch(r"(words|judge)\(([\d.]+)\)", spec):
        return words(int(found[2])) if found[1] == "words" else judge(float(found[2]))
    module, colon, name = spec.partition(":")
    if not colon:
        raise ValueError(f"no responder {spec!r}: expected echo, schema, words(n), judge(p) or module:function")
    try:
        responder: Responder = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"responder {spec!r} cannot be imported: {error}") from error
    return responder


def content_of(answer: Any) -> Reply:
    """A responder's answer as a Reply."""
    if isinstance(answer, Reply):
        return answer
    if isinstance(answer, str):
        return Reply(answer)
    return Reply(orjson.dumps(answer).decode())
