"""The JSON Schemas: valid, fresh, and of one mind with the language about good recipes and broken ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry as References
from referencing import Resource
from support.plans import REGISTRY

from attar.plan.json_schemas import main, schemas, stale, write
from attar.registry import Registry

ROOT = Path(__file__).resolve().parents[2]
BROKEN = ROOT / "tests" / "golden" / "broken"
FIXED = sorted(BROKEN.glob("[0-9]*/fixed.yaml"))


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return schemas(Registry.load())


@pytest.fixture(scope="module")
def validator(texts: dict[str, str]) -> Draft202012Validator:
    loaded = {name: json.loads(text) for name, text in texts.items()}
    references: Any = References().with_resources(
        (name, Resource.from_contents(schema)) for name, schema in loaded.items()
    )
    return Draft202012Validator(loaded["recipe.schema.json"], registry=references)


def test_every_schema_is_one(texts: dict[str, str]) -> None:
    for text in texts.values():
        Draft202012Validator.check_schema(json.loads(text))


@pytest.mark.parametrize("file", [*FIXED, *sorted((ROOT / "recipes").glob("*.yaml"))], ids=lambda f: f.parent.name)
def test_good_recipes_pass(file: Path, validator: Draft202012Validator) -> None:
    found = [
        f"{list(error.path)}: {error.message}" for error in validator.iter_errors(yaml.safe_load(file.read_text()))
    ]
    assert not found


@pytest.mark.parametrize(
    "name",
    [
        "misspelt-sampling-key",
        "sampling-of-wrong-type",
        "sampling-out-of-range",
        "unknown-key-of-a-step",
        "unbounded-retry",
        "text-where-a-list-is-due",
        "missing-config-field",
        "missing-reference",
        "newer-language",
        "missing-outputs",
        "list-where-a-mapping-is-due",
    ],
)
def test_what_a_schema_can_see_is_refused(name: str, validator: Draft202012Validator) -> None:
    file = next(BROKEN.glob(f"*-{name}")) / "recipe.yaml"
    assert not validator.is_valid(yaml.safe_load(file.read_text()))


def test_the_files_in_the_project_are_fresh() -> None:
    assert stale(ROOT / "schemas") == [], "write them with: attar schema"


def test_written_once_then_fresh_and_strays_are_removed(tmp_path: Path) -> None:
    assert "steps/t.map.json" in write(tmp_path, REGISTRY)
    assert write(tmp_path, REGISTRY) == []
    (tmp_path / "steps" / "t.gone.json").write_text("{}")
    (tmp_path / "steps" / "t.map.json").write_text("{}")
    assert stale(tmp_path, REGISTRY) == ["steps/t.map.json", "steps/t.gone.json"]
    write(tmp_path, REGISTRY)
    assert stale(tmp_path, REGISTRY) == []


def test_the_command_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", str(tmp_path)]) == 1
    assert "recipe.schema.json" in capsys.readouterr().err
    assert main([str(tmp_path)]) == 0
    assert main(["--check", str(tmp_path)]) == 0
