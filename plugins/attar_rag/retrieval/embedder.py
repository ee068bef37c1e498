"""Who embeds: a model of the recipe, or a sentence-transformers folder on this machine."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from attar.api import Config, ConfigProblem, Context, ModelRef, RecipePath, Runtime

_loaded: dict[tuple[str, str | None], Any] = {}
_lock = threading.Lock()


class Local(Config):
    """A sentence-transformers model in a folder; nothing is downloaded."""

    folder: Annotated[str, RecipePath()] = Field(..., description="folder of the model, as `save` writes it")
    device: Annotated[str | None, Runtime()] = Field(
        None, description="cpu, cuda, mps; default: as sentence-transformers finds"
    )


def needs(package: str, extra: str, field: Sequence[str | int]) -> Iterator[ConfigProblem]:
    """A problem where a package of an extra is not installed."""
    if find_spec(package) is None:
        yield ConfigProblem(field, f"this needs the package {package}", f"pip install 'attar[{extra}]'")


def check_embedder(model: ModelRef | None, local: Local | None, wanted: bool) -> Iterator[ConfigProblem]:
    """Exactly one of both where embeddings are wanted, none elsewhere."""
    if not wanted:
        for field, given in (("model", model), ("embedder", local)):
            if given is not None:
                yield ConfigProblem((field,), "mode bm25 embeds nothing", "remove it, or take mode hybrid")
        return
    if (model is None) == (local is None):
        found = "both are given" if model is not None else "neither is given"
        yield ConfigProblem(
            ("model",), f"embeddings come from a `model` or from an `embedder`, {found}", "give one of them"
        )
    if local is not None:
        if not Path(local.folder, "modules.json").is_file():
            yield ConfigProblem(
                ("embedder", "folder"),
                f"{local.folder} is no folder of a sentence-transformers model (it has no modules.json)",
                "save the model there first",
            )
        yield from needs("sentence_transformers", "retrieval-local", ("embedder",))


def folder_files(folder: str) -> list[str]:
    """All files below a folder, in order, for Step.inputs. Locks and hidden files are no content."""
    found: list[str] = []
    for base, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [os.path.join(base, name) for name in sorted(files) if not name.startswith(".")]  # noqa: PTH118
    return found


async def embed(ctx: Context, text: str, model: ModelRef | None, local: Local | None) -> list[float]:
    """The text's embedding, journalled."""
    if model is not None:
        return (await ctx.embed(model, [text]))[0]
    assert local is not None
    found: list[float] = await ctx.effect("embed", lambda: asyncio.to_thread(_encode, local, text))
    return found


def _encode(local: Local, text: str) -> list[float]:
    """One text at a time: in a batch it would be padded beside others, and its last bits would depend on them."""
    with _lock:
        key = (local.folder, local.device)
        if key not in _loaded:
            from sentence_transformers import SentenceTransformer

            _loaded[key] = SentenceTransformer(local.folder, device=local.device, local_files_only=True)
        vector = _loaded[key].encode(text, show_progress_bar=False)
    return [float(number) for number in vector]
