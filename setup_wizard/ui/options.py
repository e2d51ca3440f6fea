"""What can be chosen at each question, with a note each; and which answers of last time still fit."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from setup_wizard import trees
from setup_wizard.answers import Answers
from setup_wizard.choices import WELCOME, Choices, default_prefix
from setup_wizard.conda.distributions import FAMILIES, FOLDERS, Found
from setup_wizard.conda.prefix import trouble
from setup_wizard.places import Place
from setup_wizard.ui import words
from setup_wizard.ui.figures import count, size, tilde
from setup_wizard.ui.prompt import Option
from setup_wizard.world import World

LINE = 58  # columns of a message below what is being typed
MORE, ANOTHER = "more", "another"  # values that are no answers: ask more, ask for a folder


# --- conda ----------------------------------------------------------------------------------------------


def distributions(choices: Choices, world: World, *, more: bool) -> list[Option]:
    """The condas that are there, those that can be installed, and (`more`) the way to further choices."""
    options = [_found(f, world) for f in choices.found]
    options += [Option(family, *words.DISTRIBUTIONS[family]) for family in FAMILIES]
    return options + ([Option(MORE, "More choices …", "asks where packages come from, too")] if more else [])


def _found(found: Found, world: World) -> Option:
    note = f"{found.kind} {found.version}, found {found.how}; it is used, not changed"
    refused = f"cannot be used: {found.problem}" if found.problem else ""
    return Option(str(found.prefix), tilde(found.prefix, world.home), note, refused=refused)


def prefixes(family: str, last: Path | None, choices: Choices, world: World) -> list[Option]:
    """The places for a new conda: that of last time first, then what the machine offers."""
    options = [_last(last, world)] if last else []
    options += [
        _prefix(place, family, world) for place in choices.places if place.path / FOLDERS[family] != last
    ]
    return [*options, Option(ANOTHER, "another folder …", "you type its path")]


def _last(prefix: Path, world: World) -> Option:
    refused = prefix_trouble(str(prefix), world)
    return Option(str(prefix), tilde(prefix, world.home), "your answer of last time", refused=refused)


def _prefix(place: Place, family: str, world: World) -> Option:
    prefix = place.path / FOLDERS[family]
    note = ", ".join((place.why, room(place)))
    return Option(str(prefix), tilde(prefix, world.home), note, refused=prefix_trouble(str(prefix), world))


def room(place: Place) -> str:
    """What is free in a place: «212 GB and 4.0 million files free, ext4, quota»."""
    files = f" and {count(place.free_files, 'files')}" if place.free_files is not None else ""
    whose = {q.whose for q in place.quotas}
    quota = ", by your quota" if "" in whose else ", by a quota" if whose else ""
    return f"{size(place.free_bytes)}{files} free{quota} ({place.disk.kind})"


def suggested(family: str, choices: Choices) -> Path:
    """The folder that stands there to be changed, when another one is typed: the first that is free."""
    usual = default_prefix(family, choices)
    names = (usual.with_name(f"{usual.name}-{n}") for n in itertools.count(2))
    return usual if not os.path.lexists(usual) else next(p for p in names if not os.path.lexists(p))


def path_of(text: str, world: World) -> Path:
    """The path that a person means: ~ is the home, and what does not start at the root starts there, too."""
    if text == "~" or text.startswith("~/"):
        text = str(world.home) + text[1:]
    return Path(os.path.normpath(world.home / text))


def prefix_trouble(text: str, world: World) -> str:
    """Why conda cannot go there, in a line; "" when it can."""
    if not text:
        return "Type the path of a folder."
    prefix = path_of(text, world)
    if os.path.lexists(prefix) and not (trees.is_open(world, prefix) or trees.is_sealed(world, prefix)):
        return f"{tilde(prefix, world.home)} is there already; it stays as it is."
    found = trouble(world, prefix)
    return tilde(found.problem, world.home) if found else ""


def in_a_line(problem: str, typed: str, world: World) -> str:
    """What is wrong with a path, short enough to stand below it while it is typed."""
    shown = re.escape(tilde(path_of(typed, world), world.home))
    said = re.sub(rf"^(The prefix )?«?{shown}»?(?= )", "It", problem)
    return said if len(said) <= LINE else said.partition(": ")[0]


def channels() -> list[Option]:
    """Where packages can come from."""
    return [Option(name, name, note) for name, note in words.CHANNELS.items()]


# --- environments and notebooks -------------------------------------------------------------------------


def environments(choices: Choices, own: Iterable[str]) -> list[Option]:
    """The environments that ship with us, and the user's `own` YAML files."""
    shipped = [Option(e.name, e.name, f"{e.purpose}; {size(e.bytes)}") for e in choices.environments]
    return shipped + [Option(path, path, "your own file") for path in own if _is_own(path)]


def _is_own(name: str) -> bool:
    return name.endswith((".yml", ".yaml")) and Path(name).expanduser().is_file()


def notebooks(choices: Choices) -> list[Option]:
    """Our own notebook, and the repositories that can be fetched."""
    return [Option(WELCOME, WELCOME, "a first plot; 5 kB")] + [
        Option(
            r.name,
            r.name,
            "; ".join(filter(None, (r.title, licence(r.licence), size(r.bytes) if r.bytes else ""))),
        )
        for r in choices.repositories
        if not r.moved_to
    ]


def licence(name: str) -> str:
    """The licence of a repository in words."""
    return "no licence stated" if name in ("", "none stated") else f"licence {name}"


def folder_trouble(text: str, world: World) -> str:
    """Why notebooks cannot go there, in a line; "" when they can."""
    if not text:
        return "Type the path of a folder."
    path = path_of(text, world)
    while not os.path.lexists(path):
        path = path.parent
    if not path.is_dir():
        return f"{tilde(path, world.home)} is a file."
    return "" if os.access(path, os.W_OK | os.X_OK) else f"You may not write in {tilde(path, world.home)}."


# --- last time ------------------------------------------------------------------------------------------


def still_there(last: Answers, choices: Choices) -> Answers:
    """The answers of last time without what is not to be had any more."""
    condas = {*FAMILIES, *(str(f.prefix) for f in choices.found if f.healthy)}
    notebooks_now = {o.value for o in notebooks(choices)}
    environments_now = {e.name for e in choices.environments}
    return msgspec.structs.replace(
        last,
        distribution=last.distribution if last.distribution in condas else None,
        environments=_only(last.environments, lambda name: name in environments_now or _is_own(name)),
        notebooks=_only(last.notebooks, lambda name: name in notebooks_now),
    )


def _only(names: tuple[str, ...] | None, fits: Callable[[str], bool]) -> tuple[str, ...] | None:
    """Those that fit; None when that was some once, and is none now."""
    if names is None:
        return None
    left = tuple(name for name in names if fits(name))
    return left if left or not names else None
