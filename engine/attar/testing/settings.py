"""What the stand-in server does, as data: given at the start, changed while it runs through `POST /admin/config`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fault = Literal[
    "503",
    "500",
    "429",
    "400",
    "cut_head",
    "cut_body",
    "hang",
    "broken_body",
    "half_json",
    "length",
]
FAULTS: tuple[str, ...] = Fault.__args__  # type: ignore[attr-defined]


class Settings(BaseModel):
    """Settings of the stand-in server; unknown names are errors.

    Faults: `503 500 429 400` are answered with that status; `cut_head` and `cut_body` break the connection in the
    middle of headers or body; `hang` never answers; `broken_body` answers 200 with a body that is no JSON; `half_json`
    answers with the first half of the content; `length` the same with finish_reason "length". The last two are whole
    answers for the counters: they were paid for.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    responder: str = Field("echo", description="echo, schema, words(n), judge(p) or module:function")
    responders: dict[str, str] = Field(default_factory=dict, description="model name → responder")
    markers: dict[str, str] = Field(default_factory=dict, description="text found in the messages → responder")
    models: list[str] = Field(default_factory=list, description="names served; empty: any name")
    api_key: str | None = None
    max_context: int | None = Field(None, ge=1, description="tokens, four characters each")
    seed: int = 0
    reasoning: Literal["none", "field", "think"] = "none"
    dimensions: int = Field(8, ge=1, description="of embeddings")

    mode: Literal["instant", "batching"] = "instant"
    latency: float = Field(0, ge=0, description="instant mode: seconds, drawn between 0 and this per request and try")
    slots: int = Field(256, ge=1)
    step_seconds: float = Field(0.02, gt=0, description="a of a + b·batch")
    step_seconds_per_sequence: float = Field(0.00005, ge=0, description="b of a + b·batch")
    prefill_seconds_per_token: float = Field(0, ge=0)
    median_tokens: float = Field(64, gt=0, description="median of the log-normal output length")
    sigma: float = Field(0.5, ge=0, description="its standard deviation in log space")
    longest: int = Field(4096, ge=1)

    faults: dict[Fault, float] = Field(default_factory=dict, description="kind → share of requests")
    fail_first_requests: int = Field(0, ge=0, description="the first n requests of all fail as `fail_kind`")
    fail_first_tries: int = Field(0, ge=0, description="the first n tries of each key fail as `fail_kind`")
    fail_kind: Fault = "503"
    retry_after: float | None = Field(None, ge=0, description="seconds in Retry-After of 429 and 503")
    retry_after_date: bool = Field(False, description="write Retry-After as a date")
    fault_message: str = "this request was chosen to fail"

    @model_validator(mode="after")
    def _shares(self) -> Settings:
        if sum(self.faults.values()) > 1 + 1e-9 or any(share < 0 for share in self.faults.values()):
            raise ValueError("shares of faults must be at least 0 and add up to at most 1")
        return self
