"""Population tables: every fault is told with file, line and key path, all at once; good ones compile as written."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.runs import Attar

from attar.testing import build, run_source
from attar_personas.population.marginals import SAMPLED, TooLarge, exact_joint, joint_of
from attar_personas.population.source import Population
from attar_personas.population.tables import TableError, load_table
from attar_personas.population.types import Table

SMALL = Path(__file__).parent / "tables" / "small.yaml"


def faults(text: str, tmp_path: Path) -> list[str]:
    file = tmp_path / "t.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(TableError) as caught:
        load_table(file)
    return [f"{message} | {help}" for message, help in caught.value.faults]


BROKEN = [
    # what to put in place of what, and what is told
    ("people: 370000000", "people: many", "5: people: expected a whole number, found 'many'"),
    ("people: 370000000", "people: 0", "people: Input should be greater than or equal to 1, found '0'"),
    ("people: 370000000\n", "", "people: is missing | add `people: …`"),
    ("version:", "versoin:", "versoin: is no key of this format"),
    ("format: attar-population/1", "format: attar-population/2", "format: expected 'attar-population/1'"),
    ("year: 2020", "year: last", "sources.census.year: expected a whole number, found 'last'"),
    ("publisher: Office of Figures, ", "", "sources.census.publisher: is missing"),
    ("source: census, shares: {North: 60", "source: sensus, shares: {North: 60", "no source 'sensus' is listed"),
    ("{kind: measured, source: census, shares: {North", "{kind: measured, shares: {North", "needs a source"),
    ("{kind: measured, source: census, shares: {North", "{shares: {North", "variables.state: kind is missing"),
    (
        "{kind: measured, source: census, shares: {North",
        "{kind: guessed, shares: {North",
        "variables.state.kind: expected",
    ),
    ("North: 60", "North: -60", "variables.state.shares.North: expected a number from 0, found '-60'"),
    ("North: 60", "North: sixty", "expected a number from 0, found 'sixty'"),
    ("North: 60", "North: nan", "expected a number from 0, found 'nan'"),
    ("North: 60", "North: .inf", "expected a number from 0, found '.inf'"),
    ("{North: 60, South: 40}", "{North: 0, South: 0}", "variables.state.shares: all weights are 0"),
    ("{North: 60, South: 40}", "{}", "variables.state.shares: no value has a share"),
    ("{North: 60, South: 40}", "5", "variables.state.shares: expected a mapping, found '5'"),
    (
        "given: state\n    kind: measured\n    source: census\n    shares: {North: {u",
        "given: stat\n    kind: measured\n    source: census\n    shares: {North: {u",
        "variables.area.given: there is no variable 'stat'",
    ),
    ("given: area, shares: {urban", "given: age, shares: {urban", "variables.age_band.given: 'age' is drawn later"),
    ("given: area, shares: {urban", "given: [area, area], shares: {urban", "names a variable twice"),
    (
        '"*": {urban: 50, rural: 50}',
        "Sauth: {urban: 50}",
        "area.shares.Sauth: state has no value 'Sauth' | did you mean 'South'?",
    ),
    (', "*": {urban: 50, rural: 50}', "", "variables.area: there is nothing to draw for state = South: no row for it"),
    (
        "North: {urban: 25, rural: 75}",
        "North: 5",
        "variables.area.shares.North: expected a mapping of values, found '5'",
    ),
    ("4-9: x", "", ""),
    (
        "60+: [60, 95]",
        "60+: [95, 60]",
        "age.uniform.ranges.60+: expected two whole numbers from 0, the first not above",
    ),
    ("60+: [60, 95]", "60+: [60]", "age.uniform.ranges.60+: expected at least 2 of them"),
    (", 60+: [60, 95]", "", "there is no range for '60+'"),
    ("60+: [60, 95]", "60+: [60, 95], 99: [99, 99]", "age_band has no value '99'"),
    (
        "uniform: {given: age_band",
        "kind: modelled, shares: {a: 1}, uniform: {given: age_band",
        "one of shares, uniform, from; found shares and uniform",
    ),
    ("age: {uniform", "age: {differs_from: state, uniform", "age.differs_from: does not go with uniform"),
    (
        "given: age_band\n    shares: {0-4: {child",
        "given: age\n    shares: {0-4: {child",
        "age is a number, not a condition",
    ),
    ("{secondary: 0, degree: 0}", "{secondary: 0, doctorate: 0}", "factors.5-14.doctorate: no share names 'doctorate'"),
    (
        "{secondary: 0, degree: 0}",
        '{"*": 0}',
        "variables.education: there is nothing to draw for state = North, age_band = 5-14",
    ),
    ("5-14: {secondary", "5-41: {secondary", "education.adjust.0.factors.5-41: age_band has no value '5-41'"),
    ("factors: {0-4", "kind: measured\n        factors: {0-4", "the key 'kind' stands twice, on lines 35 and 36"),
    ("widowed: is widowed", "widow: is widowed", "marital_status.say.widow: marital_status has no value 'widow'"),
    ("is widowed}", "[]}", "marital_status.say.widowed: expected at least 1 of them"),
    (
        "farmer: {agriculture: 80",
        "farmer: {agricultur: 80",
        "no general field 'agricultur' | did you mean 'agriculture'?",
    ),
    (
        "domain: {from: domains, given: general}",
        "domain: {from: domains}",
        "from: domains needs `given:` with one variable",
    ),
    ("domain: {from: domains", "domain: {from: cities", "variables.domain.from: expected 'domains', found 'cities'"),
    ("religion: {kind", "persona: {kind", "'persona' is a column the source makes itself"),
    ("religion: {kind", "Re-ligion: {kind", "a variable's name has letters a-z"),
    (
        "is widowed}\n",
        "is widowed}\n  colour: {kind: modelled, given: [state, occupation, domain], shares: {}}\n",
        "'domain' is drawn later",
    ),
    # texts
    ("{they:cap} likes", "{thay:cap} likes", "there is no phrase or variable 'thay' | did you mean 'they'?"),
    ("{they:cap} likes", "{they:caps} likes", "there is no change 'caps'"),
    ("{they:cap} likes", "{they:cap likes", "a brace without its partner"),
    ("{they:cap} likes", "}{they} likes", "a brace without its partner"),
    ("texts: {female: she, male: he}", "texts: {female: she}", "there is no text for sex: male"),
    ("texts: {female: she, male: he}", "texts: {femal: she, '*': he}", "sex has no value 'femal'"),
    (
        "texts: {female: she, male: he}",
        "texts: {female: [], male: he}",
        "expected a text or a list of texts, found nothing",
    ),
    ("they: {given: sex", "they: {given: gender", "phrases.they.given: there is no variable 'gender'"),
    ("lives alone", "'{work}'", ""),
    ("[farmer, engineer]", "[farmer, painter]", "occupation has no value 'painter'"),
    ("{age: {to: 14}}, texts: [", "{aged: {to: 14}}, texts: [", "there is no variable 'aged'"),
    (
        "{age: {to: 14}}, texts: [",
        "{age: {up: 14}}, texts: [",
        "expected values of age, {not: …}, or for a number {from, to}",
    ),
    ("{age: {to: 14}}, texts: [", "{age: {to: x}}, texts: [", "expected whole numbers"),
    (
        '        - texts: ["{they:cap} {occupation}."',
        '        - when: {sex: male}\n          texts: ["{they:cap} {occupation}."',
        "the last case has a `when`",
    ),
    ("is growing up.", "is growing up. {work}", "phrases use each other in a circle: work → work"),
    ("    they: {", "    state: {", "'state' is the name of a variable or cannot name a phrase"),
    ("  paragraphs:\n", "  paragrafs:\n", "render.paragraphs: is missing"),
    ("render:\n", "render: texts.yaml\nnote2:\n", "note2: is no key"),
]
BROKEN = [one for one in BROKEN if one[2]]


@pytest.mark.parametrize(("before", "after", "told"), BROKEN, ids=[told[:60] for *_, told in BROKEN])
def test_a_fault_is_told_where_it_stands(before: str, after: str, told: str, tmp_path: Path) -> None:
    text = SMALL.read_text()
    assert before in text
    found = faults(text.replace(before, after, 1), tmp_path)
    assert any(told in one for one in found), found
    for one in found:
        assert one.startswith(str(tmp_path / "t.yaml") + ":"), one
        assert "Traceback" not in one


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "expected a mapping, found nothing"),
        (b"- a\n- b\n", "expected a mapping, found a list"),
        (b"just words", "expected a mapping, found a single value"),
        (b"a: [1, 2\nb: 3", "is not YAML"),
        (b"a: \xff\xfe", "byte 3 is not UTF-8"),
        (b"a: \x01", "is not YAML"),
        (b"? [a, b]\n: 1\n", "a key is a list or a mapping"),
        (b"a: &a [*a]\n", "aliases (*) make this too large, or a circle"),
        (b"a: &a {x: y}\nb: {<<: text}\n", "expected an alias of a mapping"),
    ],
)
def test_a_file_that_is_no_table_is_told(raw: bytes, told: str, tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_bytes(raw)
    with pytest.raises(TableError, match=r"t\.yaml:[0-9]+: ") as caught:
        load_table(file)
    assert told in str(caught.value)
    file.rename(tmp_path / "t2.yaml")
    with pytest.raises(TableError, match="cannot be read") as caught:
        load_table(file)
    assert caught.value.faults[0][1] == "did you mean t2.yaml?"


def test_a_bomb_of_aliases_ends(tmp_path: Path) -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    assert "aliases" in faults("\n".join(rows), tmp_path)[0]


def test_all_faults_come_at_once_and_are_not_repeated(tmp_path: Path) -> None:
    text = SMALL.read_text().replace("North: 60", "North: x").replace("married: 70", "married: -1")
    text = text.replace("given: mother_tongue, differs", "given: father_tongue, differs").replace(
        "year: 2020", "year: 2020"
    )
    found = faults(text, tmp_path)
    assert [one.split(": ")[1] for one in found] == [
        "variables.state.shares.North",
        "variables.second_language.given",
        "variables.marital_status.shares.15-59.married",
    ]


def test_texts_of_a_file_of_their_own_are_told_there(tmp_path: Path) -> None:
    head, _, texts = SMALL.read_text().partition("render:\n")
    texts = dedent(texts)
    (tmp_path / "texts.yaml").write_text("format: attar-population-texts/1\n" + texts.replace("{work}", "{wark}"))
    found = faults(head + "render: texts.yaml\n", tmp_path)
    assert all(one.startswith(str(tmp_path / "texts.yaml:")) for one in found)
    assert "no phrase or variable 'wark'" in found[0]
    assert (
        "there is no file 'text.yaml' | did you mean texts.yaml?" in faults(head + "render: text.yaml\n", tmp_path)[0]
    )


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    head, _, texts = SMALL.read_text().partition("render:\n")
    (tmp_path / "t.yaml").write_text(head + "render: texts.yaml\n")
    (tmp_path / "texts.yaml").write_text(dedent(texts))
    first = load_table(tmp_path / "t.yaml")
    assert load_table(tmp_path / "t.yaml") is first
    (tmp_path / "texts.yaml").write_text(dedent(texts) + "note: changed\n")
    second = load_table(tmp_path / "t.yaml")
    assert second is not first
    names = [Path(file).name for file in build(Population, {"table": str(tmp_path / "t.yaml")}).inputs()]
    assert names == ["t.yaml", "domains.tsv", "texts.yaml"]


def one_variable(shares: str, tmp_path: Path) -> Table:
    file = tmp_path / "one.yaml"
    file.write_text(
        "format: attar-population/1\nname: one\nversion: 1\npeople: 10\nvariables:\n"
        f"  v: {{kind: modelled, shares: {shares}}}\n"
    )
    return load_table(file)


def test_aliases_and_merges_are_followed(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(
        "format: attar-population/1\nname: one\nversion: 1\npeople: 10\nvariables:\n"
        "  a: {kind: modelled, shares: &shares {x: 1, y: 3}}\n"
        "  b: {kind: modelled, given: a, shares: {x: *shares, y: {<<: *shares, y: 1}}}\n"
    )
    assert load_table(file).variables["b"].shares.tolist() == [[0.25, 0.75], [0.5, 0.5]]


def test_values_are_texts_whatever_they_look_like(tmp_path: Path) -> None:
    table = one_variable("{Yes: 1, No: 1, 5: 1, 1e3: 1, null: 1, ~: 1, 2011-01-01: 1, 0x1F: 1, é: 1}", tmp_path)
    assert table.variables["v"].values == ("Yes", "No", "5", "1e3", "null", "~", "2011-01-01", "0x1F", "\u00e9")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1e12, allow_subnormal=False), min_size=1, max_size=30).filter(any))
def test_shares_are_normalised(weights: list[float]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        shares = "{" + ", ".join(f"v{i}: {weight!r}" for i, weight in enumerate(weights)) + "}"
        found = one_variable(shares, Path(folder)).variables["v"].shares
    assert np.allclose(found, np.array(weights) / sum(weights))


def test_adjustments_multiply_and_exclusions_take_out() -> None:
    table = load_table(SMALL)
    education = table.variables["education"]
    assert education.conditions == ("state", "age_band")
    north_old = np.array([20 * 2, 40, 30, 10 * 0.5])
    assert np.allclose(education.shares[0, 3], north_old / north_old.sum())
    assert np.allclose(education.shares[1, 0], [1, 0, 0, 0])
    assert np.allclose(education.shares[0, 2], [0.2, 0.4, 0.3, 0.1])
    second = table.variables["second_language"]
    boreal = table.variables["mother_tongue"].values.index("Boreal")
    assert np.allclose(second.shares[boreal], np.array([50, 0, 20, 20]) / 90)
    third = table.variables["third_language"]
    assert third.conditions == ("second_language", "mother_tongue")
    assert np.allclose(third.shares[0], [[1, 0, 0, 0], [1, 0, 0, 0]])  # nothing is unlike nothing


def test_joints_are_exact() -> None:
    table = load_table(SMALL)
    variables = table.variables
    state, area = variables["state"].shares, variables["area"].shares
    assert np.allclose(exact_joint(variables, ["area", "state"]), (state[:, None] * area).T)
    band = np.einsum("s,sa,ab->b", state, area, variables["age_band"].shares)
    assert np.allclose(exact_joint(variables, ["age_band"]), band)
    brute = np.einsum("s,sa,ab,sbe->eb", state, area, variables["age_band"].shares, variables["education"].shares)
    assert np.allclose(exact_joint(variables, ["education", "age_band"]), brute)
    assert all(abs(exact_joint(variables, [name]).sum() - 1) < 1e-9 for name in variables)


def test_a_joint_too_large_is_estimated_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import attar_personas.population.marginals as marginals

    table = load_table(SMALL)
    exact = exact_joint(table.variables, ["occupation"])
    monkeypatch.setattr(marginals, "MOST_JOINT", 2)
    monkeypatch.setattr(marginals, "SAMPLED", 1 << 18)
    with pytest.raises(TooLarge):
        exact_joint(table.variables, ["occupation"])
    found = joint_of(table.variables, ["occupation"])
    assert not found.exact
    assert np.abs(found.shares - exact).max() < 0.005
    assert SAMPLED == 4_000_000


def test_a_table_too_large_is_refused(tmp_path: Path) -> None:
    values = "{" + ", ".join(f"v{i}: 1" for i in range(1500)) + "}"
    text = (
        "format: attar-population/1\nname: big\nversion: 1\npeople: 10\nvariables:\n"
        f"  a: {{kind: modelled, shares: {values}}}\n"
        f"  b: {{kind: modelled, given: a, shares: {{'*': {values}}}}}\n"
    )
    (fault,) = faults(text, tmp_path)
    assert "variables.b: a (1500) × 1500 values make 2,250,000 cells; at most 2,000,000 are allowed" in fault


def test_validate_tells_the_faults_of_a_table(tmp_path: Path) -> None:
    text = SMALL.read_text().replace("North: 60", "North: x").replace("married: 70", "married: -1")
    (tmp_path / "mine.yaml").write_text(text)
    (tmp_path / "r.yaml").write_text(
        "attar: 1\nname: r\nsteps:\n  people: {use: personas.population, with: {table: mine.yaml, count: 3}}\n"
        "outputs: {dataset: {from: people}, skew: {from: people, format: skew, with: {table: mine.yaml}}}\n"
    )
    ended = Attar(tmp_path, None)("validate", "r.yaml", expect=2)
    said = ended.stdout + ended.stderr
    assert "mine.yaml:10: variables.state.shares.North: expected a number from 0, found 'x'" in said
    assert "variables.marital_status.shares.15-59.married" in said
    assert "r.yaml:4" in said
    assert "Traceback" not in said


def test_the_table_of_the_docs_is_whole(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "population-tables.md").read_text(encoding="utf-8")
    (tmp_path / "island.yaml").write_text(page.partition("```yaml\n")[2].partition("```")[0])
    rows = [
        row for _, row in run_source(build(Population, {"table": str(tmp_path / "island.yaml"), "seed": 1}), 0, 500)
    ]
    assert {row["occupation"] for row in rows if row["age"] < 15} == {"child"}
    assert all(row["second_language"] != row["language"] for row in rows)
    assert any("who goes out fishing, speaks" in row["persona"] for row in rows)
    assert not any("{" in row["persona"] or "  " in row["persona"] for row in rows)
