"""Words that point at something outside a question: at the text it was made from, or at nobody knows what.

English, Hindi, Indonesian and Tamil. All patterns are tried whatever a text's language: the languages mix, and their
words for pointing are not shared. The lists are written by hand.
"""

from __future__ import annotations

from typing import NamedTuple

import regex

_OFF = r"(?![\p{L}\p{M}\p{N}])"
_ON = r"(?<![\p{L}\p{M}\p{N}])"


class Pointer(NamedTuple):
    """Words that point out of a text: `whole[start:end] == text`."""

    text: str
    start: int
    end: int


def _any(words: str) -> str:
    """Alternatives, parted by `|`, as a pattern."""
    return "|".join(r"\s+".join(word.split()) for word in words.split("|"))


# Nouns for the text itself, and nouns that are as often something the text is about (a document to hand in).
_EN_TEXT = _any("passage | excerpt | snippet | paragraph")
_EN_MAYBE = _any(
    """
    text | document | article | chapter | section | page | extract | context |
    handbook | guide | material | source | content | information | table | figure |
    list | example | sentence | statement | author | writer
    """
)
_EN_GIVEN = _any(
    """
    above | given | provided | following | preceding | previous | aforementioned |
    below
    """
)
_EN_SAYS = _any(
    """
    say | says | mention | mentions | mentioned | state | states | describe |
    describes | explain | explains | discuss | discusses | suggest | suggests |
    tell us | tells us
    """
)
_HI_TEXT = _any("गद्यांश | अनुच्छेद | परिच्छेद | उद्धरण")
_HI_MAYBE = _any(
    """
    पाठ | लेख | दस्तावेज़ | दस्तावेज | अंश | टेक्स्ट | अध्याय | खंड | खण्ड | पृष्ठ |
    सामग्री | जानकारी | संदर्भ | तालिका | सूची | उदाहरण | कथन | लेखक | विवरण |
    पंक्ति | पंक्तियों
    """
)
_HI_GIVEN = _any(
    """
    उपरोक्त | उपर्युक्त | दिए गए | दिये गये | दिए हुए | दी गई | दी गयी | दिया गया |
    निम्नलिखित | प्रस्तुत | ऊपर के | ऊपर की | नीचे दिए गए | नीचे दी गई
    """
)
_HI_BY = _any("के अनुसार | के मुताबिक | के मुताबिक़ | के आधार पर | की मदद से")
_ID_TEXT = _any("bacaan | kutipan | wacana | paragraf | cuplikan | petikan")
_ID_MAYBE = _any(
    """
    teks | dokumen | artikel | bagian | bab | naskah | tulisan | konteks | halaman |
    tabel | gambar | daftar | contoh | penulis | informasi | materi | panduan |
    buku
    """
)
_ID_THIS = _any(
    """
    ini | di atas | di bawah ini | di bawah | berikut ini | berikut |
    yang diberikan | tadi | sebelumnya
    """
)
_TA_TEXT = _any("பத்தி | பனுவல் | உரைப்பகுதி | மேற்கோள்")
_TA_MAYBE = _any(
    """
    உரை | ஆவண | கட்டுரை | பகுதி | அத்தியாய | பக்க | தகவல் | பட்டியல் | அட்டவணை |
    எடுத்துக்காட்டு
    """
)
_TA_GIVEN = _any(
    """
    மேலே உள்ள | மேலே கொடுக்கப்பட்ட | மேலே கூறப்பட்ட | மேலே குறிப்பிட்ட | மேற்கண்ட |
    மேலுள்ள | கொடுக்கப்பட்ட | கொடுக்கப்பட்டுள்ள | பின்வரும் | கீழ்க்கண்ட
    """
)
_TA_LETTERS = r"[\p{L}\p{M}]*"

