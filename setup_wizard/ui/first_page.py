"""The first screen: what will be installed, where it goes and how big it is, which files are edited."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from setup_wizard import __version__
from setup_wizard.answers import Answers
from setup_wizard.choices import WELCOME, Choices, default_prefix
from setup_wizard.conda.distributions import FAMILIES
from setup_wizard.notebook_catalogue import welcome
from setup_wizard.plan import environments_folder
from setup_wizard.steps.login_file import login_file
from setup_wizard.steps.rc_file import rc_file
from setup_wizard.ui import words
from setup_wizard.ui.figures import size, tilde
from setup_wizard.ui.sheet import GAP, Line, Page, Words, grid, line, title
from setup_wizard.world import World

Row = tuple[Words, Words, Words]


def first(answers: Answers, choices: Choices, world: World) -> Page:
    """What would come of these complete answers, and how to change each of them."""
    installed, edited = _installed(answers, choices, world), _edited(answers, choices, world)
    return [
        line((f"hpc-jupyter-setup {__version__}", "title")),
        line(words.WHAT),
        GAP,
        title("What will be installed"),
        *grid([*installed], indent=2, right=(2,)),
        GAP,
        title("Which files will be edited, or added"),
        *grid([*edited], indent=2),
        GAP,
        *_ways(),
    ]


def _ways() -> Page:
    return [
        line(words.FIRST),
        GAP,
        Line((("hpc-jupyter-setup undo", "command"), f" {words.UNDO}")),
        GAP,
    ]


def prefix_of(answers: Answers, choices: Choices) -> Path:
    """The prefix of the conda that the answers lead to."""
    family = answers.distribution or ""
    if family not in FAMILIES:
        return Path(family).expanduser()
    return answers.prefix or (choices.mine.prefix if choices.mine else default_prefix(family, choices))


def _installed(answers: Answers, choices: Choices, world: World) -> Iterator[Row]:
    prefix, home = prefix_of(answers, choices), world.home
    new = answers.distribution in words.DISTRIBUTIONS
    name = words.DISTRIBUTIONS[answers.distribution or ""][0] if new else "conda"
    yield from _entry(
        name, tilde(prefix, home), size(words.ROOM) if new else "there", "--distribution, --prefix"
    )
    folder = environments_folder(prefix, ours=new, home=home)
    sizes = {e.name: size(e.bytes) for e in choices.environments}
    flag = "--environments"
    for environment in answers.environments or ():
        where = tilde(folder / Path(environment).stem, home)
        yield from _entry(environment, where, sizes.get(environment, ""), flag)
        flag = ""
    yield from _notebooks(answers, choices, home)


def _notebooks(answers: Answers, choices: Choices, home: Path) -> Iterator[Row]:
    sizes = {r.name: size(r.bytes) if r.bytes else "" for r in choices.repositories}
    flag = "--notebooks, --notebook-folder"
    for name in answers.notebooks or ():
        shown = "welcome notebook" if name == WELCOME else name
        where = tilde(answers.notebook_folder or home, home)
        yield from _entry(shown, where, sizes.get(name, size(len(welcome()))), flag)
        flag = ""


def _entry(what: str, where: str, how_big: str, flags: str) -> Iterator[Row]:
    """A thing, and below it the flags that change it."""
    yield (what, "strong"), where, how_big
    if flags:
        yield "", (flags, "dim"), ""


def _edited(answers: Answers, choices: Choices, world: World) -> Iterator[tuple[Words, Words]]:
    home = world.home
    yield tilde(home / ".condarc", home), "where packages come from (--channels)"
    rc = tilde(rc_file(home, world.shell), home)
    if answers.old_blocks:
        yield rc, "blocks of other condas switched off (--no-old-blocks)"
    if answers.shell:
        yield rc, "a few marked lines that make `conda` known (--no-shell)"
    if answers.shell and answers.login_file:
        path = tilde(login_file(home), home)
        yield path, f"one marked block, so that {rc} is read (--no-login-file)"
    if answers.environments:
        yield "~/.local/share/jupyter/kernels", "a kernel for each environment"
    yield tilde(world.state, home), "what was done, so that it can be undone"
