"""`env check --fix` where a real conda has made the environment: that mends it, and it stays the user's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from setup_wizard import checkup
from setup_wizard.conda import contents
from setup_wizard.journal import Journal
from setup_wizard.mirror.tiny import stub
from setup_wizard.trees import picture
from setup_wizard.world import World
from tests.channels import channel, fruits
from tests.conda_stand_ins import foreign
from tests.program import Account
from tests.real_conda import kept_conda

pytestmark = pytest.mark.real
ECHO = '{"argv": ["/bin/sh"], "display_name": "Echo", "language": "echo"}'


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A channel with a loaf of three files, what makes a kernel, and fruits."""
    files = {f"share/loaf/{n}": n.encode() * 100 for n in "abc"}
    echo = stub("echo", files={"share/jupyter/kernels/echo/kernel.json": ECHO.encode()})
    return channel(
        tmp_path_factory.mktemp("channels") / "garden", [*fruits(), stub("loaf", files=files), echo]
    )


class Theirs(Account):
    """An account with an environment «theirs» that conda has made."""

    def __init__(self, home: Path, url: str) -> None:
        super().__init__(home)
        self.prefix, self.conda = home / ".conda/envs/theirs", kept_conda() / "bin/conda"
        words = ("create", "-p", self.prefix, "--override-channels", "-c", url, "pear", "loaf", "echo")
        made = subprocess.run([self.conda, *words, "-y", "-q"], env=self.env, capture_output=True, text=True)
        assert made.returncode == 0, made.stdout + made.stderr
        self.loaf = self.prefix / "share/loaf/a"

    def check(self, *words: str, code: int) -> Any:
        """What `env check theirs` says in JSON, and that it ends with that code."""
        ended = self.run("env", "check", "theirs", *words, "--json")
        assert ended.returncode == code, ended.stdout + ended.stderr
        return json.loads(ended.stdout)

    def remarks(self, *words: str, code: int) -> list[tuple[str, bool]]:
        """What is said of it, and whether --fix mends it."""
        (one,) = self.check(*words, code=code)["environments"]
        return [(r["text"], r["mends"]) for r in one["remarks"]]

    @property
    def steps(self) -> list[str]:
        """What is ours on the account."""
        return list(Journal(World(self.home, self.env)).receipt)


@pytest.fixture
def theirs(tmp_path: Path, url: str) -> Theirs:
    """The account."""
    return Theirs(tmp_path / "home", url)


def whole(theirs: Theirs) -> dict[str, tuple[str, str]]:
    """All that is in it but conda's own notes, which say when."""
    return {p: what for p, what in picture(theirs.prefix).items() if not p.startswith("conda-meta/")}


def test_files_and_records(theirs: Theirs) -> None:
    """Gone, changed, torn: conda installs just these packages again; undo has nothing to take back."""
    good, stems = whole(theirs), contents.stems(theirs.prefix)
    (theirs.prefix / "conda-meta/pear-1.0-0.json").write_text('{"name": "pe')
    theirs.loaf.unlink()
    (theirs.prefix / "share/loaf/b").unlink()
    (theirs.prefix / "share/loaf/b").write_text("b" * 100 + "and mine")
    assert theirs.remarks(code=1) == [
        ("the record of pear-1.0-0 cannot be read", True),
        ("loaf 1.0: 1 file gone, 1 changed", True),
    ]
    (step,) = theirs.check("--fix", "--dry-run", code=0)["plan"]
    assert f"{theirs.conda} install -p {theirs.prefix} --force-reinstall --no-deps" in step["preview"]
    assert "loaf=1.0=0 pear=1.0=0 -c file://" in step["preview"]
    assert not theirs.loaf.exists(), "it was only shown"
    said = theirs.check("--fix", "--yes", code=0)
    assert said["changed"] == [f"Let conda install packages in {theirs.prefix} again"]
    assert theirs.remarks("--all-bytes", code=0) == []
    assert (whole(theirs), contents.stems(theirs.prefix)) == (good, stems)
    assert not list(theirs.prefix.glob("conda-meta/*.torn"))
    listed = subprocess.check_output([theirs.conda, "list", "-p", theirs.prefix, "--json"], env=theirs.env)
    assert len(json.loads(listed)) == len(stems)
    assert theirs.steps == []
    before = picture(theirs.prefix)
    assert theirs.run("undo", "--yes").returncode == 0
    assert picture(theirs.prefix) == before
    assert theirs.run("env", "install", "theirs", "quince").returncode == 3, "it is still not ours"


def test_more_than_was_asked_for(theirs: Theirs) -> None:
    """A conda that would change other packages as well is not let: which they are is told."""
    theirs.loaf.unlink()
    asked = theirs.prefix.parent / "conda"  # a stand-in: asked to change nothing else, a real one does not
    actions = {"UNLINK": [{"name": "loaf"}, {"name": "apple"}], "LINK": []}
    asked.write_text(f"#!/bin/sh\necho '{json.dumps({'success': True, 'actions': actions})}'\n")
    asked.chmod(0o755)
    history = theirs.prefix / "conda-meta/history"
    history.write_text(history.read_text().replace(str(theirs.conda), str(asked)))
    before = picture(theirs.prefix)
    ended = theirs.run("env", "check", "theirs", "--fix", "--yes")
    assert ended.returncode == 8, ended.stdout + ended.stderr
    assert "more than the damaged packages: apple" in " ".join(ended.stderr.split())
    assert picture(theirs.prefix) == before


