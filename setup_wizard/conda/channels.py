"""Channels: names, addresses and folders; whose terms count; and how they are shown without their secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from setup_wizard.errors import BadInput

ALIAS = "https://conda.anaconda.org"  # where channels given by name lie
TERMS = "https://www.anaconda.com/legal"

_MAIN, _R = "https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r"
_THEIRS = {  # Anaconda's channels by their names
    "defaults": (_MAIN, _R),
    "main": (_MAIN,),
    "pkgs/main": (_MAIN,),
    "r": (_R,),
    "pkgs/r": (_R,),
    "anaconda": (f"{ALIAS}/anaconda",),
}


def url_of(channel: str) -> str:
    """The address of a channel."""
    return channel if "://" in channel else f"{ALIAS}/{channel}"


def called(url: str) -> str:
    """What conda calls the channel at an address: by its name where it has one, else by the address."""
    if url in _THEIRS["defaults"]:
        return "defaults"
    return shown(url).removeprefix(f"{ALIAS}/")


def shown(channel: str) -> str:
    """A channel for people and logs: without a password or token in it."""
    parts = urlsplit(channel)
    host = parts.netloc.rpartition("@")[2]
    path = re.sub(r"/t/[^/]+", "/t/<TOKEN>", parts.path)
    return urlunsplit((parts.scheme, host, path, "", "")) if parts.scheme else channel


def read_channels(given: Iterable[tuple[str, str]], folder: Path | None, anaconda: bool) -> tuple[str, ...]:
    """The channels as URLs or names. `given` are they and their places; paths are relative to `folder`.

    `anaconda` says that the user has agreed to the terms of Anaconda's channels. Raises BadInput.
    """
    channels: list[str] = []
    for channel, at in given:
        if channel == "nodefaults":  # conda's word for «only these», which is how we always read it
            continue
        if is_anacondas(channel):
            if not anaconda:
                raise _needs_terms(channel, at)
            channels += _THEIRS.get(channel, (channel,))
        else:
            channels.append(_channel(channel, folder, at))
    return tuple(dict.fromkeys(channels))


def _channel(channel: str, folder: Path | None, at: str) -> str:
    if channel.startswith((".", "/", "~")) and folder:
        there = (folder / Path(channel).expanduser()).resolve()
        if not there.is_dir():
            raise BadInput(
                f"{at}: there is no folder {there}.", fix="Correct the path, which is relative to the file."
            )
        return there.as_uri()
    if shown(channel) != channel:
        raise _secret(channel, at)
    if "://" not in channel and not re.fullmatch(r"[\w.-]+(/[\w.-]+)*", channel):
        raise BadInput(
            f"{at}: «{channel}» is no channel.", fix="Write a name (conda-forge), a URL or a folder."
        )
    return channel.rstrip("/")


def _secret(channel: str, at: str) -> BadInput:
    parts = urlsplit(channel)
    login = f"to ~/.netrc (chmod 600): machine {parts.hostname} login NAME password PASSWORD"
    token = f'to the file that RATTLER_AUTH_FILE names: {{"{parts.hostname}": {{"CondaToken": "TOKEN"}}}}'
    return BadInput(
        f"{at}: the channel {shown(channel)} has a secret in its address, which would be written into every "
        "record of a package.",
        fix=f"Write the address without it, and the secret {login if parts.username else token}",
    )


def is_anacondas(channel: str) -> bool:
    """Whether a channel is one of those for which Anaconda's terms count."""
    host = urlsplit(channel).hostname or ""
    return channel in _THEIRS or host == "repo.anaconda.com"


def _needs_terms(channel: str, at: str) -> BadInput:
    return BadInput(
        f"{at}: the channel «{shown(channel)}» is one of Anaconda's own, for those who have read "
        f"and agreed to their terms: {TERMS}",
        fix="Write «conda-forge» in its place: it has the same packages and asks for no agreement. "
        "Or, when you have read the terms and agree to them: --channels anaconda",
    )
