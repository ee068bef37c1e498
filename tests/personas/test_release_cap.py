"""The cap keeps the smallest hashes, whatever the order of the rows; labels become buckets; ids become UUIDs."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.api import Drop, Row, id_words
from attar.identity import H
from attar.testing import FakeContext, build, make_rows, run_dataset_step, run_row_step
from attar_personas.release.cap import Cap
from attar_personas.release.labels import NormaliseDomain, label
from attar_personas.release.ranks import DUPLICATE, KEEP, OVER_CAP, OVER_TOTAL, decide, ranks_of
from attar_personas.release.texts import plain, text_hashes
from attar_personas.release.uuids import uuids

# -- labels ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "head", "full"),
    [
        ("Computer Engineer", "computer_engineer", "computer_engineer"),
        ("data science", "data_science", "data_science"),
        ("Indian history", "indian", "indian_history"),
        ("  The Vedic-period studies", "vedic", "vedic_period_studies"),
        ("Women's health", "womens", "womens_health"),
        ("भारतीय इतिहास", "भारतीय", "भारतीय_इतिहास"),
        ("கணினி அறிவியல்", "கணினி", "கணினி_அறிவியல்"),
        ("20th-century art", "20th", "20th_century_art"),
        ("data", "data", "data"),
        ("An", "an", "an"),
        ("Cafe\u0301 culture", "café", "café_culture"),
        ("", None, None),
        (" \u200c-- ", None, None),
    ],
)
def test_labels(raw: str, head: str | None, full: str | None) -> None:
    assert label(raw) == head
    assert label(raw, "full") == full


@settings(deadline=None)
@given(st.text(max_size=12), st.sampled_from(["head", "full"]))
def test_a_label_is_its_own_label(raw: str, style: Any) -> None:
    found = label(raw, style)
    if found is not None:
        assert found == found.strip("_")
        assert label(found.replace("_", " "), "full") is not None


ODD = st.none() | st.text(st.sampled_from("aB ि\t\x1c\x85\u00a0\u2003é-"), max_size=4)


@settings(deadline=None)
@given(st.lists(st.tuples(ODD, ODD), max_size=20))
def test_bulk_labels_are_those_of_single_rows(pairs: list[tuple[str | None, str | None]]) -> None:
    rows = make_rows({"persona": persona, "domain": domain} for persona, domain in pairs)
    step = build(NormaliseDomain, {})
    single = run_row_step(step, rows)
    batch = pa.record_batch({k: pa.array([row[k] for row in rows], pa.string()) for k in ("persona", "domain")})
    made = step.apply_batch(batch, FakeContext())
    codes = [None] * len(rows) if made.reject is None else made.reject.to_pylist()
    details = [None] * len(rows) if made.detail is None else made.detail.to_pylist()
    for i, one in enumerate(single):
        if codes[i] is not None:
            assert one == (codes[i], details[i])
        else:
            assert one["domain"] == made.columns["domain"][i].as_py()
            assert one["domain_raw"] == made.columns["domain_raw"][i].as_py() == rows[i]["domain"]


# -- ids ---------------------------------------------------------------------------------------------------------------


def test_ids_become_uuids_of_version_8() -> None:
    ids = [H("id", n) for n in range(500)]
    made = uuids(id_words(pa.array(ids))).to_pylist()
    assert len(set(made)) == len(ids)
    for id, text in zip(ids, made, strict=True):
        one = uuid.UUID(text)
        assert (str(one), one.version, one.variant) == (text, 8, uuid.RFC_4122)
        assert [one.hex[:12], one.hex[13:16], one.hex[17:]] == [id[:12], id[13:16], id[17:]]


def test_ids_of_slices_and_of_none() -> None:
    ids = pa.array([H(n) for n in range(9)])
    assert (id_words(ids.slice(3, 4)) == id_words(ids)[3:7]).all()
    assert uuids(id_words(ids.slice(0, 0))).to_pylist() == []
    with pytest.raises(ValueError, match="no row ids"):
        id_words(pa.array(["abc"]))


@settings(deadline=None)
@given(st.lists(st.none() | st.text(st.sampled_from(' aB\tÉहिß\u00a0\n"'), max_size=4), max_size=30), st.integers(0, 3))
def test_texts_hash_alike_just_where_they_are_alike(texts: list[str | None], start: int) -> None:
    hashes = text_hashes(pa.array(texts, pa.string()).slice(start)).tolist()
    rest = texts[start:]
    assert [h == 0 for h in hashes] == [text is None for text in rest]
    seen = {(plain(text), h) for text, h in zip(rest, hashes, strict=True) if text is not None}
    assert len(seen) == len({text for text, _ in seen}) == len({h for _, h in seen})


# -- the cap -----------------------------------------------------------------------------------------------------------

BUCKETS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), max_size=40)


def by_hand(
    ranks: list[int], buckets: list[int], texts: list[int], cap: int | None, total: int | None
) -> dict[int, int]:
    """Verdict by rank, the slow and plain way."""
    found: dict[int, int] = {}
    seen: set[int] = set()
    held: Counter[int] = Counter()
    for rank, bucket, text in sorted(zip(ranks, buckets, texts, strict=True)):
        if text and text in seen:
            found[rank] = DUPLICATE
            continue
        seen.add(text)
        held[bucket] += 1
        found[rank] = KEEP if cap is None or held[bucket] <= cap else OVER_CAP
    stay = [rank for rank in sorted(ranks) if found[rank] == KEEP]
    for rank in stay[len(stay) if total is None else total :]:
        found[rank] = OVER_TOTAL
    return found


@settings(deadline=None)
@given(BUCKETS, st.none() | st.integers(1, 5), st.none() | st.integers(1, 20), st.randoms(use_true_random=False))
def test_the_cap_is_what_sorting_by_rank_gives_in_any_order(
    rows: list[tuple[int, int]], cap: int | None, total: int | None, random: Any
) -> None:
    words = np.array([int(H(n)[:16], 16) for n in range(len(rows))], np.uint64)
    ranks = ranks_of(words, 7)
    expected = by_hand(ranks.tolist(), [b for b, _ in rows], [t for _, t in rows], cap, total)
    order = list(range(len(rows)))
    random.shuffle(order)
    # the top bits choose the part in which texts are compared
    texts = np.array([(t << 61) + t if t else 0 for _, t in rows], np.uint64)[order]
    buckets = np.array([b for b, _ in rows], np.int32)[order]
    got = decide(ranks[order], buckets, texts, cap, total)
    assert dict(zip(ranks[order].tolist(), got.verdicts.tolist(), strict=True)) == expected
    assert got.kept == sum(verdict == KEEP for verdict in expected.values())
    for place, first in zip(got.duplicates.tolist(), got.firsts.tolist(), strict=True):
        assert texts[place] == texts[first] and got.verdicts[first] != DUPLICATE


def test_large_buckets_are_sorted_group_by_group(monkeypatch: pytest.MonkeyPatch) -> None:
    import attar_personas.release.ranks as module

    rng = np.random.default_rng(1)
    ranks = ranks_of(rng.integers(0, 1 << 63, 4000, np.uint64), 1)
    buckets = rng.integers(0, 40, 4000).astype(np.int32)
    whole = decide(ranks, buckets, None, 30, None).verdicts
    monkeypatch.setattr(module, "_GROUP", 250)
    assert (decide(ranks, buckets, None, 30, None).verdicts == whole).all()
    assert np.bincount(buckets[whole == KEEP]).max() == 30


def test_ranks_are_even_and_differ_by_seed() -> None:
    words = id_words(pa.array([H("even", n) for n in range(20_000)]))[:, 0]
    one, other = ranks_of(words, 1), ranks_of(words, 2)
    for ranks in (one, other):
        counts = np.bincount((ranks >> np.uint64(60)).astype(int), minlength=16)
        assert (((counts - 1250) ** 2) / 1250).sum() < 45  # chi-square, 15 degrees of freedom: p < 0.0001
    both = np.corrcoef(one.argsort().argsort(), other.argsort().argsort())[0, 1]
    assert abs(both) < 0.03
    assert len(np.unique(one)) == len(words)


def test_the_step_names_what_it_refuses_and_why() -> None:
    rows = [{"persona": f"person {n % 7}", "domain": "rice" if n < 9 else None} for n in range(10)]
    context = FakeContext(seed=3)
    out = run_dataset_step(build(Cap, {"cap": 4, "rows": 9}), rows, context)
    drops = [item.why for item in out if isinstance(item, Drop)]
    assert Counter(why.code for why in drops) == {"duplicate": 3, "over_cap": 7 - len(set_of_kept(out))}
    assert {why.detail for why in drops if why.code == "over_cap"} <= {
        "rice: 7 rows, 4 may stay",
        "rice: 6 rows, 4 may stay",
    }
    kept = set_of_kept(out)
    assert context.shortfalls == [("personas, of 9 asked for", 9 - len(kept))]
    assert Counter(row["domain"] for row in out if isinstance(row, Row))["rice"] == 4


def set_of_kept(out: list[Any]) -> set[str]:
    return {item.id for item in out if isinstance(item, Row)}
