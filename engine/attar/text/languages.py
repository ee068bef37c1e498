"""The languages attar knows: their scripts, digits, sentence ends, abbreviations and ways to group digits.

The table is written by hand. Scripts bear Unicode's names, as `regex` and UAX #24 use them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Literal

Grouping = Literal["indian", "thousands"]
Direction = Literal["ltr", "rtl"]

_ASCII = "0123456789"


class UnknownLanguage(ValueError):
    """No such language in the table; the message names the nearest one, or all."""


@dataclass(frozen=True, slots=True)
class Language:
    """One language.

    Attributes:
        code: ISO 639-1, two letters.
        code3: ISO 639-3, three letters.
        name, native: in English, and in the language itself.
        scripts: Unicode script names, the usual one first.
        digits: the ten native digits from zero to nine; ASCII where the language has none of its own in use.
        ends: characters that end a sentence, the usual one first.
        abbreviations: words that a full stop follows without ending the sentence, without that stop, as written.
        closing: abbreviations that may also stand last in a sentence (`etc.`): they end it before a capital.
        numbered: abbreviations only where a number follows (`No. 10`, but "I said no.").
        initials: names of letters, which a full stop follows in a person's initials.
        group, decimal: what parts groups of digits, and the fraction.
        grouping: `indian` 12,34,567 or `thousands` 1,234,567.
        direction: `ltr` or `rtl`.
        aliases: other names and codes by which it is known.
    """

    code: str
    code3: str
    name: str
    native: str
    scripts: tuple[str, ...]
    digits: str = _ASCII
    ends: str = ".!?"
    abbreviations: frozenset[str] = frozenset()
    closing: frozenset[str] = frozenset()
    numbered: frozenset[str] = frozenset()
    initials: frozenset[str] = frozenset()
    group: str = ","
    decimal: str = "."
    grouping: Grouping = "indian"
    direction: Direction = "ltr"
    aliases: tuple[str, ...] = ()


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DEVANAGARI = "०१२३४५६७८९"
_BENGALI = "০১২৩৪৫৬৭৮৯"
# English letters as Devanagari spells them; जी and आई are words too, so a stop after them says nothing.
_LETTERS_HI = _set("ए बी सी डी ई एफ एच जे के एल एम एन ओ पी क्यू आर एस टी यू वी डब्ल्यू एक्स वाई ज़ेड")
_ENGLISH = _set(
    "Mr Mrs Ms Dr Prof Shri Smt Sri St Rev Hon Capt Col Gen Lt Maj Sgt Gov Pres Sen Rep Jr Sr vs viz cf ca approx Rs "
    "Dept Govt e.g i.e"
)

_ENGLISH_NUMBERED = _set(
    "No Nos no nos Vol vol Fig fig Figs Eq Sec Ch ch pp p Art Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec"
)

_TABLE = (
    Language(
        "en", "eng", "English", "English", ("Latin",),
        abbreviations=_ENGLISH,
        closing=_set("etc Inc Ltd Pvt Co Corp al a.m p.m U.S U.K Ph.D M.A B.A B.Sc M.Sc B.Tech M.Tech"),
        numbered=_ENGLISH_NUMBERED, grouping="thousands",
    ),
    Language(
        "hi", "hin", "Hindi", "हिन्दी", ("Devanagari",), _DEVANAGARI, "।?!॥.",
        _set("डॉ डा श्री पं प्रो कु स्व ई.पू ई.स वि.सं रु मो अ.जा ले कै न्या लि कं प्रा"),
        initials=_LETTERS_HI, aliases=("hindi", "hindustani"),
        numbered=_set("नं सं क्र पृ सन् ता अनु"),
    ),
    Language(
        "bn", "ben", "Bengali", "বাংলা", ("Bengali",), _BENGALI, "।?!॥.",
        _set("ড ডা ডঃ মি মিঃ মো মোঃ মোহাঃ অধ্যাঃ শ্রী প্রো লি খ্রি খ্রিঃ সে টা বি.এ এম.এ"),
        aliases=("bangla", "bengali"),
        numbered=_set("নং পৃ সং তাং"),
    ),
    Language(
        "ta", "tam", "Tamil", "தமிழ்", ("Tamil",), "௦௧௨௩௪௫௬௭௮௯", ".?!",
        _set("திரு திருமதி செல்வி டாக்டர் முனைவர் பேரா கி.பி கி.மு ரூ எ.கா மு.ப பி.ப லிட்"),
        numbered=_set("எண் பக் ப வ"),
    ),
    Language(
        "te", "tel", "Telugu", "తెలుగు", ("Telugu",), "౦౧౨౩౪౫౬౭౮౯", ".?!।",
        _set("డా డాక్టర్ శ్రీ శ్రీమతి ప్రొ రూ క్రీ.శ క్రీ.పూ చి కీ.శే లి"),
        numbered=_set("సం నం పే పు"),
    ),
    Language(
        "mr", "mar", "Marathi", "मराठी", ("Devanagari",), _DEVANAGARI, ".?!।",
        _set("डॉ डा श्री सौ प्रा प्रो कु कै ह.भ.प इ.स इ.स.पू रु उदा चि ना मा न्या स्व सं पं लि कं ता जि वि.सं"),
        initials=_LETTERS_HI | _set("व्ही डब्ल्यु झेड ह"),
        numbered=_set("क्र पृ क्रं नं ता कलम"),
    ),
    Language(
        "gu", "guj", "Gujarati", "ગુજરાતી", ("Gujarati",), "૦૧૨૩૪૫૬૭૮૯", ".?!।",
        _set("ડૉ ડો શ્રી શ્રીમતી પ્રો રૂ રુ ઈ.સ વિ.સં સ્વ કુ ચિ તા જિ લિ મો"),
        initials=_set("એ બી સી ડી ઈ એફ એચ જે કે એલ એમ એન ઓ પી આર એસ ટી યુ વી"),
        numbered=_set("નં પૃ તા ક્ર"),
    ),
    Language(
        "kn", "kan", "Kannada", "ಕನ್ನಡ", ("Kannada",), "೦೧೨೩೪೫೬೭೮೯", ".?!।",
        _set("ಡಾ ಶ್ರೀ ಶ್ರೀಮತಿ ಪ್ರೊ ರೂ ಕ್ರಿ.ಶ ಕ್ರಿ.ಪೂ ಚಿ ಕು ಲಿ"),
        numbered=_set("ಸಂ ನಂ ಪು ಕ್ರ"),
    ),
    Language(
        "ml", "mal", "Malayalam", "മലയാളം", ("Malayalam",), "൦൧൨൩൪൫൬൭൮൯", ".?!।",
        _set("ഡോ ശ്രീ ശ്രീമതി പ്രൊഫ രൂ ക്രി.വ ക്രി.മു അഡ്വ കു ലി ഉദാ"),
        numbered=_set("നം പേ ക്ര"),
    ),
    Language(
        "pa", "pan", "Punjabi", "ਪੰਜਾਬੀ", ("Gurmukhi",), "੦੧੨੩੪੫੬੭੮੯", "।?!॥.",
        _set("ਡਾ ਸ ਸ੍ਰ ਸ੍ਰੀ ਸ਼੍ਰੀ ਪ੍ਰੋ ਰੁ ਪੰ ਈ ਬੀਬੀ ਗਿ ਕੈ"),
        aliases=("panjabi", "gurmukhi"),
        numbered=_set("ਨੰ ਸੰ ਪੰ"),
    ),
    Language(
        "or", "ory", "Odia", "ଓଡ଼ିଆ", ("Oriya",), "୦୧୨୩୪୫୬୭୮୯", "।?!॥.",
        _set("ଡ ଡା ଡଃ ଶ୍ରୀ ଶ୍ରୀମତୀ ପ୍ରୋ ପ୍ରଫେ ଟ ଖ୍ରୀ ଖ୍ରୀ.ଅ ମି ଲି"),
        aliases=("oriya", "ori"),
        numbered=_set("ନଂ ପୃ ସଂ"),
    ),
    Language(
        "as", "asm", "Assamese", "অসমীয়া", ("Bengali",), _BENGALI, "।?!॥.",
        _set("ড ডা ড° ডঃ শ্ৰী শ্ৰীমতী অধ্যা খ্ৰীঃ খ্ৰী মি লি"),
        numbered=_set("নং পৃ সং তাং"),
    ),
    Language(
        "ur", "urd", "Urdu", "اردو", ("Arabic",), "۰۱۲۳۴۵۶۷۸۹", "۔؟!.",
        _set("ڈ پ م ص ج ق.م ء"),
        direction="rtl",
    ),
    Language(
        "sa", "san", "Sanskrit", "संस्कृतम्", ("Devanagari",), _DEVANAGARI, "।॥?!.",
        _set("डॉ श्री पं प्रो सं क्र.सं"), initials=_LETTERS_HI,
        numbered=_set("सं पृ क्र"),
    ),
    Language(
        "id", "ind", "Indonesian", "Bahasa Indonesia", ("Latin",),
        abbreviations=_set(
            "Rp Jl Jln Jend Gg Bp Bpk Sdr Sdri Tn Ny Nn Dr dr Drs Dra Ir Prof H Hj K.H KH R.A Tgl tgl "
            "Kab Kec Kel Ds Dsn Prov Telp Tlp Fax dng yth Yth a.n u.p d.a s.d RT RW ttd "
            "Gub Letjen Brigjen Mayjen Kol Kapt"
        ),
        closing=_set("dll dsb dst dkk S.H S.E S.Pd M.Pd S.Kom M.Kom S.T M.T S.Si M.Si M.M Ph.D Tbk M.Hum SWT SAW"),
        group=".", decimal=",", grouping="thousands",
        aliases=("bahasa", "bahasa indonesia"),
        numbered=_set("No no hlm hal Hal cet Vol vol Jan Feb Mar Apr Jun Jul Agt Sep Okt Nov Des Ps"),
    ),
    Language(
        "jv", "jav", "Javanese", "Basa Jawa", ("Latin", "Javanese"), "꧐꧑꧒꧓꧔꧕꧖꧗꧘꧙", ".!?꧉",
        abbreviations=_set(
            "Rp Jl Jln Bp Bpk R.M R.A R.Ng K.R.T K.R.M.T Prof Dr Drs Ir H Hj K.H KH Kab Kec Ds Dsn "
            "Sdr Tgl tgl"
        ),
        closing=_set("lsp lss dll dkk S.Pd M.Pd S.H S.E"),
        group=".", decimal=",", grouping="thousands",
        aliases=("basa jawa", "jawa"),
        numbered=_set("No no kc kaca hlm"),
    ),
)  # fmt: skip

LANGUAGES: Mapping[str, Language] = MappingProxyType({one.code: one for one in _TABLE})
"""All languages by ISO 639-1 code."""

_NAMES: dict[str, str] = {
    name.casefold(): one.code for one in _TABLE for name in (*one.aliases, one.native, one.name, one.code3, one.code)
}


def language(code_or_name: str | Language) -> Language:
    """A language by its code (`hi`, `hin`, `hi-IN`, `hin_Deva`), its English or its native name, in any case.

    Raises:
        UnknownLanguage: it is not in the table; the message says which is meant, or which there are.
    """
    if isinstance(code_or_name, Language):
        return code_or_name
    asked = code_or_name.strip().casefold()
    found = _NAMES.get(asked) or _NAMES.get(asked.replace("_", "-").partition("-")[0])
    if found is not None:
        return LANGUAGES[found]
    near = get_close_matches(asked, _NAMES, n=1, cutoff=0.6)
    told = (
        f"did you mean {LANGUAGES[_NAMES[near[0]]].name} ({_NAMES[near[0]]})?"
        if near
        else "known: " + ", ".join(f"{one.code} {one.name}" for one in _TABLE)
    )
    raise UnknownLanguage(f"no language {code_or_name!r}; {told}")
