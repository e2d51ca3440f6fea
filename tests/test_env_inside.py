"""Working inside of an environment: what a command sees there, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from setup_wizard.conda import registry
from setup_wizard.world import World
from tests.conda_stand_ins import conda, script, with_python
from tests.program import Account

BLOCK = """
# >>> conda initialize >>>
__conda_setup="$('{0}/bin/conda' 'shell.bash' 'hook' 2> /dev/null)"
. "{0}/etc/profile.d/conda.sh"
# <<< conda initialize <<<
"""


class Course(Account):
    """An account with an environment «course» in a conda, both somebody else's."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.base = conda(home / "miniconda3")
        self.prefix = with_python(self.base / "envs/course")

    def inside(self, *words: str, env: dict[str, str] | None = None, stdin: str = "") -> str:
        """What a command says that is run in the environment, to its good end."""
        ended = subprocess.run(
            [sys.executable, "-m", "setup_wizard", "env", "run", *words],
            env={**self.env, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def variables(self, *words: str, env: dict[str, str] | None = None) -> dict[str, str]:
        """The variables that a command has inside."""
        lines = self.inside(*(words or ("course",)), "--", "env", "-0", env=env).split("\0")
        return dict(line.split("=", 1) for line in lines if line)

    def activates(self, name: str, text: str, folder: str = "activate.d") -> None:
        """Let the environment have a script."""
        script(self.prefix / "etc/conda" / folder / name, text)


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """The account."""
    return Course(tmp_path / "home")


def test_the_variables_are_those_of_an_activated_environment(course: Course) -> None:
    """As conda sets them, its packages' own variables and the user's; what is not its business stays."""
    (course.prefix / "etc/conda/env_vars.d").mkdir(parents=True)
    (course.prefix / "etc/conda/env_vars.d/a.json").write_text('{"GDAL": "packages", "PROJ": "packages"}')
    (course.prefix / "conda-meta/state").write_text('{"version": 1, "env_vars": {"GDAL": "it\'s $mine"}}')
    seen = course.variables(env={"OTHER": "stays"})
    assert seen["PATH"] == f"{course.prefix}/bin:{course.env['PATH']}"
    assert (seen["CONDA_PREFIX"], seen["CONDA_DEFAULT_ENV"]) == (str(course.prefix), "course")
    assert (seen["CONDA_SHLVL"], seen["CONDA_PROMPT_MODIFIER"]) == ("1", "(course) ")
    assert (seen["GDAL"], seen["PROJ"], seen["OTHER"]) == ("it's $mine", "packages", "stays")
    assert seen.keys() - course.env.keys() - {"OTHER", "LC_CTYPE"} == {
        *("CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_SHLVL", "CONDA_PROMPT_MODIFIER", "GDAL", "PROJ")
    }


def test_scripts_are_read_and_change_nothing_else(course: Course, tmp_path: Path) -> None:
    """In order, with the variables set; they do not print into the output, nor eat the input or the words."""
    (course.prefix / "conda-meta/state").write_text('{"version": 1, "env_vars": {"GDAL": "here"}}')
    course.activates(
        "a.sh", 'export SEEN="$GDAL $# $CONDA_PREFIX"; cat; echo noise; export PATH="$PATH:/more"\n'
    )
    course.activates("b.sh", 'export SEEN="$SEEN again"\nfalse\n')
    course.activates("c.fish", "set -x NEVER 1\n")
    (tmp_path / "bash_env").write_text("export PATH=/spoilt\n")
    seen = course.variables(env={"BASH_ENV": str(tmp_path / "bash_env"), "IT'S": "odd"})
    assert seen["SEEN"] == f"here 0 {course.prefix} again"
    assert seen["PATH"] == f"{course.prefix}/bin:{course.env['PATH']}:/more"
    assert seen["BASH_ENV"] == str(tmp_path / "bash_env")
    assert "NEVER" not in seen
    assert course.inside("course", "--", "cat", stdin="all of it\n") == "all of it\n"
    words = ["two words", "--json", "-p", "", "$x", "*"]
    said = course.inside("course", "--", sys.executable, "-c", "import sys; print(sys.argv[1:])", *words)
    assert said == f"{words}\n"


def test_the_environment_that_was_active_is_left(course: Course) -> None:
    """Its scripts take back what they did, its variables and its place in PATH go."""
    old = with_python(course.base / "envs/old")
    script(old / "etc/conda/deactivate.d/a.sh", 'unset LEFT_BEHIND; export SAID="$OLD_ONE"\n')
    (old / "conda-meta/state").write_text('{"version": 1, "env_vars": {"OLD_ONE": "1"}}')
    active = {
        "CONDA_PREFIX": str(old),
        "CONDA_SHLVL": "2",
        "CONDA_PREFIX_1": str(course.base),
        "CONDA_DEFAULT_ENV": "old",
        "OLD_ONE": "1",
        "LEFT_BEHIND": "1",
        "PATH": f"{old}/bin:{course.env['PATH']}",
    }
    seen = course.variables(env=active)
    assert seen["PATH"] == f"{course.prefix}/bin:{course.env['PATH']}"
    assert seen["SAID"] == "1"
    assert not {"OLD_ONE", "LEFT_BEHIND", "CONDA_PREFIX_1"} & seen.keys()
    assert (seen["CONDA_DEFAULT_ENV"], seen["CONDA_SHLVL"]) == ("course", "1")


@pytest.mark.parametrize("scripts", [False, True])
def test_it_ends_as_the_command_does(course: Course, scripts: bool) -> None:
    """The command is in our place: the same process, so that its exit code and its signals are its own."""
    if scripts:
        course.activates("a.sh", "export A=1\n")
    start = [sys.executable, "-m", "setup_wizard", "env", "run", "course", "--"]
    ended = subprocess.run([*start, "sh", "-c", "exit 42"], env=course.env)
    assert ended.returncode == 42
    child = subprocess.Popen(
        [*start, "sh", "-c", "echo $$; exec cat"],
        env=course.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout
    assert child.stdin
    assert child.stdout.readline() == f"{child.pid}\n"
    child.send_signal(signal.SIGTERM)
    assert child.wait() == -signal.SIGTERM
    child.stdin.close()
    child.stdout.close()
    status = course.inside("course", "--", "grep", "SigIgn", "/proc/self/status")
    here = "grep SigIgn /proc/self/status"
    assert status == subprocess.run(["sh", "-c", here], capture_output=True, text=True).stdout


def test_which_environment_is_meant(course: Course) -> None:
    """By its name, by its path, the conda itself, and with -p; two of one name are told apart by the path."""
    there = {"course": course.prefix, "base": course.base, str(course.prefix): course.prefix}
    for name, prefix in there.items():
        assert course.inside(name, "--", "python") == f"{prefix}\n"
    assert course.inside("-p", str(course.prefix), "--", "python") == f"{course.prefix}\n"
    assert course.inside("course", "python", "--version") == f"{course.prefix}\n"
    unnamed = with_python(course.home / "far away/it's")
    assert course.variables(str(unnamed))["CONDA_DEFAULT_ENV"] == str(unnamed)

    with_python(course.home / ".conda/envs/course")
    refused = course.run("env", "run", "course", "--", "python")
    assert refused.returncode == 2
    assert str(course.prefix) in refused.stderr
    registry.register(World(course.home, course.env), course.base / "envs/was")
    assert "is gone from" in course.run("env", "run", "was", "--", "python").stderr


@pytest.mark.parametrize("scripts", [False, True])
def test_a_command_that_is_not_there(course: Course, scripts: bool) -> None:
    """It is said so, with what is near; a script may still bring it."""
    if scripts:
        course.activates("a.sh", f'export PATH="$PATH:{course.home}/tools"\n')
        script(course.home / "tools/brought", "#!/bin/sh\necho here\n")
        assert course.inside("course", "--", "brought") == "here\n"
    refused = course.run("env", "run", "course", "--", "pyton", "x.py")
    assert refused.returncode == 2
    assert "There is no command «pyton»" in refused.stderr
    assert "Did you mean python?" in refused.stderr
    script(course.prefix / "bin/orphan", "#!/no/such/python\n")
    orphan = course.run("env", "run", "course", "--", "orphan")
    assert orphan.returncode in (3, 126, 127)
    assert "orphan" in orphan.stderr
    script(course.prefix / "bin/plain", "echo no first line\n")
    assert course.inside("course", "--", "plain") == "no first line\n"
    assert "env run course -- python" in course.run("env", "run", "course").stderr
    assert "Did you mean course?" in course.run("env", "run", "cours", "--", "ls").stderr


def test_how_it_is_activated_in_bash(course: Course) -> None:
    """In one line where the shell knows conda, in two where it does not: real bash understands both."""
    first = course.facts("env", "activate", "course")
    assert (first["ready"], len(first["lines"])) == (False, 2)
    assert said_by_bash(course, first["lines"]) == "conda activate course\n"
    far = with_python(course.home / "far away")
    assert (
        said_by_bash(course, course.facts("env", "activate", str(far))["lines"]) == f"conda activate {far}\n"
    )

    with (course.home / ".bashrc").open("a") as rc:
        rc.write(BLOCK.format(course.base))
    then = course.facts("env", "activate", "course")
    assert (then["ready"], then["lines"]) == (True, ["conda activate course"])
    assert course.facts("env", "activate", "base")["lines"] == ["conda activate base"]
    assert "New terminals know conda by ~/.bashrc" in course.run("env", "activate", "course").stdout


def said_by_bash(account: Account, lines: list[str]) -> str:
    """What bash says to these lines."""
    script = "\n".join(lines)
    return subprocess.run(
        ["bash", "-c", script], env=account.env, capture_output=True, text=True, check=True
    ).stdout


def test_other_shells(course: Course, tmp_path: Path) -> None:
    """Each in its own language; without any conda a shell inside is the way; an unknown one is said so."""
    fish = course.facts("env", "activate", "course", "--shell", "fish")
    assert fish["lines"][0].startswith("test -r ")
    assert fish["rc"].endswith("config.fish")
    tcsh = course.facts("env", "activate", "course", "--shell", "tcsh")
    assert tcsh["lines"][0].startswith("if ( -r ")
    assert course.run("env", "activate", "course", "--shell", "cmd.exe").returncode == 2
    alone = Account(tmp_path / "alone")
    prefix = with_python(alone.home / ".conda/envs/mine")
    told = alone.facts("env", "activate", "mine")
    assert told["lines"] == ["hpc-jupyter-setup env run mine -- bash"]
    assert (told["conda"], told["prefix"]) == (None, str(prefix))


def test_after_setup_the_shell_knows(account: Account) -> None:
    """The block that setup has made is what tells bash of conda."""
    assert account.run(*account.setup).returncode == 0
    told = account.facts("env", "activate", "tiny")
    assert (told["ready"], told["lines"]) == (True, ["conda activate tiny"])
    assert told["conda"] == str(account.home / "miniconda3")
    assert json.loads(account.run("env", "list", "--json").stdout)["environments"][0]["name"] == "base"
    assert os.path.isdir(told["prefix"])
