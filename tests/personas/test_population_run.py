"""recipes/population.yaml as a user runs it: the same persons with 1 and 2 workers, a skew report beside them."""

from __future__ import annotations

import json
from pathlib import Path

from support.runs import Attar, results, run_folder, table

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "recipes" / "population.yaml"
SMALL = Path(__file__).parent / "tables" / "small.yaml"


def test_one_command_makes_persons_and_tells_their_skew(tmp_path: Path) -> None:
    attar = Attar(tmp_path, None)
    attar("run", RECIPE, "--runs", attar.runs, "-p", "count=3000")
    folder = run_folder(attar.runs, "population")
    rows = table(folder / "dataset")
    assert len({row["person"] for row in rows}) == len({row["id"] for row in rows}) == 3000
    assert max(row["person"] for row in rows) > 300_000_000  # spread over the whole population
    assert all(row["persona"] and row["synth_method"] == "population" for row in rows)
    assert all(row["general"] and row["domain"] and row["specific"] for row in rows)
    found = json.loads((folder / "skew" / "skew.json").read_text(encoding="utf-8"))
    assert found["rows"] == 3000
    assert {one["variable"] for one in found["variables"]} >= {"state", "religion", "education", "domain"}
    assert all(one["p"] > 1e-4 and one["known"] == 3000 for one in found["variables"])
    assert (
        (folder / "skew" / "skew.md").read_text(encoding="utf-8").startswith("# 3,000 personas against the table india")
    )


def test_workers_and_slices_change_nothing(tmp_path: Path) -> None:
    digests, rows = [], {}
    for workers in ("1", "2"):
        attar = Attar(tmp_path / workers, None)
        attar.folder.mkdir()
        words = ["-p", f"table={SMALL}", "-p", "count=24000", "--workers", workers]
        attar("run", RECIPE, "--runs", attar.runs, *words)
        digests.append(results(attar.runs, "population")["outputs"]["dataset"]["digest"])
        rows = {row["person"]: row for row in table(run_folder(attar.runs, "population") / "dataset")}
    assert digests[0] == digests[1]
    assert len(rows) == 24_000
    attar = Attar(tmp_path / "slice", None)
    attar.folder.mkdir()
    words = ["-p", f"table={SMALL}", "-p", "count=50", "-p", "first=20000"]
    attar("run", RECIPE, "--runs", attar.runs, *words)
    for row in table(run_folder(attar.runs, "population") / "dataset"):
        assert rows[row["person"]] == row


def test_a_changed_table_makes_persons_and_report_anew(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(SMALL.read_text())
    attar = Attar(tmp_path, None)
    words = ["run", str(RECIPE), "--runs", str(attar.runs), "-p", "table=mine.yaml", "-p", "count=200"]
    attar(*words)
    first = run_folder(attar.runs, "population")
    mine.write_text(SMALL.read_text().replace("{North: 60, South: 40}", "{North: 1, South: 99}"))
    attar(*words)
    second = run_folder(attar.runs, "population")
    assert first != second
    shares = [json.loads((run / "skew" / "skew.json").read_text())["variables"][0]["values"] for run in (first, second)]
    assert [found[0]["expected"] for found in shares] == [0.6, 0.01]
    assert sum(row["state"] == "North" for row in table(second / "dataset")) < 15


def test_any_rows_can_be_held_against_a_table_as_a_step_and_as_an_output(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(
        "\n".join(json.dumps({"about": f"a baker from {place}", "faith": faith})
                  for place, faith in [("North", "Sun"), ("South", "Moon"), ("Atlantis", "sun")]) + "\n"
    )  # fmt: skip
    (tmp_path / "t.yaml").write_text(SMALL.read_text())
    (tmp_path / "r.yaml").write_text(
        "attar: 1\nname: r\nsteps:\n"
        "  read: {use: std.read, with: {path: in.jsonl, columns: {about: string, faith: string}}}\n"
        "  skew: {use: personas.skew, from: read, with: {table: t.yaml, columns: {religion: faith}, text: about}}\n"
        "outputs: {told: {from: read, format: skew, with: {table: t.yaml, columns: {religion: faith}}}}\n"
    )
    (tmp_path / "elsewhere").mkdir()
    attar = Attar(tmp_path / "elsewhere", None)  # the table is found beside the recipe
    attar("run", "../r.yaml", "--runs", attar.runs)
    assert (run_folder(attar.runs, "r") / "told" / "skew.md").is_file()
    (file,) = [file for file in attar.runs.rglob("skew.json") if file.parent.name != "told"]
    found = {one["variable"]: one for one in json.loads(file.read_text())["variables"]}
    assert [cell["count"] for cell in found["religion"]["values"]] == [2, 1]
    assert [cell["count"] for cell in found["state"]["values"]] == [1, 1] and found["state"]["unknown"] == 1
