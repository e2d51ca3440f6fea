"""An environment in one file, and from it again: the same, elsewhere; and nothing outside is ever touched."""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import os
import signal
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from setup_wizard.conda import contents, damage, environment, pack, packed, squashed, unpack
from setup_wizard.environments import packs
from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.mirror import packages
from setup_wizard.mirror.archive import PLACEHOLDER, File
from setup_wizard.mirror.python import python_package
from setup_wizard.mirror.tiny import stub, tiny_packages
from setup_wizard.step import Done, Todo
from setup_wizard.steps import CondaEnv
from setup_wizard.trees import picture
from setup_wizard.world import Progress, World, silent
from tests.channels import channel, spec
from tests.images import needs_mksquashfs
from tests.program import Account

FIRST = f"#!{PLACEHOLDER}/bin/python\n".encode()
SAYS = f"#!/bin/sh\necho {PLACEHOLDER} {PLACEHOLDER}/lib\n".encode()
LIBRARY = b"\x7fELF\0" + PLACEHOLDER.encode() + b"/lib\0the rest\0"
ALL = ("python", "tiny-tools", "says", "old")
OURS = {contents.WHOLE, packed.NOTE}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A channel with Python, an entry point, a text and a library that name the prefix, and an odd glibc."""
    says = stub("says", files={"bin/says": SAYS, "lib/prog": LIBRARY, "bin/first": FIRST}, noarch="generic")
    old = stub("old", files={"share/old": b"old"}, depends=["__glibc >=2.17"], noarch="generic")
    folder = tmp_path_factory.mktemp("channels") / "packs"
    of_text = packages._path

    def entry(path: str, file: File) -> dict[str, object]:
        return {**of_text(path, file), **({"file_mode": "binary"} if path == "lib/prog" else {})}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packages, "_path", entry)
        yield channel(folder, [python_package(), *tiny_packages(), says, old])


@pytest.fixture
def env(world: World, url: str) -> Path:
    """An environment, with files that no package has brought."""
    prefix = world.home / "envs/a"
    environment.create(world, prefix, spec(world.home.parent, [url], ALL))
    (prefix / "bin/mine").write_text(f"#!{prefix}/bin/python\nprint('mine')\n")
    (prefix / "bin/mine").chmod(0o755)
    (prefix / "share/others").write_text(
        f"{prefix}2/x {prefix}-old {prefix}.bak {prefix}: {prefix}. {prefix}"
    )
    (prefix / "share/inside").symlink_to(prefix / "share/old")
    (prefix / "share/empty").mkdir()
    (prefix / "share/Ünïcode \udcff").write_bytes(b"1")
    return prefix


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, url: str) -> dict[str, Path]:
    """A small environment without Python, packed in each format."""
    world = World(tmp_path_factory.mktemp("small"), dict(os.environ))
    environment.create(world, world.home / "envs/a", spec(world.home, [url], ["says", "old"]))
    return {form: made(world, world.home / "envs/a", f"a.{form}") for form in packed.FORMATS}


def made(world: World, prefix: Path, name: str = "a.tar.zst") -> Path:
    """The environment in a file."""
    file = world.home / name
    what = pack.survey(world, prefix, prefix.name)
    if packed.form_of(file) == packed.IMAGE:
        squashed.write(world, file, what, silent)
    else:
        pack.write(file, packed.form_of(file), what, silent)
    return file


@pytest.mark.parametrize("form", [*packed.FORMATS, pytest.param(packed.IMAGE, marks=needs_mksquashfs)])
def test_it_is_the_same_elsewhere(world: World, env: Path, form: str) -> None:
    """Every file with its mode; the prefix rewritten in texts, programs, links and hashes; no trace of it."""
    file = made(world, env, f"a.{form}")
    there = world.home / "envs/a-longer-name"
    unpack.make(world, file, there, silent)
    before, after = picture(env), picture(there)
    assert set(after) - OURS == set(before) - OURS
    assert {p: m for p, (m, _) in after.items()} == {
        p: before.get(p, (m, ""))[0] for p, (m, _) in after.items()
    }
    assert damage.look(there).flaws == {}
    assert (
        subprocess.run([there / "bin/says"], capture_output=True, text=True).stdout
        == f"{there} {there}/lib\n"
    )
    assert subprocess.run([there / "bin/mine"], capture_output=True, text=True).stdout == "mine\n"
    assert (there / "share/inside").resolve() == there / "share/old"
    others = f"{env}2/x {env}-old {env}.bak {there}: {there}. {there}"
    assert (there / "share/others").read_text() == others
    program = (there / "lib/prog").read_bytes()
    assert program.startswith(b"\x7fELF\0" + str(there).encode() + b"/lib\0")
    assert len(program) == len((env / "lib/prog").read_bytes())
    assert sorted(os.listdir(world.home / "envs")) == ["a", "a-longer-name"]
    for path in (
        p for p in there.rglob("*") if p.is_file() and p.name != "history" and p.name not in str(OURS)
    ):
        assert str(env).encode() + b"/" not in path.read_bytes(), path
    for record in there.glob("conda-meta/*.json"):
        for entry in json.loads(record.read_bytes())["paths_data"]["paths"]:
            if entry["path_type"] != "softlink" and (wanted := entry.get("sha256_in_prefix")):
                assert hashlib.sha256((there / entry["_path"]).read_bytes()).hexdigest() == wanted


def test_the_same_bytes_each_time(world: World, env: Path) -> None:
    """Packed twice, and in another order of the folders, it is the same file."""
    first = made(world, env).read_bytes()
    there = world.home / "elsewhere"
    os.rename(env, there)
    os.rename(there, env)
    (env / "share/old").touch()
    os.utime(env / "share/old", ns=(0, 0))
    other = made(world, env, "b.tar.zst").read_bytes()
    assert other != first
    assert made(world, env, "c.tar.zst").read_bytes() == other


def test_what_speaks_against_packing(world: World, env: Path) -> None:
    """No environment, a damaged one, one under change, one that was moved: each is told with a fix."""
    with pytest.raises(BadInput, match="no conda environment"):
        pack.survey(world, world.home, "x")
    os.rename(env, moved := env.with_name("moved"))
    with pytest.raises(MachineBlocks, match="name another place"):
        pack.survey(world, moved, "x")
    os.rename(moved, env)
    (env / "share/old").unlink()
    with pytest.raises(MachineBlocks, match=r"old is not whole \(share/old\)") as e:
        pack.survey(world, env, "x")
    assert "env check" in e.value.fix
    os.rename(env / contents.WHOLE, env / contents.WAS_WHOLE)
    with pytest.raises(MachineBlocks, match="being changed"):
        pack.survey(world, env, "x")


def test_what_stays_outside_is_named(world: World, env: Path, tmp_path: Path) -> None:
    """A link that leads out, source code in a folder, a pipe, a variable that may be a secret."""
    (env / "share/out").symlink_to(tmp_path)
    (env / "share/inner").symlink_to("old")
    site = next(env.glob("lib/python3*/site-packages"))
    (site / "__editable__.mine.pth").write_text(f"{tmp_path}/src\n{env}/lib\nimport x\n")
    os.mkfifo(env / "share/pipe")
    contents.write_variables(env, {"API_KEY": "s3cret"})
    found = pack.survey(world, env, "a")
    assert found.notes == (
        "share/pipe is no file, and was left out",
        "the file is for you alone: it holds API_KEY, which may be a secret",
        f"__editable__.mine.pth stays outside: it is read from {tmp_path}/src",
        f"share/out stays outside: it is read from {tmp_path}",
    )
    pack.write(world.home / "a.tar.gz", "tar.gz", found, silent)
    assert (world.home / "a.tar.gz").stat().st_mode & 0o777 == 0o600
    unpack.make(world, world.home / "a.tar.gz", world.home / "envs/b", silent)
    assert contents.variables(world.home / "envs/b") == {"API_KEY": "s3cret"}


# --- files that are not as they should be ---------------------------------------------------------------


def _entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", data: bytes = b"x") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.mode = kind, link, 0o4755
    entry.size = len(data) if kind == tarfile.REGTYPE else 0
    return entry


def _archive(path: Path, note: packed.Packed, entries: list[tarfile.TarInfo]) -> Path:
    """An archive with that note and just these entries, each file of one byte."""
    head = packed.encode(msgspec.structs.replace(note, files=len(entries), naming=()))
    with (
        path.open("wb") as raw,
        packed.writing(raw, "tar.gz") as plain,
        tarfile.TarFile(fileobj=plain, mode="w") as tar,
    ):
        tar.addfile(_entry(packed.NOTE, data=head), io.BytesIO(head))
        for entry in entries:
            tar.addfile(entry, io.BytesIO(b"x" * entry.size))
    return path


DIR, SYM, LINK = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
HOSTILE = {
    "above": [_entry("../evil")],
    "absolute": [_entry("/tmp/evil")],
    "hidden": [_entry("a", DIR), _entry("a/../../evil")],
    "through a link": [_entry("out", SYM, ".."), _entry("out/evil")],
    "a link for a file": [_entry("out", SYM, "../evil"), _entry("out")],
    "a hard link out": [_entry("out", LINK, "../canary")],
    "a hard link to a link": [_entry("out", SYM, "../canary"), _entry("in", LINK, "out")],
    "a device": [_entry("null", tarfile.CHRTYPE)],
    "records elsewhere": [_entry("conda-meta", SYM, "..")],
    "our note": [_entry("conda-meta", DIR), _entry(contents.WHOLE, SYM, "../../canary")],
    "a folder that is none": [_entry("a"), _entry("a/b")],
}


@pytest.mark.parametrize("what", HOSTILE)
def test_an_archive_never_writes_elsewhere(world: World, small: dict[str, Path], what: str) -> None:
    """Whatever its entries are called or lead to, it is refused by name, and nothing of it stays."""
    note = packed.look(small["tar.gz"])
    file = _archive(world.home / "evil.tar.gz", note, HOSTILE[what])
    (world.home / "envs").mkdir()
    (world.home / "envs/canary").write_text("mine")
    before = picture(world.home)
    with pytest.raises(BadInput, match="not to be trusted"):
        unpack.make(world, file, world.home / "envs/b", silent)
    assert picture(world.home) == before


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flipped(data: bytes) -> bytes:
    middle = len(data) * 2 // 3
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize("form", packed.FORMATS)
@pytest.mark.parametrize("harm", [_cut, _flipped, lambda data: data[:-3]])
def test_a_damaged_file_is_told(
    world: World, small: dict[str, Path], form: str, harm: Callable[[bytes], bytes]
) -> None:
    """Cut off, or with one bit turned: nothing is made of it."""
    file = world.home / f"a.{form}"
    file.write_bytes(harm(small[form].read_bytes()))
    (world.home / "envs").mkdir()
    before = picture(world.home)
    with pytest.raises(BadInput, match=r"is damaged|not to be trusted"):
        unpack.make(world, file, world.home / "envs/b", silent)
    assert picture(world.home) == before


def test_what_is_no_packed_environment(world: World, small: dict[str, Path]) -> None:
    """Another file, another archive, nothing at all, a newer program's, for another platform or glibc."""
    note, file = packed.look(small["tar.gz"]), world.home / "x.tar.gz"
    for data in (b"", b"plain text", b"\x1f\x8b not really"):
        file.write_bytes(data)
        with pytest.raises(BadInput, match=r"not an environment packed|damaged"):
            packed.look(file)
    with tarfile.open(file, "w:gz") as tar:
        tar.add(__file__)
    with pytest.raises(BadInput, match="not an environment packed"):
        packed.look(file)
    with pytest.raises(BadInput, match="No such file"):
        packed.look(world.home / "none")
    change = msgspec.structs.replace
    assert note.glibc == "2.17"
    for other, kind, words in (
        (change(note, version=2), BadInput, "newer version"),
        (change(note, platform="osx-arm64"), BadInput, "for osx-arm64; this machine is linux-"),
        (change(note, glibc="2.99"), MachineBlocks, "needs glibc 2.99"),
    ):
        with pytest.raises(kind, match=words):
            unpack.make(world, _archive(file, other, []), world.home / "envs/b", silent)


