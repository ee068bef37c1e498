"""lang.identify: which language a text is in, by its script first and by py3langid where several share one."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Row, RowError, RowStep

EXTRA = "py3langid is not installed; it comes with attar's extra `lang`"
HELP = "pip install 'attar[lang]', or say model: none (by script alone)"

# Letters that only one of two languages of a script has.
_OWN_LETTERS = {"as": "ৰৱ", "bn": "র"}
_URDU_LETTERS = "ٹڈڑںےہھگچپژ"


class Identified(NamedTuple):
    """What a text is in.

    Attributes:
        language: code; None where nothing can be said.
        score: from 0 to 1; the share of letters in the language's script, times the model's probability where asked.
        script: the script most letters are of; "" for a text without letters.
        scripts: share of each script among the letters, the greatest first.
    """

    language: str | None
    score: float
    script: str
    scripts: Mapping[str, float]

    @property
    def mix(self) -> float:
        """Share of letters in other scripts than the first."""
        return 1 - self.scripts[self.script] if self.script else 0.0


def has_model() -> bool:
    """Whether py3langid can be imported; does not import it."""
    return importlib.util.find_spec("py3langid") is not None


@lru_cache(maxsize=64)
def _model(codes: frozenset[str]) -> tuple[Any, frozenset[str]]:
    """An identifier for some languages, and those of them that it knows.

    Raises:
        RowError: `no_model`, the extra is absent.
    """
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError:
        raise RowError("no_model", f"{EXTRA}: {HELP}") from None
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    known = codes & set(identifier.labels)
    if len(known) > 1:
        identifier.set_languages(sorted(known))
    return identifier, frozenset(known)


def identify(text: str, candidates: tuple[str, ...], *, model: bool = True) -> Identified:
    """The language of a text among candidates (codes of `attar.api.text.LANGUAGES`).

    A script that one candidate alone is written in decides. Bengali and Assamese are told apart by their own r and w;
    the rest by py3langid, restricted to the candidates of that script. Without `model` they stay undecided (None).

    Raises:
        RowError: `no_model`, the extra is absent and the model is needed.
    """
    from attar.api.text import LANGUAGES, scripts

    shares = scripts(text)
    if not shares:
        return Identified(None, 0.0, "", {})
    script = next(iter(shares))
    share = shares[script]
    possible = [code for code in candidates if script in LANGUAGES[code].scripts]
    if not possible:
        return Identified(None, 0.0, script, shares)
    if len(possible) == 1:
        sure = 1.0 if possible[0] != "ur" or any(letter in text for letter in _URDU_LETTERS) else 0.5
        return Identified(possible[0], share * sure, script, shares)
    if set(possible) == _OWN_LETTERS.keys():
        counts = {code: sum(text.count(letter) for letter in own) for code, own in _OWN_LETTERS.items()}
        if total := sum(counts.values()):
            best = max(possible, key=lambda code: counts[code])
            return Identified(best, share * counts[best] / total, script, shares)
    if not model:
        return Identified(None, 0.0, script, shares)
    identifier, known = _model(frozenset(possible))
    if len(known) < 2:
        return Identified(next(iter(known), None), share / len(possible), script, shares)
    code, probability = identifier.classify(text)
    return Identified(str(code), share * float(probability), script, shares)


class IdentifyConfig(Config):
    """See Identify."""

    text: str = Field("text", min_length=1, description="column with the text")
    column: str | None = Field(None, min_length=1, description="new column with the code; default: the step's name")
    languages: tuple[str, ...] = Field((), description="candidates, by code or name; none given: all attar knows")
    min_score: float = Field(0.0, ge=0, le=1, description="a language less sure than this becomes null")
    model: Literal["py3langid", "none"] = Field(
        "py3langid", description="what tells languages of one script apart; none: they stay null"
    )


class Identify(RowStep[IdentifyConfig]):
    """Says which language a text is in.

    Writes `<column>` (ISO 639-1 code, null where nothing can be said), `<column>_name` (its English name),
    `<column>_score` (0 to 1), and of code-mixing `<column>_mix` (share of letters in other scripts than the main one)
    and `<column>_scripts` (share of each script, the greatest first). A language that is no candidate is not found: a
    French text, or Hindi in Latin letters, is called English, Indonesian or Javanese.
    """

    Config = IdentifyConfig

    @property
    def _column(self) -> str:
        return self.config.column or self.short_name

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.text: "string?"}

    def writes(self, incoming: Columns) -> Columns:
        name = self._column
        new = {
            name: "string?",
            f"{name}_name": "string?",
            f"{name}_score": "float",
            f"{name}_mix": "float",
            f"{name}_scripts": "list<struct<script:string,share:float>>",
        }
        return self.add(incoming, new, ("column",) if self.config.column else ())

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        from attar.api.text import UnknownLanguage, language

        for number, name in enumerate(self.config.languages):
            try:
                language(name)
            except UnknownLanguage as error:
                message, _, help = str(error).partition("; ")
                yield ConfigProblem(("languages", number), message, help)
                return
        if self.config.model != "none" and _needs_model(self._candidates()) and not has_model():
            yield ConfigProblem(("model",), f"{EXTRA}, and these languages share scripts", HELP)

    def _candidates(self) -> tuple[str, ...]:
        from attar.api.text import LANGUAGES, language

        return tuple(dict.fromkeys(language(name).code for name in self.config.languages)) or tuple(LANGUAGES)

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any]:
        from attar.api.text import LANGUAGES

        found = identify(row[self.config.text] or "", self._candidates(), model=self.config.model != "none")
        code = found.language if found.score >= self.config.min_score else None
        name = self._column
        return {
            name: code,
            f"{name}_name": LANGUAGES[code].name if code else None,
            f"{name}_score": found.score,
            f"{name}_mix": found.mix,
            f"{name}_scripts": [{"script": script, "share": share} for script, share in found.scripts.items()],
        }


def _needs_model(candidates: tuple[str, ...]) -> bool:
    from attar.api.text import LANGUAGES

    for code in candidates:
        for script in LANGUAGES[code].scripts:
            sharing = {other for other in candidates if script in LANGUAGES[other].scripts}
            if len(sharing) > 1 and sharing != _OWN_LETTERS.keys():
                return True
    return False


def mates(code: str) -> tuple[str, ...]:
    """Languages that share a script with this one, it among them."""
    from attar.api.text import LANGUAGES

    mine = set(LANGUAGES[code].scripts)
    return tuple(other for other, one in LANGUAGES.items() if mine & set(one.scripts))
