"""What is asked of a model, who serves it, and what must stop a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from attar.api import Message
from attar.errors import AttarError, Diagnostic
from attar.recipe.language import ModelSpec

ServerKind = Literal["endpoint", "vllm", "rehearsal", "plugin"]


@dataclass(slots=True)
class Call:
    """One question to a model. Not frozen, for speed: nobody changes it.

    Attributes:
        model: the model's name in the recipe.
        step, row: who asks; for the meter.
        attempt: which try of the row at this step asks, from 1; for `attar try`, the request does not hang on it.
        priority: order of the row in its stage; smaller is older and goes first.
        schema: JSON Schema the answer must meet.
        sampling: overrides of the model's sampling parameters; null removes one.
        rehearse, variables: the rehearsal backend's Jinja answer and what it sees.
    """

    protocol: Literal["chat", "completion", "embeddings", "logprobs", "tokens"]
    model: str
    step: str
    row: str
    priority: int
    messages: Sequence[Message] = ()
    prompt: str = ""
    texts: Sequence[str] = ()
    schema: Mapping[str, Any] | None = None
    sampling: Mapping[str, Any] | None = None
    rehearse: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model of the recipe and who serves it. Picklable; holds names of environment variables, never their values.

    Attributes:
        name: in the recipe.
        kind: "endpoint", "vllm", "rehearsal", or "plugin" (then `backend` says which).
        backend: the backend's name, as reported.
        backend_path: import path of a plugin's backend class.
        base_url: of a server the run started itself (None until it is up); endpoints are looked up in the process.
        url_from, key_from: where an endpoint's URL and key come from, for people: "environment variable NAME",
            "the recipe", or "".
        url, key, headers: as written in the recipe (`${env.NAME}` unresolved), or such a reference made here.
        why: one sentence: why this backend.
        server: equal for models that share one server.
    """

    name: str
    spec: ModelSpec
    kind: ServerKind
    why: str
    backend: str = ""
    backend_path: str = ""
    base_url: str | None = None
    url: str | None = None
    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    url_from: str = ""
    key_from: str = ""
    server: str = ""

    @property
    def model(self) -> str:
        """The name the server knows."""
        return self.spec.model or self.name

    @property
    def send_priority(self) -> bool:
        """Whether the server orders by our priorities (vLLM refuses the field otherwise)."""
        policy = self.spec.serve.get("scheduling-policy", self.spec.serve.get("scheduling_policy"))
        return self.kind == "vllm" and policy == "priority"


class Journal(Protocol):
    """What the client needs of the journal."""

    def get(self, key: str) -> Any | None: ...
    def put(self, key: str, kind: str, value: Any) -> Any: ...


class Stop(AttarError):
    """The run cannot go on (credentials refused, unknown model, dead server); it is resumable."""

    def __init__(self, code: str, message: str, help: str = "", exit_code: int = 1) -> None:
        super().__init__([Diagnostic(code, message, help=help)], exit_code)

    def __reduce__(self) -> tuple[Any, ...]:
        first = self.diagnostics[0]
        return type(self), (first.code, first.message, first.help, self.exit_code)
