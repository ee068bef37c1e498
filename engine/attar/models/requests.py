"""Request bodies as servers get them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attar.api import RowError
from attar.models.binding import Bound
from attar.models.calls import Call


def wire_body(bound: Bound, call: Call, sampling: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The request body as the server gets it."""
    protocol = call.protocol
    if protocol == "embeddings":
        return {"model": bound.model, "input": call.texts}
    if protocol == "tokens":
        return {"model": bound.model, "prompt": call.prompt, "add_special_tokens": False}
    if protocol == "logprobs":
        return {
            "model": bound.model,
            "prompt": call.prompt,
            "max_tokens": 0,
            "echo": True,
            "logprobs": 1,
            "temperature": 0,
        }
    wire: dict[str, Any] = {"model": bound.model, **sampling}
    if protocol == "chat":
        wire["messages"] = call.messages
    else:
        wire["prompt"] = call.prompt
    if bound.send_seed:
        wire["seed"] = seed
    if bound.send_priority:
        wire["priority"] = call.priority
    if call.schema is not None:
        wire["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": call.schema, "strict": True},
        }
    return wire


def check_length(call: Call, most: int) -> None:
    """Refuses a prompt that cannot fit whatever the tokenizer: every word is a token at least.

    Raises:
        RowError: `too_long`.
    """
    if call.protocol == "chat":
        texts = [m["content"] for m in call.messages if isinstance(m.get("content"), str)]
    else:
        texts = [call.prompt, *call.texts] if call.protocol != "embeddings" else list(call.texts)
    # A word of one letter and a space is the shortest: shorter texts need not be split.
    if call.protocol == "embeddings":
        least = max((len(text.split()) for text in texts if len(text) > 2 * most), default=0)
    elif sum(map(len, texts)) < 2 * most:
        return
    else:
        least = sum(len(text.split()) for text in texts)
    if least > most:
        raise RowError("too_long", f"the prompt has {least} words, the model takes {most} tokens")


def plain(value: Any) -> Any:
    """What orjson cannot write by itself: subclasses of str, other mappings and sequences."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    return list(value)
