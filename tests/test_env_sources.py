"""`env create` from what people have: a lock, an @EXPLICIT list, an address, packages, others' files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from setup_wizard.conda import contents, damage
from setup_wizard.conda.lock import here
from setup_wizard.mirror.packages import SUBDIR
from setup_wizard.mirror.tiny import stub
from setup_wizard.world import World
from tests.channels import channel, fruits, serve
from tests.gardener import Gardener, without_index
from tests.web_server import WebServer


@pytest.fixture(scope="module")
def orchard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A channel of small packages, in a folder; one with a script that installing runs."""
    folder = tmp_path_factory.mktemp("channels") / "orchard"
    script = b'#!/bin/sh\necho "$PKG_NAME" > "$PREFIX/linked"\n'
    channel(folder, [*fruits(), stub("cherry", depends=["plum"], files={"bin/.cherry-post-link.sh": script})])
    return folder


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture
def gardener(tmp_path: Path, orchard: Path, web: WebServer) -> Gardener:
    """The account, beside a server of the channel."""
    return Gardener(tmp_path / "home", serve(web, orchard))


# --- a lock ----------------------------------------------------------------------------------------------


def test_from_a_lock_nothing_is_solved_and_no_index_is_asked_for(
    gardener: Gardener, orchard: Path, web: WebServer
) -> None:
    """A server of archives alone is enough; variables come along; a second time there is nothing to do."""
    assert gardener.well("lock", str(gardener.file))["file"] == str(gardener.lock)
    without_index(web)
    gardener.well("create", str(gardener.lock), "--yes")
    assert gardener.packages("basket") == ["apple-1.5", "pear-1.0", "quince-1.1"]
    assert all(asked.path.endswith(".conda") for asked in web.asked)
    assert contents.variables(gardener.envs / "basket") == {"JAM": "2"}
    web.asked.clear()
    assert gardener.well("create", str(gardener.lock), "--yes")["changed"] == []
    assert web.asked == []


def test_the_same_packages_however_the_channel_has_moved_on(
    gardener: Gardener, web: WebServer, tmp_path: Path
) -> None:
    """What was locked is what comes, although newer versions are there; hashes and all."""
    gardener.file.write_text(f"name: basket\nchannels: [{gardener.url}]\ndependencies: [quince]\n")
    gardener.well("lock", str(gardener.file))
    more = [*fruits(), stub("quince", "9.0", noarch="generic")]
    channel(tmp_path / "newer/orchard", more)
    serve(web, tmp_path / "newer/orchard")
    gardener.well("create", str(gardener.lock), "--yes")
    assert gardener.packages("basket") == ["quince-1.2"]
    gardener.well("create", str(gardener.file), "-n", "new", "--yes")
    assert gardener.packages("new") == ["quince-9.0"]


def test_a_lock_whose_yaml_has_changed_is_said_and_never_solved_anew(gardener: Gardener) -> None:
    """What came and went is named, with both ways on; the second of them works as it is written."""
    gardener.well("lock", str(gardener.file))
    gardener.file.write_text(gardener.file.read_text().replace("pear ", "plum "))
    code, said = gardener.ill("create", str(gardener.lock), "--yes")
    assert code == 2
    assert "does not match basket.yml any more: + plum, - pear" in " ".join(said.split())
    assert f"hpc-jupyter-setup env lock {gardener.file}" in said
    assert not gardener.envs.exists()
    gardener.well("create", str(gardener.lock), "--frozen", "--yes")
    assert "pear-1.0" in gardener.packages("basket")
    gardener.file.unlink()
    gardener.well("create", str(gardener.lock), "-n", "alone", "--yes")
    assert "pear-1.0" in gardener.packages("alone")


def test_a_comment_in_the_yaml_is_no_change(gardener: Gardener) -> None:
    """What counts is what is asked for, with whatever remarks; nor do the line ends of git matter."""
    gardener.well("lock", str(gardener.file))
    gardener.file.write_text("# a remark\n" + gardener.file.read_text())
    gardener.lock.write_text(gardener.lock.read_text(), newline="\r\n")
    gardener.well("create", str(gardener.lock), "--yes")


