"""A release: the same personas under the same ids in both formats, checkable, readable; equal rows, equal bytes."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
import zstandard
from jsonschema import Draft202012Validator
from support.runs import Attar, results, run_folder, table

from attar.api import id_words
from attar.testing import FakeContext, ListRowSet, build, make_rows
from attar_personas.release import export, files
from attar_personas.release.card import size_category
from attar_personas.release.export import PersonaRelease, demand_unique
from attar_personas.release.schema import text as schema_text
from attar_personas.release.tally import Tally, gini
from attar_personas.release.uuids import uuid_keys, uuids

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "recipes" / "persona_hub_release.yaml"
NAME = "persona-hub-release"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The recipe's rehearsal with one worker and with two."""
    folder = tmp_path_factory.mktemp("release")
    attar = Attar(folder, None)
    for workers in (1, 2):
        attar("run", RECIPE, "-p", "cap=4", "--workers", workers, "--runs", folder / str(workers), "--quiet")
    return {workers: folder / str(workers) for workers in (1, 2)}


@pytest.fixture(scope="module")
def release(runs: dict[int, Path]) -> Path:
    return run_folder(runs[1], NAME) / "release"


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in sorted((folder / "jsonl").iterdir()) for line in path.open(encoding="utf-8")]


# -- the recipe --------------------------------------------------------------------------------------------------------


def test_every_reason_is_met_and_most_rows_are_released(runs: dict[int, Path]) -> None:
    found = results(runs[1], NAME)
    reasons = {
        (step, code): entry["count"] for step, codes in found["reasons"].items() for code, entry in codes.items()
    }
    assert reasons == {
        ("domains", "blank_persona"): 3,
        ("domains", "no_domain"): 2,
        ("screened", "pii"): 2,
        ("screened", "real_name"): 1,
        ("capped", "duplicate"): 2,
        ("capped", "over_cap"): 3,
    }
    assert found["ledger"]["read"]["in"] == 42
    assert found["outputs"]["release"]["rows"] == 29
    assert found["exit_code"] == 0
    rejected = table(run_folder(runs[1], NAME) / "rejected")
    assert Counter((row["step"], row["code"]) for row in rejected) == reasons
    assert json.loads(rejected[-1]["row"]).keys() == {
        "persona",
        "domain",
        "domain_raw",
        "synth_method",
        "confidence_score",
    }


def test_one_and_two_workers_leave_the_same_bytes(runs: dict[int, Path]) -> None:
    one, two = (run_folder(runs[workers], NAME) for workers in (1, 2))
    assert results(runs[1], NAME)["outputs"] == results(runs[2], NAME)["outputs"]
    for name in ("release", "rejected", "provenance"):
        files = sorted(path.relative_to(one) for path in (one / name).rglob("*") if path.is_file())
        assert files == sorted(path.relative_to(two) for path in (two / name).rglob("*") if path.is_file())
        for file in files:
            assert (one / file).read_bytes() == (two / file).read_bytes(), file


def test_too_few_personas_are_told(tmp_path: Path) -> None:
    attar = Attar(tmp_path, None)
    attar("run", RECIPE, "-p", "rows=40", "--runs", tmp_path / "runs", "--quiet", expect=1)
    found = results(tmp_path / "runs", NAME)
    assert found["outcome"] == "fell_short"
    assert {"step": "capped", "what": "personas, of 40 asked for", "count": 8} in found["shortfalls"]


def test_a_total_is_drawn_from_what_the_cap_leaves(tmp_path: Path, release: Path) -> None:
    attar = Attar(tmp_path, None)
    attar("run", RECIPE, "-p", "rows=20", "-p", "cap=4", "--runs", tmp_path / "runs", "--quiet")
    smaller = lines(run_folder(tmp_path / "runs", NAME) / "release")
    assert len(smaller) == 20
    assert {row["id"] for row in smaller} < {row["id"] for row in lines(release)}


