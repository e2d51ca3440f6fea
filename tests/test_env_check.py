"""`env check`: what is found in an environment, ours or not, and what `--fix` mends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from setup_wizard.conda import contents, damage
from setup_wizard.mirror.packages import Package
from setup_wizard.mirror.tiny import stub
from setup_wizard.trees import picture
from tests.channels import channel, fruits
from tests.program import Account

YAML = "name: basket\nchannels: [{url}]\ndependencies: [pear, quince=1.1, loaf]\n"
SITE = "lib/python3.12/site-packages"


def garden() -> list[Package]:
    """The fruits, and a loaf with three files, one of which names the prefix, and a program of Python's."""
    loaf = {"share/loaf/a": b"a" * 100, "share/loaf/b": b"b" * 100, "share/loaf/c": b"c" * 100}
    servers = [stub("jupyter_server", v, files={"share/server": v.encode()}) for v in ("2.14.0", "2.20.0")]
    return [*fruits(), stub("loaf", files=loaf), *servers]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A channel with them."""
    return channel(tmp_path_factory.mktemp("channels") / "garden", garden())


class Basket(Account):
    """An account with an environment «basket» of ours."""

    def __init__(self, home: Path, url: str, yaml: str = YAML) -> None:
        super().__init__(home)
        self.file = home / "basket.yml"
        self.file.write_text(yaml.format(url=url))
        self.prefix = home / ".conda/envs/basket"
        made = self.run("env", "create", str(self.file), "--yes")
        assert made.returncode == 0, made.stderr

    def check(self, *words: str, code: int) -> Any:
        """What `env check` says in JSON, and that it ends with that code."""
        result = self.run("env", "check", *words, "--json")
        assert result.returncode == code, result.stdout + result.stderr
        return json.loads(result.stdout)

    def remarks(self, *words: str, code: int) -> list[tuple[str, str]]:
        """Level and text of what is said of the one environment."""
        (one,) = self.check(*words, code=code)["environments"]
        return [(r["level"], r["text"]) for r in one["remarks"]]

    def mend(self, *words: str) -> Any:
        """Let it be mended, to the good end: all is well afterwards, and the second time nothing is done."""
        said = self.check("--fix", "--yes", *words, code=0)
        assert self.check("--fix", "--yes", *words, code=0)["changed"] == []
        return said


@pytest.fixture
def basket(tmp_path: Path, url: str) -> Iterator[Basket]:
    """The account, whose home must be as before when all is undone."""
    home = tmp_path / "home"
    before = picture(Account(tmp_path / "twin").home)
    made = Basket(home, url)
    yield made
    assert made.run("undo", "--yes").returncode == 0
    after = {p: w for p, w in picture(home).items() if p != "basket.yml"}
    assert after == before


# --- files and records ----------------------------------------------------------------------------------


def test_a_healthy_one(basket: Basket) -> None:
    """Nothing is said; the exit code is 0, with every byte read too, and for people as for programs."""
    assert basket.remarks(code=0) == []
    assert basket.remarks("basket", "--all-bytes", code=0) == []
    assert "basket  is as it should be" in basket.run("env", "check").stdout
    path = basket.prefix / "share/loaf/a"
    before = path.stat()
    path.touch()
    assert basket.remarks(code=0) == [], "a mere touch is no damage"
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_files_that_are_gone_or_changed(basket: Basket) -> None:
    """Named by package; --fix installs just those packages again, in this and in every later environment."""
    (basket.prefix / "share/loaf/a").unlink()
    with (basket.prefix / "share/loaf/b").open("r+b") as f:  # through the hard link: in the cache as well
        f.write(b"X")
    shutil.rmtree(basket.prefix / "share/quince", ignore_errors=True)
    (basket.prefix / "share/quince").unlink(missing_ok=True)
    assert basket.remarks(code=1) == [
        ("bad", "loaf 1.0: 1 file gone, 1 changed"),
        ("bad", "quince is recorded, but none of its 1 files is there"),
    ]
    plan = basket.check("--fix", "--dry-run", code=0)["plan"]
    assert "install loaf again\n  install quince again" in plan[0]["preview"]
    assert not (basket.prefix / "share/loaf/a").exists(), "it was only shown"
    said = basket.mend()
    assert said["changed"] == [f"Make the environment basket in {basket.prefix}"]
    assert (basket.prefix / "share/loaf/a").read_bytes() == b"a" * 100
    assert (basket.prefix / "share/loaf/b").read_bytes() == b"b" * 100
    again = basket.run("env", "create", str(basket.file), "-n", "second", "--yes")
    assert again.returncode == 0
    assert basket.check("second", "--all-bytes", code=0)["ok"]


def test_a_change_that_only_every_byte_shows(basket: Basket) -> None:
    """Same size and time, other bytes: found with --all-bytes, and mended from a new download."""
    path = basket.prefix / "share/loaf/c"
    times = path.stat()
    with path.open("r+b") as f:
        f.write(b"X")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert basket.remarks(code=0) == []
    assert basket.remarks("--all-bytes", code=1) == [("bad", "loaf 1.0: 1 file changed")]
    basket.mend("--all-bytes")
    assert path.read_bytes() == b"c" * 100


def test_records(basket: Basket) -> None:
    """A record that is torn, one that is gone: told, and made again."""
    loaf = next((basket.prefix / "conda-meta").glob("loaf-*.json"))
    loaf.write_text('{"name": "lo')
    ((_, torn),) = basket.remarks(code=1)
    assert torn == f"the record of {loaf.stem} cannot be read"
    basket.mend()
    assert json.loads(loaf.read_text())["name"] == "loaf"
    loaf.unlink()
    assert basket.remarks(code=1) == [("bad", "loaf is gone")]
    basket.mend()
    assert loaf.exists()


def test_leftovers_and_frozen(basket: Basket) -> None:
    """What conda put aside is no error and goes with --fix; an editor's backups stay; a mark is told."""
    backups = [basket.prefix / "share" / name for name in ("mine.c~", "loaf/b.c", "loaf/b.c~")]
    for path in backups:
        path.write_text("int main;")
    trash = [basket.prefix / "share/apple.c~", basket.prefix / "share/apple.conda_trash_1"]
    for path in trash:
        path.write_text("old")
    assert basket.remarks(code=0) == [
        ("warn", "2 files were left over by conda, or by programs that were killed")
    ]
    basket.mend()
    assert not any(path.exists() for path in trash)
    for path in backups:
        path.unlink()
    mark = basket.prefix / "conda-meta/frozen"
    mark.touch()
    assert basket.remarks(code=0) == [("note", f"it is not to be changed: {mark} says so")]
    mark.unlink()


