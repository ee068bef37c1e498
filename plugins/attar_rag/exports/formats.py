"""The output formats openai_chat, sharegpt, alpaca, trl_chat and trl_prompt_completion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

from pydantic import Field

from attar.api import Columns, ConfigProblem, Context, RowSet, Sink, parse_type
from attar_rag.exports.columns import TEXT, Feature, feature, holds_json, json_text, list_of, plain, structs
from attar_rag.exports.settings import ExportConfig, RoleNames
from attar_rag.exports.split import Name, Splitter
from attar_rag.exports.turns import MODEL, USER, Conversation, Turn, conversation, fault_of, is_blank

E = TypeVar("E", bound=ExportConfig)
Record = dict[str, Any]

TRL_KEYS = frozenset(("messages", "prompt", "completion", "text", "chosen", "rejected"))
"""Keys by which TRL tells the layouts of its datasets apart."""


class ChatExport(Sink[E]):
    """Writes conversations as JSON Lines, `data/train-00000.jsonl` and so on by split, and a README.md with which
    `datasets.load_dataset` reads the folder. Streams; text is written as it is, and equal rows give equal bytes.

    Rows must be conversations that the format can hold (user and model take turns, nothing is empty): a sink rejects
    no rows, so one that is none fails the run and is named. Put `rag.check_messages` before it.
    """

    title = ""
    told = ""
    reserved: frozenset[str] = frozenset()

    def keys(self) -> dict[str, Feature]:
        """Keys of a record besides those carried, with their features."""
        raise NotImplementedError

    def records(self, one: Conversation, row: Mapping[str, Any]) -> Iterator[Record]:
        """The records of a row's conversation, whose system text is folded where that was asked for."""
        raise NotImplementedError

    def reads(self, incoming: Columns) -> Columns:
        return self.config.columns()

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        yield from self.config.problems(incoming, self.reserved | self.keys().keys())

    def data_files(self) -> Mapping[str, str]:
        from attar_rag.exports.files import pattern

        names: list[Name] = self.config.split.names() if self.config.split else ["train"]
        return {name: pattern(name) for name in names}

    def write(self, rows: RowSet, ctx: Context) -> None:
        from attar_rag.exports.files import SplitFiles, readme

        config = self.config
        splitter = Splitter(config.split, rows) if config.split else None
        columns = config.columns()
        carried = {name: parse_type(kind) for name, kind in config.carried(rows.columns).items()}
        texts = {name for name, kind in carried.items() if holds_json(kind)}
        with SplitFiles(ctx.out, config.split.names() if config.split else ["train"], config.rows_per_file) as files:
            for row in _rows(rows, list(columns)):
                further = {name: json_text(row[name]) if name in texts else row[name] for name in carried}
                name = splitter.of(row.get(config.split.by), row["id"]) if splitter and config.split else "train"
                for record in self.records(self._conversation(row), row):
                    files.add(name, record | further)
            counts = files.records()
        documents = splitter.documents() if splitter else {}
        features = self.keys() | {name: feature(kind) for name, kind in carried.items()}
        text = readme(self.title, self._told(), features, counts, documents, files.digest())
        (ctx.out / "README.md").write_text(text, encoding="utf-8")

    def _told(self) -> str:
        how = {
            "strip": "Thoughts are left out.",
            "keep": f"Thoughts stand under `{self.config.thought_key}`.",
            "tagged": f"Thoughts stand before the answers, between `{self.config.tags.open}` and "
            f"`{self.config.tags.close}`.",
        }
        return f"{self.told} {how[self.config.thoughts]}"

    def _conversation(self, row: Mapping[str, Any]) -> Conversation:
        """A row's conversation.

        Raises:
            ConfigProblem: it is none that the format can hold; names the row.
        """
        config = self.config
        if config.question is not None and config.answer is not None:
            thought = row[config.answer_thought] if config.answer_thought is not None else None
            turns: Sequence[Turn] = [
                Turn(USER, row[config.question] or ""),
                Turn(MODEL, row[config.answer] or "", None if is_blank(thought) else thought),
            ]
            system = None
        else:
            system, turns = conversation(row[config.messages], config.roles)
        fault = fault_of(turns, tags=config.tags if config.thoughts == "tagged" else None)
        if fault is not None:
            raise ConfigProblem(
                (),
                f"row {row['id']}: {fault.message} ({fault.code})",
                "reject such rows before the output: rag.check_messages tells them"
                if not config.single
                else "reject rows with an empty question or answer before the output: std.filter",
                "E310",
            )
        if system is None:  # a conversation's own system text goes before the recipe's
            system = row[config.system_column] if config.system_column is not None else config.system
            system = None if is_blank(system) else system
        if system is not None and config.fold_system:
            first = turns[0]
            turns = [first._replace(content=f"{system}\n\n{first.content}"), *turns[1:]]
            system = None
        return Conversation(system, turns)

    def _may_have_system(self) -> bool:
        """Whether a record may hold a system text: messages may bring one themselves."""
        config = self.config
        given = config.system is not None or config.system_column is not None
        return not config.fold_system and (given or not config.single)

    def _content(self, turn: Turn) -> str:
        tags = self.config.tags
        if self.config.thoughts != "tagged" or turn.thought is None:
            return turn.content
        return f"{tags.open}\n{turn.thought}\n{tags.close}\n\n{turn.content}"

    def _kept(self, turn: Turn) -> Record:
        """The thought under its own key."""
        return {self.config.thought_key: turn.thought} if self.config.thoughts == "keep" and turn.thought else {}

    def _thought_keys(self) -> tuple[str, ...]:
        return (self.config.thought_key,) if self.config.thoughts == "keep" else ()


