"""Our block in a start file: conda is found, nothing else changes, and all of it can be taken back."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from rc_cases import age, as_sshd, bash, cases, fake_prefix, make, photo, refused

from setup_wizard import blocks, files
from setup_wizard.step import Blocked, Done, Todo
from setup_wizard.steps.shell_block import ShellBlock
from setup_wizard.world import World

FINDS = ("-ic", "command -v conda; conda; echo end")


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return fake_prefix(tmp_path)


@pytest.fixture
def step(world: World, prefix: Path) -> ShellBlock:
    return ShellBlock.of(world.home, "bash", prefix)


@pytest.mark.parametrize("case", cases("edited", "unreached"))
def test_every_rc_file_gets_the_block_and_loses_it_again(case: Path, world: World, step: ShellBlock) -> None:
    """The user's bytes stay in front, bash can read it, once is enough; undo gives bytes, mode and mtime."""
    shutil.copyfile(case, step.path)
    age(step.path)
    before = photo(world.home)
    made = make(step, world)
    assert bash(world, "-O", "extglob", "-n", str(step.path))[0::2] == (0, "")
    if "our-" not in case.name:
        assert step.path.read_bytes().startswith(case.read_bytes())
    assert step.path.stat().st_mode & 0o777 == 0o640
    after = photo(world.home)
    assert isinstance(step.check(world), Done)
    assert photo(world.home) == after
    assert step.undo(made, world) == []
    assert photo(world.home) == before
    assert step.undo(made, world) == []
    assert photo(world.home) == before


@pytest.mark.parametrize("case", cases("edited"))
def test_conda_is_found_and_nothing_more_is_printed(case: Path, world: World, step: ShellBlock) -> None:
    """An interactive bash knows our conda; it prints what it printed before, as does one started by sshd."""
    shutil.copyfile(case, step.path)
    prompt, remote = bash(world, "-ic", "true"), as_sshd(world)
    make(step, world)
    assert bash(world, "-ic", "true") == prompt
    assert as_sshd(world) == remote
    code, out, err = bash(world, *FINDS)
    assert (code, err) == (0, prompt[2])
    assert out.endswith(f"conda\nconda of {step.prefix}\nend\n")


@pytest.mark.parametrize("case", cases("unreached"))
def test_a_file_that_ends_early_behaves_as_before(case: Path, world: World, step: ShellBlock) -> None:
    """Behind an `exit`, `exec` or `return` the block is not read, and does no harm."""
    shutil.copyfile(case, step.path)
    before = bash(world, *FINDS)
    make(step, world)
    assert bash(world, *FINDS) == before


@pytest.mark.parametrize("case", cases("refused"))
def test_a_broken_file_is_refused_with_its_line(case: Path, world: World, step: ShellBlock) -> None:
    """What bash cannot read is not made worse: the line is named, nothing is changed."""
    shutil.copyfile(case, step.path)
    line = {"unfinished-quote": 2, "unfinished-heredoc": 2, "unexpected-done": 2, "nul-byte": 2}
    problem = refused(step, world).problem
    assert str(step.path) in problem
    if case.name in line:
        assert f":{line[case.name]}:" in problem or f"line {line[case.name]}:" in problem


def test_a_missing_file_is_made_and_gone_again(world: World, step: ShellBlock) -> None:
    """A file that we made goes when it holds only ours."""
    made = make(step, world)
    assert f"conda of {step.prefix}" in bash(world, *FINDS)[1]
    assert step.undo(made, world) == []
    assert photo(world.home) == {}
    assert step.undo(made, world) == []


def test_a_file_that_we_made_stays_when_the_user_wrote_in_it(world: World, step: ShellBlock) -> None:
    """Their lines are kept, and the file is named."""
    made = make(step, world)
    with step.path.open("a") as f:
        f.write("export MINE=1\n")
    assert step.undo(made, world) == [step.path]
    assert step.path.read_text() == "export MINE=1\n"