def test_one_that_is_gone_or_unfinished(basket: Basket) -> None:
    """A folder that somebody removed is made again; a change that was interrupted is finished."""
    shutil.rmtree(basket.prefix)
    assert basket.remarks(code=1) == [("bad", "the folder is gone")]
    basket.mend()
    note = basket.prefix / contents.WHOLE
    note.rename(basket.prefix / contents.WAS_WHOLE)
    assert basket.remarks(code=1) == [("bad", "a change of it was not finished")]
    basket.mend()


@pytest.mark.parametrize("seconds", [0.5, 0.9, 1.3, 1.7])
def test_a_repair_that_is_killed(basket: Basket, seconds: float) -> None:
    """SIGKILL at some moment of it: the same command ends it, and nothing is left behind."""
    (basket.prefix / "share/loaf/a").unlink()
    words = [sys.executable, "-m", "setup_wizard", "env", "check", "--fix", "--yes"]
    quiet = subprocess.DEVNULL
    victim = subprocess.Popen(
        words,
        env=basket.env,
        cwd=basket.home,
        stdin=quiet,
        stdout=quiet,
        stderr=quiet,
        start_new_session=True,
    )
    try:
        victim.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(victim.pid, signal.SIGKILL)
        victim.wait()
    basket.mend("--all-bytes")
    assert (basket.prefix / "share/loaf/a").read_bytes() == b"a" * 100


# --- what is around it ----------------------------------------------------------------------------------


def with_python(prefix: Path) -> None:
    """Let the environment look like one with a Python of its own."""
    (prefix / SITE).mkdir(parents=True, exist_ok=True)
    (prefix / "bin").mkdir(exist_ok=True)


def dist(site: Path, name: str) -> Path:
    """A distribution as pip writes it."""
    folder = site / f"{name}.dist-info"
    folder.mkdir(parents=True)
    (folder / "INSTALLER").write_text("pip\n")
    return folder


def test_shadows_and_pip(basket: Basket) -> None:
    """PYTHONPATH, packages in ~/.local, and pip's in the place of conda's: told, with what to do."""
    with_python(basket.prefix)
    own = [dist(basket.prefix / SITE, "loaf-3.0"), dist(basket.prefix / SITE, "other_one-1.0")]
    theirs = dist(basket.home / ".local" / SITE, "Other.One-0.1")
    basket.env["PYTHONPATH"] = "/somewhere"
    said = basket.remarks(code=0)
    assert ("warn", "pip has put its loaf 3.0 in the place of conda's") in said
    assert any(text.startswith("PYTHONPATH=/somewhere comes before") for _, text in said)
    assert any(text.startswith(f"other-one in {theirs.parent} come before") for _, text in said)
    assert len(said) == 3
    del basket.env["PYTHONPATH"]
    for folder in (*own, basket.home / ".local/lib"):
        shutil.rmtree(folder)


