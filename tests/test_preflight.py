"""The preflight: every trouble that can be seen beforehand is found, at once, each with its fix."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from web_server import WebServer, mute, status

from setup_wizard import trees
from setup_wizard.places import places
from setup_wizard.preflight import Finding, Questions, look, network
from setup_wizard.world import Disk, Limits, Mount, World

GB = 10**9


class Account(World):
    """A machine whose facts a test can set; what is not set is the real one."""

    facts: dict[str, object]

    @property
    def system(self) -> tuple[str, str]:
        return self.facts.get("system", super().system)  # type: ignore[return-value]

    @property
    def glibc(self) -> str:
        return self.facts.get("glibc", super().glibc)  # type: ignore[return-value]

    @property
    def uid(self) -> int:
        return self.facts.get("uid", 1000)  # type: ignore[return-value]

    @property
    def limits(self) -> Limits:
        return self.facts.get("limits", Limits(None, None, None))  # type: ignore[return-value]

    def mount(self, path: Path) -> Mount:
        return self.facts.get("mount", super().mount(path))  # type: ignore[return-value]

    def disk(self, path: Path) -> Disk:
        return self.facts.get("disk", super().disk(path))  # type: ignore[return-value]


@pytest.fixture
def account(world: World, tmp_path: Path) -> Account:
    """A user on a machine with git, room and nothing else; the mirror that it asks is an empty folder."""
    it = Account(world.home, world.env, root=tmp_path / "root")
    it.facts = {"disk": Disk(100 * GB, 10**7, "ext4")}
    it.env["PATH"] = f"{tmp_path / 'bin'}:/usr/bin:/bin"
    (tmp_path / "bin").mkdir()
    return it


@pytest.fixture
def asked(tmp_path: Path) -> Questions:
    """Questions that ask no network."""
    return Questions(mirror=(tmp_path).as_uri())


def program(account: World, name: str, script: str) -> None:
    """Put a program into PATH."""
    path = Path(account.env["PATH"].split(":")[0]) / name
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(0o755)


def the(findings: list[Finding], start: str) -> Finding:
    """The one finding whose title begins so; what is not good has a detail and a fix."""
    (found,) = [f for f in findings if f.title.startswith(start)]
    assert found.level == "good" or (found.detail and found.fix)
    return found


def test_a_good_machine_is_green(account: Account, asked: Questions) -> None:
    """Where nothing is wrong every finding is good, and nothing on the account has changed."""
    before = trees.picture(account.home)
    findings = look(account, asked)
    assert [f for f in findings if f.level != "good"] == []
    assert len(findings) >= 8
    assert trees.picture(account.home) == before


def test_all_troubles_are_found_at_once(account: Account, asked: Questions) -> None:
    """One look at a machine with many troubles tells them all, each that is not good with its fix."""
    account.facts |= {"uid": 0, "glibc": "2.5", "limits": Limits(20, 1 << 30, 64), "disk": Disk(1, 1, "ext4")}
    account.env |= {"SHELL": "/bin/tcsh", "PYTHONPATH": "/x", "PYTHONHOME": "/y", "TMPDIR": "/no/such"}
    findings = look(account, asked)
    bad = [f for f in findings if f.level != "good"]
    assert len(bad) >= 8
    assert all(f.fix and f.detail for f in bad)


@pytest.mark.parametrize(
    ("system", "glibc", "families", "level", "words"),
    [
        (("Linux", "x86_64"), "2.28", ("miniconda", "miniforge"), "good", "Miniconda 26.5.3-1 and Miniforge"),
        (("Linux", "x86_64"), "2.12", ("miniconda", "miniforge"), "warn", "Miniconda needs glibc 2.17"),
        (("Linux", "x86_64"), "2.12", ("miniconda",), "bad", "Miniconda needs glibc 2.17"),
        (("Linux", "x86_64"), "", (), "bad", "musl"),
        (("Darwin", "arm64"), "", ("miniforge",), "bad", "supported is Linux on x86_64 and aarch64"),
    ],
)
def test_system_and_glibc(
    account: Account,
    asked: Questions,
    system: tuple[str, str],
    glibc: str,
    families: tuple[str, ...],
    level: str,
    words: str,
) -> None:
    """What runs here is said; what does not is bad when nothing else can be chosen."""
    account.facts |= {"system": system, "glibc": glibc}
    found = the(look(account, Questions(mirror=asked.mirror, families=families)), system[0])
    assert (found.level, words in found.detail) == (level, True)


def test_another_shell_gets_its_line(account: Account, asked: Questions) -> None:
    """The files of a shell that we do not edit are named, with the line to add in its own language."""
    account.env["SHELL"] = "/usr/bin/fish"
    found = the(look(account, asked), "Login shell fish")
    assert found.level == "warn"
    assert "config.fish" in found.fix
    assert "conda.fish" in found.fix


def test_root_is_told(account: Account, asked: Questions) -> None:
    """Root may go on, knowingly."""
    account.facts["uid"] = 0
    assert the(look(account, asked), "You are root").level == "warn"


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(50, None, None), "50 processes"),
        (Limits(None, 1 << 30, None), "memory 1.0 GiB"),
        (Limits(None, None, 64), "64 open files"),
    ],
)
def test_tight_limits_are_told(account: Account, asked: Questions, limits: Limits, words: str) -> None:
    """A login node that allows little is no surprise later."""
    account.facts["limits"] = limits
    assert words in the(look(account, asked), "Little is allowed here").title


def test_the_real_limits_are_read(world: World) -> None:
    """`ulimit -v` and `ulimit -n` of the shell that starts us are seen."""
    script = "from setup_wizard.world import World; print(World.here().limits)"
    python = world.own_python("x")[0]
    shell = 'ulimit -n 200; ulimit -v 2000000; exec "$0" -c "$1"'
    said = world.run(["bash", "-c", shell, python, script], env={**world.env, **world.own_python_env()})
    assert "open_files=200" in said.out, said.err
    memory = int(said.out.partition("memory=")[2].partition(",")[0])
    assert memory <= 2_000_000 * 1024


def test_no_git(account: Account, asked: Questions) -> None:
    """Without git there is a warning and how to get it, when notebooks are wanted."""
    account.env["PATH"] = account.env["PATH"].split(":")[0]
    assert the(look(account, asked), "No git").level == "warn"
    without = look(account, Questions(mirror=asked.mirror, notebooks=False))
    assert not [f for f in without if f.title in ("git", "No git")]


# --- room ---------------------------------------------------------------------------------------------


def test_too_little_room_is_bad_when_there_is_no_other(
    account: Account, asked: Questions, tmp_path: Path
) -> None:
    """A full home stops everything, or is a warning where another place has room."""
    account.facts["disk"] = Disk(GB, 10**7, "ext4")
    assert the(look(account, asked), "1.0 GB and 10,000,000 files free").level == "bad"
    account.facts["disk"] = Disk(100 * GB, 1000, "ext4")
    assert the(look(account, asked), "100.0 GB and 1,000 files free").level == "bad"


def test_a_real_small_disk_is_too_small(world: World, asked: Questions, tmp_path: Path) -> None:
    """The prefix on a real file system of 1 MB is bad, the home beside it good."""
    point = tmp_path / "small"
    point.mkdir()
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "x", point]).returncode:
        pytest.skip("only root can mount a small file system")
    try:
        findings = look(world, Questions(mirror=asked.mirror, prefix=point / "sw" / "miniconda3"))
        assert the(findings, "0.0 GB and").level == "bad"
    finally:
        subprocess.run(["umount", "-l", point], check=True)


def test_the_places_with_room_come_first(account: Account, tmp_path: Path) -> None:
    """$WORK is proposed when the home's quota is short; what is not there or not absolute is not."""
    work = tmp_path / "work"
    work.mkdir()
    account.env |= {"WORK": str(work), "PROJECT": "relative", "SCRATCH": str(tmp_path / "none")}
    assert [p.path for p in places(account)] == [account.home, work]
    program(
        account, "quota", f"echo '{account.mount(account.home).source} 9000000* 8000000 9000000 6days 1 0 0'"
    )
    first, *_ = places(account)
    assert first.quotas
    assert first.free_bytes == 0
    assert not first.has()


