"""What pip and the user have put into an environment, when its packages change: kept, or told before."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from setup_wizard import trees
from setup_wizard.conda import aside, contents, environment
from setup_wizard.conda.ground import Ground
from setup_wizard.mirror.packages import Package
from setup_wizard.mirror.python import python_package
from setup_wizard.mirror.tiny import stub
from setup_wizard.world import World
from tests.channels import channel, pip_package
from tests.program import Account

FAILS = b"#!/bin/sh\necho no licence server >&2\nexit 3\n"


def dist(name: str, version: str, module: str, **more: bytes) -> dict[str, bytes]:
    """The files of a package of two modules, each of which knows the version, and of its dist-info."""
    info = f"{name}-{version}.dist-info"
    files = {f"{name}/{m}.py": f"version = '{version}'\n".encode() for m in ("__init__", module)}
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files |= {f"{info}/{path}": data for path, data in more.items()}
    return {
        **files,
        f"{info}/RECORD": b"".join(f"{path},,\n".encode() for path in (*files, f"{info}/RECORD")),
    }


def by_conda(name: str, version: str, module: str) -> Package:
    """It as conda-forge builds it: its RECORD is there, and INSTALLER says conda."""
    files = dist(name, version, module, INSTALLER=b"conda\n")
    inside = {f"site-packages/{path}": data for path, data in files.items()}
    return stub(name, version, depends=["python"], files=inside, noarch="python")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """cow 1.0 and 2.0, and goat: what pip may install."""
    folder = tmp_path_factory.mktemp("wheels")
    for name, version, module in (("cow", "1.0", "old"), ("cow", "2.0", "new"), ("goat", "3.0", "horn")):
        with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as z:
            for path, data in dist(name, version, module).items():
                z.writestr(path, data)
    return folder


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A channel with Python, pip, cow 1.0 and 1.1, goat 3.0, and stubs, one of whose scripts fails."""
    cows = [by_conda("cow", "1.0", "old"), by_conda("cow", "1.1", "old"), by_conda("goat", "3.0", "horn")]
    milk = stub("milk", files={"share/milk": b"white", "share/jug": b"of clay"}, noarch="generic")
    tool = stub("tool", files={"bin/tool": b"#!/bin/sh\necho tool\n", "share/kit/a": b"1"}, noarch="generic")
    fails = stub("fails", files={"bin/.fails-post-link.sh": FAILS}, noarch="generic")
    folder = tmp_path_factory.mktemp("channels") / "herd"
    return channel(folder, [python_package(), pip_package(folder.parent), *cows, milk, tool, fails])


class Herd(Account):
    """An account with an environment «herd» of Python, pip and cow 1.0, made from the user's own file."""

    def __init__(self, home: Path, url: str, wheels: Path) -> None:
        super().__init__(home)
        self.wheels, self.prefix, self.file = wheels, home / ".conda/envs/herd", home / "herd.yml"
        self.file.write_text(f"name: herd\nchannels: [{url}]\ndependencies: [python, pip, cow=1.0]\n")
        self.good("create", str(self.file), "--no-byte-code")

    @property
    def site(self) -> Path:
        """Where its Python finds packages."""
        return next(self.prefix.glob("lib/python3.*/site-packages"))

    @property
    def cow(self) -> list[str]:
        """What there is of cow, and which version Python finds."""
        names = sorted(p.name for p in [*self.site.glob("cow*"), *self.site.glob("cow/*.py")])
        found = subprocess.check_output([self.prefix / "bin/python", "-c", "import cow; print(cow.version)"])
        return [*names, found.decode().strip()]

    def good(self, *words: str) -> Any:
        """Run a command of `env` to its good end, and give what it said in JSON."""
        said = self.run("env", *words, "--yes", "--json")
        assert said.returncode == 0, said.stdout + said.stderr
        return json.loads(said.stdout)

    def pip(self, *words: str) -> None:
        """Run the environment's own pip, which is to find its packages among the wheels."""
        pip = [
            self.prefix / "bin/python",
            "-m",
            "pip",
            "--disable-pip-version-check",
            "--no-cache-dir",
            *words,
        ]
        if words[0] == "install":
            pip += ["--no-index", "--find-links", self.wheels]
        subprocess.run(pip, check=True, capture_output=True, env=self.env)


@pytest.fixture
def herd(tmp_path: Path, url: str, wheels: Path) -> Herd:
    """An account with its environment."""
    return Herd(tmp_path / "home", url, wheels)


PIPS_COW = ["__init__.py", "cow", "cow-2.0.dist-info", "new.py", "2.0"]


