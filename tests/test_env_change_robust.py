"""Killed at any moment, twice at once, where nothing may be written: nothing breaks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from setup_wizard.conda import contents, damage, environment
from setup_wizard.errors import Busy
from setup_wizard.mirror.tiny import stub
from setup_wizard.trees import picture
from setup_wizard.world import World
from tests.channels import channel, spec
from tests.program import ROOT, Account

TRUNK = [
    stub(f"t{i}", v, files={f"lib/t{i}/f{j}": f"{v} {j}".encode() * 50 for j in range(20)}, noarch="generic")
    for i in range(6)
    for v in ("1.0", "2.0")
]
NAMES = {f"t{i}" for i in range(6)}
OLD = [f"{name}=1.0" for name in sorted(NAMES)]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Six packages of twenty files, in two versions."""
    return channel(tmp_path_factory.mktemp("channels") / "trunk", TRUNK)


def yaml_of(account: Account, url: str, *dependencies: str) -> Path:
    """A YAML file of the user's own that asks for these."""
    path = account.home / "trunk.yml"
    path.write_text(
        f"name: trunk\nchannels: [{url}]\ndependencies:\n" + "".join(f"- {d}\n" for d in dependencies)
    )
    return path


def begin(account: Account, *words: str) -> subprocess.Popen[bytes]:
    """Start a command of `env` in a process group of its own."""
    command = [sys.executable, "-m", "setup_wizard", "env", *words, "--yes"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        command, cwd=ROOT, env=account.env, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
    )


def whole(account: Account, prefix: Path, versions: dict[str, str]) -> None:
    """The environment holds just these, every file is right, and nothing lies about."""
    assert contents.stems(prefix) == tuple(sorted(f"{n}-{v}-0" for n, v in versions.items()))
    for name, version in versions.items():
        for j in range(20):
            assert (prefix / f"lib/{name}/f{j}").read_text() == f"{version} {j}" * 50
    assert {p.name for p in (prefix / "lib").iterdir() if any(p.iterdir())} == set(versions)
    assert contents.whole(prefix), "the note that it is whole"
    assert [p.name for p in prefix.parent.iterdir()] == ["trunk"]
    assert {p.name for p in prefix.iterdir()} <= {"conda-meta", "lib", "CACHEDIR.TAG"}
    left = [p.name for p in (prefix / "conda-meta").iterdir() if p.suffix != ".json"]
    assert sorted(left) == ["history", "hpc-jupyter-setup"]
    assert not [
        p
        for p in (account.home / ".cache/hpc-jupyter-setup/pkgs").iterdir()
        if p.is_dir() and p.name[0] == "."
    ]


# --- what is in the way ----------------------------------------------------------------------------------