def test_a_prefix_that_cannot_be_is_found(account: Account, asked: Questions) -> None:
    """Spaces, length with the longest environment, letters outside ASCII, a folder that is there."""
    plain = account.home / "miniconda3"

    def levels(prefix: Path, *names: str) -> list[str]:
        questions = Questions(mirror=asked.mirror, prefix=prefix, environments=names)
        return [f.level for f in look(account, questions) if f.title.startswith("Prefix")]

    assert levels(plain, "jupyterlab") == []
    assert levels(account.home / "my conda") == ["bad"]
    assert levels(account.home / "ünïcode") == ["warn"]
    room = 127 - len(os.fsencode(f"#!{plain}/envs//bin/python3.14"))
    assert levels(plain, "x" * room) == []
    assert levels(plain, "x" * (room + 1)) == ["bad"]
    plain.mkdir()
    assert levels(plain) == ["bad"]
    trees.open_tree(account, plain)
    assert levels(plain) == []


def test_a_home_that_cannot_be_written(account: Account, asked: Questions) -> None:
    """No home, nothing to begin with."""
    account.home.rmdir()
    found = the(look(account, asked), f"Home {account.home}")
    assert (found.level, "is not there" in found.detail) == ("bad", True)


def test_a_home_on_the_network_is_said(account: Account, asked: Questions) -> None:
    """NFS and Lustre homes are usual; what it means is said, and nothing is asked of the user."""
    account.facts["mount"] = Mount("server:/home", str(account.home), "nfs4")
    found = the(look(account, asked), f"Home {account.home}")
    assert (found.level, "nfs4" in found.detail) == ("good", True)