class OpenAIConfig(ExportConfig):
    """See OpenAIChat."""

    role_names: RoleNames = Field(default_factory=RoleNames, description="what the roles are called in the files")


class _Messages(ChatExport[E]):
    """What formats of messages with role and content share."""

    def _names(self) -> RoleNames:
        raise NotImplementedError

    def _messages(self, system: str | None, turns: Sequence[Turn]) -> list[Record]:
        names = self._names()
        start = [] if system is None else [{"role": names.system, "content": system}]
        return start + [
            {
                "role": names.assistant if turn.role == MODEL else names.user,
                "content": self._content(turn),
                **self._kept(turn),
            }
            for turn in turns
        ]

    def _message_list(self) -> Feature:
        return structs("role", "content", *self._thought_keys())


class OpenAIChat(_Messages[OpenAIConfig]):
    """`{"messages": [{"role", "content"}]}` with the roles system, user and assistant: fine-tuning files as OpenAI and
    most tools read them."""

    Config = OpenAIConfig
    title = "Chats (OpenAI)"
    told = "A record holds `messages`, each with `role` and `content`."

    def _names(self) -> RoleNames:
        return self.config.role_names

    def keys(self) -> dict[str, Feature]:
        return {"messages": self._message_list()}

    def records(self, one: Conversation, row: Mapping[str, Any]) -> Iterator[Record]:
        yield {"messages": self._messages(*one)}


class TRLChat(OpenAIChat):
    """TRL's conversational layout for SFTTrainer: `{"messages": [{"role", "content"}]}`. The trainer has the
    tokenizer's chat template write it out; what a template makes of `thought_key` is the template's own matter."""

    title = "Chats (TRL, conversational)"
    reserved = TRL_KEYS


class PromptCompletionConfig(OpenAIConfig):
    """See TRLPromptCompletion."""

    answers: Literal["all", "last"] = Field("all", description="a record for each answer, or for the last one alone")
    past_thoughts: bool = Field(
        False, description="thoughts of earlier answers stay in the prompt; a chat's history has none when it is served"
    )


class TRLPromptCompletion(_Messages[PromptCompletionConfig]):
    """TRL's conversational prompt and completion: `{"prompt": [...], "completion": [...]}`, both lists of messages.
    SFTTrainer learns from completions alone. By default a record for each answer, with all that came before as its
    prompt."""

    Config = PromptCompletionConfig
    title = "Prompts and completions (TRL)"
    reserved = TRL_KEYS
    told = "A record holds `prompt`, the messages before an answer, and `completion`, the answer; both are lists."

    def _names(self) -> RoleNames:
        return self.config.role_names

    def keys(self) -> dict[str, Feature]:
        return {"prompt": self._message_list(), "completion": self._message_list()}

    def records(self, one: Conversation, row: Mapping[str, Any]) -> Iterator[Record]:
        for past, turn in _answers(one.turns, self.config.answers, self.config.past_thoughts):
            yield {"prompt": self._messages(one.system, past), "completion": self._messages(None, [turn])}


