"""What environments there are, and what can be said of each without looking through it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from setup_wizard.conda import byte_code, contents, registry
from setup_wizard.conda.summary import Memory
from setup_wizard.environments import inventory
from setup_wizard.environments.inventory import Glance
from setup_wizard.journal import Journal
from setup_wizard.mirror.tiny import stub
from setup_wizard.trees import picture
from setup_wizard.ui import environment_pages, paper
from setup_wizard.world import World
from tests.channels import channel, fruits
from tests.conda_stand_ins import conda, foreign, with_python
from tests.program import Account

YAML = "name: basket\nchannels: [{url}]\ndependencies: [pear, jam]\n"
DAY = 86400


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A channel of fruits, and of a jam that names its prefix."""
    jam = stub("jam", files={"share/jam": b"jam " * 9000, "share/deep/in/it": b"x"}, noarch="generic")
    return channel(tmp_path_factory.mktemp("channels") / "garden", [*fruits(), jam])


class Basket(Account):
    """An account with an environment «basket» of ours."""

    def __init__(self, home: Path, url: str) -> None:
        super().__init__(home)
        self.prefix = home / ".conda/envs/basket"
        self.world = World(home, self.env)
        self.file = home / "basket.yml"
        self.file.write_text(YAML.format(url=url))
        made = self.run("env", "create", str(self.file), "--yes")
        assert made.returncode == 0, made.stderr

    def list(self, *words: str) -> dict[str, Any]:
        """What `env list` says, by path."""
        said = self.facts("env", "list", *words)
        assert said["ok"]
        return {e["prefix"]: e for e in said["environments"]}

    def glance(self) -> Glance:
        """What can be said of the basket."""
        receipt = Journal(self.world).receipt
        return inventory.glances(receipt, self.world, inventory.places(receipt, self.world))[0]


@pytest.fixture
def basket(tmp_path: Path, url: str) -> Basket:
    """An account with its environment."""
    return Basket(tmp_path / "home", url)


def test_all_are_listed_ours_or_not(basket: Basket) -> None:
    """Ours, those that conda was told of, a conda and what is in its envs, and what is gone; each once."""
    home = basket.home
    base = conda(home / "miniconda3")
    course, far = with_python(base / "envs/course"), foreign(home.parent / "far/away", "r-base-4.4-h1")
    gone = home / "gone"
    for prefix in (gone, far, course):
        registry.register(basket.world, prefix)
    (home / "shortcut").symlink_to(far)
    registry.register(basket.world, home / "shortcut")

    told = basket.list()
    assert next((e["name"], e["ours"]) for e in told.values()) == ("basket", True)
    assert {Path(p).name: e["name"] for p, e in told.items()}.keys() >= {"basket", "miniconda3", "course"}
    assert told[str(base)]["name"] == "base"
    assert (told[str(course)]["name"], told[str(course)]["python"]) == ("course", "3.12.4")
    assert told[str(gone)]["problem"] == "the folder is gone"
    assert len(told) == 5, "the shortcut is the one far away"
    assert list(basket.list("--ours")) == [str(basket.prefix)]


def test_the_room_is_as_each_file_says(basket: Basket) -> None:
    """Reckoned from the records or measured, it is the same; what the user added only the measure sees."""
    reckoned, measured = basket.list(), basket.list("--sizes")
    before, after = (told[str(basket.prefix)]["room"] for told in (reckoned, measured))
    assert (before["measured"], after["measured"]) == (False, True)
    assert before["shared"] == after["shared"] > 36000
    assert after["files_own"] - before["files_own"] == (basket.prefix / "CACHEDIR.TAG").exists()
    assert before["files_shared"] == after["files_shared"] == 4

    (basket.prefix / "mine").write_bytes(b"x" * 50_000)
    assert basket.list()[str(basket.prefix)]["room"] == after, "as long as nothing is installed"
    more = basket.list("--sizes")[str(basket.prefix)]["room"]
    assert more["own"] - after["own"] >= 50_000


def test_what_is_known_is_not_read_again(basket: Basket) -> None:
    """Until a package comes or goes, or the package cache is deleted, so that nothing is shared any more."""
    byte_code.stop(basket.world, basket.prefix)  # it would still put something into the package cache
    before = basket.glance()
    record = next((basket.prefix / "conda-meta").glob("jam-*.json"))
    whole = record.read_bytes()
    with record.open("r+b") as f:
        f.truncate(0)
    assert basket.glance() == before
    with record.open("r+b") as f:
        f.write(whole)
    shutil.rmtree(basket.world.cache / "pkgs")
    alone = basket.glance()
    assert (alone.room.shared, alone.room.own > before.room.own + 36000) == (0, True)
    assert basket.run("env", "install", "basket", "quince", "--yes").returncode == 0
    assert basket.glance().packages == before.packages + 1
    assert basket.glance().room.files > alone.room.files