@pytest.mark.parametrize("then", ["update", "undo"])
def test_the_probe_of_a_killed_engine_goes(tmp_path: Path, url: str, then: str) -> None:
    """The link by which it finds out whether links can be made is nobody's work."""
    account = Account(tmp_path / "home")
    before, prefix = picture(account.home), account.home / "envs/trunk"
    yml = yaml_of(account, url, *OLD)
    assert (
        account.run("env", "create", str(yml), "-p", str(prefix), "--no-byte-code", "--yes").returncode == 0
    )
    (prefix / "symtest_5e38e7cb-1cdc-4f64-8dba-cecd49eb99f7").symlink_to("./")
    if then == "update":
        yaml_of(account, url, *sorted(NAMES))
        assert account.run("env", "update", "-p", str(prefix), "--yes").returncode == 0
        whole(account, prefix, dict.fromkeys(NAMES, "2.0"))
    assert account.run("undo", "--yes").returncode == 0
    yml.unlink()
    assert picture(account.home) == before


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own that can be made smaller and larger."""
    point = tmp_path / "small"
    point.mkdir()
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "x", point]).returncode:
        pytest.skip("only root can mount a small file system")
    yield point
    subprocess.run(["umount", "-l", point], check=True)


@pytest.mark.parametrize(("option", "said"), [("ro", "read-only"), ("noexec", "mounted noexec")])
def test_where_nothing_may_be_written_or_run(
    small: Path, tmp_path: Path, url: str, option: str, said: str
) -> None:
    """Refused before anything is downloaded, with the reason."""
    account = Account(tmp_path / "home")
    yml = yaml_of(account, url, *OLD)
    subprocess.run(["mount", "-o", f"remount,{option}", small], check=True)
    ended = account.run("env", "create", str(yml), "-p", str(small / "trunk"), "--yes")
    assert ended.returncode == 3
    assert said in ended.stderr
    assert not (account.home / ".cache").exists()


def test_an_environment_that_has_become_read_only(small: Path, tmp_path: Path, url: str) -> None:
    """Changing it is refused in words, and it stays as it is; the file too."""
    account = Account(tmp_path / "home")
    yml, prefix = yaml_of(account, url, *OLD), small / "trunk"
    assert account.run("env", "create", str(yml), "-p", str(prefix), "--yes").returncode == 0
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)
    text = yml.read_text()
    ended = account.run("env", "remove-package", "-p", str(prefix), "t1", "--yes")
    assert (ended.returncode, "✘" in ended.stderr) == (3, True), ended.stderr
    assert "ead-only" in ended.stderr
    assert yml.read_text() == text
    assert len(contents.stems(prefix)) == 6


# --- two at once ------------------------------------------------------------------------------------------


def test_two_on_one_prefix_and_two_on_one_cache(tmp_path: Path, url: str) -> None:
    """The second on a prefix is told so or waits its turn; two prefixes share the cache; all are whole."""
    account = Account(tmp_path / "home")
    yml = yaml_of(account, url, *OLD)
    both = [begin(account, "create", str(yml), "-p", str(account.home / "envs/trunk")) for _ in range(2)]
    codes = sorted(p.wait(60) for p in both)
    assert codes[0] == 0
    assert codes[1] in (0, Busy.code)
    whole(account, account.home / "envs/trunk", dict.fromkeys(NAMES, "1.0"))
    world = World(tmp_path / "other", {**account.env, "HOME": str(tmp_path / "other")})
    world.home.mkdir()
    wanted = spec(tmp_path, [url], OLD)
    prefixes = [world.home / f"envs/{n}" for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda prefix: environment.create(world, prefix, wanted), prefixes))
    assert all(damage.look(p).flaws == {} and len(contents.stems(p)) == 6 for p in prefixes)


def test_update_and_install_on_one_prefix_at_once(tmp_path: Path, url: str) -> None:
    """One ends well, the other too or it is told to wait and does it then; the environment is whole."""
    account = Account(tmp_path / "home")
    prefix = account.home / "envs/trunk"
    yml = yaml_of(account, url, *OLD[:5])
    assert begin(account, "create", str(yml), "-p", str(prefix)).wait(60) == 0
    yaml_of(account, url, *sorted(NAMES)[:5])
    update = begin(account, "update", "-p", str(prefix))
    install = begin(account, "install", "-p", str(prefix), "t5=1.0")
    codes = update.wait(60), install.wait(60)
    assert 0 in codes
    assert set(codes) <= {0, Busy.code}
    for words, code in ((("update",), codes[0]), (("install", "t5=1.0"), codes[1])):
        if code:
            again = begin(account, words[0], "-p", str(prefix), *words[1:])
            assert again.wait(60) == 0
    assert damage.look(prefix).flaws == {}
    whole(account, prefix, {**dict.fromkeys(sorted(NAMES)[:5], "2.0"), "t5": "1.0"})


def test_two_creates_with_one_cold_cache(tmp_path: Path, url: str) -> None:
    """Both fill it at once or one is told to wait; what each made is whole, and so is the cache."""
    account = Account(tmp_path / "home")
    yml = yaml_of(account, url, *OLD)
    prefixes = [account.home / f"envs{n}/trunk" for n in range(2)]
    both = [begin(account, "create", str(yml), "-p", str(prefix)) for prefix in prefixes]
    codes = [p.wait(60) for p in both]
    assert 0 in codes
    assert set(codes) <= {0, Busy.code}
    for prefix, code in zip(prefixes, codes, strict=True):
        if code:
            assert begin(account, "create", str(yml), "-p", str(prefix)).wait(60) == 0
        assert damage.look(prefix).flaws == {}
        whole(account, prefix, dict.fromkeys(NAMES, "1.0"))
