"""Which example notebooks there are: those of the shipped catalogue, or those that a mirror holds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from setup_wizard.errors import BadInput, NetworkTrouble
from setup_wizard.hints import did_you_mean
from setup_wizard.world import World
from setup_wizard.yamlfile import read

_PACKAGE = Path(__file__).parent
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """A repository with notebooks; sizes are those of the work tree, 0 or "" where unknown.

    smoke      notebooks that run on a CPU, without the network, in a short time
    moved_to   the name of the successor, when this one was emptied
    note       what the user should know before taking it
    """

    name: str
    title: str
    url: str
    licence: str
    bytes: int = 0
    files: int = 0
    notebooks: int = 0
    environment: str = ""
    smoke: tuple[str, ...] = ()
    moved_to: str = ""
    note: str = ""


class Choice(msgspec.Struct, frozen=True):
    """The repositories that names stand for, and what the user is to be told of them."""

    repositories: tuple[Repository, ...]
    notes: tuple[str, ...] = ()


class _Catalogue(msgspec.Struct, frozen=True):
    repositories: tuple[Repository, ...]


class _Offer(msgspec.Struct, frozen=True):
    name: str
    title: str
    licence: str
    bytes: int = 0


class _Mirror(msgspec.Struct, frozen=True):
    repositories: tuple[_Offer, ...] = ()


def folder() -> Path:
    """Where our catalogue and our notebook are: inside the installed package, or at the top of a checkout."""
    installed = _PACKAGE / "data" / "notebooks"
    return installed if installed.is_dir() else _PACKAGE.parent / "notebooks"


def catalogue() -> tuple[Repository, ...]:
    """The repositories of the shipped catalogue."""
    return read(folder() / "catalog.yml", _Catalogue).value.repositories


def welcome() -> bytes:
    """Our own notebook for the first steps."""
    return (folder() / "welcome.ipynb").read_bytes()


def repositories(world: World, mirror: str | None) -> tuple[Repository, ...]:
    """What is on offer: the shipped catalogue, or what the mirror at that URL lists in its mirror.json."""
    if not mirror:
        return catalogue()
    url = f"{mirror.rstrip('/')}/mirror.json"
    reply = world.fetch(url)
    if reply.status == 404:
        return ()
    try:
        offers = msgspec.json.decode(reply.body, type=_Mirror).repositories
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise _no_list(url, str(e)) from e
    if reply.status != 200 or not all(_NAME.fullmatch(offer.name) for offer in offers):
        raise _no_list(url, f"status {reply.status}, names {[offer.name for offer in offers]}")
    return tuple(_mirrored(mirror.rstrip("/"), offer) for offer in offers)


def choose(names: Sequence[str], offered: Sequence[Repository]) -> Choice:
    """Look names up; one that has moved stands for its successor. Raises BadInput for an unknown one."""
    chosen, notes = {}, []
    for name in names:
        repository = _find(name, offered)
        if repository.moved_to:
            notes.append(f"{name} has moved: {repository.note}. {repository.moved_to} is taken in its place.")
            repository = _find(repository.moved_to, offered)
        chosen[repository.name] = repository
    return Choice(tuple(chosen.values()), tuple(notes))


def _find(name: str, offered: Sequence[Repository]) -> Repository:
    for repository in offered:
        if repository.name == name:
            return repository
    known = [r.name for r in offered if not r.moved_to]
    raise BadInput(
        f"There are no notebooks «{name}».{did_you_mean(name, known)}",
        fix=f"Give --notebooks with names of: {', '.join(['welcome', *known])}",
    )


def _mirrored(mirror: str, offer: _Offer) -> Repository:
    """A mirrored repository keeps what the catalogue knows of it; only its address is the mirror's."""
    url = f"{mirror}/git/{offer.name}.git"
    for known in catalogue():
        if known.name == offer.name:
            return msgspec.structs.replace(known, url=url, bytes=offer.bytes or known.bytes)
    return Repository(name=offer.name, title=offer.title, url=url, licence=offer.licence, bytes=offer.bytes)


def _no_list(url: str, why: str) -> NetworkTrouble:
    return NetworkTrouble(
        f"{url} is not the list of a mirror: {why}.", fix="Check the address that you gave to --mirror."
    )


def fetched(name: str | None, clones: Mapping[str, Path]) -> Mapping[str, Path]:
    """Those of the fetched notebooks that a name stands for; no name: all. Raises BadInput."""
    if name is None:
        return clones
    if name not in clones:
        raise BadInput(
            f"The notebooks «{name}» were not fetched.{did_you_mean(name, clones)}",
            fix=f"Fetch them: hpc-jupyter-setup setup --notebooks {','.join([*clones, name])}",
        )
    return {name: clones[name]}
