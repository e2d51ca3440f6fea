"""What is known of one environment: asked for, installed, changed, and unlike its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from setup_wizard.environments import inventory, particulars
from setup_wizard.journal import Journal
from setup_wizard.mirror.tiny import stub
from setup_wizard.trees import picture
from setup_wizard.ui import environment_page, paper
from setup_wizard.world import World
from tests.channels import channel, fruits
from tests.conda_stand_ins import conda, with_python
from tests.program import Account

YAML = (
    "name: basket\nchannels:\n  - {url}\ndependencies:\n  - pear\n  - quince=1.1\nvariables:\n  COLOUR: red\n"
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A channel of fruits and jam."""
    return channel(tmp_path_factory.mktemp("channels") / "garden", [*fruits(), stub("jam", "1.0")])


class Basket(Account):
    """An account with an environment «basket» of ours."""

    def __init__(self, home: Path, url: str) -> None:
        super().__init__(home)
        self.file = home / "basket.yml"
        self.file.write_text(YAML.format(url=url))
        self.prefix = home / ".conda/envs/basket"
        self.must("env", "create", str(self.file), "--yes")

    def must(self, *words: str) -> None:
        """Run a command to its good end."""
        ended = self.run(*words)
        assert ended.returncode == 0, ended.stderr

    def show(self) -> Any:
        """What `env show` says, as an object."""
        said = self.facts("env", "show", "basket")
        assert said["ok"]
        return said


@pytest.fixture
def basket(tmp_path: Path, url: str) -> Basket:
    """An account with its environment."""
    return Basket(tmp_path / "home", url)


def test_what_was_asked_for_and_what_came_of_it(basket: Basket, url: str) -> None:
    """With every change since, as conda numbers them; looking changes nothing."""
    basket.must("env", "install", "basket", "quince=1.2", "jam", "--yes")
    basket.must("env", "remove-package", "basket", "pear", "--yes")
    before = picture(basket.home)
    seen = basket.show()
    assert (seen["name"], seen["ours"], seen["problem"]) == ("basket", True, "")
    assert seen["asked"] == ["quince=1.2", "jam"]
    assert [(p["name"], p["version"]) for p in seen["packages"]] == [("jam", "1.0"), ("quince", "1.2")]
    assert seen["file"] == str(basket.file)
    assert (seen["channels"], seen["variables"], seen["differs"]) == ([url], {"COLOUR": "red"}, [])
    first, second, third = seen["revisions"]
    assert (first["number"], first["added"]) == (0, ["apple 1.5", "pear 1.0", "quince 1.1"])
    assert (second["added"], second["removed"]) == (["jam 1.0", "quince 1.2"], ["quince 1.1"])
    assert third["removed"] == ["apple 1.5", "pear 1.0"]
    text = basket.run("env", "show", "basket").stdout
    assert "added jam 1.0; changed quince 1.2" in text
    assert "removed apple 1.5, pear 1.0" in text
    settled = picture(basket.home)
    settled.pop(".cache/hpc-jupyter-setup/environments.json", None)
    before.pop(".cache/hpc-jupyter-setup/environments.json", None)
    assert settled == before


def test_in_what_it_is_unlike_its_file(basket: Basket) -> None:
    """What the file says now; what is gone; and what to do, which makes them one again."""
    text = basket.file.read_text()
    basket.file.write_text(text.replace("- pear", "- jam").replace("red", "blue"))
    next((basket.prefix / "conda-meta").glob("apple-*.json")).unlink()
    assert basket.show()["differs"] == [
        "its file asks for jam as well",
        "its file no longer asks for pear",
        "its file has another value for the variable COLOUR",
    ]
    assert basket.show()["problem"] == "apple is gone"
    said = basket.run("env", "show", "basket").stdout
    assert f"hpc-jupyter-setup env create {basket.file}" in said
    basket.must("env", "create", str(basket.file), "--yes")
    assert basket.show()["differs"] == []

    next((basket.prefix / "conda-meta").glob("jam-*.json")).unlink()
    assert basket.show()["differs"] == ["jam is asked for, and is not there"]
    basket.file.write_text("dependencies: [")
    assert "the file cannot be read" in basket.show()["differs"][-1]


def test_one_that_another_program_has_made(basket: Basket) -> None:
    """From conda's history and records, with what pip has put there; no secret; a bad record harms nobody."""
    prefix = with_python(conda(basket.home / "miniconda3") / "envs/course")
    (prefix / "conda-meta/history").write_text(
        "==> 2026-01-02 03:04:05 <==\n# cmd: conda create -n course python=3.12\n"
        "+conda-forge/linux-64::python-3.12.4-h1_0\n+conda-forge/noarch::pip-24.0-py_0\n"
        "# update specs: ['python=3.12']\n"
    )
    (prefix / "conda-meta/state").write_text('{"env_vars": {"API_TOKEN": "hidden-one", "N": "1"}}')
    info = prefix / "lib/python3.12/site-packages/cowsay-6.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cowsay\nVersion: 6.1\n")
    (info / "INSTALLER").write_text("pip\n")
    said = basket.run("env", "show", "course", "--json").stdout
    seen = json.loads(said)
    assert (seen["ours"], seen["file"], seen["asked"]) == (False, None, ["python=3.12"])
    assert [p["name"] for p in seen["packages"]] == ["pip", "python", "cowsay"]
    assert seen["packages"][-1]["channel"] == "pip"
    assert seen["revisions"][0]["command"] == "conda create -n course python=3.12"
    assert (seen["variables"], seen["secret"]) == ({"N": "1"}, ["API_TOKEN"])
    text = basket.run("env", "show", str(prefix)).stdout
    assert "hidden-one" not in said + text
    assert "another program" in text

    (prefix / "conda-meta/python-3.12.4-h1_0.json").write_text("{")
    assert [p["name"] for p in basket.facts("env", "show", "course")["packages"]][:2] == ["pip", "python"]
    assert basket.run("env", "show", "curse").returncode == 2


@pytest.mark.parametrize("width", [60, 100])
def test_the_page_fits(basket: Basket, width: int) -> None:
    """Nothing stands beyond the edge, and all packages are shown where they were asked for."""
    world = World(basket.home, basket.env)
    receipt = Journal(world).receipt
    seen = particulars.find(inventory.pick("basket", receipt, world), receipt, world)
    for everything in (False, True):
        text = paper.text(environment_page.particulars(seen, everything, world.now(), world.home), width)
        assert max(map(len, text.splitlines())) <= width
        assert ("apple" in text.partition("Changes")[0], "and 1 package" in text) == (
            everything,
            not everything,
        )
