"""What a person reads: nothing is left out, nothing is too wide, no code goes where nobody can read it."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import msgspec
import pexpect
import pytest

from setup_wizard import files
from setup_wizard.apply import Outcome, Reviewed, TakenBack
from setup_wizard.choices import look, proposal
from setup_wizard.conda import distributions
from setup_wizard.errors import MachineBlocks
from setup_wizard.journal import Entry
from setup_wizard.preflight import Finding
from setup_wizard.running import Row
from setup_wizard.selftest import Check
from setup_wizard.step import Blocked, Done, Download, Forecast, Todo
from setup_wizard.steps import AnyStep, Clone, Condarc, Distribution, ShellBlock, Welcome
from setup_wizard.ui import figures, paper, show, words
from setup_wizard.ui.pages import MOST_KEPT, kept_paths
from setup_wizard.ui.picture import draw
from setup_wizard.ui.sheet import Block, Page, grid, line
from setup_wizard.world import Progress, World
from tests.program import ROOT

WHOLE = re.compile(r"https?://|SHA-256|[0-9a-f]{64}")  # what is not broken into lines by us


@pytest.fixture
def reviewed(world: World) -> list[Reviewed]:
    """The steps of a real plan in an empty home, one of them done and one of them blocked."""
    home = world.home
    (home / ".bashrc").write_text("# mine\n")
    prefix, folder = home / "miniconda3", home / "jupyter-notebooks"
    release = distributions.choose("miniconda", ("Linux", "x86_64"), "2.36", distributions.catalogue())
    steps: list[AnyStep] = [
        Distribution(release=release, prefix=prefix),
        Condarc(path=home / ".condarc", channels=("conda-forge",)),
        ShellBlock.of(home, "bash", prefix),
        Clone("PythonSeries", "https://example.org/PythonSeries", folder / "PythonSeries", 247_000, 25),
        Welcome(path=folder / "welcome.ipynb"),
    ]
    costs = Forecast(
        (Download(release.file_name, release.url, 157_000_000, release.sha256),), 10**9, 20_000, prefix
    )
    plan = [Reviewed(step, step.check(world)) for step in steps]
    plan[0] = msgspec.structs.replace(plan[0], forecast=costs)
    plan[3] = Reviewed(steps[3], Blocked("There is no git here.", "module load git"))
    plan[4] = Reviewed(steps[4], Done("it is there, changed; it stays as it is"))
    return plan


def text(page: Sequence[Block], width: int = 100) -> str:
    """The page as it is read, with each run of blanks and line ends as one blank."""
    return " ".join(paper.text(list(page), width).split())


def too_wide(page: Page, width: int) -> list[str]:
    """The lines that would not fit."""
    drawn = [shown.rstrip() for shown in paper.text(page, width).splitlines()]
    return [shown for shown in drawn if len(shown) > width and not WHOLE.search(shown)]


# --- the plan -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("long", [False, True], ids=["short", "long"])
def test_the_plan_leaves_nothing_out(world: World, reviewed: list[Reviewed], long: bool) -> None:
    """Every step's title, every changed line, every command, size, hash and fix is on the screen."""
    said = text(show.plan(reviewed, show.totals(reviewed, world), world.home, long=long))
    for r in reviewed:
        assert figures.tilde(r.step.title, world.home) in said
    assert "157 MB" in said
    assert reviewed[0].forecast.downloads[0].sha256 in said
    assert "+channel_priority: strict" in said
    assert "+# >>> hpc-jupyter-setup >>>" in said
    assert "There is no git here. module load git" in said
    assert "it stays as it is" in said


def test_the_long_plan_has_every_download_and_the_reasons(world: World, reviewed: list[Reviewed]) -> None:
    """A hundred packages: the short form counts them, the long one lists each with its size and hash."""
    downloads = tuple(
        Download(f"p{i}.conda", f"https://c.org/linux-64/p{i}.conda", 1000 + i, f"{i:064x}")
        for i in range(100)
    )
    plan = [msgspec.structs.replace(reviewed[0], forecast=Forecast(downloads, 1, 1, world.home))]
    sums = show.totals(plan, world)
    short, long = (text(show.plan(plan, sums, world.home, long=form)) for form in (False, True))
    assert "100 downloads" in short
    assert downloads[50].sha256 not in short
    assert [
        d.name for d in downloads if f"{d.name} {figures.size(d.size)} SHA-256 {d.sha256}" not in long
    ] == []
    assert text([line(words.why(plan[0].step))]) in long


