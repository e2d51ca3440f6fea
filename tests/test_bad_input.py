"""Bad input gets a clear error with the fix and its documented exit code, and nothing is changed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from setup_wizard.trees import picture
from tests.program import SETUP, Account

NOTHING = ("--environments", "none", "--notebooks", "none")


def refused(account: Account, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command that must be refused: an error of one code, and a home as it was."""
    before = picture(account.home)
    result = account.run(*words)
    assert "Traceback" not in result.stderr
    changed = set(picture(account.home).items()) ^ set(before.items())
    assert not changed, f"{words} changed {sorted(changed)[:5]}"
    return result


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("setup", "--yes"), 9, "--accept-licence miniconda"),
        (("setup",), 2, "--environments"),
        (("setup", "--yes", "--distribution", "minconda"), 2, "Did you mean miniconda?"),
        ((*SETUP, "--environments", "jupyterlap"), 2, "Did you mean jupyterlab or jupyter?"),
        ((*SETUP, "--notebooks", "first-step"), 2, "Did you mean first-steps?"),
        ((*SETUP, "--channels", "bioconda"), 2, "--channels conda-forge"),
        ((*SETUP, *NOTHING, "--prefix", "/tmp/a b/conda"), 3, "space"),
        ((*SETUP, *NOTHING, "--prefix", "/tmp/" + "x" * 150), 3, "127"),
        ((*SETUP, "--answers", "/nowhere.yml"), 2, "/nowhere.yml"),
        (("setup", "--yes", "--distribution", "/opt/none"), 2, "no working conda"),
        (("env", "create", "nosuch.yml", "--yes"), 2, "nosuch.yml"),
        (("launch", "--environment", "nosuch"), 2, "env create"),
        (("launch", "--interface", "emacs"), 2, "lab"),
        (("stop", "nosuch"), 2, "nosuch"),
        (("setup", "--no-such-flag"), 2, "--no-such-flag"),
    ],
)
def test_a_wrong_answer(account: Account, words: tuple[str, ...], code: int, said: str) -> None:
    """Each wrong answer has its exit code, and the message names the way out."""
    mirror = ("--mirror", account.mirror) if words[0] in ("setup", "env") else ()
    result = refused(account, *words, *mirror)
    assert result.returncode == code, result.stderr
    assert said in result.stderr.replace("\n  ", " "), result.stderr


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("name: x\ndependancies: [python]\n", "2:1", "dependencies"),
        ("name: x\nname: y\ndependencies: [python]\n", "2:1", "name"),
        ("name: x\ndependencies: python\n", "2:15", "list"),
        ("name: x\ndependencies:\n\t- python\n", "3:1", "tab"),
        ("name: a/b\ndependencies: [python]\n", "1:7", "a/b"),
        ("", "1:1", "empty"),
    ],
)
def test_a_wrong_environment_file(account: Account, text: str, place: str, said: str) -> None:
    """A wrong YAML file is told with file:line:column."""
    path = account.home.parent / "wrong.yml"
    path.write_text(text)
    result = refused(account, "env", "create", str(path), "--yes", "--mirror", account.mirror)
    assert result.returncode == 2
    assert f"wrong.yml:{place}" in result.stderr
    assert said in result.stderr


@pytest.mark.parametrize(
    ("dependencies", "said"),
    [
        ("[python, tiny-tolls]", "tiny-tools"),
        ("[python, 'tiny-core>=9']", "1.0"),
        ("[python, tiny-plots, 'tiny-tools<2']", "tiny-tools"),
    ],
)
def test_packages_that_cannot_be_had(account: Account, dependencies: str, said: str) -> None:
    """A misspelt package, a version that does not exist, a quarrel: what exists is said; nothing is made."""
    path = account.home.parent / "wish.yml"
    path.write_text(f"name: wish\ndependencies: {dependencies}\n")
    result = refused(account, "env", "create", str(path), "--yes", "--mirror", account.mirror)
    assert result.returncode == 5, result.stderr
    assert said in result.stderr


def _read_only_rc(account: Account) -> None:
    (account.home / ".bashrc").chmod(0o444)


def _broken_rc(account: Account) -> None:
    (account.home / ".bashrc").write_text("if true; then\n")


def _foreign_prefix(account: Account) -> None:
    (account.home / "miniconda3").mkdir()
    (account.home / "miniconda3/thesis.tex").write_text("mine")


def _no_git(account: Account) -> None:
    programs = account.home.parent / "bin"
    programs.mkdir()
    for folder in ("/usr/bin", "/bin"):
        for path in Path(folder).iterdir():
            if not path.name.startswith("git") and not (programs / path.name).exists():
                (programs / path.name).symlink_to(path)
    account.env["PATH"] = str(programs)


def _newer_journal(account: Account) -> None:
    folder = account.home / ".local/state/hpc-jupyter-setup"
    folder.mkdir(parents=True)
    (folder / "journal.jsonl").write_text('{"type":"opened","format":7,"version":"8.0"}\n')


def _damaged_journal(account: Account) -> None:
    folder = account.home / ".local/state/hpc-jupyter-setup"
    folder.mkdir(parents=True)
    (folder / "journal.jsonl").write_text('{"type":"opened","format":1,"version":"0.1.0"}\nrubbish\n{}\n')


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (_read_only_rc, 3, "read-only"),
        (_broken_rc, 3, ".bashrc:"),
        (_foreign_prefix, 3, "not ours"),
        (_no_git, 3, "git"),
        (_newer_journal, 7, "upgrade"),
        (_damaged_journal, 7, "journal.jsonl:2"),
    ],
)
def test_an_account_that_does_not_allow_it(
    account: Account, spoil: Callable[[Account], None], code: int, said: str
) -> None:
    """What the account does not allow is said before anything is begun."""
    spoil(account)
    result = refused(account, *account.setup)
    assert result.returncode == code, result.stderr
    assert said in result.stderr


def test_an_unreachable_mirror(account: Account) -> None:
    """A mirror that nobody serves is named, with what to check."""
    result = refused(account, *SETUP, *NOTHING, "--mirror", "http://127.0.0.1:9")
    assert result.returncode == 4, result.stderr
    assert "127.0.0.1" in result.stderr
    assert "--mirror" in result.stderr


def test_json_errors_are_json(account: Account) -> None:
    """With --json an error is an object too, with problem, fix and code."""
    told = account.facts("setup", "--yes", "--mirror", account.mirror)
    assert told["ok"] is False
    assert told["error"]["code"] == 9
    assert "--accept-licence miniconda" in told["error"]["fix"]


def test_the_plan_without_consent(account: Account) -> None:
    """Without a terminal and without --yes, complete answers still change nothing."""
    words = [w for w in account.setup if w != "--yes"]
    more = ("--channels", "conda-forge", "--shell", "--no-login-file", "--no-old-blocks", "--no-launch")
    result = refused(account, *words, *more, "--notebook-folder", str(account.home / "nb"))
    assert result.returncode == 2, result.stderr
    assert "--yes" in result.stderr


def test_a_dry_run_shows_everything_and_changes_nothing(account: Account) -> None:
    """--dry-run: every file with its diff, every download with its SHA-256, every command; no change."""
    result = refused(account, *account.setup, "--dry-run")
    assert result.returncode == 0, result.stderr
    for word in ("bash Miniconda3", "git clone", "+# >>> hpc-jupyter-setup >>>", "tiny-core-1.0", "SHA-256"):
        assert word in result.stdout, word
