"""lang.check_translation: refuses translations that code can see to be wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Judge, Row, SchemaRef, Verdict
from attar_lang.identify import EXTRA, HELP, has_model
from attar_lang.protect import names_of


class CheckTranslationConfig(Config):
    """See CheckTranslation."""

    source: str = Field("text", min_length=1, description="column with the text that was translated")
    target: str = Field(..., min_length=1, description="column with the translation, marks turned back")
    language: str | None = Field(None, min_length=1, description="language of the translation: code or English name")
    language_column: str | None = Field(None, min_length=1, description="column with that language, instead")
    source_language: str | None = Field(None, min_length=1, description="language of the source, where it is known")
    source_language_column: str | None = Field(None, min_length=1, description="column with that language, instead")
    kept: str | None = Field(None, min_length=1, description="column of lang.protect with what was masked")
    faults: str | None = Field(None, min_length=1, description="column of lang.restore with faults of marks")
    finish: str | None = Field(None, min_length=1, description="column with the finish reason; `length` is truncated")
    given_names: str | None = Field(None, min_length=1, description="column with names that must be kept (a list)")
    glossary: SchemaRef | None = Field(None, description="file with `terms: […]`, which must be kept like names")
    names: Literal["auto", "given", "off"] = Field(
        "auto", description="names to compare: those found by their capitals too, the given ones alone, none"
    )
    refine: bool = Field(False, description="the text was to be improved in its language: it may stay as it is")
    identify: bool = Field(
        False,
        description="also identify the language by py3langid (extra `lang`)",
    )
    min_script: float = Field(0.9, ge=0, le=1, description="lowest share of letters in the language's script")
    min_ratio: float = Field(0.5, ge=0, description="lowest length of the translation, as a share of the source's")
    max_ratio: float = Field(2.5, gt=0, description="greatest length of the translation, as a share of the source's")


class CheckTranslation(Judge[CheckTranslationConfig]):
    """Checks a translation (or refinement) against its source without a model. The first fault decides the code; the
    feedback names all of them, in words a translator can act on.

    Fail codes: `empty`, `untranslated` (the source, or most of its sentences, given back), `wrong_script`,
    `wrong_language`, `truncated` (finish reason, no end of a sentence, fewer paragraphs, far fewer sentences),
    `number_changed` (compared as multisets across digits and ways to group them; or two that traded sentences, where
    the sentences are equally many), `mark_unknown`, `mark_repeated`,
    `mark_lost`, `url_changed`, `email_changed`, `placeholder_changed`, `code_changed`, `name_changed` (a name that is
    neither written the same nor spelt by its sound in the other script, or that changed places with another),
    `too_short`, `too_long` (by characters as readers count them). Names or numbers of one sentence that trade their
    parts are for a judge with a model to see.

    Scores from 0 to 1: `numbers` and `names` kept, `script` (share of letters), `length`.
    """

    Config = CheckTranslationConfig

    def reads(self, incoming: Columns) -> Columns:
        config = self.config
        more = (config.language_column, config.source_language_column, config.finish)
        lists = (config.kept, config.faults, config.given_names)
        return {
            config.source: "string?",
            config.target: "string?",
            **{name: "string?" for name in more if name is not None},
            **{name: "any" for name in lists if name is not None},
        }

    def score_names(self) -> Sequence[str]:
        return ("numbers", "names", "script", "length")

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        from attar.api.text import UnknownLanguage, language

        config = self.config
        if (config.language is None) == (config.language_column is None):
            yield ConfigProblem(
                ("language",), "a translation is checked for one language", "give language, or language_column"
            )
        if config.source_language is not None and config.source_language_column is not None:
            yield ConfigProblem(
                ("source_language",), "the source's language is given twice", "leave out one of the two"
            )
        for name in ("language", "source_language"):
            value = getattr(config, name)
            if value is not None:
                try:
                    language(value)
                except UnknownLanguage as error:
                    message, _, help = str(error).partition("; ")
                    yield ConfigProblem((name,), message, help)
        if config.identify and not has_model():
            yield ConfigProblem(("identify",), EXTRA, HELP)
        if config.min_ratio >= config.max_ratio:
            yield ConfigProblem(("min_ratio",), "min_ratio is not below max_ratio: nothing can pass", "swap them")

    async def judge(self, row: Row, ctx: Context) -> Verdict:
        from attar.api.text import UnknownLanguage, language
        from attar_lang.guards import Fault, Limits, Pair, examine
        from attar_lang.marks import kept_of

        config = self.config
        try:
            target_language = language(_named(config.language, config.language_column, row) or "")
            other = _named(config.source_language, config.source_language_column, row)
            source_language = language(other) if other else None
        except UnknownLanguage as error:
            return Verdict("error", "unknown_language", feedback=str(error))
        names: list[str] = []
        if config.names != "off":
            glossary = config.glossary.schemas.values() if config.glossary is not None else ()
            names = [str(term) for content in glossary for term in content.get("terms", ())]
            names += names_of(row[config.given_names] if config.given_names is not None else None)
        found = examine(
            Pair(
                source=row[config.source] or "",
                target=row[config.target] or "",
                language=target_language,
                source_language=source_language,
                kept=kept_of(row[config.kept]) if config.kept is not None else (),
                names=tuple(names),
                find_names=config.names == "auto",
                refine=config.refine,
                identify=config.identify,
                finish=row[config.finish] if config.finish is not None else None,
                limits=Limits(config.min_script, config.min_ratio, config.max_ratio),
            )
        )
        faults = found.faults
        if config.faults is not None:
            told = {(fault.code, fault.feedback) for fault in faults}
            faults += [
                Fault(one["code"], mark_feedback(one))
                for one in row[config.faults] or ()
                if (one["code"], mark_feedback(one)) not in told
            ]
        if not faults:
            return Verdict("pass", scores=found.scores)
        return Verdict("fail", faults[0].code, found.scores, "\n".join(f"- {fault.feedback}" for fault in faults))


def _named(fixed: str | None, column: str | None, row: Row) -> str | None:
    return fixed if column is None else row[column]


def mark_feedback(fault: Any) -> str:
    """A fault that lang.restore noted, in words."""
    if fault["code"] == "mark_unknown":
        return f"{fault['mark']} stands for nothing. Use only the marks of the source."
    what = f"{fault['mark']} ({fault['text']})"
    if fault["code"] == "mark_repeated":
        return f"{what} is used more than once. Use each mark once."
    return f"{what} is missing. Keep every mark where it belongs."