def test_moved_by_hand(basket: Basket) -> None:
    """An environment that was moved is told from where, with the way back; so is the one that it left."""
    with_python(basket.prefix)
    pip = basket.prefix / "bin/pip"
    pip.write_text(f"#!{basket.prefix}/bin/python3.12\n")
    moved = basket.home / "moved"
    basket.prefix.rename(moved)
    (one,) = basket.check(str(moved), code=1)["environments"]
    assert (
        one["remarks"][0]["text"] == f"its programs are those of {basket.prefix}: it was moved or copied here"
    )
    assert one["remarks"][0]["fix"] == f"Move it back: mv {moved} {basket.prefix}"
    assert basket.remarks(code=1) == [("bad", "the folder is gone")]
    moved.rename(basket.prefix)
    pip.unlink()


def test_not_ours(basket: Basket) -> None:
    """Looked at like ours, by its path; nothing is changed in it, and its own conda's command is given."""
    other = basket.home.parent / "other"
    shutil.copytree(basket.prefix, other, symlinks=True)
    (other / "share/loaf/a").unlink()
    record = next((other / "conda-meta").glob("quince-*.json"))
    theirs = {**json.loads(record.read_text()), "channel": "https://repo.anaconda.com/pkgs/main/linux-64"}
    record.write_text(
        json.dumps({**theirs, "url": "https://repo.anaconda.com/pkgs/main/linux-64/quince.conda"})
    )
    before = picture(other)
    assert basket.remarks(str(other), code=1) == [
        ("bad", "loaf 1.0: 1 file gone"),
        ("warn", "quince came from Anaconda's channels («defaults»)"),
    ]
    refused = basket.run("env", "check", str(other), "--fix", "--yes")
    assert refused.returncode == 2
    assert f"conda install -p {other} --force-reinstall --no-deps loaf=1.0=0" in refused.stderr
    assert picture(other) == before
    assert basket.check("nothing", code=2)["ok"] is False


def test_channels_with_terms(basket: Basket, url: str) -> None:
    """Named with the place: in the YAML file, in the condarcs of the user, and of the environment."""
    condarcs = [basket.home / ".conda/.condarc", basket.home / ".condarc", basket.prefix / ".condarc"]
    text = basket.file.read_text()
    basket.file.write_text(text.replace(f"[{url}]", f"[{url}, defaults]"))
    for path in condarcs:
        path.write_text("channels:\n  - conda-forge\n  - https://repo.anaconda.com/pkgs/main\n")
    main = "«https://repo.anaconda.com/pkgs/main» is a channel of Anaconda's, with terms of use"
    column = basket.file.read_text().splitlines()[1].index("defaults") + 1
    assert basket.remarks(code=0) == [
        ("warn", f"{basket.file}:2:{column}: «defaults» is a channel of Anaconda's, with terms of use"),
        *(("warn", f"{path}: {main}") for path in condarcs),
    ]
    for path in condarcs:
        path.write_text("channels: {so: no}\n")
    basket.file.write_text(text)
    assert basket.remarks(code=0) == [], "what cannot be read, conda will tell"
    for path in condarcs:
        path.unlink()


def test_kernels(basket: Basket) -> None:
    """A kernelspec of ours that starts something else is put right; another's in its way is named."""
    folder = basket.prefix / "share/jupyter/kernels/echo"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text('{"argv": ["/bin/sh"], "display_name": "Echo", "language": "echo"}')
    assert basket.run("kernel", "add", "basket", "--yes").returncode == 0
    file = basket.home / ".local/share/jupyter/kernels/basket-echo/kernel.json"
    good = file.read_text()
    file.write_text(good.replace("Echo (basket)", "My favourite"))
    assert basket.remarks(code=0) == [], "a name of the user's own is no damage"
    file.write_text(good.replace('"/bin/sh"', '"/bin/true"'))
    assert basket.remarks(code=1)[0] == ("bad", f"its kernel basket-echo starts something else: {file}")
    assert basket.mend()["changed"] == ["Offer the kernel Echo (basket) in Jupyter"]
    assert file.read_text() == good
    other = file.parent.with_name("echo")
    shutil.copytree(folder, other)
    said = basket.remarks(code=0)
    assert [level for level, _ in said] == ["warn"]
    assert "stands before its own of that name" in said[0][1]
    shutil.rmtree(other)
    shutil.rmtree(folder.parents[1])


