"""What every step must keep to. A plugin's tests subclass StepContract, once per step:

class TestShout(StepContract):
    step = Shout
    config = {"column": "text"}
    rows = [{"text": "hello"}]
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from attar.api import (
    DatasetStep,
    Drop,
    Judge,
    MergeStep,
    New,
    Reject,
    Row,
    RowError,
    RowStep,
    Source,
    Verdict,
    parse_type,
)
from attar.api.bulk import row_by_row
from attar.store.arrow import from_batch, to_batch
from attar.testing.fakes import FakeContext, ListRowSet, columns_of, make_rows
from attar.testing.steps import build, run_dataset_step, run_judge, run_row_step, run_source


class StepContract:
    """Contract tests; pytest runs them for each subclass.

    Attributes:
        step: the class.
        config: as in a recipe (`with:` and references).
        rows: input rows; for a source, none.
        incoming: columns that arrive, where the rows do not show them.
        answers: a function from call to answer for the fake models (see FakeContext); None: rehearsal.
        side: rows of side tables by field.
    """

    step: ClassVar[type[Any]]
    config: ClassVar[Mapping[str, Any]] = {}
    rows: ClassVar[Sequence[Mapping[str, Any]]] = ()
    incoming: ClassVar[Mapping[str, str] | None] = None
    answers: ClassVar[Any] = None
    side: ClassVar[Mapping[str, Any]] = {}

    def _build(self) -> Any:
        return build(self.step, self.config)

    def _context(self) -> FakeContext:
        return FakeContext(type(self).answers, side=self.side)

    def _incoming(self) -> Mapping[str, str]:
        return self.incoming if self.incoming is not None else columns_of(self.rows)

    def _run(self) -> list[Any]:
        step, context = self._build(), self._context()
        if isinstance(step, Source):
            return run_source(step, context=context)
        if isinstance(step, Judge):
            return run_judge(step, self.rows, context)
        if isinstance(step, RowStep):
            return run_row_step(step, self.rows, context)
        if isinstance(step, DatasetStep) and not isinstance(step, MergeStep):
            return run_dataset_step(step, self.rows, context)
        pytest.skip("merge steps and sinks are run by tests of their own")

    def test_config_forbids_unknown_keys(self) -> None:
        with pytest.raises(ValidationError):
            self.step.Config.model_validate({**self.config, "no_such_key_": 1})

    def test_pickles_without_losing_its_config(self) -> None:
        step = self._build()
        again = pickle.loads(pickle.dumps(step))
        assert again.config == step.config
        assert again.name == step.name

    def test_columns_are_types(self) -> None:
        step = self._build()
        if isinstance(step, MergeStep):
            pytest.skip("a merge step's columns depend on its inputs' names")
        for columns in (step.reads(self._incoming()), step.writes(self._incoming())):
            for kind in columns.values():
                parse_type(kind)

    def test_reads_only_what_arrives(self) -> None:
        step = self._build()
        missing = step.reads(self._incoming()).keys() - self._incoming().keys()
        assert not missing, f"reads {sorted(missing)}, which the contract's rows do not have"

    def test_writes_covers_what_it_returns(self) -> None:
        leaving = None
        for result in self._run():
            if leaving is None:
                leaving = self._build().writes(self._incoming()).keys()
            for columns in _columns(result):
                extra = columns.keys() - leaving
                assert not extra, f"returned columns {sorted(extra)} that writes() does not name"

    def test_says_what_it_may_say(self) -> None:
        """Reject codes and verdict codes are snake_case; no step ends a run over a row."""
        for result in self._run():
            code = ""
            if isinstance(result, tuple) and not hasattr(result, "_fields") and len(result) == 2:
                result = result[1]
            if isinstance(result, Reject | Verdict):
                code = result.code
            elif isinstance(result, Drop):
                code = result.why.code
            elif isinstance(result, RowError):
                code = result.code
            assert code == "" or (code == code.lower() and code.replace("_", "").isalnum()), f"{code!r}: not snake_case"

    def test_bulk_is_row_by_row(self) -> None:
        """What a step does to Arrow batches is what it does to rows; a batch that it refuses is taken row by row."""
        step = self._build()
        if isinstance(step, RowStep) and step.can_batch():
            self._compare_batch(step)
        elif isinstance(step, DatasetStep) and step.can_batch() and type(step).apply is not DatasetStep.apply:
            rows = ListRowSet(make_rows(self.rows))
            bulk = list(row_by_row(step.apply_batches(rows, self._context()), rows))
            assert _plain(bulk) == _plain(list(step.apply(rows, self._context())))
        else:
            pytest.skip("the step has one way only")

    def _compare_batch(self, step: RowStep[Any]) -> None:
        incoming = self._incoming()
        leaving = step.writes(incoming)
        batch, bad = to_batch(self.rows, incoming)
        assert not bad, f"the contract's rows do not fit their columns: {bad}"
        try:
            made = step.apply_batch(batch, self._context())
        except Exception:
            pytest.skip("the step refuses this batch, and the engine takes it row by row")
        codes = [None] * len(self.rows) if made.reject is None else made.reject.to_pylist()
        rows = from_batch(batch)
        changed = {name: array.to_pylist() for name, array in made.columns.items() if name in leaving}
        for i, single in enumerate(run_row_step(step, self.rows, self._context())):
            if isinstance(single, Reject):
                assert codes[i] == single.code, f"row {i}: rejected as {single.code}, in bulk {codes[i]}"
            else:
                assert isinstance(single, Mapping), f"row {i}: {single!r}; in bulk the step should refuse the batch"
                assert codes[i] is None, f"row {i}: stays, in bulk rejected as {codes[i]}"
                for name, values in changed.items():
                    if parse_type(leaving[name]).kind in ("string", "int", "float", "bool"):
                        wanted = {**rows[i], **single}.get(name)
                        assert values[i] == wanted, f"row {i}, {name}: {wanted!r}, in bulk {values[i]!r}"

    def test_same_seed_same_result(self) -> None:
        assert _plain(self._run()) == _plain(self._run())


def _columns(result: Any) -> list[Mapping[str, Any]]:
    if isinstance(result, New):
        return [result.columns]
    if isinstance(result, Row):
        return [result]
    if isinstance(result, Reject | Drop | Verdict | RowError):
        return []
    if isinstance(result, tuple):
        return _columns(result[1])
    if isinstance(result, list):
        return [part for part in result if isinstance(part, Mapping)]
    return [result] if isinstance(result, Mapping) else []


def _plain(results: Sequence[Any]) -> list[Any]:
    out: list[Any] = []
    for result in results:
        if isinstance(result, Row):
            out.append((result.id, dict(result)))
        elif isinstance(result, Drop):
            out.append((result.row.id, result.why))
        elif isinstance(result, RowError):
            out.append((result.code, result.detail))
        else:
            out.append(result)
    return out
