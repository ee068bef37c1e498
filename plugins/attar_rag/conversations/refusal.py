"""Whether a reply says that the answer is not known: in Indonesian, Javanese, Hindi and English."""

from __future__ import annotations

import regex

from attar.api.text import sentences

# What is said to be missing is information, or it is the speaker who cannot tell. "Kamar tidak tersedia" is an answer.
_KNOWLEDGE = (
    r"(?:informasi|info|keterangan|data|jawaban|penjelasan|rincian|katrangan|"
    r"information|details?|answer|answers|जानकारी|सूचना|उत्तर|जवाब|विवरण)"
)
_GONE = (
    r"(?:tidak\s+(?:ada|tersedia|ditemukan|tercantum|disebutkan|memuat|terdapat|saya\s+temukan)|"
    r"(?:tidak|belum|mboten)\s+(?:kami|saya|kulo)\s+(?:miliki|punya|punyai|temukan|ketahui|gadhahi)|"
    r"belum\s+(?:ada|tersedia|saya\s+temukan|tercantum)|ora\s+ana|durung\s+ana|ora\s+ketemu|"
    r"(?:is|are|was|were)\s*(?:not|n['’]t)\s+(?:\w+\s+)?(?:found|available|given|provided|mentioned|listed|included|there)|"
    r"not\s+(?:found|available|provided|mentioned)|there\s+is\s+no|"
    r"नहीं\s+(?:है|हैं|मिली|मिला|मिल|दी|दिया|मिले)|(?:उपलब्ध|मौजूद|दर्ज)\s+नहीं)"
)
_SPEAKER = (
    r"(?:saya|kami|kulo|aku)\s+(?:\w+\s+)?(?:tidak|belum|ora|mboten)\s+(?:dapat|bisa|mampu|saged)?\s*"
    r"(?:\w+\s+)?(?:menemukan|tahu|mengetahui|memastikan|menjawab|punya|memiliki|ngertos|ngerti|memberikan|memberi)|"
    r"(?:tidak|belum)\s+(?:kami|saya)\s+ketahui|"
    r"(?:saya|kami|kulo)\s+(?:hanya|namung)\s+(?:bisa|dapat|saged)\s+(?:membantu|menjawab|mbantu)|"
    r"\b(?:hal|soal|pertanyaan)\s+(?:itu|ini|tersebut)\s+(?:tidak|belum)\s+(?:disebutkan|dijelaskan|dibahas|tercantum|dimuat)|"
    r"(?:mboten|ora)\s+(?:gadhah|nduwe|duwe)\s+(?:informasi|katrangan|data)|"
    r"\b(?:i|we)\s+(?:can\s+)?only\s+(?:help|assist|answer)|"
    r"\b(?:is|are)\s*(?:not|n['’]t)\s+(?:covered|mentioned|listed|stated)\s+(?:in|by|here|among)|"
    r"(?:हमारे|मेरे)\s+पास\b.{0,40}\bनहीं|"
    r"(?:saya|kami)\s+(?:mohon\s+maaf,?\s+)?(?:tidak|belum)\s+(?:\w+\s+){0,2}(?:informasi|keterangan|data)|"
    r"\b(?:i|we)\s+(?:\w+\s+)?(?:do\s+not|don['’]t|cannot|can['’]t|can\s+not|could\s+not|couldn['’]t|am\s+not\s+able\s+to|"
    r"are\s+not\s+able\s+to|am\s+unable\s+to|are\s+unable\s+to)\s+(?:\w+\s+)?"
    r"(?:know|find|answer|confirm|have|say|tell|provide)|"
    r"(?:मुझे|हमें|मैं|हम)\b.{0,60}(?:पता\s+नहीं|नहीं\s+(?:पता|मालूम|मिली|मिला|बता|जानता|जानती|जानते|दे\s+सक))"
)
_REFUSAL = regex.compile(
    rf"{_KNOWLEDGE}(?:nya|ne|ipun)?\b.{{0,80}}?\b{_GONE}|{_GONE}\s+(?:\w+\s+){{0,3}}{_KNOWLEDGE}|{_SPEAKER}|"
    r"(?:di\s+)?luar\s+(?:lingkup|cakupan|jangkauan|layanan)|outside\s+(?:the\s+scope|what\s+i)|out\s+of\s+(?:my\s+)?scope",
    regex.IGNORECASE,
)
_OVERCLAIM = regex.compile(
    r"(?:di|dalam|pada)\s+(?:seluruh|semua|dokumen\s+(?:mana|apa)\s*pun)|sama\s+sekali\s+tidak|tidak\s+sama\s+sekali|"
    r"(?:in|among)\s+(?:any|all)\s+(?:of\s+)?(?:our|the|its)?\s*(?:documents?|sources?|pages?)|\banywhere\b|"
    r"किसी\s+भी\s+(?:दस्तावेज़|दस्तावेज|स्रोत)|सभी\s+दस्तावेज़ों",
    regex.IGNORECASE,
)


_IF = regex.compile(r"\W*(?:jika|bila|kalau|kalo|apabila|yen|if|when|should|अगर|यदि)\b", regex.IGNORECASE)


def refuses(text: str) -> bool:
    """Whether a sentence says that the answer, or information, is not to be had ("if it is not" does not)."""
    return any(_REFUSAL.search(sentence.text) and not _IF.match(sentence.text) for sentence in sentences(text))


def overclaims(text: str) -> bool:
    """Whether a refusal speaks of more than its speaker saw: all documents, anywhere."""
    return any(_OVERCLAIM.search(sentence.text) for sentence in sentences(text))
