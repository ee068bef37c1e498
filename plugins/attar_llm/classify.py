"""llm.classify: a model gives a row one label, or several, out of a closed list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from attar.api import Columns, ConfigProblem, Context, Reject, Row, RowStep
from attar_llm.asking import FormConfig


def _described(value: Any) -> Any:
    """A plain list of labels is a mapping without descriptions; a doubled label is kept for check() to see."""
    if not isinstance(value, list | tuple):
        return value
    doubled = sorted({str(label) for label in value if value.count(label) > 1})
    if doubled:
        raise ValueError(f"label {doubled[0]!r} is there twice")
    return {str(label): "" for label in value}


class ClassifyConfig(FormConfig):
    """See Classify."""

    labels: Annotated[dict[str, str], BeforeValidator(_described)] = Field(
        min_length=2, description="the labels: a list, or a mapping label → what it means"
    )
    multi: bool = Field(False, description="any number of labels (also none) instead of exactly one")
    accept: tuple[str, ...] | None = Field(None, description="rows with none of these labels are rejected")
    keep_reason: str | None = Field(None, min_length=1, description="column for the model's reason")


class Classify(RowStep[ClassifyConfig]):
    """Labels a row; writes a string column named after the step, or list<string> with `multi`.

    The model gives its reason before the label. Prompts read `labels`: a list of {name, description}. Reject codes
    with `accept`: `label_not_accepted`, `no_label`.
    """

    Config = ClassifyConfig
    provides = frozenset({"labels"})

    def writes(self, incoming: Columns) -> Columns:
        new = {self.short_name: "list<string>" if self.config.multi else "string"}
        if self.config.keep_reason is not None:
            new[self.config.keep_reason] = "string"
        return self.add(incoming, new)

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        for number, label in enumerate(self.config.accept or ()):
            if label not in self.config.labels:
                yield ConfigProblem(
                    ("accept", number),
                    f"accept names {label!r}, which is no label",
                    f"use: {', '.join(self.config.labels)}",
                )
        if self.config.accept is not None and not self.config.accept:
            yield ConfigProblem(
                ("accept",), "accept is empty: every row would be rejected", "name a label, or remove it"
            )

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject:
        config = self.config
        labels = [{"name": name, "description": text} for name, text in config.labels.items()]
        answer = await ctx.chat(
            config.model,
            ctx.messages(config.prompt, row, labels=labels),
            schema=self._schema(),
            sampling=config.sampling.given(),
            format_attempts=config.format_attempts,
        )
        if config.multi:
            named = set(answer.value["labels"])
            found = [label for label in config.labels if label in named]  # in the recipe's order, not the model's
        else:
            found = [answer.value["label"]]
        if config.accept is not None and not set(found) & set(config.accept):
            code = "label_not_accepted" if found else "no_label"
            return Reject(code, ": ".join(filter(None, [", ".join(found), str(answer.value["reason"])])))
        columns: dict[str, Any] = {self.short_name: found if config.multi else found[0]}
        if config.keep_reason is not None:
            columns[config.keep_reason] = str(answer.value["reason"])
        return columns

    def _schema(self) -> dict[str, Any]:
        label: dict[str, Any] = {"type": "string", "enum": list(self.config.labels)}
        key, value = ("labels", {"type": "array", "items": label}) if self.config.multi else ("label", label)
        return {
            "type": "object",
            "properties": {"reason": {"type": "string"}, key: value},
            "required": ["reason", key],
            "additionalProperties": False,
        }
