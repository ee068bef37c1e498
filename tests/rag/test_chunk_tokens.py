"""Who counts tokens: tokenizer files and tiktoken encodings made on the spot, and what the manifest says of it."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from support.runs import Attar, run_folder, table
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from attar.testing import build, run_row_step
from attar.testing.stand_in import StandInServer
from attar_rag.chunking.chunk import Chunk
from attar_rag.chunking.estimate import estimate
from attar_rag.chunking.weights import SAMPLE

TEXT = "".join(
    f"## Bagian {n}\n\nBiaya kuliah Rp {n}.000.000 dibayar dua kali. कार्यालय {n} बजे खुलता है। The end is near.\n\n"
    for n in range(60)
)


@pytest.fixture
def tokenizer_file(tmp_path: Path) -> Path:
    """A byte-level BPE of 400 tokens: it takes far more than the estimate says."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    made.train_from_iterator([SAMPLE], trainer)
    made.enable_truncation(16)  # as files of embedding models have it; a count must not heed it
    folder = tmp_path / "model"
    folder.mkdir()
    made.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


@pytest.fixture
def encoding_file(tmp_path: Path) -> Path:
    """An encoding of single bytes in tiktoken's form."""
    file = tmp_path / "bytes.tiktoken"
    file.write_bytes(b"".join(base64.b64encode(bytes([n])) + f" {n}\n".encode() for n in range(256)))
    return file


def chunks(text: str, **config: Any) -> list[dict[str, Any]]:
    step = build(Chunk, config)
    assert list(step.check({"text": "string"})) == []
    [made] = run_row_step(step, [{"text": text}])
    assert isinstance(made, list)
    return made


@pytest.mark.parametrize("folder", [True, False])
def test_a_tokenizer_has_the_last_word(tokenizer_file: Path, folder: bool) -> None:
    path = tokenizer_file.parent if folder else tokenizer_file
    made = chunks(TEXT, min_tokens=100, max_tokens=400, tokens={"tokenizer": str(path)})
    opened = Tokenizer.from_file(str(tokenizer_file))
    opened.no_truncation()
    assert "".join(one["chunk"] for one in made) == TEXT
    assert [one["n_tokens"] for one in made] == [len(opened.encode(one["chunk"])) for one in made]
    assert all(100 <= one["n_tokens"] <= 400 for one in made)
    assert sum(one["n_tokens"] for one in made) > 1.5 * estimate(TEXT)


def test_a_lone_surrogate_does_not_end_a_count(tokenizer_file: Path) -> None:
    made = chunks("satu \ud800 dua", tokens={"tokenizer": str(tokenizer_file)})
    assert made[0]["n_tokens"] > 3


def test_an_encoding_is_read_from_its_file_alone(encoding_file: Path, monkeypatch: Any) -> None:
    named = {"tiktoken": "o200k_base", "file": str(encoding_file)}
    [problem] = build(Chunk, {"tokens": named}).check({"text": "string"})
    assert "digest differs" in problem.message  # these are not the ranks of o200k_base

    folder = encoding_file.parent
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(folder))
    [problem] = build(Chunk, {"tokens": {"tiktoken": "r50k_base"}}).check({"text": "string"})
    encoding_file.rename(folder / problem.message.rpartition(" ")[2])
    [problem] = build(Chunk, {"tokens": {"tiktoken": "r50k_base"}}).check({"text": "string"})
    assert "digest differs" in problem.message


