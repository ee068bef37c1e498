"""What a run leaves in its folder: datasets, provenance, the rows that did not make it, and the sums."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from attar import __version__
from attar.api import Sink, Source, id_words
from attar.artifact.answers import Answers
from attar.artifact.checksums import Checksums
from attar.errors import fail
from attar.execute.context import Facts, StepContext
from attar.execute.faults import blamed_on
from attar.execute.options import Interrupted, OnEvent
from attar.execute.prepared import Prepared
from attar.execute.process import asked_to_stop
from attar.execute.ranks import OUTCOMES
from attar.execute.running import add_usage
from attar.plan.fingerprint import input_digests
from attar.store.digest import dataset_digest
from attar.store.ledger import Ledger
from attar.store.tables import StoredTable
from attar.store.workspace import join_outcomes, publish_folder, write_parts

PROVENANCE = pa.schema(
    [
        ("id", pa.string()),
        ("step", pa.string()),
        ("parents", pa.list_(pa.string())),
        ("attempts", pa.int32()),
        ("models", pa.list_(pa.string())),
        ("rehearsal", pa.bool_()),
        ("prompt_tokens", pa.int64()),
        ("completion_tokens", pa.int64()),
        ("requests", pa.list_(pa.string())),
        ("history", pa.string()),
    ]
)
FOLDER_OF = {"rejected": "rejected", "review": "review", "dead": "dead_letter"}


def manifest(prepared: Prepared) -> dict[str, Any]:
    """What was run, on what, with which versions. No times and no secrets: equal runs have equal manifests."""
    plan = prepared.plan
    return {
        "attar": __version__,
        "language": 1,
        "recipe": plan.recipe,
        "description": plan.description,
        "file": plan.file.name,
        "seed": plan.seed,
        "limit": plan.limit,
        "params": {name: _shown(value) for name, value in plan.params.items()},
        "digest": plan.digest,
        "inputs": {
            name: [{"file": file, "digest": digest} for file, digest in input_digests(step.step.inputs())]
            for name, step in plan.steps.items()
            if isinstance(step.step, Source)
        },
        "plugins": plan.plugins,
        "models": {
            name: {
                "model": model.spec.model,
                "revision": model.spec.revision,
                "backend": model.kind,
                "sampling": model.spec.sampling.model_dump(exclude_none=True),
                "send_seed": model.spec.send_seed,
            }
            for name, model in prepared.served.items()
        },
        "gates": [gate.to_json() for gate in plan.gates],
        "steps": {
            name: {"use": step.use, "from": list(step.inputs), "fingerprint": step.fingerprint, "columns": step.columns}
            for name, step in plan.steps.items()
        },
        "notes": {name: dict(notes) for name, step in plan.steps.items() if (notes := step.step.notes())},
        "stages": [{"steps": list(s.steps), "fingerprint": s.fingerprint} for s in plan.stages],
        "decisions": {step: {"made": s.made, "digest": s.digest} for step, s in prepared.stands.items()},
    }


def _shown(value: Any) -> Any:
    """A path keeps only its last part: where a file lay on one machine is nobody else's business."""
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def publish(prepared: Prepared, on_event: OnEvent, sums: Checksums, answers: Answers) -> dict[str, Any]:
    """Writes datasets, provenance and outcomes into the run's folder, each as a whole or not at all.

    Args:
        prepared: the run, all its stages finished.
        on_event: told what happens.
        sums: takes the checksums of datasets and provenance.
        answers: takes the answers behind the rows, and behind those that did not go on.
    """
    plan = prepared.plan
    published: dict[str, Any] = {}
    for output in plan.outputs.values():
        if asked_to_stop():
            raise Interrupted
        rows = StoredTable(prepared.table(output.step))
        demand_own_ids(rows, output.name)
        final = prepared.run_folder / output.name
        draft = _draft(prepared, output.name)
        context = StepContext(Facts(plan.seed, {}, None, None, {}, prepared.workspace.folder), output.name, out=draft)
        assert isinstance(output.sink, Sink)
        with blamed_on(f"outputs.{output.name}", output.format):
            output.sink.write(rows, context)
        with ThreadPoolExecutor(1) as beside:  # hashing lets go of the interpreter's lock, the digest needs it
            summed = beside.submit(sums.cover, output.name, draft)
            digest = dataset_digest(rows)
            summed.result()
        publish_folder(draft, final)
        published[output.name] = {
            "path": output.name,
            "rows": len(rows),
            "digest": digest,
            "min_rows": output.min_rows,
            "format": output.format,
        }
        if splits := {split: files for split, files in output.sink.data_files().items() if _hold_data(final, files)}:
            published[output.name]["data_files"] = splits
    draft = _draft(prepared, "provenance")
    write_parts(draft, PROVENANCE, _provenance(prepared, answers))
    sums.cover("provenance", draft)
    publish_folder(draft, prepared.run_folder / "provenance")
    for kind in OUTCOMES:
        folders = [prepared.stage_folder(stage) / "out" / kind for stage in plan.stages]
        parts = [part for folder in folders for part in sorted(folder.glob("part-*"))]
        for part in parts if prepared.served else ():
            count_answers(part, answers)
        join_outcomes(parts, prepared.run_folder / FOLDER_OF[kind], keyed=kind == "review")
    return published


