"""The output format persona_release: a folder that can be published as it is."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, RowSet, Sink, id_words, json_lines, text_bytes
from attar_personas.release.schema import OPTIONAL, PROPERTIES

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from attar_personas.release.files import JsonlParts, ParquetParts, Written
    from attar_personas.release.tally import Tally


class PersonaReleaseConfig(Config):
    """See PersonaRelease."""

    title: str = Field("Persona release", min_length=1, description="name of the release, as its card shows it")
    license: str = Field(
        "other", min_length=1, description="licence identifier, as dataset hubs write it (cc-by-4.0, …)"
    )
    languages: tuple[str, ...] = Field(("en",), min_length=1, description="language codes of the personas")
    made: str = Field("", description="how the personas were made, in a sentence or two for the card")
    cap: int | None = Field(None, ge=1, description="cap per domain that was held, for the card and the figures")
    text: str = Field("persona", min_length=1, description="column with the persona")
    domain: str = Field("domain", min_length=1, description="column with the normalised domain")
    domain_raw: str | None = Field("domain_raw", description="column with the label as it was; null: none")
    synth_method: str | None = Field("synth_method", description="column that says how a persona was made; null: none")
    confidence_score: str | None = Field("confidence_score", description="column with a score; null: none")
    extra: tuple[str, ...] = Field((), description="further columns for the JSONL, under their own names")
    rows_per_file: int = Field(1_000_000, ge=1, description="rows in each file of the release")
    jsonl_compression: Literal["none", "zst"] = Field("none", description="how the JSONL files are compressed")


class PersonaRelease(Sink[PersonaReleaseConfig]):
    """A release of personas: `parquet/` (id, persona, domain) and `jsonl/` (id, persona_description, domain,
    domain_raw, synth_method, confidence_score and what `extra` names) with the same ids in the same order;
    `persona.schema.json`, `distribution.csv` and `.md`, `README.md` (a dataset card), `read_example.py`,
    `manifest.json`, `sha256sums.txt`.

    Ids are UUIDs of version 8, made of the rows' own ids. Equal rows give equal bytes. Streams; memory holds some
    20,000 rows, and 8 bytes of each id to see that none comes twice.
    """

    Config = PersonaReleaseConfig

    def reads(self, incoming: Columns) -> Columns:
        config = self.config
        wanted: dict[str, str] = {config.text: "string", config.domain: "string", **dict.fromkeys(config.extra, "any")}
        kinds = zip(self._optional(), ("string?", "string?", "float?"), strict=True)
        return {**wanted, **{column: kind for column, kind in kinds if column is not None}}

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        for n, name in enumerate(self.config.extra):
            if name in PROPERTIES:
                yield ConfigProblem(
                    ("extra", n), f"{name!r} is a property every release has", "rename the column (std.rename)", "E502"
                )

    def _optional(self) -> tuple[str | None, ...]:
        config = self.config
        return config.domain_raw, config.synth_method, config.confidence_score

    def write(self, rows: RowSet, ctx: Context) -> None:
        import numpy as np

        from attar_personas.release.card import card
        from attar_personas.release.files import JsonlParts, ParquetParts, groups, write_text
        from attar_personas.release.schema import text
        from attar_personas.release.tally import Tally

        out, config = ctx.out, self.config
        tally = Tally(config.cap)
        parquet, jsonl = ParquetParts(out), JsonlParts(out, config.jsonl_compression)
        known = np.empty(len(rows), np.uint64)
        columns = list(dict.fromkeys(self.reads({})))
        with ThreadPoolExecutor(1, "parquet") as pool:  # Arrow works outside the interpreter lock
            for new_file, piece in groups(rows.batches(columns), config.rows_per_file):
                if new_file:
                    parquet.begin()
                    jsonl.begin()
                self._piece(piece, parquet, jsonl, tally, known, pool)
        if not tally.rows:  # files that hold no row still show the columns
            parquet.begin()
            jsonl.begin()
        parquet.end()
        jsonl.end()
        demand_unique(known, rows)
        example = (Path(__file__).parent / "read_example.py").read_text(encoding="utf-8")
        written = [
            *parquet.written,
            *jsonl.written,
            write_text(out, "persona.schema.json", text()),
            write_text(out, "distribution.csv", tally.csv()),
            write_text(out, "distribution.md", tally.markdown()),
            write_text(out, "read_example.py", example),
            write_text(out, "README.md", card(config, tally)),
        ]
        written.append(write_text(out, "manifest.json", manifest(config, tally, written)))
        write_text(out, "sha256sums.txt", "".join(f"{one.sha256}  {one.path}\n" for one in written))

    def _piece(
        self,
        piece: pa.RecordBatch,
        parquet: ParquetParts,
        jsonl: JsonlParts,
        tally: Tally,
        known: NDArray[np.uint64],
        pool: ThreadPoolExecutor,
    ) -> None:
        import pyarrow as pa

        from attar_personas.release.uuids import uuid_keys, uuids

        config = self.config
        words = id_words(piece.column("id"))
        known[tally.rows : tally.rows + len(words)] = uuid_keys(words)
        ids = uuids(words)
        persona, domain = piece.column(config.text), piece.column(config.domain)
        compact = pa.RecordBatch.from_arrays([ids, persona, domain], schema=parquet.schema)
        writing = pool.submit(parquet.add, compact)
        optional = {
            name: pa.nulls(len(words), pa.string()) if column is None else piece.column(column)
            for name, column in zip(OPTIONAL, self._optional(), strict=True)
        }
        own = {"id": ids, "persona_description": persona, "domain": domain, **optional}
        fields = [pa.field(name, array.type) for name, array in own.items()]
        for name in config.extra:
            own[name] = piece.column(name)
            fields.append(piece.schema.field(name))
        detailed = pa.RecordBatch.from_arrays(list(own.values()), schema=pa.schema(fields))
        jsonl.add(text_bytes(json_lines(detailed, end="\n")), len(words))
        tally.add(persona, domain, optional)
        writing.result()


def demand_unique(known: NDArray[np.uint64], rows: RowSet) -> None:
    """Demands that no two rows have one UUID.

    Args:
        known: `uuid_keys` of all rows; sorted in place. Only rows that share one are read again.

    Raises:
        RuntimeError: two have.
    """
    import numpy as np

    from attar_personas.release.uuids import uuid_keys, uuids

    known.sort()
    shared = np.unique(known[1:][known[1:] == known[:-1]])
    if not len(shared):
        return
    seen: set[str] = set()
    for batch in rows.batches([]):
        words = id_words(batch.column("id"))
        for text in uuids(words[np.isin(uuid_keys(words), shared)]).to_pylist():
            if text in seen:
                raise RuntimeError(f"two rows have the UUID {text}: their ids differ in no bit that a UUID keeps")
            seen.add(text)


def manifest(config: PersonaReleaseConfig, tally: Tally, written: list[Written]) -> str:
    """manifest.json: the figures, the columns, and every file with its size and SHA-256."""
    import json

    found: dict[str, Any] = {
        "format": "attar-persona-release/1",
        "title": config.title,
        "license": config.license,
        "languages": list(config.languages),
        "figures": tally.figures(),
        "parquet_columns": ["id", "persona", "domain"],
        "jsonl_properties": [*PROPERTIES, *config.extra],
        "files": [{k: v for k, v in one._asdict().items() if v is not None} for one in written],
    }
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"
