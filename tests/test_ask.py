"""The questions, asked on a real pseudo-terminal."""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest

from setup_wizard.answers import Answers, missing
from setup_wizard.cli.setup import setup
from setup_wizard.ui.questions import BY_FIELD, QUESTIONS, flags_for
from tests.program import ROOT

DOWN, SPACE, ENTER, CTRL_C, CTRL_D, CTRL_U = "\x1b[B", " ", "\r", "\x03", "\x04", "\x15"
NARROW, WIDE = (24, 60), (40, 100)
EVERYTHING = {
    "distribution": "miniforge",
    "prefix": "/x/y",
    "channels": "conda-forge",
    "environments": ["jupyterlab"],
    "notebooks": [],
    "notebook-folder": "/x/n",
    "shell": True,
    "login-file": False,
    "old-blocks": False,
    "launch": False,
}


class Person:
    """Somebody in front of a terminal, who reads a question and presses keys."""

    def __init__(self, home: Path, *words: str, size: tuple[int, int] = NARROW, **env: str) -> None:
        self.home = home
        self.terminal = pexpect.spawn(
            sys.executable,
            [str(ROOT / "tests/asking.py"), str(home), *words],
            dimensions=size,
            encoding="utf-8",
            timeout=30,
            env={**_environment(), **env},
        )

    def sees(self, text: str) -> Person:
        """Wait until it is on the screen."""
        self.terminal.expect_exact(text)
        return self

    def asked(self, field: str, *keys: str) -> Person:
        """Wait for that question to be ready for keys, and press these."""
        self.sees(BY_FIELD[field].text.partition("{")[0])
        return self.presses(*keys)

    def presses(self, *keys: str) -> Person:
        for key in keys:
            self.terminal.send(key)
        return self

    def answers(self) -> Any:
        """What the wizard understood."""
        self.terminal.expect(r"ANSWERS (\S.*)\r\n")
        said = self.terminal.match.group(1)
        return json.loads(said) if said.startswith("{") else said

    def gives_up(self) -> None:
        """Press Ctrl-C, and see that it was understood."""
        self.presses(CTRL_C).sees("INTERRUPTED")


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "TMPDIR")}
    more = {"TERM": "xterm-256color", "SHELL": "/bin/bash", "PYTHONPATH": str(ROOT)}
    return {**kept, **more, "PROMPT_TOOLKIT_NO_CPR": "1"}  # pexpect does not tell where the cursor is


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose login file reads .bashrc."""
    (tmp_path / ".bashrc").write_text("# mine\n")
    (tmp_path / ".profile").write_text(". ~/.bashrc\n")
    return tmp_path


def without(*names: str) -> str:
    """All answers but these, as JSON."""
    return json.dumps({k: v for k, v in EVERYTHING.items() if k not in names})


# --- the way through ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["60x24", "100x40"])
def test_enter_takes_the_whole_proposal(home: Path, size: tuple[int, int]) -> None:
    """A beginner may press Enter at every question; only the licence wants a word."""
    person = Person(home, "ask", size=size)
    person.asked("distribution", ENTER).asked("prefix", ENTER).sees("Do you agree").presses("yes", ENTER)
    for field in ("environments", "notebooks", "notebook_folder", "shell", "launch"):
        person.asked(field, ENTER)
    assert person.answers() == {
        "distribution": "miniconda",
        "prefix": str(home / "miniconda3"),
        "accept-licence": ["miniconda"],
        "channels": "conda-forge",
        "environments": ["jupyterlab"],
        "notebooks": ["welcome"],
        "notebook-folder": str(home / "jupyter-notebooks"),
        "shell": True,
        "login-file": False,
        "old-blocks": False,
        "launch": True,
    }


def test_answers_can_be_changed(home: Path) -> None:
    """Arrow keys choose, Space picks, letters say yes and no, and a folder can be typed."""
    person = Person(home, "ask")
    person.asked("distribution", DOWN, ENTER).asked("prefix", ENTER)
    person.asked("environments", SPACE, DOWN, SPACE, ENTER)  # jupyter on, jupyterlab off
    person.asked("notebooks", DOWN, SPACE, ENTER)
    person.asked("notebook_folder", CTRL_U, "~/nb", ENTER)
    person.asked("shell", "n", ENTER).asked("launch", "n", ENTER)
    said = person.answers()
    assert said["distribution"] == "miniforge"
    assert said["prefix"] == str(home / "miniforge3")
    assert said["environments"] == ["jupyter"]
    assert said["notebooks"] == ["welcome", "Expanse-Notebooks"]
    assert said["notebook-folder"] == str(home / "nb")
    assert (said["shell"], said["launch"]) == (False, False)


def test_only_what_is_open_is_asked(home: Path) -> None:
    """What a flag has answered is not asked again."""
    assert Person(home, "ask", without()).answers() == EVERYTHING
    person = Person(home, "ask", without("launch"))
    assert person.asked("launch", "n", ENTER).answers()["launch"] is False


def test_a_conda_that_is_there_needs_neither_place_nor_licence(home: Path) -> None:
    """The whole one that was found is proposed; a broken one is shown with its trouble, not for taking."""
    (home / "broken").mkdir()
    (home / "whole/bin").mkdir(parents=True)
    (home / "whole/bin/conda").touch()
    person = Person(home, "ask", without("distribution", "prefix"))
    person.sees("~/broken").sees("bin/conda is missing").sees("~/whole").presses(ENTER)
    assert person.answers()["distribution"] == str(home / "whole")


def test_more_choices_asks_for_channels(home: Path) -> None:
    """Only who wants more is asked where packages come from; Anaconda's own need a yes to their terms."""
    person = Person(home, "ask", without("distribution", "channels"))
    person.asked("distribution", DOWN, DOWN, ENTER).asked("distribution", DOWN, ENTER)
    person.asked("channels", DOWN, ENTER).sees("Do you agree").presses("no", ENTER)
    person.asked("channels", ENTER)
    assert person.answers()["channels"] == "conda-forge"