def test_what_the_user_wrote_since_is_kept(world: World, step: ShellBlock) -> None:
    """After an edit only our block goes: lines before and behind it stay, on lines of their own."""
    step.path.write_text("export A=1")
    made = make(step, world)
    step.path.write_text("export NEW=0\n" + step.path.read_text() + "export B=2\n")
    assert step.undo(made, world) == []
    assert step.path.read_text() == "export NEW=0\nexport A=1\nexport B=2\n"


def test_a_mode_that_the_user_changed_since_is_kept(world: World, step: ShellBlock) -> None:
    """Undo puts back what we changed, and the mode was not ours."""
    step.path.write_text("export A=1\n")
    made = make(step, world)
    step.path.chmod(0o600)
    step.undo(made, world)
    assert (step.path.read_text(), step.path.stat().st_mode & 0o777) == ("export A=1\n", 0o600)


def test_a_file_that_the_user_deleted_since_stays_deleted(world: World, step: ShellBlock) -> None:
    """There is nothing of ours to take back."""
    step.path.write_text("export A=1\n")
    made = make(step, world)
    step.path.unlink()
    assert step.undo(made, world) == []
    assert not step.path.exists()


def test_an_older_block_comes_back(world: World, step: ShellBlock) -> None:
    """With a block of another prefix or version in place, undo gives back that one."""
    step.path.write_text("export A=1\n")
    older = make(ShellBlock.of(world.home, "bash", Path("/nowhere/else")), world)
    with_older = step.path.read_text()
    newer = make(step, world)
    assert step.path.read_text() != with_older
    step.undo(newer, world)
    assert step.path.read_text() == with_older
    step.undo(older, world)
    assert step.path.read_text() == "export A=1\n"


def test_the_block_is_silent_when_the_prefix_has_vanished(world: World, step: ShellBlock) -> None:
    """Without its conda, a shell starts as if the block were not there, even under `set -eu`."""
    step.path.write_text("set -eu\n")
    before = bash(world, "-ic", "true")
    make(step, world)
    shutil.rmtree(step.prefix)
    assert bash(world, "-ic", "true") == before


def test_the_block_defines_nothing_of_its_own(world: World, step: ShellBlock) -> None:
    """Variables, functions, aliases and options of the shell are those that conda.sh makes, and no others."""
    everything = ("-ic", "unset BASH_EXECUTION_STRING _; set; alias; set +o; shopt")
    script = shlex.quote(str(step.prefix / "etc/profile.d/conda.sh"))
    step.path.write_text(f". {script}\n")
    direct = bash(world, *everything)
    step.path.write_text("")
    make(step, world)
    ours = bash(world, *everything)
    assert _steady(ours[1]) == _steady(direct[1])


def _steady(told: str) -> list[str]:
    """Without what differs between any two shells."""
    return [
        line for line in told.splitlines() if not line.startswith(("PPID=", "BASHPID=", "SRANDOM=", "_="))
    ]


def test_a_failing_conda_script_does_not_end_the_login(world: World, step: ShellBlock) -> None:
    """Under `set -e` a conda.sh that fails would close the user's session; with our block it does not."""
    step.path.write_text("set -e\n")
    (step.prefix / "etc/profile.d/conda.sh").write_text("false\nfalse\n")
    make(step, world)
    assert bash(world, "-ic", "echo still here")[1] == "still here\n"


def test_a_huge_file_is_no_trouble(world: World, step: ShellBlock) -> None:
    """A megabyte in 50,000 lines: edited, shown and put back to the byte."""
    step.path.write_text("".join(f"export A{i % 1000}={i}\n" for i in range(50_000)))
    age(step.path)
    before = photo(world.home)
    made = make(step, world)
    step.undo(made, world)
    assert photo(world.home) == before


# --- places -----------------------------------------------------------------------------------------------


