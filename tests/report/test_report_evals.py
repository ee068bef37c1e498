"""The comparison of two evaluations: the published table with right percentages, and what a fair one has to say."""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attar.errors import AttarError
from attar.evals.harness import Evals
from attar.report.evals import Line, compare
from attar.report.evals_text import FORMATS, as_csv, as_json, as_markdown, as_text

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "evals"
NAMES = ("Open Source SFT", "In-house SFT Recipe")


def report(*words: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "attar", "report", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done


@pytest.mark.parametrize(("form", "file"), [("text", "table.txt"), ("markdown", "table.md"), ("csv", "table.csv")])
def test_the_published_table(form: str, file: str) -> None:
    a, b = GOLDEN / "open_source_sft.json", GOLDEN / "in_house_sft.json"
    assert report("--evals", a, b, "--names", *NAMES, "--format", form).stdout == (GOLDEN / file).read_text()


def test_the_published_percentages_are_put_right() -> None:
    """The seed's figures, typed here from its table; it gave cb as +67 % and mmlu_pro as +66 %."""
    found = compare(GOLDEN / "open_source_sft.json", GOLDEN / "in_house_sft.json")
    lines = {line.task: line for line in found.lines}
    assert len(lines) == 13
    assert found.names == ("example/open-source-sft", "example/in-house-sft")
    changes = {
        "cb": (30.36, 57.14, 88.2), "mmlu_pro": (5.23, 8.73, 66.9), "global_mmlu_full_en": (37.89, 37.4, -1.3),
        "milu_Hindi": (28.87, 32.26, 11.7), "hellaswag": (70.47, 73.07, 3.7),
    }  # fmt: skip
    for task, (a, b, change) in changes.items():
        line = lines[task]
        assert (round(line.a, 2), round(line.b, 2), round(line.change or 0, 1)) == (a, b, change)
    assert [task for task, line in lines.items() if line.better == "a"] == ["global_mmlu_full_en"]
    assert {task: line.metric for task, line in lines.items()} == {
        "hellaswag": "acc_norm", "hellaswag_hi": "acc_norm", "global_mmlu_full_en": "acc", "global_mmlu_full_hi": "acc",
        "mmlu_pro": "exact_match", "piqa": "acc_norm", "winogrande": "acc", "truthfulqa_gen": "bleu_acc",
        "truthfulqa_mc1": "acc", "cb": "acc", "milu_English": "acc", "milu_Hindi": "acc", "sanskriti_states": "acc",
    }  # fmt: skip


def write(path: Path, model: str = "m", **keys: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"model_name": model, **keys}), encoding="utf-8")
    return path


def test_less_is_better_where_the_file_says_so(tmp_path: Path) -> None:
    results = {"wiki": {"word_perplexity,none": 12.0}, "odd": {"oddity,none": 3.0}}
    better = {"odd": {"oddity": False}}
    a = write(tmp_path / "a.json", results=results, higher_is_better=better)
    results = {"wiki": {"word_perplexity,none": 9.0}, "odd": {"oddity,none": 4.0}}
    b = write(tmp_path / "b.json", results=results, higher_is_better=better)
    wiki, odd = compare(a, b).lines
    assert (wiki.better, wiki.change, wiki.difference) == ("b", -25.0, -3.0)
    assert odd.better == "a"
    assert "word_perplexity ↓" in as_text(compare(a, b))
    assert "**9.0000**" in as_markdown(compare(a, b))


def test_percent_and_shares_are_put_on_one_scale(tmp_path: Path) -> None:
    a = write(tmp_path / "a.json", results={"t": {"acc,none": 30.0, "acc_stderr,none": 3.0}, "u": {"acc,none": 0.5}})
    b = write(tmp_path / "b.json", results={"t": {"acc,none": 0.36, "acc_stderr,none": 0.04}, "u": {"acc,none": 0.01}})
    t, u = compare(a, b).lines
    assert (t.a, t.b, t.difference, t.margin) == (30.0, 36.0, 6.0, pytest.approx(1.96 * 5))
    assert t.within_error is True
    assert (u.a, u.b) == (0.5, 1.0), "a file counts in percent as a whole"


def test_what_only_one_has_is_said(tmp_path: Path) -> None:
    a = write(
        tmp_path / "a.json",
        "x/a",
        results={"t": {"acc": 0}, "s": {"acc": 0.1}, "m": {"acc": 0.1}},
        **{"n-shot": {"t": 0}},
    )
    b = write(
        tmp_path / "b.json",
        "x/b",
        results={"t": {"acc": 0.2}, "z": {"acc": 0.1}, "m": {"f1": 0.1}},
        **{"n-shot": {"t": 5}},
    )
    said = as_text(compare(a, b))
    assert "Only in x/a: s." in said
    assert "Only in x/b: z." in said
    assert "No metric in common: m." in said
    assert "t: 0 examples in the prompt of x/a, 5 in that of x/b" in said
    (line,) = compare(a, b).lines
    assert line.change is None
    assert "+20.00       –" in said
    assert json.loads(as_json(compare(a, b)))["only_b"] == ["z"]