def test_only_a_broken_login_file_is_asked_about(home: Path) -> None:
    """A login file that does not read .bashrc is named, and mended only with a yes."""
    (home / ".profile").write_text("# nothing\n")
    person = Person(home, "ask", without("login-file"))
    person.sees("Let login shells read ~/.bashrc").sees("~/.profile").presses("n", ENTER)
    assert person.answers()["login-file"] is False


def test_old_blocks_are_named_by_their_lines(home: Path) -> None:
    """Whether blocks of other condas go is asked only where there are some, with the lines they are in."""
    (home / ".bashrc").write_text("# >>> conda initialize >>>\n:\n# <<< conda initialize <<<\n")
    person = Person(home, "ask", without("old-blocks"), size=WIDE)
    person.asked("old_blocks").sees("lines 1 to 3").presses("y", ENTER)
    assert person.answers()["old-blocks"] is True


def test_a_shell_that_we_do_not_edit_gets_its_line(home: Path) -> None:
    """A user of fish is told what to add, and is not asked for an edit that would be refused."""
    given = json.dumps({k: v for k, v in EVERYTHING.items() if k not in ("shell", "login-file")})
    person = Person(home, "ask", given, SHELL="/usr/bin/fish")
    assert person.sees("conda.fish").answers()["shell"] is False


# --- the licence ----------------------------------------------------------------------------------------


def test_who_declines_the_licence_chooses_again(home: Path) -> None:
    """No leads back to the choice, where Miniforge is what Enter takes now."""
    person = Person(home, "ask", without("distribution", "prefix"))
    person.asked("distribution", ENTER).asked("prefix", ENTER)
    person.sees("https://www.anaconda.com/legal").sees("Do you agree").presses("no", ENTER)
    person.asked("distribution", ENTER).asked("prefix", ENTER)
    said = person.answers()
    assert said["distribution"] == "miniforge"
    assert said["prefix"] == str(home / "miniforge3")
    assert "accept-licence" not in said


