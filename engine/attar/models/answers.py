"""What an answer is worth: reasoning kept apart, JSON parsed, checked against its schema, repaired only with a mark."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

_THINK = re.compile(r"\A\s*<think>(.*?)</think>\s*", re.DOTALL)
_FENCE = re.compile(r"\A\s*```[a-zA-Z]*\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)
Check = Callable[[Any], str | None]
_checks: dict[int, tuple[Mapping[str, Any], Check]] = {}


class Parsed(NamedTuple):
    """JSON read from a text; `problem` says what is wrong with it ("" where nothing is)."""

    value: Any
    problem: str = ""
    repaired: bool = False


def split_reasoning(text: str) -> tuple[str, str]:
    """(reasoning, content) of a text that may begin with `<think>…</think>`, or hold only its end."""
    if "</think>" not in text:
        return "", text
    found = _THINK.match(text)
    if found:
        return found[1].strip(), text[found.end() :]
    before, _, after = text.partition("</think>")  # templates that open the tag themselves
    if "<think>" in before:
        return "", text
    return before.strip(), after.lstrip()


def chat_value(body: Any) -> dict[str, Any]:
    """The journal's value of a chat completion's body."""
    choice = body["choices"][0]
    message = choice["message"]
    text = message.get("content")
    if text is None:
        text = ""
    elif type(text) is not str:
        text = "".join(part.get("text", "") for part in text)
    reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
    if not reasoning and "</think>" in text:
        reasoning, text = split_reasoning(text)
    return _value(body, choice, text, reasoning, choice.get("logprobs"))


def completion_value(body: Any) -> dict[str, Any]:
    """The journal's value of a text completion's body."""
    choice = body["choices"][0]
    return _value(body, choice, choice["text"], "", choice.get("logprobs"))


def _value(body: Any, choice: Any, text: str, reasoning: str, logprobs: Any) -> dict[str, Any]:
    usage = body.get("usage")
    value: dict[str, Any] = {"text": text, "finish": choice.get("finish_reason") or "stop"}
    if reasoning:
        value["reasoning"] = reasoning
    if usage:
        value["prompt_tokens"] = usage.get("prompt_tokens") or 0
        value["completion_tokens"] = usage.get("completion_tokens") or 0
        details = usage.get("prompt_tokens_details")
        if details and details.get("cached_tokens"):
            value["cached_tokens"] = details["cached_tokens"]
    if logprobs is not None:
        value["logprobs"] = logprobs
    return value


def tokens_value(body: Any) -> dict[str, Any]:
    """The journal's value of a /tokenize body: how many tokens, not which."""
    count = body["count"]
    if type(count) is not int or count < 0:
        raise ValueError(f"count is {count!r}")
    return {"count": count}


def embeddings_value(body: Any) -> dict[str, Any]:
    """The journal's value of an embeddings body: vectors in the order of the texts."""
    rows = sorted(body["data"], key=lambda row: row["index"])
    usage = body.get("usage") or {}
    return {"vectors": [row["embedding"] for row in rows], "prompt_tokens": usage.get("prompt_tokens") or 0}


def logprobs_value(body: Any) -> dict[str, Any]:
    """The journal's value of a text scored by echo: log-probabilities of its tokens, the first left out."""
    choice = body["choices"][0]
    usage = body.get("usage") or {}
    scored = choice.get("prompt_logprobs")
    if scored is not None:
        # vLLM: per token a mapping with the token asked for first
        numbers = [next(iter(entry.values()))["logprob"] for entry in scored if entry]
    else:
        count = usage.get("prompt_tokens")
        given = choice["logprobs"]["token_logprobs"]
        # servers that cannot make zero tokens make one more, which is no part of the text
        numbers = [x for x in (given[:count] if count else given) if x is not None]
    return {"logprobs": numbers, "prompt_tokens": usage.get("prompt_tokens") or 0}


def parse(text: str, check: Check) -> Parsed:
    """Reads JSON from an answer: as it is, without its code fence, and last repaired."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    else:
        return Parsed(value, check(value) or "")
    if not text.strip():
        return Parsed(None, "the answer is empty")
    if fenced := _FENCE.match(text):
        try:
            value = orjson.loads(fenced[1])
        except orjson.JSONDecodeError:
            pass
        else:
            return Parsed(value, check(value) or "", repaired=True)
    import json_repair

    try:
        value = json_repair.loads(text)
    except Exception:
        # a third-party parser on text a model made up: whatever it raises, the answer cannot be read
        return Parsed(None, "the answer is no JSON")
    if value == "" or isinstance(value, str):
        return Parsed(None, "the answer is no JSON")
    return Parsed(value, check(value) or "", repaired=True)


def checker(schema: Mapping[str, Any]) -> Check:
    """A function that says what is wrong with a value under `schema`, or None. Compiled once per schema object."""
    found = _checks.get(id(schema))
    if found is not None and found[0] is schema:
        return found[1]
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(schema)

    def check(value: Any) -> str | None:
        for error in validator.iter_errors(value):
            where = "/".join(str(part) for part in error.absolute_path)
            return f"{where or 'answer'}: {error.message}"[:300]
        return None

    if len(_checks) > 1024:
        _checks.clear()
    _checks[id(schema)] = (schema, check)
    return check
