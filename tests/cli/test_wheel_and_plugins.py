"""A stranger's plugin beside a built wheel of attar, in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent


class Environment(NamedTuple):
    """A virtual environment that holds attar from its wheel; `work` is an empty folder to work in."""

    folder: Path
    work: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def site(self) -> Path:
        (found,) = (self.folder / "lib").glob("python*/site-packages")
        return found

    def attar(self, *args: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return self.run(self.folder / "bin" / "attar", *args, cwd=cwd)

    def run(self, *command: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        hidden = ("PYTHONPATH", "VIRTUAL_ENV", "ATTAR_BASE_URL", "OPENAI_BASE_URL")
        env = {name: value for name, value in os.environ.items() if name not in hidden}
        return subprocess.run(
            [str(part) for part in command], cwd=cwd or self.work, env=env, capture_output=True, text=True, check=False
        )

    def pip_install(self, what: Path) -> None:
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "--quiet", "--no-deps"]
        done = self.run(*pip, "--no-index", "--no-build-isolation", what)
        assert done.returncode == 0, done.stderr

    def plant(self, distribution: str, module: str, text: str, entry: str) -> None:
        """Installs a one-module distribution by hand."""
        (self.site / f"{module}.py").write_text(text, encoding="utf-8")
        info = self.site / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[attar]\n{entry} = {module}:plugin\n", encoding="utf-8")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("attar-*.whl")
    return built


@pytest.fixture
def fresh(wheel: Path, tmp_path: Path) -> Environment:
    """attar comes from the wheel; the libraries it needs are those of the tests' own environment, linked."""
    made = Environment(tmp_path / "venv", tmp_path / "work")
    made.work.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made.folder)], check=True)
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    for entry in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if "attar" not in entry.name and entry.suffix != ".pth":
            (libraries / entry.name).symlink_to(entry)
    (made.site / "libraries.pth").write_text(f"{libraries}\n", encoding="utf-8")
    made.pip_install(wheel)
    return made


def test_a_new_plugin_beside_the_wheel(fresh: Environment) -> None:
    where = fresh.run(fresh.python, "-c", "import attar, attar_std; print(attar.__file__); print(attar_std.__file__)")
    assert all(Path(line).is_relative_to(fresh.folder) for line in where.stdout.split()), where.stdout + where.stderr

    made = fresh.attar("plugins", "new", "tidy")
    assert made.returncode == 0, made.stderr
    project = fresh.work / "attar-tidy"
    fresh.pip_install(project)

    listed = json.loads(fresh.attar("plugins", "list", "--json").stdout)
    assert {"name": "tidy", "distribution": "attar-tidy", "version": "0.1.0", "steps": ["wordy"]} in listed["plugins"]
    assert {"std", "llm", "personas"} <= {plugin["name"] for plugin in listed["plugins"]}
    assert listed["broken"] == [] and listed["clashes"] == {}

    shown = fresh.attar("plugins", "show", "tidy.wordy")
    assert "min_words: int = 1" in shown.stdout and "writes wordy: int" in shown.stdout

    checked = fresh.attar("validate", "recipes/tidy.yaml", cwd=project)
    assert checked.returncode == 0 and checked.stdout.startswith("OK"), checked.stderr

    run = fresh.attar("run", "recipes/tidy.yaml", "--show", "3", cwd=project)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "dataset: 3 rows" in run.stdout and "text: Rain came early to Kannauj this year." in run.stdout
    assert "words: 1 rejected as too_short" in run.stdout

    tests = fresh.run(fresh.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project)
    assert tests.returncode == 0, tests.stdout

    again = fresh.attar("plugins", "new", "tidy", "--dir", "other")
    assert again.returncode == 2 and "'tidy' is installed already" in again.stderr


def test_the_wheel_brings_its_recipes(fresh: Environment) -> None:
    made = fresh.attar("new", "mine", "--from", "persona_essays")
    assert made.returncode == 0, made.stderr
    checked = fresh.attar("validate", "mine/recipes/mine.yaml")
    assert checked.returncode == 0, checked.stderr


def test_broken_and_clashing_plugins_harm_only_those_who_use_them(fresh: Environment) -> None:
    fresh.plant("attar-bad", "attar_bad", "raise RuntimeError('no licence file')", "bad")
    offer = (
        "from attar.api import hookimpl\nclass P:\n    @hookimpl\n    def attar_steps(self): return {}\nplugin = P()\n"
    )
    fresh.plant("first-of-two", "first_of_two", offer, "twice")
    fresh.plant("second-of-two", "second_of_two", offer, "twice")

    listed = fresh.attar("plugins", "list")
    assert listed.returncode == 0
    assert "broken: bad (attar-bad 1.2): RuntimeError: no licence file" in listed.stdout
    assert "clash: twice is claimed by" in listed.stdout
    assert "first-of-two 1.2" in listed.stdout and "second-of-two 1.2" in listed.stdout

    assert fresh.attar("new", "mine").returncode == 0
    assert fresh.attar("validate", "mine/mine.yaml").returncode == 0

    recipe = fresh.work / "mine" / "mine.yaml"
    text = recipe.read_text(encoding="utf-8")
    for use, told in (
        ("bad.step", ["attar-bad 1.2", "no licence file"]),
        ("twice.step", ["first-of-two 1.2", "second-of-two 1.2"]),
    ):
        recipe.write_text(text.replace("use: std.read", f"use: {use}"), encoding="utf-8")
        refused = fresh.attar("validate", recipe)
        assert refused.returncode == 2
        assert all(words in refused.stderr for words in told), refused.stderr
        assert "mine.yaml:" in refused.stderr and "Traceback" not in refused.stderr
