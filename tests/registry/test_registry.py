"""Plugins found, kept apart when broken, refused when two claim one name."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.plans import REGISTRY

from attar.api import Config, RowStep, hookimpl
from attar.errors import AttarError
from attar.plan import check
from attar.registry import Registry, nearest, suggest
from attar.registry.digest import code_digest, package_digest


class One(RowStep[Config]):
    Config = Config


def install(folder: Path, distribution: str, namespace: str, module: str, source: str, version: str = "1.2") -> None:
    """An installed distribution with one entry point, as pip would leave it on sys.path."""
    (folder / f"{module}.py").write_text(textwrap.dedent(source))
    info = folder / f"{distribution}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[attar]\n{namespace} = {module}:plugin\n")


GOOD = """
    from attar.api import Config, RowStep, hookimpl

    class Shout(RowStep[Config]):
        Config = Config

    class Plugin:
        @hookimpl
        def attar_steps(self):
            return {"shout": "%s:Shout", "gone": "%s:Gone", "odd": "no.such.module:X", "text": "%s:hookimpl"}

    plugin = Plugin()
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def refused(registry: Registry, use: str) -> tuple[str, str, str]:
    with pytest.raises(AttarError) as error:
        registry.step(use)
    found = error.value.diagnostics[0]
    return found.code, found.message, found.help


def test_an_installed_plugin_is_found_with_distribution_and_version(site: Path) -> None:
    install(site, "loud", "loud", "loud_plugin", GOOD.replace("%s", "loud_plugin"))
    registry = Registry.load()
    assert "loud_plugin" not in sys.modules, "nothing is imported before it is used"
    assert registry.step("loud.shout").__name__ == "Shout"
    info = registry.info("loud")
    assert (info.distribution, info.version) == ("loud", "1.2")
    assert "loud.shout" in registry.steps()
    assert registry.plugin_root("loud") == site
    assert len(registry.digest("loud")) == 32


def test_what_cannot_be_imported_is_told_apart(site: Path) -> None:
    install(site, "loud", "loud", "loud_plugin2", GOOD.replace("%s", "loud_plugin2"))
    registry = Registry.load()
    assert refused(registry, "loud.shuot")[0::2] == ("E302", "did you mean 'loud.shout'?")
    assert refused(registry, "loud.gone")[0] == "E305"
    assert "ModuleNotFoundError" in refused(registry, "loud.odd")[1]
    assert refused(registry, "loud.text")[0] == "E305"
    assert refused(registry, "lowd.shout")[0::2] == ("E301", "did you mean 'loud'?")
    assert refused(registry, "shout")[0] == "E302"


HOOK = """
from attar.api import hookimpl

class Plugin:
    @hookimpl
    def %s(self):
        %s

plugin = Plugin()
"""


@pytest.mark.parametrize(
    "source",
    [
        "raise RuntimeError('no luck')",
        "import sys; sys.exit('no luck')",
        "import no_such_thing_at_all  # no luck",
        HOOK % ("attar_steps", "raise ValueError('no luck')"),
        HOOK % ("attar_steps", "return ['no luck']"),
        HOOK % ("attar_stepz", "return {}"),
        "nothing = 1",
    ],
)  # fmt: skip
def test_a_broken_plugin_is_reported_and_harms_only_those_who_use_it(site: Path, source: str) -> None:
    install(site, "bad-luck", "bad", "bad_plugin", source)
    registry = Registry.load()
    assert registry.step("std.read") is not None
    broken = [(b.name, b.distribution, b.version) for b in registry.broken]
    assert broken == [("bad", "bad-luck", "1.2")]
    assert registry.broken[0].error and "\n" not in registry.broken[0].error
    code, message, _ = refused(registry, "bad.step")
    assert code == "E303" and "bad-luck 1.2" in message
    assert "bad" in registry.names() and not [use for use in registry.steps() if use.startswith("bad.")]
    file = site / "recipe.yaml"
    body = "attar: 1\nname: x\nsteps:\n  a: {use: bad.read}\noutputs: {dataset: {from: a}}\n"
    file.write_text(body)
    _, found = check(file, registry=registry)
    assert [(d.code, d.span.line if d.span else 0) for d in found] == [("E303", 4)]
    (site / "rows.jsonl").write_text('{"t": "x"}\n')
    file.write_text(body.replace("bad.read", "std.read, with: {path: rows.jsonl}"))
    assert check(file, registry=registry)[1] == []