class ShareGPTNames(RoleNames):
    """What the roles are called in the files."""

    user: str = Field("human", min_length=1)
    assistant: str = Field("gpt", min_length=1)


class ShareGPTConfig(ExportConfig):
    """See ShareGPT."""

    role_names: ShareGPTNames = Field(
        default_factory=ShareGPTNames, description="what the roles are called in the files"
    )


class ShareGPT(ChatExport[ShareGPTConfig]):
    """`{"conversations": [{"from", "value"}]}` with system, human and gpt."""

    Config = ShareGPTConfig
    title = "Chats (ShareGPT)"
    told = "A record holds `conversations`, each part with `from` and `value`."

    def keys(self) -> dict[str, Feature]:
        return {"conversations": structs("from", "value", *self._thought_keys())}

    def records(self, one: Conversation, row: Mapping[str, Any]) -> Iterator[Record]:
        names = self.config.role_names
        parts: list[Record] = [] if one.system is None else [{"from": names.system, "value": one.system}]
        for turn in one.turns:
            who = names.assistant if turn.role == MODEL else names.user
            parts.append({"from": who, "value": self._content(turn), **self._kept(turn)})
        yield {"conversations": parts}


class AlpacaConfig(ExportConfig):
    """See Alpaca."""

    input: str | None = Field(None, description="column with the `input` of the instruction, such as a context")
    answers: Literal["all", "last"] = Field("last", description="a record for each answer, or for the last one alone")
    past_thoughts: bool = Field(
        False, description="where thoughts are tagged, those of earlier answers stay in history"
    )

    def columns(self) -> dict[str, str]:
        return super().columns() | ({} if self.input is None else {self.input: "string"})


class Alpaca(ChatExport[AlpacaConfig]):
    """`{"instruction", "input", "output"}`; messages also have `history`, the earlier pairs of question and answer, and
    `system` stands where there may be a system text. Kept thoughts are those of the answers in `output`."""

    Config = AlpacaConfig
    title = "Instructions (Alpaca)"
    told = "A record holds `instruction`, `input` and `output`."

    def keys(self) -> dict[str, Feature]:
        names = [*(["system"] if self._may_have_system() else []), "instruction", "input", "output"]
        texts = dict.fromkeys((*names, *self._thought_keys()), TEXT)
        return texts if self.config.single else {**texts, "history": list_of(list_of(TEXT))}

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        yield from super().check(incoming)
        if self.config.past_thoughts and self.config.thoughts == "keep":
            yield ConfigProblem(
                ("past_thoughts",),
                "pairs in history have no key for a thought",
                "use thoughts: tagged, or leave it out",
            )

    def records(self, one: Conversation, row: Mapping[str, Any]) -> Iterator[Record]:
        config = self.config
        text = None if config.input is None else row[config.input]
        for past, turn in _answers(one.turns, config.answers, config.past_thoughts):
            record: Record = {"system": one.system or ""} if self._may_have_system() else {}
            record |= {"instruction": past[-1].content, "input": text or "", "output": self._content(turn)}
            if config.thoughts == "keep":
                record[config.thought_key] = turn.thought
            if not config.single:
                pairs = zip(past[:-1:2], past[1:-1:2], strict=True)
                record["history"] = [[asked.content, self._content(said)] for asked, said in pairs]
            yield record


def _answers(turns: Sequence[Turn], which: str, past_thoughts: bool) -> Iterator[tuple[Sequence[Turn], Turn]]:
    """Each answer with the turns before it."""
    bare = turns if past_thoughts else [turn._replace(thought=None) for turn in turns]
    places = range(1, len(turns), 2) if which == "all" else [len(turns) - 1]
    for place in places:
        yield bare[:place], turns[place]


def _rows(rows: RowSet, columns: list[str]) -> Iterator[dict[str, Any]]:
    """The rows with their id and the named columns; json as the values it holds."""
    kinds = {name: parse_type(rows.columns[name]) for name in columns}
    decoded = {name: kind for name, kind in kinds.items() if holds_json(kind)}
    for batch in rows.batches(columns):
        for row in batch.select(["id", *columns]).to_pylist():
            for name, kind in decoded.items():
                row[name] = plain(row[name], kind)
            yield row