def test_the_manifest_says_who_counted_and_the_file_decides_what_is_reused(
    tokenizer_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps({"text": TEXT}) + "\n", encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(
        "attar: 1\nname: counted\nsteps:\n  read: {use: std.read, with: {path: rows.jsonl}}\n  chunks:\n"
        "    use: rag.chunk\n    from: read\n    with: {min_tokens: 50, max_tokens: 300, tokens: {tokenizer: model}}\n"
        "outputs: {dataset: {from: chunks, format: parquet}}\n"
    )
    attar = Attar(tmp_path, None)
    attar("run", "recipe.yaml", "--runs", attar.runs)
    folder = run_folder(attar.runs, "counted")
    manifest = json.loads((folder / "manifest.json").read_text())
    digest = hashlib.sha256(tokenizer_file.read_bytes()).hexdigest()
    assert manifest["notes"] == {
        "chunks": {"tokens_counted_by": "tokenizer", "tokenizer": "tokenizer.json", "sha256": digest}
    }
    opened = Tokenizer.from_file(str(tokenizer_file))
    opened.no_truncation()
    rows = table(folder / "dataset")
    assert [row["n_tokens"] for row in rows] == [len(opened.encode(row["chunk"])) for row in rows]

    tokenizer_file.write_text(tokenizer_file.read_text() + "\n")
    attar("run", "recipe.yaml", "--runs", attar.runs)
    again = json.loads((run_folder(attar.runs, "counted") / "manifest.json").read_text())
    assert again["steps"]["chunks"]["fingerprint"] != manifest["steps"]["chunks"]["fingerprint"]


RECIPE = """\
attar: 1
name: counted
models:
  teacher: {model: MODEL, backend: auto}
steps:
  read: {use: std.read, with: {path: rows.jsonl}}
  chunks:
    use: rag.chunk
    from: read
    with: {min_tokens: 50, max_tokens: 300, tokens: {model: teacher}}
outputs: {dataset: {from: chunks, format: parquet}}
"""


def test_the_served_model_counts_and_is_not_asked_twice(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps({"text": TEXT}) + "\n", encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(RECIPE.replace("MODEL", "org/teacher"))
    with StandInServer.start() as server:
        attar = Attar(tmp_path, server.url)
        attar("run", "recipe.yaml", "--runs", attar.runs)
        asked = server.stats()["requests"]
        rows = table(run_folder(attar.runs, "counted") / "dataset")
        assert [row["n_tokens"] for row in rows] == [-(-len(row["chunk"].encode()) // 3) for row in rows]
        assert all(50 <= row["n_tokens"] <= 300 for row in rows)
        assert len(rows) < asked < 3 * len(rows)

        (tmp_path / "recipe.yaml").write_text(RECIPE.replace("MODEL", "org/teacher").replace("300", "200"))
        attar("run", "recipe.yaml", "--runs", attar.runs)
        assert len(table(run_folder(attar.runs, "counted") / "dataset")) > len(rows)
        assert server.stats()["requests"] > asked
        assert set(server.keys()["answered"].values()) == {1}


def test_a_rehearsed_model_leaves_it_to_the_estimate(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps({"text": TEXT}) + "\n", encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(RECIPE.replace("MODEL", "org/teacher"))
    attar = Attar(tmp_path, None)
    attar("run", "recipe.yaml", "--backend", "rehearsal", "--runs", attar.runs)
    rows = table(run_folder(attar.runs, "counted") / "dataset")
    assert [row["n_tokens"] for row in rows] == [estimate(row["chunk"]) for row in rows]
    manifest = json.loads((run_folder(attar.runs, "counted") / "manifest.json").read_text())
    assert manifest["notes"]["chunks"] == {
        "tokens_counted_by": "model",
        "model": "teacher",
        "if_rehearsed": "estimate",
    }
    assert manifest["models"]["teacher"]["backend"] == "rehearsal"


def test_a_server_that_cannot_count_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps({"text": TEXT}) + "\n", encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(RECIPE.replace("MODEL", "org/teacher"))
    with StandInServer.start() as server:
        attar = Attar(tmp_path, f"{server.root}/elsewhere/v1")
        done = attar("run", "recipe.yaml", "--runs", attar.runs, expect=1)
    said = " ".join((done.stdout + done.stderr).split())
    assert "knows no such path (HTTP 404)" in said
    assert "name a tokenizer's file instead" in said


def test_a_model_folder_has_its_own_tokenizer(tokenizer_file: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps({"text": TEXT}) + "\n", encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(RECIPE.replace("MODEL", str(tokenizer_file.parent)))
    with StandInServer.start() as server:
        attar = Attar(tmp_path, server.url)
        attar("run", "recipe.yaml", "--runs", attar.runs)
        assert server.stats()["requests"] == 0
    opened = Tokenizer.from_file(str(tokenizer_file))
    opened.no_truncation()
    rows = table(run_folder(attar.runs, "counted") / "dataset")
    assert [row["n_tokens"] for row in rows] == [len(opened.encode(row["chunk"])) for row in rows]