def test_the_licence_wants_the_whole_word(home: Path) -> None:
    """Enter alone, or «y», agrees to nothing."""
    person = Person(home, "licence").sees("Do you agree")
    person.presses(ENTER).sees("whole word").presses("y", ENTER).presses("es", ENTER)
    assert person.answers() == "True"


# --- where ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "said"),
    [(" b", "It has a space"), ("long" * 30, "It is too long"), ("/../taken", "It is there already")],
    ids=["space", "length", "taken"],
)
def test_a_folder_is_checked_while_it_is_typed(home: Path, typed: str, said: str) -> None:
    """A path that conda cannot use is refused with the reason, in a line, before Enter and after."""
    (home / "taken").mkdir()
    person = Person(home, "ask", without("prefix"))
    person.asked("prefix", DOWN, ENTER).sees("Which folder?").presses(typed).sees(said)
    person.presses(ENTER, CTRL_U, "~/free", ENTER)
    assert person.answers()["prefix"] == str(home / "free")


def test_a_place_that_is_taken_is_not_offered(home: Path) -> None:
    """A folder of that name, whoever made it, is shown as taken; another one can be typed."""
    (home / "miniforge3").mkdir()
    person = Person(home, "ask", without("prefix")).asked("prefix")
    person.sees("is there already").presses(ENTER).sees("Which folder?").presses(ENTER)
    assert person.answers()["prefix"] == str(home / "miniforge3-2")


# --- leaving, and coming back ---------------------------------------------------------------------------


def test_ctrl_c_keeps_the_answers_for_next_time(home: Path) -> None:
    """What was answered before Ctrl-C is what Enter takes the next time; what came later is as before."""
    first = Person(home, "ask")
    first.asked("distribution", DOWN, ENTER).asked("prefix", DOWN, ENTER)
    first.sees("Which folder?").presses(CTRL_U, "~/mine", ENTER)
    first.asked("environments", SPACE, ENTER).asked("notebooks").gives_up()
    again = Person(home, "ask")
    again.asked("distribution", ENTER).asked("prefix").sees("~/mine").presses(ENTER)
    for field in ("environments", "notebooks", "notebook_folder", "shell", "launch"):
        again.asked(field, ENTER)
    said = again.answers()
    assert (said["distribution"], said["prefix"]) == ("miniforge", str(home / "mine"))
    assert said["environments"] == ["jupyter", "jupyterlab"]


def test_ctrl_c_early_does_not_forget_what_came_later_last_time(home: Path) -> None:
    """Leaving at the second question keeps the other answers of last time."""
    Person(home, "ask", without("launch")).asked("launch", "n", ENTER).answers()
    Person(home, "ask").asked("distribution", ENTER).asked("prefix").gives_up()
    assert Person(home, "ask", without("launch")).asked("launch", ENTER).answers()["launch"] is False


def test_what_is_gone_is_not_offered_again(home: Path) -> None:
    """An answer of last time that names something which is no more gives way to the proposal."""
    state = home / ".local/state/hpc-jupyter-setup"
    state.mkdir(parents=True)
    last = {"distribution": "/gone", "environments": ["gone"], "notebooks": ["gone"]}
    (state / "answers.json").write_text(json.dumps(last))
    person = Person(home, "ask", without("distribution", "prefix", "environments", "notebooks"))
    person.asked("distribution", ENTER).asked("prefix", ENTER).sees("Do you agree").presses("yes", ENTER)
    said = person.asked("environments", ENTER).asked("notebooks", ENTER).answers()
    assert said["distribution"] == "miniconda"
    assert (said["environments"], said["notebooks"]) == (["jupyterlab"], ["welcome"])


