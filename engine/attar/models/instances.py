"""Random valid instances of a JSON Schema: what a server under guided decoding could have answered.

Covers what answer schemas use: type (also lists of types), enum, const, properties, required, items, prefixItems,
bounds on numbers, strings and arrays, multipleOf, uniqueItems, anyOf, oneOf, allOf, local $ref, common formats and
simple patterns. What it cannot satisfy (a pattern with look-around, say) it answers as closely as it can; the client's
own check then tells.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from random import Random
from typing import Any

from attar.models.patterns import matching
from attar.models.words import words

_DEPTH = 6
_FORMATS = {
    "date": lambda r: f"{r.randint(1990, 2030)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}",
    "time": lambda r: f"{r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}Z",
    "date-time": lambda r: (
        f"{r.randint(1990, 2030)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}T12:{r.randint(0, 59):02}:00Z"
    ),
    "email": lambda r: (
        f"{words(r, 1)[:-1].lower().encode('ascii', 'ignore').decode() or 'a'}{r.randint(1, 99)}@example.org"
    ),
    "uri": lambda r: f"https://example.org/{r.randint(1, 9999)}",
    "uuid": lambda r: (
        f"{r.getrandbits(32):08x}-{r.getrandbits(16):04x}-4{r.getrandbits(12):03x}-8{r.getrandbits(12):03x}-{r.getrandbits(48):012x}"
    ),
}


def instance(schema: Mapping[str, Any] | bool, rng: Random, text_words: int = 12) -> Any:
    """A random instance of `schema`.

    Args:
        schema: the JSON Schema (Draft 2020-12; booleans allowed).
        rng: where all choices come from: equal seeds give equal instances.
        text_words: words in a string that sets no bounds.
    """
    return _Maker(schema, rng, text_words).make(schema, 0)


class _Maker:
    def __init__(self, root: Mapping[str, Any] | bool, rng: Random, text_words: int) -> None:
        self.root = root
        self.rng = rng
        self.text_words = text_words

    def make(self, schema: Any, depth: int) -> Any:
        if not isinstance(schema, Mapping):
            return words(self.rng, 3)
        schema = self._flat(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.rng.choice(schema["enum"])
        for name in ("anyOf", "oneOf"):
            if schema.get(name):
                branches = schema[name]
                if depth >= _DEPTH:
                    branches = [b for b in branches if _is_leaf(b)] or branches
                rest = {k: v for k, v in schema.items() if k != name}
                return self.make(_merge(rest, self.rng.choice(branches)), depth)
        return getattr(self, "_" + self._type(schema, depth))(schema, depth)

    def _flat(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        hops = 0
        while "$ref" in schema and hops < 32:
            target: Any = self.root
            for part in str(schema["$ref"]).lstrip("#").strip("/").split("/"):
                if part and isinstance(target, Mapping):
                    target = target.get(part.replace("~1", "/").replace("~0", "~"), {})
            schema = _merge({k: v for k, v in schema.items() if k != "$ref"}, target)
            hops += 1
        for part in schema.get("allOf", ()):
            schema = _merge({k: v for k, v in schema.items() if k != "allOf"}, self._flat(part))
        return schema

    def _type(self, schema: Mapping[str, Any], depth: int) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            kinds = kind
            if depth >= _DEPTH:
                kinds = [k for k in kind if k not in ("object", "array")] or kind
            elif len(kind) > 1 and "null" in kind and self.rng.random() < 0.75:
                kinds = [k for k in kind if k != "null"]
            kind = self.rng.choice(kinds)
        if kind is None:
            if "properties" in schema or "required" in schema:
                return "object"
            if "items" in schema or "prefixItems" in schema:
                return "array"
            if "minimum" in schema or "maximum" in schema:
                return "number"
            return "string"
        return kind if hasattr(self, f"_{kind}") else "string"

    def _null(self, schema: Mapping[str, Any], depth: int) -> None:
        return None

    def _boolean(self, schema: Mapping[str, Any], depth: int) -> bool:
        return self.rng.random() < 0.5

    def _integer(self, schema: Mapping[str, Any], depth: int) -> int:
        low, high = _bounds(schema, 1)
        step = schema.get("multipleOf", 1)
        low, high = math.ceil(low / step), math.floor(high / step)
        return int(self.rng.randint(low, max(low, high)) * step)

    def _number(self, schema: Mapping[str, Any], depth: int) -> float:
        if "multipleOf" in schema:
            step = schema["multipleOf"]
            low, high = _bounds(schema, 0)
            return float(self.rng.randint(math.ceil(low / step), math.floor(high / step)) * step)
        low, high = _bounds(schema, 0)
        value = round(self.rng.uniform(low, high), 3)
        below = "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]
        above = "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]
        return (low + high) / 2 if below or above or not low <= value <= high else value

    def _string(self, schema: Mapping[str, Any], depth: int) -> str:
        if "pattern" in schema:
            return matching(schema["pattern"], self.rng, schema.get("minLength", 0), schema.get("maxLength"))
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]](self.rng)
        shortest, longest = schema.get("minLength", 0), schema.get("maxLength")
        text = words(self.rng, max(1, round(self.text_words * self.rng.uniform(0.5, 1.5))))
        while len(text) < shortest:
            text += " " + words(self.rng, 8)
        if longest is not None and len(text) > longest:
            cut = text[:longest].rpartition(" ")[0]
            text = cut if len(cut) >= max(shortest, 1) else text[:longest]
        return text

    def _array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        first = [self.make(part, depth + 1) for part in schema.get("prefixItems", ())]
        items = schema.get("items", {} if not first else False)
        least = schema.get("minItems", 0 if depth >= _DEPTH else min(1, schema.get("maxItems", 1)))
        most = schema.get("maxItems", max(least, 3) if depth < _DEPTH else least)
        if items is False:
            return first[:most]
        size = self.rng.randint(min(least, most), most if most - least < 32 else least + 32)
        out = first[:size]
        tries = 0
        while len(out) < size and tries < 20 * size:
            tries += 1
            item = self.make(items, depth + 1)
            if not schema.get("uniqueItems") or item not in out:
                out.append(item)
        return out

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        required = list(schema.get("required", ()))
        properties = schema.get("properties", {})
        out: dict[str, Any] = {}
        for name, part in properties.items():
            if name in required or (depth < _DEPTH and self.rng.random() < 0.75):
                out[name] = self.make(part, depth + 1)
        extra = schema.get("additionalProperties", {})
        for name in required:
            if name not in out:
                out[name] = self.make(extra if isinstance(extra, Mapping) else {}, depth + 1)
        while len(out) < schema.get("minProperties", 0) and extra is not False:
            name = re.sub(r"\W", "", words(self.rng, 1)) + str(len(out))
            out[name] = self.make(extra if isinstance(extra, Mapping) else {}, depth + 1)
        return out


def _bounds(schema: Mapping[str, Any], step: int) -> tuple[float, float]:
    """Lowest and highest value; `step` is what an exclusive bound moves by (1 for integers)."""
    low = schema.get("minimum")
    high = schema.get("maximum")
    if "exclusiveMinimum" in schema:
        low = max(schema["exclusiveMinimum"] + step, low if low is not None else -math.inf)
    if "exclusiveMaximum" in schema:
        high = min(schema["exclusiveMaximum"] - step, high if high is not None else math.inf)
    if low is None:
        low = 0 if high is None or high > 0 else high - 100
    if high is None:
        high = low + 100
    return low, high


def _merge(one: Mapping[str, Any], two: Any) -> Mapping[str, Any]:
    """Both schemas at once, as far as putting their keywords together can say it."""
    if not isinstance(two, Mapping):
        return one
    out = {**one, **two}
    if "properties" in one and "properties" in two:
        out["properties"] = {**one["properties"], **two["properties"]}
    if "required" in one and "required" in two:
        out["required"] = list(dict.fromkeys([*one["required"], *two["required"]]))
    return out


def _is_leaf(schema: Any) -> bool:
    if not isinstance(schema, Mapping):
        return True
    kind = schema.get("type")
    return "enum" in schema or "const" in schema or kind in ("null", "string", "integer", "number", "boolean")
