"""Questions are proved before anything is written of them: rag.check_unanswerable and rag.check_camouflage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import regex
from pydantic import Field

from attar.api import Columns, Config, Context, Judge, ModelRef, PromptRef, Row, RowError, Verdict

_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:[-'’.][\p{L}\p{M}\p{N}]+)*")

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "answered": {"type": "boolean"}},
    "required": ["reason", "answered"],
    "additionalProperties": False,
}


class ProofConfig(Config):
    """What both proofs share: who is asked, and where the question and its chunks stand."""

    model: ModelRef = Field(description="the model that says whether passages answer a question")
    prompt: PromptRef = Field(description="prompt; reads `asked` (the question) and `passages` (list of texts)")
    question: str = Field("question", min_length=1, description="column with the question")
    gold: str = Field("gold", min_length=1, description="column with the texts of the gold chunks")
    contexts: str = Field("contexts", min_length=1, description="column with the texts of the context")


async def _answered(
    config: ProofConfig, ctx: Context, row: Row, question: str, passages: Sequence[str], key: str
) -> bool:
    """Whether the model finds the answer in these passages together. An answer it cannot give is no answer."""
    messages = ctx.messages(config.prompt, row, asked=question, passages=list(passages))
    answer = await ctx.chat(config.model, messages, schema=SCHEMA, key=key)
    return bool(answer.value["answered"])


def _text(row: Row, column: str) -> str:
    value = row[column]
    return value.strip() if isinstance(value, str) else ""


class CheckUnanswerableConfig(ProofConfig):
    """See CheckUnanswerable."""

    kind: str = Field("negative_kind", min_length=1, description="column with elsewhere, nowhere or out_of_domain")
    found: str = Field(
        "proof_contexts",
        min_length=1,
        description="column with the chunks that a search of the whole corpus found for the question",
    )
    twin: str = Field(
        "twin_question", min_length=1, description="column with the twin's question; elsewhere needs none"
    )
    twin_contexts: str = Field("twin_contexts", min_length=1, description="column with the twin's context")
    per_call: int = Field(5, ge=1, le=50, description="found chunks that are judged in one request")


class CheckUnanswerable(Judge[CheckUnanswerableConfig]):
    """Proves a hard negative: its context does not answer the question, its twin's context does answer the twin's.

    Three kinds. `elsewhere`: the gold chunk, which is withheld, answers it, and the context does not; the twin asks the
    same with the gold chunk in its context. `nowhere` and `out_of_domain`: none of the chunks that a search of the
    whole corpus found answers it, judged a few at a time and together, so that an answer in two parts counts as well;
    nor does the context. Their twin asks another question, which its context answers.

    Fail codes: `no_question`, `answered_by_context`, `answerable_elsewhere`, `not_answerable_elsewhere`,
    `twin_unanswerable`, `twin_is_the_same`. Score: `n_searched`, the chunks looked at.
    """

    Config = CheckUnanswerableConfig
    provides = frozenset({"asked", "passages"})
    calls_per_row = 6

    def reads(self, incoming: Columns) -> Columns:
        config = self.config
        texts = dict.fromkeys((config.question, config.kind, config.twin), "string?")
        several = (config.gold, config.contexts, config.twin_contexts, config.found)
        return {**texts, **{name: _kind(incoming, name) for name in several}}

    def score_names(self) -> tuple[str, ...]:
        return ("n_searched",)

    async def judge(self, row: Row, ctx: Context) -> Verdict:
        config = self.config
        question, kind = _text(row, config.question), row[config.kind]
        elsewhere = kind == "elsewhere"
        twin = question if elsewhere else _text(row, config.twin)
        shown = [text for text in row[config.contexts] or () if text]
        beyond = [text for text in row[config.found] or () if text and text not in shown]
        scores = {"n_searched": float(len(shown) + len(beyond))}
        if kind not in ("elsewhere", "nowhere", "out_of_domain"):
            raise RowError("bad_kind", f"{kind!r} is no kind of hard negative: elsewhere, nowhere, out_of_domain")
        if not question or not twin:
            return Verdict("fail", "no_question", scores, "A question is missing.")
        if not elsewhere and _bare(question) == _bare(twin):
            return Verdict("fail", "twin_is_the_same", scores, "Both questions are the same.")

        async def answered(asked: str, passages: Sequence[str], key: str) -> bool:
            return await _answered(config, ctx, row, asked, passages, key)

        if shown and await answered(question, shown, "context"):
            return Verdict("fail", "answered_by_context", scores, f"The passages answer it: {question}")
        if elsewhere:
            gold = [text for text in row[config.gold] or () if text]
            if not gold or not await answered(question, gold, "gold"):
                return Verdict("fail", "not_answerable_elsewhere", scores, f"The chunk does not answer it: {question}")
        else:
            for start in range(0, len(beyond), config.per_call):
                if await answered(question, beyond[start : start + config.per_call], f"found {start}"):
                    told = f"Other pages of the corpus answer it: {question}"
                    return Verdict("fail", "answerable_elsewhere", scores, told)
        with_gold = [text for text in row[config.twin_contexts] or () if text]
        if not await answered(twin, with_gold, "twin"):
            return Verdict(
                "fail", "twin_unanswerable", scores, f"The passages do not answer the twin's question: {twin}"
            )
        return Verdict("pass", "", scores)


class CheckCamouflageConfig(ProofConfig):
    """See CheckCamouflage."""

    max_words: int = Field(8, ge=1, description="words of the question at most")
    at_least: int = Field(2, ge=2, description="gold chunks there must be")


class CheckCamouflage(Judge[CheckCamouflageConfig]):
    """Proves that a short question needs all its gold chunks: the context answers it, and stops to do so as soon as any
    one gold chunk is taken out.

    Fail codes: `no_question`, `too_many_words`, `too_few_gold`, `camouflage_unanswerable`, `camouflage_too_easy`.
    Score: `n_words`, negative, so that shorter is better.
    """

    Config = CheckCamouflageConfig
    provides = frozenset({"asked", "passages"})
    calls_per_row = 3

    def reads(self, incoming: Columns) -> Columns:
        config = self.config
        several = {name: _kind(incoming, name) for name in (config.gold, config.contexts)}
        return {config.question: "string?", **several}

    def score_names(self) -> tuple[str, ...]:
        return ("n_words",)

    async def judge(self, row: Row, ctx: Context) -> Verdict:
        config = self.config
        question = _text(row, config.question)
        count = len(_WORD.findall(question))
        scores = {"n_words": -float(count)}
        shown = [text for text in row[config.contexts] or () if text]
        gold = [text for text in dict.fromkeys(row[config.gold] or ()) if text and text in shown]
        if not count:
            return Verdict("fail", "no_question", scores, "There is no question.")
        if count > config.max_words:
            told = f"The question has {count} words; {config.max_words} are the most: {question}"
            return Verdict("fail", "too_many_words", scores, told)
        if len(gold) < config.at_least:
            told = f"{len(gold)} gold chunks stand in the context; {config.at_least} are needed."
            return Verdict("fail", "too_few_gold", scores, told)
        if not await _answered(config, ctx, row, question, shown, "all"):
            return Verdict("fail", "camouflage_unanswerable", scores, f"The passages do not answer it: {question}")
        for place, left_out in enumerate(gold):
            rest = [text for text in shown if text != left_out]
            if await _answered(config, ctx, row, question, rest, f"without {place}"):
                told = f"The question is answered without passage {place + 1}; it must need all: {question}"
                return Verdict("fail", "camouflage_too_easy", scores, told)
        return Verdict("pass", "", scores)


def _kind(incoming: Columns, name: str) -> str:
    """A list of texts; nullable where it arrives so (a step that rows pass by leaves nulls)."""
    return "list<string>?" if incoming.get(name, "").endswith("?") else "list<string>"


def _bare(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))
