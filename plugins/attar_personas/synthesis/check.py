"""personas.check_persona: one person in a few words, in the wanted language, nobody real, and no copy of its source."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Annotated

import regex
from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Judge, RecipePath, Row, Verdict
from attar_personas.measure import longest_common_substring, words
from attar_personas.synthesis.names import recurring_names

REFUSAL = regex.compile(
    r"^\W*(?:i(?:'|’)?m sorry|i am sorry|sorry\b|i apologi[sz]e|i can(?:no|['’])?t\b|i am (?:not able|unable)|"
    r"i(?:'|’)?m (?:not able|unable)|as an ai\b|as a (?:large )?language model|there is no (?:text|persona)|"
    r"maaf\b|saya tidak (?:bisa|dapat)|sebagai (?:model bahasa|ai)|"
    r"क्षमा (?:करें|कीजिए)|माफ़? (?:करें|कीजिए)|मैं (?:यह )?नहीं (?:कर|बता|लिख) सकत)",
    regex.IGNORECASE,
)
# What makes an answer an essay or a list: a heading, items, a label in front, several people at once.
SEVERAL = regex.compile(
    r"(?m:^\s*(?:#{1,6}\s|[-*•]\s|\p{Nd}{1,2}[.)]\s))|^\W*(?:persona|answer|व्यक्ति|jawaban)\s*\p{Nd}*\s*:|"
    r"^\W*(?:here (?:is|are)|here['’]s|sure\b|certainly\b)|"
    r"^\W*(?:(?:a|the|two|three|four|five|several|many|some) )?(?:(?:diverse|small|large) )?"
    r"(?:groups?|teams?|couples?|people|persons|individuals|readers|members|families|students|villagers|sekelompok)\b"
    r"(?!['’])|"
    r"^\W*(?:लोग\b|कई लोग\b|एक समूह\b)",
    regex.IGNORECASE,
)
RULES = 8
"""Checks that share the form score."""


class CheckPersonaConfig(Config):
    """See CheckPersona."""

    column: str = Field("persona", min_length=1, description="column with the persona")
    source: str | None = Field(None, description="column with the text or persona it was made from")
    min_words: int = Field(5, ge=1, description="fewest words")
    max_words: int = Field(120, ge=1, description="most words")
    max_shared: int = Field(49, ge=1, description="longest stretch of characters that may stand in the source, too")
    language: str | None = Field(
        "English", description="language by name or code (`Hindi`, `hi`): its script is demanded; null: any"
    )
    min_script: float = Field(0.9, ge=0, le=1, description="lowest share of that script among the letters")
    screen: bool = Field(True, description="personal data and names of real people fail")
    group: str | None = Field(
        None, description="column with the group (an id of the catalogue, or null) the persona has to be told to be of"
    )
    groups: Annotated[str | None, RecipePath()] = Field(None, description="group catalogue; default: the shipped one")


class CheckPersona(Judge[CheckPersonaConfig]):
    """Checks a persona without a model. The first fault decides the code; the feedback names all of them.

    Fail codes, in this order: `empty`, `refusal`, `not_one_person` (a list, a heading, a preamble, several paragraphs,
    a crowd), `too_short`, `too_long`, `wrong_script`, `copies_source` (a stretch of more than `max_shared` characters),
    `pii`, `names_person` (a name of the gazetteer, or a full name that stands in the source), `wrong_group` (nothing
    in the text tells the group that was asked for). Scores: `form`, the share of these rules that are kept, `n_words`,
    `shared_characters`.
    """

    Config = CheckPersonaConfig

    def inputs(self) -> Sequence[str]:
        if self.config.group is None:
            return ()
        from attar_personas.relations.catalogue import files_of

        return files_of(self.config.groups)

    def reads(self, incoming: Columns) -> Columns:
        optional = {name: "string?" for name in (self.config.source, self.config.group) if name is not None}
        return {self.config.column: "string?", **optional}

    def score_names(self) -> tuple[str, ...]:
        return ("form", "n_words", "shared_characters")

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        config = self.config
        if config.min_words > config.max_words:
            yield ConfigProblem(
                ("min_words",),
                f"min_words {config.min_words} exceeds max_words {config.max_words}",
                "lower min_words or raise max_words",
            )
        if config.language is not None:
            from attar.api.text import UnknownLanguage, language

            try:
                language(config.language)
            except UnknownLanguage as error:
                yield ConfigProblem(("language",), str(error), "name a language, or null for any script")
        if config.group is not None:
            from attar_personas.relations.catalogue import group_problem

            problem = group_problem(config.groups)
            if problem is not None:
                yield problem

    async def judge(self, row: Row, ctx: Context) -> Verdict:
        config = self.config
        text: str = (row[config.column] or "").strip()
        source = (row[config.source] or "") if config.source is not None else ""
        count = len(words(text))
        shared = longest_common_substring(text, source) if source else ""
        faults = list(self._faults(text, count, source, shared, row))
        scores = {
            "form": max(0.0, 1 - len(faults) / RULES),
            "n_words": float(count),
            "shared_characters": float(len(shared)),
        }
        if not faults:
            return Verdict("pass", "", scores)
        return Verdict("fail", faults[0][0], scores, "\n".join(f"- {told}" for _, told in faults))

    def _faults(self, text: str, count: int, source: str, shared: str, row: Row) -> Iterator[tuple[str, str]]:
        config = self.config
        if not count:
            yield "empty", "Nothing was written. Describe one person."
            return
        if REFUSAL.search(text):
            yield "refusal", "Nothing forbids this: describe an invented person."
        if SEVERAL.search(text) or "\n\n" in text or text.count("\n") > 2:
            yield "not_one_person", "Describe one single person in running text: no list, heading, preamble or crowd."
        if count < config.min_words:
            yield "too_short", f"The persona has {count} words; at least {config.min_words} are needed."
        if count > config.max_words:
            yield "too_long", f"The persona has {count} words; at most {config.max_words} are allowed."
        yield from self._script_fault(text)
        if len(shared) > config.max_shared:
            yield "copies_source", f"These words are copied: {shared[:120]!r}. Use your own."
        if config.screen:
            yield from _screen_faults(text, source)
        if config.group is not None and row[config.group] is not None:
            yield from self._group_fault(text, row[config.group])

    def _script_fault(self, text: str) -> Iterator[tuple[str, str]]:
        if self.config.language is None:
            return
        from attar.api.text import language, script_share

        wanted = language(self.config.language)
        share = script_share(text, *wanted.scripts)
        if share < self.config.min_script:
            yield "wrong_script", f"Only {share:.0%} of the letters are {wanted.scripts[0]}. Write in {wanted.name}."

    def _group_fault(self, text: str, group: str) -> Iterator[tuple[str, str]]:
        from attar_personas.relations.catalogue import load_groups

        wanted = load_groups(self.config.groups).get(group)
        if wanted is None or not wanted.told_by(text):
            label = wanted.label if wanted is not None else group
            yield "wrong_group", f"The text does not tell that the person is {label}. Say it plainly."


def _screen_faults(text: str, source: str) -> Iterator[tuple[str, str]]:
    from attar_personas.screen import pii, real_names

    text = unicodedata.normalize("NFC", text)
    kinds = sorted({hit.kind.replace("_", " ") for hit in pii(text)})
    if kinds:
        yield "pii", f"Leave out what points to one individual: {', '.join(kinds)}."
    named = [text[hit.start : hit.end] for hit in real_names(text, "all")]
    names = list(dict.fromkeys([*named, *recurring_names(source, text)]))
    if names:
        yield "names_person", f"Name nobody: leave out {', '.join(names)}."
