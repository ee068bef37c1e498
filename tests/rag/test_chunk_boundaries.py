"""Where chunks end: headings before paragraphs before sentences; what stays whole; the probes that libraries fail."""

from __future__ import annotations

import pytest

from attar.api.text import sentences
from attar_rag.chunking.estimate import estimate
from attar_rag.chunking.packing import Ask, Limits, Slice, pack

# The sentences of methods.md, table 4b: each holds stops and marks that end nothing.
PROBES = {
    "hi": ["डॉ. शर्मा ने ३.५ लीटर दूध लिया।", "फिर वे घर चले गए।"],
    "bn": ["ড. ইউনূস কাল এলেন।", "তিনি ৩.৫ টাকা দিলেন।"],
    "ta": ["திரு. குமார் 3.5 கி.மீ. நடந்தார்.", "அவர் வீட்டுக்கு வந்தார்."],
    "ml": ["ഡോ. നായർ ഇന്നലെ വന്നു.", "അദ്ദേഹം 3.5 ലിറ്റർ വാങ്ങി."],
    "te": ["డా. రావు వచ్చారు.", "ఆయన 3.5 లీటర్లు కొన్నారు."],
    "ur": ["یہ کیا ہے؟", "ٹھیک ہے۔", "وہ ۳.۵ لیٹر لایا۔"],
    "sa": ["धर्मक्षेत्रे कुरुक्षेत्रे समवेता युयुत्सवः ॥ १॥", "मामकाः पाण्डवाश्चैव किमकुर्वत सञ्जय ॥ २ ॥"],
    "id": ["Biayanya Rp. 5.000.000 per tahun.", "Kantornya di Jl. Merdeka No. 10.",
           "Milik Bp. Slamet (dkk.) sejak lama."],
    "jv": ["Bp. Slamet tindak menyang Sala.", "Regane Rp. 5.000.000."],
}  # fmt: skip


def chunks(text: str, low: int, high: int, language: str | None = None) -> list[Slice]:
    found = []
    for one in pack(text, Limits(low, high), exact=False, language=language):
        assert not isinstance(one, Ask)
        found.append(one)
    return found


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("code", PROBES)
def test_no_chunk_ends_within_a_probe(code: str, known: bool) -> None:
    text = " ".join(PROBES[code] * 60)
    starts = {one.start for one in sentences(text, code)} | {len(text)}
    longest = max(estimate(sentence) for sentence in PROBES[code])
    assert len(starts) == 60 * len(PROBES[code]) + 1
    for high in (longest + 2, 3 * longest, 200):
        found = chunks(text, 1, high, code if known else None)
        assert len(found) > 2
        assert not any(one.cut for one in found)
        assert {one.end for one in found} <= starts


def parts(text: str, low: int, high: int) -> list[str]:
    return [text[one.start : one.end] for one in chunks(text, low, high)]


def words(count: int, word: str = "kata") -> str:
    return " ".join([word] * count)


def test_a_higher_heading_wins_over_later_places() -> None:
    text = "".join(
        [
            "# Satu\n\n", words(60), ".\n\n", "## Dua\n\n", words(10), ".\n\n", "### Tiga\n\n", words(10), ".\n\n",
            words(10), ".\n\n", words(200), ".",
        ]
    )  # fmt: skip
    first, *_ = parts(text, 10, estimate(text[: text.index("### Tiga") + 60]))
    assert first.endswith(".\n\n")
    assert text[len(first) :].startswith("## Dua")


