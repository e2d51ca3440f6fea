"""Channels: names, addresses and folders; whose terms count; and how they are shown without their secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from setup_wizard.errors import BadInput

ALIAS = "https://conda.anaconda.org"  # where channels given by name lie
TERMS = "https://www.anaconda.com/legal"

VARIABLE = re.compile(r"\$\{?(\w+)\}?")  # as conda has them in the channels of a file

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


def logins(given: Iterable[str]) -> tuple[str, ...]:
    """The channels whose name and password, or token, are variables: https://${NAME}:${WORD}@HOST/CHANNEL."""
    return tuple(dict.fromkeys(c for c in given if shown(c) != c and not _literal(c)))


def filled(logins: Iterable[str], env: Mapping[str, str]) -> tuple[str, ...]:
    """The same with the values of the variables: secrets. Raises BadInput where one is not set."""
    return tuple(_filled(login, env) for login in logins)


def _filled(login: str, env: Mapping[str, str]) -> str:
    return VARIABLE.sub(lambda found: _value(found[1], login, env), login)


def _value(name: str, login: str, env: Mapping[str, str]) -> str:
    if not env.get(name):
        raise BadInput(
            f"The channel {bare(login)} needs the variable {name}, which is not set.",
            fix=f"read -rs {name} && export {name}   # type it; it stays off the screen and the history",
        )
    return quote(env[name], safe="")


def shown(channel: str) -> str:
    """A channel for people and logs: without a password or token in it."""
    parts = urlsplit(channel)
    host = parts.netloc.rpartition("@")[2]
    path = re.sub(r"/t/[^/]+", "/t/<TOKEN>", parts.path)
    return urlunsplit((parts.scheme, host, path, "", "")) if parts.scheme else channel


def shown_in(text: str) -> str:
    """A text without the passwords and tokens of the addresses in it."""
    return re.sub(r"/t/[^/\s]+", "/t/<TOKEN>", re.sub(r"://[^/@\s]+@", "://", text))


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
        if _literal(channel):
            raise _secret(channel, at)
        channel = bare(channel)
    if "://" not in channel and not re.fullmatch(r"[\w.-]+(/[\w.-]+)*", channel):
        raise BadInput(
            f"{at}: «{channel}» is no channel.", fix="Write a name (conda-forge), a URL or a folder."
        )
    return channel.rstrip("/")


def has_secret(text: str) -> bool:
    """Whether a password or a token, not the name of a variable, is in an address anywhere in a text."""
    said = [
        *re.findall(r"://[^/\s:@]*:([^/\s@]+)@", text),
        *re.findall(r"https?://([^/\s:@]+)@", text),
        *re.findall(r"://\S*/t/([^/\s]+)", text),
    ]
    return not all(VARIABLE.fullmatch(s) for s in said)


def bare(channel: str) -> str:
    """The address of a channel without the log-in that stands in it; so it may be written anywhere."""
    parts = urlsplit(channel)
    path = re.sub(r"/t/[^/]+", "", parts.path)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "", "")).rstrip("/")


def _literal(channel: str) -> bool:
    """Whether a secret itself is in the address, in place of the name of a variable."""
    parts = urlsplit(channel)
    said = [*parts.netloc.rpartition("@")[0].split(":")[-1:], *re.findall(r"/t/([^/]+)", parts.path)]
    return bool(parts.query or parts.fragment or not all(VARIABLE.fullmatch(s) for s in said if s))


def _secret(channel: str, at: str) -> BadInput:
    parts = urlsplit(channel)
    login = f"to ~/.netrc (chmod 600): machine {parts.hostname} login NAME password PASSWORD"
    token = f'to the file that RATTLER_AUTH_FILE names: {{"{parts.hostname}": {{"CondaToken": "TOKEN"}}}}'
    return BadInput(
        f"{at}: the channel {shown(channel)} has a secret in its address, which would be written into every "
        "record of a package.",
        fix=f"Write a variable there, and set it: {_with_variables(channel)}\n"
        f"Or write the address without it, and the secret {login if parts.username else token}",
    )


def _with_variables(channel: str) -> str:
    parts = urlsplit(channel)
    host = parts.netloc.rpartition("@")[2]
    login = "${CHANNEL_USER}:${CHANNEL_PASSWORD}@" if parts.username else ""
    path = re.sub(r"/t/[^/]+", "/t/${CHANNEL_TOKEN}", parts.path)
    return urlunsplit((parts.scheme, f"{login}{host}", path, "", ""))


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
