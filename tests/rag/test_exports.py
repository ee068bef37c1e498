"""Chat formats: what they write, by thought policy; what `datasets` reads of it; and what they refuse."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.row_sets import Rows

from attar.api import ConfigProblem
from attar.testing import FakeContext, StepContract, build, run_judge
from attar_rag.exports.check import CheckMessages
from attar_rag.exports.formats import Alpaca, ChatExport, OpenAIChat, ShareGPT, TRLChat, TRLPromptCompletion

GOLDEN = Path(__file__).parent.parent / "golden" / "exports"
COLUMNS = {
    "messages": "list<struct<role:string,thought:string?,content:string>>",
    "doc_id": "string?",
    "tier": "string?",
    "note": "json",
    "parts": "list<struct<at:int,extra:json>>?",
    "system_text": "string?",
}


def user(content: str | None) -> dict[str, Any]:
    return {"role": "user", "thought": None, "content": content}


def model(content: str | None, thought: str | None = None) -> dict[str, Any]:
    return {"role": "model", "thought": thought, "content": content}


ROWS: list[dict[str, Any]] = [
    {
        "messages": [user("Berapa biaya S1?"), model('Rp 5.000.000 "per semester".', "Konteks: Rp 5.000.000.")],
        "doc_id": "biaya.md",
        "tier": "direct",
        "note": {"टिप्पणी": [1, None]},
        "parts": [{"at": 3, "extra": [True]}],
        "system_text": "Kamu petugas kampus.",
    },
    {
        "messages": [
            user("छात्रावास में कितने कमरे हैं?"),
            model("१२० कमरे।", "संदर्भ में १२० है।"),
            user("और किराया?\nसाल का"),
            model("₹1,00,000 प्रति वर्ष।"),
            user("धन्यवाद 🙏"),
            model("क्‍षमा नहीं, स्वागत है।", "विनम्र उत्तर।"),
        ],
        "doc_id": "hostel.md",
    },
]
FORMATS: dict[str, type[ChatExport[Any]]] = {
    "openai_chat": OpenAIChat,
    "sharegpt": ShareGPT,
    "alpaca": Alpaca,
    "trl_chat": TRLChat,
    "trl_prompt_completion": TRLPromptCompletion,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "keep": {"thoughts": "keep", "system": "Jawab dari dokumen.", "carry": ["tier", "note", "parts", "id"]},
    "strip": {"thoughts": "strip", "system_column": "system_text"},
    "tagged": {"thoughts": "tagged", "system": "Jawab dari dokumen.", "fold_system": True},
}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def export(
    format: type[ChatExport[Any]],
    folder: Path,
    settings: Mapping[str, Any] = {},
    rows: Sequence[Mapping[str, Any]] = ROWS,
    columns: Mapping[str, str] = COLUMNS,
) -> Path:
    """Writes rows, which the format's own checks must pass before."""
    step = build(format, settings)
    assert set(step.reads(columns)) <= set(columns)
    assert [problem.message for problem in step.check(columns)] == []
    folder.mkdir(parents=True)
    step.write(Rows(columns, rows), FakeContext(out=folder))
    return folder