def test_a_link_stays_a_link(world: World, step: ShellBlock) -> None:
    """Through a chain of links the file at its end is changed; the preview says so."""
    dotfiles = world.home / "dotfiles"
    dotfiles.mkdir()
    (dotfiles / "bashrc").write_text("export A=1\n")
    age(dotfiles / "bashrc")
    (world.home / ".bashrc-2").symlink_to("dotfiles/bashrc")
    step.path.symlink_to(world.home / ".bashrc-2")
    before = photo(world.home)
    state = step.check(world)
    assert isinstance(state, Todo)
    assert f"{step.path} is a link; the file behind it is changed: {dotfiles / 'bashrc'}" in state.preview
    made = make(step, world)
    assert step.path.is_symlink()
    assert blocks.ours((dotfiles / "bashrc").read_text())
    step.undo(made, world)
    assert photo(world.home) == before


def test_a_file_in_a_git_work_tree_is_mentioned(world: World, step: ShellBlock) -> None:
    """The user learns that git will show the change; after undo git sees none."""
    dotfiles = world.home / "dotfiles"
    dotfiles.mkdir()
    (dotfiles / "bashrc").write_text("export A=1\n")
    git = ["git", "-C", str(dotfiles), "-c", "user.name=u", "-c", "user.email=u@localhost"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "bashrc"], check=True)
    subprocess.run([*git, "commit", "-qm", "Mine"], check=True)
    step.path.symlink_to("dotfiles/bashrc")
    state = step.check(world)
    assert isinstance(state, Todo)
    assert f"is in the git work tree {dotfiles}" in state.preview
    made = make(step, world)
    status = [*git, "status", "--porcelain"]
    assert subprocess.run(status, capture_output=True, text=True, check=True).stdout == " M bashrc\n"
    step.undo(made, world)
    assert subprocess.run(status, capture_output=True, text=True, check=True).stdout == ""


@pytest.mark.parametrize("kind", ["read-only", "directory", "dangling", "circle", "device", "fifo", "home"])
def test_a_place_that_is_not_to_be_written_is_refused(kind: str, world: World, step: ShellBlock) -> None:
    """The reason in a sentence, the line to add by hand, and nothing changed; also as root."""
    words = {
        "read-only": "is read-only",
        "directory": "is a directory",
        "dangling": "is a link to dotfiles/bashrc, and nothing is there",
        "circle": "is a link to",
        "device": "is not an ordinary file",
        "fifo": "is not an ordinary file",
        "home": "is read-only, so .bashrc cannot be replaced",
    }
    _place(kind, step.path)
    try:
        state = refused(step, world)
    finally:
        world.home.chmod(0o755)
    assert words[kind] in state.problem
    assert f". {shlex.quote(str(step.prefix / 'etc/profile.d/conda.sh'))}" in state.fix


def _place(kind: str, path: Path) -> None:
    """Put something of that kind where the start file should be."""
    match kind:
        case "read-only":
            path.write_text("export A=1\n")
            path.chmod(0o444)
        case "directory":
            path.mkdir()
        case "dangling":
            path.symlink_to("dotfiles/bashrc")
        case "circle":
            path.symlink_to(path.with_name("other"))
            path.with_name("other").symlink_to(path)
        case "device":
            path.symlink_to("/dev/null")
        case "fifo":
            os.mkfifo(path)
        case "home":
            path.parent.chmod(0o555)


class _Somebody(World):
    """A machine where we are an ordinary user."""

    @property
    def uid(self) -> int:
        return 54321


def test_a_file_of_another_user_is_refused(world: World, step: ShellBlock) -> None:
    """What root or a colleague has put there is meant to stay, though we could replace it."""
    step.path.write_text("export A=1\n")
    state = refused(step, _Somebody(world.home, world.env))
    assert "belongs to another user" in state.problem


# --- shells -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shell", "file", "begins"),
    [
        ("fish", ".config/fish/config.fish", "test -r "),
        ("tcsh", ".tcshrc", "if ( -r "),
        ("csh", ".cshrc", "if ( -r "),
        ("ksh", ".profile", "[ ! -r "),
    ],
)
def test_other_shells_get_the_line_to_add(shell: str, file: str, begins: str, world: World) -> None:
    """Never a line of bash in another shell's file; once the user has added the line, all is well."""
    step = ShellBlock.of(world.home, shell, Path("/opt/miniforge3"))
    state = refused(step, world)
    where, line = state.fix.split("\n    ")
    assert str(world.home / file) in where
    assert line.startswith(begins)
    step.path.parent.mkdir(parents=True, exist_ok=True)
    step.path.write_text(f"{line}\n")
    assert isinstance(step.check(world), Done)