def test_steps_to_do_are_numbered_and_others_are_not(world: World, reviewed: list[Reviewed]) -> None:
    """Numbers count what will be done; what is so already, or cannot be done, has a mark."""
    drawn = paper.text(show.plan(reviewed, show.totals(reviewed, world), world.home))
    heads = re.findall(r"^ +(\d+|✔|✘) (?:Install|Set|Add|Fetch)", drawn, re.MULTILINE)
    assert heads == ["1", "2", "3", "✘", "✔"]


def test_the_sum_is_by_file_system_and_says_when_there_is_too_little(
    world: World, reviewed: list[Reviewed]
) -> None:
    """Two steps on one disk are added up; more than is free is shown as such."""
    huge = Forecast((), 10**18, 7, world.home / "deep/er")
    plan = [reviewed[0], msgspec.structs.replace(reviewed[1], forecast=huge)]
    sums = show.totals(plan, world)
    assert [(n.bytes, n.files, n.fits) for n in sums.needs] == [(10**18 + 10**9, 20_007, False)]
    assert "more than there is" in text(show.plan(plan, sums, world.home))


# --- width, colours, letters ----------------------------------------------------------------------------


def test_every_screen_is_readable_at_60_columns(world: World, reviewed: list[Reviewed]) -> None:
    """No line is longer than the screen, but for addresses and hashes, which the terminal folds."""
    for page in every_screen(world, reviewed):
        assert too_wide(page, 60) == []


def every_screen(world: World, reviewed: list[Reviewed]) -> list[Page]:
    """One of each."""
    home = world.home
    choices = look(world, None, None)
    sums = show.totals(reviewed, world)
    entries = [Entry(r.step, r.state.before, True) for r in reviewed if isinstance(r.state, Todo)]
    deep = home / "a-rather-long-folder/and-another-one-below-it/with-a-file-of-the-user.ipynb"
    trouble = MachineBlocks(
        f"{deep} could not be written: Permission denied.", fix="See who may write there."
    )
    undone = [TakenBack(reviewed[1].step, (deep,)), TakenBack(reviewed[0].step, trouble=trouble)]
    return [
        show.first(proposal(choices, world), choices, world),
        show.plan(reviewed, sums, home),
        show.plan(reviewed, sums, home, long=True),
        show.findings([Finding("Disk", "bad", f"{deep} is full " * 3, "Free some space there.")], home),
        show.checks(
            [Check("A new terminal knows conda", False, "it said nothing " * 5, "See the log.")], home
        ),
        show.undo_list(entries, [], home),
        [
            *show.taken_back(undone[0], home),
            *show.taken_back(undone[1], home),
            *show.undo_result(undone, home),
        ],
        show.sessions(rows(home), 10_000),
        show.what_now(home / ".bashrc", home / "conda.sh", ["jupyterlab"], home),
        words.terms("miniconda", distributions.TERMS["miniconda"].summary, distributions.TERMS_URL),
        words.other_shell("fish", "~/.config/fish/config.fish", "test -r x; and source x"),
    ]


def rows(home: Path) -> list[Row]:
    """Sessions in every state."""
    url = "http://127.0.0.1:43211/lab?token=" + "ab" * 32
    ready = Row(
        "mellow-nightjar", "ready", home, "/x/envs/jupyterlab", "lab", 2_500, "login01", url, warning="Old."
    )
    died = Row("bold-falcon", "died", home, "/x/envs/notebooks", detail="It was ended.", fix="Launch again.")
    return [
        ready,
        died,
        Row("calm-otter", "waiting", home, "/x/envs/jupyter", started=9_000, detail="no room yet"),
    ]


def test_brackets_and_control_characters_are_shown_as_they_are() -> None:
    """What looks like markup is text, and what would move the cursor is made harmless."""
    page: Page = [line("[bold]a[/bold] [link=x]", ("\x1b[31mred\x07", "bad")), *grid([("[red]b", "[/]")])]
    said = text(page)
    assert "[bold]a[/bold] [link=x]" in said
    assert "\\x1b[31mred\\x07" in said
    assert "[red]b [/]" in said


