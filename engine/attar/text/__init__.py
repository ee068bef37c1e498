"""Text in the languages of India and Indonesia: words, sentences, scripts, digits, numbers and names in them.

Imports nothing else of attar. Everything here is a pure function of its arguments.
"""

from attar.text.digits import ascii_digits, native_digits
from attar.text.languages import LANGUAGES, Language, UnknownLanguage, language
from attar.text.numbers import Number, number_differences, numbers
from attar.text.scripts import SCRIPTS, letters, script_of, script_share, scripts
from attar.text.segments import WORD, Segment, characters, sentences, words
from attar.text.skeleton import Spoken, same_name, skeletons

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
