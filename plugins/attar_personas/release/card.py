"""The dataset card of a release: README.md with a YAML header as dataset hubs read it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from attar_personas.release.schema import PROPERTIES

if TYPE_CHECKING:
    from attar_personas.release.export import PersonaReleaseConfig
    from attar_personas.release.tally import Tally

_SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B")


def size_category(rows: int) -> str:
    """Size class of a dataset as hubs name it."""
    place = 0 if rows < 1000 else min(len(str(rows)) - 3, len(_SIZES) - 1)
    return _SIZES[place]


def card(config: PersonaReleaseConfig, tally: Tally) -> str:
    """The card's text. It says what the files show; how the personas were made and chosen is for the maker to say."""
    cap = "" if config.cap is None else f" No domain holds more than {config.cap:,}."
    names = ", ".join(f"`{name}`" for name in (*PROPERTIES, *config.extra))
    lines = "jsonl.zst" if config.jsonl_compression == "zst" else "jsonl"
    return f"""{_header(config, tally)}
# {config.title}

{tally.rows:,} synthetic personas in {len(tally.domains):,} domains.{cap} A persona is a short description of a person
who does not exist: what they do, know and care about. Personas steer the writing of prompts, questions and texts, so
that a dataset covers more than one kind of author.

## Files

| file | what it holds |
| --- | --- |
| `parquet/part-*.parquet` | compact: `id`, `persona`, `domain` |
| `jsonl/part-*.{lines}` | detailed: {names} |
| `persona.schema.json` | JSON Schema of a line of the detailed files |
| `distribution.csv`, `distribution.md` | all domains with their counts; the figures below |
| `manifest.json`, `sha256sums.txt` | every file with its size and SHA-256; `sha256sum -c sha256sums.txt` checks them |
| `read_example.py` | reads the Parquet files as a stream, 10,000 personas at a time |

Both formats hold the same personas under the same ids, in the same order. An `id` is a UUID of version 8. `domain` is a
bucket: the label in lower case, its words joined by `_`, cut down to its leading word where the maker chose so;
`domain_raw` is the label as it was.

```python
import pyarrow.dataset as ds

dataset = ds.dataset("parquet", format="parquet")
for batch in dataset.to_batches(columns=["id", "persona", "domain"], batch_size=10_000):
    ...
```

## How it was made

{config.made or "The maker of this release has not said how the personas were made; see `synth_method`."}

`synth_method` tells for each persona how it came to be, `confidence_score` how sure its maker was, where it is known.

## Distribution

{tally.markdown()}
The Gini coefficient is 0 where all domains are equally large and near 1 where one holds nearly all.

## Intended use

Research on and making of synthetic data: conditioning prompts, widening the range of authors and askers, probing how
models treat different people, embedding and clustering.

## Out of scope

- Statements about real people or groups: shares here are shares of this release, not of any population.
- Profiling, targeting or manipulating people; passing personas off as real persons.
- Decisions about people, of any kind.

## Limits

- Personas carry the leanings of the tables, texts and models they were made from; groups that those see little of are
  thin here, too.
- Screens for personal data and for names of public figures find what has a form or stands on a list; they cannot prove
  that there is none. Report what you find.
- Many personas of one kind read alike: similar texts were not compared unless the maker says so above.

## Licence

`{config.license}`
"""


def _header(config: PersonaReleaseConfig, tally: Tally) -> str:
    def text(value: str) -> str:
        return json.dumps(value, ensure_ascii=False)  # a JSON string is a YAML one

    jsonl = "jsonl/part-*.jsonl.zst" if config.jsonl_compression == "zst" else "jsonl/part-*.jsonl"
    return "\n".join(
        [
            "---",
            f"pretty_name: {text(config.title)}",
            f"license: {text(config.license)}",
            "language:",
            *(f"- {text(code)}" for code in config.languages),
            "task_categories:",
            "- text-generation",
            "size_categories:",
            f"- {size_category(tally.rows)}",
            "tags:",
            "- personas",
            "- synthetic",
            "configs:",
            "- config_name: compact",
            "  default: true",
            "  data_files: parquet/part-*.parquet",
            "- config_name: detailed",
            f"  data_files: {jsonl}",
            "---",
            "",
        ]
    )
