"""A served model made ready for requests in this process: the only place that sees addresses and keys."""

from __future__ import annotations

import base64
import importlib
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

from attar.models.calls import ServedModel, Stop
from attar.models.connection import Origin
from attar.models.policy import RetryPolicy
from attar.models.secrets import base_url, resolve_text, variables_in
from attar.models.transport import Route, Server, proxy_for

_PATHS = {
    "chat": "/chat/completions",
    "completion": "/completions",
    "embeddings": "/embeddings",
    "logprobs": "/completions",
    "tokens": "/tokenize",
}
_BESIDE = frozenset({"tokens"})  # beside /v1, not below it: vLLM's own


class Bound:
    """A served model made ready for requests in this process: this is where secrets live, and nowhere else."""

    __slots__ = (
        "backend",
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
    parts = _parts(url, served.name)
    host = parts.hostname or ""
    headers = {
        "Host": parts.netloc.rpartition("@")[2].encode("idna").decode(),
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "User-Agent": "attar",
    }
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        secrets += [unquote(parts.username), unquote(parts.password or ""), headers["Authorization"]]
    for name, text in served.headers.items():
        value = resolve_text(text, env, served.name)
        secrets.append(value)
        _put(headers, name, value, served.name)
    if served.key:
        key = resolve_text(served.key, env, served.name)
        secrets.append(key)
        _put(headers, "Authorization", f"Bearer {key}", served.name)
    secrets += [url, url.removesuffix("/v1"), parts.netloc]
    if "." in host:  # a bare word would be blanked wherever it is used as one
        secrets.append(host)
    tls: ssl.SSLContext | None = None
    if parts.scheme == "https":
        try:
            tls = _tls(endpoint.verify_tls, endpoint.ca_file)
        except (OSError, ssl.SSLError):
            raise Stop(
                "E608", f"model {served.name!r}: the certificates of endpoint.ca_file cannot be read", exit_code=2
            ) from None
    seconds = endpoint.timeout if policy.timeout is None else policy.timeout
    proxy = proxy_for(url)
    origin = Origin(host, parts.port or (443 if tls else 80), tls)
    for name, path in _PATHS.items():
        below = parts.path.removesuffix("/v1") if name in _BESIDE else parts.path
        target = quote(below + path, safe="/%:@!$&'()*+,;=~") + ("?" + parts.query if parts.query else "")
        whole = url.removesuffix("/v1") if name in _BESIDE else url
        lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "X-Request-Id: "]
        bound.routes[name] = Route(origin, "\r\n".join(lines).encode(), seconds, whole + path, proxy, headers)
    return bound


def _parts(url: str, model: str) -> SplitResult:
    """A URL's parts.

    Raises:
        Stop: it is no URL of a server.
    """
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            parts.netloc.encode("idna")
            return parts
    except ValueError:
        pass
    raise Stop("E605", f"the address of model {model!r} is no URL", "check the recipe's endpoint.url", exit_code=2)


def _put(headers: dict[str, str], name: str, value: str, model: str) -> None:
    """Sets a header over one of the same name in any letters; those every request sets by itself are left alone.

    Raises:
        Stop: it would break the request's head.
    """
    value = value.strip()
    if not name.isascii() or any(c in name + value for c in "\r\n\0") or any(c in name for c in " :\t") or not name:
        raise Stop(
            "E614",
            f"model {model!r}: header {name!r} cannot be sent: its name or value holds what no header may",
            exit_code=2,
        )
    low = name.lower()
    for known in [known for known in headers if known.lower() == low]:
        del headers[known]
    if low not in ("x-request-id", "content-length", "transfer-encoding", "connection"):
        headers[name] = value


@cache
def _tls(verify: bool, ca_file: str | None) -> ssl.SSLContext:
    """One context for all models alike, so that they share connections; reading certificates takes a while."""
    context = ssl.create_default_context(cafile=ca_file if verify else None)
    context.set_alpn_protocols(["http/1.1"])
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