def test_kernels_whose_environment_is_gone(basket: Basket) -> None:
    """Those of others as well, where all is looked at: they can be taken away, and come back with undo."""
    file = basket.home / ".local/share/jupyter/kernels/old/kernel.json"
    file.parent.mkdir(parents=True)
    gone = basket.home / "miniconda3/envs/old"
    argv = [f"{gone}/bin/python", "-m", "ipykernel_launcher"]
    file.write_text(json.dumps({"argv": argv, "display_name": "Old", "language": "python"}))
    mine, old = basket.check(code=0)["environments"]
    assert (mine["name"], mine["remarks"], old["prefix"], old["ours"]) == ("basket", [], str(gone), False)
    (remark,) = old["remarks"]
    assert remark["level"] == "warn"
    assert remark["text"] == f"the kernel old in {file.parent} starts an environment that is not there"
    assert len(basket.check("basket", code=0)["environments"]) == 1
    assert basket.check("--fix", "--yes", code=0)["changed"] == []
    assert basket.run(*remark["fix"].split()[1:], "--yes").returncode == 0
    assert len(basket.check(code=0)["environments"]) == 1
    assert basket.run("undo", "--yes").returncode == 0
    for path in (file, *file.parents[:5]):
        path.unlink() if path == file else path.rmdir()


def test_a_server_with_known_holes(tmp_path: Path, url: str) -> None:
    """Red; --fix brings the newer one, together with the repair of what is damaged."""
    yaml = "name: basket\nchannels: [{url}]\ndependencies: [jupyter_server, loaf]\n"
    basket = Basket(tmp_path / "home", url, yaml.replace("jupyter_server", "jupyter_server<2.20"))
    (level, text), *_ = basket.remarks(code=1)
    assert (level, text[:46]) == ("bad", "jupyter_server 2.14.0 has known security holes")
    basket.file.write_text(yaml.format(url=url))
    (basket.prefix / "share/loaf/a").unlink()
    basket.mend()
    assert contents.stems(basket.prefix) == ("jupyter_server-2.20.0-0", "loaf-1.0-0")


def test_what_a_look_tells_apart(tmp_path: Path) -> None:
    """Byte code may be lost, a link may lead anywhere, a file of two packages may be as either has it."""
    prefix = tmp_path / "env"
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "both").write_bytes(b"two")
    (prefix / "link").symlink_to("nowhere")

    def record(name: str, *paths: dict[str, object], **more: str) -> None:
        data = {"name": name, "version": "3.12.1", "build": "0", "paths_data": {"paths": list(paths)}, **more}
        (prefix / f"conda-meta/{name}-1-0.json").write_text(json.dumps(data))

    record("one", {"_path": "both", "size_in_bytes": 9}, {"_path": "x.pyc", "path_type": "pyc_file"})
    record("two", {"_path": "both", "size_in_bytes": 3}, {"_path": "link", "path_type": "softlink"})
    record("python")
    record(
        "any", {"_path": "site-packages/any.py", "size_in_bytes": 1}, noarch="python"
    )  # as conda writes it
    (prefix / SITE).mkdir(parents=True)
    (prefix / SITE / "any.py").write_text("#")
    assert damage.look(prefix, every_byte=True).flaws == {}
    (prefix / "both").write_bytes(b"neither")
    assert set(damage.look(prefix).flaws) == {"one", "two"}


def test_what_pip_has_done_is_told_from_damage(tmp_path: Path) -> None:
    """By dist-info and RECORD: its torch lies over pytorch, its graphviz beside another one."""
    prefix = tmp_path / "env"
    (prefix / "conda-meta").mkdir(parents=True)

    def record(name: str, *paths: str) -> None:
        entries = [{"_path": path, "size_in_bytes": 1} for path in paths]
        data = {"name": name, "version": "3.12.1", "build": "0", "paths_data": {"paths": entries}}
        (prefix / f"conda-meta/{name}-3.12.1-0.json").write_text(json.dumps(data))

    def installed(name: str, *files: str) -> None:
        record = dist(prefix / SITE, name) / "RECORD"
        record.write_text("".join(f"{file},,\n" for file in (*files, "../../../bin/cmd", "/etc/passwd")))

    record("python")
    record("pytorch", f"{SITE}/torch/a.py", f"{SITE}/torch/gone.py", f"{SITE}/torch-1.0.dist-info/METADATA")
    record("graphviz", "bin/dot")
    record("other", f"{SITE}/tests/__init__.py", f"{SITE}/other/b.py")
    installed("torch-2.0", "torch/a.py", "tests/__init__.py")
    installed("graphviz-0.20", "graphviz/__init__.py")
    seen = damage.look(prefix)
    assert list(seen.over) == ["pytorch"]
    assert {name: [f.path for f in flaws] for name, flaws in seen.flaws.items()} == {
        "graphviz": ["bin/dot"],
        "other": [f"{SITE}/other/b.py"],
    }