def test_long_paths_are_folded_not_cut() -> None:
    """Every letter of a long path is there, in a line and in a table."""
    path = "/".join(["a-folder-with-a-name"] * 8)
    pages: list[Page] = [[line(path)], grid([("x", path)])]
    for page in pages:
        assert "".join(paper.text(page, 40).split()).removeprefix("x") == path


def test_a_column_in_which_nothing_stands_takes_no_room() -> None:
    """Beside it nothing is folded that would fit."""
    rows = [("work", "~/miniconda3/envs/work", ""), ("jupyterlab", "~/miniconda3/envs/jupyterlab", "")]
    assert paper.text(grid(rows)).splitlines() == [
        "work        ~/miniconda3/envs/work",
        "jupyterlab  ~/miniconda3/envs/jupyterlab",
    ]


def test_what_is_to_be_copied_is_in_one_piece() -> None:
    """A command that is the fix is never broken into lines by us; prose is."""
    command = "export SSL_CERT_FILE=" + "/x" * 60
    spoken = "unset PYTHONPATH; and take it out of your rc files (grep -n PYTHONPATH ~/.*rc ~/.*profile)"
    assert too_wide(show.findings([Finding("Python", "bad", "no", spoken)], Path("/h")), 60) == []
    said = paper.text(show.findings([Finding("TLS", "bad", "no", command)], Path("/h")), 60)
    assert command in said
    prose = "Free some space " * 10
    assert too_wide(show.findings([Finding("Disk", "bad", "no", prose)], Path("/h")), 60) == []


@pytest.mark.parametrize(
    ("env", "terminal", "colours"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
    ],
)
def test_colours_only_where_they_are_wanted(env: dict[str, str], terminal: bool, colours: bool) -> None:
    """On a terminal there are colours, elsewhere not; NO_COLOR and FORCE_COLOR say otherwise."""
    script = "from setup_wizard.ui import show; show.error('It broke.', 'Mend it.')"
    env = {"HOME": "/nowhere", **env}  # that there is no home must be sayable
    seen = on_terminal(script, env) if terminal else piped(script, env)
    assert ("\x1b[" in seen) is colours
    assert "It broke." in seen
    assert "Mend it." in seen


def environment(more: dict[str, str]) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": "/tmp",
        "TERM": "xterm-256color",
        "PYTHONPATH": str(ROOT),
        **more,
    }


def on_terminal(script: str, env: dict[str, str], *, size: tuple[int, int] = (24, 60)) -> str:
    """What a script prints on a terminal."""
    return str(
        pexpect.run(
            f'{sys.executable} -c "{script}"', env=environment(env), encoding="utf-8", dimensions=size
        )
    )


def piped(script: str, env: dict[str, str]) -> str:
    """What a script prints into pipes."""
    output = World.here().run([sys.executable, "-c", script], env=environment(env))
    return output.out + output.err


def test_a_terminal_without_unicode_gets_marks_that_it_knows() -> None:
    """Where the output cannot carry a tick, there is a sign of ASCII, and no crash."""
    file = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    paper.put([line("so «well» …", mark=("✔", "good"))], paper.console({}, file=file, width=40))
    file.flush()
    assert file.buffer.getvalue().decode("latin-1").split() == [
        "+",
        "so",
        "«well»".translate(paper.ASCII),
        "...",
    ]


# --- single screens -------------------------------------------------------------------------------------


def test_the_first_screen_says_what_where_how_big_and_how_to_change_it(world: World) -> None:
    """Everything that a proposal would make is named with its place, its size, and its flag; undo too."""
    choices = look(world, None, None)
    said = text(show.first(proposal(choices, world), choices, world))
    for part in (
        "Miniconda ~/miniconda3 1.0 GB --distribution, --prefix",
        "jupyterlab",
        "450 MB",
        "--environments",
    ):
        assert part in said
    for part in ("~/.bashrc", "--no-shell", "~/.condarc", "--channels", "hpc-jupyter-setup undo"):
        assert part in said


def test_every_red_finding_has_its_fix_and_a_green_one_none(world: World) -> None:
    """What is well takes a line; what is not has what to do below it."""
    found = [
        Finding("A", "good", "fine", "never shown"),
        Finding("B", "warn", "so so", "fix b"),
        Finding("C", "bad", "no", "fix c"),
    ]
    assert text(show.findings(found, world.home)) == "✔ A fine ! B so so fix b ✘ C no fix c"


