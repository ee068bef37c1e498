"""The form of a population table file, as pydantic sees it; what hangs together across entries is checked in tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from attar_personas.population.nodes import Document

FORMAT = "attar-population/1"


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[list[str], BeforeValidator(_listed)]
Said = Annotated[list[Annotated[str, Field(min_length=1)]], BeforeValidator(_listed), Field(min_length=1)]
Shares = dict[str, Any]
KindName = Literal["measured", "modelled"]
M = TypeVar("M", bound=BaseModel)


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OriginEntry(_Entry):
    title: str = Field(min_length=1)
    publisher: str = Field(min_length=1)
    year: int = Field(ge=1800, le=2200)
    url: str = ""
    table: str = ""
    accessed: str = ""
    note: str = ""


class AdjustEntry(_Entry):
    given: Names = Field(min_length=1)
    factors: Shares
    kind: KindName
    source: Names = []
    note: str = ""


class UniformEntry(_Entry):
    given: str
    ranges: dict[str, Annotated[list[int], Field(min_length=2, max_length=2)]]


class VariableEntry(_Entry):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    kind: KindName | None = None
    source: Names = []
    note: str = ""
    given: Names = []
    shares: Shares | None = None
    adjust: list[AdjustEntry] = []
    differs_from: Names = []
    uniform: UniformEntry | None = None
    from_: Literal["domains"] | None = Field(None, alias="from")
    say: dict[str, Said] = {}


class PhraseEntry(_Entry):
    """`{given, texts}` or `{cases: [{when, texts}, …]}`."""

    given: Names = []
    texts: Any = None
    cases: list[CaseEntry] = []


class CaseEntry(_Entry):
    when: dict[str, Any] = {}
    texts: Said


class RenderEntry(_Entry):
    format: Literal["attar-population-texts/1"] = "attar-population-texts/1"
    note: str = ""
    phrases: dict[str, Any] = {}
    paragraphs: list[CaseEntry] = Field(min_length=1)


class TableEntry(_Entry):
    format: Literal["attar-population/1"]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    version: str = Field(min_length=1)
    people: int = Field(ge=1, lt=2**53)
    note: str = ""
    country: str = ""
    sources: dict[str, OriginEntry] = {}
    variables: dict[str, VariableEntry] = Field(min_length=1)
    render: Any = None


PhraseEntry.model_rebuild()


def parsed(model: type[M], document: Document, data: Any, path: Sequence[str | int] = ()) -> M | None:
    """`data` as `model`; None where it does not fit, each misfit told at its key path."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            at = [
                *path,
                *(part for part in found["loc"] if not (isinstance(part, str) and part.startswith("function-"))),
            ]
            document.fault(at, *_words(model, found))
        return None


def _words(model: type[BaseModel], found: Any) -> tuple[str, str]:
    kind, value = found["type"], found.get("input")
    shown = "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else repr(value)
    if kind == "missing":
        return "is missing", f"add `{found['loc'][-1]}: …`"
    if kind == "extra_forbidden":
        return "is no key of this format", "remove it, or see whether it is misspelt"
    expected = {
        "int_parsing": "a whole number",
        "int_type": "a whole number",
        "string_type": "a text",
        "dict_type": "a mapping",
        "list_type": "a list",
        "model_type": "a mapping",
        "model_attributes_type": "a mapping",
        "string_too_short": "a text that is not empty",
    }.get(kind)
    context = found.get("ctx", {})
    if kind == "literal_error":
        expected = str(context.get("expected"))
    elif kind == "too_short":
        expected = f"at least {context.get('min_length')} of them"
    elif kind == "too_long":
        expected = f"at most {context.get('max_length')} of them"
    if expected is None:
        return f"{found['msg']}, found {shown}", ""
    return f"expected {expected}, found {shown}", ""