def test_setext_headings_are_headings_and_rules_are_none() -> None:
    text = f"Biaya\n=====\n\n{words(40)}.\n\nSyarat\r\n------\r\n\r\n{words(40)}.\n\n---\n\n{words(40)}."
    found = chunks(text, 5, estimate(text) // 2)
    assert text[found[1].start :].startswith("Syarat")
    assert [one.path for one in found[:2]] == [("Biaya",), ("Biaya", "Syarat")]
    assert found[-1].path == ("Biaya", "Syarat")


def test_the_path_is_of_headings_above_the_first_text() -> None:
    text = f"# A\n\n{words(30)}\n\n## B\n\n### C\n\n{words(30)}\n\n## D\n\n{words(30)}\n\n# E #\n{words(30)}"
    found = chunks(text, 5, 60)
    assert [one.path for one in found] == [("A",), ("A", "B", "C"), ("A", "D"), ("E",)]


def test_a_heading_is_never_parted_from_its_text() -> None:
    text = "".join(f"## Bagian {n}\n\n{words(25)}.\n\n" for n in range(40))
    for high in range(40, 120, 7):
        for part in parts(text, 1, high):
            assert not part.rstrip().rpartition("\n")[2].startswith("#")
            assert part.startswith("## Bagian")


def test_code_tables_and_items_stay_whole_where_they_fit() -> None:
    code = "```python\n" + "".join(f"nilai_{n} = {n}  # satu. dua.\n\n" for n in range(12)) + "```\n"
    rows = "| a | b |\n| --- | --- |\n" + "".join(f"| {n} | Rp 5.000.000 |\n" for n in range(12))
    items = "".join(f"- butir {n}. Kalimat kedua.\n  lanjutan\n" for n in range(12))
    for block in (code, rows):
        text = f"{words(150)}.\n\n{block}\n{words(150)}."
        high = max(estimate(block) + 20, 200)
        assert any(block in part for part in parts(text, 20, high))
    for part in parts(f"{words(20)}.\n\n{items}", 5, 60)[1:]:
        assert part.startswith("- butir")


def test_code_that_does_not_fit_is_cut_at_the_ends_of_its_lines() -> None:
    lines = [f"nilai_{n} = hitung({n}). lalu. Lagi. \n" for n in range(80)]
    text = f"{words(20)}.\n\n```\n" + "".join(lines) + "```\n\nakhir."
    found = chunks(text, 10, 100)
    assert len(found) > 5
    assert not any(one.cut for one in found)
    for one in found[1:-1]:
        assert text[one.start :].startswith(("nilai_", "```"))


def test_a_fence_that_never_closes_is_text() -> None:
    text = f"```\n{words(30)}. {words(30)}.\n\n# Judul\n\n{words(40)}."
    assert chunks(text, 5, 60)[-1].path == ("Judul",)


def test_a_table_keeps_its_head_with_its_first_row() -> None:
    text = words(30) + ".\n\n| nama | harga |\n| --- | --- |\n" + "".join(f"| x{n} | {n} |\n" for n in range(100))
    for part in parts(text, 5, 60)[1:]:
        assert "---" not in part or part.startswith("| nama")


def test_a_sentence_above_the_limit_is_cut_between_words_and_marked() -> None:
    text = words(300) + ". Kalimat pendek."
    found = chunks(text, 10, 50)
    assert all(one.cut for one in found[:-2])
    assert all(text[one.end - 1] == " " for one in found[:-1])
    assert not found[-1].cut


def test_all_but_the_last_have_the_least_and_the_last_ones_share() -> None:
    text = "".join(f"Kalimat nomor {n} ada di sini. " for n in range(400))
    for high in range(100, 200, 9):
        found = chunks(text, 50, high)
        assert all(50 <= one.tokens <= high for one in found)


def test_a_long_line_is_no_slower_than_its_length() -> None:
    text = "Satu kalimat yang pendek saja. " * 20_000
    found = chunks(text, 1000, 4000)
    assert found[-1].end == len(text)
    assert not any(one.cut for one in found)
    assert all(text[one.start :].startswith("Satu") for one in found)


def test_a_year_at_the_start_of_a_line_begins_no_item() -> None:
    text = "Kampus ini didirikan pada tahun\n1998. Sesudah itu ada ```kode``` yang lain\ndan seterusnya. " * 30
    starts = {one.start for one in sentences(text)}
    for part in chunks(text, 5, 40)[1:]:
        assert part.start in starts
        assert not text[part.start :].startswith("1998")


def test_code_within_a_line_opens_no_block() -> None:
    text = f"```satu``` {words(20)}.\n\n# Judul\n\n{words(30)}.\n\n```\n# bukan judul\n```\n\n{words(30)}."
    assert list(dict.fromkeys(one.path for one in chunks(text, 5, 40))) == [(), ("Judul",)]