def test_channels(tmp_path: Path) -> None:
    """Those that its packages came from are asked, but for one whose secret would stand in the command."""
    prefix = foreign(tmp_path / "env", "pear-1-0", "plum-1-0", "fig-1-0")
    for name, host in (("pear", "b.org/x"), ("plum", "b.org/x"), ("fig", "a.org/t/abc-s3cret/y")):
        record = {
            "name": name,
            "version": "1",
            "build": "0",
            "url": f"https://{host}/noarch/{name}-1-0.conda",
        }
        (prefix / f"conda-meta/{name}-1-0.json").write_text(json.dumps(record))
    assert checkup.theirs.channels(prefix) == ("https://b.org/x",)


def test_a_kernel_of_ours_in_it(theirs: Theirs) -> None:
    """Written anew when it starts something else; nothing else is touched."""
    assert theirs.run("kernel", "add", "theirs", "--yes").returncode == 0
    file = theirs.home / ".local/share/jupyter/kernels/theirs-echo/kernel.json"
    good, inside = file.read_text(), picture(theirs.prefix)
    file.write_text(good.replace('"/bin/sh"', '"/bin/true"'))
    assert theirs.check("--fix", "--yes", code=0)["changed"] == ["Offer the kernel Echo (theirs) in Jupyter"]
    assert (file.read_text(), picture(theirs.prefix)) == (good, inside)


def test_an_edit_that_reached_the_cache(theirs: Theirs) -> None:
    """Through a hard link: conda puts the same there again; which folder has to go is said."""
    with theirs.loaf.open("r+b") as f:
        f.write(b"XY")
    os.utime(theirs.loaf)
    assert theirs.remarks("--all-bytes", code=1) == [("loaf 1.0: 1 file changed", True)]
    ended = theirs.run("env", "check", "theirs", "--all-bytes", "--fix", "--yes")
    assert ended.returncode == 8
    (remove,) = [line.strip() for line in ended.stderr.splitlines() if line.strip().startswith("rm -r ")]
    shutil.rmtree(remove.removeprefix("rm -r ").replace("~", str(theirs.home)))
    theirs.check("--all-bytes", "--fix", "--yes", code=0)
    assert theirs.loaf.read_bytes() == b"a" * 100


@pytest.mark.parametrize("torn", [False, True])
def test_killed_while_conda_works(theirs: Theirs, tmp_path: Path, torn: bool) -> None:
    """Between what we do and what conda does: the same again ends it, and undo then changes nothing."""
    log, record = tmp_path / "log", theirs.prefix / "conda-meta/loaf-1.0-0.json"

    def damaged() -> None:
        theirs.loaf.unlink()
        if torn:
            record.write_text('{"name"')

    words = ("env", "check", "theirs", "--fix", "--yes")
    damaged()
    assert theirs.run(*words).returncode == 0
    damaged()
    assert theirs.run(*words, fuse=("", log)).returncode == 0
    stops = [m for m in log.read_text().splitlines() if not m.startswith("before")]
    for where in stops[1::3]:
        damaged()
        assert theirs.run(*words, fuse=(where, log)).returncode == -9, where
        again = theirs.run(*words)
        assert again.returncode == 0, (where, again.stdout, again.stderr)
        assert theirs.loaf.read_bytes() == b"a" * 100, where
        assert json.loads(record.read_bytes())["name"] == "loaf", where
        assert theirs.steps == []
        assert not list(theirs.prefix.glob("conda-meta/*.torn"))


def test_what_is_rightly_refused(theirs: Theirs) -> None:
    """Where nobody may change it, no program is there, or it is conda itself: the command is told."""
    theirs.loaf.unlink()
    before, mark = picture(theirs.prefix), theirs.prefix / "conda-meta/frozen"

    def refused() -> str:
        ended = theirs.run("env", "check", str(theirs.prefix), "--fix", "--yes")
        assert ended.returncode == 2, ended.stdout + ended.stderr
        return " ".join(ended.stderr.split())

    mark.touch()
    assert "conda install -p" in refused()
    mark.unlink()
    history = theirs.prefix / "conda-meta/history"
    text = history.read_text()
    history.write_text(text.replace(str(theirs.conda), "conda"))
    assert "--force-reinstall --no-deps loaf=1.0=0" in refused()
    history.write_text(text)
    (theirs.prefix / "condabin").mkdir()
    (theirs.prefix / "condabin/conda").touch()
    assert "conda install -p" in refused()
    shutil.rmtree(theirs.prefix / "condabin")
    assert picture(theirs.prefix) == before
