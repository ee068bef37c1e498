"""Values JSON has not are still values: a dataset with one in another's place is another dataset."""

from __future__ import annotations

import math

import pyarrow as pa

from attar.store.digest import batches_digest


def test_null_nan_and_the_infinities_are_told_apart() -> None:
    values = [None, math.nan, math.inf, -math.inf, 0.0]
    digests = [
        batches_digest([pa.record_batch({"id": ["a", "b"], "x": pa.array([1.5, value], pa.float64())})])
        for value in values
    ]
    assert len(set(digests)) == len(values)


def test_finite_floats_digest_as_before_whatever_the_batches() -> None:
    whole = pa.record_batch({"id": ["a", "b", "c"], "x": pa.array([1.5, None, math.nan])})
    assert batches_digest([whole]) == batches_digest([whole.slice(0, 1), whole.slice(1)])
