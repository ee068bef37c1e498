"""The shipped population tables, held against what the census and the surveys published.

The figures on the right of each comparison are the publications' own totals, not sums of the tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from attar_personas.population.draw import Drawing
from attar_personas.population.marginals import exact_joint
from attar_personas.population.render import Renderer
from attar_personas.population.tables import load_table
from attar_personas.population.types import Table

COUNTRIES = ("india", "indonesia")
DRAWN = 200_000
WITHOUT_A_JOB = {"child", "student", "homemaker", "retired", "seeking work", "not working"}
SCHOOLED = {  # the youngest that may hold a level
    "primary": 10,
    "middle": 13,
    "junior secondary": 13,
    "secondary": 15,
    "senior secondary": 15,
    "higher secondary": 17,
    "diploma": 18,
    "graduate": 20,
    "postgraduate": 22,
}

pytestmark = pytest.mark.timeout(120)


def _file(country: str) -> Path:
    return Path(str(resources.files("attar_personas") / "tables" / f"{country}.yaml"))


@cache
def raw(country: str) -> dict[str, Any]:
    """The file as it was written."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: dict[str, Any] = yaml.load(_file(country).read_text("utf-8"), Loader=loader)
    return found


@cache
def compiled(country: str) -> Table:
    return load_table(_file(country))


@cache
def drawn(country: str) -> dict[str, Any]:
    """Values of DRAWN persons, by variable (ages as whole numbers)."""
    table = compiled(country)
    codes = Drawing(table.variables, seed=11).codes(np.arange(DRAWN, dtype=np.int64))
    people = {
        name: np.array(variable.values)[codes[name]] for name, variable in table.variables.items() if name != "domain"
    }
    return {**people, "age": people["age"].astype(np.int64)}


@cache
def national(country: str, name: str) -> dict[str, float]:
    """Percent of each value of a variable over the whole country, summed exactly."""
    variables = compiled(country).variables
    return dict(zip(variables[name].values, exact_joint(variables, [name]) * 100, strict=True))


def rows(shares: Mapping[str, Any], where: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, float]]]:
    """The innermost mappings of nested shares, each with the keys that lead to it."""
    if all(isinstance(value, Mapping) for value in shares.values()) and shares:
        for key, inner in shares.items():
            yield from rows(inner, (*where, str(key)))
    else:
        yield where, dict(shares)


def share(country: str, of: Any, among: Any = True) -> float:
    """Percent of drawn persons for which `of` holds among those for which `among` does."""
    among = np.broadcast_to(among, len(drawn(country)["age"]))
    return float(of[among].mean() * 100)


# -- both tables -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("country", COUNTRIES)
def test_every_variable_says_what_it_is_and_measured_ones_say_whose(country: str) -> None:
    table = raw(country)
    for name, source in table["sources"].items():
        assert source["title"], name
        assert source["publisher"], name
        assert 2010 <= source["year"] <= 2026, name
        assert source["table"], name
    used = set()
    for name, variable in table["variables"].items():
        assert len(variable["note"]) >= 5, name
        for part in (variable, *variable.get("adjust", [])):
            assert part["kind"] in {"measured", "modelled"}, name
            assert part["note"], name
            cited = part.get("source", [])
            cited = [cited] if isinstance(cited, str) else cited
            assert cited or part["kind"] == "modelled", name
            assert set(cited) <= set(table["sources"]), name
            used.update(cited)
    assert used == set(table["sources"])  # no source stands there for show
    kinds = [variable["kind"] for variable in table["variables"].values()]
    assert {"measured", "modelled"} <= set(kinds)


PERCENT = {
    "india": ("sex", "religion", "mother_tongue", "literacy", "work_status", "marital_status", "household_size"),
    "indonesia": ("area", "religion", "mother_tongue", "education", "work_status", "marital_status", "household_size"),
}


@pytest.mark.parametrize("country", COUNTRIES)
def test_rows_of_percentages_add_up_to_a_hundred(country: str) -> None:
    for name in PERCENT[country]:
        for where, row in rows(raw(country)["variables"][name]["shares"]):
            if len(row) > 1:
                assert sum(row.values()) == pytest.approx(100, abs=0.6), (name, where)


