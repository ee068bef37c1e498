"""Seeded plain words for answers that no model wrote: enough languages that text handling is exercised, no meaning."""

from __future__ import annotations

from random import Random

_ENGLISH = (
    "a about after again all along also amount answer around because before begin between both bring "
    "build by call careful change city clear close common could day different early enough every example "
    "family few field find first follow form from garden give good group grow hand help home house idea "
    "important inside keep kind know land large late learn letter life light line little local long make "
    "many market matter mean measure morning much name near need new next number often old open order "
    "other our over own part people place plan point question quiet rain reason river road room school "
    "season several show simple since small some song sound start still story street summer table teach "
    "than that their these thing think time together town tree under until use village voice walk warm "
    "water week well where which while why with without word work world year young"
)
ENGLISH = tuple(_ENGLISH.split())
INDIC = (
    "और के लिए समय पानी गाँव किताब विद्यालय परिवार कहानी बाज़ार मौसम खेती प्रश्न उत्तर विचार संगीत रास्ता सुबह शाम",
    "மற்றும் நேரம் தண்ணீர் கிராமம் புத்தகம் பள்ளி குடும்பம் கதை சந்தை மழை கேள்வி பதில் இசை பாதை காலை மாலை",
    "এবং সময় জল গ্রাম বই বিদ্যালয় পরিবার গল্প বাজার বৃষ্টি প্রশ্ন উত্তর গান পথ সকাল সন্ধ্যা",
    "మరియు సమయం నీరు గ్రామం పుస్తకం పాఠశాల కుటుంబం కథ సంత వర్షం ప్రశ్న సమాధానం పాట దారి ఉదయం సాయంత్రం",
)
ALL_INDIC = tuple(word for language in INDIC for word in language.split())
_INDIC_SHARE = 0.06


def words(rng: Random, n: int) -> str:
    """`n` words in sentences of 6 to 14 words; about one word in sixteen is Hindi, Tamil, Bengali or Telugu."""
    out: list[str] = []
    left = 0
    for position in range(n):
        word = rng.choice(ALL_INDIC) if rng.random() < _INDIC_SHARE else rng.choice(ENGLISH)
        if left == 0:
            left = rng.randint(6, 14)
            word = word.capitalize()
        left -= 1
        if left == 0 or position == n - 1:
            word += "."
            left = 0
        out.append(word)
    return " ".join(out)
