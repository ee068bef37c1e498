"""Names of people that a source text holds and a persona made from it repeats."""

from __future__ import annotations

import regex

from attar_personas.measure import words


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Two to four capitalised words in a row; initials and particles may stand between.
_NAME = regex.compile(
    r"(?<![\p{L}\p{M}\p{N}])\p{Lu}[\p{Ll}\p{M}'’]+"
    r"(?:[ ]+(?:\p{Lu}\.|van|von|de|da|bin|binti|al|bint|der|den|la)){0,3}"
    r"(?:[ ]+\p{Lu}[\p{Ll}\p{M}'’]+(?:-\p{Lu}[\p{Ll}\p{M}]+)?){1,3}(?![\p{L}\p{M}\p{N}])"
)
# A run that holds one of these is a place, a body, a thing or a subject, not a person.
_NO_PERSON = _set(
    """
    academy act agency airport army association award awards bank bay beach board bridge bureau business campus canal
    cathedral centre center championship church city club college commission committee company conference congress
    constitution convention corporation corps council country county court cup day department district division east
    empire engineering english european exchange faculty federation festival force foundation fort forum fund game games
    garden gardens government group guard gulf hall harbour high hill hills history hospital hotel house index inc
    independence indian indonesia indonesian industry institute international island islands jalan journal kabupaten
    kingdom kota lab laboratory lake language law league library limited line lok ltd management market mathematics
    medical medicine memorial ministry mission monastery month mosque mountain mountains movement museum music nadu
    national network new newspaper north ocean office old olympic olympics order organisation organization palace
    park parliament party peninsula plan platform police pradesh press prize programme program project province public
    railway railways region regiment relations republic research river road sabha school science sciences sea secondary
    senior series service services shop society south stadium state states station street studies studio sultanate
    system team technology temple theatre theater times tower town treaty tribe trust union united university valley
    village war week west wildlife world yojana young zone
    java javanese hindi urdu sanskrit bengal bengali tamil telugu marathi punjabi gujarati kannada malayalam odia
    assamese american british african asian chinese japanese german french spanish italian russian arabic
    monday tuesday wednesday thursday friday saturday sunday january february march april june july august september
    october november december
    """
)
# Words that begin sentences and are no first names: a run that starts with one loses it.
_OPENERS = _set(
    """
    a an the he she it they we you i this that these those when while where who what which how why if in on at by for
    from with without after before during since until as and but or so yet not no many some most all both each every
    his her its their our your my one two three another other such also then there here today however although though
    because meanwhile later first second third last former late dear said says
    ini itu dia ia mereka kami kita saya anda pada di dari untuk dengan dan atau tetapi ketika saat setelah sebelum
    """
)
_TITLES = _set(
    "mr mrs ms miss dr prof professor sir madam shri smt sri pandit ustad maulana bapak ibu pak bu haji president "
    "minister king queen prince princess captain colonel general saint swami guru lord lady"
)


def full_names(text: str) -> list[str]:
    """Runs of capitalised words that are likely to name a person, each once, in order.

    A run goes where a word of it tells a place, a body or a subject, or stands in the text in small letters as well
    ("Vedic Mathematics" beside "mathematics"). It is a rule of thumb for Latin script: what it takes too many costs
    another try of a persona, what it misses is left to the gazetteer.
    """
    small = {word for word in words(text) if word[:1].islower()}
    found: dict[str, None] = {}
    for hit in _NAME.finditer(text):
        parts = hit.group().split()
        while parts and parts[0].casefold() in _OPENERS | _TITLES:
            parts = parts[1:]
        folded = [part.casefold().removesuffix("'s").removesuffix("’s") for part in parts]
        if len(parts) < 2 or any(part in _NO_PERSON for part in folded):
            continue
        if any(low in small for part, low in zip(parts, folded, strict=True) if part[0].isupper()):
            continue
        parts[-1] = parts[-1].removesuffix("'s").removesuffix("’s")
        found[" ".join(parts)] = None
    return list(found)


def recurring_names(source: str, text: str) -> list[str]:
    """Full names of the source that stand in the text, too; of a longer run ("Asha Rao Case"), also two words of it."""
    if not source:
        return []
    flat = " ".join(text.split()).casefold()
    found: dict[str, None] = {}
    for name in full_names(source):
        parts = name.split()
        for count in range(len(parts), 1, -1):
            runs = [" ".join(parts[at : at + count]) for at in range(len(parts) - count + 1)]
            held = [
                run for run in runs if regex.search(rf"(?<!\p{{L}}){regex.escape(run.casefold())}(?!\p{{L}})", flat)
            ]
            if held:
                found[held[0]] = None
                break
    return list(found)
