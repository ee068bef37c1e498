"""Who counts tokens: a tokenizer's file, tiktoken with a local encoding, the served model, or the estimate.

Nothing here downloads. What counted is told by `describe`, which the run's manifest keeps.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import FunctionType
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from attar.api import ConfigProblem, ModelRef, RecipePath

TOKENIZERS_EXTRA = "pip install 'attar[tokens]'"


class TokenCounter(BaseModel):
    """Which tokenizer counts: one of these."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    tokenizer: Annotated[str | None, RecipePath()] = Field(
        None, description="a tokenizer.json (of the `tokenizers` library), or a model's folder that holds one"
    )
    tiktoken: str | None = Field(
        None,
        min_length=1,
        description="name of a tiktoken encoding (o200k_base); its file is looked for in $TIKTOKEN_CACHE_DIR "
        "unless `file` names it, and never fetched",
    )
    file: Annotated[str | None, RecipePath()] = Field(None, description="the tiktoken encoding's own file")
    model: ModelRef | None = Field(
        None,
        description="an entry of `models:`; its own tokenizer counts: that of its folder where it is a local one, else "
        "its server's /tokenize (vLLM). Rehearsed models have none: then the estimate counts",
    )

    @model_validator(mode="after")
    def _one(self) -> TokenCounter:
        if sum(one is not None for one in (self.tokenizer, self.tiktoken, self.model)) != 1:
            raise ValueError("expected exactly one of tokenizer, tiktoken, model")
        if self.file is not None and self.tiktoken is None:
            raise ValueError("`file` belongs to tiktoken")
        return self


Tokens = Literal["estimate"] | TokenCounter
Count = Callable[[str], int]


class Counter(NamedTuple):
    """A tokenizer at hand.

    Attributes:
        count: tokens of a text, without the special ones a chat adds.
        ratio: its tokens per estimated token, on a short text of several scripts.
    """

    count: Count
    ratio: float


def files_of(tokens: Tokens) -> list[str]:
    """The files that decide how tokens are counted.

    Raises:
        ConfigProblem: there is no such file.
    """
    if isinstance(tokens, str) or tokens.model is not None:
        return []
    return [str(_tokenizer_file(tokens.tokenizer) if tokens.tokenizer is not None else _tiktoken_file(tokens))]


