"""Conversations as they are checked and exported: a system text, and turns of a user and a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import regex
from pydantic import Field, model_validator

from attar.api import Config

USER, MODEL = "user", "model"
_NOTHING = regex.compile(r"[\s\p{Cc}\p{Cf}]*")
"""Text that nobody can read: spaces, control and invisible characters."""


class Roles(Config):
    """What the roles are called in the column."""

    user: str = Field("user", min_length=1, description="who asks")
    model: str = Field("model", min_length=1, description="who answers")
    system: str = Field("system", min_length=1, description="a first message of this role is the system text")

    @model_validator(mode="after")
    def _distinct(self) -> Roles:
        if len({self.user, self.model, self.system}) < 3:
            raise ValueError("user, model and system need different names")
        return self


class Tags(Config):
    """What stands around a thought inside an answer."""

    open: str = Field("<think>", min_length=1, description="before the thought")
    close: str = Field("</think>", min_length=1, description="after it")

    def of(self, text: str | None) -> str | None:
        """The tag that occurs in a text; None where none does."""
        return next((tag for tag in (self.open, self.close) if text and tag in text), None)


class Turn(NamedTuple):
    """One message: `role` is USER or MODEL, or the unknown role as it was; blank thoughts are None."""

    role: str
    content: str
    thought: str | None = None


class Conversation(NamedTuple):
    """A system text (None: none), and the messages after it."""

    system: str | None
    turns: Sequence[Turn]


class Fault(NamedTuple):
    """Why a conversation is none that a model can be trained on: a reason code and a sentence."""

    code: str
    message: str


def is_blank(text: Any) -> bool:
    """Whether there is nothing to read."""
    return not isinstance(text, str) or _NOTHING.fullmatch(text) is not None


def conversation(messages: Any, roles: Roles) -> Conversation:
    """Reads a `messages` value: a list of mappings with role, content and perhaps thought. Null is no message."""
    turns: list[Turn] = []
    system = None
    for place, message in enumerate(messages if isinstance(messages, list) else ()):
        given: Mapping[str, Any] = message if isinstance(message, Mapping) else {}
        role, content, thought = given.get("role"), given.get("content"), given.get("thought")
        if place == 0 and role == roles.system:
            system = None if is_blank(content) else content
            continue
        known = {roles.user: USER, roles.model: MODEL}.get(role) if isinstance(role, str) else None
        turns.append(
            Turn(
                known or f"?{role}", content if isinstance(content, str) else "", None if is_blank(thought) else thought
            )
        )
    return Conversation(system, turns)


def fault_of(turns: Sequence[Turn], *, min_turns: int = 1, thoughts: bool = False, tags: Tags | None) -> Fault | None:
    """The first thing wrong with the turns of a conversation.

    Args:
        turns: as `conversation` gives them.
        min_turns: answers there must be.
        thoughts: each answer must have a thought.
        tags: neither may occur in a content or a thought; None: not looked at.
    """
    for place, turn in enumerate(turns, start=1):
        if turn.role.startswith("?"):
            return Fault("unknown_role", f"message {place} has the unknown role {turn.role[1:]!r}")
    if not turns:
        return Fault("too_few_turns", "there is no message")
    if turns[0].role != USER:
        return Fault("first_not_user", "the first message is not the user's")
    for place, (one, two) in enumerate(pairwise(turns), start=2):
        if one.role == two.role:
            return Fault(
                "role_order", f"messages {place - 1} and {place} are both the {two.role}'s; they must take turns"
            )
    if turns[-1].role != MODEL:
        return Fault("last_not_model", "the last message is not the model's")
    for place, turn in enumerate(turns, start=1):
        if is_blank(turn.content):
            return Fault("empty_content", f"message {place} is empty")
        if thoughts and turn.role == MODEL and turn.thought is None:
            return Fault("missing_thought", f"message {place} has no thought")
        found = tags and (tags.of(turn.content) or tags.of(turn.thought))
        if found:
            return Fault("tag_in_text", f"message {place} holds {found!r}, which marks where a thought begins or ends")
    answers = len(turns) // 2
    if answers < min_turns:
        return Fault("too_few_turns", f"there are {answers} answers; {min_turns} are needed")
    return None