def test_metrics_may_be_chosen(tmp_path: Path) -> None:
    values = {"h": {"acc,none": 0.5, "acc_norm,none": 0.6}, "g": {"exact_match,strict": 0.1, "exact_match,loose": 0.2}}
    a, b = write(tmp_path / "a.json", results=values), write(tmp_path / "b.json", results=values)

    def labels(*metrics: str, every: bool = False) -> list[tuple[str, str]]:
        return [(line.task, line.label) for line in compare(a, b, metrics=metrics, every=every).lines]

    strict, loose = ("g", "exact_match (strict)"), ("g", "exact_match (loose)")
    assert labels() == [("h", "acc_norm"), strict, loose], "both filters, where the file has two"
    assert labels("h/acc") == [("h", "acc"), strict, loose]
    assert labels("acc") == [("h", "acc")]
    assert labels("acc", "g/exact_match,loose") == [("h", "acc"), ("g", "exact_match")]
    assert labels(every=True) == [("h", "acc"), ("h", "acc_norm"), strict, loose]
    with pytest.raises(AttarError, match="no task of both has the metric 'f1'"):
        labels("f1")


def test_a_folder_is_one_models_newest_results(tmp_path: Path) -> None:
    write(tmp_path / "a/results_1.json", results={"t": {"acc": 0.1}, "u": {"acc": 0.3}}, date=1)
    write(tmp_path / "a/results_2.json", results={"t": {"acc": 0.2}}, date=2)
    b = write(tmp_path / "b.json", "other", results={"t": {"acc": 0.4}, "u": {"acc": 0.4}})
    assert {line.task: line.a for line in compare(tmp_path / "a", b).lines} == {"t": 20.0, "u": 30.0}
    write(tmp_path / "a/results_3.json", "second", results={"t": {"acc": 0.2}}, date=3)
    assert "E651" in report("--evals", tmp_path / "a", b, code=2).stderr


def test_mistakes_are_told(tmp_path: Path) -> None:
    a = write(tmp_path / "a.json", results={"t": {"acc": 0.1}})
    b = write(tmp_path / "b.json", results={"u": {"acc": 0.1}})
    assert "E652" in report("--evals", a, b, code=2).stderr
    missing = report("--evals", a, tmp_path / "none.json", code=2).stderr
    assert "error[E650]: none.json cannot be read" in missing
    assert "Missing option" in report(code=2).stderr


SHARES = st.floats(0, 1)


@given(st.lists(st.tuples(SHARES, SHARES, st.none() | SHARES, st.none() | SHARES), min_size=1, max_size=5))
def test_figures_hold_together(tmp_path_factory: pytest.TempPathFactory, figures: list[Any]) -> None:
    folder = tmp_path_factory.mktemp("evals")
    sides = []
    for k, name in ((0, "a"), (1, "b")):
        results = {f"t{i}": {"acc,none": one[k], "acc_stderr,none": one[k + 2]} for i, one in enumerate(figures)}
        sides.append(write(folder / f"{name}.json", name, results=results))
    found = compare(*sides)
    assert len(found.lines) == len(figures)
    for line, (a, b, ea, eb) in zip(found.lines, figures, strict=True):
        assert math.isclose(line.difference, 100 * (b - a), abs_tol=1e-9)
        assert line.better == ("" if 100 * a == 100 * b else "b" if b > a else "a")
        assert (line.margin is None) == (ea is None or eb is None)
    for form in FORMATS.values():
        assert form(found)
    assert len(list(csv.DictReader(as_csv(found).splitlines()))) == len(figures)


def test_a_change_from_a_negative_figure_keeps_its_direction() -> None:
    line = Line("t", "bleu_diff", "none", "bleu_diff", False, -4.0, -2.0, None, None, True)
    assert (line.change, line.better) == (50.0, "b")


def test_thousands_of_tasks_are_read_once_and_not_all_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = {f"t{n}": {"acc,none": n / 3000} for n in range(3000)}
    (tmp_path / "a.json").write_text(json.dumps({"results": tasks}), encoding="utf-8")
    passes: list[Evals] = []
    whole = Evals.percent.fget
    assert whole is not None
    monkeypatch.setattr(Evals, "percent", property(lambda one: (passes.append(one), whole(one))[1]))
    found = compare(tmp_path / "a.json", tmp_path / "a.json")
    assert len(found.lines) == 3000 and len(passes) == 2
    assert "t29 and 2,970 more." in as_text(found) and max(map(len, as_text(found).splitlines())) < 300
