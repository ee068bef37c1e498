"""Everything a plugin author imports. What is not here may change without notice."""

from attar.api.bulk import id_words
from attar.api.context import Answer, Context, Message, Retry, RowError, Usage
from attar.api.hooks import Hooks, hookimpl
from attar.api.json_lines import json_lines, text_bytes
from attar.api.refs import ModelRef, PromptPart, PromptRef, PromptText, RecipePath, Runtime, SchemaRef, StepRef
from attar.api.rows import EMPTY, BatchResult, Drop, Fates, Json, Key, New, Reject, Row, RowSet, Verdict
from attar.api.steps import (
    BatchSource,
    Config,
    ConfigProblem,
    DatasetStep,
    Judge,
    MergeStep,
    RowStep,
    Sink,
    Source,
    Step,
)
from attar.api.types import Columns, ParsedType, Type, nullable, parse_type
from attar.recipe.language import Sampling

__all__ = [
    "EMPTY",
    "Answer",
    "BatchResult",
    "BatchSource",
    "Columns",
    "Config",
    "ConfigProblem",
    "Context",
    "DatasetStep",
    "Drop",
    "Fates",
    "Hooks",
    "Json",
    "Judge",
    "Key",
    "MergeStep",
    "Message",
    "ModelRef",
    "New",
    "ParsedType",
    "PromptPart",
    "PromptRef",
    "PromptText",
    "RecipePath",
    "Reject",
    "Retry",
    "Row",
    "RowError",
    "RowSet",
    "RowStep",
    "Runtime",
    "Sampling",
    "SchemaRef",
    "Sink",
    "Source",
    "Step",
    "StepRef",
    "Type",
    "Usage",
    "Verdict",
    "hookimpl",
    "id_words",
    "json_lines",
    "nullable",
    "parse_type",
    "text_bytes",
]
