"""Digests of plugin code: what a step's output depends on besides its config."""

from __future__ import annotations

import ast
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from attar.identity import H, bytes_digest, file_digest


def package_digest(root: Path) -> str:
    """Digest of all Python files under a package's folder (or of one module file): relative names and bytes."""
    if root.is_file():
        return H("plugin", [[root.name, file_digest(root)]])
    files = sorted(path for path in root.rglob("*.py") if "__pycache__" not in path.parts)
    return H("plugin", [[path.relative_to(root).as_posix(), file_digest(path)] for path in files])


@cache
def code_digest(module: str) -> str:
    """Digest of a module and of those it imports, directly or not, out of its own top-level package.

    So a change in a helper of the step counts, and a change in another step of the same plugin does not. What a module
    imports is read from its source; names imported at run time by other means are not seen.
    """
    top = module.partition(".")[0]
    seen: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        file = _file_of(name)
        if file is None:
            seen[name] = ""
            continue
        source = file.read_bytes()
        seen[name] = bytes_digest(source)
        waiting.extend(other for other in _imports(name, file, source) if other.partition(".")[0] == top)
    return H("code", sorted((name, digest) for name, digest in seen.items() if digest))


def _file_of(module: str) -> Path | None:
    loaded = sys.modules.get(module)
    file = getattr(loaded, "__file__", None) if loaded is not None else None
    if file is None and loaded is None:
        try:
            spec = find_spec(module)
        except (ImportError, ValueError, AttributeError):
            return None
        file = spec.origin if spec is not None else None
    return Path(file) if file is not None and file.endswith(".py") and Path(file).is_file() else None


def _imports(module: str, file: Path, source: bytes) -> set[str]:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return set()
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                parents = parts[: len(parts) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)  # may name a submodule
    return found
