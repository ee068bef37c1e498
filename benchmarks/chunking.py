"""rag.chunk: its speed beside each counter's own, how near the estimate is, and its memory over 100 MB of text.

    python benchmarks/chunking.py [--documents FOLDER] [--tokenizer FILE …] [--tiktoken NAME …] [--megabytes 100]

Counters: the estimate; a byte-level BPE of 16,000 tokens trained here on the documents; each `--tokenizer` file; each
`--tiktoken` encoding whose file lies in $TIKTOKEN_CACHE_DIR. Raw is the counter over each whole document in one
thread, by CPU time; it and the step take turns document by document. Ratios are medians over the rounds.
Memory is that of a whole `attar run`, read to Parquet, from outside: once with a tenth of the text, once with all, in
documents of the folder's sizes; and once with a fifth of it as one document.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness as h

from attar.api import Row
from attar.testing import FakeContext, build
from attar_rag.chunking.chunk import Chunk
from attar_rag.chunking.estimate import estimate
from attar_rag.chunking.tokens import TokenCounter, counter

DOCUMENTS = h.ROOT.parent / "shared" / "data" / "handbook_id"
MB = 1_000_000


def trained(texts: Sequence[str], path: Path) -> Path:
    """A tokenizer file made of the documents: byte-level BPE, as GPT-2's and Llama 3's are."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=16_000, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(texts, trainer)
    made.save(str(path))
    return path


def one_round(step: Chunk, count: Callable[[str], int], texts: Sequence[str]) -> tuple[float, float, list[Any]]:
    """CPU seconds of the counter alone and of the step as the engine calls it, document by document in turns, so that
    whatever else runs on the machine slows both; and the chunks."""
    context = FakeContext(step="chunks")

    async def run() -> tuple[float, float, list[Any]]:
        raw = ours = 0.0
        made: list[Any] = []
        for number, text in enumerate(texts):
            row = Row(str(number), {"doc_id": str(number), "text": text})
            began = time.process_time()
            count(text)
            counted = time.process_time()
            found = await step.apply(row, context)
            ours += time.process_time() - counted
            raw += counted - began
            assert isinstance(found, list)
            made += found
        return raw, ours, made

    return asyncio.run(run())


def one_counter(name: str, tokens: Any, texts: Sequence[str], rounds: int) -> dict[str, Any]:
    """Speeds of a counter alone and of the step with it, checked by the counter."""
    size = sum(len(text.encode()) for text in texts)
    count = estimate if tokens == "estimate" else counter(TokenCounter(**tokens)).count
    step = build(Chunk, {"tokens": tokens})
    _, _, made = one_round(step, count, texts)
    whole: dict[str, str] = {}
    for one in made:
        whole[one["doc_id"]] = whole.get(one["doc_id"], "") + one["chunk"]
    if list(whole.values()) != list(texts):
        raise RuntimeError("the chunks do not give the documents back")
    wrong = [one["chunk_id"] for one in made if one["n_tokens"] != count(one["chunk"]) or one["n_tokens"] > 4000]
    if wrong:
        raise RuntimeError(f"wrong counts: {wrong[:5]}")
    last = {one["doc_id"]: one["chunk_id"] for one in made}
    timed = [one_round(step, count, texts)[:2] for _ in range(rounds)]
    raw, ours = median(a for a, _ in timed), median(b for _, b in timed)
    off = sorted(estimate(text) / count(text) - 1 for text in texts if len(text) > 500)
    near = quantiles(off, n=20) if len(off) > 20 else off
    return {
        "counter": name,
        "raw_mb_s": size / MB / raw,
        "chunk_mb_s": size / MB / ours,
        "ratio": median(a / b for a, b in timed),
        "chunks": len(made),
        "below_min": sum(one["n_tokens"] < 1000 and one["chunk_id"] != last[one["doc_id"]] for one in made),
        "cut": sum(one["cut"] for one in made),
        "estimate_off_5": near[0],
        "estimate_off_50": median(off),
        "estimate_off_95": near[-1],
    }