def test_a_prefix_that_has_no_room(world: World, small: dict[str, Path]) -> None:
    """A place too long for a first line is refused, and nothing is left there."""
    (world.home / "envs").mkdir()
    file, long = small["tar.zst"], world.home / ("envs/" + "x" * 120)
    with pytest.raises(MachineBlocks, match="cannot be made to name"):
        unpack.make(world, file, long, silent)
    assert os.listdir(world.home / "envs") == []


# --- killed ---------------------------------------------------------------------------------------------


def _killed(world: World, step: CondaEnv, at: int) -> None:
    """Apply the step, and be killed at the `at`-th entry."""
    seen = 0

    def count(_: Progress) -> None:
        nonlocal seen
        seen += 1
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)

    step.apply(world, count)


@pytest.mark.parametrize("at", [1, 2, 4, 6])
def test_killed_among_the_files_it_begins_anew(world: World, small: dict[str, Path], at: int) -> None:
    """What was half there is never taken for an environment; again it is whole; undo leaves nothing."""
    (step, _) = packs.plan(world, {}, small["tar.zst"], "b", None).steps
    assert isinstance(step, CondaEnv)
    before, state = picture(world.home), step.check(world)
    assert isinstance(state, Todo)
    run = multiprocessing.get_context("fork").Process(target=_killed, args=(world, step, at))
    run.start()
    run.join()
    assert run.exitcode == -signal.SIGKILL
    assert not step.prefix.exists()
    assert isinstance(step.check(world), Todo)
    step.apply(world, silent)
    assert isinstance(step.check(world), Done)
    assert os.listdir(step.prefix.parent) == ["b"]
    assert damage.look(step.prefix).flaws == {}
    assert step.undo(state.before, world) == []
    assert {p for p in picture(world.home) if not p.startswith((".local", ".cache"))} == set(before)