def test_with_ids_the_choice_does_not_depend_on_order(tmp_path: Path) -> None:
    rows = [
        {"uid": f"p{n}", "who": f"person {n // 2}", "field": ("rice", "tea", "jute")[n % 3], "how": n}
        for n in range(90)
    ]
    chosen = []
    for name, some in (("a.parquet", rows), ("b.parquet", rows[::-1])):
        pq.write_table(pa.Table.from_pylist(some), tmp_path / name)
        words = {"personas": tmp_path / name, "persona_key": "who", "domain_key": "field", "id_key": "uid"}
        params = [word for key, value in words.items() for word in ("-p", f"{key}={value}")]
        Attar(tmp_path, None)(
            "run", RECIPE, *params, "-p", "cap=6", "-p", "rows=15", "--runs", tmp_path / name[0], "--quiet"
        )
        chosen.append(lines(run_folder(tmp_path / name[0], NAME) / "release"))
    first, second = ({row["id"]: row["persona_description"] for row in one} for one in chosen)
    assert first == second and len(set(first.values())) == 15
    assert [row["id"] for row in chosen[0]] == [row["id"] for row in reversed(chosen[1])]


# -- what is in the folder ---------------------------------------------------------------------------------------------


def test_both_formats_hold_the_same(release: Path) -> None:
    compact = [
        row for path in sorted((release / "parquet").iterdir()) for row in pq.ParquetFile(path).read().to_pylist()
    ]
    detailed = lines(release)
    assert [(r["id"], r["persona_description"], r["domain"]) for r in detailed] == [
        (r["id"], r["persona"], r["domain"]) for r in compact
    ]
    assert len({row["id"] for row in compact}) == len(compact) == 29
    assert {uuid.UUID(row["id"]).version for row in compact} == {8}
    assert max(Counter(row["domain"] for row in compact).values()) == 4
    assert "भारतीय" in {row["domain"] for row in compact}
    raw = {row["domain_raw"]: row["domain"] for row in detailed}
    assert raw["Computer Engineer"] == "computer_engineer"
    assert raw["Indian history"] == "indian"


def test_lines_fit_the_schema_that_is_shipped(release: Path) -> None:
    shipped = (ROOT / "schemas" / "persona.schema.json").read_text(encoding="utf-8")
    assert shipped == schema_text() == (release / "persona.schema.json").read_text(encoding="utf-8")
    validator = Draft202012Validator(json.loads(shipped))
    validator.check_schema(json.loads(shipped))
    rows = lines(release)
    for row in rows:
        validator.validate(row)
    for wrong in (
        {"id": rows[0]["id"].replace("-8", "-4", 1)},
        {"persona_description": " "},
        {"domain": ""},
        {"confidence_score": "1"},
    ):
        assert not validator.is_valid({**rows[0], **wrong})


def test_sums_and_manifest_name_every_file(release: Path) -> None:
    sums = dict(reversed(line.split("  ", 1)) for line in (release / "sha256sums.txt").read_text().splitlines())
    present = {str(path.relative_to(release)) for path in release.rglob("*") if path.is_file()}
    assert set(sums) == present - {"sha256sums.txt"}
    for name, digest in sums.items():
        assert hashlib.sha256((release / name).read_bytes()).hexdigest() == digest
    manifest = json.loads((release / "manifest.json").read_text())
    assert {one["path"]: one["sha256"] for one in manifest["files"]} == {
        k: v for k, v in sums.items() if k != "manifest.json"
    }
    assert all(one["bytes"] == (release / one["path"]).stat().st_size for one in manifest["files"])
    assert sum(one.get("rows", 0) for one in manifest["files"]) == 2 * 29
    checked = subprocess.run(["sha256sum", "-c", "--quiet", "sha256sums.txt"], cwd=release, capture_output=True)
    assert checked.returncode == 0, checked.stdout