def _hold_data(folder: Path, pattern: str) -> bool:
    """Whether there is anything in the files of a split: readers refuse splits without a row."""
    return any(path.stat().st_size for path in folder.glob(pattern))


def demand_own_ids(rows: StoredTable, output: str) -> None:
    """Demands that no two rows share an id; holds 8 bytes a row.

    Raises:
        AttarError: E727, a source gave one key twice (std.read sees to its own; a plugin's source may not).
    """
    import numpy as np

    ids = np.empty(len(rows), np.uint64)
    at = 0
    for batch in rows.batches([]):
        ids[at : at + batch.num_rows] = id_words(batch.column("id"))[:, 0]
        at += batch.num_rows
    ids.sort()
    twice = int((ids[1:] == ids[:-1]).sum())
    if twice:
        raise fail(
            "E727",
            f"{twice} rows of output {output!r} have the id of another row: a source gave one key twice",
            help="the keys a source yields must differ; mend the source's plugin, then run again",
            exit_code=1,
        )


def _draft(prepared: Prepared, name: str) -> Path:
    folder = prepared.run_folder / f".{name}.draft"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def count_answers(part: Path, answers: Answers) -> None:
    """Counts the answers behind the rows of an outcome file; a row that was turned away was paid for, too."""
    with pq.ParquetFile(part) as file:
        for batch in file.iter_batches(1024, columns=["trail"]):
            for trail in batch.column(0).to_pylist():
                if trail:
                    answers.count(orjson.loads(trail))


