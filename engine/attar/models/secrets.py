"""Where addresses and keys come from: the environment, looked up in the process that uses them, never kept."""

from __future__ import annotations

import re
from collections.abc import Mapping

from attar.models.calls import Stop

_REFERENCE = re.compile(r"\$?\$\{env\.([A-Za-z_][A-Za-z0-9_]*)\}")
HIDDEN = "***"


def resolve_text(text: str, env: Mapping[str, str], model: str) -> str:
    """`text` with every `${env.NAME}` replaced; `$${` stands for a plain `${`.

    Raises:
        Stop: a variable is not set.
    """

    def value(match: re.Match[str]) -> str:
        if match[0].startswith("$$"):
            return match[0][1:]
        found = env.get(match[1])
        if not found:
            raise Stop(
                "E604",
                f"model {model!r} needs environment variable {match[1]}, which is not set",
                f"set {match[1]} and run again",
                exit_code=2,
            )
        return found

    return _REFERENCE.sub(value, text)


def variables_in(text: str | None) -> list[str]:
    """Names of the environment variables a text refers to."""
    return [] if text is None else [m[1] for m in _REFERENCE.finditer(text) if not m[0].startswith("$$")]


def base_url(text: str) -> str:
    """A server's address as requests need it: with `/v1`, without a slash at the end."""
    text = text.strip().rstrip("/")
    for ending in ("/chat/completions", "/completions", "/embeddings", "/models"):
        text = text.removesuffix(ending)
    if "://" not in text:
        text = "http://" + text
    path = text.partition("://")[2].partition("/")[2]
    return text if path else text + "/v1"


class Scrubber:
    """Takes known secrets out of texts that others wrote."""

    def __init__(self, secrets: list[str]) -> None:
        # Short ones would blank out words that happen to be equal.
        self._secrets = sorted({s for s in secrets if len(s) >= 4}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text
