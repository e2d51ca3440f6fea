"""The main job as a user sees it: setup, again, what the user makes meanwhile, undo."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from setup_wizard.trees import picture
from tests.conftest import CACHE
from tests.program import TINY, Account


def test_setup_again_and_undo(account: Account) -> None:
    """A bare account is set up; a second run has nothing to do; undo gives the home back to the byte."""
    before = picture(account.home)
    first = account.run(*account.setup)
    assert first.returncode == 0, first.stderr + first.stdout
    status = account.facts("status")
    assert [s["state"] for s in status["steps"]] == ["made"] * len(status["steps"])
    assert status["environments"][0]["name"] == "tiny"
    again = account.facts(*account.setup)
    assert (again["ok"], again["changed"]) == (True, [])
    # without answers: those of last time
    assert account.facts("setup", "--yes")["changed"] == []
    undone = account.facts("undo", "--yes")
    assert undone["kept"] == []
    assert picture(account.home) == before


def test_what_the_user_made_stays(account: Account) -> None:
    """Undo keeps and names what the user added or changed: in the rc file, in trees, in notebooks."""
    assert account.run(*account.setup).returncode == 0
    home = account.home
    mine = {
        home / "miniconda3/envs/tiny/share/my-data.csv": "1,2,3\n",
        home / "miniconda3/envs/theirs/conda-meta/history": "==> made with conda <==\n",
        home / "jupyter-notebooks/first-steps/answers.txt": "42\n",
        home / "jupyter-notebooks/welcome.ipynb": "{}",
    }
    for path, text in mine.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    rc = home / ".bashrc"
    rc.write_text(rc.read_text() + "alias gs='git status'\n")
    undone = account.facts("undo", "--yes")
    assert undone["ok"]
    assert {str(p) for p in mine} <= set(undone["kept"])
    assert {p: p.read_text() for p in mine} == mine
    assert "gs='git status'" in rc.read_text()
    assert "hpc-jupyter-setup" not in rc.read_text()
    assert not (home / "miniconda3/bin").exists()
    assert not (home / ".local/state").exists()


def test_a_changed_file_is_a_transaction(account: Account) -> None:
    """`env create` after a change of the YAML changes the environment; undo takes all of it back."""
    before = picture(account.home)
    assert account.run(*account.setup).returncode == 0
    prefix = account.home / "miniconda3/envs/tiny"
    account.tiny.write_text(TINY.replace("tiny-tools", "tiny-plots"))
    changed = account.facts("env", "create", str(account.tiny), "--yes")
    assert changed["changed"], changed
    assert list((prefix / "conda-meta").glob("tiny-plots-*.json"))
    assert account.facts("env", "create", str(account.tiny), "--yes")["changed"] == []
    assert account.facts("undo", "--yes")["kept"] == []
    assert picture(account.home) == before


def test_undo_goes_on_past_a_failure(account: Account) -> None:
    """What cannot be undone is named with its reason; the rest is undone; a later undo finishes."""
    before = picture(account.home)
    assert account.run(*account.setup).returncode == 0
    backups = account.home / ".local/state/hpc-jupyter-setup/backups"
    hidden = backups.with_name("hidden")
    backups.rename(hidden)
    first = account.facts("undo", "--yes")
    assert not first["ok"]
    assert all(left["error"]["problem"] and left["error"]["fix"] for left in first["left"])
    assert not (account.home / "miniconda3/envs/tiny").exists()
    hidden.rename(backups)
    assert account.facts("undo", "--yes")["ok"]
    assert picture(account.home) == before


def test_undo_without_anything(account: Account) -> None:
    """On an untouched account undo and status say so, and change nothing."""
    before = picture(account.home)
    assert account.facts("undo", "--yes")["undone"] == []
    assert account.facts("status")["steps"] == []
    assert account.run("undo").returncode == 0
    assert picture(account.home) == before


def test_a_conda_that_is_there_is_used_and_left_alone(account: Account, tmp_path: Path) -> None:
    """An existing conda is found and offered; environments go where it looks; it is never changed."""
    first = Account(tmp_path / "other", account.mirror)
    nothing = ("--environments", "none", "--notebooks", "none", "--no-shell")
    assert first.run(*first.setup, *nothing, "--prefix", str(tmp_path / "conda")).returncode == 0
    conda = picture(tmp_path / "conda")
    before = picture(account.home)
    words = [*account.setup, "--distribution", str(tmp_path / "conda")]
    result = account.run(*words)
    assert result.returncode == 0, result.stderr
    assert (account.home / ".conda/envs/tiny/bin/python").exists()
    assert account.facts("undo", "--yes")["kept"] == []
    assert picture(tmp_path / "conda") == conda
    assert picture(account.home) == before


def test_doctor_names_what_is_wrong(account: Account) -> None:
    """Green after a setup; red with its fix when the environment is gone; setup mends it."""
    assert account.run(*account.setup).returncode == 0
    assert account.facts("doctor")["ok"]
    subprocess.run(["rm", "-rf", account.home / "miniconda3/envs/tiny"], check=True)
    told = account.facts("doctor", "--no-test")
    red = [f for f in told["findings"] if f["level"] == "bad"]
    assert any("tiny" in f["title"] for f in red), json.dumps(told)
    assert all(f["fix"] for f in red)
    assert account.run(*account.setup).returncode == 0
    assert account.facts("doctor", "--no-test")["ok"]


def test_news_of_notebooks_never_overwrites(account: Account, tmp_path: Path) -> None:
    """`notebooks update`: a file that the participant changed stays, the new version is put beside it."""
    bare = tmp_path / "lesson.git"
    work = tmp_path / "work"
    git = ["git", "-C", str(work), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "init", "-q", str(work)], check=True)
    (work / "a.ipynb").write_text("{}")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    mirror = tmp_path / "mirror"
    subprocess.run(["cp", "-a", str(CACHE / "tiny"), str(mirror)], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(work), str(bare)], check=True)
    subprocess.run(["rm", "-rf", str(mirror / "git/first-steps.git")], check=True)
    bare.rename(mirror / "git/first-steps.git")
    account.mirror = str(mirror)
    assert account.run(*account.setup).returncode == 0
    mine = account.home / "jupyter-notebooks/first-steps/a.ipynb"
    mine.write_text('{"mine": 1}')
    (work / "a.ipynb").write_text('{"theirs": 2}')
    subprocess.run([*git, "commit", "-qam", "two"], check=True)
    subprocess.run([*git, "push", "-q", str(mirror / "git/first-steps.git"), "HEAD"], check=True)
    told = account.facts("notebooks", "update")
    [beside] = told["updated"]["first-steps"]["beside"]
    assert mine.read_text() == '{"mine": 1}'
    assert (mine.parent / beside).read_text() == '{"theirs": 2}'
    assert account.facts("notebooks", "update")["updated"]["first-steps"]["written"] == []
    assert str(mine) in account.facts("undo", "--yes")["kept"]


@pytest.mark.real
def test_a_launch_alone_is_undone_too(account: Account, jupyter_prefix: Path) -> None:
    """Who has only ever launched gets a home as before, too: the session is stopped, our folders go."""
    before = picture(account.home)
    told = account.facts("launch", "--here", "--environment", str(jupyter_prefix))
    assert told["proof"]["kernel_prefix"] == str(jupyter_prefix), told
    assert account.facts("undo", "--yes")["ok"]
    assert picture(account.home) == before