def test_undo_shows_the_newest_first(world: World, reviewed: list[Reviewed]) -> None:
    """The list is in the order in which it will be done, each with what becomes of it."""
    entries = [Entry(r.step, r.state.before, True) for r in reviewed if isinstance(r.state, Todo)]
    said = text(show.undo_list(entries, [], world.home))
    titles = [figures.tilde(e.step.title, world.home) for e in reversed(entries)]
    places = [said.index(title) for title in titles]
    assert places == sorted(places)
    assert isinstance(entries[-1].before, files.OldFile)
    assert "our lines in ~/.bashrc go" in said


def test_an_undo_that_left_something_says_what_to_do(world: World, reviewed: list[Reviewed]) -> None:
    """A trouble is shown with its fix, and the end is not called a success."""
    left = TakenBack(reviewed[0].step, trouble=MachineBlocks("It is in use.", fix="lsof x"))
    said = text([*show.taken_back(left, world.home), *show.undo_result([left], world.home)])
    assert "It is in use. lsof x" in said
    assert "1 step could not be taken back" in said
    assert "as it was before" not in said
    assert "as it was before" in text(show.undo_result([TakenBack(reviewed[0].step)], world.home))


def test_many_kept_paths_become_few_lines_that_count_them_all() -> None:
    """However many there are, a few lines tell where; their numbers add up to all of them."""
    home = Path("/h")
    many = [home / f"a/b{i % 3}/c{i}/d{j}.txt" for i in range(30) for j in range(7)]
    told = kept_paths(many, home)
    assert len(told) <= MOST_KEPT
    assert sum(int(number) for number in re.findall(r"\((\d+) files\)", " ".join(told))) == len(many)
    assert kept_paths(many[:2], home) == ["~/a/b0/c0/d0.txt", "~/a/b0/c0/d1.txt"]


def test_a_session_takes_one_line_and_its_address_is_whole(world: World) -> None:
    """The table has a line for each; below it the address can be copied, and what died says why."""
    sessions = rows(world.home)
    drawn = paper.text(show.sessions(sessions, 10_000), 60).splitlines()
    assert [shown.split()[0] for shown in drawn[: len(sessions)]] == [row.id for row in sessions]
    assert "  " + sessions[0].url in drawn
    assert "2 h 05 min" in drawn[0]
    assert "bold-falcon: It was ended. Launch again." in " ".join(" ".join(drawn).split())


def test_every_kind_of_step_has_its_reason() -> None:
    """«explain» has something to say about each step that there is."""
    assert {str(kind.__struct_config__.tag) for kind in get_args(AnyStep)} == set(words.WHY)


# --- figures --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (9949, "9.9 kB"), (9951, "10 kB"), (157_000_000, "157 MB"),
     (999_499_999, "999 MB"), (999_500_000, "1.0 GB"), (1_600_000_000, "1.6 GB"), (3 * 10**15, "3.0 PB")],
)  # fmt: skip
def test_sizes_follow_one_rule(number: int, shown: str) -> None:
    """Decimal units, about two digits, and never «1000 MB»."""
    assert figures.size(number) == shown


def test_the_home_is_a_tilde_only_where_a_path_begins() -> None:
    """/home/ann is not in /home/anna, nor in /data/home/ann."""
    home = Path("/home/ann")
    said = figures.tilde("/home/ann/x (/home/ann) /home/anna/y /data/home/ann/z", home)
    assert said == "~/x (~) /home/anna/y /data/home/ann/z"
    assert figures.tilde("/etc", Path("/")) == "/etc"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.44, "0.4 s"), (9.97, "10 s"), (125, "2 min 05 s"), (7500, "2 h 05 min")]
)
def test_times_are_rounded_for_people(seconds: float, shown: str) -> None:
    """Tenths below ten seconds, then seconds, minutes, hours."""
    assert figures.duration(seconds) == shown


# --- JSON -----------------------------------------------------------------------------------------------


def test_json_tells_the_same_as_the_screen(reviewed: list[Reviewed]) -> None:
    """A plan in JSON has each step's title, state and costs on one level; paths and errors are readable."""
    data: Any = json.loads(json.dumps(show.json_of({"plan": reviewed})))["plan"]
    assert [(d["title"], d["key"]) for d in data] == [(r.step.title, r.step.key) for r in reviewed]
    assert [d["state"] for d in data] == ["todo", "todo", "todo", "blocked", "done"]
    assert data[0]["downloads"][0]["sha256"] == reviewed[0].forecast.downloads[0].sha256
    assert (data[0]["bytes_on_disk"], data[0]["where"]) == (10**9, str(reviewed[0].forecast.where))
    assert data[3]["fix"] == "module load git"
    taken = TakenBack(reviewed[0].step, (Path("/x"),), MachineBlocks("p", fix="f"))
    assert show.json_of(taken)["trouble"] == {"problem": "p", "fix": "f", "code": 3}
    assert show.json_of(Outcome(reviewed[0].step, "made"))["state"] == "made"


