"""The embedded backend: no model, no network, the same answers everywhere. It answers in the form a server would.

An answer comes from the prompt's own `rehearse` template, else from the schema asked for, else it is plain words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import orjson

from attar.api import RowError
from attar.identity import H
from attar.models.calls import Call
from attar.models.instances import instance
from attar.models.words import words

_DIMENSIONS = 64


def identity(call: Call, seed: int) -> dict[str, Any]:
    """What a rehearsed answer depends on besides the request: what its template makes of the row.

    Not what the template *could* see: params hold paths, and a rehearsal must not differ from one folder to another.
    """
    if call.rehearse is None:
        return {}
    try:
        return {"rehearse": H(_text(call, _dice(call, seed)))}
    except RowError as error:
        return {"rehearse": H("failed", error.detail)}


def _dice(call: Call, seed: int) -> Random:
    return Random(f"{seed} {call.protocol}")


def respond(call: Call, seed: int) -> dict[str, Any]:
    """The body a server would send.

    Args:
        seed: of the request; words, picks and failures follow it.

    Raises:
        RowError: `rehearse`, the template failed.
    """
    rng = _dice(call, seed)
    if call.protocol == "embeddings":
        rows = [{"index": i, "embedding": _vector(text)} for i, text in enumerate(call.texts)]
        return {"data": rows, "usage": {"prompt_tokens": sum(len(t) for t in call.texts) // 4 + 1}}
    if call.protocol == "logprobs":
        shown = call.prompt.split()
        scores = [None, *(-8 * rng.random() for _ in shown[1:])]
        return {
            "choices": [{"text": "", "logprobs": {"token_logprobs": scores}}],
            "usage": {"prompt_tokens": len(shown)},
        }
    text = _text(call, rng)
    asked = len(call.prompt) + sum(len(str(m.get("content", ""))) for m in call.messages)
    usage = {"prompt_tokens": asked // 4 + 1, "completion_tokens": len(text) // 4 + 1}
    if call.protocol == "completion":
        return {"choices": [{"text": text, "finish_reason": "stop"}], "usage": usage}
    return {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": usage}


def _text(call: Call, rng: Random) -> str:
    if call.rehearse is not None:
        return rehearse(call.rehearse, call.variables, rng)
    if call.schema is not None:
        return orjson.dumps(instance(call.schema, rng)).decode()
    return words(rng, rng.randint(30, 60))


def rehearse(template: str, variables: Mapping[str, Any], rng: Random) -> str:
    """Renders a `rehearse` template: sandboxed Jinja with `words(n)`, `pick(list)`, `fail(p)`, `number(a, b)`.

    Raises:
        RowError: `rehearse`, the template failed.
    """

    def pick(choices: Sequence[Any]) -> Any:
        return rng.choice(list(choices))

    def fail(p: float) -> bool:
        return rng.random() < p

    def number(a: float, b: float) -> float:
        if isinstance(a, int) and isinstance(b, int):
            return rng.randint(a, b)
        return round(rng.uniform(a, b), 3)

    def some_words(n: int) -> str:
        return words(rng, n)

    from attar.recipe.expressions import render

    try:
        return render(template, {**variables, "words": some_words, "pick": pick, "fail": fail, "number": number})
    except Exception as error:
        # Jinja runs the user's template: it can raise anything
        raise RowError("rehearse", f"the rehearse template failed: {error}") from error


def _vector(text: str) -> list[float]:
    """A unit vector in which texts that share words are near each other, so that retrieval has something to find."""
    vector = [0.0] * _DIMENSIONS
    for word in text.lower().split():
        digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
        vector[digest[0] % _DIMENSIONS] += 1.0
        vector[digest[1] % _DIMENSIONS] -= 0.5
    size = sum(x * x for x in vector) ** 0.5 or 1.0
    return [x / size for x in vector]
