"""A login shell of bash reads ~/.bashrc in the end, and the truth about it comes from a real bash."""

from __future__ import annotations

from pathlib import Path

import pytest
from rc_cases import age, bash, make, photo, refused

from setup_wizard import blocks
from setup_wizard.step import Done, Todo
from setup_wizard.steps.login_file import LoginFile, login_file, reads_rc
from setup_wizard.world import World


@pytest.fixture
def step(world: World) -> LoginFile:
    (world.home / ".bashrc").write_text("RC=was-read\n")
    return LoginFile.of(world.home, "bash")


READS = {
    "plain": ". ~/.bashrc\n",
    "source": "source ~/.bashrc\n",
    "when-there": """
if [ -n "$BASH_VERSION" ]; then
    if [ -f "$HOME/.bashrc" ]; then
\t. "$HOME/.bashrc"
    fi
fi
""",
    "one-line": "test -r ~/.bashrc && . ~/.bashrc\n",
    "builtin": "builtin source $HOME/.bashrc\n",
    "by-include": ". ~/more/login\n",
    "by-loop": 'for f in .aliases .bashrc; do\n    [ -r "$HOME/$f" ] && . "$HOME/$f"\ndone\n',
    "interactive-only": "[[ $- == *i* ]] && . ~/.bashrc\n",
    "prompt-only": 'if [ "$PS1" ]; then . ~/.bashrc; fi\n',
    "in-a-function": "rc() { . ~/.bashrc; }\nrc\n",
}
DOES_NOT = {
    "empty": "",
    "something-else": "export PATH=$HOME/bin:$PATH",
    "only-said": "echo '. ~/.bashrc'\n",
    "comment": "# . ~/.bashrc\n",
    "in-a-string": "NOTE='\n. ~/.bashrc\n'\n",
    "never-called": "rc() { . ~/.bashrc; }\n",
    "false-branch": "if false; then . ~/.bashrc; fi\n",
    "set-eu": "set -eu\nexport A=1\n",
    "prints": "echo welcome\n",
}


def _login(world: World, name: str, text: str) -> Path:
    (world.home / "more").mkdir()
    (world.home / "more/login").write_text(". ~/.bashrc\n")
    path = world.home / name
    path.write_text(text)
    age(path)
    return path


@pytest.mark.parametrize("text", [pytest.param(v, id=k) for k, v in READS.items()])
def test_a_login_file_that_reads_it_is_left_alone(text: str, world: World, step: LoginFile) -> None:
    """However the user has arranged it: found, not made."""
    _login(world, ".profile", text)
    before = photo(world.home)
    assert isinstance(step.check(world), Done)
    assert reads_rc(world)
    assert photo(world.home) == before


@pytest.mark.parametrize("rc_there", [True, False])
def test_a_bashrc_that_is_not_there_yet_would_be_read(rc_there: bool, world: World, step: LoginFile) -> None:
    """The answer is the same before and after another step has made ~/.bashrc."""
    _login(world, ".profile", READS["when-there"])
    if not rc_there:
        (world.home / ".bashrc").unlink()
    assert isinstance(step.check(world), Done)


def test_an_absolute_path_is_understood(world: World, step: LoginFile) -> None:
    """A login file that names the home by its full path reads the same file."""
    _login(world, ".bash_profile", f"source {world.home}/.bashrc\n")
    assert isinstance(step.check(world), Done)


@pytest.mark.parametrize("text", [pytest.param(v, id=k) for k, v in DOES_NOT.items()])
@pytest.mark.parametrize("name", [".bash_profile", ".bash_login", ".profile"])
def test_one_that_does_not_gets_a_block(name: str, text: str, world: World, step: LoginFile) -> None:
    """Afterwards a login shell has read ~/.bashrc; undo gives bytes, mode and mtime."""
    _login(world, name, text)
    before = photo(world.home)
    assert not reads_rc(world)
    made = make(step, world)
    assert bash(world, "-lc", 'echo "$RC"')[1].endswith("was-read\n")
    assert reads_rc(world)
    assert step.undo(made, world) == []
    assert photo(world.home) == before