@pytest.mark.parametrize("country", COUNTRIES)
def test_nobody_is_out_of_place_for_their_age(country: str) -> None:
    people = drawn(country)
    age, occupation, education = people["age"], people["occupation"], people["education"]
    assert set(occupation[age < 15]) == {"child", "student"}
    assert not (occupation[age >= 15] == "child").any()
    assert set(occupation[age < 5]) == {"child"}
    assert (occupation[age >= 40] != "student").all()
    assert age[occupation == "retired"].min() >= 45
    assert age[occupation == "retired"].max() >= 80
    for level, youngest in SCHOOLED.items():
        if level in compiled(country).variables["education"].values:
            assert age[education == level].min() >= youngest, level
    assert set(people["marital_status"][age < 15]) == {"never married"}
    assert not (people["household_size"][age < 15] == "1").any()
    assert set(people["second_language"][age < 5]) == {"none"}
    for job, youngest in {
        "doctor": 25,
        "lawyer": 25,
        "teacher": 18,
        "soldier": 18,
        "police officer": 18,
        "driver": 18,
    }.items():
        assert age[occupation == job].min() >= youngest, job
    assert age[occupation == "soldier"].max() < 60


@pytest.mark.parametrize("country", COUNTRIES)
def test_work_and_schooling_fit_one_another(country: str) -> None:
    people = drawn(country)
    age, occupation, education = people["age"], people["occupation"], people["education"]
    works = people["work_status"] == "working"
    assert set(occupation[~works]) == WITHOUT_A_JOB
    assert not (set(occupation[works]) & WITHOUT_A_JOB)
    high = {"diploma", "graduate", "postgraduate"}
    for job in ("doctor", "engineer", "software engineer", "lawyer"):
        assert set(education[occupation == job]) <= high - {"diploma"}, job
    assert not (set(education[occupation == "teacher"]) & {"none", "below primary", "primary", "middle"})
    assert "none" not in education[(occupation == "student") & (age >= 10)]
    degrees = np.isin(education, ["graduate", "postgraduate"])
    for manual in ("farm labourer", "construction labourer"):
        assert (
            share(country, degrees, occupation == manual) < 1.5 < share(country, degrees, occupation == "office clerk")
        )


@pytest.mark.parametrize("country", COUNTRIES)
def test_further_languages_differ_from_the_ones_before(country: str) -> None:
    people = drawn(country)
    first, second, third = people["mother_tongue"], people["second_language"], people["third_language"]
    assert not (first == second).any()
    assert not (first == third).any()
    assert not ((second == third) & (second != "none")).any()
    assert set(third[second == "none"]) == {"none"}


@pytest.mark.parametrize("country", COUNTRIES)
def test_every_occupation_cares_about_several_fields_and_every_field_has_its_people(country: str) -> None:
    table = compiled(country)
    interests = dict(rows(raw(country)["variables"]["general"]["shares"]))
    assert {where[0] for where in interests} == set(table.variables["occupation"].values)
    for (occupation,), fields in interests.items():
        assert len(fields) >= 5, occupation
        assert max(fields.values()) <= 0.62 * sum(fields.values()), occupation
    assert interests["farm labourer",].keys() >= {"agriculture", "animal husbandry", "household", "religion", "music"}
    assert interests["child",].keys() >= {"education", "childhood", "sports", "music"}
    assert min(national(country, "general").values()) > 0.05
    assert not interests["child",].keys() & {"insurance", "defence", "accounting", "law"}


