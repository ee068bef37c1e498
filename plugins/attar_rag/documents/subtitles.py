"""Transcripts as subtitles (SRT, WebVTT): times and numbers go, what one speaker says is one paragraph."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import regex

from attar.api import Reject

from .formats import Found, Options, decoded

_TIMES = regex.compile(r"^\s*(?:\d+:)?\d{1,2}:\d{2}[.,]\d{3}\s+-->\s")
_VOICE = regex.compile(r"^<v(?:\.[^ >]*)? ([^>]+)>")
_NAMED = regex.compile(r"^(?:-\s*)?([\p{Lu}\p{Lo}][\p{L}\p{M}.'’ -]{0,40}):\s+(?=\S)")
_TAG = regex.compile(r"</?[a-zA-Z][^>]*>|\{\\[^}]*\}|<\d[\d:.]*>")
_SOUND = regex.compile(r"^[\[(♪][^\])]*[\])♪]?$")


def read(path: Path, options: Options) -> Iterator[Found | Reject]:
    """The file as one document of paragraphs, `Name: …` where speakers are told."""
    text = decoded(path.read_bytes(), options.encoding)
    yield text if isinstance(text, Reject) else Found("\n\n".join(turns(text)))


def turns(text: str) -> Iterator[str]:
    """What each speaker says in turn. Without speakers, all is one turn."""
    speaker: str | None = None
    said: list[str] = []
    for cue in regex.split(r"\n[^\S\n]*\n", text.replace("\r\n", "\n")):
        lines = cue.strip().split("\n")
        times = next((n for n, line in enumerate(lines) if _TIMES.match(line)), None)
        if times is None:
            continue  # WEBVTT, NOTE, STYLE
        for line in lines[times + 1 :]:
            voice = _VOICE.match(line) or _NAMED.match(line)
            words = _TAG.sub("", line[voice.end() :] if voice is not None else line).strip()
            if voice is not None and voice[1].strip() != speaker:
                if said:
                    yield _turn(speaker, said)
                speaker, said = voice[1].strip(), []
            if words and not _SOUND.match(words) and (not said or said[-1] != words):
                said.append(words)  # rolling captions say a line twice
    if said:
        yield _turn(speaker, said)


def _turn(speaker: str | None, said: list[str]) -> str:
    return f"{speaker}: {' '.join(said)}" if speaker else " ".join(said)
