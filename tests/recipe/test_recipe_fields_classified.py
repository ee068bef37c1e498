"""Every field of the language says whether it decides what the data is. A new field fails here until it does."""

from __future__ import annotations

from pydantic import BaseModel

from attar.recipe import language
from attar.recipe.language import Operational

IDENTITY = {
    "Sampling": {
        "temperature", "top_p", "top_k", "min_p", "max_tokens", "min_tokens", "stop", "presence_penalty",
        "frequency_penalty", "repetition_penalty", "reasoning_effort", "chat_template_kwargs",
    },
    "ModelSpec": {"extends", "model", "revision", "sampling", "send_seed", "max_context"},
    "Param": {"type", "default", "required", "min", "max", "choices"},
    "OnFail": {"retry", "attempts", "feedback", "avoid", "then", "format_attempts"},
    "StepSpec": {"use", "from_", "with_", "when", "on_fail", "model", "prompt", "output", "index"},
    "Repeat": {"times", "steps"},
    "RepeatSpec": {"repeat", "from_"},
    "Include": {"file", "as_", "with_"},
    "OutputSpec": {"from_", "format", "with_"},
    "Recipe": {"attar", "name", "seed", "params", "models", "include", "steps", "outputs"},
}  # fmt: skip
"""Fields that decide what the data is, or name what does. `Recipe.name` names the folder that holds the journal."""

OPERATIONAL_WHOLE = {"Prices", "Throughput", "Endpoint", "Card"}
"""Models that stand only in fields that are Operational themselves."""


def models() -> dict[str, type[BaseModel]]:
    return {
        name: found
        for name, found in vars(language).items()
        if isinstance(found, type) and issubclass(found, language.Model) and found is not language.Model
    }


def is_operational(model: type[BaseModel], field: str) -> bool:
    return any(isinstance(note, Operational) for note in model.model_fields[field].metadata)


def test_every_field_is_classified() -> None:
    assert set(models()) == set(IDENTITY) | OPERATIONAL_WHOLE
    for name, model in models().items():
        if name in OPERATIONAL_WHOLE:
            continue
        operational = {field for field in model.model_fields if is_operational(model, field)}
        assert set(model.model_fields) == IDENTITY[name] | operational, name
        assert not IDENTITY[name] & operational, name


def test_models_taken_as_operational_stand_in_no_field_that_decides() -> None:
    for name, model in models().items():
        for field, info in model.model_fields.items():
            holds = {m for m in OPERATIONAL_WHOLE if m in str(info.annotation)}
            if holds and name not in OPERATIONAL_WHOLE:
                assert is_operational(model, field), (name, field)
