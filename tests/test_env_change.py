"""Packages installed, updated and removed: the plan, the YAML file, what others have added, undo."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from setup_wizard import session
from setup_wizard.conda import contents
from setup_wizard.mirror.packages import Package
from setup_wizard.mirror.tiny import stub
from setup_wizard.trees import picture
from setup_wizard.world import World
from tests.channels import channel, fruits
from tests.program import Account

YAML = """\
# my fruits
name: basket
channels:
  - {url}   # near
dependencies:
  # the important one
  - pear          # needs an old apple
  - quince=1.1
# the end
"""


def garden() -> list[Package]:
    """The fruits; a jam of two versions that needs sugar, of two versions as well; two with one file."""
    jams = [stub("jam", v, depends=["sugar"], files={"share/jam": v.encode()}) for v in ("1.0", "2.0")]
    sugars = [stub("sugar", v, files={"share/sugar": v.encode()}) for v in ("1.0", "2.0")]
    cherry = stub("cherry", files={"share/cherry": b"red"}, depends=["apple <2"])
    twins = [stub(n, files={"share/both": n.encode()}, noarch="generic") for n in ("left", "right")]
    return [*twins, *fruits(), *jams, *sugars, cherry]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A channel of fruits, jam and sugar."""
    return channel(tmp_path_factory.mktemp("channels") / "garden", garden())


class Basket(Account):
    """An account with an environment «basket», made from a file of the user's own."""

    def __init__(self, home: Path, url: str) -> None:
        super().__init__(home)
        self.file = home / "basket.yml"
        self.file.write_text(YAML.format(url=url))
        self.prefix = home / ".conda/envs/basket"
        made = self.run("env", "create", str(self.file), "--yes")
        assert made.returncode == 0, made.stderr

    @property
    def packages(self) -> list[str]:
        """What is installed: "pear-1.0"."""
        return [stem.rpartition("-")[0] for stem in contents.stems(self.prefix)]

    def change(self, *words: str) -> Any:
        """Run a command of `env` to its good end, and give what it said in JSON."""
        said = self.run("env", *words, "--yes", "--json")
        assert said.returncode == 0, said.stdout + said.stderr
        return json.loads(said.stdout)


@pytest.fixture
def basket(tmp_path: Path, url: str) -> Basket:
    """An account with its environment."""
    return Basket(tmp_path / "home", url)


def add_as_conda_does(basket: Basket, url: str, name: str) -> None:
    """Put a package into the environment as somebody else's program would: files, record, history."""
    other = basket.home.parent / "other"
    yml = basket.home.parent / "other.yml"
    yml.write_text(f"channels: [{url}]\ndependencies: [{name}]\n")
    elsewhere = Account(other)
    assert elsewhere.run("env", "create", str(yml), "-p", str(other / "env"), "--yes").returncode == 0
    record = next((other / "env/conda-meta").glob(f"{name}-*.json"))
    (basket.prefix / "conda-meta" / record.name).write_bytes(record.read_bytes())
    (basket.prefix / "share" / name).write_bytes((other / "env/share" / name).read_bytes())
    with (basket.prefix / "conda-meta/history").open("a") as history:
        history.write(f"==> 2026-01-01 00:00:00 <==\n# cmd: conda install {name}\n")
        history.write(f"+garden/noarch::{record.stem}\n# update specs: ['{name}']\n")


def test_install_update_remove_and_undo(basket: Basket) -> None:
    """Each is one transaction; the user's file keeps comments and order; undo gives the home as it was."""
    text = basket.file.read_text()
    assert basket.packages == ["apple-1.5", "pear-1.0", "quince-1.1"]

    said = basket.change("install", "basket", "jam=1.0", "quince=1.2")
    assert said["difference"]["added"] == ["jam 1.0", "sugar 2.0"]
    assert said["difference"]["changed"] == [{"name": "quince", "before": "1.1", "after": "1.2"}]
    new = text.replace("quince=1.1", "quince=1.2").replace("# the end", "  - jam=1.0\n# the end")
    assert basket.file.read_text() == new

    assert basket.change("remove-package", "basket", "pear")["difference"]["removed"] == [
        "apple 1.5",
        "pear 1.0",
    ]
    assert basket.packages == ["jam-1.0", "quince-1.2", "sugar-2.0"]
    gone = new.replace("  - pear          # needs an old apple\n", "")
    assert basket.file.read_text() == gone
    assert basket.change("remove-package", "basket", "jam")["difference"]["removed"]
    history = (basket.prefix / "conda-meta/history").read_text()
    assert history.count("==> ") == 4
    assert "# remove specs: ['jam']" in history

    assert basket.run("undo", "--yes").returncode == 0
    assert basket.file.read_text() == text
    assert not basket.prefix.exists()


