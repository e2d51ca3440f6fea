"""The packages of an environment: their records and files, their channels, and what pip has put over them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from setup_wizard.checkup.remark import Remark
from setup_wizard.conda import contents, dists
from setup_wizard.conda.damage import Flaw, Look, Record
from setup_wizard.conda.spec import package_name
from setup_wizard.environments.inventory import Place
from setup_wizard.journal import Receipt
from setup_wizard.jupyter import words
from setup_wizard.steps import CondaEnv

SERVER = "jupyter_server"


def remarks(place: Place, look: Look, receipt: Receipt, by: Path | None = None) -> Iterator[Remark]:
    """What is to be said of the packages; `by` is the program that can install those of others again."""
    mends = place.ours or by is not None
    for stem in look.unreadable:
        text, fix = f"the record of {stem} cannot be read", _fix(place) if mends else _by_conda(place, stem)
        yield Remark("records", "bad", text, fix, mends, contents.name_of(stem))
    for record in look.records:
        if record.name in look.flaws:
            yield _damaged(place, record, look.flaws[record.name], by)
    yield from _server(place, look)
    yield from _by_pip(place, look, receipt)
    if look.stray and place.ours:
        what = "1 file" if len(look.stray) == 1 else f"{len(look.stray)} files"
        text = f"byte code of what is gone: {what}; Python may take a folder of it for a package"
        yield Remark("leftovers", "warn", text, _fix(place), mends=True, paths=look.stray)
    if look.leftovers:
        what = "1 file was" if len(look.leftovers) == 1 else f"{len(look.leftovers)} files were"
        text = f"{what} left over by conda, or by programs that were killed"
        fix = _fix(place) if place.ours else f"Remove them: rm {place.prefix}/{look.leftovers[0]} …"
        yield Remark("leftovers", "warn", text, fix, place.ours, paths=look.leftovers)


def _damaged(place: Place, record: Record, flaws: tuple[Flaw, ...], by: Path | None) -> Remark:
    gone = sum(f.how == "gone" for f in flaws)
    if gone == len(record.paths_data.paths):
        text = f"{record.name} is recorded, but none of its {gone} files is there"
    else:
        counts = [(n, how) for n, how in ((gone, "gone"), (len(flaws) - gone, "changed")) if n]
        what = "file" if counts[0][0] == 1 else "files"
        first, *more = (f"{n} {how}" for n, how in counts)
        told = ", ".join([first.replace(" ", f" {what} "), *more])
        text = f"{record.name} {record.version}: {told}"
    paths = tuple(f.path for f in flaws)
    mends = record.name not in contents.theirs(place.prefix) if place.ours else by is not None
    fix = _fix(place) if mends else _by_conda(place, record.stem)
    return Remark("files", "bad", text, fix, mends, record.name, paths)


def _again(place: Place, name: str) -> str:
    return _fix(place) if place.ours else f"conda install -p {place.prefix} --force-reinstall {name}"


def _by_conda(place: Place, stem: str) -> str:
    wanted = "=".join(stem.rsplit("-", 2))
    return f"conda install -p {place.prefix} --force-reinstall --no-deps {wanted}"


def _fix(place: Place) -> str:
    return f"hpc-jupyter-setup env check {place.called if place.ours else place.prefix} --fix"


def _server(place: Place, look: Look) -> Iterator[Remark]:
    """A jupyter_server below the floor; the one that Python finds counts, whoever has installed it."""
    recorded = next((r.version for r in look.records if r.name == SERVER), "")
    installed = [dist.version for dist in dists.every(place.prefix) if dist.name == dists.plain(SERVER)]
    version = max(installed, key=_number, default=recorded)
    if said := words.warning(version):
        update = f"hpc-jupyter-setup env update {place.called} {SERVER}"
        foreign = f"conda update -p {place.prefix} {SERVER}"
        mends = place.ours and bool(recorded)
        text = said.partition(". Update it")[0]
        yield Remark("security", "bad", text, update if mends else foreign, mends, SERVER)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", version)[:3])


def _by_pip(place: Place, look: Look, receipt: Receipt) -> Iterator[Remark]:
    entry = receipt.get(f"conda_env:{place.prefix}")
    wanted = entry.step.spec.pip if entry and isinstance(entry.step, CondaEnv) else ()
    asked = {dists.plain(package_name(line)) for line in wanted}
    for name, dist in look.over.items():
        its = "" if dist.name == dists.plain(name) else f" {name}"
        text = f"pip has put its {dist.name} {dist.version} in the place of conda's{its}"
        if dist.name in asked:
            yield Remark("pip", "note", f"{text}, as the environment's file asks for", package=name)
            continue
        uninstall = f"{place.prefix}/bin/python -m pip uninstall {dist.name}"
        fix = f"{uninstall}\n{_again(place, name)}"
        yield Remark("pip", "warn", text, fix, package=name)