@pytest.mark.parametrize("country", COUNTRIES)
def test_every_value_of_every_variable_can_be_told(country: str) -> None:
    """Each value in turn is put on drawn persons: whatever the rest says, the paragraph stays whole."""
    table = compiled(country)
    renderer = Renderer(table, seed=5)
    few = np.arange(12, dtype=np.int64)
    told = 0
    for name, variable in table.variables.items():
        if name in {"age", "domain", "general"}:  # their values are numbers and the catalogue's own, told elsewhere
            continue
        numbers = np.tile(few, len(variable.values))
        codes = Drawing(table.variables, seed=5).codes(numbers)
        codes[name] = np.repeat(np.arange(len(variable.values), dtype=np.int64), len(few))
        for value, text in zip(codes[name], renderer.paragraphs(numbers, codes).to_pylist(), strict=True):
            assert not set("{}<>|*") & set(text), (name, variable.values[value], text)
            assert "  " not in text, (name, variable.values[value], text)
            assert text.endswith("."), (name, variable.values[value], text)
            told += 1
    assert told > 3000


@pytest.mark.parametrize("country", COUNTRIES)
def test_what_is_said_of_a_value_reads_on_from_a_subject(country: str) -> None:
    said = {
        name: variable.say
        for name, variable in compiled(country).variables.items()
        if name not in {"state", "mother_tongue"}
    }
    for name in ("occupation", "education", "marital_status", "religion"):
        assert set(said[name]) == set(compiled(country).variables[name].values), name
        for value, texts in said[name].items():
            for text in texts:
                assert text == text.strip(), (name, value)
                assert text[0].islower(), (name, value)
                assert text[-1].isalpha(), (name, value)
                assert not set(text.split()) & {"he", "she", "his", "her", "their", "they"}, (name, value)
    forms = {tuple(text.split()[:2]) for texts in said["religion"].values() for text in texts}
    assert forms == {("was", "raised")}  # one form for all: nobody's faith is marked as the unusual one


# -- India -------------------------------------------------------------------------------------------------------


def test_india_has_todays_states_and_the_census_total() -> None:
    states = raw("india")["variables"]["state"]["shares"]
    assert len(states) == 36
    assert sum(states.values()) == 1_210_854_977
    assert states["Uttar Pradesh"] == 199_812_341
    assert states["Telangana"] + states["Andhra Pradesh"] == 84_580_777
    assert states["Ladakh"] + states["Jammu and Kashmir"] == 12_541_302
    assert raw("india")["people"] == 370_000_000


def test_india_urban_share() -> None:
    area = dict(rows(raw("india")["variables"]["area"]["shares"]))
    assert sum(row["urban"] for row in area.values()) == 377_106_125
    assert sum(row["rural"] for row in area.values()) == 1_210_854_977 - 377_106_125
    assert national("india", "area")["urban"] == pytest.approx(31.14, abs=0.01)
    for state, published in {
        "Goa": 62.17,
        "Bihar": 11.29,
        "Kerala": 47.70,
        "Tamil Nadu": 48.40,
        "Delhi": 97.50,
    }.items():
        row = area[state,]
        assert row["urban"] / sum(row.values()) * 100 == pytest.approx(published, abs=0.01)


def test_india_sex_ratio() -> None:
    """Females per 1,000 males as the census gives them, with persons recorded as other among the males."""
    variables = compiled("india").variables
    joint = exact_joint(variables, ["area", "sex"])
    place = {name: {value: i for i, value in enumerate(variables[name].values)} for name in ("area", "sex")}
    female, male = place["sex"]["female"], [place["sex"]["male"], place["sex"]["transgender"]]
    for part, published in (("rural", 949), ("urban", 929)):
        row = joint[place["area"][part]]
        assert row[female] / row[male].sum() * 1000 == pytest.approx(published, abs=1), part
    whole = joint.sum(axis=0)
    assert whole[female] / whole[male].sum() * 1000 == pytest.approx(943, abs=1)
    assert whole[place["sex"]["transgender"]] * 1_210_854_977 == pytest.approx(487_803, abs=100)