def test_the_plan_is_shown_and_nothing_is_done(basket: Basket) -> None:
    """--dry-run tells what comes, goes and changes, with bytes, and leaves the home to the byte."""
    basket.run("env", "install", "basket", "jam", "--dry-run")
    before = picture(basket.home)
    shown = basket.run("env", "install", "basket", "jam", "--dry-run")
    assert shown.returncode == 0
    assert "add jam 2.0" in shown.stdout
    assert "add sugar 2.0" in shown.stdout
    assert "+  - jam" in shown.stdout
    assert "to download" in shown.stdout
    assert picture(basket.home) == before
    plan = basket.facts("env", "install", "basket", "jam", "--dry-run")["plan"]
    assert plan[0]["difference"]["added"] == ["jam 2.0", "sugar 2.0"]


def test_update_moves_what_is_named_within_what_the_file_allows(basket: Basket) -> None:
    """A package named takes what it needs with it; without a name, all go as far as the file lets them."""
    basket.change("install", "basket", "jam=1.0", "sugar=1.0")
    basket.file.write_text(basket.file.read_text().replace("jam=1.0", "jam").replace("sugar=1.0", "sugar"))
    assert basket.run("env", "create", str(basket.file), "--yes").returncode == 0
    assert {"jam-1.0", "sugar-1.0"} <= set(basket.packages), "what is there stays, as long as it will do"
    said = basket.change("update", "basket", "jam")
    assert [c["name"] for c in said["difference"]["changed"]] == ["jam"]
    said = basket.change("update", "basket")
    assert said["difference"]["changed"] == [{"name": "sugar", "before": "1.0", "after": "2.0"}]
    assert "quince-1.1" in basket.packages, "the file asks for 1.1"
    assert basket.change("update", "basket", "--all")["changed"] == [], "nothing is newer"
    assert basket.run("doctor", "--json").stdout.count("is not so any more") == 0


def test_what_conda_added_stays_through_our_changes(basket: Basket, url: str) -> None:
    """Not once but every time; the change minds what it needs; conda's history still asks for it."""
    add_as_conda_does(basket, url, "sugar")
    basket.change("install", "basket", "jam")
    basket.change("remove-package", "basket", "jam")
    basket.change("remove-package", "basket", "quince")
    basket.change("update", "basket")
    assert basket.packages == ["apple-1.5", "pear-1.0", "sugar-2.0"]
    assert "remove specs: ['sugar'" not in (basket.prefix / "conda-meta/history").read_text()
    refused = basket.run("env", "remove-package", "basket", "sugar", "--yes")
    assert refused.returncode == 2
    assert f"conda remove -p {basket.prefix} sugar" in refused.stderr


def test_pins_count(basket: Basket) -> None:
    """What conda-meta/pinned holds back is held back by us too."""
    (basket.prefix / "conda-meta/pinned").write_text("# the course needs the old one\nsugar <2\n")
    basket.change("install", "basket", "jam")
    assert "sugar-1.0" in basket.packages


def test_an_environment_without_a_file_of_its_own(basket: Basket, url: str) -> None:
    """The user has deleted the file: a copy inside keeps what is asked for, and goes with the environment."""
    basket.file.unlink()
    said = basket.change("install", "basket", "jam")
    inside = basket.prefix / contents.FILE
    assert said["file"] == str(inside)
    assert "jam" in inside.read_text()
    basket.change("remove-package", "basket", "jam")
    assert "jam" not in inside.read_text()
    basket.file.write_text(f"name: basket\nchannels: [{url}]\ndependencies: [plum]\n")
    assert basket.run("env", "create", str(basket.file), "--yes").returncode == 0
    assert basket.change("install", "basket", "jam")["file"] == str(basket.file), "a file came after it"
    assert {"plum-1.0", "jam-2.0"} <= set(basket.packages)
    assert basket.run("undo", "--yes").returncode == 0
    assert not basket.prefix.exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("install", "basket", "jum"), 5, "Did you mean jam"),
        (("install", "basket", "plum"), 5, "cannot be had together"),
        (("install", "basket", "jam=7"), 5, "There is jam 2.0, 1.0"),
        (("install", "basket", "melon"), 5, "CONDA_OVERRIDE_CUDA"),
        (("install", "bsket", "jam"), 2, "no environment «bsket»"),
        (("install", "basket"), 2, "No package was named"),
        (("update", "basket", "jam"), 2, "env install basket jam"),
        (("update", "basket", "quince=1.2"), 2, "To ask for a version"),
        (("remove-package", "basket", "apple"), 2, "because others need it"),
        (("remove-package", "basket", "per"), 2, "Did you mean pear"),
        (("remove-package", "basket", "pear", "quince"), 2, "cannot be changed so"),
        (("install", "-p", "/somewhere/else", "jam"), 3, "was not made by this setup"),
    ],
)
def test_what_cannot_be_done_changes_nothing(
    basket: Basket, words: tuple[str, ...], code: int, said: str
) -> None:
    """A plain word, the way out, the exit code; environment and file stay as they are."""
    before = (basket.packages, basket.file.read_text())
    ended = basket.run("env", *words, "--yes")
    assert (ended.returncode, said in ended.stderr + ended.stdout) == (code, True), ended.stderr
    assert (basket.packages, basket.file.read_text()) == before


