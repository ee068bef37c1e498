"""Replaces a folder as a whole, so that whoever looks finds the old one or the new one."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from pathlib import Path

from attar.store.files import fsync_file, fsync_folder

_AT_FDCWD = -100
_EXCHANGE = 2
_ASIDE = ".replaced"


def publish_folder(draft: Path, final: Path) -> None:
    """Puts a finished draft in the place of `final`, durably. Both must lie in one file system.

    A kill at any point leaves `final` whole: the old folder or the new one. What else it leaves is swept by
    `sweep_aside` at the next start.
    """
    _sync_tree(draft)
    final.parent.mkdir(parents=True, exist_ok=True)
    if not final.exists():
        draft.rename(final)
        fsync_folder(final.parent)
        return
    if _exchange(draft, final):
        fsync_folder(final.parent)
        _remove(draft)
        return
    aside = final.with_name(f".{final.name}{_ASIDE}")  # no exchange here (NFS): two renames, mended by sweep_aside
    _remove(aside)
    final.rename(aside)
    draft.rename(final)
    fsync_folder(final.parent)
    _remove(aside)


def sweep_aside(folder: Path) -> None:
    """Mends a publish that was killed between two renames, in this folder."""
    for aside in folder.glob(f".*{_ASIDE}"):
        final = aside.with_name(aside.name[1 : -len(_ASIDE)])
        if final.exists():
            _remove(aside)
        else:
            aside.rename(final)


def _exchange(a: Path, b: Path) -> bool:
    """Swaps two names at once; False where the system cannot."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    if renameat2(_AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(b))


def _sync_tree(folder: Path) -> None:
    for here, _, names in os.walk(folder):
        for name in names:
            path = Path(here, name)
            if not path.is_symlink():
                fsync_file(path)
        fsync_folder(Path(here))


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder, ignore_errors=True)
