"""What pip and the user have put into an environment, when its packages change: kept, or told before."""

from __future__ import annotations

import ensurepip
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from setup_wizard.conda import contents
from setup_wizard.mirror.packages import Package
from setup_wizard.mirror.python import python_package
from setup_wizard.mirror.tiny import stub
from setup_wizard.mirror.wheels import Wheel, package_of
from tests.channels import channel
from tests.program import Account

FAILS = b"#!/bin/sh\necho no licence server >&2\nexit 3\n"
PIP = [Path(p) for p in sorted((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))]
pytestmark = pytest.mark.skipif(not PIP, reason="this Python does not bring pip along")


def wheel(folder: Path, name: str, version: str, *modules: str) -> Path:
    """A wheel of a package with these modules, each of which knows the version."""
    info, path = f"{name}-{version}.dist-info", folder / f"{name}-{version}-py3-none-any.whl"
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as z:
        for module in ("__init__", *modules):
            z.writestr(f"{name}/{module}.py", f"version = '{version}'\n")
        z.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        z.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """cow of three versions, and goat: what pip may install."""
    folder = tmp_path_factory.mktemp("wheels")
    for version, module in (("1.0", "old"), ("1.1", "old"), ("2.0", "new")):
        wheel(folder, "cow", version, module)
    wheel(folder, "goat", "3.0", "horn")
    return folder


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> str:
    """A channel with Python, pip, cow 1.0 and 1.1, goat 3.0, and stubs, one of whose scripts fails."""

    def made(path: Path) -> Package:
        return package_of(Wheel(path), {})

    of_pip = [made(PIP[-1]), *(made(p) for p in sorted(wheels.glob("*.whl")) if "2.0" not in p.name)]
    milk = stub("milk", files={"share/milk": b"white", "share/jug": b"of clay"}, noarch="generic")
    fails = stub("fails", files={"bin/.fails-post-link.sh": FAILS}, noarch="generic")
    folder = tmp_path_factory.mktemp("channels") / "herd"
    return channel(folder, [python_package(), *of_pip, milk, fails])


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
