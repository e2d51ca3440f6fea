"""`env lock`: what is written, for which platforms, over which files; and what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from setup_wizard.conda.lock import here, is_lock
from setup_wizard.mirror.packages import SUBDIR
from setup_wizard.mirror.tiny import stub
from setup_wizard.trees import picture
from setup_wizard.world import World
from tests.channels import channel, fruits, serve
from tests.gardener import Gardener
from tests.web_server import WebServer

SOME = {"lib/some": b"some"}


@pytest.fixture(scope="module")
def orchard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A channel of fruits, a seed that needs a C library of 2.20, and something called pip."""
    folder = tmp_path_factory.mktemp("channels") / "orchard"
    seed = stub("seed", depends=["__glibc >=2.20"], files=SOME)
    channel(folder, [*fruits(), seed, stub("pip", noarch="generic")])
    return folder


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture
def gardener(tmp_path: Path, orchard: Path, web: WebServer) -> Gardener:
    """The account, beside a server of the channel."""
    return Gardener(tmp_path / "home", serve(web, orchard))


def test_a_lock_lies_beside_its_file_and_says_what_it_holds(gardener: Gardener) -> None:
    """Packages and bytes for each platform; nothing else on the account is made or changed."""
    before = picture(gardener.home)
    said = gardener.well("lock", str(gardener.file), "--platform", "linux-64,linux-aarch64")
    assert said["file"] == str(gardener.lock)
    assert said["changed"] is True
    assert [(p["platform"], p["packages"]) for p in said["platforms"]] == [
        ("linux-64", 3),
        ("linux-aarch64", 3),
    ]
    assert said["platforms"][0]["bytes"] > 1000
    after = picture(gardener.home)
    assert after.keys() - before.keys() == {"basket.lock"}
    assert is_lock(gardener.lock.read_text())
    shown = gardener.run("env", "lock", str(gardener.file)).stdout
    assert "3 packages" in shown
    assert f"env create {gardener.lock}" in shown


def test_a_lock_made_anew_tells_what_becomes_of_the_packages(gardener: Gardener) -> None:
    """What comes, goes and changes; where nothing does, the file is not even written."""
    gardener.well("lock", str(gardener.file))
    os.utime(gardener.lock, (1, 1))
    again = gardener.well("lock", str(gardener.file))
    assert again["changed"] is False
    assert f"{gardener.lock} is as it was" in gardener.run("env", "lock", str(gardener.file)).stdout
    assert gardener.lock.stat().st_mtime == 1
    text = gardener.file.read_text()
    gardener.file.write_text(text.replace("pear ", "plum ").replace("quince=1.1", "quince"))
    shown = gardener.run("env", "lock", str(gardener.file), "--dry-run")
    assert "change quince 1.1 → 1.2" in shown.stdout
    assert gardener.lock.stat().st_mtime == 1, "it was only shown"
    difference = gardener.well("lock", str(gardener.file))["platforms"][0]["difference"]
    assert difference["added"] == ["plum 1.0"]
    assert difference["removed"] == ["pear 1.0"]
    assert [c["name"] for c in difference["changed"]] == ["apple", "quince"]


def test_a_file_of_the_users_is_never_written_over(gardener: Gardener, web: WebServer) -> None:
    """Said before anything is solved; -o gives another one, also in a folder that is not there yet."""
    gardener.lock.write_text("mine\n")
    web.asked.clear()
    code, said = gardener.ill("lock", str(gardener.file))
    assert (code, "stays" in said, "-o FILE" in said) == (2, True, True)
    assert gardener.lock.read_text() == "mine\n"
    assert web.asked == []
    other = gardener.home / "locks/linux.lock"
    gardener.well("lock", str(gardener.file), "-o", str(other))
    other.rename(gardener.home / "linux.lock")  # beside its YAML, whatever it is called, it has to match
    gardener.file.write_text(gardener.file.read_text().replace("pear ", "plum "))
    assert gardener.ill("create", str(gardener.home / "linux.lock"), "--yes")[0] == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--platform", "linux-46"), 2, "Did you mean linux-64"),
        (("--platform", "osx-64"), 2, "no platform «osx-64»"),
        (("none.yml",), 2, "there is no such file"),
        (("jupyterlob",), 2, "Did you mean jupyterlab"),
    ],
)
def test_what_cannot_be_locked(gardener: Gardener, words: tuple[str, ...], code: int, said: str) -> None:
    """A platform or a file that is not there: named, with a near one, and nothing is written."""
    file = () if words[0][0] != "-" else (str(gardener.file),)
    ended, text = gardener.ill("lock", *file, *words)
    assert (ended, said in text) == (code, True), text
    assert not gardener.lock.exists()