def test_the_first_file_that_bash_reads_is_the_one(world: World, step: LoginFile) -> None:
    """A ~/.profile that would do is of no use behind a ~/.bash_profile."""
    _login(world, ".profile", READS["plain"])
    (world.home / ".bash_profile").write_text("export A=1\n")
    assert login_file(world.home) == world.home / ".bash_profile"
    make(step, world)
    assert (world.home / ".profile").read_text() == READS["plain"]
    assert blocks.ours((world.home / ".bash_profile").read_text())


def test_a_home_without_login_files_gets_a_profile(world: World, step: LoginFile) -> None:
    """~/.profile, since a ~/.bash_profile would hide one that comes later; gone again after undo."""
    before = photo(world.home)
    made = make(step, world)
    assert (world.home / ".profile").exists()
    assert bash(world, "-lc", 'echo "$RC"')[1] == "was-read\n"
    step.undo(made, world)
    assert photo(world.home) == before


def test_the_profile_stays_readable_for_sh(world: World, step: LoginFile) -> None:
    """~/.profile is read by other shells and by desktops too: the block does nothing there."""
    make(step, world)
    import subprocess

    run = subprocess.run(
        ["sh", "-euc", ". ~/.profile; echo end"],
        env={"HOME": str(world.home)},
        capture_output=True,
        text=True,
    )
    assert (run.stdout, run.stderr) == ("end\n", "")


def test_looking_does_not_run_or_change_the_users_files(world: World, step: LoginFile) -> None:
    """~/.bashrc itself is not run to find out, the history is not touched, the log-out file is not run."""
    (world.home / ".bashrc").write_text("touch ~/rc-was-run\n")
    (world.home / ".bash_logout").write_text("touch ~/logout-was-run\n")
    (world.home / ".bash_history").write_text("ls\n")
    _login(world, ".bash_profile", "HISTSIZE=1; HISTFILESIZE=0\n. ~/.bashrc\n")
    before = photo(world.home)
    step.check(world)
    assert photo(world.home) == before


@pytest.mark.parametrize(
    "rc",
    ["exit 0\n", ". ~/.bash_profile\n", "exec true\n", "[[ $- == *i* ]] || exit 1\n", "set -e\nexit 1\n"],
)
def test_a_bashrc_that_would_end_the_login_is_refused(rc: str, world: World, step: LoginFile) -> None:
    """Nobody is locked out: where a login shell would end, or read itself for ever, nothing is changed."""
    _login(world, ".bash_profile", "export A=1\n")
    (world.home / ".bashrc").write_text(rc)
    assert "a login shell would not come up" in refused(step, world).problem


def test_a_block_that_is_not_reached_is_told(world: World, step: LoginFile) -> None:
    """A login file that returns early cannot be mended at its end; that is said, not repeated."""
    _login(world, ".bash_profile", "return 0\n")
    state = step.check(world)
    assert isinstance(state, Todo)
    step.apply(world, lambda _: None)
    assert "still a login shell does not read .bashrc" in refused(step, world).problem


def test_a_login_shell_that_hangs_is_told(
    world: World, step: LoginFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a limited time we give up, end what was started, and say how to look."""
    monkeypatch.setattr("setup_wizard.steps.login_file.PATIENCE", 0.5)
    _login(world, ".bash_profile", "sleep 1000\n")
    assert "did not come up" in refused(step, world).problem
    assert reads_rc(world)


def test_a_read_only_login_file_is_refused(world: World, step: LoginFile) -> None:
    """The line to add by hand is given."""
    _login(world, ".bash_profile", "export A=1\n").chmod(0o444)
    assert ". ~/.bashrc" in refused(step, world).fix


def test_what_the_user_wrote_since_is_kept(world: World, step: LoginFile) -> None:
    """Only our block goes; the file that we made stays with their line, and is named."""
    made = make(step, world)
    path = world.home / ".profile"
    path.write_text(path.read_text() + "export B=2\n")
    assert step.undo(made, world) == [path]
    assert path.read_text() == "export B=2\n"


def test_another_shell_needs_nothing(world: World) -> None:
    """Only bash has this trouble."""
    assert isinstance(LoginFile.of(world.home, "zsh").check(world), Done)
    assert reads_rc(World(world.home, {**world.env, "SHELL": "/usr/bin/fish"}))
