"""rag.documents: every format to the same rows, faults in their places, and what cleaning may not touch."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attar.api import ConfigProblem, Reject
from attar.testing import StepContract, build, run_source
from attar_rag.documents.source import Documents
from attar_rag.documents.text import clean

ROOT = Path(__file__).parents[2]
TEXT = "# Perpustakaan\n\nBuku dipinjam 14 hari.\n\n## हिन्दी\n\nकिताबें चौदह दिन के लिए मिलती हैं।"
PAGE = f"""<html><head><title>Perpustakaan kampus</title></head><body>
<nav><ul><li><a href="/">Beranda</a></li><li><a href="/peta">Peta situs</a></li></ul></nav>
<main><article><h1>Perpustakaan</h1>{
    "".join(
        f"<p>Paragraf {n} menjelaskan bahwa buku dipinjam {n + 7} hari dan denda dihitung per hari.</p>"
        for n in range(12)
    )
}</article></main><footer>Hak cipta 2026</footer></body></html>"""


class TestContract(StepContract):
    step = Documents
    config = {"path": str(ROOT / "recipes" / "data" / "handbook")}


def read(path: Path | list[str], **config: Any) -> dict[str, Any]:
    where = path if isinstance(path, list) else str(path)
    return {str(key): row for key, row in run_source(build(Documents, {"path": where, **config}))}


def test_a_folder_is_read_in_the_order_of_its_names_with_folders_as_categories() -> None:
    rows = read(ROOT / "recipes" / "data" / "handbook")
    assert list(rows) == sorted(rows)
    first = rows["akademik/pendaftaran.md"]
    assert (first["doc_id"], first["category"]) == ("akademik/pendaftaran.md", "akademik")
    assert (first["source"], first["format"], first["title"]) == ("handbook", "markdown", "Pendaftaran Mahasiswa Baru")
    assert first["text"].startswith("# Pendaftaran Mahasiswa Baru\n")


def test_each_format_of_records_gives_the_same_document(tmp_path: Path) -> None:
    record = {"name": "a", "body": TEXT, "head": "Buku", "group": "layanan"}
    (tmp_path / "one.jsonl").write_text(json.dumps(record) + "\n\n", encoding="utf-8")
    cells = ",".join('"' + value.replace('"', '""') + '"' for value in record.values())
    (tmp_path / "one.csv").write_text(f"name,body,head,group\n{cells}\n", encoding="utf-8")
    pq.write_table(pa.Table.from_pylist([record]), tmp_path / "one.parquet")
    columns = {"text_column": "body", "id_column": "name", "title_column": "head", "category_column": "group"}
    rows = read(tmp_path, source="perpus", **columns)
    assert list(rows) == ["one.csv#a", "one.jsonl#a", "one.parquet#a"]
    wanted = {"text": TEXT, "title": "Buku", "source": "perpus", "category": "layanan"}
    for row in rows.values():
        assert {name: row[name] for name in wanted} == wanted


def test_a_web_page_is_its_text_without_its_navigation(tmp_path: Path) -> None:
    pytest.importorskip("trafilatura")
    (tmp_path / "page.html").write_text(PAGE, encoding="utf-8")
    [row] = read(tmp_path).values()
    assert (row["title"], row["format"]) == ("Perpustakaan", "html")
    assert "Paragraf 11 menjelaskan" in row["text"] and "# Perpustakaan" in row["text"]
    assert "Peta situs" not in row["text"] and "Hak cipta" not in row["text"]


def pdf(*pages: list[str]) -> bytes:
    """A PDF as small as one can be: a font, and lines of ASCII text."""
    objects = ["<</Type/Catalog/Pages 2 0 R>>", "", "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    for lines in pages:
        shown = " ".join(f"({line}) Tj T*" for line in lines)
        stream = f"BT /F1 12 Tf 14 TL 50 780 Td {shown} ET"
        objects.append(f"<</Length {len(stream)}>>stream\n{stream}\nendstream")
        font = "/Resources<</Font<</F1 3 0 R>>>>/MediaBox[0 0 595 842]"
        objects.append(f"<</Type/Page/Parent 2 0 R/Contents {len(objects)} 0 R{font}>>")
    kids = " ".join(f"{5 + 2 * n} 0 R" for n in range(len(pages)))
    objects[1] = f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>"
    body, places = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj{content}endobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    trailer = f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{len(body)}\n%%EOF"
    return f"{body}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode()


def test_a_pdf_is_its_paragraphs_without_running_heads_and_page_numbers(tmp_path: Path) -> None:
    pytest.importorskip("pypdf")
    things = ["Buku", "Majalah", "Peta", "Film"]
    pages = [
        [f"Panduan kampus bab {n}", f"{one} dipinjam di meja pertama perpus-", "takaan dan dibawa pulang selama dua",
         f"minggu. {one} langka.", f"Denda {one} {n} ribu.", f"- {n} -"]
        for n, one in enumerate(things)
    ]  # fmt: skip
    (tmp_path / "a.pdf").write_bytes(pdf(*pages))
    (tmp_path / "b.pdf").write_bytes(pdf([]))
    (tmp_path / "c.pdf").write_bytes(pdf(*pages)[:300])
    rows = read(tmp_path)
    assert rows["a.pdf"]["text"] == "\n\n".join(
        f"{one} dipinjam di meja pertama perpustakaan dan dibawa pulang selama dua minggu. {one} langka.\n\n"
        f"Denda {one} {n} ribu."
        for n, one in enumerate(things)
    )
    assert rows["b.pdf"]["text"] == ""
    assert rows["c.pdf"].code == "torn"


def test_a_docx_keeps_headings_lists_and_tables(tmp_path: Path) -> None:
    docx = pytest.importorskip("docx")
    made = docx.Document()
    made.core_properties.title = "Panduan"
    made.add_heading("पुस्तकालय", 2)
    made.add_paragraph("किताबें चौदह दिन के लिए मिलती हैं।")
    for item in ("satu", "dua"):
        made.add_paragraph(item, style="List Bullet")
    table = made.add_table(2, 2)
    for n, text in enumerate(["hari", "jam", "Senin", "8|16"]):
        table.cell(n // 2, n % 2).text = text
    made.save(tmp_path / "a.docx")
    (tmp_path / "b.docx").write_bytes(b"PK no zip")
    rows = read(tmp_path)
    text = "## पुस्तकालय\n\nकिताबें चौदह दिन के लिए मिलती हैं।\n\n- satu\n- dua\n\n"
    text += "| hari | jam |\n| --- | --- |\n| Senin | 8\\|16 |"
    assert (rows["a.docx"]["text"], rows["a.docx"]["title"]) == (text, "Panduan")
    assert rows["b.docx"].code == "torn"


def test_a_transcript_is_its_speakers_turns(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text(
        "1\n00:00:01,000 --> 00:00:02,500\nIbu Ratna: Selamat pagi.\n\n2\n00:00:03,000 --> 00:00:04,000\n"
        "<i>Kantor buka</i> pukul 08:00.\n\n3\n00:00:04,000 --> 00:00:05,000\n[musik]\nBudi: Terima kasih.\n"
    )
    (tmp_path / "b.vtt").write_text(
        "WEBVTT\n\nNOTE not said\n\n00:01.000 --> 00:02.000 align:start\n<v रमेश>नमस्ते।\n\n00:02.000 --> 00:03.000\n"
        "<v रमेश>नमस्ते।\nआप कैसे हैं?\n"
    )
    rows = read(tmp_path)
    assert rows["a.srt"]["text"] == "Ibu Ratna: Selamat pagi. Kantor buka pukul 08:00.\n\nBudi: Terima kasih."
    assert rows["b.vtt"]["text"] == "रमेश: नमस्ते। आप कैसे हैं?"


def test_a_library_that_is_missing_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.pdf").write_bytes(b"")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    [problem] = build(Documents, {"path": str(tmp_path)}).check({})
    assert "pypdf" in problem.message and "attar[documents]" in problem.help


def test_what_cannot_be_read_is_told_with_its_place_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes("satu\ndua\nti\xe9ga\n".encode("latin-1"))
    (tmp_path / "b.md").write_text("")
    (tmp_path / "c.jsonl").write_bytes(
        b'{"text": "good", "id": "x"}\n{"text": \n"text"\n{"text": 3, "id": "n"}\n{"id": "none"}\n'
        b'{"text": "again", "id": "x"}\n\xff\xfe\n{"text": "no name"}\n{"text": null, "id": "empty"}\n'
    )
    (tmp_path / "d.csv").write_text("id,text\n1,satu\n2\n")
    (tmp_path / "e.parquet").write_bytes(b"PAR1 torn")
    (tmp_path / "f.md").write_text("x" * 2000)
    rows = read(tmp_path, id_column="id", max_bytes=1500)
    good = {key: row["text"] for key, row in rows.items() if not isinstance(row, Reject)}
    assert good == {"b.md": "", "c.jsonl#x": "good", "c.jsonl#empty": "", "d.csv#1": "satu"}
    bad = [row for row in rows.values() if isinstance(row, Reject)]
    assert [one.code for one in bad] == [
        *("encoding", "invalid_json", "not_object", "schema", "schema", "duplicate_id", "encoding", "missing_id"),
        *("invalid_csv", "torn", "too_large"),
    ]
    assert bad[0].detail == "a.md: line 3: byte 0xE9 at 11 is no utf-8"
    assert "c.jsonl: line 7" in bad[6].detail


def test_moving_or_filling_the_folder_changes_no_key_and_slices_make_up_the_whole(tmp_path: Path) -> None:
    for name in ("b.md", "x/a.txt", "x/c.md"):
        (tmp_path / "one" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "one" / name).write_text(f"# {name}\n")
    before = set(read(tmp_path / "one"))
    (tmp_path / "one").rename(tmp_path / "two")
    (tmp_path / "two" / "a.md").write_text("first")
    (tmp_path / "two" / ".hidden.md").write_text("no")
    step = build(Documents, {"path": str(tmp_path / "two")})
    whole = run_source(step)
    assert before < {key for key, _ in whole} and len(whole) == 4
    assert [one for n in range(4) for one in run_source(step, n, n + 1)] == whole
    assert len(step.inputs()) == 4


def test_categories_by_pattern_and_by_heading(tmp_path: Path) -> None:
    (tmp_path / "guide-a.md").write_text("## 6.3. Perintah apt\n")
    (tmp_path / "sect.b.md").write_text("# Bab 12. Jaringan\n")
    (tmp_path / "plain.md").write_text("no heading\n")
    rows = read(tmp_path, categories={"guide-*": "guides"}, category_heading=r"^(?:Bab )?(\d+)\.")
    assert [row["category"] for row in rows.values()] == ["guides", None, "12"]
    (tmp_path / "help.jsonl").write_text('{"id": "calc/7", "text": "a"}\n{"id": "top", "text": "b"}\n')
    rows = read(tmp_path / "help.jsonl", id_column="id", category_id=r"#(\w+)/")
    assert {name: row["category"] for name, row in rows.items()} == {
        "help.jsonl#calc/7": "calc",
        "help.jsonl#top": None,
    }


def test_two_folders_keep_their_names_apart_and_are_two_sources(tmp_path: Path) -> None:
    for folder in ("wiki", "forum"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.md").write_text(folder)
    rows = read([str(tmp_path / "wiki"), str(tmp_path / "forum")])
    assert {key: row["source"] for key, row in rows.items()} == {"wiki/a.md": "wiki", "forum/a.md": "forum"}
    (tmp_path / "c.md").write_text("c")
    below = {key: row["source"] for key, row in read(tmp_path, source_folders=True).items()}
    assert below == {"wiki/a.md": "wiki", "forum/a.md": "forum", "c.md": tmp_path.name}


def test_mistakes_are_told_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "handbook").mkdir()
    with pytest.raises(ConfigProblem, match="is not there") as missing:
        build(Documents, {"path": str(tmp_path / "handbok")}).writes({})
    assert "'handbook'" in missing.value.help
    (tmp_path / "handbook" / "a.odt").write_text("x")
    with pytest.raises(ConfigProblem, match=r"holds no document; there are \.odt"):
        build(Documents, {"path": str(tmp_path / "handbook")}).writes({})
    (tmp_path / "handbook" / "a.md").write_text("x")
    wrong = {"drop_lines": ["("], "category_heading": "no group", "category_id": "none", "encoding": "utf-9"}
    step = build(Documents, {"path": str(tmp_path / "handbook"), **wrong})
    assert [one.field for one in step.check({})] == [
        ("encoding",),
        ("drop_lines", 0),
        ("category_heading",),
        ("category_id",),
    ]


def test_a_file_that_is_gone_when_its_turn_comes(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("x")
    step = build(Documents, {"path": str(tmp_path)})
    step.writes({})
    (tmp_path / "a.md").unlink()
    [(key, row)] = run_source(step)
    assert isinstance(row, Reject) and (key, row.code) == ("a.md", "unreadable")


def test_cleaning_joins_what_a_page_broke_and_drops_navigation() -> None:
    code = "```\nls -l\ncd ..\n```"
    scanned = f"# Judul\n\nPerpustakaan di-\nbuka setiap\nhari kerja.\n- satu\n- dua\n\n{code}\n- Sebelumnya6.2. Apt\n"
    assert clean(scanned, unwrap=True, drop_lines=["- Sebelumnya.*"]) == (
        "# Judul\n\nPerpustakaan dibuka setiap hari kerja.\n- satu\n- dua\n\n" + code
    )


def test_cleaning_keeps_joiners_and_marks() -> None:
    kept = "क्\u200dष नेपाल\u200cमें ന്‍ कि की कु ড়"
    assert clean("\ufeff" + kept + "\u00ad\x00\r\n") == unicodedata.normalize("NFC", kept)


@given(st.text(st.sampled_from("ab-– \n\r\t\x00\ufeff\u00adकि\u200dé़#`1.|")), st.booleans())
def test_cleaning_twice_is_cleaning_once(text: str, unwrap: bool) -> None:
    once = clean(text, unwrap=unwrap)
    assert unicodedata.is_normalized("NFC", once) and "\r" not in once and "\x00" not in once
    assert clean(once) == once
