"""What can be had now: the makers' own listings on top of the catalogue, or what a mirror lists, alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from setup_wizard.conda import releases
from setup_wizard.conda.releases import Release, catalogue, least_glibc, parse_name
from setup_wizard.errors import NetworkTrouble, SetupError
from setup_wizard.world import World

PATIENCE = 5.0  # seconds: there is a catalogue to fall back on


def listing(world: World, family: str, mirror: str | None = None) -> list[Release]:
    """The releases of a family that can be had: see `consult`."""
    return consult(world, family, mirror)[0]


def consult(world: World, family: str, mirror: str | None = None) -> tuple[list[Release], str]:
    """The releases of a family, and a note where the makers' listing could not be used ("" when it was).

    A listing that cannot be had or believed leaves us with the catalogue; of a mirror it raises
    NetworkTrouble, since nothing but the mirror is to be asked.
    """
    if mirror:
        return _of_mirror(world, family, mirror.rstrip("/")), ""
    known = [r for r in catalogue() if r.family == family]
    try:
        news = NEWEST[family](world.in_a_hurry(PATIENCE))
    except SetupError as e:
        return known, f"{e.problem} The catalogue of this version is used."
    return merge(known, news), ""


def merge(known: Iterable[Release], news: Iterable[Release]) -> list[Release]:
    """The catalogue with what is new; where both have a hash, the catalogue's counts."""
    by_name = {r.file_name: r for r in known}
    for new in news:
        old = by_name.setdefault(new.file_name, new)
        if old.sha256 == new.sha256:
            by_name[new.file_name] = replace(old, size=new.size)
    return list(by_name.values())


def _of_mirror(world: World, family: str, mirror: str) -> list[Release]:
    base = f"{mirror}/{family}"
    reply = world.fetch(f"{base}/.files.json")
    if reply.status == 404:
        raise NetworkTrouble(
            f"The mirror {mirror} offers no {family.capitalize()}: there is no {base}/.files.json.",
            fix="Choose another distribution (--distribution), or have it added to the mirror.",
        )
    found = read_listing(reply.status, reply.text, base, family)
    known = {r.file_name: r.sha256 for r in catalogue()}
    for release in found:
        if known.get(release.file_name, release.sha256) != release.sha256:
            raise NetworkTrouble(
                f"The mirror {mirror} lists another SHA-256 for {release.file_name} than its maker does.",
                fix="Do not use it before whoever runs the mirror has explained this.",
            )
    return found


def read_listing(status: int, text: str, base: str, family: str) -> list[Release]:
    """The releases in a `.files.json`, whose files lie beside it. Raises NetworkTrouble for what is none."""
    try:
        entries = json.loads(text) if status == 200 else None
    except (json.JSONDecodeError, RecursionError):
        entries = None
    if not isinstance(entries, dict):
        page = text.lstrip()[:5].lower() in ("<html", "<!doc")
        what = (
            "a web page (a login page of the network, perhaps)" if page else f"no listing (status {status})"
        )
        raise NetworkTrouble(
            f"{base}/.files.json is {what}.", fix="Log in to the network, or check --mirror; then run again."
        )
    found = [
        r for name, entry in entries.items() if (r := _release(name, entry, base)) and r.family == family
    ]
    if not found:
        raise NetworkTrouble(
            f"{base}/.files.json lists no {family.capitalize()} for Linux with a SHA-256.",
            fix="Choose another distribution (--distribution), or check --mirror.",
        )
    return found


def _release(name: str, entry: Any, base: str) -> Release | None:
    """A release that we may choose, or None: another system, an alias, no hash, too old."""
    parts = parse_name(name)
    if not parts or parts["os"] != "Linux" or not isinstance(entry, dict):
        return None
    sha256, size = entry.get("sha256"), entry.get("size")
    glibc = "" if parts["label"] else least_glibc(parts["family"], parts["arch"], parts["version"])
    if glibc is None or not isinstance(sha256, str) or not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        return None
    return Release(
        **parts,
        file_name=name,
        url=f"{base}/{name}",
        sha256=sha256.lower(),
        size=size if isinstance(size, int) and size > 0 else 0,
        min_glibc=glibc,
        attested=f"listed by {base}",
    )


def _newest_miniconda(world: World) -> list[Release]:
    reply = world.fetch(f"{releases.MINICONDA}/.files.json")
    return read_listing(reply.status, reply.text, releases.MINICONDA, "miniconda")


def _newest_miniforge(world: World) -> list[Release]:
    """The release that the project's page of the latest leads to, with the hashes published beside it."""
    page = world.fetch(f"{releases.MINIFORGE}/latest", method="HEAD").url
    tag = page.rpartition("/tag/")[2]
    if not re.fullmatch(r"\d[\d.]*-\d+", tag):
        raise NetworkTrouble(f"{releases.MINIFORGE} names no latest release.", fix="Run again in a while.")
    arches = sorted(set(releases.SUPPORTED.values()))
    names = [releases.file_name("miniforge", tag, "", arch) for arch in arches]
    return [r for name in names if (r := _with_sidecar(world, tag, name))]


def _with_sidecar(world: World, tag: str, name: str) -> Release | None:
    if any(r.file_name == name for r in catalogue()):
        return None
    where = releases.url("miniforge", tag, name)
    reply = world.fetch(f"{where}.sha256")
    said = re.fullmatch(r"([0-9a-fA-F]{64})\s+\*?(?:\./)?(\S+)\s*", reply.text)
    if reply.status != 200 or not said or said[2] != name:
        return None
    return _release(name, {"sha256": said[1]}, where.rpartition("/")[0])


NEWEST: dict[str, Callable[[World], list[Release]]] = {
    "miniconda": _newest_miniconda,
    "miniforge": _newest_miniforge,
}
