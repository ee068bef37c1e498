"""Compiles the texts that render a person: slots checked, conditions resolved, circles found."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from attar_personas.population.english import CHANGES
from attar_personas.population.nodes import Document, KeyPath
from attar_personas.population.schema import CaseEntry, PhraseEntry, RenderEntry, parsed
from attar_personas.population.types import MOST_CELLS, Phrase, Slot, Text, Variable, When
from attar_personas.population.weights import OTHERS, near

PARAGRAPHS = ""
_SLOT = re.compile(r"\{([^{}]*)\}")
_SAID = "say"


def compile_phrases(
    document: Document,
    render: RenderEntry,
    variables: Mapping[str, Variable],
    path: KeyPath,
    constants: Mapping[str, str],
    fields: Collection[str] = (),
) -> dict[str, Phrase]:
    """The phrases of a table's texts, with one for each variable that a slot names; faults are noted in the document.

    A slot `{x}` is a phrase, a variable (as its `say` puts it), `specific` (the anchor of the domain) or a constant of
    the table (`country`); `{x:raw}` is a variable's bare value. Texts by general field may name any of the catalogue's
    `fields`, so that tables with different ones can share them.
    """
    return _Compiler(document, variables, constants, fields).compile(render, path)


class _Compiler:
    def __init__(
        self,
        document: Document,
        variables: Mapping[str, Variable],
        constants: Mapping[str, str],
        fields: Collection[str],
    ) -> None:
        self._document = document
        self._variables = variables
        self._constants = constants
        self._fields = frozenset(fields)
        self._names: list[str] = []
        self._found: dict[str, Phrase] = {}
        self._anchored = next((one for one in variables.values() if one.anchors), None)

    def compile(self, render: RenderEntry, path: KeyPath) -> dict[str, Phrase]:
        self._names = list(render.phrases)
        for name, data in render.phrases.items():
            at = (*path, "phrases", name)
            if name in self._variables or name in self._constants or name == "specific" or ":" in name:
                self._document.fault(at, f"{name!r} is the name of a variable or cannot name a phrase", "rename it")
                continue
            phrase = self._phrase(data, at)
            if phrase is not None:
                self._found[name] = phrase
        paragraphs = self._cases(render.paragraphs, (*path, "paragraphs"))
        if paragraphs is not None:
            self._found[PARAGRAPHS] = paragraphs
        self._circles((*path, "phrases"))
        return self._found

    # -- texts -------------------------------------------------------------------------------------------------

    def _text(self, text: str, at: KeyPath) -> Text:
        parts: list[str | Slot] = []
        end = 0
        for match in _SLOT.finditer(text):
            self._literal(text[end : match.start()], parts, at)
            end = match.end()
            name, *changes = (part.strip() for part in match[1].split(":"))
            for change in changes:
                if change != "raw" and change not in CHANGES:
                    known = ", ".join([*CHANGES, "raw"])
                    self._document.fault(at, f"{match[0]}: there is no change {change!r}", f"there are: {known}")
            raw = "raw" in changes
            if self._slot(name, match[0], raw, at):
                parts.append(Slot(f"={name}" if raw else name, tuple(c for c in changes if c != "raw")))
        self._literal(text[end:], parts, at)
        return tuple(parts)

    def _literal(self, text: str, parts: list[str | Slot], at: KeyPath) -> None:
        if "{" in text or "}" in text:
            self._document.fault(at, f"a brace without its partner in {text!r}", "slots are written {name}")
        if text:
            parts.append(text)

    def _slot(self, name: str, shown: str, raw: bool, at: KeyPath) -> bool:
        """Whether there is something to fill a slot with; makes the phrase of a variable on first use."""
        key = f"={name}" if raw else name
        if name in self._names and not raw:
            return True
        if key in self._found:
            return True
        if name in self._variables:
            variable = self._variables[name]
            self._found[key] = Phrase((), given=(name,))  # a say text that names its own variable is a circle
            cases = []
            for value in variable.values:
                said = (value,) if raw else variable.say.get(value, (value,))
                where = (*at, _SAID) if value not in variable.say else ("variables", name, _SAID, value)
                cases.append(tuple(self._text(one, where) if not raw else (one,) for one in said))
            self._found[key] = Phrase(tuple(cases), given=(name,), cells=tuple(range(len(cases))))
            return True
        if name == "specific" and self._anchored is not None:
            cases = [((anchor,),) for anchor in self._anchored.anchors]
            self._found[key] = Phrase(tuple(cases), given=(self._anchored.name,), cells=tuple(range(len(cases))))
            return True
        if self._constants.get(name):
            self._found[key] = Phrase((((self._constants[name],),),), cells=(0,))
            return True
        known = [*self._names, *self._variables, *(["specific"] if self._anchored else []), *self._constants]
        self._document.fault(at, f"{shown}: there is no phrase or variable {name!r}", near(name, known))
        return False

    def _texts(self, data: Any, at: KeyPath) -> tuple[Text, ...] | None:
        listed = [data] if isinstance(data, str) else data
        if not isinstance(listed, list) or not listed or not all(isinstance(one, str) for one in listed):
            found = "nothing" if not listed else "a mapping" if isinstance(data, dict) else repr(data)
            self._document.fault(at, f"expected a text or a list of texts, found {found}")
            return None
        many = isinstance(data, list)
        return tuple(self._text(one, (*at, i) if many else at) for i, one in enumerate(listed))

    # -- which text --------------------------------------------------------------------------------------------

    def _phrase(self, data: Any, at: KeyPath) -> Phrase | None:
        if not isinstance(data, dict):
            texts = self._texts(data, at)
            return None if texts is None else Phrase((texts,), cells=(0,))
        entry = parsed(PhraseEntry, self._document, data, at)
        if entry is None:
            return None
        if entry.cases:
            if entry.given or entry.texts is not None:
                self._document.fault(at, "cases do not go with given and texts", "keep one form")
                return None
            return self._cases(entry.cases, (*at, "cases"))
        if entry.texts is None:
            self._document.fault(at, "expected texts or cases", "add `texts: …`")
            return None
        good = True
        for name in entry.given:
            if name not in self._variables:
                self._document.fault((*at, "given"), f"there is no variable {name!r}", near(name, [*self._variables]))
                good = False
        if not good:
            return None
        variables = [self._variables[name] for name in entry.given]
        if math.prod(len(one.values) for one in variables) > MOST_CELLS:
            self._document.fault((*at, "given"), f"makes more than {MOST_CELLS:,} combinations", "name fewer variables")
            return None
        cases: list[tuple[Text, ...]] = []
        cells = self._cells(entry.texts, variables, (*at, "texts"), cases)
        return Phrase(tuple(cases), given=tuple(entry.given), cells=tuple(cells))

    def _cells(self, node: Any, variables: Sequence[Variable], at: KeyPath, cases: list[tuple[Text, ...]]) -> list[int]:
        if not variables:
            texts = self._texts(node, at)
            cases.append(texts or ((),))
            return [len(cases) - 1]
        first, rest = variables[0], variables[1:]
        size = math.prod(len(one.values) for one in rest)
        if not isinstance(node, dict):
            self._document.fault(at, f"expected a mapping of the values of {first.name}, found {node!r}")
            return [0] * size * len(first.values)
        also = self._fields if self._anchored and self._anchored.conditions == (first.name,) else ()
        for key in node:
            if key != OTHERS and key not in first.values and key not in also:
                self._document.fault((*at, key), f"{first.name} has no value {key!r}", near(key, first.values))
        others = self._cells(node[OTHERS], rest, (*at, OTHERS), cases) if OTHERS in node else None
        cells: list[int] = []
        missing: list[str] = []
        for value in first.values:
            if value in node:
                cells += self._cells(node[value], rest, (*at, value), cases)
            elif others is not None:
                cells += others
            else:
                missing.append(value)
                cells += [0] * size
        if missing:
            shown = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
            self._document.fault(at, f"there is no text for {first.name}: {shown}", 'add them, or one named "*"')
        return cells

    def _cases(self, entries: Sequence[CaseEntry], at: KeyPath) -> Phrase | None:
        cases, whens = [], []
        for i, entry in enumerate(entries):
            texts = self._texts(entry.texts, (*at, i, "texts"))
            cases.append(texts or ((),))
            whens.append(self._when(entry.when, (*at, i, "when")))
            if entry.when and i == len(entries) - 1:
                self._document.fault((*at, i), "the last case has a `when`: it may fit nobody", "add a case without")
            if not entry.when and i < len(entries) - 1:
                self._document.fault((*at, i), "this case fits everybody, so those after it are never used")
        return Phrase(tuple(cases), when=tuple(whens))

    def _when(self, when: Mapping[str, Any], at: KeyPath) -> When:
        names: list[str] = []
        meets: list[tuple[bool, ...]] = []
        for name, wanted in when.items():
            variable = self._variables.get(name)
            if variable is None:
                self._document.fault((*at, name), f"there is no variable {name!r}", near(name, [*self._variables]))
                continue
            names.append(name)
            meets.append(self._meets(variable, wanted, (*at, name)))
        return When(tuple(names), tuple(meets))

    def _meets(self, variable: Variable, wanted: Any, at: KeyPath) -> tuple[bool, ...]:
        if isinstance(wanted, dict) and set(wanted) == {"not"}:
            return tuple(not one for one in self._meets(variable, wanted["not"], (*at, "not")))
        if isinstance(wanted, dict):
            if not variable.numbers or not wanted or set(wanted) - {"from", "to"}:
                self._document.fault(
                    at, f"expected values of {variable.name}, {{not: …}}, or for a number {{from, to}}"
                )
                return (True,) * len(variable.values)
            try:
                low, high = int(wanted.get("from", 0)), int(wanted.get("to", 10**9))
            except (TypeError, ValueError):
                self._document.fault(at, f"expected whole numbers, found {wanted!r}")
                return (True,) * len(variable.values)
            return tuple(low <= int(value) <= high for value in variable.values)
        listed = [wanted] if isinstance(wanted, str) else wanted
        for value in listed if isinstance(listed, list) else [None]:
            if value not in variable.values:
                help = near(value, variable.values) if isinstance(value, str) else ""
                self._document.fault(at, f"{variable.name} has no value {value!r}", help)
        return tuple(value in listed for value in variable.values) if isinstance(listed, list) else ()

    # -- circles -----------------------------------------------------------------------------------------------

    def _circles(self, at: KeyPath) -> None:
        state: dict[str, int] = {}

        def visit(name: str, trail: tuple[str, ...]) -> None:
            if state.get(name) == 2 or name not in self._found:
                return
            if state.get(name) == 1:
                circle = " → ".join([*trail[trail.index(name) :], name])
                self._document.fault((*at, name), f"phrases use each other in a circle: {circle}", "break it")
                return
            state[name] = 1
            for texts in self._found[name].cases:
                for text in texts:
                    for part in text:
                        if isinstance(part, Slot):
                            visit(part.name, (*trail, name))
            state[name] = 2

        for name in list(self._found):
            visit(name, ())