def lines(folder: Path, split: str = "train") -> list[dict[str, Any]]:
    files = sorted((folder / "data").glob(f"{split}-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def loaded(folder: Path, cache: Path) -> Any:
    """What `datasets` makes of a folder."""
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    return datasets.load_dataset(str(folder), cache_dir=str(cache))


@pytest.mark.parametrize("policy", SETTINGS)
@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_as_recorded(name: str, policy: str, tmp_path: Path) -> None:
    folder = export(FORMATS[name], tmp_path / "out", SETTINGS[policy])
    written = (folder / "data" / "train-00000.jsonl").read_bytes()
    golden = GOLDEN / f"{name}-{policy}.jsonl"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        golden.parent.mkdir(exist_ok=True)
        golden.write_bytes(written)
    assert written == golden.read_bytes()
    assert "छात्रावास".encode() in written and b"\\u" not in written


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("policy", SETTINGS)
@pytest.mark.parametrize("name", FORMATS)
def test_datasets_reads_what_was_written(name: str, policy: str, tmp_path: Path) -> None:
    folder = export(FORMATS[name], tmp_path / "out", SETTINGS[policy])
    data = loaded(folder, tmp_path / "cache")
    assert list(data) == ["train"]
    found = [without_nulls(row) for row in data["train"]]
    assert found == [without_nulls(line) for line in lines(folder)]
    assert set(data["train"].features) == set(lines(folder)[0])


def without_nulls(value: Any) -> Any:
    """`datasets` gives every field of a struct, those that are missing as null."""
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


@pytest.mark.filterwarnings("ignore")
def test_a_field_that_is_null_in_a_whole_file_is_still_text(tmp_path: Path) -> None:
    bare = [{"messages": [user("satu"), model("dua")]}] * 2
    rows = [*bare, {"messages": [user("tiga"), model("empat", "lima")], "tier": "direct"}]
    folder = export(TRLChat, tmp_path / "out", {"thoughts": "keep", "carry": ["tier"], "rows_per_file": 2}, rows)
    assert len(list((folder / "data").iterdir())) == 2
    train = loaded(folder, tmp_path / "cache")["train"]
    assert train["tier"] == [None, None, "direct"]
    assert train[2]["messages"][1]["reasoning_content"] == "lima"


@pytest.mark.filterwarnings("ignore")
def test_other_data_under_the_same_name_is_not_read_from_the_cache(tmp_path: Path) -> None:
    first = export(TRLChat, tmp_path / "one" / "chat", rows=ROWS[:1])
    second = export(TRLChat, tmp_path / "two" / "chat", rows=ROWS[1:])
    assert len(loaded(first, tmp_path / "cache")["train"][0]["messages"]) == 2
    assert len(loaded(second, tmp_path / "cache")["train"][0]["messages"]) == 6


def test_a_question_and_its_answer(tmp_path: Path) -> None:
    columns = {"question": "string", "crisp": "string", "why": "string?", "chunk": "string?"}
    row = {"question": "Berapa?", "crisp": "Lima.", "why": "Halaman 2.", "chunk": "Biaya: lima."}
    settings = {"question": "question", "answer": "crisp", "answer_thought": "why", "thoughts": "tagged"}
    own = {**settings, "input": "chunk", "tags": {"open": "<fikir>", "close": "</fikir>"}}
    alpaca = lines(export(Alpaca, tmp_path / "a", own, [row], columns))
    answer = "<fikir>\nHalaman 2.\n</fikir>\n\nLima."
    assert alpaca == [{"instruction": "Berapa?", "input": "Biaya: lima.", "output": answer}]
    names = {**settings, "thoughts": "keep", "role_names": {"assistant": "model"}, "thought_key": "thought"}
    chat = lines(export(OpenAIChat, tmp_path / "c", names, [row], columns))
    said = {"role": "model", "content": "Lima.", "thought": "Halaman 2."}
    assert chat == [{"messages": [{"role": "user", "content": "Berapa?"}, said]}]


def test_roles_and_a_system_message_of_the_conversations_own(tmp_path: Path) -> None:
    messages = [
        {"role": "instruksi", "content": "Sopan."},
        {"role": "tanya", "content": "Apa?"},
        {"role": "jawab", "content": "Itu."},
    ]
    columns = {"messages": "json"}
    settings = {"roles": {"system": "instruksi", "user": "tanya", "model": "jawab"}, "system": "Singkat."}
    (record,) = lines(export(ShareGPT, tmp_path / "s", settings, [{"messages": messages}], columns))
    assert [part["from"] for part in record["conversations"]] == ["system", "human", "gpt"]
    assert record["conversations"][0]["value"] == "Sopan."


def test_prompts_have_no_earlier_thoughts_unless_asked(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"thoughts": "tagged", "answers": "last"}
    (_, bare) = lines(export(TRLPromptCompletion, tmp_path / "bare", settings))
    (_, full) = lines(export(TRLPromptCompletion, tmp_path / "full", {**settings, "past_thoughts": True}))
    assert [m["content"].startswith("<think>") for m in bare["prompt"]] == [False] * 5
    assert [m["content"].startswith("<think>") for m in full["prompt"]] == [False, True, False, False, False]
    assert bare["completion"] == full["completion"] == [full["completion"][0]]
    assert len(lines(export(TRLPromptCompletion, tmp_path / "all"))) == 4


@pytest.mark.parametrize("name", FORMATS)
def test_no_rows_are_empty_files(name: str, tmp_path: Path) -> None:
    split = {"by": "doc_id", "train": 0.8, "validation": 0, "test": 0.2}
    folder = export(FORMATS[name], tmp_path / "out", {"split": split}, [])
    assert {path.name: path.stat().st_size for path in (folder / "data").iterdir()} == {
        "train-00000.jsonl": 0,
        "test-00000.jsonl": 0,
    }
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "configs:" not in readme and "| train | 0 |" in readme


BAD: dict[str, list[Any]] = {
    "unknown_role": [user("a"), {"role": "tool", "content": "b"}],
    "first_not_user": [model("a"), user("b"), model("c")],
    "role_order": [user("a"), model("b"), model("c")],
    "last_not_model": [user("a"), model("b"), user("c")],
    "empty_content": [user("a"), model(" \u200b\n")],
    "too_few_turns": [],
}


@pytest.mark.parametrize("code", BAD)
def test_what_is_no_conversation_is_refused_and_named(code: str, tmp_path: Path) -> None:
    rows = [ROWS[0], {"messages": BAD[code]}]
    with pytest.raises(ConfigProblem) as caught:
        export(OpenAIChat, tmp_path / "out", rows=rows)
    assert caught.value.message.startswith(f"row {1:032x}: ") and code in caught.value.message
    assert "rag.check_messages" in caught.value.help
    (good, bad) = run_judge(build(CheckMessages), [{"messages": row["messages"]} for row in rows])
    assert (good.outcome, bad.outcome, bad.code) == ("pass", "fail", code)  # type: ignore[union-attr]


def test_the_judge_of_thoughts_tags_and_turns() -> None:
    def codes(settings: Mapping[str, Any], *messages: Any) -> list[str]:
        return [verdict.code for verdict in run_judge(build(CheckMessages, settings), messages)]  # type: ignore[union-attr]

    plain = {"messages": [user("a"), model("b")]}
    thought = {"messages": [user("a"), model("b", "c")]}
    tag = {"messages": [user("a"), model("b</think>", "c")]}
    odd = {"messages": [None, "x", 3]}
    assert codes({}, plain, thought, tag, odd, {"messages": None}, {"messages": "text"}) == [
        "",
        "",
        "tag_in_text",
        "unknown_role",
        "too_few_turns",
        "too_few_turns",
    ]
    assert codes({"thoughts": True, "tags": None}, plain, thought, tag) == ["missing_thought", "", ""]
    assert codes({"min_turns": 2}, thought, {"messages": ROWS[1]["messages"]}) == ["too_few_turns", ""]


class TestCheckMessages(StepContract):
    step = CheckMessages
    rows = [{"messages": ROWS[0]["messages"]}, {"messages": BAD["role_order"]}, {"messages": None}]
    incoming = {"messages": COLUMNS["messages"]}


def test_a_tag_inside_a_tagged_answer_is_refused(tmp_path: Path) -> None:
    rows = [{"messages": [user("a"), model("b </think>", "c")]}]
    with pytest.raises(ConfigProblem, match="tag_in_text"):
        export(TRLChat, tmp_path / "tagged", {"thoughts": "tagged"}, rows)
    assert len(lines(export(TRLChat, tmp_path / "kept", {"thoughts": "keep"}, rows))) == 1


@pytest.mark.parametrize(
    ("format", "settings", "field"),
    [
        (OpenAIChat, {"carry": ["messages"]}, ("carry", 0)),
        (TRLPromptCompletion, {"carry": ["tier", "messages"]}, ("carry", 1)),
        (OpenAIChat, {"question": "tier"}, ("question",)),
        (OpenAIChat, {"answer": "tier"}, ("answer",)),
        (OpenAIChat, {"question": "tier", "answer": "doc_id", "thoughts": "keep"}, ("thoughts",)),
        (OpenAIChat, {"answer_thought": "tier"}, ("answer_thought",)),
        (OpenAIChat, {"system": "a", "system_column": "tier"}, ("system_column",)),
        (OpenAIChat, {"split": {"by": "note"}}, ("split", "by")),
        (OpenAIChat, {"thoughts": "keep", "thought_key": "content"}, ("thought_key",)),
        (Alpaca, {"thoughts": "keep", "past_thoughts": True}, ("past_thoughts",)),
    ],
)
def test_settings_that_do_not_fit(format: Any, settings: dict[str, Any], field: tuple[str | int, ...]) -> None:
    problems = list(build(format, settings).check(COLUMNS))
    assert [problem.field for problem in problems] == [field]
    assert all(problem.help for problem in problems)


def test_messages_without_thoughts_have_none_to_keep() -> None:
    columns = {"messages": "list<struct<role:string,content:string>>"}
    for step in (build(TRLChat, {"thoughts": "tagged"}), build(CheckMessages, {"thoughts": True})):
        assert [problem.field for problem in step.check(columns)] == [("thoughts",)]
