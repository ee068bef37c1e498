"""Names of files: relative, bundled, a plugin's."""

from __future__ import annotations

from pathlib import Path

import pytest

from attar.errors import AttarError, Span
from attar.recipe import files


def test_relative_absolute_and_plugin_names(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/p.md").write_text("x")
    assert files.resolve("../a/p.md", tmp_path / "a").samefile(tmp_path / "a/p.md")
    assert files.resolve(str(tmp_path / "a/p.md"), Path("/nowhere")).samefile(tmp_path / "a/p.md")
    for roots in ({"rag": tmp_path / "a"}, lambda name: tmp_path / "a" if name == "rag" else None):
        assert files.resolve("rag:p.md", Path("/nowhere"), roots).samefile(tmp_path / "a/p.md")


def test_bundled_files_are_the_checkouts(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    shipped = next(p for p in sorted((root / "prompts").rglob("*.md")))
    name = f"bundled:{shipped.relative_to(root).as_posix()}"
    assert files.resolve(name, tmp_path).samefile(shipped)


def test_the_package_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "_bundled/prompts").mkdir(parents=True)
    (tmp_path / "_bundled/prompts/x.md").write_text("x")
    monkeypatch.setattr(files, "_PACKAGE", tmp_path)
    assert files.resolve("bundled:prompts/x.md", Path("/")) == tmp_path / "_bundled/prompts/x.md"


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("jugde.md", "E101", "did you mean judge.md"),
        ("judge.txt", "E101", "did you mean judge.md"),
        ("qqqq", "E101", "there are: empty, essay.md, judge.md"),
        ("sub", "E101", "is a folder"),
        ("sbu/x.md", "E101", "did you mean sub/?"),
        ("empty/x.md", "E101", "is empty"),
        ("bundled:prompt/x.md", "E114", "recipes, prompts, schemas"),
        ("bundled:prompts/../../secret", "E114", "leaves the folder"),
        ("rga:x.md", "E114", "did you mean rag:x.md?"),
        ("rag:../judge.md", "E114", "leaves the folder"),
    ],
)
def test_names_of_nothing(tmp_path: Path, name: str, code: str, says: str) -> None:
    for folder in ("sub", "empty", "rag"):
        (tmp_path / folder).mkdir()
    (tmp_path / "sub/x").write_text("")
    (tmp_path / "judge.md").write_text("x")
    (tmp_path / "essay.md").write_text("x")
    with pytest.raises(AttarError) as raised:
        files.resolve(name, tmp_path, {"rag": tmp_path / "rag"})
    (found,) = raised.value.diagnostics
    assert found.code == code
    assert says in f"{found.message} {found.help}"
    span = Span("r.yaml", 3, 4)
    path, told = files.find(name, tmp_path, span, {"rag": tmp_path / "rag"})
    assert path is None and [(d.code, d.span) for d in told] == [(code, span)]
