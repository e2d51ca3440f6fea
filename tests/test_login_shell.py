"""What runs on a login node runs as after a log-in there, whichever the person's shell is."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from setup_wizard import login_shell
from setup_wizard.connect import logged_in
from setup_wizard.far import Far
from tests import session_parts
from tests.ssh_server import SshServer

SHELLS = ("bash", "dash", "zsh", "fish", "tcsh")
NOISE = "echo Welcome; echo '{'; printf 'no end of the line'"
PROFILE = f"{NOISE}; export PATH=$HOME/apps:$PATH PROJECT=proj1\n"
FISH = f"if status is-login\n {NOISE}; set -gx PATH $HOME/apps $PATH; set -gx PROJECT proj1\nend\n"
# Where each shell reads it, and as which.
PROFILES = {
    "bash": (".bash_profile", PROFILE),
    "dash": (".profile", PROFILE),
    "zsh": (".zprofile", PROFILE),
    "fish": (".config/fish/config.fish", FISH),
    "tcsh": (".profile", PROFILE),
}
ODD = ("a  b'c\"d", "$HOME `id`", "back\\slash\\\\'", "!x", "now!", "*", "~", "", "{a,b}", "#c", "é")
TOOL = '#!/bin/sh\n[ "$PROJECT" = proj1 ] && printf "%s\\n" "$@"; cat\n'


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_reads_the_same_words(shell: str, tmp_path: Path) -> None:
    """Blanks, quotes, dollars, backslashes and exclamation marks arrive as they were."""
    if not shutil.which(shell):
        pytest.skip(f"needs {shell}")
    line = login_shell.joined(["printf", "[%s]", *ODD])
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    said = subprocess.run([shell, "-c", line], env=env, capture_output=True, text=True, timeout=30)
    assert said.stdout == "".join(f"[{word}]" for word in ODD), said.stderr


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home on the login node, with a program that only a profile makes known."""
    home = session_parts.machine(tmp_path).home
    (home / "apps").mkdir()
    (home / "apps/prog").write_text(TOOL)
    (home / "apps/prog").chmod(0o755)
    return home


@pytest.fixture
def far(request: pytest.FixtureRequest, tmp_path: Path, home: Path) -> Iterator[Far]:
    """The laptop, logged in to an account with that shell."""
    shell = request.param
    if not (path := shutil.which(shell)):
        pytest.skip(f"needs {shell}")
    name, text = PROFILES[shell]
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    (home / name).write_text(text)
    (tmp_path / "laptop").mkdir()
    env, laptop = {"HOME": str(home), "SHELL": path, "LANG": "C.UTF-8"}, tmp_path / "laptop"
    with (
        SshServer(tmp_path, env) as server,
        logged_in(session_parts.machine(laptop), "login", str(server.config)) as there,
    ):
        yield there


@pytest.mark.parametrize("far", SHELLS, indirect=True)
def test_it_is_as_after_a_log_in(far: Far) -> None:
    """What a profile sets is there, what it prints is not in the answer, and the input is the program's."""
    heard: list[str] = []
    output = far.inside("prog", *ODD, stdin="input\n", on_line=heard.append)
    assert output.out == "\n".join([*ODD, "input\n"]), output.err
    assert heard == [word for word in [*ODD, "input"] if word]
    assert login_shell.CALL not in far.inside("env").out
    assert far.run("prog").code == 127


@pytest.mark.parametrize("far", ["bash"], indirect=True)
def test_a_profile_that_becomes_another_program(far: Far, home: Path) -> None:
    """It never comes to our command: that runs all the same, without the profile, and only once."""
    (home / ".bash_profile").write_text("exec cat\n")
    output = far.inside("sh", "-c", "echo >>~/calls; cat", stdin="input\n")
    assert output.out == "input\n"
    assert (home / "calls").read_text() == "\n"


@pytest.mark.parametrize("far", ["bash"], indirect=True)
def test_the_program_there_is_found_by_a_profile(far: Far, home: Path) -> None:
    """It is in a folder that only the profile names; what it says is understood behind a profile's noise."""
    said = '[ "$1" = --version ] && echo hpc-jupyter-setup 9.9.9 || echo \'{"ok": true, "sessions": []}\''
    (home / "apps/hpc-jupyter-setup").write_text(f"#!/bin/sh\n{said}\n")
    (home / "apps/hpc-jupyter-setup").chmod(0o755)
    assert far.version() == "9.9.9"
    assert far.told(("sessions", "--json"), dict[str, object]) == {"ok": True, "sessions": []}
