"""datatrove.block: any filter or formatter of datatrove as a step."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import pickle
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from attar.api import BatchResult, Columns, Config, ConfigProblem, Context, Reject, Row, RowError, RowStep
from attar.api import nullable as null_too

from ._batch import records_of
from ._types import Misfit, arrow_array, fitter, parse_columns

if TYPE_CHECKING:
    import pyarrow as pa

EXTRA = "pip install 'attar[blocks]'"


class BlockConfig(Config):
    block: str = Field(
        ...,
        pattern=r"^[A-Za-z_][\w.]*\.[A-Za-z_]\w*$",
        description="import path of the class, such as datatrove.pipeline.filters.GopherQualityFilter",
    )
    args: dict[str, Any] = Field(default_factory=dict, description="arguments of its constructor")
    text: str = Field("text", description="column that is the document's text; the others are its metadata")
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="metadata the block sets, kept as columns, with their types: `language_score: float`",
    )


class Block(RowStep[BlockConfig]):
    """Applies a datatrove filter (a document it drops is rejected, its reason is the code) or formatter (the text is
    replaced). The class and its arguments are checked before the run; models or word lists that a block downloads are
    fetched when it is first used.
    """

    Config = BlockConfig

    def __init__(self, config: BlockConfig) -> None:
        super().__init__(config)
        self._incoming: Columns = {}
        self._built: Any = None
        self._fresh: bytes | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_built": None, "_fresh": None}

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.text: "any"}

    def writes(self, incoming: Columns) -> Columns:
        self._incoming = dict(incoming)
        try:
            parse_columns(self.config.columns)
        except ValueError as error:
            name, message = error.args
            raise ConfigProblem(("columns", name), message, "types: string int float bool json list<T>") from None
        return self.add(incoming, {n: null_too(kind) for n, kind in self.config.columns.items()}, ("columns",))

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        kind = incoming.get(self.config.text, "string").rstrip("?")
        if kind != "string":
            yield ConfigProblem(("text",), f"column {self.config.text!r} is {kind}, not text", "name another", "E503")
        try:
            found = self._class()
        except ConfigProblem as problem:
            yield problem
            return
        if "exclusion_writer" in self.config.args:
            yield ConfigProblem(("args", "exclusion_writer"), "attar keeps what is dropped itself", "remove it")
        try:
            bound = inspect.signature(found).bind(**self.config.args)
            bound.apply_defaults()
            yield from _tokenizer_problems(found, bound.arguments.get("language"))
        except TypeError as error:
            known = [name for name in inspect.signature(found).parameters if name != "exclusion_writer"]
            wrong = next((name for name in self.config.args if name not in known), None)
            near = difflib.get_close_matches(wrong, known, n=1) if wrong else []
            field = ("args", wrong) if wrong else ("args",)
            help = f"did you mean {near[0]!r}?" if near else f"it takes: {', '.join(known)}"
            yield ConfigProblem(field, f"{found.__name__} cannot be made with these arguments: {error}", help)

    def _class(self) -> type[Any]:
        """The class.

        Raises:
            ConfigProblem: it is not there, something it needs is not installed, or it is no filter or formatter.
        """
        path, _, name = self.config.block.rpartition(".")
        try:
            module = importlib.import_module(path)
        except ModuleNotFoundError as error:
            missing = error.name or path
            if path == missing or path.startswith(f"{missing}."):
                raise ConfigProblem(("block",), f"there is no module {missing!r}", "look at its spelling") from None
            raise _needs(self.config.block, missing) from None
        except ImportError as error:
            raise _needs(self.config.block, str(error)) from None
        found = getattr(module, name, None)
        if not isinstance(found, type):
            names = [n for n, value in vars(module).items() if isinstance(value, type)]
            near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
            help = "did you mean " + " or ".join(near) + "?" if near else ""
            raise ConfigProblem(("block",), f"{path} has no class {name!r}", help)
        for base in found.mro():
            for needed in getattr(base, "_requires_dependencies", ()):
                module_name = needed[0] if isinstance(needed, tuple) else needed
                if importlib.util.find_spec(str(module_name).partition(".")[0]) is None:
                    raise _needs(self.config.block, str(needed))
        if not (callable(getattr(found, "filter", None)) or callable(getattr(found, "format", None))):
            raise ConfigProblem(
                ("block",),
                f"{name} is neither a filter nor a formatter",
                "others need all documents or write files: see std.dedup and outputs",
            )
        if name == "SamplerFilter":
            raise ConfigProblem(("block",), f"{name} draws in the order of rows", "use std.thin or std.sample instead")
        if inspect.isabstract(found):
            raise ConfigProblem(("block",), f"{name} is abstract", "name one of its subclasses")
        return found

    def _block(self) -> Any:
        """The block. A formatter may count as it goes (PIIFormatter takes the next stand-in each time), and its output
        would hang on the order of rows; so each row gets one as it was when made."""
        if self._built is None:
            self._built = self._class()(**self.config.args)
            if not callable(getattr(self._built, "filter", None)):
                self._fresh = pickle.dumps(self._built)
        return self._built if self._fresh is None else pickle.loads(self._fresh)

    def _apply(self, id: str, row: Mapping[str, Any]) -> dict[str, Any] | Reject:
        block, name = self._block(), self.config.text
        text = row[name]
        if not isinstance(text, str):
            raise RowError("no_text", f"column {name!r} is null")
        try:
            if not callable(getattr(block, "filter", None)):
                return {name: block.format(text)}
            from datatrove.data import Document

            document = Document(text=text, id=id, metadata={k: v for k, v in row.items() if k != name})
            result = block.filter(document)
        except Exception as error:
            raise RowError("block", f"{type(block).__name__}: {type(error).__name__}: {error}") from None
        keep, reason = result if isinstance(result, tuple) else (result, None)
        if not keep:
            return Reject(_code(str(reason)) if reason else _code(type(block).__name__), str(reason or ""))
        made = {name: document.text} if document.text != text else {}
        for column, kind in parse_columns(self.config.columns).items():
            try:
                made[column] = fitter(kind._replace(nullable=True))(_plain(document.metadata.get(column)))
            except Misfit as problem:
                raise RowError("schema", f"column {column!r}: {problem}") from None
        return made

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject:
        return self._apply(row.id, row)

    def apply_batch(self, batch: pa.RecordBatch, ctx: Context) -> BatchResult:
        """As `apply`; raises for a batch that holds a faulty row, and the engine then goes row by row."""
        import pyarrow as pa

        kinds = {name: kind._replace(nullable=True) for name, kind in parse_columns(self.config.columns).items()}
        columns: dict[str, list[Any]] = {name: [] for name in [self.config.text, *kinds]}
        codes: list[str | None] = []
        details: list[str | None] = []
        for row in records_of(batch, set(batch.schema.names), self._incoming):
            made = self._apply("", row)
            codes.append(made.code if isinstance(made, Reject) else None)
            details.append(made.detail if isinstance(made, Reject) else None)
            new = row if isinstance(made, Reject) else {**row, **made}
            for name, values in columns.items():
                values.append(new.get(name))
        arrays = {name: arrow_array(columns[name], kind) for name, kind in kinds.items()}
        arrays[self.config.text] = pa.array(columns[self.config.text], pa.string())
        if not any(codes):
            return BatchResult(arrays)
        return BatchResult(arrays, pa.array(codes, pa.string()), pa.array(details, pa.string()))


def _tokenizer_problems(block: type[Any], language: Any) -> Iterator[ConfigProblem]:
    """What is missing to cut text in this language; otherwise every row would fail of it."""
    splits = ("split_into_words", "split_into_sentences")
    if not isinstance(language, str) or not any(hasattr(inspect.getmodule(block), name) for name in splits):
        return
    from datatrove.utils.word_tokenizers import load_word_tokenizer

    try:
        load_word_tokenizer(language)
    except ImportError as error:
        what, _, how = str(error).partition(" (`")
        yield ConfigProblem(("block",), f"{block.__name__} cannot be used yet: {what}", how.rstrip("`)."), "E311")
    except ValueError as error:
        yield ConfigProblem(("args", "language"), str(error).partition(". ")[0], "name another language")


def _needs(block: str, what: str) -> ConfigProblem:
    return ConfigProblem(("block",), f"{block} needs something that is not installed: {what}", EXTRA, "E311")


def _plain(value: Any) -> Any:
    """numpy's numbers as Python's."""
    return value.item() if hasattr(value, "item") and not isinstance(value, str) else value


def _code(reason: str) -> str:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", reason).lower()
    code = re.sub(r"[^a-z0-9]+", "_", snake).strip("_")
    return code if code[:1].isalpha() else f"dropped_{code}".rstrip("_")