def test_india_ages_are_those_of_table_c14() -> None:
    states = {where[0]: row for where, row in rows(raw("india")["variables"]["age_band"]["shares"])}
    for twin, other in (("Telangana", "Andhra Pradesh"), ("Ladakh", "Jammu and Kashmir")):
        assert states.pop(twin) == states[other]  # C-14 has the undivided state only
    count: dict[str, int] = {}
    for row in states.values():
        for band, persons in row.items():
            count[band] = count.get(band, 0) + persons
    assert count["0-4"] == 112_806_778
    assert count["5-6"] + count["7-9"] == 126_928_126
    assert count["15-17"] + count["18-19"] == 120_526_449
    assert count["25-29"] == 101_413_965
    assert sum(count.values()) == 1_210_854_977 - 4_489_802  # less those of age not stated
    over_60 = sum(persons for band, persons in count.items() if int(band[:2].rstrip("-")) >= 60)
    assert over_60 / sum(count.values()) * 100 == pytest.approx(8.6, abs=0.05)


def test_india_religions() -> None:
    published = {"Hindu": 79.80, "Muslim": 14.23, "Christian": 2.30, "Sikh": 1.72, "Buddhist": 0.70, "Jain": 0.37}
    found = national("india", "religion")
    for religion, percent in {**published, "other religion": 0.66, "not stated": 0.24}.items():
        assert found[religion] == pytest.approx(percent, abs=0.02), religion


MOTHER_TONGUES = {  # C-16: persons, tolerance 0.1 percentage points of all
    "Hindi": 528_347_193,
    "Bengali": 97_237_669,
    "Marathi": 83_026_680,
    "Telugu": 81_127_740,
    "Tamil": 69_026_881,
    "Gujarati": 55_492_554,
    "Urdu": 50_772_631,
    "Kannada": 43_706_512,
    "Odia": 37_521_324,
    "Malayalam": 34_838_819,
    "Punjabi": 33_124_726,
    "Assamese": 15_311_351,
    "Maithili": 13_583_464,
    "Santali": 7_368_192,
    "Kashmiri": 6_797_587,
    "Bhili": 10_413_637,
    "Konkani": 2_256_502,
    "Dogri": 2_596_767,
    "Bodo": 1_482_929,
    "Khasi": 1_431_344,
}


def test_india_mother_tongues() -> None:
    found = national("india", "mother_tongue")
    for language, persons in MOTHER_TONGUES.items():
        assert found[language] == pytest.approx(persons / 1_210_854_977 * 100, abs=0.1), language
    assert found["another language"] < 1.5


def test_india_language_given_religion_keeps_each_states_languages() -> None:
    variables = compiled("india").variables
    joint = exact_joint(variables, ["state", "mother_tongue"])
    joint /= joint.sum(axis=1, keepdims=True)
    for where, row in rows(raw("india")["variables"]["mother_tongue"]["shares"]):
        state = variables["state"].values.index(where[0])
        for language, percent in row.items():
            got = joint[state, variables["mother_tongue"].values.index(language)] * 100
            assert got == pytest.approx(percent / sum(row.values()) * 100, abs=0.3), (where[0], language)


def test_india_second_and_third_languages_come_out_as_c17_published() -> None:
    second, third = national("india", "second_language"), national("india", "third_language")
    assert 100 - second["none"] == pytest.approx(26.0, abs=1)
    assert 100 - third["none"] == pytest.approx(7.1, abs=1)
    millions = {
        "Hindi": 139,
        "English": 83,
        "Kannada": 14,
        "Marathi": 13,
        "Telugu": 12,
        "Urdu": 11,
        "Bengali": 9,
        "Tamil": 7,
    }
    for language, known in millions.items():
        assert second[language] == pytest.approx(known / 1210.85 * 100, abs=0.6), language
    assert third["English"] == pytest.approx(46 / 1210.85 * 100, abs=0.6)
    assert third["Hindi"] == pytest.approx(24 / 1210.85 * 100, abs=0.6)


