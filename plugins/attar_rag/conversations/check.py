"""rag.check_conversation: conversations that keep to what was ordered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import regex
from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Judge, Row, Verdict
from attar_rag.exports.columns import MESSAGES
from attar_rag.exports.turns import MODEL, USER, Fault, Roles, Tags, Turn, conversation, fault_of
from attar_rag.retrieval.terms import terms

_LEAK = regex.compile(
    r"\b(?:konteks|context|chunks?)\b|(?:dokumen|teks|potongan|kutipan)\s+(?:di\s+atas|yang\s+diberikan|yang\s+tersedia|"
    r"tersebut|sumber)|\b(?:provided|given|above)\s+(?:texts?|documents?|passages?|excerpts?)\b|"
    r"(?:संदर्भ|दिए\s+गए\s+(?:दस्तावेज़|दस्तावेज|पाठ|अंश))",
    regex.IGNORECASE,
)
_TELLING = 4  # letters of a word that can be evidence; shorter ones are mostly grammar


class CheckConversationConfig(Config):
    """See CheckConversation."""

    column: str = Field("messages", min_length=1, description="column with the messages: role, thought, content")
    contexts: str = Field("contexts", min_length=1, description="column with the texts they were written from")
    roles: Roles = Field(default_factory=Roles, description="what the roles are called there")
    turns: str | None = Field(None, description="column with the answers there must be")
    answerable: str | None = Field(
        None, description="column (bool) that says whether the last question can be answered; then refusals are checked"
    )
    narrow: str | None = Field(
        None, description="column (bool): the answer stands elsewhere, so a refusal may not speak for all documents"
    )
    question: str | None = Field(None, description="column with a question that must be asked, word for word; or null")
    thoughts: bool = Field(True, description="every answer must have a thought")
    evidence: int = Field(2, ge=0, description="words of the context a thought must name; 0: not looked at")
    leaks: bool = Field(False, description="true lets answers speak of the context they were given")


class CheckConversation(Judge[CheckConversationConfig]):
    """Passes conversations that are whole and do what was ordered.

    As rag.check_messages first: user and model take turns, the user first, the model last, nothing empty, a thought
    before each answer. Then the number of answers; the question that was to be asked, the last one where it cannot be
    answered; thoughts that name their evidence (words of four letters or more that stand in the context, or in the
    question where there is none); answers that do not speak of "the context". With `answerable`, no answer may refuse
    where it is true, and the last one must where it is false. Refusals are known in Indonesian, Javanese, Hindi and
    English.

    Fail codes: those of rag.check_messages, `wrong_turn_count`, `question_missing`, `refused_answerable`,
    `answered_unanswerable`, `overclaimed_absence`, `thought_without_evidence`, `context_leak`. Score: `n_turns`.
    """

    Config = CheckConversationConfig

    def reads(self, incoming: Columns) -> Columns:
        config = self.config
        wanted = {config.column: MESSAGES, config.contexts: "list<string>"}
        kinds = ((config.turns, "int"), (config.answerable, "bool?"), (config.narrow, "bool?"))
        wanted.update({name: kind for name, kind in (*kinds, (config.question, "string?")) if name is not None})
        return wanted

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        if self.config.narrow is not None and self.config.answerable is None:
            yield ConfigProblem(("narrow",), "narrow is about refusals, which need `answerable`", "set `answerable`")

    def score_names(self) -> tuple[str, ...]:
        return ("n_turns",)

    async def judge(self, row: Row, ctx: Context) -> Verdict:
        config = self.config
        turns = conversation(row[config.column], config.roles).turns
        scores = {"n_turns": float(sum(turn.role == MODEL for turn in turns))}
        fault = fault_of(turns, thoughts=config.thoughts, tags=Tags()) or self._fault(turns, row)
        if fault is None:
            return Verdict("pass", "", scores)
        return Verdict("fail", fault.code, scores, f"In the conversation, {fault.message}.")

    def _fault(self, turns: Sequence[Turn], row: Row) -> Fault | None:
        config = self.config
        answers = [turn for turn in turns if turn.role == MODEL]
        asked = [turn for turn in turns if turn.role == USER]
        if config.turns is not None and len(answers) != row[config.turns]:
            return Fault(
                "wrong_turn_count", f"there are {len(answers)} answers, and {row[config.turns]} were asked for"
            )
        answerable = row[config.answerable] if config.answerable is not None else None
        question = row[config.question] if config.question is not None else None
        if question:
            among = asked[-1:] if answerable is False else asked
            if not any(_says(turn.content, question) for turn in among):
                where = "the last message of the user" if answerable is False else "a message of the user"
                return Fault("question_missing", f"{where} must ask, in these words: {question}")
        return self._of_refusals(answers, answerable, row) or self._of_texts(asked, answers, row)

    def _of_refusals(self, answers: Sequence[Turn], answerable: bool | None, row: Row) -> Fault | None:
        from .refusal import overclaims, refuses

        if answerable is True:
            refused = next((turn for turn in answers if refuses(turn.content)), None)
            if refused is not None:
                return Fault(
                    "refused_answerable", f"an answer says it is not known, but it is: {refused.content[:200]}"
                )
        elif answerable is False:
            if not refuses(answers[-1].content):
                return Fault(
                    "answered_unanswerable",
                    "the last question cannot be answered, and the reply does not say that it has no information on it",
                )
            if self.config.narrow is not None and row[self.config.narrow] and overclaims(answers[-1].content):
                return Fault(
                    "overclaimed_absence",
                    "the last reply says that no document has the answer; it may only say that it does not have it",
                )
        return None

    def _of_texts(self, asked: Sequence[Turn], answers: Sequence[Turn], row: Row) -> Fault | None:
        config = self.config
        if config.evidence and config.thoughts:
            known = {term for text in row[config.contexts] or () for term in terms(text or "")}
            for turn, before in zip(answers, asked, strict=True):
                named = {term for term in terms(turn.thought or "") if len(term) >= _TELLING or term.isdigit()}
                if len(named & (known | set(terms(before.content)))) < config.evidence:
                    return Fault(
                        "thought_without_evidence", f"a thought names no evidence: {(turn.thought or '')[:200]}"
                    )
        if not config.leaks:
            for turn in answers:
                found = _LEAK.search(turn.content)
                if found is not None:
                    return Fault("context_leak", f"an answer speaks of what it was given ({found[0]!r})")
        return None


def _says(text: str, question: str) -> bool:
    """Whether a text holds a question's words one after the other; case and punctuation do not count."""
    return f" {' '.join(terms(question))} " in f" {' '.join(terms(text))} "