# --- the plan -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "said"), [((ENTER,), "yes"), (("n", ENTER), "no"), (("e", ENTER), "explain")]
)
def test_a_plan_is_agreed_to_with_a_letter(home: Path, keys: tuple[str, ...], said: str) -> None:
    """Enter agrees, n declines, e asks for the reasons."""
    assert Person(home, "confirm").sees("Shall I do this?").sees("explain").presses(*keys).answers() == said


def test_keys_pressed_too_early_agree_to_nothing(home: Path) -> None:
    """Enter, pressed before the plan was there to be read, is not taken for a yes."""
    person = Person(home, "confirm", LATE="1").presses(ENTER + ENTER)
    assert person.sees("Shall I do this?").sees("explain").presses("n", ENTER).answers() == "no"


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
@pytest.mark.parametrize(("keys", "said"), [("", False), ("n", False), ("y", True)])
def test_what_may_harm_needs_an_explicit_yes(home: Path, term: str, keys: str, said: bool) -> None:
    """Enter alone says no, also when it was pressed before there was a question; only «y» says yes."""
    person = Person(home, "consent", TERM=term, LATE="1").presses("y" + ENTER)
    person.sees("Shall others read it?").sees("I know").sees("Enter" if term == "dumb" else "\x1b[?7h")
    assert person.presses(*keys, ENTER).answers() == str(said)


# --- poor terminals -------------------------------------------------------------------------------------


def test_a_dumb_terminal_is_asked_in_plain_lines(home: Path) -> None:
    """Without a cursor to move there are numbers; nonsense is asked again, and no escape code is sent."""
    person = Person(home, "ask", TERM="dumb")
    seen = (home / "seen").open("w+")
    person.terminal.logfile_read = seen
    person.asked("distribution").sees("Enter takes 1").presses("9\n").sees("none of them").presses("2\n")
    person.asked("prefix").sees("Enter takes 1").presses("\n")
    person.asked("environments").sees("Enter takes 2").presses("1, jupyterlab\n")
    person.asked("notebooks").sees("Enter takes 1").presses("0\n")
    person.asked("shell").sees("Enter takes y").presses("n\n")
    person.asked("launch").sees("Enter takes y").presses("n\n")
    said = person.answers()
    assert (said["distribution"], said["shell"], said["launch"]) == ("miniforge", False, False)
    assert (said["environments"], said["notebooks"]) == (["jupyter", "jupyterlab"], [])
    seen.seek(0)
    assert "\x1b" not in seen.read()


@pytest.mark.parametrize("key", [CTRL_C, CTRL_D])
def test_a_dumb_terminal_can_be_left(home: Path, key: str) -> None:
    """Ctrl-C and Ctrl-D end the questions there, too."""
    Person(home, "ask", TERM="dumb").sees("Enter takes").presses(key).sees("INTERRUPTED")


def test_no_color_means_no_colours(home: Path) -> None:
    """With NO_COLOR the questions are asked with arrow keys still, in no colour at all."""
    person = Person(home, "confirm", NO_COLOR="1")
    seen = (home / "seen").open("w+")
    person.terminal.logfile_read = seen
    person.sees("explain").presses(ENTER).answers()
    seen.seek(0)
    codes = re.findall(r"\x1b\[([\d;]*)m", seen.read())
    colours = [c for c in codes if set(c.split(";")) - {"", "0", "1", "2"}]  # bold and dim are none
    assert colours == []


# --- the table ------------------------------------------------------------------------------------------


def test_every_question_has_its_flag_and_every_missing_answer_its_question() -> None:
    """The table of questions, the answers and the flags of `setup` are of one mind."""
    assert {q.field for q in QUESTIONS} <= set(inspect.signature(setup).parameters)
    assert set(missing(Answers())) <= set(BY_FIELD)
    assert flags_for(["distribution", "shell"]) == (
        "--distribution miniconda|miniforge|PREFIX, --shell or --no-shell"
    )
