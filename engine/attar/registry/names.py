"""Did-you-mean: the nearest existing name to one that does not exist."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to `name`, or None where nothing is close enough to be meant.

    Case, `-`, `_` and blanks are looked through first (`Input Persona` means `input_persona`), then spelling.
    """
    names = list(dict.fromkeys(known))
    folded = _fold(name)
    for candidate in names:
        if _fold(candidate) == folded:
            return candidate
    from difflib import get_close_matches  # 5 ms that only a mistake has to pay

    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return close[0]
    tails = {candidate.rpartition(".")[2]: candidate for candidate in reversed(names)}
    close = get_close_matches(name.rpartition(".")[2], tails, n=1, cutoff=0.75)
    return tails[close[0]] if close else None


def suggest(name: str, known: Iterable[str], what: str = "") -> str:
    """What to do about an unknown name: the nearest one, else a list of what there is (at most twelve), else ""."""
    names = sorted(dict.fromkeys(known))
    close = nearest(name, names)
    if close is not None:
        return f"did you mean {close!r}?"
    if not names:
        return ""
    shown = ", ".join(names[:12]) + (f", … ({len(names) - 12} more)" if len(names) > 12 else "")
    return f"{what or 'there is'}: {shown}"


def _fold(name: str) -> str:
    return name.casefold().replace("-", "_").replace(" ", "_")
