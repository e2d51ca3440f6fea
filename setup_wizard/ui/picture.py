"""The picture of the wizard in the README, drawn from the real questions, plan and screens.

python -m setup_wizard.ui.picture docs/wizard.svg

The home is a throw-away one and the figures are fixed, so that the same program draws the same picture.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import msgspec

from setup_wizard import choices as offers
from setup_wizard.answers import Answers
from setup_wizard.apply import Outcome, Reviewed
from setup_wizard.choices import Choices, Wanted, environment
from setup_wizard.conda import distributions
from setup_wizard.launch import Launched
from setup_wizard.places import Place
from setup_wizard.plan import make_plan
from setup_wizard.proof import Proof
from setup_wizard.session import Address, Job, Process, Session
from setup_wizard.step import Done, Download, Forecast, Todo
from setup_wizard.steps import CondaEnv, Distribution
from setup_wizard.ui import options, questions, show, words
from setup_wizard.ui.plan_page import is_diff
from setup_wizard.ui.prompt import Option
from setup_wizard.ui.sheet import GAP, Page, Words, line
from setup_wizard.ui.totals import Need, Totals
from setup_wizard.world import Disk, World

YOU = "/home/you"
FREE = Disk(212_000_000_000, 4_000_000, "nfs")
TITLE = "hpc-jupyter-setup"
INSTALLER, PACKAGES = 157_000_000, 112_000_000  # bytes
SECONDS = {"distribution": 21, "conda_env": 14}
TOKEN = "8d1f0c7e5b3a4926"


def draw() -> str:
    """The picture, as SVG."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), {"SHELL": "/bin/bash"}, root=Path(folder))
        (world.home / ".bashrc").write_text("alias ll='ls -l'\n")
        return show.svg([_answered(world), _open(world), _plan(world), _work(world), _address(world)], TITLE)


# --- the questions --------------------------------------------------------------------------------------


def _answered(world: World) -> Page:
    """The command, and the questions that were answered."""
    said = {"distribution": "Miniforge", "prefix": "~/miniforge3", "environments": "jupyterlab"}
    return [
        line(("$ ", "dim"), ("hpc-jupyter-setup", "strong")),
        line(words.WHAT),
        GAP,
        *(
            line(questions.BY_FIELD[field].text, (f"  {answer}", "strong"), mark=("✔", "good"))
            for field, answer in said.items()
        ),
    ]


def _open(world: World) -> Page:
    """The question that is open, as it looks with arrow keys."""
    question = questions.BY_FIELD["notebooks"]
    shown = options.notebooks(_choices(world))[:3]
    head = line((question.text, "strong"), mark=("?", "title"))
    return [
        head,
        line((question.help, "dim"), indent=2),
        *(block for i, o in enumerate(shown) for block in _row(o, i)),
    ]


def _row(option: Option, number: int) -> Page:
    pointed, picked = number == 2, number in (0, 2)
    tick: Words = ("● ", "good") if picked else "○ "
    name = line(tick, (option.name, "strong"), mark=("❯" if pointed else " ", "title"), indent=1)
    return [name, line((option.note, "dim"), indent=7)]


def _choices(world: World) -> Choices:
    """What a machine with room offers."""
    place = Place(world.home, "your home", FREE)
    return msgspec.structs.replace(offers.look(world, None, None), found=(), places=(place,))


# --- the plan and the work ------------------------------------------------------------------------------


def _steps(world: World) -> list[Reviewed]:
    answers = Answers(
        channels="conda-forge",
        environments=("jupyterlab",),
        notebooks=("welcome", "PythonSeries"),
        notebook_folder=world.home / "jupyter-notebooks",
        shell=True,
    )
    release = distributions.choose("miniforge", ("Linux", "x86_64"), "2.36", distributions.catalogue())
    prefix = world.home / "miniforge3"
    wanted = Wanted(
        answers=answers,
        prefix=prefix,
        distribution=Distribution(release=release, prefix=prefix),
        environments=tuple(environment(name, answers) for name in answers.environments or ()),
        repositories=tuple(r for r in _choices(world).repositories if r.name == "PythonSeries"),
    )
    return [_review(step, world) for step in make_plan(wanted, world.home, "bash").steps]


def _review(step: object, world: World) -> Reviewed:
    """A step as it stands in this home, which goes by the name of yours, and what it would cost."""
    state = step.check(world)  # type: ignore[attr-defined]
    if isinstance(state, Todo) and is_diff(state.preview):
        state = Todo(state.preview.replace(str(world.home), YOU), state.before)
    costs = Forecast()
    if isinstance(step, Distribution):
        r = step.release
        costs = Forecast((Download(r.file_name, r.url, r.size or INSTALLER, r.sha256),), 10**9, 20_000)
    if isinstance(step, CondaEnv):
        costs = Forecast((Download("105 packages", "", PACKAGES),), 450_000_000, 21_000)
    return Reviewed(step, state, costs)  # type: ignore[arg-type]


def _plan(world: World) -> Page:
    """The plan with its sum, and the agreement."""
    steps = _steps(world)
    fetched = sum(d.size for r in steps for d in r.forecast.downloads)
    size, files = (sum(getattr(r.forecast, name) for r in steps) for name in ("bytes_on_disk", "files"))
    need = Need(world.home / "miniforge3", FREE.kind, size, files, FREE.free_bytes, FREE.free_files)
    agreed = line("Shall I do this?", ("  yes", "strong"), mark=("✔", "good"))
    return [*show.plan(steps, Totals(fetched, False, (need,)), world.home), GAP, agreed]


def _work(world: World) -> Page:
    """The steps as they were done."""
    done: Page = []
    for r in _steps(world):
        seconds = SECONDS.get(str(type(r.step).__struct_config__.tag), 0)
        state = "found" if isinstance(r.state, Done) else "made"
        done += show.outcome(Outcome(r.step, state), seconds, world.home)
    return done


def _address(world: World) -> Page:
    """Where Jupyter answers."""
    prefix = world.home / "miniforge3/envs/jupyterlab"
    url = f"http://127.0.0.1:43211/lab?token={TOKEN}…"
    me = Session("calm-otter", world.home, Job(prefix, world.home), Process("login01", 1, "1"), 0)
    proof = Proof(str(prefix), "42", "websocket")
    return show.launched(Launched(me, Address(url, "login01", 43211, 0), url, proof), world.home)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(draw())
