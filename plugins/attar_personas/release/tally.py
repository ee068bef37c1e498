"""What a release is made of: counts by domain and method, and how evenly they lie."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

TOP = 30


class Tally:
    """Counts rows as they pass; memory holds one number per domain."""

    def __init__(self, cap: int | None) -> None:
        self.cap = cap
        self.rows = 0
        self.domains: Counter[str] = Counter()
        self.methods: Counter[str] = Counter()
        self.nulls: Counter[str] = Counter()
        self.characters = 0

    def add(self, persona: pa.Array, domain: pa.Array, optional: Mapping[str, pa.Array]) -> None:
        """Counts some rows.

        Args:
            optional: columns that may be null, by their name in the release; `synth_method` is counted by value.
        """
        import pyarrow.compute as pc

        self.rows += len(persona)
        self.characters += pc.sum(pc.utf8_length(persona)).as_py() or 0
        for counted in pc.value_counts(domain).to_pylist():
            self.domains[counted["values"]] += counted["counts"]
        for name, array in optional.items():
            self.nulls[name] += array.null_count
        for counted in pc.value_counts(optional["synth_method"]).to_pylist():
            self.methods[counted["values"] or "unknown"] += counted["counts"]

    def ranked(self) -> list[tuple[str, int]]:
        """Domains and their counts, largest first, equals by name."""
        return sorted(self.domains.items(), key=lambda pair: (-pair[1], pair[0]))

    def figures(self) -> dict[str, Any]:
        """The figures of the distribution; the entropy in bits, evenness as its share of what is possible."""
        counts = list(self.domains.values())
        entropy = -sum(n / self.rows * math.log2(n / self.rows) for n in counts)
        return {
            "rows": self.rows,
            "domains": len(counts),
            "cap": self.cap,
            "domains_at_cap": None if self.cap is None else sum(n >= self.cap for n in counts),
            "largest_domain": max(counts, default=0),
            "gini": round(gini(counts), 6),
            "entropy_bits": round(entropy, 6),
            "evenness": round(entropy / math.log2(len(counts)), 6) if len(counts) > 1 else 1.0,
            "mean_characters": round(self.characters / self.rows, 2) if self.rows else 0.0,
            "synth_method": dict(sorted(self.methods.items())),
            "null_rate": {name: round(n / self.rows, 6) if self.rows else 0.0 for name, n in self.nulls.items()},
        }

    def csv(self) -> str:
        """All domains: domain, personas, share."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["domain", "personas", "share"])
        writer.writerows((domain, n, f"{n / self.rows:.8f}") for domain, n in self.ranked())
        return text.getvalue()

    def markdown(self) -> str:
        """Figures, shares of methods and the largest domains, as tables."""
        found = self.figures()
        rows = [
            ("personas", f"{found['rows']:,}"),
            ("domains", f"{found['domains']:,}"),
            ("cap per domain", "none" if self.cap is None else f"{self.cap:,}"),
            ("domains at the cap", "–" if self.cap is None else f"{found['domains_at_cap']:,}"),
            ("Gini coefficient of the domains", f"{found['gini']:.4f}"),
            ("entropy of the domains", f"{found['entropy_bits']:.3f} bits ({found['evenness']:.1%} of an even one)"),
            ("mean length of a persona", f"{found['mean_characters']:,.0f} characters"),
            *((f"{name} missing", f"{rate:.2%}") for name, rate in found["null_rate"].items()),
        ]
        methods = [(name, f"{n:,}", f"{n / self.rows:.2%}") for name, n in self.methods.most_common()]
        top = [(_cell(domain), f"{n:,}", f"{n / self.rows:.3%}") for domain, n in self.ranked()[:TOP]]
        return "\n".join(
            [
                _table(("figure", "value"), rows),
                _table(("synth_method", "personas", "share"), methods),
                _table(("domain", "personas", "share"), top),
            ]
        )


def gini(counts: list[int]) -> float:
    """Gini coefficient of counts: 0 where all are equal, near 1 where one holds all."""
    ordered = sorted(counts)
    total = sum(ordered)
    if not total:
        return 0.0
    n = len(ordered)
    return 2 * sum(i * x for i, x in enumerate(ordered, 1)) / (n * total) - (n + 1) / n


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" + " ---: |" * (len(head) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
