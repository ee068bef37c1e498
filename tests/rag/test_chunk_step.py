"""rag.chunk through the contract, and what it says of odd documents and wrong settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from attar.api import Reject
from attar.testing import StepContract, build, run_row_step
from attar_rag.chunking.chunk import Chunk

DOCUMENT = (
    "# Beasiswa\n\n" + "Beasiswa Cendekia membayar Rp 5.000.000 per semester. " * 30 + "\n\n## Syarat\n\n- IPK 3,25\n"
)


class TestContract(StepContract):
    step = Chunk
    config = {"min_tokens": 20, "max_tokens": 80}
    rows = [
        {"doc_id": "a.md", "text": DOCUMENT, "category": "beasiswa"},
        {"doc_id": "b.md", "text": None, "category": None},
        {"doc_id": "c.md", "text": " \n\t", "category": ""},
        {"doc_id": "d.md", "text": "satu", "category": "x"},
    ]
    incoming = {"doc_id": "string", "text": "string?", "category": "string?"}


def chunks(text: Any, **config: Any) -> list[dict[str, Any]]:
    [made] = run_row_step(build(Chunk, config), [{"text": text}])
    assert isinstance(made, list)
    return made


def test_the_chunks_of_a_document() -> None:
    made = chunks(DOCUMENT, min_tokens=20, max_tokens=80)
    assert "".join(one["chunk"] for one in made) == DOCUMENT
    assert all(DOCUMENT[one["start"] : one["end"]] == one["chunk"] for one in made)
    assert [one["chunk_id"] for one in made] == [f"{made[0]['doc_id']}#{n}" for n in range(len(made))]
    assert all(20 <= one["n_tokens"] <= 80 and not one["cut"] for one in made[:-1])
    assert made[0]["heading_path"] == ["Beasiswa"]
    assert "text" not in made[0]


@pytest.mark.parametrize("text", [None, "", " \r\n\u2003"])
def test_a_document_without_text_is_rejected(text: str | None) -> None:
    [made] = run_row_step(build(Chunk), [{"text": text}])
    assert isinstance(made, Reject)
    assert made.code == "empty_document"


def test_a_document_is_named_by_the_column_that_is_asked_for() -> None:
    step = build(Chunk, {"id": "source_id"})
    [made] = run_row_step(step, [{"text": "satu dua", "source_id": 7}])
    assert isinstance(made, list)
    assert (made[0]["doc_id"], made[0]["chunk_id"], made[0]["source_id"]) == ("7", "7#0", 7)


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"min_tokens": 50, "max_tokens": 20}, ("min_tokens",)),
        ({"language": "klingon"}, ("language",)),
        ({"tokens": {"tokenizer": "nowhere.json"}}, ("tokens", "tokenizer")),
        ({"tokens": {"tiktoken": "gpt9"}}, ("tokens", "tiktoken")),
        ({"tokens": {"tiktoken": "o200k_base", "file": "nowhere"}}, ("tokens", "file")),
    ],
)
def test_wrong_settings_are_told_before_anything_runs(config: dict[str, Any], field: tuple[str, ...]) -> None:
    step = build(Chunk, config)
    assert [problem.field for problem in step.check({"text": "string"})] == [field]


def test_an_encoding_that_is_not_on_the_machine_is_never_fetched(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    step = build(Chunk, {"tokens": {"tiktoken": "o200k_base"}})
    [problem] = step.check({"text": "string"})
    assert "not on this machine" in problem.message
    assert not list(tmp_path.iterdir())