def test_a_noexec_temporary_folder(account: Account, asked: Questions) -> None:
    """A noexec TMPDIR is a warning; one that is not there is bad, and its fix is to forget it."""
    account.facts["disk"] = Disk(100 * GB, 10**7, "ext4", noexec=True)
    assert "noexec" in the(look(account, asked), "Temporary folder").detail
    account.env["TMPDIR"] = "/no/such/folder"
    found = the(look(account, asked), "Temporary folder /no/such/folder")
    assert (found.level, found.fix) == ("bad", "unset TMPDIR")


def test_the_quota_is_shown(account: Account, asked: Questions) -> None:
    """Where a quota is short of what is needed, it is named with what is used of it."""
    source = account.mount(account.home).source
    program(account, "quota", f"[[ $2 == -g ]] || echo '{source} 7000000 8000000 9000000 100 0 0'")
    found = the(look(account, asked), "1.0 GB and 10,000,000 files free")
    assert found.level == "bad"
    assert "Your quota there: 7.2 GB of 8.2 GB used." in found.detail
    assert "The quota of the group" not in found.detail
    program(account, "quota", f"[[ $2 != -g ]] || echo '{source} 7000000 8000000 9000000 100 0 0'")
    found = the(look(account, asked), "1.0 GB and 10,000,000 files free")
    assert re.search(r"The quota of the group \S+ there: 7.2 GB of 8.2 GB used\.", found.detail)
    assert "Your quota" not in found.detail


# --- other Pythons ----------------------------------------------------------------------------------------


def test_what_leads_python_astray(account: Account, asked: Questions) -> None:
    """PYTHONPATH, PYTHONHOME and packages in ~/.local are named, with the way out."""
    account.env |= {"PYTHONPATH": "/x", "PYTHONHOME": "/y"}
    site = account.home / ".local/lib/python3.11/site-packages"
    for name in ("numpy-1.0", "zmq-2.0", "a-1", "b-1", "c-1"):
        (site / f"{name}.dist-info").mkdir(parents=True)
    (account.home / ".local/lib/python3.12/site-packages").mkdir(parents=True)
    findings = look(account, asked)
    assert "unset PYTHONPATH" in the(findings, "PYTHONPATH=/x").fix
    assert the(findings, "PYTHONHOME=/y").level == "warn"
    shadow = the(findings, "5 packages in")
    assert "a, b, c, numpy and 1 more" in shadow.detail