def test_india_literacy_and_schooling() -> None:
    people = drawn("india")
    literate = people["literacy"] == "literate"
    for sex, published in (("male", 80.89), ("female", 64.64)):
        rate = literate[people["sex"] == sex].sum() / ((people["sex"] == sex) & (people["age"] >= 7)).sum() * 100
        assert rate == pytest.approx(published, abs=0.6)
    rate = literate.sum() / (people["age"] >= 7).sum() * 100
    assert rate == pytest.approx(72.99, abs=0.6)
    degrees = np.isin(people["education"], ["graduate", "postgraduate"])
    assert share("india", degrees, people["age"] >= 15) == pytest.approx(8.2, abs=0.4)
    assert share("india", people["education"] == "primary", literate) == pytest.approx(24.1, abs=0.9)
    kerala, bihar = (people["state"] == state for state in ("Kerala", "Bihar"))
    adult = people["age"] >= 20
    assert share("india", literate, kerala & adult) > 90 > 60 > share("india", literate, bihar & adult)


def test_india_literacy_of_each_state_and_sex_is_the_published_one() -> None:
    variables = compiled("india").variables
    joint = exact_joint(variables, ["state", "sex", "age_band", "literacy"])
    counted = np.array([band not in {"0-4", "5-6"} for band in variables["age_band"].values])
    reads = variables["literacy"].values.index("literate")
    for where, row in rows(raw("india")["variables"]["literacy"]["shares"]):
        part = joint[variables["state"].values.index(where[0]), variables["sex"].values.index(where[1])]
        rate = part[:, reads].sum() / (part.sum(axis=1) * counted).sum() * 100
        assert rate == pytest.approx(row["literate"], abs=0.1), where


def test_india_at_work() -> None:
    people = drawn("india")
    adult, works = people["age"] >= 15, people["work_status"] == "working"
    for sex, published in (("male", 76.3), ("female", 40.3)):
        assert share("india", works, adult & (people["sex"] == sex)) == pytest.approx(published, abs=1), sex
    published_rates = {
        ("rural", "female"): 46.5,
        ("urban", "female"): 26.0,
        ("rural", "male"): 78.1,
        ("urban", "male"): 72.3,
    }
    for (area, sex), rate in published_rates.items():
        among = adult & (people["area"] == area) & (people["sex"] == sex)
        assert share("india", works, among) == pytest.approx(rate, abs=0.8), (area, sex)


def test_india_industries_of_each_sector_and_sex_are_the_published_ones() -> None:
    variables = compiled("india").variables
    joint = exact_joint(variables, ["area", "sex", "industry"])
    place = {name: {value: i for i, value in enumerate(variables[name].values)} for name in ("area", "sex", "industry")}
    published = {  # crore of workers: in agriculture, in all
        ("rural", "male"): (12.72, 23.91),
        ("rural", "female"): (5.47, 7.70),
        ("urban", "male"): (0.61, 12.39),
        ("urban", "female"): (0.25, 3.15),
    }
    idle = [place["industry"][value] for value in ("seeking work", "outside the labour force")]
    for (area, sex), (fields, everywhere) in published.items():
        row = joint[place["area"][area], place["sex"][sex]]
        at_work = np.delete(row, idle).sum()
        got = row[place["industry"]["agriculture"]] / at_work * 100
        assert got == pytest.approx(fields / everywhere * 100, abs=0.5), (area, sex)


def test_india_households_are_of_the_published_mean_size() -> None:
    """Persons over households: 1,210,854,977 / 249,501,663. Of persons, the mean of 1 / size is its inverse."""
    sizes = compiled("india").variables["household_size"].values
    smallness = np.array([1 / (10.6 if size == "9+" else int(size)) for size in sizes])
    base = {where[0]: row for where, row in rows(raw("india")["variables"]["household_size"]["shares"])}
    states = raw("india")["variables"]["state"]["shares"]
    inverse = sum(
        states[state] * float(np.dot([row[size] for size in sizes], smallness)) / sum(row.values())
        for state, row in base.items()
    )
    assert sum(states.values()) / inverse == pytest.approx(1_210_854_977 / 249_501_663, abs=0.05)


# -- Indonesia ---------------------------------------------------------------------------------------------------


