"""Names of files in a recipe, resolved: relative ones, `bundled:…`, `<plugin>:…`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from attar.errors import AttarError, Diagnostic, Span

PluginRoots = Mapping[str, Path] | Callable[[str], Path | None]

BUNDLED = ("recipes", "prompts", "schemas")
_PACKAGE = Path(__file__).resolve().parent.parent
_PREFIXED = re.compile(r"([a-z][a-z0-9_-]*):(?!//)(.*)$", re.DOTALL)


def bundled_root() -> Path:
    """The folder that holds the shipped recipes, prompts and schemas: in the package, else beside it in a checkout."""
    packed = _PACKAGE / "_bundled"
    return packed if packed.is_dir() else _PACKAGE.parent.parent


def is_url(name: str) -> bool:
    """Whether a name is a remote place (`s3://…`, `hf://…`) rather than a path."""
    return re.match(r"[a-z][a-z0-9+.-]*://", name) is not None


def resolve(name: str, base: Path, plugins: PluginRoots | None = None) -> Path:
    """The file a name stands for.

    Args:
        name: as written: `../prompts/a.md`, an absolute path, `bundled:prompts/a.md`, `rag:prompts/b.md`.
        base: the folder of the file that names it.
        plugins: root folder of a plugin's files by its namespace.

    Raises:
        AttarError: E101 for a file that is not there (with the nearest names), E114 for an unknown prefix or a
            shipped name that leaves its folder. The diagnostics have no span: the caller knows where the name stands.
    """
    root = base
    prefixed = _PREFIXED.match(name)
    if prefixed and len(prefixed[1]) > 1:
        prefix, rest = prefixed.groups()
        if prefix == "bundled":
            root = bundled_root()
            if rest.split("/", 1)[0] not in BUNDLED:
                raise AttarError([Diagnostic("E114", f"{name!r}: bundled files lie in {', '.join(BUNDLED)}", None)])
        else:
            found = plugins(prefix) if callable(plugins) else (plugins or {}).get(prefix)
            if found is None:
                from attar.recipe.nodes import close

                known = [] if plugins is None or callable(plugins) else list(plugins)
                near = close(prefix, ["bundled", *known])
                help = f"did you mean {near}:{rest}?" if near else "`attar plugins list` shows the installed plugins"
                raise AttarError([Diagnostic("E114", f"no plugin {prefix!r} offers files ({name})", None, help)])
            root = found
        path = (root / rest).resolve()
        if not path.is_relative_to(root.resolve()):
            raise AttarError([Diagnostic("E114", f"{name!r} leaves the folder of {prefix!r}", None)])
    else:
        path = Path(name).expanduser() if name.startswith("~") else base / name
    if not path.is_file():
        what = f"{name} is a folder, not a file" if path.is_dir() else f"no file {name}"
        raise AttarError([Diagnostic("E101", what, None, nearest(path))])
    return path


def find(
    name: str, base: Path, span: Span | None, plugins: PluginRoots | None = None
) -> tuple[Path | None, list[Diagnostic]]:
    """As `resolve`, with the fault as a diagnostic at the place where the name stands."""
    try:
        return resolve(name, base, plugins), []
    except AttarError as error:
        return None, [Diagnostic(d.code, d.message, span, d.help) for d in error.diagnostics]


def shipped_recipe(path: Path) -> str | None:
    """How a shipped recipe is named where a path that is not there looks like its name (`persona-essays`)."""
    name = f"recipes/{path.stem.replace('-', '_')}.yaml"
    looks = path.suffix in ("", ".yaml", ".yml") and (bundled_root() / name).is_file()
    return f"bundled:{name}" if looks else None


def nearest(path: Path) -> str:
    """What to say about a missing file: the nearest names in its folder, or the first folder that is missing."""
    from attar.recipe.document import shown_path
    from attar.recipe.nodes import close

    folder = path.parent
    if not folder.is_dir():
        while not folder.parent.is_dir() and folder != folder.parent:
            folder = folder.parent
        near = close(folder.name, [p.name for p in _entries(folder.parent) if p.is_dir()])
        hint = f"; did you mean {near}/?" if near else ""
        return f"there is no folder {shown_path(folder)}{hint}"
    names = sorted(p.name for p in _entries(folder))
    from difflib import get_close_matches

    near_names = get_close_matches(path.name, names, n=3, cutoff=0.6)
    if not near_names:
        near_names = [n for n in names if Path(n).stem == path.stem][:3]
    if near_names:
        return f"did you mean {' or '.join(near_names)}?"
    if not names:
        return f"the folder {shown_path(folder)} is empty"
    more = f", … ({len(names)} in all)" if len(names) > 5 else ""
    return f"in {shown_path(folder)} there are: {', '.join(names[:5])}{more}"


def _entries(folder: Path) -> list[Path]:
    try:
        return [p for p in folder.iterdir() if not p.name.startswith(".")]
    except OSError:
        return []
