"""Our environments and a real conda: it reads them, changes them, and we go on from there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from setup_wizard import files
from setup_wizard.conda import contents, history, registry
from setup_wizard.conda.contents import Record
from setup_wizard.world import World
from tests.channels import channel
from tests.real_conda import kept_conda
from tests.test_env_change import Basket, garden

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A channel of fruits, jam and sugar."""
    return channel(tmp_path_factory.mktemp("channels") / "garden", garden())


@pytest.fixture(scope="module")
def program() -> Path:
    """A real conda."""
    return kept_conda() / "bin/conda"


class Conda:
    """A real conda, used on the environment of an account."""

    def __init__(self, program: Path, basket: Basket, url: str) -> None:
        self.program, self.basket, self.url = program, basket, url

    def __call__(self, *words: str, **env: str) -> str:
        """Run it on the environment to its good end; what it said."""
        done = subprocess.run(
            [self.program, *words, "-p", self.basket.prefix],
            env={**self.basket.env, **env},
            text=True,
            capture_output=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def change(self, *words: str) -> str:
        """Let it change the environment."""
        return self(*words, "--override-channels", "-c", self.url, "--yes", "--quiet")

    def listed(self) -> list[str]:
        """The packages as it sees them: "pear-1.0"."""
        return [f"{p['name']}-{p['version']}" for p in json.loads(self("list", "--json"))]


@pytest.fixture
def basket(tmp_path: Path, url: str) -> Basket:
    """An account with its environment, made by us."""
    return Basket(tmp_path / "home", url)


@pytest.fixture
def conda(program: Path, basket: Basket, url: str) -> Conda:
    """A real conda and that environment."""
    return Conda(program, basket, url)


def last_entry(prefix: Path) -> str:
    """The newest entry of conda-meta/history."""
    return (prefix / "conda-meta/history").read_text().rpartition("==> ")[2]


def test_conda_reads_what_we_made(conda: Conda, basket: Basket) -> None:
    """`list`, `doctor`, `env list`, `env export --from-history`: as if conda had made it itself."""
    assert conda.listed() == basket.packages
    assert "file:///" in conda("list", "--explicit")
    health = conda("doctor")
    assert "no packages with missing files" in health
    assert "environments.txt file: ✅" in health
    assert "dependencies:\n  - pear\n  - quince=1.1\n" in conda("env", "export", "--from-history")
    known = subprocess.run([conda.program, "env", "list"], env=basket.env, text=True, capture_output=True)
    assert str(basket.prefix) in known.stdout


def test_conda_and_we_change_it_in_turns(conda: Conda, basket: Basket) -> None:
    """Neither writes into the history what the other did already, neither loses what the other has added."""
    conda.change("install", "jam=1.0")
    assert "# update specs: ['jam=1.0']" in last_entry(basket.prefix)
    assert [line for line in last_entry(basket.prefix).splitlines() if line[0] in "+-"] == [
        f"+{conda.url}/linux-64::jam-1.0-0",
        f"+{conda.url}/linux-64::sugar-2.0-0",
    ], "of ours it says nothing: it calls them as we do"

    assert basket.change("install", "basket", "left")["difference"]["added"] == ["left 1.0"]
    entry = last_entry(basket.prefix)
    assert [line for line in entry.splitlines() if line[0] in "+-"] == [f"+{conda.url}/noarch::left-1.0-0"]
    assert basket.change("update", "basket")["difference"]["removed"] == []
    assert conda.listed() == basket.packages
    assert {"jam-1.0", "sugar-2.0", "left-1.0"} <= set(basket.packages)

    conda.change("remove", "jam")
    assert [line for line in last_entry(basket.prefix).splitlines() if line[0] in "+-"] == [
        f"-{conda.url}/linux-64::jam-1.0-0",
        f"-{conda.url}/linux-64::sugar-2.0-0",
    ]
    assert basket.change("update", "basket")["changed"] == []
    assert conda("list", "--revisions").count("(rev ") == 4


def test_variables_that_conda_has_set_stay(conda: Conda, basket: Basket) -> None:
    """Through our changes; those of the file come and go with it."""
    basket.file.write_text(basket.file.read_text() + "variables: {JAM: '2', CREAM: '1'}\n")
    basket.change("create", str(basket.file))
    conda("env", "config", "vars", "set", "MINE=1", "CREAM=9")
    basket.change("install", "basket", "left")
    assert contents.variables(basket.prefix) == {"MINE": "1", "JAM": "2", "CREAM": "1"}
    basket.file.write_text(basket.file.read_text().replace("JAM: '2', ", ""))
    basket.change("create", str(basket.file))
    assert contents.variables(basket.prefix) == {"MINE": "1", "CREAM": "1"}


def test_what_conda_removes_of_ours_comes_back(conda: Conda, basket: Basket) -> None:
    """The file still asks for it; conda's own «conda remove» does not edit that."""
    conda.change("remove", "quince")
    assert basket.facts("env", "create", str(basket.file), "--yes")["changed"]
    assert "quince-1.1" in basket.packages


def test_the_pinned_file_counts_for_both(conda: Conda, basket: Basket) -> None:
    """What conda-meta/pinned holds back is held back by conda and by us."""
    (basket.prefix / "conda-meta/pinned").write_text("sugar <2\n")
    conda.change("install", "jam")
    assert "sugar-1.0" in basket.packages
    basket.change("update", "basket")
    assert "sugar-1.0" in basket.packages


def test_undo_after_conda_worked_in_it(conda: Conda, basket: Basket) -> None:
    """Conda's own notes are nobody's work: when nothing else is left, the folder goes."""
    conda.change("install", "jam")
    conda.change("remove", "jam")
    assert basket.run("undo", "--yes").returncode == 0
    assert not basket.prefix.exists()


def test_undo_keeps_what_conda_has_added(conda: Conda, basket: Basket) -> None:
    """A package that the user has added is the user's, and is named."""
    conda.change("install", "jam")
    said = basket.run("undo", "--yes").stdout
    assert "kept, it is yours" in said
    assert (basket.prefix / "share/jam").exists()
    assert not (basket.prefix / "share/pear").exists()


def test_environments_txt_is_shared(conda: Conda, basket: Basket, tmp_path: Path, url: str) -> None:
    """Conda's line for its own environment stays when ours goes."""
    other = tmp_path / "other"
    subprocess.run(
        [conda.program, "create", "-yqp", other, "--override-channels", "-c", url, "apple"],
        env=basket.env,
        check=True,
        capture_output=True,
    )
    world = World(basket.home, basket.env)
    assert set(registry.listed(world)) == {basket.prefix, other}
    assert basket.run("undo", "--yes").returncode == 0
    assert registry.listed(world) == [other]


# --- without conda ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://conda.anaconda.org/conda-forge/", "conda-forge/noarch::pip-24.0-py_0"),
        ("https://conda.anaconda.org/conda-forge/noarch", "conda-forge/noarch::pip-24.0-py_0"),
        ("conda-forge", "conda-forge/noarch::pip-24.0-py_0"),
        ("https://repo.anaconda.com/pkgs/main/noarch", "defaults/noarch::pip-24.0-py_0"),
        ("https://me:secret@mirror.edu/conda-forge", "https://mirror.edu/conda-forge/noarch::pip-24.0-py_0"),
        ("file:///data/chan/", "file:///data/chan/noarch::pip-24.0-py_0"),
    ],
)
def test_packages_are_called_in_the_history_as_conda_calls_them(address: str, name: str) -> None:
    """Whoever wrote the record: rattler writes the channel, conda the folder in it."""
    assert Record("pip", "24.0", "py_0", "noarch", address).dist == name