def test_a_warning_is_shown_and_stays(herd: Herd) -> None:
    """On the screen below the work, and in JSON: what went wrong and did not stop it."""
    said = herd.run("env", "install", "herd", "fails", "--yes")
    assert "! The installation script of fails failed" in said.stdout
    herd.good("remove-package", "herd", "fails")
    (warning,) = herd.good("install", "herd", "fails")["warnings"]
    assert warning.startswith("The installation script of fails failed")


# --- what pip has put over conda's ----------------------------------------------------------------------


@pytest.mark.parametrize("words", [("-U", "cow"), ("--force-reinstall", "cow==1.0")])
def test_what_pip_has_put_there_stays_through_a_change(herd: Herd, words: tuple[str, ...]) -> None:
    """Upgraded or installed once more: other changes leave it, a check only tells, it can be packed."""
    herd.pip("install", *words)
    before = herd.cow
    said = herd.good("install", "herd", "milk")
    assert said["difference"]["added"] == ["milk 1.0"]
    assert said["difference"]["again"] == []
    assert herd.cow == before
    (seen,) = herd.facts("env", "check", "herd")["environments"]
    assert [(r["kind"], r["level"]) for r in seen["remarks"]] == [("pip", "warn")]
    assert herd.run("env", "pack", "herd", "-o", str(herd.home / "herd.tar.gz")).returncode == 0


def test_what_is_installed_again_is_in_the_plan(herd: Herd) -> None:
    """A damaged package comes once more with the next change: told before, on the screen and in JSON."""
    herd.good("install", "herd", "milk")
    (herd.prefix / "share/jug").unlink()
    shown = herd.run("env", "install", "herd", "goat", "--dry-run")
    assert "add goat 3.0" in shown.stdout
    assert "install milk again" in shown.stdout
    plan = herd.facts("env", "install", "herd", "goat", "--dry-run")["plan"]
    assert plan[0]["difference"]["again"] == ["milk"]
    assert herd.good("install", "herd", "goat")["difference"]["again"] == ["milk"]
    assert (herd.prefix / "share/jug").read_bytes() == b"of clay"


def test_a_changed_file_tells_what_comes_of_it(herd: Herd) -> None:
    """`env create` of a file that has changed shows the packages, and what is installed again."""
    herd.good("install", "herd", "milk")
    (herd.prefix / "share/jug").unlink()
    herd.file.write_text(herd.file.read_text().replace("milk", "milk, goat"))
    shown = herd.run("env", "create", str(herd.file), "--dry-run")
    assert "goat add goat 3.0 install milk again" in " ".join(shown.stdout.split())
    herd.good("create", str(herd.file))
    assert (herd.prefix / "share/jug").exists()


def test_what_was_found_in_no_plan_is_left(herd: Herd) -> None:
    """Edited in the cache, a package that stays as it is here is not installed anew unasked."""
    herd.pip("install", "-U", "cow")
    cached = next((herd.home / ".cache/hpc-jupyter-setup/pkgs").glob("cow-1.0-*/site-packages/cow/old.py"))
    cached.write_text("edited")
    before = herd.cow
    herd.good("install", "herd", "milk")
    assert herd.cow == before
    assert "milk-1.0-0" in contents.stems(herd.prefix)


CONDAS_COW = ["__init__.py", "cow", "cow-1.1.dist-info", "old.py", "1.1"]


def test_a_change_of_such_a_package_says_that_pips_goes(herd: Herd) -> None:
    """The plan names it; afterwards there is conda's alone, and nothing of pip's beside it."""
    herd.pip("install", "-U", "cow")
    assert herd.cow == PIPS_COW
    shown = herd.run("env", "install", "herd", "cow=1.1", "--dry-run")
    assert "change cow 1.0 → 1.1" in shown.stdout
    assert "remove cow 2.0 of pip" in shown.stdout
    assert herd.cow == PIPS_COW
    said = herd.good("install", "herd", "cow=1.1")
    assert said["difference"]["of_pip"] == ["cow 2.0"]
    assert said["warnings"] == ["cow 2.0, which pip had installed, has made way for cow of conda."]
    assert herd.cow == CONDAS_COW
    assert herd.facts("env", "check", "herd")["environments"][0]["remarks"] == []


def test_a_package_that_comes_takes_the_place_of_pips(herd: Herd) -> None:
    """goat of pip goes when goat of conda comes; removed again, nothing of either is left."""
    herd.pip("install", "goat")
    said = herd.good("install", "herd", "goat")
    assert said["difference"]["of_pip"] == ["goat 3.0"]
    assert (herd.site / "goat/horn.py").read_text() == "version = '3.0'\n"
    assert "goat" not in herd.facts("env", "check", "herd")["environments"][0]["remarks"]
    herd.good("remove-package", "herd", "goat")
    assert list(herd.site.glob("goat*")) == []


