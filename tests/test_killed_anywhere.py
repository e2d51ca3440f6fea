"""SIGKILL at any moment loses nothing: run again, and it goes on; or undo, and the home is as before."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from setup_wizard.trees import picture
from tests.program import Account

SHARES = 8  # the moments are tried in so many shares, which run side by side


def _moments(account: Account, words: tuple[str, ...], log: Path) -> list[int]:
    """The moments of a command to be killed at: of each kind the first and the last, in their order.

    Nothing lies between the end of one thing and the beginning of the next: one of the two is enough.
    """
    result = account.run(*words, fuse=(0, log))
    assert result.returncode == 0, result.stderr
    names = log.read_text().splitlines()
    kinds: dict[str, list[int]] = {}
    for number, name in enumerate(names, 1):
        if not (name.startswith("after") and names[number : number + 1] and "before" in names[number]):
            kinds.setdefault(re.sub(r"\d+|\S*/\S*|[0-9a-f]{12,}", "", name), []).append(number)
    return sorted({n for at in kinds.values() for n in (at[0], at[-1])})


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory, tiny_mirror: str) -> list[int]:
    """The moments of a whole setup."""
    folder = tmp_path_factory.mktemp("count")
    account = Account(folder / "home", tiny_mirror)
    return _moments(account, account.setup, folder / "log")


@pytest.mark.parametrize(
    "share", [pytest.param(n, marks=pytest.mark.xdist_group(f"killed {n}")) for n in range(SHARES)]
)
def test_run_again_and_undo_from_every_moment(
    share: int, moments: list[int], tmp_path: Path, tiny_mirror: str
) -> None:
    """Killed anywhere: the next run completes the setup, or undo is called at once; the home is restored."""
    mine = moments[share::SHARES]
    assert mine, "there are fewer moments than shares"
    for turn, at in enumerate(mine):
        account = Account(tmp_path / f"home{at}", tiny_mirror)
        before = picture(account.home)
        killed = account.run(*account.setup, fuse=(at, tmp_path / f"log{at}"))
        assert killed.returncode == -9, f"the fuse did not blow at {at}: {killed.stderr}"
        where = (tmp_path / f"log{at}").read_text().splitlines()[-1]
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
    for at in moments:
        assert account.run(*account.setup, *words).returncode == 0
        assert account.run("undo", "--yes", fuse=(at, tmp_path / f"log{at}")).returncode == -9
        where = (tmp_path / f"log{at}").read_text().splitlines()[-1]
        again = account.run("undo", "--yes")
        assert again.returncode == 0, f"killed {where}: {again.stderr}"
        after = picture(account.home)
        assert after == before, f"killed {where}: {sorted(set(after.items()) ^ set(before.items()))[:9]}"
