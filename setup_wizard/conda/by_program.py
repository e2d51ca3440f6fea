"""An environment solved and made by the user's own conda or mamba, in the place of our engine.

It is asked twice: first in a dry run what it would do, then for just that, each package with version and
build. It works in the final place, since it writes that into the files and nobody could move them later. So
what a killed run has left of a new environment is removed; a change that was killed goes on.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from setup_wizard import trees
from setup_wizard.conda import byte_code, contents, damage, history, program, said, shared
from setup_wizard.conda.build import Work, tell_aside
from setup_wizard.conda.channels import shown_in
from setup_wizard.conda.child import TITLES
from setup_wizard.conda.ground import Ground
from setup_wizard.conda.spec import EnvSpec, package_name
from setup_wizard.conda.talk import Package
from setup_wizard.errors import BadInput, CommandFailed
from setup_wizard.world import Progress, Report, World


class _Installed(msgspec.Struct, frozen=True):
    """An installed package, as conda-meta has it."""

    name: str
    version: str
    build: str
    url: str = ""
    size: int = 0
    sha256: str = ""


def solve(
    world: World, engine: Path, prefix: Path, spec: EnvSpec, newest: tuple[str, ...], report: Report
) -> tuple[Package, ...]:
    """What the environment would hold, as the program says in a dry run. Raises as `program.run` does.

    Where all are to move on, or some are to come and others to go, it is asked what a new environment would
    hold.
    """
    if spec.lock or spec.exact:
        raise BadInput(
            f"{spec.file or 'The list'} names every package; nothing is left for {engine.name} to decide.",
            fix="Leave out --engine.",
        )
    report(Progress(f"Ask {engine.name} what it would do"))
    if contents.whole(prefix) is None:  # a record that a killed run has torn would stop it
        contents.clean_up(prefix)
    words = _words(engine, prefix, spec, newest)
    answer = program.run(world, engine, [*words, "--dry-run", *_channels(engine, words[0], spec)], spec)
    gone, coming = said.changed(answer)
    if words[0] == "create":
        return tuple(coming)
    names = gone | {p.name for p in coming}
    stay = [p for p in contents.decoded(prefix, _Installed) if p.name not in names]
    kept = (Package(p.name, p.version, p.build, shown_in(p.url), p.size, p.sha256, cached=True) for p in stay)
    return (*kept, *coming)


def install(work: Work, engine: Path, wanted: tuple[Package, ...]) -> None:
    """Let the program make it so that just `wanted` is there. Safe to run again after a crash."""
    if contents.was_whole(work.prefix) is None:
        trees.clear_open(work.world, work.prefix)
    before = contents.stems(work.prefix)
    wanted = wanted or solve(work.world, engine, work.prefix, work.spec, (), work.report)
    want = {f"{p.name}-{p.version}-{p.build}": f"{p.name}={p.version}={p.build}" for p in wanted}
    if contents.stems(work.prefix):
        _change(work, engine, want)
    else:
        _run(work, engine, ["create", "--no-default-packages", *want.values()], total=len(want))
    if damaged := damage.look(work.prefix, packages_only=True).flaws:
        again = [spec for stem, spec in want.items() if contents.name_of(stem) in damaged]
        _run(work, engine, ["install", "--no-deps", "--force-reinstall", *again])
    for text in shared.told(work.prefix, want.keys() - set(before)):
        work.warn(text)
    if set(contents.stems(work.prefix)) != set(want):
        raise CommandFailed(
            f"{engine} has not installed what it had said before.",
            fix="The channels have changed meanwhile, perhaps. Run again: the new plan is shown first.",
        )


def _change(work: Work, engine: Path, want: dict[str, str]) -> None:
    contents.clean_up(work.prefix)
    contents.say_unfinished(work.prefix)
    byte_code.stop(work.world, work.prefix)
    byte_code.take_out(work.prefix, want)
    tell_aside(work)
    have = set(contents.stems(work.prefix))
    staying = {contents.name_of(stem) for stem in want}
    _make_way(work, engine, want)
    if gone := sorted({contents.name_of(stem) for stem in have} - staying):
        _run(work, engine, ["remove", "--force", *gone])
    if new := [spec for stem, spec in want.items() if stem not in have]:
        _run(work, engine, ["install", "--no-deps", *new])
    tell_aside(work)


def _make_way(work: Work, engine: Path, want: dict[str, str]) -> None:
    """Let what pip and the user have put there make way for what comes; the program would write over it.

    What it brings is known when it has fetched that; it need not, where there is nothing of somebody else's.
    """
    have = set(contents.stems(work.prefix))
    new = {contents.name_of(stem): stem for stem in want if stem not in have}
    listed = trees.listed(trees.opened(work.world, work.prefix)) or ()
    theirs = [path for path in listed if not trees.is_waste(path)]
    unpacked: dict[str, Path] = {}
    if new and theirs:
        _run(
            work, engine, ["install", "--no-deps", "--download-only", *(want[stem] for stem in new.values())]
        )
        places = [(n, cache / s) for cache in program.caches(work.world, engine) for n, s in new.items()]
        unpacked = {name: folder for name, folder in reversed(places) if folder.is_dir()}
    python = new.get("python", "")
    site = contents.site_of(python.split("-")[1]) if python else contents.site_packages(work.prefix)
    ground = Ground(work.prefix, unpacked, site, theirs)
    for stem in have - want.keys():
        ground.goes(contents.name_of(stem))
    for name in unpacked:
        ground.comes(name)


def _run(work: Work, engine: Path, words: list[str], total: int = 0) -> None:
    """Let it work, and tell how many packages are in: it says nothing of that itself."""

    def look() -> None:
        if there := len(contents.stems(work.prefix)) if total else 0:
            work.report(Progress(TITLES["link"], there, total, "packages"))

    work.report(Progress(f"{engine.name} works"))
    place = ["-p", str(work.prefix), *_channels(engine, words[0], work.spec)]
    program.run(work.world, engine, [*words, *place], work.spec, look)
    look()


def _words(engine: Path, prefix: Path, spec: EnvSpec, newest: tuple[str, ...]) -> list[str]:
    """The command that asks for what is wanted, changing as little as it can.

    «update» does not mind the versions that were asked for; conda's «install» does, and moves on.
    """
    place = ["-p", str(prefix)]
    beside = prefix.with_name(f".{prefix.name}.asked")  # which is not there, and is not made
    if contents.was_whole(prefix) is None:  # what a killed run has left goes first
        return ["create", "-p", str(beside if prefix.exists() else prefix), *spec.dependencies]
    had = {package_name(d): d for d in history.wanted(prefix)}
    want = {package_name(d): d for d in spec.dependencies}
    gone = sorted(had.keys() - want.keys())
    there = {contents.name_of(stem) for stem in contents.stems(prefix)}
    halfway = contents.whole(prefix) is None or not want.keys() <= there
    new = [d for name, d in want.items() if halfway or had.get(name) != d]
    if newest and "*" not in newest and not gone and not new:
        moving = [want.get(name, name) for name in newest]
        if engine.name == "conda":
            return ["install", *place, *moving]
        if moving == list(newest):
            return ["update", *place, *moving]
    if gone and not new and not newest:
        return ["remove", *place, *gone]
    if not gone and not newest:
        return ["install", *place, *(new or spec.dependencies)]
    return ["create", "-p", str(beside), *spec.dependencies, *_others(prefix, want)]


def _others(prefix: Path, want: dict[str, str]) -> list[str]:
    """What somebody else has added, and the pins of what is there: a new environment knows of neither."""
    there = {contents.name_of(stem) for stem in contents.stems(prefix)}
    return [
        *(name for name in contents.theirs(prefix) if name not in want),
        *(pin for pin in contents.pins(prefix) if package_name(pin) in there),
    ]


def _channels(engine: Path, command: str, spec: EnvSpec) -> list[str]:
    """Just the channels of the environment; only conda asks for them when something is removed."""
    if command == "remove" and engine.name != "conda":
        return []
    return ["--override-channels", *(word for channel in spec.channels for word in ("-c", channel))]