def test_a_lock_for_another_platform(gardener: Gardener) -> None:
    """It is said which it is for, with the command that makes one for this machine too."""
    gardener.well("lock", str(gardener.file), "--platform", "linux-ppc64le")
    code, said = gardener.ill("create", str(gardener.lock), "--yes")
    assert code == 2
    here_ = here(World(gardener.home, gardener.env))
    assert f"is for linux-ppc64le; this machine is {here_}" in " ".join(said.split())
    assert f"--platform linux-ppc64le,{here_}" in said
    gardener.well("lock", str(gardener.file), "--platform", f"linux-ppc64le,{here_}")
    gardener.well("create", str(gardener.lock), "--yes")


@pytest.mark.parametrize("broken", ["torn", "header", "conflict"])
def test_a_damaged_lock(gardener: Gardener, broken: str) -> None:
    """Cut off, edited, or full of the marks of git: an exit code of bad input, a word, and nothing made."""
    gardener.well("lock", str(gardener.file))
    text = gardener.lock.read_text()
    wrong = {
        "torn": text[: len(text) // 2],
        "header": text.replace('"platforms"', '"platform"', 1),
        "conflict": text.replace("packages:\n", "<<<<<<< HEAD\npackages:\n", 1),
    }
    gardener.lock.write_text(wrong[broken])
    code, said = gardener.ill("create", str(gardener.lock), "--yes")
    assert code == 2, said
    assert str(gardener.lock) in said
    assert "env lock" in said
    assert not (gardener.envs / "basket").exists()


def test_an_environment_of_a_lock_can_be_changed(gardener: Gardener) -> None:
    """From then on it is as any other: what is asked for is kept inside, the lock stays as it was."""
    gardener.well("lock", str(gardener.file))
    gardener.well("create", str(gardener.lock), "--yes")
    text = gardener.lock.read_text()
    gardener.well("install", "basket", "quince=1.2", "--yes")
    assert gardener.packages("basket") == ["apple-1.5", "pear-1.0", "quince-1.2"]
    assert gardener.lock.read_text() == text
    gardener.well("remove-package", "basket", "pear", "--yes")
    assert gardener.packages("basket") == ["quince-1.2"]


# --- @EXPLICIT -------------------------------------------------------------------------------------------


def listed(orchard: Path, url: str, kind: str, *files: str) -> str:
    """An @EXPLICIT list with the hashes of that kind."""
    lines = ["# This file may be used to create an environment using:", f"# platform: {SUBDIR}", "@EXPLICIT"]
    for file in files:
        found = next(orchard.glob(f"*/{file}.conda"))
        digest = "#" + hashlib.new(kind, found.read_bytes()).hexdigest() if kind else ""
        mark = "#sha256:" if kind == "sha256" else "#"
        lines.append(f"{url}/{found.parent.name}/{found.name}{digest.replace('#', mark)}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("index", [True, False], ids=["index", "no index"])
@pytest.mark.parametrize("kind", ["md5", "sha256", ""])
def test_from_an_explicit_list(
    gardener: Gardener, orchard: Path, web: WebServer, kind: str, index: bool
) -> None:
    """Just these packages, whatever is newer; the records tell what each needs, also without an index."""
    file = gardener.home / "list.txt"
    file.write_text(listed(orchard, gardener.url, kind, "apple-2.5-0", "plum-1.0-0", "quince-1.1-0"))
    if not index:
        without_index(web)
    gardener.well("create", str(file), "-n", "exact", "--yes")
    assert gardener.packages("exact") == ["apple-2.5", "plum-1.0", "quince-1.1"]
    record = json.loads(next((gardener.envs / "exact/conda-meta").glob("plum-*.json")).read_bytes())
    assert record["depends"] == ["apple >=2"]
    assert record["noarch"] == "generic"
    assert gardener.well("create", str(file), "-n", "exact", "--yes")["changed"] == []
    assert damage.look(gardener.envs / "exact").flaws == {}


@pytest.mark.parametrize("index", [True, False], ids=["index", "no index"])
@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_a_wrong_hash_is_a_plain_error(
    gardener: Gardener, orchard: Path, web: WebServer, kind: str, index: bool
) -> None:
    """It names the package; nothing is left, and the right hash does."""
    file = gardener.home / "list.txt"
    right = listed(orchard, gardener.url, kind, "apple-2.5-0")
    file.write_text(right[:-9] + "00000000\n")
    if not index:
        without_index(web)
    code, said = gardener.ill("create", str(file), "-n", "exact", "--yes")
    assert code == 4, said
    assert "apple-2.5-0.conda" in said
    assert "not the file" in " ".join(said.split())
    assert not (gardener.envs / "exact").exists()
    file.write_text(right)
    gardener.well("create", str(file), "-n", "exact", "--yes")


def test_a_wrong_hash_is_seen_also_when_the_package_is_in_the_cache(
    gardener: Gardener, orchard: Path
) -> None:
    """What was unpacked before does not stand in for what was named."""
    file = gardener.home / "list.txt"
    right = listed(orchard, gardener.url, "sha256", "apple-2.5-0")
    file.write_text(right)
    gardener.well("create", str(file), "-n", "one", "--yes")
    file.write_text(right[:-9] + "00000000\n")
    assert gardener.ill("create", str(file), "-n", "two", "--yes")[0] == 4


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("@EXPLICIT\nhttps://h/noarch/apple\n", "list.txt:2:1: «https://h/noarch/apple» is no package"),
        ("@EXPLICIT\n\n# x\nnumpy=1\n", "list.txt:4:1: «numpy=1»"),
        ("@EXPLICIT\n", "no packages are listed"),
        ("@EXPLICIT\nhttps://h/c/noarch/a-1-0.conda#12\n", "list.txt:2:1"),
        ("@EXPLICIT\nhttps://me:pw@h/c/noarch/a-1-0.conda\n", "list.txt:2:1"),
        ("@EXPLICIT\nhttps://h/c/linux-ppc64le/a-1-0.conda\n", "linux-ppc64le"),
        ("@EXPLICIT\nhttps://repo.anaconda.com/pkgs/main/noarch/a-1-0.conda\n", "--channels anaconda"),
        ("@EXPLICIT\nhttps://h/c/noarch/a-1-0.conda\nhttps://h/c/noarch/a-2-0.conda\n", "list.txt:3:1: «a»"),
    ],
)
def test_what_is_wrong_in_a_list_is_said_with_its_line(gardener: Gardener, lines: str, said: str) -> None:
    """No package, a hash too short, a secret, another platform, Anaconda's terms, a package twice."""
    file = gardener.home / "list.txt"
    file.write_text(lines)
    code, all_of_it = gardener.ill("create", str(file), "-n", "exact", "--yes")
    assert code == 2
    assert said in " ".join(all_of_it.split())
    assert "pw" not in all_of_it


