"""Text in many languages, for steps: which they are, and words, sentences, scripts, digits, numbers and names in them.

Not imported by `attar.api` itself: it costs `regex`, which only steps that look into texts need.
"""

from attar.text import (
    LANGUAGES,
    SCRIPTS,
    WORD,
    Language,
    Number,
    Segment,
    Spoken,
    UnknownLanguage,
    ascii_digits,
    characters,
    language,
    letters,
    native_digits,
    number_differences,
    numbers,
    same_name,
    script_of,
    script_share,
    scripts,
    sentences,
    skeletons,
    words,
)

__all__ = [
    "LANGUAGES",
    "SCRIPTS",
    "WORD",
    "Language",
    "Number",
    "Segment",
    "Spoken",
    "UnknownLanguage",
    "ascii_digits",
    "characters",
    "language",
    "letters",
    "native_digits",
    "number_differences",
    "numbers",
    "same_name",
    "script_of",
    "script_share",
    "scripts",
    "sentences",
    "skeletons",
    "words",
]