_TO_TEXT = regex.compile(
    "|".join(
        (
            # English
            rf"{_ON}(?:the|this|that|these|those)\s+(?:(?:{_EN_GIVEN}|first|second|third|last|same)\s+)*(?:{_EN_TEXT})s?{_OFF}",
            rf"{_ON}(?:this|these)\s+(?:{_EN_MAYBE})s?{_OFF}(?!\s+(?:editor|format|type|mode)s?{_OFF})",
            rf"{_ON}(?:the\s+)?(?:{_EN_GIVEN})\s+(?:{_EN_MAYBE}|{_EN_TEXT})s?{_OFF}",
            rf"{_ON}the\s+(?:{_EN_MAYBE})s?\s+(?:above|below)(?=\W*$|\W|\s)",
            rf"{_ON}(?:according\s+to|as\s+per|based\s+on|in\s+the\s+words\s+of)\s+(?:the|this|that)\s+(?:{_EN_MAYBE})s?{_OFF}",
            rf"{_ON}(?:does|do|did)\s+the\s+(?:{_EN_MAYBE})s?\s+(?:{_EN_SAYS}){_OFF}",
            rf"{_ON}the\s+(?:{_EN_MAYBE})\s+(?:{_EN_SAYS}){_OFF}",
            rf"{_ON}(?:mentioned|described|discussed|stated|listed|shown|given|noted|referred\s+to|explained)\s+"
            rf"(?:above|below|earlier|here|in\s+(?:the|this)\s+(?:{_EN_MAYBE}|{_EN_TEXT})){_OFF}",
            rf"{_ON}above[- ]?mentioned{_OFF}|{_ON}aforementioned{_OFF}|{_ON}the\s+(?:above|following){_OFF}",
            # Hindi
            rf"{_ON}(?:{_HI_TEXT}){_OFF}",
            rf"{_ON}(?:इस|इन|{_HI_GIVEN})\s+(?:{_HI_MAYBE}){_OFF}",
            rf"{_ON}(?:{_HI_MAYBE})\s+(?:{_HI_BY}){_OFF}",
            rf"{_ON}उपरोक्त{_OFF}|{_ON}उपर्युक्त{_OFF}|{_ON}ऊपर\s+(?:बताए|बताई|बताया|दिए|दी|दिया|उल्लिखित|वर्णित|लिखे|लिखी|कहे){_OFF}",
            # Indonesian
            rf"{_ON}(?:{_ID_TEXT})\s+(?:{_ID_THIS}|itu|tersebut|pertama|kedua|ketiga|terakhir){_OFF}",
            rf"{_ON}(?:{_ID_MAYBE})\s+(?:{_ID_THIS}){_OFF}",
            rf"{_ON}(?:menurut|berdasarkan|sesuai(?:\s+dengan)?|dalam|dari)\s+(?:{_ID_TEXT}){_OFF}",
            rf"{_ON}(?:menurut|berdasarkan)\s+(?:{_ID_MAYBE})(?=\s*[,?]|\s+(?:tersebut|itu|yang\s+diberikan))",
            rf"{_ON}menurut\s+(?:teks|penulis|artikel|naskah){_OFF}",
            rf"{_ON}(?:disebutkan|dijelaskan|dibahas|tertulis|diuraikan|disebut)\s+(?:di\s+atas|di\s+bawah|sebelumnya|tadi|dalam\s+(?:teks|bacaan|dokumen)){_OFF}",
            # Tamil; nouns carry their endings
            rf"{_ON}(?:இந்த[கசதப]?்?|இப்|அந்த[கசதப]?்?|{_TA_GIVEN})\s*(?:{_TA_TEXT}|{_TA_MAYBE}){_TA_LETTERS}",
            rf"{_ON}(?:{_TA_TEXT}|{_TA_MAYBE}){_TA_LETTERS}ின்\s?படி{_OFF}",
            rf"{_ON}(?:{_TA_TEXT}|{_TA_MAYBE}){_TA_LETTERS}ில்\s+(?:குறிப்பிட|கூற|சொல்ல|விவரிக்க){_TA_LETTERS}",
            rf"{_ON}(?:மேற்கண்ட|மேலே\s+(?:கூறப்பட்ட|குறிப்பிட்ட|கொடுக்கப்பட்ட)){_TA_LETTERS}",
        )
    ),
    regex.IGNORECASE,
)

# What nobody says but of a text that lies before them. Answers may well say "this document": of one they spoke of.
_OF_A_TEXT = regex.compile(
    "|".join(
        (
            rf"{_ON}(?:the|this|that)\s+(?:(?:{_EN_GIVEN})\s+)*(?:{_EN_TEXT})s?{_OFF}",
            rf"{_ON}(?:according\s+to|as\s+per|based\s+on|in\s+the\s+words\s+of)\s+(?:the|this)\s+"
            rf"(?:(?:{_EN_GIVEN})\s+)?(?:text|document|article|context|author|piece|information){_OFF}",
            rf"{_ON}(?:mentioned|described|stated|given|provided)\s+in\s+(?:the|this)\s+(?:text|article|context|piece){_OFF}",
            rf"{_ON}the\s+(?:text|article|context|author|piece)\s+(?:{_EN_SAYS}){_OFF}",
            rf"{_ON}(?:गद्यांश|अनुच्छेद|परिच्छेद|पाठ|लेख|लेखक)\s+(?:{_HI_BY}){_OFF}|{_ON}(?:इस|उपरोक्त|दिए\s+गए)\s+(?:गद्यांश|अनुच्छेद|परिच्छेद|पाठ){_OFF}",
            rf"{_ON}(?:menurut|berdasarkan|dalam)\s+(?:teks|bacaan|kutipan|wacana|paragraf|konteks|penulis){_OFF}",
            rf"{_ON}(?:teks|bacaan|kutipan|wacana|paragraf)\s+(?:{_ID_THIS}|tersebut){_OFF}",
            rf"{_ON}(?:இந்த[கசதப]?்?|{_TA_GIVEN})\s*(?:{_TA_TEXT}|உரை){_TA_LETTERS}",
            rf"{_ON}(?:{_TA_TEXT}|உரை|கட்டுரை){_TA_LETTERS}ின்\s?படி{_OFF}",
        )
    ),
    regex.IGNORECASE,
)