def test_what_quarrels_is_said_with_its_line_also_for_another_platform(gardener: Gardener) -> None:
    """As `env create` says it; a lock that was there stays."""
    gardener.well("lock", str(gardener.file))
    text = gardener.lock.read_text()
    gardener.file.write_text(gardener.file.read_text().replace("quince=1.1", "plum"))
    code, said = gardener.ill("lock", str(gardener.file), "--platform", "linux-aarch64")
    assert code == 5
    assert f"{gardener.file}:5:5: pear" in said
    assert f"{gardener.file}:6:5: plum" in said
    assert gardener.lock.read_text() == text


def test_a_lock_is_not_locked_again(gardener: Gardener) -> None:
    """It is said what to give in its place."""
    gardener.well("lock", str(gardener.file))
    code, said = gardener.ill("lock", str(gardener.lock), "-o", "x.lock")
    assert (code, "settled already" in said) == (2, True)


def test_what_pip_installs_is_not_locked_and_that_is_said(gardener: Gardener) -> None:
    """The lock keeps the list, and pip solves it when the environment is made."""
    text = gardener.file.read_text()
    gardener.file.write_text(text.replace("quince=1.1", "pip: [cowsay==6.1, -r more.txt]"))
    assert gardener.well("lock", str(gardener.file))["notes"] == [
        "What pip installs is not locked: cowsay==6.1, -r more.txt"
    ]
    assert "cowsay==6.1" in gardener.lock.read_text().splitlines()[0]


def test_a_lock_for_a_machine_with_more_than_this_one_has(gardener: Gardener, orchard: Path) -> None:
    """What needs a newer C library or a GPU is refused before anything is downloaded, with the way out."""
    gardener.file.write_text(f"channels: [{gardener.url}]\ndependencies: [seed, melon]\n")
    gardener.env["CONDA_OVERRIDE_CUDA"] = "12"
    gardener.well("lock", str(gardener.file))
    gardener.well("create", str(gardener.lock), "-n", "gpu", "--yes")
    del gardener.env["CONDA_OVERRIDE_CUDA"]
    code, said = gardener.ill("create", str(gardener.lock), "-n", "none", "--yes")
    assert (code, "export CONDA_OVERRIDE_CUDA=12" in said) == (5, True)
    gardener.env |= {"CONDA_OVERRIDE_CUDA": "12", "CONDA_OVERRIDE_GLIBC": "2.17"}
    code, said = gardener.ill("create", str(gardener.lock), "-n", "none", "--yes")
    assert (code, "__glibc >=2.20" in said, "on this machine" in said) == (5, True, True)


def test_one_lock_for_many_environments_at_once(gardener: Gardener) -> None:
    """Each student of a class makes it from the same lock at the same moment."""
    gardener.well("lock", str(gardener.file))
    words = [sys.executable, "-m", "setup_wizard", "env", "create", str(gardener.lock), "--yes", "--json"]
    homes = [gardener.home.parent / f"student{n}" for n in range(4)]
    for home in homes:
        home.mkdir()
    running = [
        subprocess.Popen(
            words, env={**gardener.env, "HOME": str(h)}, cwd=h, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for h in homes
    ]
    said = [json.loads(p.communicate(timeout=120)[0]) for p in running]
    assert all(s["ok"] for s in said)


def test_the_platform_of_this_machine_is_as_conda_calls_it(tmp_path: Path) -> None:
    """linux-64, linux-aarch64: what the folders of a channel are called."""
    assert here(World(tmp_path, {})) == SUBDIR