# --- an address, packages, one of ours --------------------------------------------------------------------


def test_from_an_address(gardener: Gardener, web: WebServer) -> None:
    """A YAML, a lock, over http and as file://; the place of a mistake is one in that address."""
    text = gardener.file.read_text()
    url = web.serve("/course/basket.yml", text.encode())
    gardener.well("create", url, "--yes")
    assert gardener.packages("basket") == ["apple-1.5", "pear-1.0", "quince-1.1"]
    assert gardener.well("create", url, "--yes")["changed"] == []
    gardener.well("create", gardener.file.as_uri(), "-n", "two", "--yes")
    gardener.well("lock", str(gardener.file))
    locked = web.serve("/course/basket.lock", gardener.lock.read_bytes())
    gardener.well("create", locked, "-n", "three", "--yes")
    assert gardener.packages("two") == gardener.packages("three") == gardener.packages("basket")
    wrong = web.serve("/course/wrong.yml", text.replace("pear ", "peer ").encode())
    code, said = gardener.ill("create", wrong, "--yes")
    assert code == 5
    assert f"{wrong}:5:5: there is no package «peer»" in " ".join(said.split())


def test_addresses_that_lead_to_no_environment(gardener: Gardener, web: WebServer) -> None:
    """Nothing there, a web page, a secret in it: each has its word."""
    page = web.serve("/basket.yml", b"<!DOCTYPE html><html></html>")
    code, said = gardener.ill("create", page, "--yes")
    assert (code, "«Raw»" in said) == (2, True)
    code, said = gardener.ill("create", f"{web.url}/none.yml", "--yes")
    assert (code, "status 404" in said) == (4, True)
    code, said = gardener.ill("create", web.url.replace("//", "//me:hush@") + "/x.yml", "--yes")
    assert (code, "hush" in said, "secret" in said) == (2, False, True)
    code, said = gardener.ill("create", page, "--offline", "--yes")
    assert (code, "--offline" in said) == (4, True)


