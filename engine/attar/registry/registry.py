"""The registry: from a name in a recipe (`std.read`, format `parquet`) to what a plugin brings for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attar.errors import fail
from attar.registry.load import OFFERS, BrokenPlugin, Claim, Loaded, claims, load, manager_of, one_line
from attar.registry.names import suggest

if TYPE_CHECKING:
    from attar.api import Step


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """Where a namespace comes from."""

    name: str
    distribution: str
    version: str


class Registry:
    """All plugins of this environment, each imported when first needed.

    Build with `load` (entry points of the group `attar`) or, in tests, with `of`.
    """

    def __init__(self, claimed: Mapping[str, list[Claim]]) -> None:
        self._claims = {name: list(found) for name, found in claimed.items()}
        self._loaded: dict[str, Loaded | BrokenPlugin] = {}
        self._objects: dict[str, Any] = {}
        self._event_managers: dict[str, Any] | None = None

    @classmethod
    def load(cls) -> Registry:
        """The plugins installed in this environment; imports none of them yet."""
        return cls(claims())

    @classmethod
    def of(cls, plugins: Mapping[str, object]) -> Registry:
        """A registry of given plugins: namespace → plugin object or module with hooks, or mapping step name → class."""
        found = {
            name: [Claim(name, getattr(plugin, "distribution", "given"), "0", plugin=plugin)]
            for name, plugin in plugins.items()
        }
        return cls(found)

    def including(self, plugins: Mapping[str, object]) -> Registry:
        """This registry with further plugins given as in `of`; a namespace that exists already is a clash."""
        merged = {name: list(found) for name, found in self._claims.items()}
        for name, found in Registry.of(plugins)._claims.items():
            merged.setdefault(name, []).extend(found)
        return Registry(merged)

    # -- what there is -----------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """All namespaces, broken and clashing ones too, sorted."""
        return sorted(self._claims)

    def plugins(self) -> list[PluginInfo]:
        """The plugins that can be used, sorted by namespace; imports them all."""
        return [self.info(name) for name in self.names() if isinstance(self._get(name), Loaded)]

    @property
    def broken(self) -> list[BrokenPlugin]:
        """Plugins that raise at import or in a hook, sorted by namespace; imports them all to find out."""
        tried = (self._get(name) for name in self.names())
        return [plugin for plugin in tried if isinstance(plugin, BrokenPlugin)]

    @property
    def clashes(self) -> dict[str, list[PluginInfo]]:
        """Namespaces claimed by more than one distribution; none of them is preferred, using the name is an error."""
        return {
            name: [PluginInfo(name, claim.distribution, claim.version) for claim in found]
            for name, found in sorted(self._claims.items())
            if len(found) > 1
        }

    def info(self, name: str) -> PluginInfo:
        """Distribution and version behind a namespace."""
        claim = self._claims[name][0]
        return PluginInfo(name, claim.distribution, claim.version)

    def steps(self, namespace: str | None = None) -> list[str]:
        """All `use` names, sorted; imports the plugins (not the steps)."""
        return self._offered("steps", namespace)

    def exporters(self) -> list[str]:
        """All output formats, sorted."""
        return self._plain("exporters")

    def backends(self) -> list[str]:
        """Backends that plugins bring (the engine's own are not listed), sorted."""
        return self._plain("backends")

    def tokenizers(self) -> list[str]:
        return self._plain("tokenizers")

    def metrics(self) -> list[str]:
        return self._plain("metrics")

    # -- resolving ---------------------------------------------------------------------------------------------

    def step(self, use: str) -> type[Step[Any]]:
        """The class behind `use: plugin.step`, imported on first use.

        Raises:
            AttarError: E301 no such plugin, E302 no such step, E303 the plugin is broken, E304 two distributions claim
                the name, E305 the step cannot be imported.
        """
        from attar.api import Step

        namespace, dot, name = use.partition(".")
        if not dot or not name:
            raise fail(
                "E302", f"{use!r} names no step: expected <plugin>.<step>", help=suggest(use, self.steps(), "steps")
            )
        plugin = self._use(namespace, use)
        value = plugin.offers.get("steps", {}).get(name)
        if value is None:
            known = self.steps(namespace)
            help = suggest(use, known, "its steps") if known else f"plugin {namespace!r} offers no steps"
            raise fail("E302", f"plugin {namespace!r} has no step {name!r}", help=help)
        found = self._object(f"steps:{use}", value, f"step {use!r} of {_source(plugin.claim)}")
        if not (isinstance(found, type) and issubclass(found, Step)):
            raise fail(
                "E305",
                f"step {use!r} of {_source(plugin.claim)} is no step class: {value!r} is {type(found).__name__}",
                help="the plugin's attar_steps must name a subclass of attar.api.Step",
            )
        if not isinstance(getattr(found, "Config", None), type):
            raise fail(
                "E305",
                f"step {use!r} of {_source(plugin.claim)} has no Config",
                help="give the class a Config: a pydantic model, usually a subclass of attar.api.Config",
            )
        return found

    def exporter(self, name: str) -> type[Step[Any]]:
        """The Sink class behind an output format; AttarError E306 where no plugin offers it."""
        from attar.api import Sink

        found = self._named("exporters", name, "output format")
        if not (isinstance(found, type) and issubclass(found, Sink)):
            raise fail("E305", f"output format {name!r} is no Sink class", help="mend the plugin's attar_exporters")
        return found

    def backend(self, name: str) -> Any:
        """The class behind a plugin's backend; AttarError E306 where no plugin offers it."""
        return self._named("backends", name, "backend")

    def tokenizer(self, name: str) -> Any:
        """The function text → token count; AttarError E306 where no plugin offers it."""
        return self._named("tokenizers", name, "tokenizer")

    def metric(self, name: str) -> Any:
        """The function RowSet → Json; AttarError E306 where no plugin offers it."""
        return self._named("metrics", name, "metric")

    def provider(self, what: str, name: str) -> str:
        """The namespace that offers a format, backend, tokenizer or metric of this name."""
        return self._providers(what, name)[0]

    def plugin_root(self, namespace: str) -> Path:
        """The folder that `<plugin>:path` is relative to: that of the plugin's package.

        Raises:
            AttarError: E301, E303, E304 as for `step`; E305 where the plugin has no folder.
        """
        plugin = self._use(namespace, f"{namespace}:…")
        file = _module_file(plugin)
        if file is None:
            raise fail("E305", f"plugin {namespace!r} has no folder of its own", help="give a path instead")
        return file.parent

    def digest(self, namespace: str) -> str:
        """Digest of the plugin package's Python files; "" for plugins that have none (defined in a test)."""
        from attar.registry.digest import package_digest

        plugin = self._use(namespace, namespace)
        file = _module_file(plugin)
        if file is None:
            return ""
        return package_digest(file.parent if file.name == "__init__.py" else file)

    def send_event(self, event: Mapping[str, Any]) -> list[BrokenPlugin]:
        """Tells every working plugin of an event; returns those whose hook raised (they are told no more)."""
        if self._event_managers is None:
            self._event_managers = {}
            for name in self.names():
                plugin = self._get(name)
                if isinstance(plugin, Loaded) and not isinstance(plugin.plugin, Mapping):
                    manager = manager_of(name, plugin.plugin)
                    if manager.hook.attar_event.get_hookimpls():
                        self._event_managers[name] = manager
        failed = []
        for name, manager in list(self._event_managers.items()):
            try:
                manager.hook.attar_event(event=event)
            except Exception as error:
                del self._event_managers[name]
                info = self.info(name)
                failed.append(BrokenPlugin(name, info.distribution, info.version, one_line(error)))
        return failed

    # -- inside ------------------------------------------------------------------------------------------------

    def _get(self, name: str) -> Loaded | BrokenPlugin | None:
        found = self._claims.get(name)
        if found is None or len(found) > 1:
            return None
        if name not in self._loaded:
            self._loaded[name] = load(found[0])
        return self._loaded[name]

    def _use(self, namespace: str, use: str) -> Loaded:
        """The plugin behind a namespace, or the error that says why it cannot be used."""
        found = self._claims.get(namespace)
        if found is None:
            tail = use.partition(".")[2]
            same = [step for step in self.steps() if tail and step.partition(".")[2] == tail]
            close = suggest(namespace, self.names(), "installed plugins")
            if not close.startswith("did you mean") and same:
                close = f"did you mean {same[0]!r}?"
            raise fail("E301", f"no plugin {namespace!r} is installed", help=close)
        if len(found) > 1:
            who = " and ".join(_source(claim) for claim in found)
            raise fail(
                "E304",
                f"two plugins claim the name {namespace!r}: {who}",
                help=f"uninstall one of them: pip uninstall {found[-1].distribution}",
            )
        plugin = self._get(namespace)
        if isinstance(plugin, BrokenPlugin):
            raise fail(
                "E303",
                f"plugin {namespace!r} ({_source(plugin)}) cannot be used: {plugin.error}",
                help=f"mend or reinstall {plugin.distribution}; other plugins work",
            )
        assert plugin is not None
        return plugin

    def _offered(self, what: str, namespace: str | None = None) -> list[str]:
        assert what in OFFERS
        names = self.names() if namespace is None else [namespace]
        found = []
        for name in names:
            plugin = self._get(name)
            if isinstance(plugin, Loaded):
                found += [f"{name}.{key}" for key in plugin.offers.get(what, {})]
        return sorted(found)

    def _plain(self, what: str) -> list[str]:
        return sorted({name.partition(".")[2] for name in self._offered(what)})

    def _providers(self, what: str, name: str) -> list[str]:
        return [full.partition(".")[0] for full in self._offered(what) if full.partition(".")[2] == name]

    def _named(self, what: str, name: str, noun: str) -> Any:
        providers = self._providers(what, name)
        if not providers:
            raise fail("E306", f"no plugin offers the {noun} {name!r}", help=suggest(name, self._plain(what)))
        if len(providers) > 1:
            who = " and ".join(_source(self._claims[provider][0]) for provider in providers)
            raise fail("E304", f"two plugins offer the {noun} {name!r}: {who}", help="uninstall one of them")
        plugin = self._get(providers[0])
        assert isinstance(plugin, Loaded)
        return self._object(f"{what}:{name}", plugin.offers[what][name], f"{noun} {name!r} of {_source(plugin.claim)}")

    def _object(self, key: str, value: Any, what: str) -> Any:
        if not isinstance(value, str):
            return value
        if key not in self._objects:
            module, colon, attribute = value.partition(":")
            if not colon:
                raise fail("E305", f"{what} names no 'module:attribute': {value!r}", help="mend the plugin")
            try:
                found = import_module(module)
                for part in attribute.split("."):
                    found = getattr(found, part)
            except (Exception, SystemExit) as error:
                raise fail(
                    "E305", f"{what} cannot be imported: {one_line(error)}", help="mend or reinstall the plugin"
                ) from None
            self._objects[key] = found
        return self._objects[key]


def _source(claim: Claim | BrokenPlugin) -> str:
    return f"{claim.distribution} {claim.version}".strip()


def _module_file(plugin: Loaded) -> Path | None:
    """The file of the module a plugin's entry point names (or that defines the given object)."""
    import sys

    if plugin.claim.entry is not None:
        module = sys.modules.get(plugin.claim.entry.module)
    elif hasattr(plugin.plugin, "__file__"):
        module = plugin.plugin  # type: ignore[assignment]
    else:
        cls = plugin.plugin if isinstance(plugin.plugin, type) else type(plugin.plugin)
        module = None if cls.__module__ == "builtins" else sys.modules.get(cls.__module__)
    file = getattr(module, "__file__", None)
    return Path(file) if file else None


__all__ = ["PluginInfo", "Registry"]