def test_the_pip_section_comes_again(herd: Herd) -> None:
    """What the file asks pip for is put there anew, when conda's package below it has changed."""
    herd.file.write_text(
        herd.file.read_text().replace(
            "cow=1.0", f"cow=1.0, pip: [--no-index, --find-links {herd.wheels}, cow>=2]"
        )
    )
    herd.good("create", str(herd.file))
    assert herd.cow == PIPS_COW
    herd.good("install", "herd", "milk")
    assert herd.cow == PIPS_COW
    herd.good("install", "herd", "cow=1.1")
    assert herd.cow == PIPS_COW
    assert "cow-1.1-0" in contents.stems(herd.prefix)
    assert herd.run("undo", "--yes").returncode == 0
    assert not herd.prefix.exists()


# --- files of the user's where packages bring theirs ----------------------------------------------------


def put(path: Path, text: str) -> Path:
    """A file of the user's own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_file_of_the_users_makes_way_and_is_kept(herd: Herd) -> None:
    """It stays beside its place, that is told, a second change leaves it, and so does undo."""
    mine = put(herd.prefix / "bin/tool", "mine")
    put(herd.prefix / "share/kit", "no folder")
    said = herd.run("env", "install", "herd", "tool", "--yes")
    assert "! bin/tool was yours, and tool brings its own: yours is now bin/tool.yours." in said.stdout
    assert "yours is now share/kit.yours" in said.stdout
    assert subprocess.check_output([mine], text=True) == "tool\n"
    assert (herd.prefix / "bin/tool.yours").read_text() == "mine"
    put(herd.prefix / "bin/tool.yours-2", "of before")
    herd.good("remove-package", "herd", "tool")
    assert not mine.exists()
    put(mine, "mine again")
    planned = herd.facts("env", "install", "herd", "tool", "--dry-run")["plan"][0]["difference"]
    assert planned["aside"] == ["bin/tool"], "the package is in the cache, so that its files are known"
    assert "set aside your bin/tool" in herd.run("env", "install", "herd", "tool", "--dry-run").stdout
    assert len(herd.good("install", "herd", "tool")["warnings"]) == 1
    kept = {p.name: p.read_text() for p in (herd.prefix / "bin").glob("tool.*")}
    assert kept == {"tool.yours": "mine", "tool.yours-2": "of before", "tool.yours-3": "mine again"}
    undone = herd.run("undo", "--yes").stdout
    assert undone.count("kept, it is yours") == 4
    assert {p.name for p in herd.prefix.rglob("*") if p.is_file()} == {*kept, "kit.yours"}


def test_what_came_of_pips_section_is_nobodys_loss(herd: Herd) -> None:
    """With pip in the file all that is new counts as ours; a file that made way does not."""
    put(herd.prefix / "bin/tool", "mine")
    more = f"cow=1.0, tool, pip: [--no-index, --find-links {herd.wheels}, goat]"
    herd.file.write_text(herd.file.read_text().replace("cow=1.0", more))
    assert len(herd.good("create", str(herd.file))["warnings"]) == 1
    assert herd.run("undo", "--yes").returncode == 0
    assert [p.name for p in herd.prefix.rglob("*") if p.is_file()] == ["tool.yours"]


@pytest.mark.parametrize("then", ["again", "undo"])
def test_a_kill_when_something_has_just_made_way(world: World, then: str) -> None:
    """What a killed run has linked is not taken for the user's; what made way stays theirs."""
    prefix, package = world.home / "env", world.home / "pkgs/tool"
    put(prefix / "share/ours", "ours")
    trees.seal_tree(world, prefix)
    put(prefix / "bin/tool", "mine")
    put(prefix / "share/more/mine", "mine too")
    trees.open_tree(world, prefix)
    listed = [{"_path": path} for path in ("bin/tool", "share/more")]
    put(package / "info/paths.json", json.dumps({"paths": listed}))
    (prefix / "conda-meta").mkdir()

    def comes() -> None:
        theirs = trees.listed(trees.opened(world, prefix))
        Ground(prefix, {"tool": package}, "", theirs).comes("tool")

    comes()
    put(prefix / "bin/tool", "the package's")
    put(prefix / "share/more", "the package's")
    with (prefix / aside.NOTE).open("a") as note:
        note.write('{"path": "to')
    if then == "again":
        assert len(aside.settle(world, prefix)) == 2
        comes()
        assert aside.settle(world, prefix) == []
        trees.seal_tree(world, prefix)
    else:
        environment.clear(world, prefix)
    kept = trees.take_back(world, trees.NoTree(prefix))
    assert {str(p.relative_to(prefix)): p.read_text() for p in kept} == {
        "bin/tool.yours": "mine",
        "share/more.yours/mine": "mine too",
    }