def describe(tokens: Tokens) -> dict[str, str]:
    """What counts, for the manifest: its kind, name, and the digest of its file."""
    if isinstance(tokens, str):
        from .weights import EDITION

        return {"tokens_counted_by": "estimate", "weights": EDITION}
    if tokens.model is not None:
        return {"tokens_counted_by": "model", "model": str(tokens.model), "if_rehearsed": "estimate"}
    path = Path(files_of(tokens)[0])
    kind = "tiktoken" if tokens.tiktoken is not None else "tokenizer"
    name = tokens.tiktoken or path.name
    return {"tokens_counted_by": kind, kind: name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


@lru_cache(maxsize=8)
def counter(tokens: TokenCounter) -> Counter:
    """Opens a tokenizer, once per process.

    Raises:
        ConfigProblem: it is not there or cannot be read.
    """
    count = _tokenizer(tokens) if tokens.tokenizer is not None else _tiktoken(tokens)
    from .estimate import estimate
    from .weights import SAMPLE

    return Counter(count, max(count(SAMPLE), 1) / max(estimate(SAMPLE), 1))


def _tokenizer_file(name: str) -> Path:
    path = Path(name)
    found = path / "tokenizer.json" if path.is_dir() else path
    if not found.is_file():
        raise ConfigProblem(
            ("tokens", "tokenizer"),
            f"there is no tokenizer file {found.name!r} in {found.parent.name!r}",
            "name a tokenizer.json or a folder that holds one",
            "E311",
        )
    return found


def _tokenizer(tokens: TokenCounter) -> Count:
    assert tokens.tokenizer is not None
    file = _tokenizer_file(tokens.tokenizer)
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise ConfigProblem(
            ("tokens", "tokenizer"), "the library `tokenizers` is not installed", TOKENIZERS_EXTRA
        ) from None
    try:
        opened = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises plain Exception
        raise ConfigProblem(
            ("tokens", "tokenizer"), f"{file.name!r} is no tokenizer file: {error}", "name a tokenizer.json"
        ) from None
    opened.no_truncation()
    opened.no_padding()
    encode = opened.encode

    def count(text: str) -> int:
        try:
            return len(encode(text, add_special_tokens=False))
        except (UnicodeEncodeError, TypeError):
            return len(encode(_whole(text), add_special_tokens=False))

    return count


def _tiktoken_file(tokens: TokenCounter) -> Path:
    """The encoding's file: the one that is named, or the one tiktoken's own cache folder has."""
    if tokens.file is not None:
        path = Path(tokens.file)
        if not path.is_file():
            raise ConfigProblem(("tokens", "file"), f"there is no file {path.name!r}", "", "E311")
        return path
    asked: list[str] = []

    def note(url: str, expected_hash: str | None = None) -> dict[bytes, int]:
        asked.append(url)
        raise LookupError

    try:
        _constructors(tokens, note)()
    except LookupError:
        pass
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", "")
    path = Path(folder) / hashlib.sha1(asked[0].encode()).hexdigest() if asked else Path()
    if not folder or not path.is_file():
        where = f"$TIKTOKEN_CACHE_DIR has no file {path.name}" if folder else "TIKTOKEN_CACHE_DIR is not set"
        raise ConfigProblem(
            ("tokens", "tiktoken"),
            f"the encoding {tokens.tiktoken!r} is not on this machine: {where}",
            "name its file with `file:`, or put it there; attar does not fetch it",
            "E311",
        )
    return path


def _constructors(tokens: TokenCounter, load: Callable[..., dict[bytes, int]]) -> Callable[[], dict[str, Any]]:
    """tiktoken's maker of an encoding, reading its ranks by `load` instead of from the network."""
    try:
        from tiktoken_ext import openai_public
    except ImportError:
        raise ConfigProblem(("tokens", "tiktoken"), "tiktoken is not installed", "pip install tiktoken") from None
    known = openai_public.ENCODING_CONSTRUCTORS
    if tokens.tiktoken not in known:
        raise ConfigProblem(
            ("tokens", "tiktoken"), f"tiktoken has no encoding {tokens.tiktoken!r}", f"it has {', '.join(known)}"
        )
    names: dict[str, Any] = {**vars(openai_public)}
    for name, value in vars(openai_public).items():
        if isinstance(value, FunctionType):
            names[name] = FunctionType(value.__code__, names, name, value.__defaults__)
    names["load_tiktoken_bpe"] = names["data_gym_to_mergeable_bpe_ranks"] = load
    made: Callable[[], dict[str, Any]] = names[known[tokens.tiktoken].__name__]
    return made


def _tiktoken(tokens: TokenCounter) -> Count:
    file = _tiktoken_file(tokens)

    def load(*urls: str, expected_hash: str | None = None, **more: Any) -> dict[bytes, int]:
        import base64

        data = file.read_bytes()
        if expected_hash and hashlib.sha256(data).hexdigest() != expected_hash:
            raise ConfigProblem(
                ("tokens", "file" if tokens.file else "tiktoken"),
                f"{file.name!r} is not the file of the encoding {tokens.tiktoken!r}: its digest differs",
                "",
            )
        pairs = (line.split() for line in data.splitlines() if line)
        return {base64.b64decode(token): int(rank) for token, rank in pairs}

    import tiktoken

    encode = tiktoken.Encoding(**_constructors(tokens, load)()).encode_ordinary
    return lambda text: len(encode(text))


def _whole(text: str) -> str:
    """The text with lone surrogates, which no tokenizer takes, as replacement characters."""
    return text.encode("utf-8", "replace").decode()
