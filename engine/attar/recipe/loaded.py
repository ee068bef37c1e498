"""What the recipe folder hands on: a recipe read, interpolated and unrolled, with a place in a file for every value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from attar.errors import Span
from attar.recipe.language import Card, ModelSpec, OnFail, OutputSpec

YamlPath = tuple[str | int, ...]


class Places(Protocol):
    """Finds where a value stands. Paths are those of the file as written (before unrolling)."""

    def value(self, file: Path, path: YamlPath) -> Span:
        """The value at a path; the nearest existing ancestor where the path does not exist."""
        ...

    def key(self, file: Path, path: YamlPath) -> Span:
        """The key of the last element of a path; as `value` where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class LoadedStep:
    """One step after include, repeat and interpolation.

    Attributes:
        name: unique in the recipe; `namespace.step` from an include, `block.round.step` from a repeat (round from 1).
        inputs: names of the steps it reads from (`from`), resolved to full names; empty for a source.
        refs: `model`, `prompt`, `output`, `index` as written, where given.
        file: the recipe file it was written in; relative paths are relative to this file's folder.
        path: its YAML path in that file.
        rewrites: full names of the same step in earlier rounds of its repeat; what those wrote it may write again.
        params: values of the parameters of the recipe it was written in, which its prompts see as `params`. An
            included recipe's are its own.
    """

    name: str
    use: str
    inputs: tuple[str, ...]
    with_: Mapping[str, Any]
    refs: Mapping[str, Any]
    when: str | None
    on_fail: OnFail | None
    file: Path
    path: YamlPath
    rewrites: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoadedRecipe:
    """A recipe ready for planning. `params` holds values; `param_paths` names those of type path."""

    file: Path
    name: str
    description: str
    seed: int
    params: Mapping[str, Any]
    models: Mapping[str, ModelSpec]
    model_paths: Mapping[str, tuple[Path, YamlPath]]
    steps: Mapping[str, LoadedStep]
    outputs: Mapping[str, OutputSpec]
    output_paths: Mapping[str, tuple[Path, YamlPath]]
    places: Places
    param_paths: frozenset[str] = field(default_factory=frozenset)
    secrets: Mapping[str, str] = field(default_factory=dict)
    """YAML path (dotted) → name of the environment variable that holds the value. Values are never stored."""
    card: Card | None = None
