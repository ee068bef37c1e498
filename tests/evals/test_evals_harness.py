"""Results files of lm-evaluation-harness: its present layout, its older one, folders of them, and what is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attar.evals import EvalsProblem, is_share, pick, read_evals


def write(path: Path, **keys: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(keys), encoding="utf-8")
    return path


def test_the_present_layout(tmp_path: Path) -> None:
    file = write(
        tmp_path / "results_2025-06-01T10-20-30.123456.json",
        results={
            "hellaswag": {"alias": "hellaswag", "acc,none": 0.5, "acc_stderr,none": 0.005, "acc_norm,none": 0.7},
            "gsm8k": {"exact_match,strict-match": 0.4, "exact_match_stderr,strict-match": "N/A"},
            "wiki": {"word_perplexity,none": 12.5, "bits_per_byte,none": 0.9},
            "empty": {"alias": " "},
        },
        groups={"milu": {"acc,none": 0.3, "acc_stderr,none": 0.01}},
        higher_is_better={"hellaswag": {"acc": True, "acc_norm": None}, "wiki": {"word_perplexity": False}},
        config={"model_args": "pretrained=a/b,revision=abc,dtype=bfloat16"},
        **{"n-shot": {"gsm8k": 5}},
    )
    (one,) = read_evals(file)
    assert (one.model, one.revision, one.shots) == ("a/b", "abc", {"gsm8k": 5})
    assert list(one.tasks) == ["milu", "hellaswag", "gsm8k", "wiki"]
    (norm,) = pick(one.tasks["hellaswag"])
    assert (norm.metric, norm.value, norm.stderr, norm.higher) == ("acc_norm", 0.7, None, True)
    (strict,) = pick(one.tasks["gsm8k"])
    assert (strict.key, strict.stderr) == ("exact_match,strict-match", None)
    assert not pick(one.tasks["wiki"], "bits_per_byte")[0].higher, "by its name, where the file does not say"
    assert one.date == 1748773230.0
    assert not one.percent


def test_the_layout_before_filters(tmp_path: Path) -> None:
    file = write(tmp_path / "r.json", results={"cb": {"acc": 0.3, "acc_stderr": 0.06, "f1": 0.2}}, versions={"cb": 1})
    (one,) = read_evals(file)
    (acc,) = pick(one.tasks["cb"])
    assert (acc.key, acc.stderr, one.model) == ("acc", 0.06, "")


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({"model_args": {"pretrained": "a/b", "peft": "c/d"}}, "c/d"),
        ({"model_args": "base_url=http://h/v1,model=x/y"}, "x/y"),
        ({"model_args": ""}, "named"),
        (None, "named"),
    ],
)
def test_what_was_evaluated(tmp_path: Path, config: Any, name: str) -> None:
    file = write(tmp_path / "r.json", results={"t": {"acc,none": 0.1}}, config=config, model_name="named")
    assert read_evals(file)[0].model == name


def test_a_folder_gives_the_newest_first(tmp_path: Path) -> None:
    for day, folder in ((3, "m"), (1, "m"), (2, "n")):
        write(tmp_path / folder / f"results_2025-01-0{day}T00-00-00.json", results={"t": {"acc,none": day / 10}})
    write(tmp_path / "m" / "samples_t.jsonl")
    assert [one.tasks["t"][0].value for one in read_evals(tmp_path)] == [0.3, 0.2, 0.1]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe{}",
        b"null",
        b"[]",
        b"{}",
        b'{"results": []}',
        b'{"results": {"t": 3}}',
        b'{"results": {}}',
        b'{"results": {"t": {"acc,none": "high"}}}',
        b'{"results": {"t": {"acc,none": NaN}}}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_results_file_is_told(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "r.json"
    file.write_bytes(content)
    with pytest.raises(EvalsProblem) as told:
        read_evals(file)
    assert "r.json" in told.value.message
    assert told.value.help


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(EvalsProblem, match="holds no"):
        read_evals(tmp_path)
    with pytest.raises(EvalsProblem, match="cannot be read"):
        read_evals(tmp_path / "none.json")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_no_json_crashes_the_reader(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    file = tmp_path_factory.mktemp("any") / "r.json"
    for document in (
        value,
        {"results": value},
        {"results": {"t": value}},
        {"results": {"t": {"acc": 1}}, "date": value},
    ):
        file.write_text(json.dumps(document), encoding="utf-8")
        try:
            assert all(one.tasks for one in read_evals(file))
        except EvalsProblem:
            pass


def test_shares_are_known_by_name() -> None:
    shares = ("acc", "acc_norm", "exact_match", "bleu_acc", "pass@1", "prompt_level_strict_acc", "mc2")
    assert all(map(is_share, shares))
    assert not any(map(is_share, ("word_perplexity", "bleu_max", "rouge1_diff", "accent", "f1")))