def memory(texts: Sequence[str], megabytes: float, single: bool) -> dict[str, float]:
    """Peak memory and time of a whole run over so many megabytes of text."""
    with h.scratch("chunks") as folder:
        size, number = 0, 0
        with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
            gathered: list[str] = []
            while size < megabytes * MB:
                text = texts[number % len(texts)]
                size += len(text.encode())
                if single:
                    gathered.append(text)
                else:
                    file.write(json.dumps({"doc_id": f"d{number}", "text": text}, ensure_ascii=False) + "\n")
                number += 1
            if single:
                file.write(json.dumps({"doc_id": "d", "text": "\n\n".join(gathered)}, ensure_ascii=False) + "\n")
        measured, results, _ = h.run_attar("chunks", folder / "rows.jsonl", folder / "runs", extra=["--workers", "1"])
        seconds = measured.ended - measured.began
        return {
            "megabytes": size / MB,
            "documents": 1 if single else number,
            "chunks": results["outputs"]["dataset"]["rows"],
            "rss_mib": measured.rss / h.MIB,
            "seconds": seconds,
            "mb_s": size / MB / seconds,
        }


def run(folder: Path, files: Sequence[str], encodings: Sequence[str], megabytes: float, rounds: int) -> dict[str, Any]:
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.md"))]
    record: dict[str, Any] = {"documents": len(texts), "megabytes": sum(len(text.encode()) for text in texts) / MB}
    with h.scratch("chunking") as made:
        asked: list[tuple[str, Any]] = [("estimate", "estimate")]
        asked.append(("BPE of 16,000, trained here", {"tokenizer": str(trained(texts, made / "tokenizer.json"))}))
        asked += [(Path(file).name, {"tokenizer": file}) for file in files]
        asked += [(f"tiktoken {name}", {"tiktoken": name}) for name in encodings]
        record["counters"] = []
        for name, tokens in asked:
            record["counters"].append(one_counter(name, tokens, texts, rounds))
            h.progress(f"chunking: {name}: {record['counters'][-1]['chunk_mb_s']:.1f} MB/s")
    if megabytes:
        parts = (("tenth", megabytes / 10, False), ("all", megabytes, False), ("single", megabytes / 5, True))
        for name, size, single in parts:
            record[name] = memory(texts, size, single)
            h.progress(f"chunking: memory, {name}: {record[name]['rss_mib']:.0f} MiB")
    return record


def show(record: dict[str, Any]) -> str:
    rows = [
        (
            one["counter"], one["raw_mb_s"], one["chunk_mb_s"], one["ratio"], one["chunks"], one["below_min"],
            f"{one['estimate_off_5']:+.0%} … {one['estimate_off_50']:+.0%} … {one['estimate_off_95']:+.0%}",
        )
        for one in record["counters"]
    ]  # fmt: skip
    head = ["counter", "raw MB/s", "rag.chunk MB/s", "to raw", "chunks", "below min", "estimate off, 5-50-95 %"]
    lines = [
        f"Chunking {record['documents']} documents, {record['megabytes']:.2f} MB; every chunk counted again and joined",
        "",
        h.table(head, rows),
        "",
        "Asked for: at least 0.6 of raw with a tokenizer's file or tiktoken, at least 5 MB/s with the estimate.",
    ]
    if "all" in record:
        head = ["one `attar run`", "MB of text", "documents", "chunks", "peak RSS, MiB", "seconds", "MB/s"]
        body = [(name, *(record[name][key] for key in _KEYS)) for name in ("tenth", "all", "single")]
        ratio = record["all"]["rss_mib"] / record["tenth"]["rss_mib"]
        lines += ["", h.table(head, body), "", f"Peak memory, all to a tenth: {ratio:.2f} (asked for: flat)."]
    return "\n".join(lines)


_KEYS = ("megabytes", "documents", "chunks", "rss_mib", "seconds", "mb_s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=Path, default=DOCUMENTS, help="folder of .md files")
    parser.add_argument("--tokenizer", action="append", default=[], help="a tokenizer.json; may be repeated")
    parser.add_argument("--tiktoken", action="append", default=[], help="an encoding's name; may be repeated")
    parser.add_argument("--megabytes", type=float, default=100, help="of the memory run; 0 leaves it out")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    record = run(args.documents, args.tokenizer, args.tiktoken, args.megabytes, args.rounds)
    h.report("chunking", show(record), record)


if __name__ == "__main__":
    main()