# Pointing back with a noun, fine where that noun was named before in the same text: "…, kapan dokumen itu …"
_BACK = regex.compile(
    "|".join(
        (
            rf"{_ON}(?P<id>[\p{{L}}\p{{M}}-]+)\s+tersebut{_OFF}",
            rf"{_ON}(?:said|such)\s+(?P<en>(?:{_EN_MAYBE}))s?{_OFF}",
        )
    ),
    regex.IGNORECASE,
)

_AUX = r"(?:is|are|was|were|does|do|did|can|could|should|would|will|has|have|had|must|may|might|shall)"
_EN_BARE = regex.compile(
    rf"^\W*(?:(?:and|but|so)\s+)?(?:(?:(?:in\s+)?(?:what|which)(?:\s+ways?)?|why|how|when|where|who|whom)(?:\s+(?:much|many|often|long|else|exactly|important|far))?\s+)?"
    rf"(?:{_AUX})(?:n['’]t)?\s+(?P<who>it|they|he|she|this|that|these|those)(?P<rest>{_OFF}[^?]*)",
    regex.IGNORECASE,
)
_EN_FIRST = regex.compile(
    r"^\W*(?:its|their|his|her|it|they|he|she|what\s+(?:is|are|was|were)\s+(?:its|their|his|her))\s", regex.IGNORECASE
)
# "Is it possible to …", "What does it mean to …": the real subject follows; "does it rain" has none.
_EXPLETIVE = regex.compile(
    rf"^(?:\s+(?:rain|snow|hail|freeze)(?:s|ed|ing)?{_OFF}|(?:\s+[\p{{L}}'’-]+){{1,5}}?\s+(?:to|that|for|if|when|whether){_OFF})",
    regex.IGNORECASE,
)
_HI_PRONOUN = _any(
    """
    यह | ये | वह | वे | इसका | इसके | इसकी | इसे | इसमें | इससे | इसको | इनका |
    इनके | इनकी | इन्हें | इनमें | उसका | उसके | उसकी | उसे | उसमें | उनका | उनके |
    उनकी | उन्हें | उन्होंने | उसने | इसने
    """
)
_HI_BARE = regex.compile(
    rf"^\W*(?:(?:क्या|क्यों|कैसे|कब|कहाँ|कहां)\s+)?(?P<who>{_HI_PRONOUN}|(?:इस|इन|उस|उन)\s+[\p{{L}}\p{{M}}]+){_OFF}(?P<rest>[^?]*)"
)
_ID_BARE = regex.compile(
    rf"^\W*(?:(?:mengapa|kenapa|bagaimana|kapan|apakah|di\s*mana(?:kah)?|bagaimanakah|mengapakah)\s+)?"
    rf"(?:dia|ia|mereka|beliau|ini|itu|(?:hal|cara|proses|sistem|perintah|program)\s+(?:ini|itu|tersebut)){_OFF}"
    rf"|^\W*(?:apa|berapa|bagaimana|di\s*mana|siapa|kapan|apakah)(?:\s+saja)?\s+[\p{{L}}]+nya\s*\?",
    regex.IGNORECASE,
)
_TA_BARE = regex.compile(
    rf"^\W*(?:ஏன்\s+|எப்படி\s+|எப்போது\s+)?(?:இது|அது|இவை|அவை|அவர்|அவர்கள்|அவள்|அவன்|இவர்|இவர்கள்|இதன்|அதன்|இதை|அதை|இதில்|அதில்|இதற்கு|அதற்கு|அவரது|அவர்களது){_OFF}"
)


def to_the_text(text: str) -> Pointer | None:
    """The first words that point at a text one cannot see ("the passage above", "menurut teks", "इस अनुच्छेद में")."""
    found = _TO_TEXT.search(text)
    if found is not None:
        return Pointer(found[0], found.start(), found.end())
    for back in _BACK.finditer(text):
        noun = back["id"] or back["en"]
        if noun.lower() not in text[: back.start()].lower():
            return Pointer(back[0], back.start(), back.end())
    return None


def speaks_of_text(text: str) -> Pointer | None:
    """The first words of an answer that speak of the text it was made from ("the passage says", "menurut teks")."""
    found = _OF_A_TEXT.search(text)
    return None if found is None else Pointer(found[0], found.start(), found.end())


def bare_subject(text: str) -> Pointer | None:
    """A pronoun (or "this …", "इस …") at a question's beginning that stands for nothing named in it."""
    found = _EN_BARE.match(text)
    if found is not None:
        expletive = found["who"].lower() == "it" and _EXPLETIVE.match(found["rest"]) is not None
        if not expletive:
            return Pointer(text[found.start("who") : found.end("who")], found.start("who"), found.end("who"))
    found = _HI_BARE.match(text)
    if found is not None and not (found["who"] == "यह" and regex.search(rf"{_ON}कि{_OFF}", found["rest"])):
        return Pointer(found["who"], found.start("who"), found.end("who"))
    for pattern in (_EN_FIRST, _ID_BARE, _TA_BARE):
        found = pattern.match(text)
        if found is not None:
            return Pointer(found[0].strip(), found.start(), found.end())
    return None