def test_indonesia_has_todays_provinces_and_the_census_total() -> None:
    provinces = raw("indonesia")["variables"]["state"]["shares"]
    assert len(provinces) == 38
    assert sum(provinces.values()) == 270_203_917
    assert provinces["West Java"] == 48_274_162
    assert sum(provinces[p] for p in ("Papua", "South Papua", "Central Papua", "Highland Papua")) == 4_303_707
    assert provinces["West Papua"] + provinces["Southwest Papua"] == 1_134_068


def test_indonesia_urban_sex_and_age() -> None:
    assert national("indonesia", "area")["urban"] == pytest.approx(49.8, abs=0.5)  # as in 2010
    found = national("indonesia", "sex")
    assert found["male"] / found["female"] * 100 == pytest.approx(102.3, abs=0.1)
    ages = {where[0]: row for where, row in rows(raw("indonesia")["variables"]["age_band"]["shares"])}
    assert ages["male"]["45-49"] + ages["female"]["45-49"] == 18_727_242
    assert ages["male"]["30-34"] + ages["female"]["30-34"] == 22_066_835


def test_indonesia_religions() -> None:
    published = {"Muslim": 87.08, "Protestant": 7.40, "Catholic": 3.07, "Hindu": 1.68, "Buddhist": 0.71}
    found = national("indonesia", "religion")
    for religion, percent in {**published, "Confucian": 0.03, "local belief": 0.03}.items():
        assert found[religion] == pytest.approx(percent, abs=0.02), religion
    rows_ = {where[0]: row for where, row in rows(raw("indonesia")["variables"]["religion"]["shares"])}
    assert rows_["Bali"]["Hindu"] > 80
    assert rows_["East Nusa Tenggara"]["Catholic"] > 50
    assert rows_["Maluku"]["Muslim"] == pytest.approx(52.67, abs=1)


def test_indonesia_languages_at_home() -> None:
    regional = {"Javanese": 42.12, "Sundanese": 18.40, "Malay": 4.75, "Madurese": 4.74, "Minangkabau": 2.59}
    more = {"Batak": 2.19, "Banjar": 2.17, "Balinese": 2.13, "Bugis": 1.89, "Sasak": 1.75}
    found = national("indonesia", "mother_tongue")
    for language, percent in {**regional, **more}.items():
        assert found[language] == pytest.approx(percent * 0.7278, abs=0.1), language
    assert found["Indonesian"] == pytest.approx(27.0, abs=0.3)


def test_indonesia_schooling_and_work() -> None:
    people = drawn("indonesia")
    adult = people["age"] >= 15
    levels = {
        "none": 3.25,
        "below primary": 9.01,
        "primary": 24.62,
        "junior secondary": 22.74,
        "senior secondary": 30.22,
    }
    for level, published in levels.items():
        assert share("indonesia", people["education"] == level, adult) == pytest.approx(published, abs=0.5), level
    tertiary = np.isin(people["education"], ["diploma", "graduate", "postgraduate"])
    assert share("indonesia", tertiary, adult) == pytest.approx(10.15, abs=0.5)
    works, seeks = (people["work_status"] == status for status in ("working", "seeking work"))
    for sex, taking_part, unemployed in (("male", 84.26, 5.42), ("female", 54.52, 5.15)):
        among = adult & (people["sex"] == sex)
        assert share("indonesia", works | seeks, among) == pytest.approx(taking_part, abs=0.7), sex
        assert share("indonesia", seeks, among & (works | seeks)) == pytest.approx(unemployed, abs=0.5), sex
    for industry, published in {"agriculture": 28.21, "trade": 18.99, "manufacturing": 13.83}.items():
        assert share("indonesia", people["industry"] == industry, works) == pytest.approx(published, abs=0.7), industry


def test_the_readmes_own_table_loads(tmp_path: Path) -> None:
    text = (_file("india").parent / "README.md").read_text("utf-8")
    example = tmp_path / "my_town.yaml"
    example.write_text(text.split("```yaml\n")[1].split("```")[0], "utf-8")
    table = load_table(example)
    assert table.people == 100_000
    joint = exact_joint(table.variables, ["sex", "occupation"])
    teachers = joint[:, table.variables["occupation"].values.index("teacher")]
    assert teachers[0] > teachers[1]
