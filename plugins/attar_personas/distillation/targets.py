"""personas.targets: one row per language that a finished text is wanted in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from attar.api import Columns, Config, ConfigProblem, Context, Reject, Row, RowStep
from attar.api.text import UnknownLanguage, language


def _listed(value: Any) -> Any:
    """Also takes one name, or names with commas between, as a command line writes them."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class TargetsConfig(Config):
    """See Targets."""

    languages: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        ("Hindi",), min_length=1, description="languages wanted, by code or name"
    )
    content: str = Field("content", description="column with the text")
    content_language: str = Field("English", description="language of that text")
    rendering: str | None = Field(None, description="column with a text that is in its target language already")
    rendering_language: str | None = Field(None, description="column with the language of that text")


class Targets(RowStep[TargetsConfig]):
    """Makes a row per language; a row that has a rendering goes on as one row, in the rendering's language alone.

    Writes what the prompts of prompts/lang/ read: `text` (the text to be translated or refined), `source_language` and
    `target_language` (names), and `mode` (`translate`, or `refine` where the two are the same). Reject code: `no_text`.
    """

    Config = TargetsConfig
    expands = True

    def reads(self, incoming: Columns) -> Columns:
        config = self.config
        optional = {name: "string?" for name in (config.rendering, config.rendering_language) if name is not None}
        return {config.content: "string?", **optional}

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        config = self.config
        for place, name in [*((("languages", n), one) for n, one in enumerate(config.languages))]:
            yield from _unknown(place, name)
        yield from _unknown(("content_language",), config.content_language)
        if (config.rendering is None) != (config.rendering_language is None):
            yield ConfigProblem(
                ("rendering",), "rendering and rendering_language belong together", "give both columns, or neither"
            )

    def writes(self, incoming: Columns) -> Columns:
        return self.add(incoming, dict.fromkeys(("text", "source_language", "target_language", "mode"), "string"))

    async def apply(self, row: Row, ctx: Context) -> list[Mapping[str, Any]] | Reject:
        config = self.config
        rendering = row[config.rendering] if config.rendering is not None else None
        if rendering and config.rendering_language is not None:
            name = language(row[config.rendering_language] or config.languages[0]).name
            return [_target(rendering, name, name)]
        if not row[config.content]:
            return Reject("no_text", f"{config.content} is empty")
        own = language(config.content_language).name
        names = dict.fromkeys(language(name).name for name in config.languages)
        return [_target(row[config.content], own, name) for name in names]


def _target(text: str, source: str, target: str) -> dict[str, str]:
    mode = "refine" if source == target else "translate"
    return {"text": text, "source_language": source, "target_language": target, "mode": mode}


def _unknown(place: tuple[str | int, ...], name: str) -> Iterator[ConfigProblem]:
    try:
        language(name)
    except UnknownLanguage as error:
        yield ConfigProblem(place, str(error), "name a language by its English name or its code")