def test_from_packages(gardener: Gardener) -> None:
    """One or more, with versions, from the channels named; without a name it is said how to give one."""
    gardener.well("create", "-n", "bowl", "quince=1.1", "plum", "-c", gardener.url, "--yes")
    assert gardener.packages("bowl") == ["apple-2.5", "plum-1.0", "quince-1.1"]
    gardener.well("create", "-n", "one", "plum", "-c", gardener.url, "--yes")
    assert gardener.packages("one") == ["apple-2.5", "plum-1.0"]
    assert gardener.well("create", "-n", "one", "plum", "-c", gardener.url, "--yes")["changed"] == []
    code, said = gardener.ill("create", "quince=1.1", "plum", "--yes")
    assert (code, "env create -n NAME quince=1.1 plum" in said) == (2, True)
    code, said = gardener.ill("create", "-n", "x", "plum>>=1", "pear", "-c", gardener.url, "--yes")
    assert (code, "«plum>>=1» is no package specification" in said) == (2, True)
    code, said = gardener.ill("create", "-n", "x", "pear", "-c", "defaults", "--yes")
    assert (code, "--channels anaconda" in said) == (2, True)
    gardener.well("install", "bowl", "quince=1.2", "--yes")
    assert "quince-1.2" in gardener.packages("bowl")


@pytest.mark.parametrize(
    ("name", "text", "whose"),
    [
        ("pixi.toml", '[workspace]\nchannels = ["conda-forge"]\n', "a project of pixi"),
        ("pixi.lock", "version: 6\nenvironments:\n  default: {}\npackages: []\n", "a lock of pixi"),
        ("conda-lock.yml", "version: 1\nmetadata:\n  content_hash:\n    x: y\npackage: []\n", "conda-lock"),
        ("pyproject.toml", "[project]\nname = 'x'\n", "a project of Python"),
        ("requirements.txt", "# mine\nnumpy==1.26\npandas\n", "a list for pip"),
        ("compose.yml", "services:\n  web: {}\n", "docker compose"),
        ("meta.yaml", "package:\n  name: x\nbuild: {}\n", "conda-build"),
        (".condarc.yml", "channel_priority: strict\nchannels: [x]\n", "conda (.condarc)"),
        ("ci.yml", "on: push\njobs: {}\n", "GitHub"),
    ],
)
def test_a_file_of_another_tool_is_called_by_its_name(
    gardener: Gardener, name: str, text: str, whose: str
) -> None:
    """It says whose it is, and how an environment comes of it, in place of a line that YAML does not like."""
    file = gardener.home / name
    file.write_text(text)
    code, said = gardener.ill("create", str(file), "-n", "x", "--yes")
    assert code == 2
    assert whose in " ".join(said.split())
    assert "no environment.yml" in " ".join(said.split())
