"""The output types of stage 5, and the columns their generators leave."""

from __future__ import annotations

from typing import Literal, get_args

OutputType = Literal["article", "dialogue", "qa", "cot", "cross_lingual"]
OUTPUT_TYPES: tuple[OutputType, ...] = get_args(OutputType)

# What the prompts of prompts/distillation/ answer with, by output type; an article is a plain text.
FIELDS: dict[str, tuple[str, ...]] = {
    "article": ("draft",),
    "dialogue": ("turns",),
    "qa": ("question", "crisp", "detailed"),
    "cot": ("problem", "steps", "answer"),
    "cross_lingual": ("source_text", "target_text"),
}
TURNS = "list<struct<role:string,content:string>>"

# Types of those columns, nullable: a row has those of its own output type alone.
FIELD_TYPES = {
    name: f"{TURNS}?" if name == "turns" else "list<string>?" if name == "steps" else "string?"
    for names in FIELDS.values()
    for name in names
}
