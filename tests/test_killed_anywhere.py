"""SIGKILL at any moment loses nothing: run again, and it goes on; or undo, and the home is as before."""

from __future__ import annotations

from pathlib import Path

import pytest

from setup_wizard.trees import picture
from tests.program import Account

SHARES = 8  # the moments are tried in so many shares, to see how far it is


def _moments(account: Account, words: tuple[str, ...], log: Path) -> list[str]:
    """The moments of a command to be killed at: each the first time, and the last time where that is known.

    How many lines a program prints differs from run to run. Nothing lies between the end of one thing and
    the beginning of the next: one of the two is enough.
    """
    result = account.run(*words, fuse=("", log))
    assert result.returncode == 0, result.stderr
    lines = log.read_text().splitlines()
    times: dict[str, list[str]] = {}
    for line, then in zip(lines, [*lines[1:], ""], strict=True):
        if not (line.startswith("after") and then.startswith("before")):
            times.setdefault(line.partition(" | ")[0], []).append(line)
    return [
        line
        for name, at in times.items()
        for line in dict.fromkeys((at[0], at[0 if "inside program" in name else -1]))
    ]


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory, tiny_mirror: str) -> list[str]:
    """The moments of a whole setup."""
    folder = tmp_path_factory.mktemp("count")
    account = Account(folder / "home", tiny_mirror)
    return _moments(account, account.setup, folder / "log")


@pytest.mark.parametrize("share", range(SHARES))
def test_run_again_and_undo_from_every_moment(
    share: int, moments: list[str], tmp_path: Path, tiny_mirror: str
) -> None:
    """Killed anywhere: the next run completes the setup, or undo is called at once; the home is restored."""
    mine = moments[share::SHARES]
    assert mine, "there are fewer moments than shares"
    for turn, where in enumerate(mine):
        account = Account(tmp_path / f"home{turn}", tiny_mirror)
        before = picture(account.home)
        killed = account.run(*account.setup, fuse=(where, tmp_path / "log"))
        assert killed.returncode == -9, f"the fuse did not blow {where}: {killed.stderr}"
        if (turn + share) % 2 == 0:
            again = account.run(*account.setup)
            assert again.returncode == 0, f"killed {where}: {again.stderr}{again.stdout}"
            status = account.facts("status")
            assert status["ok"], f"killed {where}: {status}"
            assert account.facts(*account.setup)["changed"] == [], f"killed {where}"
        undone = account.run("undo", "--yes")
        assert undone.returncode == 0, f"killed {where}: {undone.stderr}{undone.stdout}"
        after = picture(account.home)
        assert after == before, f"killed {where}: {sorted(set(after.items()) ^ set(before.items()))[:9]}"


def test_undo_again_from_every_moment(tmp_path: Path, tiny_mirror: str) -> None:
    """An undo that is killed anywhere is finished by the next one, and the home is as before."""
    account = Account(tmp_path / "home", tiny_mirror)
    before = picture(account.home)
    words = ("--environments", "none", "--notebooks", "welcome")
    assert account.run(*account.setup, *words).returncode == 0
    moments = _moments(account, ("undo", "--yes"), tmp_path / "log")
    assert picture(account.home) == before
    for where in moments:
        assert account.run(*account.setup, *words).returncode == 0
        assert account.run("undo", "--yes", fuse=(where, tmp_path / "log")).returncode == -9, where
        again = account.run("undo", "--yes")
        assert again.returncode == 0, f"killed {where}: {again.stderr}"
        after = picture(account.home)
        assert after == before, f"killed {where}: {sorted(set(after.items()) ^ set(before.items()))[:9]}"