# --- progress -------------------------------------------------------------------------------------------


class Clocked(World):
    """A world whose time is what the test says."""

    time = 1000.0

    def now(self) -> float:
        return self.time


def test_without_a_terminal_there_is_a_line_a_step(
    world: World, reviewed: list[Reviewed], capsys: pytest.CaptureFixture[str]
) -> None:
    """A log gets one line for each finished step, and one of progress in ten seconds at most."""
    clock = Clocked(world.home, world.env)
    with show.live(clock) as live:
        live.report(Progress(reviewed[0].step.title))
        for second in range(25):
            clock.time += 1
            live.report(Progress("Miniconda3.sh", second * 10**6, 25 * 10**6, "B"))
        live.finished(Outcome(reviewed[0].step, "made"))
        live.finished(Outcome(reviewed[1].step, "found"))
    said = capsys.readouterr().out.splitlines()
    assert [s.split()[0] for s in said] == ["…", "…", "✔", "•"]
    assert "9 of 25 MB" in said[0]
    assert figures.tilde(reviewed[0].step.title, world.home) in said[2]
    assert "25 s" in said[2]


def test_a_step_that_is_interrupted_is_named(
    world: World, reviewed: list[Reviewed], capsys: pytest.CaptureFixture[str]
) -> None:
    """The last line says where it stopped; the interruption goes on to the caller."""

    def work() -> None:
        with show.live(world) as live:
            live.report(Progress(reviewed[0].step.title))
            live.report(Progress("Something of it"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    said = capsys.readouterr().out
    assert "✘" in said
    assert figures.tilde(reviewed[0].step.title, world.home) in said
    assert "stopped after" in said


ONE_LINE = """
from setup_wizard.ui import show
from setup_wizard.world import Progress, World
with show.live(World.here(), one=True) as live:
    live.report(Progress('In the queue: others are before it'))
    live.report(Progress('The tunnel is open'))
    input()
    raise KeyboardInterrupt
"""


def test_what_is_waited_for_is_one_line_that_changes() -> None:
    """What was, is not shown beside what is; and Ctrl-C leaves no line that says that something failed."""
    env = environment({})
    shell = pexpect.spawn(
        sys.executable, ["-c", ONE_LINE], env=env, dimensions=(24, 60), encoding="utf-8", timeout=20
    )
    shell.expect_exact("The tunnel is open")
    shell.expect_exact("The tunnel is open")  # drawn anew, with all that is shown
    assert "In the queue" not in shell.before
    shell.sendline("")
    shell.expect(pexpect.EOF)
    assert "KeyboardInterrupt" in shell.before
    assert "stopped after" not in shell.before


BEFORE = """
from setup_wizard.ui import show
from setup_wizard.world import Progress, World
with show.live(World.here(), one=True) as live:
    input('nothing yet')
    live.report(Progress('The tunnel is open'))
    input()
"""


def test_nothing_is_drawn_before_there_is_something_to_tell() -> None:
    """Ctrl-C at that very moment leaves no thread behind that draws over what comes next."""
    shell = pexpect.spawn(
        sys.executable, ["-c", BEFORE], env=environment({}), dimensions=(24, 60), encoding="utf-8", timeout=20
    )
    shell.expect_exact("nothing yet")
    assert "\x1b[?25l" not in shell.before
    shell.sendline("")
    shell.expect_exact("The tunnel is open")
    shell.sendline("")
    shell.expect(pexpect.EOF)


LENT = """
from setup_wizard.ui import show
from setup_wizard.world import Progress, World
with show.live(World.here(), one=True) as live:
    live.report(Progress('The network is away'))
    live.report(Progress(''))
    input('Password: ')
    live.report(Progress('The tunnel is open'))
    input()
"""


def test_the_line_makes_room_for_a_program_that_asks() -> None:
    """What ssh asks in the middle of it stays on the screen until it is answered; then the line is back."""
    env = environment({})
    shell = pexpect.spawn(
        sys.executable, ["-c", LENT], env=env, dimensions=(24, 60), encoding="utf-8", timeout=20
    )
    shell.expect_exact("Password: ")
    assert "\x1b[?25h" in shell.before  # the cursor is shown: nothing is drawn any more
    shell.sendline("x")
    shell.expect_exact("The tunnel is open")
    shell.sendline("")
    shell.expect(pexpect.EOF)


def test_silence_is_silent(
    world: World, reviewed: list[Reviewed], capsys: pytest.CaptureFixture[str]
) -> None:
    """Asked to be quiet, nothing is printed anywhere."""
    with show.live(world, quiet=True) as live:
        live.report(Progress("x"))
        live.finished(Outcome(reviewed[0].step, "made"))
    assert capsys.readouterr() == ("", "")


BARS = """
import sys
from setup_wizard.ui import show
from setup_wizard.ui.sheet import line
from setup_wizard.world import Progress, World
with show.live(World.here()) as live:
    live.report(Progress('Install [it] in /tmp/there, which has quite a long name for a step'))
    live.report(Progress('a-long-file-name-of-an-installer-for-linux.sh', 40e6, 100e6, 'B'))
    live.report(Progress('Link: numpy', 34, 105, 'packages'))
    sys.stdin.readline()
    live.put([line('A line that stays')])
    live.report(Progress('Next'))
    sys.stdin.readline()
print('after')
"""


@pytest.mark.parametrize("no_color", ["", "1"])
def test_bars_move_on_a_terminal_and_leave_it_clean(no_color: str) -> None:
    """Bytes and packages are shown while work goes on; Ctrl-C leaves the cursor, and a line that says so."""
    env = environment({"NO_COLOR": no_color})
    shell = pexpect.spawn(
        sys.executable, ["-c", BARS], env=env, dimensions=(24, 60), encoding="utf-8", timeout=20
    )
    shell.expect_exact("Install [it] in ~/there")
    shell.expect_exact("40 of 100 MB")
    shell.expect_exact("34 of 105 packages")
    shell.sendline("")
    shell.expect_exact("A line that stays")
    shell.expect_exact("Next")
    shell.sendintr()
    shell.expect("✘.*Next")
    shell.expect_exact("stopped after")
    shell.expect(pexpect.EOF)
    hidden, shown = shell.before.rfind("\x1b[?25l"), shell.before.rfind("\x1b[?25h")
    assert shown > hidden
    assert "after\r\n" not in shell.before


# --- the picture ----------------------------------------------------------------------------------------


def test_the_picture_is_the_same_each_time_and_has_every_line(world: World, reviewed: list[Reviewed]) -> None:
    """The SVG for the documentation is well formed, holds what the screen holds, and changes only with it."""
    pages = [show.plan(reviewed, show.totals(reviewed, world), world.home)]
    picture = show.svg(pages, "hpc-jupyter-setup")
    assert picture == show.svg(pages, "hpc-jupyter-setup")
    drawn = letters(picture)
    lines = ["".join(shown.split()) for shown in paper.text(pages[0], 84).splitlines()]
    assert [shown for shown in lines if shown not in drawn] == []


def test_the_picture_in_the_readme_shows_the_wizard_as_it_is() -> None:
    """docs/wizard.svg is what the program draws now: `python -m setup_wizard.ui.picture docs/wizard.svg`."""
    assert letters((ROOT / "docs/wizard.svg").read_text()) == letters(draw())


def letters(picture: str) -> str:
    """What can be read in an SVG, without blanks; how it is drawn is for rich to decide."""
    texts = ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")
    return "".join("".join("".join(t.itertext()) for t in texts).split())


def test_a_command_that_shows_nothing_loads_no_library_for_it() -> None:
    """Only drawing loads rich, only asking loads questionary: a command with --json is quick to start."""
    script = "import sys; from setup_wizard.ui import ask, show; print(*sys.modules)"
    assert {"rich", "questionary", "prompt_toolkit"} & set(piped(script, {}).split()) == set()


def test_no_line_ends_in_blanks(world: World, reviewed: list[Reviewed]) -> None:
    """What is copied from the screen or from a log carries no blanks along."""
    drawn = [shown for page in every_screen(world, reviewed) for shown in paper.text(page, 60).splitlines()]
    assert [shown for shown in drawn if shown != shown.rstrip()] == []
