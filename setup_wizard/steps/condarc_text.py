"""What a condarc should say about channels, and the text that says it. Pure: text in, text out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from setup_wizard.steps.yaml_lines import Odd, TopLevel, odd, quoted

CHANNELS = ("channels", "channel")  # conda knows both names, and accepts only one at a time
PRIORITY = "channel_priority"
_ANACONDA = re.compile(
    r"defaults|(https?://repo\.(anaconda\.com|continuum\.io)/)?pkgs/(main|r|free|pro|msys2)", re.IGNORECASE
)
_MARK = "\ufeff"  # some editors write it first; it is no part of the YAML


@dataclass(frozen=True)
class Wish:
    """The two values as they are, or should be; None: the key is not there."""

    channels: tuple[str, ...] | None
    priority: str | None


# --- which channels ---------------------------------------------------------------------------------------


def wanted(now: Wish, chosen: Sequence[str], strict: bool) -> Wish:
    """What the file should say, given what it says `now`."""
    return Wish(with_chosen(now.channels or (), chosen), "strict" if strict else now.priority)


def with_chosen(now: Sequence[str], chosen: Sequence[str]) -> tuple[str, ...]:
    """The list with the chosen channels in it, and without Anaconda's own unless those were chosen.

    The user's other channels stay in their order. What is missing takes the place of the first one that
    goes, or comes last.
    """
    goes = [c for c in now if _ANACONDA.fullmatch(c.rstrip("/")) and not _among(c, chosen)]
    missing = [c for c in chosen if not _among(c, now)]
    place = now.index(goes[0]) if goes else len(now)
    return (*now[:place], *missing, *(c for c in now[place:] if c not in goes))


def given_back(old: Wish, made: Wish, now: Wish) -> Wish:
    """What undo leaves: the old values where ours still stand, else what the user has made of them."""
    priority = old.priority if now.priority == made.priority else now.priority
    if now.channels == made.channels:
        return Wish(old.channels, priority)
    if now.channels is None:
        return Wish(None, priority)
    return Wish(_merged(old.channels or (), made.channels or (), now.channels), priority)


def _merged(old: Sequence[str], made: Sequence[str], now: Sequence[str]) -> tuple[str, ...]:
    """`now` without what we had added, and with what we had taken out, behind its old neighbour.

    Where ours are no longer there, the user has decided anew, and the list stays as it is.
    """
    added = [c for c in made if c not in old]
    if any(c not in now for c in added):
        return tuple(now)
    back = [c for c in now if c not in added]
    for i, channel in enumerate(old):
        if channel not in back and channel not in made:
            neighbour = next((c for c in reversed(old[:i]) if c in back), None)
            back.insert(back.index(neighbour) + 1 if neighbour is not None else 0, channel)
    return tuple(back)


def _among(channel: str, others: Iterable[str]) -> bool:
    return _short(channel) in map(_short, others)


def _short(channel: str) -> str:
    return re.sub(r"^https?://conda\.anaconda\.org/", "", channel.rstrip("/"))


# --- the text ---------------------------------------------------------------------------------------------


def read(text: str) -> Wish:
    """What the text says. Raises Odd where that cannot be told, or is no list of channels."""
    top = TopLevel(text.removeprefix(_MARK))
    return Wish(_channels(top), _priority(top))


def write(text: str, wish: Wish) -> str:
    """The text that says so, all else to the byte as it was. Raises Odd where that cannot be had."""
    if wish == read(text):
        return text
    bare = text.removeprefix(_MARK)
    others, new = _others(bare), _with_channels(bare, wish.channels)
    try:
        new = _with_priority(new, wish.priority)
        proven = _others(new) == others and read(new) == wish
    except Odd:  # an anchor, say, that went with the old value
        proven = False
    if not proven:
        raise _not_edited(bare, wish)
    return text[: len(text) - len(bare)] + new


def _others(text: str) -> dict[str, Any]:
    return {k: v for k, v in TopLevel(text).values().items() if k not in (*CHANNELS, PRIORITY)}


def _not_edited(text: str, wish: Wish) -> Odd:
    pair = TopLevel(text).find(*CHANNELS, PRIORITY)
    said = "the file is written in a way that is not edited here"
    fix = f"Write there yourself: channels: [{', '.join(wish.channels or ())}], {PRIORITY}: {wish.priority}"
    return odd(pair[0], said, fix) if pair else Odd(1, 1, said, fix)


def _channels(top: TopLevel) -> tuple[str, ...] | None:
    pairs = [pair for name in CHANNELS if (pair := top.find(name))]
    if not pairs:
        return None
    if len(pairs) > 1:
        raise odd(pairs[1][0], "«channel» is another name of «channels»", "Join the two lists in one.")
    ((key, value),) = pairs
    if value.id == "sequence":
        return tuple(_channel(item) for item in value.value)
    if value.id != "scalar":
        raise odd(key, f"«{key.value}» should be a list", "Give each channel a line: «  - conda-forge».")
    return (_channel(value),) if top.source(value) else ()


def _channel(node: Any) -> str:
    if node.id != "scalar" or not re.fullmatch(r"[^\s,]+", node.value):
        raise odd(
            node, "here should be the name of one channel", "Give each channel a line: «  - conda-forge»."
        )
    return str(node.value)


def _priority(top: TopLevel) -> str | None:
    pair = top.find(PRIORITY)
    if pair is not None and pair[1].id != "scalar":
        raise odd(pair[0], f"«{PRIORITY}» should be one word", f"Write there: {PRIORITY}: strict")
    return str(pair[1].value) if pair else None


def _with_channels(text: str, channels: tuple[str, ...] | None) -> str:
    top = TopLevel(text)
    pair = top.find(*CHANNELS)
    if _channels(top) == channels:
        return text
    if pair is None:
        return top.with_lines(["channels:", *(f"  - {quoted(c)}" for c in channels or ())])
    if channels is None:
        return top.without(pair)
    value = pair[1]
    if value.id == "sequence" and not value.flow_style:
        return top.with_items(value.value, channels)
    if "#" in top.source(value):
        raise odd(value, "comments inside of this list would be lost", "Give each channel a line of its own.")
    as_written = {i.value: top.source(i) for i in value.value} if value.id == "sequence" else {}
    return top.with_value(pair, f"[{', '.join(as_written.get(c) or quoted(c) for c in channels)}]")


def _with_priority(text: str, priority: str | None) -> str:
    top = TopLevel(text)
    pair = top.find(PRIORITY)
    if _priority(top) == priority:
        return text
    if pair is None:
        return top.with_lines([f"{PRIORITY}: {priority}"])
    return top.without(pair) if priority is None else top.with_value(pair, priority)