def test_figures_are_those_of_the_rows(release: Path) -> None:
    figures = json.loads((release / "manifest.json").read_text())["figures"]
    rows = lines(release)
    domains = Counter(row["domain"] for row in rows)
    assert figures["rows"] == 29 and figures["domains"] == len(domains)
    assert figures["domains_at_cap"] == 1 and figures["cap"] == figures["largest_domain"] == 4
    assert figures["synth_method"] == Counter(row["synth_method"] for row in rows)
    missing = sum(row["confidence_score"] is None for row in rows)
    assert figures["null_rate"]["confidence_score"] == pytest.approx(missing / 29, abs=1e-6)
    entropy = -sum(n / 29 * math.log2(n / 29) for n in domains.values())
    assert figures["entropy_bits"] == pytest.approx(entropy, abs=1e-6)
    spread = sum(abs(a - b) for a in domains.values() for b in domains.values())
    assert figures["gini"] == pytest.approx(spread / (2 * len(domains) * 29), abs=1e-6)
    listed = [line.split(",") for line in (release / "distribution.csv").read_text(encoding="utf-8").splitlines()[1:]]
    assert {domain: int(n) for domain, n, _ in listed} == domains


def test_the_card_has_a_header_hubs_can_read(release: Path) -> None:
    card = (release / "README.md").read_text(encoding="utf-8")
    _, header, body = card.split("---\n", 2)
    found = yaml.safe_load(header)
    assert found["license"] == "other" and found["language"] == ["en", "hi"]
    assert found["size_categories"] == ["n<1K"]
    assert [one["data_files"] for one in found["configs"]] == ["parquet/part-*.parquet", "jsonl/part-*.jsonl"]
    for word in ("29 synthetic personas in 23 domains", "## Limits", "## Out of scope", "| rice | 4 |", "keyed hash"):
        assert word in body


def test_the_reader_reads(release: Path, tmp_path: Path) -> None:
    for words in ([release / "read_example.py"], [release / "read_example.py", release]):
        ran = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert ran.stdout.startswith("29 personas in 23 domains\n           4  rice\n")


# -- the format by itself ----------------------------------------------------------------------------------------------

COLUMNS = {
    "persona": "string",
    "domain": "string",
    "domain_raw": "string?",
    "synth_method": "string?",
    "confidence_score": "float?",
    "state": "string?",
    "tags": "list<string>?",
}
ROWS = [
    {
        "persona": f'Someone "{n}" \\ \n\x01 नमस्ते',
        "domain": f"d{n % 3}",
        "domain_raw": f"D{n % 3} x" if n % 2 else None,
        "synth_method": "population" if n % 5 else None,
        "confidence_score": n / 7 if n % 3 else None,
        "state": "Kerala" if n % 2 else None,
        "tags": ["a", '"'] if n % 2 else None,
    }
    for n in range(53)
]


class Batched(ListRowSet):
    """Batches of a size of one's own."""

    def __init__(self, rows: list[dict[str, Any]], size: int) -> None:
        super().__init__(make_rows(rows), COLUMNS)
        self.size = size

    def batches(self, columns: Any = None) -> Iterator[pa.RecordBatch]:
        for whole in super().batches(columns):
            for start in range(0, whole.num_rows, self.size):
                yield whole.slice(start, self.size)


def written(tmp_path: Path, rows: list[dict[str, Any]], size: int, **config: Any) -> Path:
    out = tmp_path / f"out-{size}-{len(rows)}-{len(config)}"
    out.mkdir()
    build(PersonaRelease, config).write(Batched(rows, size), FakeContext(out=out))
    return out


def test_files_are_cut_by_rows_whatever_the_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "GROUP", 8)
    one, other = (written(tmp_path, ROWS, size, rows_per_file=20, extra=["state", "tags"]) for size in (53, 3))
    names = [path.name for path in sorted((one / "parquet").iterdir())]
    assert names == ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]
    assert [pq.ParquetFile(one / "parquet" / name).metadata.num_rows for name in names] == [20, 20, 13]
    assert (one / "sha256sums.txt").read_bytes() == (other / "sha256sums.txt").read_bytes()
    detailed = lines(one)
    ids = uuids(id_words(pa.array([row.id for row in make_rows(ROWS)]))).to_pylist()
    expected = [
        {"id": id, **{("persona_description" if k == "persona" else k): v for k, v in row.items()}}
        for id, row in zip(ids, ROWS, strict=True)
    ]
    assert detailed == expected
    assert [path.name for path in sorted((one / "jsonl").iterdir())] == [f"part-0000{n}.jsonl" for n in range(3)]


