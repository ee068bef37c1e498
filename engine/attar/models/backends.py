"""Who serves which model, and why. Looks at the recipe, the environment and the machine; asks nobody."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from attar.errors import AttarError, Diagnostic, fail
from attar.identity import H
from attar.models.calls import ServedModel, ServerKind
from attar.models.secrets import variables_in
from attar.recipe.language import ModelSpec

URL_VARIABLES = ("ATTAR_BASE_URL", "OPENAI_BASE_URL")
KEY_VARIABLES = ("ATTAR_API_KEY", "OPENAI_API_KEY")
KNOWN = ("auto", "endpoint", "rehearsal", "vllm")


class Backend(Protocol):
    """What a plugin's backend (hook `attar_backends`) brings. Made once per process with the ServedModel."""

    def __init__(self, served: ServedModel) -> None: ...
    async def open(self) -> None: ...
    async def answer(self, protocol: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The body of an OpenAI-style answer to an OpenAI-style body.

        `protocol` is chat, completion, embeddings or logprobs. It tries again by itself where that can help; RowError
        and AttarError pass through, anything else dead-letters the row as `transport`.
        """
        ...

    async def close(self) -> None: ...


def resolve(
    models: Mapping[str, ModelSpec],
    used: set[str],
    override: str | None,
    env: Mapping[str, str],
    *,
    backends: Mapping[str, str] | None = None,
) -> dict[str, ServedModel]:
    """Picks the backend of every used model.

    Args:
        models: after `extends`.
        used: names of those that steps use.
        override: `--backend`, for all of them; None leaves it to each.
        env: where an endpoint is looked for. Only names of variables are kept.
        backends: plugins' backends: name → import path.

    Raises:
        AttarError: E610 unknown backend, E611 no address for an endpoint, E612 vLLM asked for but not installed,
            E613 a model without a name to serve.
    """
    known = dict(backends or {})
    out: dict[str, ServedModel] = {}
    problems: list[Diagnostic] = []
    for name in sorted(used):
        try:
            out[name] = _resolve_one(name, models[name], override, env, known)
        except AttarError as error:
            problems += error.diagnostics
    if problems:
        raise AttarError(problems)
    return out


def _resolve_one(
    name: str, spec: ModelSpec, override: str | None, env: Mapping[str, str], plugins: Mapping[str, str]
) -> ServedModel:
    backend = override or spec.backend
    asked = f"--backend {override}" if override else f"the recipe says backend: {backend}"
    if backend == "auto":
        return _auto(name, spec, env)
    if backend == "rehearsal":
        return _rehearsal(name, spec, asked)
    if backend == "endpoint":
        found = _endpoint(name, spec, env, asked)
        if found is None:
            raise fail(
                "E611",
                f"model {name!r} is to be reached at an endpoint, but no address is known; looked at the model's"
                f" endpoint.url and at {' and '.join(URL_VARIABLES)}",
                help=f"set {URL_VARIABLES[0]} (and {KEY_VARIABLES[0]} where a key is needed),"
                " or use --backend rehearsal",
            )
        return found
    if backend == "vllm":
        return _vllm(name, spec, asked)
    if backend in plugins:
        return ServedModel(
            name,
            spec,
            "plugin",
            asked,
            backend=backend,
            backend_path=plugins[backend],
            server=_server("plugin", backend, spec),
        )
    raise fail(
        "E610",
        f"model {name!r}: there is no backend {backend!r}; expected one of {', '.join(sorted({*KNOWN, *plugins}))}",
        help="choose one of these, or install the plugin that brings it",
    )


def _auto(name: str, spec: ModelSpec, env: Mapping[str, str]) -> ServedModel:
    endpoint = _endpoint(name, spec, env, "")
    if endpoint is not None:
        return endpoint
    gpu = find_gpu(env)
    vllm = has_vllm()
    if gpu and vllm and spec.model:
        return _vllm(name, spec, f"no endpoint is set, and there are {gpu} and vllm")
    missing = [*([] if gpu else ["no GPU was found"]), *([] if vllm else ["vllm is not installed"])]
    if not missing:
        missing = ["the model names nothing vllm could serve"]
    return _rehearsal(name, spec, f"no endpoint is set ({', '.join(URL_VARIABLES)}) and {' and '.join(missing)}")


def _endpoint(name: str, spec: ModelSpec, env: Mapping[str, str], why: str) -> ServedModel | None:
    url, url_from = _place(spec.endpoint.url, URL_VARIABLES, env, "endpoint.url of the recipe")
    if url is None:
        return None
    if not spec.model:
        raise fail(
            "E613",
            f"model {name!r} has no `model:`, the name its server knows it by",
            help=f"add `model:` to models.{name}",
        )
    key, key_from = _place(spec.endpoint.key, KEY_VARIABLES, env, "endpoint.key of the recipe")
    return ServedModel(
        name,
        spec,
        "endpoint",
        why or f"an endpoint is set: {url_from}",
        backend="endpoint",
        url=url,
        key=key,
        headers=dict(spec.endpoint.headers),
        url_from=url_from,
        key_from=key_from,
        server=H("endpoint", url, key, spec.endpoint.model_dump()),
    )


def _place(
    written: str | None, variables: tuple[str, ...], env: Mapping[str, str], recipe: str
) -> tuple[str | None, str]:
    """The text that leads to a value (unresolved), and where it comes from."""
    if written:
        names = variables_in(written)
        return written, f"environment variable {names[0]}" if names else recipe
    for variable in variables:
        if env.get(variable):
            return f"${{env.{variable}}}", f"environment variable {variable}"
    return None, ""


def _vllm(name: str, spec: ModelSpec, why: str) -> ServedModel:
    if not spec.model:
        raise fail("E613", f"model {name!r} has no `model:` to serve", help=f"add `model:` to models.{name}")
    if not has_vllm():
        raise fail(
            "E612",
            f"model {name!r} is to be served by vLLM, which is not installed here",
            help="pip install 'attar[vllm]', or set an endpoint, or use --backend rehearsal",
        )
    return ServedModel(name, spec, "vllm", why, backend="vllm", server=_server("vllm", "", spec))


def _rehearsal(name: str, spec: ModelSpec, why: str) -> ServedModel:
    return ServedModel(name, spec, "rehearsal", why, backend="rehearsal", server="rehearsal")


def _server(kind: ServerKind, backend: str, spec: ModelSpec) -> str:
    """Equal for models that one server serves."""
    return H(kind, backend, spec.model, spec.revision, dict(spec.serve))


def has_vllm() -> bool:
    """Whether a vllm distribution is installed; imports nothing of it."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        distribution("vllm")
    except PackageNotFoundError:
        return False
    return True


def find_gpu(env: Mapping[str, str]) -> str:
    """What GPU a server started here would see, in words, or "": looks at device files and drivers, imports nothing."""
    visible = env.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and (not visible.strip() or visible.strip().startswith("-1")):
        return ""
    count = sum(path.name[6:].isdigit() for path in Path("/dev").glob("nvidia[0-9]*"))
    if count:
        return f"{count} NVIDIA GPU{'s' if count > 1 else ''}"
    if Path("/dev/dxg").exists() and Path("/usr/lib/wsl/lib/nvidia-smi").exists():
        return "an NVIDIA GPU (WSL)"
    if Path("/dev/kfd").exists():
        return "an AMD GPU"
    return ""
