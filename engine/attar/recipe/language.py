"""The recipe language as pydantic models: the single source of `schemas/recipe.schema.json`.

Every field is classified: `Identity` fields decide what the data is; `Operational` ones cannot change it. A test fails
until a new field is classified.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag


class Operational:
    """Marks a field that cannot change the data (speed, money, wording for people); all others are identity."""

    __slots__ = ()


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Sampling(Model):
    """Sampling parameters, sent with each request; unknown names are errors."""

    temperature: float | None = Field(None, ge=0, le=5)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=-1)
    min_p: float | None = Field(None, ge=0, le=1)
    max_tokens: int | None = Field(None, ge=1)
    min_tokens: int | None = Field(None, ge=0)
    stop: str | list[str] | None = None
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    repetition_penalty: float | None = Field(None, gt=0)
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high"] | None = None
    chat_template_kwargs: dict[str, Any] | None = None


class Prices(Model):
    """Money per million tokens, and where the figures come from."""

    input: float = Field(0, ge=0)
    output: float = Field(0, ge=0)
    currency: str = "USD"
    source: str = Field(..., min_length=1, description="where and when these prices were published")


class Throughput(Model):
    """Output tokens per second of one GPU with this model, and where the figure comes from."""

    tokens_per_second: float = Field(..., gt=0)
    source: str = Field(..., min_length=1)


class Endpoint(Model):
    """Where a served model is reached. `url` and `key` may be `${env.NAME}`; they are never stored."""

    url: str | None = None
    key: str | None = None
    verify_tls: bool = True
    ca_file: str | None = None
    timeout: float = Field(600, gt=0, description="seconds for one request")
    headers: dict[str, str] = Field(default_factory=dict)


_Figure = Annotated[float, Field(allow_inf_nan=False)]
_Figures = Annotated[dict[str, _Figure], Field(min_length=1)]


class ModelSpec(Model):
    """One entry of `models:`, after `extends`."""

    extends: str | None = None
    model: str | None = Field(None, description="the name the server knows; for vllm a hub repository or folder")
    revision: str | None = None
    backend: Annotated[str, Operational()] = "auto"
    endpoint: Annotated[Endpoint, Operational()] = Endpoint()
    serve: Annotated[dict[str, str | int | float | bool | None], Operational()] = Field(
        default_factory=dict, description="flags of the server, for backend vllm"
    )
    sampling: Sampling = Sampling()
    in_flight: Annotated[int, Operational()] = Field(256, ge=1, description="requests in flight on this model's server")
    send_seed: bool = True
    max_context: int | None = Field(None, ge=1, description="tokens; prompts longer than this are `too_long`")
    requires: Annotated[dict[str, _Figure | _Figures | None] | None, Operational()] = Field(
        None, description="task → the figure this model must have reached there, or metric → figure"
    )
    evals: Annotated[str | None, Operational()] = Field(
        None, description="results of lm-evaluation-harness that `requires` is checked against: a file or a folder"
    )
    prices: Annotated[Prices | None, Operational()] = None
    throughput: Annotated[Throughput | None, Operational()] = None


class Param(Model):
    """A typed parameter, set with `-p name=value`."""

    type: Literal["string", "int", "float", "bool", "path", "list"] = "string"
    default: Any = None
    required: bool = False
    min: float | None = None
    max: float | None = None
    choices: list[Any] | None = None
    help: Annotated[str, Operational()] = ""


class OnFail(Model):
    """What happens to a row that a judge fails."""

    retry: str | None = Field(None, description="the step to which the row returns: an ancestor in the same stage")
    attempts: int = Field(3, ge=1, le=100, description="counts the first try")
    feedback: bool = True
    avoid: str | None = Field(None, description="column whose earlier values prompts see as retry.avoid")
    then: Literal["drop", "review", "keep_last", "keep_best", "fail"] = "drop"
    format_attempts: int = Field(2, ge=1, le=20, description="times a judge is asked until it can be parsed")


RefValue = str | dict[str, Any]


class StepSpec(Model):
    """One entry of `steps:`."""

    use: str
    from_: str | list[str] | None = Field(None, alias="from")
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    when: str | None = None
    on_fail: OnFail | None = None
    model: str | None = None
    prompt: RefValue | None = None
    output: RefValue | None = None
    index: str | None = None


class Repeat(Model):
    times: int | str = Field(..., description="how often; may be ${params.x}")
    steps: dict[str, StepSpec]


class RepeatSpec(Model):
    """An entry of `steps:` that unrolls a chain of steps."""

    repeat: Repeat
    from_: str | list[str] | None = Field(None, alias="from")


class Include(Model):
    """Another recipe's steps under a namespace."""

    file: str
    as_: str = Field(..., alias="as", pattern=r"^[a-z][a-z0-9_]*$")
    with_: dict[str, Any] = Field(default_factory=dict, alias="with", description="values for its params")


_STEP, _REPEAT = "<step>", "<repeat>"  # pydantic puts them into error paths: not to be taken for a recipe's keys


def _kind_of_entry(value: Any) -> str:
    """What the user meant by an entry of `steps:`: the key `repeat` decides, so that errors speak of one of the two."""
    if isinstance(value, RepeatSpec) or (isinstance(value, Mapping) and "repeat" in value):
        return _REPEAT
    return _STEP


StepEntry = Annotated[
    Annotated[StepSpec, Tag(_STEP)] | Annotated[RepeatSpec, Tag(_REPEAT)], Discriminator(_kind_of_entry)
]


class OutputSpec(Model):
    """One dataset the run leaves."""

    from_: str = Field(..., alias="from")
    format: str = "parquet"
    min_rows: Annotated[int | str | None, Operational()] = None
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")


_LANGUAGE = r"^[a-z]{2,3}(-[A-Za-z0-9]{1,8})*$"


class Card(Model):
    """What the dataset's card says of itself; everything else in the card is counted by the run."""

    license: str | None = Field(
        None, pattern=r"^[a-z0-9][a-z0-9.-]*$", description="as the hub writes licences: apache-2.0, cc-by-4.0, other"
    )
    language: list[Annotated[str, Field(pattern=_LANGUAGE)]] | Annotated[str, Field(pattern=_LANGUAGE)] = Field(
        default_factory=list, description="codes of the data's languages: hi, ta, id"
    )
    pretty_name: str | None = Field(None, min_length=1, description="title; the recipe's name by default")
    tags: list[str] = Field(default_factory=list, description="besides synthetic and attar")
    task_categories: list[str] = Field(default_factory=list, description="the hub's task categories")
    intended_use: str = ""
    out_of_scope: str = Field("", description="what the data must not be used for")
    limitations: str = Field("", description="known limits, besides those the run finds itself")


class Recipe(Model):
    """A recipe file."""

    attar: Literal[1]
    name: str = Field(..., max_length=100, pattern=r"^[a-z0-9][a-z0-9._-]*$")
    description: Annotated[str, Operational()] = ""
    seed: int = Field(0, ge=0, lt=2**63)
    params: dict[str, Param] = Field(default_factory=dict)
    models: dict[str, ModelSpec] = Field(default_factory=dict)
    include: list[Include] | Include = Field(default_factory=list)
    steps: dict[str, StepEntry]
    outputs: dict[str, OutputSpec]
    card: Annotated[Card | None, Operational()] = None