def test_killed_at_any_moment_it_goes_on(account: Account, tmp_path: Path) -> None:
    """At each line of the journal, note and file: run again it is there, and undo takes all of it back."""
    create = ("env", "create", str(account.tiny), "--mirror", account.mirror, "--yes", "--no-byte-code")
    assert account.run(*create).returncode == 0
    file = str(tmp_path / "tiny.tar.zst")
    assert account.run("env", "pack", "tiny", "-o", file).returncode == 0
    assert account.run("undo", "--yes").returncode == 0
    before, log, words = picture(account.home), tmp_path / "log", ("env", "unpack", file, "--yes")
    assert account.run(*words, fuse=("", log)).returncode == 0
    assert account.run("undo", "--yes").returncode == 0
    moments = log.read_text().splitlines()
    assert len(moments) > 20
    for moment in moments[::2]:
        assert account.run(*words, fuse=(moment, tmp_path / "log2")).returncode == -9, moment
        if moment in moments[::4]:
            again = account.run(*words)
            assert again.returncode == 0, (moment, again.stderr)
            assert damage.look(account.home / ".conda/envs/tiny").flaws == {}
        undone = account.run("undo", "--yes")
        assert undone.returncode == 0, (moment, undone.stderr)
        assert picture(account.home) == before, moment