@pytest.mark.parametrize(
    "line", ["[pear", "[1, None, pear]", "[pear]", "[" * 9000 + "]" * 9000, "['pe\\0ar', 3]", "[{}['x']]"]
)
def test_a_history_that_somebody_has_edited(tmp_path: Path, line: str) -> None:
    """A line that conda has not written stops nobody; the others count."""
    (tmp_path / "conda-meta").mkdir()
    text = (
        f"==> 2026-01-01 <==\n# update specs: ['plum=1']\n# update specs: {line}\n# install specs: ['fig']\n"
    )
    (tmp_path / "conda-meta/history").write_text(text)
    assert {"plum=1", "fig"} <= set(history.wanted(tmp_path))


def test_the_same_package_by_another_name_is_no_change(tmp_path: Path) -> None:
    """What an earlier version of ours wrote stays as it is, and nothing is added."""
    text = "==> 2026-01-01 00:00:00 <==\n+garden/noarch::pip-24.0-py_0\n# update specs: ['pip', 'wheel']\n"
    files.write_text(tmp_path / "conda-meta/history", text)
    facts = {
        "name": "pip",
        "version": "24.0",
        "build": "py_0",
        "subdir": "noarch",
        "channel": "file:///x/garden",
    }
    files.write_text(tmp_path / "conda-meta/pip-24.0-py_0.json", json.dumps(facts))
    history.update(tmp_path, ["wheel", "pip"], now=0)
    assert (tmp_path / "conda-meta/history").read_text() == text


@pytest.mark.parametrize(
    ("mark", "words"), [("", "conda-meta/frozen says so"), ('{"message": "Ask Ada."}', "Ask Ada")]
)
def test_a_frozen_environment_is_not_changed(basket: Basket, mark: str, words: str) -> None:
    """Conda's mark is respected by all that would change it, in its maker's words; nothing is done."""
    (basket.prefix / "conda-meta/frozen").write_text(mark)
    text = basket.file.read_text()
    before = basket.packages
    changes: Any = (("install", "basket", "jam"), ("update", "basket"), ("remove-package", "basket", "pear"))
    for change in changes:
        refused = basket.run("env", *change, "--yes")
        assert (refused.returncode, words in refused.stderr) == (3, True), refused.stderr
    assert basket.run("env", "create", str(basket.file), "--yes").returncode == 0, "it is as it should be"
    basket.file.write_text(text.replace("quince=1.1", "quince=1.2"))
    refused = basket.run("env", "create", str(basket.file), "--yes")
    assert (refused.returncode, words in refused.stderr) == (3, True), refused.stderr
    assert basket.packages == before
    (basket.prefix / "conda-meta/frozen").unlink()
    assert basket.run("env", "create", str(basket.file), "--yes").returncode == 0


def test_what_pip_may_not_change_is_told_before_conda_packages_change(basket: Basket) -> None:
    """PEP 668: its own words, and nothing half done; packages of conda may still come."""
    mark = basket.prefix / "lib/python3.12/EXTERNALLY-MANAGED"
    files.write_text(mark, "[externally-managed]\nError=Use the\n modules of the centre.\n")
    basket.change("install", "basket", "jam")
    basket.file.write_text(basket.file.read_text() + "  - pip:\n    - cowsay\n")
    refused = basket.run("env", "create", str(basket.file), "--yes")
    assert (refused.returncode, "with pip: Use the modules of the centre" in refused.stderr) == (3, True)
    assert "pip" not in {contents.name_of(stem) for stem in contents.stems(basket.prefix)}