def test_compressed_lines_are_the_same_lines(tmp_path: Path) -> None:
    plain = written(tmp_path, ROWS, 10)
    packed = written(tmp_path, ROWS, 10, jsonl_compression="zst")
    with (packed / "jsonl" / "part-00000.jsonl.zst").open("rb") as file:
        found = zstandard.ZstdDecompressor().stream_reader(file).read()
    assert found == (plain / "jsonl" / "part-00000.jsonl").read_bytes()
    assert "jsonl.zst" in (packed / "README.md").read_text(encoding="utf-8")


def test_no_rows_still_make_a_release(tmp_path: Path) -> None:
    out = written(tmp_path, [], 10)
    assert pq.ParquetFile(out / "parquet" / "part-00000.parquet").schema_arrow.names == ["id", "persona", "domain"]
    assert (out / "jsonl" / "part-00000.jsonl").read_bytes() == b""
    assert json.loads((out / "manifest.json").read_text())["figures"]["rows"] == 0


def test_columns_that_are_not_there_are_null(tmp_path: Path) -> None:
    out = written(tmp_path, ROWS[:3], 2, domain_raw=None, synth_method=None, confidence_score=None)
    assert {(r["domain_raw"], r["synth_method"], r["confidence_score"]) for r in lines(out)} == {(None, None, None)}
    assert json.loads((out / "manifest.json").read_text())["figures"]["synth_method"] == {"unknown": 3}


def test_two_rows_with_one_uuid_are_refused() -> None:
    id = "0123456789abcdef0123456789abcdef"
    same = id[:12] + "1" + id[13:]  # differs only where the version stands
    other = id[:-1] + "0"  # the first half alone is the same
    fine = ListRowSet(make_rows([]), {})
    for ids, wrong in (([id, other], False), ([id, same], True)):
        words = id_words(pa.array(ids))
        rows = type("Rows", (), {"batches": lambda self, columns=None, ids=ids: iter([pa.record_batch({"id": ids})])})()
        if wrong:
            with pytest.raises(RuntimeError, match="two rows have the UUID 01234567-89ab-8def"):
                demand_unique(uuid_keys(words), rows)
        else:
            demand_unique(uuid_keys(words), rows)
    demand_unique(np.empty(0, np.uint64), fine)


@pytest.mark.parametrize(
    ("counts", "value"),
    [([5, 5, 5, 5], 0.0), ([0, 0, 0, 8], 0.75), ([1, 3], 0.25), ([], 0.0), ([7], 0.0)],
)
def test_gini(counts: list[int], value: float) -> None:
    assert gini(counts) == pytest.approx(value)


def test_evenness_of_one_and_of_many_domains() -> None:
    for domains, bits, even in ((["a"] * 4, 0.0, 1.0), (["a", "b", "c", "d"], 2.0, 1.0)):
        tally = Tally(None)
        tally.add(pa.array(["x"] * 4), pa.array(domains), {"synth_method": pa.array([None] * 4, pa.string())})
        figures = tally.figures()
        assert (figures["entropy_bits"], figures["evenness"]) == (bits, even)
        assert figures["domains_at_cap"] is None


@pytest.mark.parametrize(
    ("rows", "name"),
    [(999, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K"), (20_000_000, "10M<n<100M"), (10**9, "1B<n<10B")],
)
def test_size_categories(rows: int, name: str) -> None:
    assert size_category(rows) == name


def test_extra_columns_may_not_hide_what_a_release_has() -> None:
    problems = list(build(PersonaRelease, {"extra": ["state", "domain"]}).check(COLUMNS))
    assert [problem.field for problem in problems] == [("extra", 1)]
    assert export.PROPERTIES[0] == "id"
