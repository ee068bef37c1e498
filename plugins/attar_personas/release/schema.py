"""The JSON Schema of a release's JSONL rows. `schemas/persona.schema.json` is what `text` returns."""

from __future__ import annotations

import json
from typing import Any

PERSONA_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Persona",
    "description": "One row of a release's detailed JSONL. Further properties are columns its maker added.",
    "type": "object",
    "properties": {
        "id": {
            "description": "UUID of version 8 (RFC 9562); the same as in the compact Parquet files",
            "type": "string",
            "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        },
        "persona_description": {
            "description": "the persona; `persona` in the compact Parquet files",
            "type": "string",
            "pattern": "\\S",
        },
        "domain": {
            "description": "bucket of the domain: normalised label, lower case, words joined by _",
            "type": "string",
            "minLength": 1,
        },
        "domain_raw": {"description": "the label as it was before normalisation", "type": ["string", "null"]},
        "synth_method": {
            "description": "how the persona was made: population, text_to_persona, persona_to_persona, …",
            "type": ["string", "null"],
        },
        "confidence_score": {
            "description": "how sure the maker was of it, where it says so; higher is surer",
            "type": ["number", "null"],
        },
    },
    "required": ["id", "persona_description", "domain", "domain_raw", "synth_method", "confidence_score"],
    "additionalProperties": True,
}

PROPERTIES: tuple[str, ...] = tuple(PERSONA_SCHEMA["properties"])
OPTIONAL = ("domain_raw", "synth_method", "confidence_score")


def text() -> str:
    """The schema as it is written to files."""
    return json.dumps(PERSONA_SCHEMA, indent=2, ensure_ascii=False) + "\n"
