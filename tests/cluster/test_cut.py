"""`connect` and a network that goes away before the session is ready."""

from __future__ import annotations

import pytest

from tests.cluster.lab import Lab
from tests.cluster.machine import until

pytestmark = pytest.mark.real


def test_the_cable_is_pulled_while_the_job_is_queued(lab: Lab) -> None:
    """The lid is closed and opened: the same job is followed to its end, and no second one is submitted."""
    login, laptop = lab.cluster.login, lab.cluster.laptop
    login.sh("sbatch -p debug --exclusive --wrap 'sleep 300' -o /dev/null")
    until(lambda: "R" in login.sh("squeue -h -o %t"))
    terminal = lab.connect()
    terminal.expect(r"([a-z]+-[a-z]+) was launched on login")
    name = terminal.match[1]
    terminal.expect(f"{name}: waiting")
    laptop.unplug()
    terminal.expect("is away")
    laptop.plug()
    terminal.expect(f"{name}: waiting")
    login.sh("scancel -n wrap")
    terminal.expect("lab.token=")
    assert [row["id"] for row in lab.run("sessions")["sessions"]] == [name]
    lab.run("stop", name)
    terminal.expect("has ended")


def test_the_cable_is_pulled_while_the_job_is_submitted(lab: Lab) -> None:
    """The scheduler takes its time, and the network goes: what came of it is heard, and it is one job."""
    cluster = lab.cluster
    sbatch = cluster.login.sh("command -v sbatch").strip()
    slow = f'#!/bin/sh\necho >>~/asked\nuntil [ -e ~/go ]; do sleep 0.05; done\nexec {sbatch} "$@"\n'
    cluster.login.sh("mkdir ~/slow; cat > ~/slow/sbatch; chmod +x ~/slow/sbatch", input=slow)
    cluster.login.sh("sed -i 's,exec env,& PATH=$HOME/slow:$PATH,' ~/.local/bin/hpc-jupyter-setup")
    terminal = lab.connect()
    until((cluster.home / "asked").exists)
    cluster.laptop.unplug()
    terminal.expect("is away")
    cluster.login.sh("touch ~/go")
    cluster.laptop.plug()
    terminal.expect("lab.token=")
    assert (cluster.home / "asked").read_text() == "\n"
    assert len(cluster.login.sh("squeue -h").splitlines()) == 1
    lab.run("stop", "--all")
    terminal.expect("has ended")


def test_who_is_not_there_when_ssh_asks_is_asked_again(lab: Lab) -> None:
    """The connection is lost, ssh asks for the password, and the host gives up meanwhile: it asks again."""
    cluster, login = lab.cluster, lab.cluster.login
    asks = ("-oPasswordAuthentication=yes", "-oPubkeyAuthentication=no")
    passwd = cluster.base / "etc/passwd"
    before = passwd.read_text()
    made = cluster.laptop.sh("openssl passwd -6 correct-horse").strip()
    cluster.ssh_with("login", *asks)
    cluster.refuse_ssh("c1")
    try:
        passwd.write_text(before.replace("alice:*:", f"alice:{made}:"))
        terminal = lab.connect()
        terminal.expect("[Pp]assword:")
        terminal.sendline("correct-horse")
        terminal.expect("The tunnel goes")
        cluster.ssh_with("login", *asks, "-oLoginGraceTime=5")
        login.sh("pkill -u alice sshd", user="root")
        terminal.expect("[Pp]assword:")
        until(lambda: not login.run(["pgrep", "-f", r"sshd: .*\[net\]"], user="root").stdout)
        terminal.sendline("correct-horse")
        terminal.expect("[Pp]assword:")
        terminal.sendline("correct-horse")
        lab.run("stop", "--all")
        terminal.expect("has ended")
    finally:
        passwd.write_text(before)
        cluster.ssh_with("login")