def test_a_file_that_may_not_be_written_stays(
    basket: Basket, tmp_path: Path, shut: Callable[[Path], None]
) -> None:
    """A class's file belongs to the teacher: the copy inside is changed in its place."""
    shared = tmp_path / "class"
    shared.mkdir()
    basket.file.rename(shared / "basket.yml")
    text = (shared / "basket.yml").read_text()
    basket.file = shared / "basket.yml"
    assert basket.run("env", "create", str(basket.file), "--yes").returncode == 0
    shut(shared)
    assert not os.access(shared, os.W_OK)
    basket.change("install", "basket", "jam")
    assert "jam-2.0" in basket.packages
    assert basket.file.read_text() == text
    assert "- jam" in (basket.prefix / contents.FILE).read_text()


def test_a_session_that_runs_from_it_is_named(basket: Basket) -> None:
    """Nothing changes under a running Jupyter unless that is said; what only looks is not hindered."""
    world = World(basket.home, basket.env)
    running = session.reserve(world, session.Job(basket.prefix, basket.home), session.this_process(world))
    refused = basket.run("env", "install", "basket", "jam", "--yes")
    assert refused.returncode == 6
    assert f"hpc-jupyter-setup stop {running.id}" in refused.stderr
    assert basket.run("env", "install", "basket", "jam", "--dry-run").returncode == 0
    assert "jam-2.0" not in basket.packages
    asked = basket.file.read_text()
    basket.file.write_text(asked + "  - left\n")
    refused = basket.run("env", "create", str(basket.file), "--yes")
    assert (refused.returncode, running.id in refused.stderr) == (6, True), "a changed file is a change, too"
    basket.file.write_text(asked)
    basket.change("install", "basket", "jam", "--while-running")
    assert "jam-2.0" in basket.packages
    session.remove(running)


def test_an_environment_is_known_by_every_path_that_leads_to_it(basket: Basket) -> None:
    """Through a link, as homes of clusters often are, or with dots in it: it is ours, and named as before."""
    link = basket.home / "link"
    link.symlink_to(basket.prefix.parent)
    basket.change("install", str(link / "basket"), "jam")
    assert "jam-2.0" in basket.packages
    world = World(basket.home, basket.env)
    job = session.Job(link / "basket", basket.home)
    running = session.reserve(world, job, session.this_process(world))
    dots = basket.prefix.parent / ".." / basket.prefix.parent.name / "basket"
    assert basket.run("env", "remove-package", str(dots), "jam", "--yes").returncode == 6, "of this session"
    session.remove(running)
    basket.change("remove-package", str(dots), "jam")
    ended = basket.run("env", "create", str(basket.file), "-p", str(link / "basket"), "--json")
    assert json.loads(ended.stdout)["changed"] == []


def test_two_packages_with_the_same_file(basket: Basket) -> None:
    """That is told; the file stays as long as one of them does, and is then the other's."""
    shared = basket.prefix / "share/both"
    (warning,) = basket.change("install", "basket", "left", "right")["warnings"]
    there = shared.read_text()
    assert there in ("left", "right")
    assert warning == f"left and right bring share/both, and not the same: there is that of {there}."
    assert basket.change("install", "basket", "jam")["warnings"] == [], "once is enough"
    basket.change("remove-package", "basket", "jam")
    basket.change("remove-package", "basket", "right")
    assert shared.read_text() == "left"
    basket.change("install", "basket", "right")
    basket.change("remove-package", "basket", "left")
    assert shared.read_text() == "right"
    basket.change("remove-package", "basket", "right")
    assert not shared.exists()
