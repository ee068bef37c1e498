"""A served model made ready for requests in this process: the only place that sees addresses and keys."""

from __future__ import annotations

import importlib
import ssl
from collections.abc import Mapping
from typing import Any

from multidict import CIMultiDict
from yarl import URL

from attar.models.calls import ServedModel, Stop
from attar.models.policy import RetryPolicy
from attar.models.secrets import base_url, resolve_text, variables_in
from attar.models.transport import Route, Server, proxy_for

_PATHS = {
    "chat": "/chat/completions",
    "completion": "/completions",
    "embeddings": "/embeddings",
    "logprobs": "/completions",
}


class Bound:
    """A served model made ready for requests in this process: this is where secrets live, and nowhere else."""

    __slots__ = (
        "backend",
        "headers",
        "max_context",
        "model",
        "name",
        "protocols",
        "revision",
        "routes",
        "sampling",
        "send_priority",
        "send_seed",
        "served",
        "server",
    )

    def __init__(self, served: ServedModel) -> None:
        spec = served.spec
        self.name = served.name
        self.served = served
        self.model = served.model
        self.revision = spec.revision
        self.sampling: dict[str, Any] = spec.sampling.model_dump(exclude_none=True)
        self.send_seed = spec.send_seed
        self.send_priority = served.send_priority
        limit = spec.serve.get("max-model-len", spec.serve.get("max_model_len"))
        self.max_context = spec.max_context or (limit if isinstance(limit, int) else None)
        self.routes: dict[str, Route] = {}
        self.headers: CIMultiDict[str] = CIMultiDict()
        self.server: Server | None = None
        self.backend: Any = None
        # Answers no model gave are kept under keys of their own: a rehearsal must never be taken for paid work.
        mark = "rehearsal-" if served.kind == "rehearsal" else ""
        self.protocols = {name: mark + name for name in _PATHS}

    def merged(self, sampling: Mapping[str, Any] | None) -> dict[str, Any]:
        """The model's sampling with a call's overrides; null removes a parameter."""
        if not sampling:
            return self.sampling
        return {name: value for name, value in {**self.sampling, **sampling}.items() if value is not None}


def bind(served: ServedModel, env: Mapping[str, str], policy: RetryPolicy, secrets: list[str]) -> Bound:
    """Looks up a model's address and key; what must never be shown is added to `secrets`.

    Raises:
        Stop: a variable is not set, the address is not known, or certificates cannot be read.
    """
    bound = Bound(served)
    if served.kind == "plugin":
        module, _, name = served.backend_path.partition(":")
        bound.backend = getattr(importlib.import_module(module), name)(served)
    if served.kind in ("rehearsal", "plugin"):
        return bound
    endpoint = served.spec.endpoint
    for text in (served.url, served.key, *served.headers.values()):
        secrets += [env.get(name, "") for name in variables_in(text)]
    raw = served.base_url if served.kind == "vllm" else served.url
    if raw is None:
        raise Stop("E607", f"model {served.name!r} has no server: its address is not known")
    url = base_url(resolve_text(raw, env, served.name))
    bound.headers["Content-Type"] = "application/json"
    bound.headers["Accept-Encoding"] = "gzip, deflate"
    for name, text in served.headers.items():
        bound.headers[name] = value = resolve_text(text, env, served.name)
        secrets.append(value)
    if served.key:
        key = resolve_text(served.key, env, served.name)
        bound.headers["Authorization"] = f"Bearer {key}"
        secrets.append(key)
    secrets += [url, url.removesuffix("/v1"), URL(url).authority]
    host = URL(url).host or ""
    if "." in host:  # a bare word would be blanked wherever it is used as one
        secrets.append(host)
    tls: ssl.SSLContext | bool = True
    if not endpoint.verify_tls:
        tls = False
    elif endpoint.ca_file:
        try:
            tls = ssl.create_default_context(cafile=endpoint.ca_file)
        except (OSError, ssl.SSLError):
            raise Stop(
                "E608", f"model {served.name!r}: the certificates of endpoint.ca_file cannot be read", exit_code=2
            ) from None
    seconds = endpoint.timeout if policy.timeout is None else policy.timeout
    proxy = proxy_for(URL(url))
    bound.routes = {name: Route(URL(url + path), tls, proxy, seconds) for name, path in _PATHS.items()}
    return bound