def test_two_distributions_with_one_name_are_both_named_and_neither_is_used(site: Path) -> None:
    install(site, "first", "loud", "first_plugin", GOOD.replace("%s", "first_plugin"))
    install(site, "second", "loud", "second_plugin", GOOD.replace("%s", "second_plugin"))
    registry = Registry.load()
    code, message, _ = refused(registry, "loud.shout")
    assert code == "E304" and "first 1.2" in message and "second 1.2" in message
    assert {info.distribution for info in registry.clashes["loud"]} == {"first", "second"}
    assert not {"first_plugin", "second_plugin"} & set(sys.modules)
    assert registry.step("std.read") is not None
    assert "loud" not in {plugin.name for plugin in registry.plugins()}


def test_a_stranger_cannot_replace_ours(site: Path) -> None:
    install(site, "sneaky", "std", "sneaky_plugin", GOOD.replace("%s", "sneaky_plugin"))
    code, message, _ = refused(Registry.load(), "std.read")
    assert code == "E304" and "attar" in message and "sneaky" in message


def test_formats_backends_and_metrics_resolve_by_plain_name() -> None:
    class Other:
        @hookimpl
        def attar_exporters(self) -> Mapping[str, Any]:
            return {"parquet": "x:Y", "odd": One}

        @hookimpl
        def attar_backends(self) -> Mapping[str, Any]:
            return {"mine": "collections:OrderedDict"}

        @hookimpl
        def attar_metrics(self) -> Mapping[str, Any]:
            return {"count": len}

    registry = REGISTRY.including({"other": Other()})
    assert registry.exporters() == ["jsonl", "odd", "parquet"]
    assert registry.exporter("jsonl").__name__ == "Write"
    assert registry.provider("exporters", "jsonl") == "t"
    assert registry.backend("mine").__name__ == "OrderedDict"
    assert registry.metric("count") is len
    for name, code in (("parquet", "E304"), ("odd", "E305"), ("parqet", "E306")):
        with pytest.raises(AttarError) as error:
            registry.exporter(name)
        assert error.value.diagnostics[0].code == code


def test_events_reach_every_plugin_and_a_failing_one_is_told_no_more() -> None:
    heard: list[str] = []

    class Good:
        @hookimpl
        def attar_event(self, event: Mapping[str, Any]) -> None:
            heard.append(event["type"])

    class Bad:
        @hookimpl
        def attar_event(self, event: Mapping[str, Any]) -> None:
            heard.append("bad")
            raise RuntimeError("no")

    registry = Registry.of({"bad": Bad(), "good": Good()})
    assert [b.name for b in registry.send_event({"type": "one"})] == ["bad"]
    assert registry.send_event({"type": "two"}) == []
    assert heard == ["bad", "one", "two"]


def test_code_digest_follows_imports_of_the_same_package_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "pk_digest"
    package.mkdir()
    for name, source in {
        "__init__": "",
        "step": "import json\nfrom pk_digest import helper\nfrom . import near",
        "helper": "from pk_digest.deep import x",
        "deep": "x = 1",
        "near": "",
        "other": "y = 1",
    }.items():
        (package / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    before, whole = code_digest("pk_digest.step"), package_digest(package)

    def after(name: str, source: str) -> str:
        (package / f"{name}.py").write_text(source)
        code_digest.cache_clear()
        return code_digest("pk_digest.step")

    assert after("other", "y = 2") == before
    assert package_digest(package) != whole
    changed = after("deep", "x = 2")
    assert changed != before
    assert after("near", "z = 1") != changed


def test_nearest() -> None:
    assert nearest("Input-Persona", ["input_persona", "persona"]) == "input_persona"
    assert nearest("persna", ["persona", "town"]) == "persona"
    assert nearest("xyz", ["persona"]) is None
    assert suggest("xyz", ["b", "a"], "columns") == "columns: a, b"
    assert suggest("xyz", []) == ""