def test_other_condas_are_told(account: Account, asked: Questions) -> None:
    """One in an rc file is a warning, one in a usual place is offered, a dead one is named."""
    for name in ("miniconda3", "old"):
        root = account.home / name
        for file in ("bin/conda", "condabin/conda", "etc/profile.d/conda.sh", "conda-meta/history"):
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).touch(0o755)
    (account.home / ".bashrc").write_text(". ~/old/etc/profile.d/conda.sh\n. /gone/etc/profile.d/conda.sh\n")
    findings = look(account, asked)
    assert the(findings, f"Conda in {account.home}/old").level == "warn"
    assert "cannot be used" in the(findings, "Conda in /gone").detail
    assert the(findings, f"Miniconda in {account.home}/miniconda3").level == "good"
    trees.seal_tree(account, account.home / "old")
    assert not [f for f in look(account, asked) if f.title.endswith("/old")]


# --- network ----------------------------------------------------------------------------------------------


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A mirror."""
    with WebServer() as server:
        yield server


def test_only_the_mirror_is_asked(account: Account, web: WebServer) -> None:
    """With a mirror no other host is asked; an answer of any kind is an answer."""
    findings = look(account, Questions(mirror=web.url))
    assert the(findings, "127.0.0.1 can be reached").detail == "for everything"
    assert [(a.method, a.path) for a in web.asked] == [("HEAD", "/")]


def test_a_mirror_that_does_not_answer(
    account: Account, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A silent, a dead and a missing mirror are bad, and cost little time."""
    monkeypatch.setattr(network, "PATIENCE", 0.3)
    web.serve("/", b"x", mute)
    began = time.monotonic()
    assert the(look(account, Questions(mirror=web.url)), "127.0.0.1: needed for everything").level == "bad"
    assert the(look(account, Questions(mirror="http://127.0.0.1:1")), "127.0.0.1: needed").level == "bad"
    assert the(look(account, Questions(mirror="file:///no/such")), "file:").level == "bad"
    assert time.monotonic() - began < 5


def test_the_exact_hosts_are_asked(account: Account, web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the proxy every host is asked once; what can be done without is only a warning."""
    for name in ("CHANNEL", "GITHUB"):
        monkeypatch.setattr(network, name, f"http://{name.lower()}.example/x")
    monkeypatch.setattr("setup_wizard.conda.releases.MINICONDA", "http://miniconda.example")
    account.env["http_proxy"] = web.url.replace("//", "//user:secret@")
    web.serve("http://channel.example/x", b"", status(407))
    web.serve("http://miniconda.example/", b"", status(503))
    findings = look(account, Questions())
    assert sorted(a.path for a in web.asked) == [
        "http://channel.example/x",
        "http://github.example/x",
        "http://miniconda.example/",
    ]
    assert the(findings, "channel.example: needed for packages").level == "bad"
    assert the(findings, "miniconda.example").level == "warn"
    assert the(findings, "github.example can").detail == "for the Miniforge installer and example notebooks"
    assert the(findings, "http_proxy is set, https_proxy is not").level == "warn"
    proxy = the(findings, "Proxy http://127.0.0.1")
    assert "secret" not in proxy.title


def test_a_name_that_nobody_resolves_does_not_keep_us(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question that hangs beyond its patience counts as unreachable."""
    monkeypatch.setattr(network, "PATIENCE", 0.2)
    monkeypatch.setattr(network, "GRACE", 0.1)
    monkeypatch.setattr(network, "_trouble", lambda world, url: time.sleep(60))
    began = time.monotonic()
    findings = look(account, Questions())
    assert the(findings, "conda.anaconda.org: needed for packages").level == "bad"
    assert time.monotonic() - began < 3
