"""How often, how long and how patiently a request is tried again."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from random import Random

from attar.errors import fail

_jitter = Random()  # timing only: never touches data


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Tries of one request, with full jitter: before try n + 1 it waits uniform(0, min(longest, first · 2ⁿ⁻¹)).

    Attributes:
        tries: of one request in all, for 429, 5xx, broken connections, time-outs and broken bodies.
        timeouts: of these, how many may be time-outs (each costs `timeout` seconds).
        first, longest: back-off in seconds.
        longest_after: the longest Retry-After that is waited for, seconds; a longer one is cut to it.
        timeout: seconds for one try; None takes the endpoint's own.
        dead_after: seconds without any answer, counted from the first failure, after which the server counts as dead.
    """

    tries: int = 8
    timeouts: int = 3
    first: float = 0.5
    longest: float = 30.0
    longest_after: float = 120.0
    timeout: float | None = None
    dead_after: float = 600.0

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> RetryPolicy:
        """The default, changed by ATTAR_RETRY (`tries=3,first=0.1`).

        Raises:
            AttarError: E609, a name is unknown or a value no number.
        """
        known = {f.name: f.type for f in fields(cls)}
        values: dict[str, float | int] = {}
        for pair in filter(None, env.get("ATTAR_RETRY", "").split(",")):
            name, _, text = pair.partition("=")
            name = name.strip()
            try:
                if name not in known:
                    raise ValueError
                values[name] = int(text) if known[name] == "int" else float(text)
            except ValueError:
                raise fail("E609", f"ATTAR_RETRY: {pair!r}; expected name=number of {', '.join(known)}") from None
        return cls(**values)  # type: ignore[arg-type]

    def wait(self, failures: int, after: float | None) -> float:
        """Seconds to wait after this many failures; a server's Retry-After is the least, plus a little."""
        back_off = _jitter.uniform(0, min(self.longest, self.first * 2 ** min(failures - 1, 30)))
        if after is None:
            return back_off
        return min(after, self.longest_after) + min(back_off, 0.1 * after + 0.05)


def retry_after(value: str | None) -> float | None:
    """Seconds a Retry-After header asks for (number or date form), or None where it says nothing usable."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
