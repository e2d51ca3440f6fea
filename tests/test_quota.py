"""Quotas: what counts where the user writes, in the words of `quota`, `lfs quota` and a site's own command.

The programs are stand-ins that print what the real ones are documented to print.
"""

from __future__ import annotations

import grp
import os
from pathlib import Path

import pytest

from setup_wizard.places import place
from setup_wizard.quota import Quota, parse, quotas_of
from setup_wizard.sites.reading import VARIABLE
from setup_wizard.world import Mount, World

GROUP = grp.getgrgid(os.getegid()).gr_name
WRAPPED = """Disk quotas for user alice (uid 1000):
     Filesystem  blocks   quota   limit   grace   files   quota   limit   grace
server.example.org:/export/home/alice
                9823412* 9000000 11000000   6days  120000       0  200000
/dev/sda1           10       0       0              7       0       0
"""
SHORT = """Disk quotas for user alice (uid 1000):
     Filesystem   space   quota   limit   grace   files   quota   limit   grace
server.example.org:/export/home/alice
                  9594M*  8790M  10743M   6days    120k       0    200k
"""
LUSTRE = """Disk quotas for usr alice (uid 1000):
      Filesystem  kbytes   quota   limit   grace   files   quota   limit   grace
 /lustre/scratch [1234567]  10000000 11000000       -   12345  100000  110000       -
"""
PROJECT = """Disk quotas for prj 100010 (pid 100010):
      Filesystem    used   quota   limit   grace   files   quota   limit   grace
 /lustre/scratch   2.42G      0k     50G       -     511       0 1000000       -
"""


class Machine(World):
    """An ordinary user of a machine on whose mount table a test decides."""

    facts: Mount

    @property
    def uid(self) -> int:
        return 1000

    def mount(self, path: Path) -> Mount:
        return self.facts