@pytest.mark.parametrize(
    ("shell", "script", "code"),
    [
        ("fish", "etc/fish/conf.d/conda.fish", "function conda; echo found; end"),
        ("tcsh", "etc/profile.d/conda.csh", "alias conda echo found"),
        ("dash", "etc/profile.d/conda.sh", "conda() { echo found; }"),
    ],
)
def test_the_line_to_add_works_in_its_shell(shell: str, script: str, code: str, tmp_path: Path) -> None:
    """The line is understood, and silent where the prefix has vanished."""
    program = shutil.which(shell)
    if not program:
        pytest.skip(f"{shell} is not installed")
    from setup_wizard.steps.rc_file import line_by_hand

    path = tmp_path / "a prefix" / script
    path.parent.mkdir(parents=True)
    path.write_text(f"{code}\n")
    (tmp_path / "rc").write_text(
        f"{line_by_hand(shell, tmp_path / 'gone')}\n{line_by_hand(shell, tmp_path / 'a prefix')}\nconda\n"
    )
    run = subprocess.run(
        [program, tmp_path / "rc"],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
    )
    assert (run.stdout, run.stderr) == (b"found\n", b"")


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
class TestZsh:
    """zsh reads the same block, from its own file."""

    def test_the_block_works_and_goes(self, world: World, prefix: Path) -> None:
        """conda is found, nothing is printed, and undo gives the old bytes."""
        step = ShellBlock.of(world.home, "zsh", prefix)
        step.path.write_text("setopt no_unset\nexport A=1")
        age(step.path)
        before = photo(world.home)
        made = make(step, world)
        run = subprocess.run(
            ["zsh", "-ic", "conda"], env={"HOME": str(world.home), "PATH": os.environ["PATH"]},
            capture_output=True, text=True, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        assert (run.stdout, run.stderr) == (f"conda of {prefix}\n", "")
        step.undo(made, world)
        assert photo(world.home) == before

    @pytest.mark.parametrize("text", ["if true; then\n", "cat <<EOF\ntext\n"])
    def test_a_broken_file_is_refused(self, text: str, world: World, prefix: Path) -> None:
        """zsh only warns of nothing; a here-document without an end is found all the same."""
        step = ShellBlock.of(world.home, "zsh", prefix)
        step.path.write_text(text)
        assert "zsh cannot read this file" in refused(step, world).problem

    def test_another_folder_is_respected(self, world: World, prefix: Path) -> None:
        """With ZDOTDIR set, ~/.zshrc is not what zsh reads."""
        step = ShellBlock.of(world.home, "zsh", prefix)
        elsewhere = World(world.home, {**world.env, "ZDOTDIR": str(world.home / "zsh")})
        state = step.check(elsewhere)
        assert isinstance(state, Blocked)
        assert "ZDOTDIR" in state.problem


# --- crashes ----------------------------------------------------------------------------------------------


def test_a_crash_while_writing_leaves_the_old_file(
    world: World, step: ShellBlock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the rename the old bytes are there; the next run goes on, and undo still knows the old ones."""
    step.path.write_text("export A=1\n")
    age(step.path)
    before = photo(world.home)
    state = step.check(world)
    assert isinstance(state, Todo)
    assert isinstance(state.before, files.OldFile)
    files.keep(state.before)
    with monkeypatch.context() as m:
        m.setattr(os, "replace", _dies)
        with pytest.raises(KeyboardInterrupt):
            files.write_text(step.path, "half")
    assert photo(world.home) == before
    step.undo(state.before, world)
    assert photo(world.home) == before
    make(step, world)
    step.undo(state.before, world)
    assert photo(world.home) == before


def _dies(*_: object) -> None:
    raise KeyboardInterrupt