def _provenance(prepared: Prepared, answers: Answers) -> Iterator[pa.RecordBatch]:
    rehearsed = {name for name, model in prepared.served.items() if model.kind == "rehearsal"}
    for step in dict.fromkeys(output.step for output in prepared.plan.outputs.values()):
        for stored in StoredTable(prepared.table(step)).histories():
            if stored.column("__trail").null_count == stored.num_rows:
                yield _unasked(stored, step)
                continue
            ids = stored.column("__id").to_pylist()
            trails = [orjson.loads(trail) if trail else [] for trail in stored.column("__trail").to_pylist()]
            for trail in trails:
                answers.count(trail)
            asked = [[entry for entry in trail if "key" in entry] for trail in trails]
            models = [sorted({entry["model"] for entry in entries}) for entries in asked]
            columns = [
                ids,
                [step] * len(ids),
                stored.column("__parents").to_pylist(),
                [max((entry["attempt"] for entry in trail), default=1) for trail in trails],
                models,
                [any(model in rehearsed for model in names) for names in models],
                [sum(entry["prompt_tokens"] for entry in entries) for entries in asked],
                [sum(entry["completion_tokens"] for entry in entries) for entries in asked],
                [[entry["key"] for entry in entries] for entries in asked],
                [orjson.dumps(trail).decode() for trail in trails],
            ]
            arrays = [pa.array(values, kind.type) for values, kind in zip(columns, PROVENANCE, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=PROVENANCE)


def _unasked(stored: pa.RecordBatch, step: str) -> pa.RecordBatch:
    """Provenance of rows for which no model was asked."""
    n = stored.num_rows
    none: dict[str, Any] = {
        "step": step,
        "attempts": 1,
        "models": [],
        "rehearsal": False,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "requests": [],
        "history": "[]",
    }
    own = {"id": stored.column("__id"), "parents": stored.column("__parents")}
    arrays = [own[f.name] if f.name in own else pa.repeat(pa.scalar(none[f.name], f.type), n) for f in PROVENANCE]
    return pa.RecordBatch.from_arrays(arrays, schema=PROVENANCE)


def summarise(prepared: Prepared, records: Sequence[Mapping[str, Any]], outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The sums of a run for results.json, with `unbalanced` and `short`: sentences that decide the exit code."""
    ledger = Ledger()
    usage: dict[str, dict[str, Any]] = {}
    shortfalls: list[dict[str, Any]] = []
    for record in records:
        ledger.merge(Ledger.from_json(record["ledger"]))
        add_usage(usage, record["usage"])
        shortfalls += record["shortfalls"]
    counted = ledger.to_json()
    counts = {step: counted["counts"].get(step, _zero()) for step in prepared.plan.steps}
    shortfalls += _unfilled(prepared, counts, outputs)
    return {
        "rehearsal": prepared.rehearsal,
        "ledger": counts,
        "reasons": {step: _shown_reasons(codes) for step, codes in counted["reasons"].items()},
        "usage": {step: _priced(prepared, step, used) for step, used in usage.items()},
        "outputs": dict(outputs),
        "shortfalls": shortfalls,
        "gates": [gate.to_json() for gate in prepared.plan.gates],
        "backends": prepared.backends(),
        "unbalanced": ledger.check(),
        "short": _short(counts, outputs, shortfalls),
    }


def _shown_reasons(codes: Mapping[str, Any]) -> dict[str, Any]:
    """Reasons without the row numbers that merging ledgers needs."""
    return {
        code: {**reason, "examples": [{"id": e["id"], "detail": e["detail"]} for e in reason["examples"]]}
        for code, reason in codes.items()
    }


def _zero() -> dict[str, int]:
    return dict.fromkeys(("in", "accepted", "rejected", "review", "dead", "made", "retried", "passed_by"), 0)


def _priced(prepared: Prepared, step: str, used: Mapping[str, Any]) -> dict[str, Any]:
    models = prepared.plan.steps[step].models
    priced = {"model": models[0] if models else "", **used, "cost": None, "currency": None}
    priced.pop("in_flight", None)
    spec = prepared.served[models[0]].spec if models else None
    if spec is not None and spec.prices is not None and len(models) == 1:
        prices = spec.prices
        cost = used.get("prompt_tokens", 0) * prices.input + used.get("completion_tokens", 0) * prices.output
        priced["cost"] = round(cost / 1e6, 6)
        priced["currency"] = prices.currency
    return priced


def _unfilled(
    prepared: Prepared, counts: Mapping[str, Mapping[str, int]], outputs: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Slots that were promised and did not come out, for sources whose rows are promises and no quota counts them."""
    found: list[dict[str, Any]] = []
    plan = prepared.plan
    for name, planned in plan.steps.items():
        if planned.kind != "source" or not getattr(planned.step, "fills", False) or not outputs:
            continue
        if any(step.use == "std.quota" for step in plan.steps.values()):
            continue
        lost = sum(counts[step][kind] for step in _below(prepared, name) for kind in ("rejected", "review", "dead"))
        if lost:
            found.append({"step": name, "what": "slots without a finished row", "count": lost})
    return found


def _below(prepared: Prepared, name: str) -> list[str]:
    below = [name]
    for step, planned in prepared.plan.steps.items():
        if any(source in below for source in planned.inputs):
            below.append(step)
    return below


def _short(
    counts: Mapping[str, Mapping[str, int]], outputs: Mapping[str, Any], shortfalls: Sequence[Mapping[str, Any]]
) -> list[str]:
    sentences: list[str] = []
    dead = sum(count["dead"] for count in counts.values())
    review = sum(count["review"] for count in counts.values())
    if dead:
        sentences.append(f"{dead} rows are dead letters (see dead_letter/)")
    if review:
        sentences.append(f"{review} rows await review (see review/)")
    sentences += [f"{short['count']} missing at {short['step']}: {short['what']}" for short in shortfalls]
    for name, output in outputs.items():
        if output["rows"] == 0:
            sentences.append(f"output {name!r} is empty")
        elif output["min_rows"] is not None and output["rows"] < output["min_rows"]:
            sentences.append(
                f"output {name!r} has {output['rows']} rows, fewer than the {output['min_rows']} asked for"
            )
    return sentences