def test_what_two_environments_share_is_read_once(basket: Basket) -> None:
    """A package linked from the same files takes the same; where it is no link, its own record counts."""
    assert basket.run("env", "create", str(basket.file), "-n", "second", "--yes").returncode == 0
    second = basket.prefix.with_name("second")
    record = next((second / "conda-meta").glob("jam-*.json"))
    whole = record.read_bytes()
    record.write_bytes(b"?" * len(whole))
    memory = Memory(basket.world)
    first = memory.summary(basket.prefix).room
    assert memory.summary(second).room == first

    record.write_bytes(whole)
    for jam in (second / "share/jam", second / "share/deep/in/it"):
        shutil.copy(jam, second / "copy")
        os.replace(second / "copy", jam)
    memory = Memory(basket.world)
    memory.summary(basket.prefix)
    alone = memory.summary(second).room
    assert alone == Memory(basket.world).summary(second).room
    assert (alone.files, alone.shared < first.shared) == (first.files, True)


def test_what_is_wrong_is_said(basket: Basket) -> None:
    """A package that is gone, a change that was killed, an environment moved by hand, a lost Python."""
    assert basket.glance().problem == ""
    record = next((basket.prefix / "conda-meta").glob("apple-*.json"))
    kept = record.rename(basket.home / "kept.json")
    assert basket.glance().problem == "apple is gone"
    kept.rename(record)
    contents.say_unfinished(basket.prefix)
    assert basket.glance().problem == "a change of it was not finished"

    moved = with_python(basket.home / "there/envs/course").rename(basket.home / ".conda/envs/moved")
    broken = with_python(basket.home / ".conda/envs/broken")
    (broken / "bin/python").unlink()
    told = basket.list()
    assert "moved or copied here" in told[str(moved)]["problem"]
    assert told[str(broken)]["problem"] == "bin/python is missing"
    said = basket.run("env", "list").stdout
    assert "✘ broken: bin/python is missing" in said


def test_when_it_was_used_last(basket: Basket) -> None:
    """Each start of its Python reads the folder of its modules; that we look does not count as use."""
    prefix = with_python(basket.home / ".conda/envs/course")
    if os.statvfs(prefix).f_flag & os.ST_NOATIME:
        pytest.skip("this file system keeps no times of reading")
    folder = prefix / "lib/python3.12"
    os.utime(folder, (1000 * DAY, 0))
    assert basket.list("--sizes")[str(prefix)]["used"] == 1000 * DAY
    os.listdir(folder)
    assert basket.list()[str(prefix)]["used"] > 1000 * DAY
    assert [environment_pages.ago(d * DAY) for d in (0.5, 1, 5, 15, 70, 800)] == [
        "today",
        "yesterday",
        "5 days ago",
        "2 weeks ago",
        "2 months ago",
        "2 years ago",
    ]


def test_kernels_are_told_by_what_they_start(basket: Basket) -> None:
    """Whoever has made them; a kernelspec that cannot be read harms nobody."""
    prefix = with_python(basket.home / ".conda/envs/course")
    for name, text in (("c1", json.dumps({"argv": [f"{prefix}/bin/python", "-m", "x"]})), ("c2", "{")):
        folder = basket.home / ".local/share/jupyter/kernels" / name
        folder.mkdir(parents=True)
        (folder / "kernel.json").write_text(text)
    assert basket.list()[str(prefix)]["kernels"] == ["c1"]


def test_a_bare_account_stays_as_it_is(tmp_path: Path) -> None:
    """Where nothing of ours is, looking leaves nothing."""
    bare = Account(tmp_path / "home")
    said = bare.run("env", "list")
    assert "env create" in said.stdout
    with_python(bare.home / "miniconda3/envs/course")
    conda(bare.home / "miniconda3/again")  # another one, in no usual place
    before = picture(bare.home)
    assert bare.run("env", "list").returncode == 0
    assert picture(bare.home) == before
    memory = Memory(World(bare.home, bare.env))
    memory.summary(bare.home / "miniconda3/envs/course")
    memory.keep()
    assert picture(bare.home) == before


@pytest.mark.parametrize("width", [60, 80, 100])
def test_the_page_fits(basket: Basket, width: int) -> None:
    """Columns that are wanted less go first, and nothing is folded."""
    with_python(basket.home / ".conda/envs/the-course-of-2026")
    base = conda(basket.home / "miniconda3")
    receipt = Journal(basket.world).receipt
    seen = inventory.glances(receipt, basket.world, inventory.places(receipt, basket.world))
    shown = paper.text(environment_pages.listed(seen, basket.world.now(), basket.home), width)
    lines = shown.splitlines()
    assert max(map(len, lines)) <= width
    row = next(text for text in lines if "the-course-of-2026" in text)
    assert "3.12.4" in row
    assert ("files" in shown) == (width > 60), shown
    assert base.name in shown