@pytest.fixture
def machine(world: World, tmp_path: Path) -> Machine:
    """A user whose home is on a server, and whose PATH begins with a folder for stand-ins."""
    it = Machine(
        world.home, {**world.env, "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}, root=tmp_path / "root"
    )
    it.facts = Mount("server.example.org:/export/home/alice", "/home/alice", "nfs4")
    (tmp_path / "bin").mkdir()
    program(it, "quota", "exit 1")
    return it


def program(machine: World, name: str, script: str) -> None:
    """Put a stand-in into PATH."""
    path = Path(machine.env["PATH"].split(":")[0]) / name
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(0o755)


def site(machine: World, quota: str) -> None:
    """Make this machine a site of the user's own, with that command for quotas."""
    folder = machine.home / "sites"
    folder.mkdir(exist_ok=True)
    text = "name: hut\ntitle: x\nscheduler: local\nmarkers:\n  environment: {HUT: ''}\n"
    (folder / "hut.yml").write_text(f"{text}quota: [{quota}]\n")
    machine.env |= {VARIABLE: str(folder), "HUT": "1"}


def test_quota_is_read_in_all_its_shapes() -> None:
    """Wrapped names, stars, brackets, units, graces or none; lines without a limit are left out."""
    assert list(parse(WRAPPED)) == [
        Quota("server.example.org:/export/home/alice", 9823412 * 1024, 9000000 * 1024, 120000, 200000)
    ]
    assert list(parse(SHORT)) == [
        Quota("server.example.org:/export/home/alice", 9594 << 20, 8790 << 20, 120_000, 200_000)
    ]
    assert list(parse(LUSTRE)) == [Quota("/lustre/scratch", 1234567 * 1024, 10000000 * 1024, 12345, 100000)]
    (project,) = parse(PROJECT)
    assert (project.whose, project.limit_bytes, project.limit_files) == ("project 100010", 50 << 30, 10**6)
    assert project.used_bytes == int(2.42 * (1 << 30))
    for nothing in ("", "Disk quotas for user root (uid 0): none\n", "quota: error while getting\n  1 2 3\n"):
        assert list(parse(nothing)) == []


def test_quota_counts_what_is_left() -> None:
    """Free is what remains to the soft limit, never less than nothing; None where there is no limit."""
    (quota,) = parse(WRAPPED)
    assert (quota.free_bytes, quota.free_files) == (0, 80000)


def test_the_quota_of_the_right_file_system(machine: Machine) -> None:
    """The line for the device below the path counts; an exceeded quota exits 1 and counts too."""
    program(machine, "quota", f"[ \"$*\" = -w ] && cat <<'X'\n{WRAPPED}X\nexit 1")
    (found,) = quotas_of(machine, machine.home)
    assert (found.limit_bytes, found.whose) == (9000000 * 1024, "")
    machine.facts = Mount("/dev/other", "/", "ext4")
    assert quotas_of(machine, machine.home) == ()


def test_the_quota_of_the_group_counts_too(machine: Machine) -> None:
    """What is written belongs to a group, and its quota may be the shorter one: that is what is free."""
    head = "server.example.org:/export/home/alice"
    program(
        machine,
        "quota",
        f'[[ "$*" == "-w -g {GROUP}" ]] && echo "{head} 90 0 100 20 0 30" || cat <<"X"\n{SHORT}X',
    )
    there = place(machine, machine.home / "new" / "folder")
    assert [q.whose for q in there.quotas] == ["", f"group {GROUP}"]
    assert (there.free_bytes, there.free_files) == (0, 10)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to any group")
def test_a_folder_that_hands_on_its_group(machine: Machine) -> None:
    """In a folder of a project (setgid) files belong to that group, and its quota is asked for."""
    shared = machine.home / "shared"
    shared.mkdir()
    os.chown(shared, -1, 1)
    shared.chmod(0o2775)
    program(machine, "quota", 'echo "server.example.org:/export/home/alice 1 0 $(( ${#3} + 2 )) 0 0 0"')
    name = grp.getgrgid(1).gr_name
    assert name != GROUP
    assert [q.whose for q in quotas_of(machine, shared / "envs/x")] == ["", f"group {name}"]


def test_lustre_is_asked_for_user_group_and_project(machine: Machine) -> None:
    """`lfs quota` is asked for the mount point: user, group, and a project that is handed on."""
    machine.facts = Mount("10.0.0.1@o2ib:/scratch", "/lustre/scratch", "lustre")
    row = " /lustre/scratch {} 0 {} - 10 0 100 -"
    lines = [
        f'case "$*" in "quota -q -u student /lustre/scratch") echo "{row.format(1, 900)}";;',
        f'"quota -q -g {GROUP} /lustre/scratch") echo "{row.format(2, 800)}";;',
        f'"quota -q -p 7001 /lustre/scratch") echo "{row.format(3, 700)}";;',
        f'"project -d {os.path.realpath(machine.home)}") echo " 7001 $FLAG $3";;',
        "*) exit 1;; esac",
    ]
    program(machine, "lfs", "\n".join(lines))
    machine.env["FLAG"] = "P"
    found = quotas_of(machine, machine.home / "envs/new")
    assert [(q.whose, q.limit_bytes) for q in found] == [
        ("", 900 * 1024),
        (f"group {GROUP}", 800 * 1024),
        ("project 7001", 700 * 1024),
    ]
    machine.env["FLAG"] = "-"  # a project that what is made in the folder does not get
    assert [q.whose for q in quotas_of(machine, machine.home)] == ["", f"group {GROUP}"]


def test_a_site_tells_quotas_by_its_own_command(machine: Machine) -> None:
    """The command of a site file is run with its variables, and counts below the folder that it names."""
    program(machine, "showquota", 'echo "$2 10M 0 30M 0 0 500k"; echo "/elsewhere 10M 0 10M 0 0 1"')
    site(machine, "showquota -u $HOME, showquota -u /nowhere")
    there = place(machine, machine.home / "envs")
    assert (there.free_bytes, there.free_files) == (20 << 20, 500_000)
    assert len(there.quotas) == 1


def test_a_quota_server_that_is_away(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `quota` that never answers costs the patience once, however many could be asked."""
    monkeypatch.setattr("setup_wizard.quota.PATIENCE", 0.3)
    program(machine, "quota", f"echo x >> {machine.home}/asked; sleep 600")
    assert quotas_of(machine, machine.home, ("quota -s",)) == ()
    assert (machine.home / "asked").read_text() == "x\n"