# --- the commands ---------------------------------------------------------------------------------------


def test_the_commands(account: Account, tmp_path: Path) -> None:
    """Created, packed, unpacked under another name with its kernel, changed with conda's ways, undone."""
    made_ = account.run(
        "env", "create", str(account.tiny), "--mirror", account.mirror, "--yes", "--no-byte-code"
    )
    assert made_.returncode == 0, made_.stderr
    file = tmp_path / "tiny.tar.zst"
    looked = json.loads(account.run("env", "pack", "tiny", "-o", str(file), "--dry-run", "--json").stdout)
    assert not file.exists()
    done = json.loads(account.run("env", "pack", "tiny", "-o", str(file), "--json").stdout)
    assert done["size"] == file.stat().st_size
    assert looked["unpacked"] == done["unpacked"]
    assert looked["forecast"] == pytest.approx(done["size"], rel=0.5)
    before = picture(account.home)
    shown = account.run("env", "unpack", str(file), "-n", "copy", "--dry-run")
    assert f"Unpack the environment copy in {account.home}/.conda/envs/copy" in shown.stdout.replace(
        "~", str(account.home)
    )
    assert picture(account.home) == before
    said = json.loads(account.run("env", "unpack", str(file), "-n", "copy", "--yes", "--json").stdout)
    prefix = Path(said["prefix"])
    assert str(prefix) in (account.home / ".conda/environments.txt").read_text()
    again = json.loads(account.run("env", "unpack", str(file), "-n", "copy", "--yes", "--json").stdout)
    assert again["changed"] == []
    more = json.loads(account.run("env", "remove-package", "copy", "tiny-tools", "--yes", "--json").stdout)
    assert more["difference"]["removed"], more
    assert file.exists()
    assert account.run("undo", "--yes").returncode == 0
    assert not prefix.exists()
    assert not (account.home / ".conda").exists()


def test_a_file_of_the_users_stays(account: Account, tmp_path: Path) -> None:
    """Over a packed environment of before it may go, over anything else it never goes."""
    assert (
        account.run(
            "env", "create", str(account.tiny), "--mirror", account.mirror, "--yes", "--no-byte-code"
        ).returncode
        == 0
    )
    file = tmp_path / "thesis.tar.gz"
    file.write_text("mine")
    said = account.run("env", "pack", "tiny", "-o", str(file))
    assert said.returncode == 2
    assert "stays" in said.stderr
    assert file.read_text() == "mine"
    file.unlink()
    assert account.run("env", "pack", "tiny", "-o", str(file)).returncode == 0
    assert account.run("env", "pack", "tiny", "-o", str(file)).returncode == 0
    assert os.listdir(tmp_path.resolve()).count("thesis.tar.gz") == 1
    assert [n for n in os.listdir(tmp_path) if n.startswith(".thesis")] == []
