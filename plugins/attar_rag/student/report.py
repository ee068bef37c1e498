"""The sink `student_report`: a student and the model it began as, side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, RowSet, Sink
from attar_rag.student.counts import Scored, Share, wilson

_REPLIES = {
    "system": "string?",
    "question_id": "string?",
    "answerable": "bool?",
    "twin_id": "string?",
    "refused": "bool?",
    "n_ungrounded": "int?",
    "correct": "bool?",
    "judged_right": "bool?",
    "tone": "float?",
}
_SHARES = {
    "accuracy": "answers right, by code",
    "judged_accuracy": "answers right, by the judge",
    "grounded": "replies without an ungrounded fact",
    "over_refusal_twins": "refuses an answerable twin",
    "over_refusal": "refuses an answerable question",
    "refusal": "refuses what cannot be answered",
    "tone_match": "tone fits the persona",
}
_BETTER = {"perplexity": "lower", "bits_per_byte": "lower", "over_refusal_twins": "lower", "over_refusal": "lower"}
_NOTES = (
    "Replies count only where both models have a graded one to the same question (dead letters tell of the others); "
    "texts only where both scored them.",
    "Perplexity is exp(-Σ log-probability / Σ tokens) over all texts, without each text's first token. With different "
    "tokenizers compare bits per byte.",
    "[…] is the 95 % Wilson interval of a share; it says nothing of the difference, whose questions are the same.",
)


class StudentReportConfig(Config):
    """See StudentReport."""

    systems: list[str] = Field(
        ["before", "student"],
        min_length=2,
        max_length=2,
        description="values of the column `system`, and prefixes of the columns of rag.perplexity: before, then after",
    )
    tone_at_least: float = Field(4, description="lowest score of the judge at which a tone fits")


class StudentReport(Sink[StudentReportConfig]):
    """Counts scored texts and graded replies of two models, and sets them side by side.

    Reads two kinds of rows (std.union with `fill: true`): texts with `<system>_logprob`, `_tokens` and `_bytes` of
    both models (rag.perplexity), and replies, one row per model, with `system, question_id, answerable, twin_id,
    refused, n_ungrounded, correct` (rag.grade_reply), `judged_right` and `tone`; what is null is not counted. A
    question to which one model has no row is left out for both and counted as unpaired.

    Writes `report.json` and `report.md`: metric, before, after, difference, number of cases, 95 % Wilson intervals of
    shares. Memory grows with the number of questions.
    """

    Config = StudentReportConfig

    def reads(self, incoming: Columns) -> Columns:
        return {**_REPLIES, **{name: "float?" if name.endswith("b") else "int?" for name in self._sums()}}

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        if len(set(self.config.systems)) < 2:
            yield ConfigProblem(("systems",), "both systems have one name", "name two")

    def write(self, rows: RowSet, ctx: Context) -> None:
        import orjson

        told = self._told(rows)
        (ctx.out / "report.json").write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
        (ctx.out / "report.md").write_text(_page(told), encoding="utf-8")

    def _sums(self) -> list[str]:
        return [f"{system}_{name}" for system in self.config.systems for name in ("logprob", "tokens", "bytes")]

    def _told(self, rows: RowSet) -> dict[str, Any]:
        systems = self.config.systems
        found = {system: _Counts() for system in systems}
        waiting: dict[str, dict[str, Mapping[str, bool | None]]] = defaultdict(dict)
        columns = [*_REPLIES, *self._sums()]
        repeated = 0
        for batch in rows.batches(columns):
            for row in zip(*(batch.column(name).to_pylist() for name in columns), strict=True):
                one = dict(zip(columns, row, strict=True))
                if one["system"] is None:
                    self._text(found, one)
                elif one["system"] in found:
                    replies = waiting[one["question_id"]]
                    if one["system"] in replies:
                        repeated += 1
                        continue
                    replies[one["system"]] = self._graded(one)
                    found[one["system"]].tone_scores[one["question_id"]] = one["tone"]
        unpaired = 0
        for question, replies in waiting.items():
            if len(replies) < 2:
                unpaired += 1
                continue
            for system, graded in replies.items():
                found[system].add(graded, found[system].tone_scores[question])
        before, after = (found[system] for system in systems)
        return {
            "systems": {"before": systems[0], "after": systems[1]},
            "questions": len(waiting) - unpaired,
            "unpaired_questions": unpaired,
            "repeated_replies": repeated,
            "metrics": [*_numbers(before, after), *_shares(before, after)],
            "notes": list(_NOTES),
        }

    def _text(self, found: Mapping[str, _Counts], one: Mapping[str, Any]) -> None:
        if any(one[name] is None for name in self._sums()):
            return
        for system, counts in found.items():
            scored = counts.scored
            scored.logprob += one[f"{system}_logprob"]
            scored.tokens += one[f"{system}_tokens"]
            scored.bytes += one[f"{system}_bytes"]
            scored.texts += 1

    def _graded(self, one: Mapping[str, Any]) -> dict[str, bool | None]:
        """What a reply counts for; None where it is no case of that share."""
        answerable = bool(one["answerable"])
        tone = one["tone"]
        return {
            "accuracy": one["correct"] if answerable else None,
            "judged_accuracy": one["judged_right"] if answerable else None,
            "grounded": None if one["n_ungrounded"] is None else one["n_ungrounded"] == 0,
            "over_refusal_twins": one["refused"] if answerable and one["twin_id"] is not None else None,
            "over_refusal": one["refused"] if answerable else None,
            "refusal": None if answerable else one["refused"],
            "tone_match": None if tone is None else tone >= self.config.tone_at_least,
        }


@dataclass(slots=True)
class _Counts:
    """All that is counted of one model."""

    scored: Scored = field(default_factory=Scored)
    shares: dict[str, Share] = field(default_factory=lambda: {name: Share() for name in _SHARES})
    tone_scores: dict[str, float | None] = field(default_factory=dict)
    tone: float = 0.0
    toned: int = 0

    def add(self, graded: Mapping[str, bool | None], tone: float | None) -> None:
        for name, hit in graded.items():
            self.shares[name].add(hit)
        if tone is not None:
            self.tone += tone
            self.toned += 1

    @property
    def mean_tone(self) -> float | None:
        return self.tone / self.toned if self.toned else None


def _numbers(before: _Counts, after: _Counts) -> Iterator[dict[str, Any]]:
    texts, tokens = (before.scored.texts, after.scored.texts), (before.scored.tokens, after.scored.tokens)
    yield _metric("perplexity", "perplexity of the texts", before.scored.perplexity, after.scored.perplexity, tokens)
    bits = before.scored.bits_per_byte, after.scored.bits_per_byte
    yield _metric("bits_per_byte", "bits per byte of the texts", *bits, texts)
    yield _metric("tone", "tone, mean score", before.mean_tone, after.mean_tone, (before.toned, after.toned))


def _shares(before: _Counts, after: _Counts) -> Iterator[dict[str, Any]]:
    for name, told in _SHARES.items():
        old, new = before.shares[name], after.shares[name]
        metric = _metric(name, told, old.value, new.value, (old.n, new.n))
        for key, share in (("before_interval", old), ("after_interval", new)):
            interval = wilson(share.hits, share.n)
            metric[key] = None if interval is None else list(interval)
        metric["hits"] = {"before": old.hits, "after": new.hits}
        yield metric


def _metric(name: str, told: str, old: float | None, new: float | None, n: tuple[int, int]) -> dict[str, Any]:
    return {
        "metric": name,
        "meaning": told,
        "better": _BETTER.get(name, "higher"),
        "before": old,
        "after": new,
        "difference": None if old is None or new is None else new - old,
        "n": {"before": n[0], "after": n[1]},
    }


def _page(told: Mapping[str, Any]) -> str:
    systems = told["systems"]
    lines = [
        "# Student report\n",
        f"Before: {systems['before']}; after: {systems['after']}. {told['questions']} questions answered by both, "
        f"{told['unpaired_questions']} left out because one model's reply has no grade, "
        f"{told['repeated_replies']} replies left out because their question's id came again.\n",
        "| metric | before | after | difference | better | n before | n after |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for metric in told["metrics"]:
        share = "hits" in metric
        cells = [
            metric["meaning"],
            _cell(metric["before"], share, metric.get("before_interval")),
            _cell(metric["after"], share, metric.get("after_interval")),
            _difference(metric["difference"], share),
            metric["better"],
            str(metric["n"]["before"]),
            str(metric["n"]["after"]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(f"- {note}" for note in told["notes"])]) + "\n"


def _cell(value: float | None, share: bool, interval: Sequence[float] | None) -> str:
    if value is None:
        return "–"
    if not share or interval is None:
        return f"{value:.3f}"
    return f"{value:.1%} [{interval[0]:.1%}, {interval[1]:.1%}]"


def _difference(value: float | None, share: bool) -> str:
    if value is None:
        return "–"
    return f"{100 * value:+.1f} points" if share else f"{value:+.3f}"
