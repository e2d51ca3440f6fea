"""`connect` to a session behind the proxy of its site, whose certificate the site itself has signed."""

from __future__ import annotations

import pytest

from tests.cluster.lab import Lab

pytestmark = pytest.mark.real


def test_the_authority_of_the_site_is_brought_to_the_laptop(lab: Lab) -> None:
    """It is a file of the cluster: the proof runs with it on the laptop, which has no such file.

    What the address leads to needs no ssh: it answers while the login node's sshd is away.
    """
    lab.cluster.login.sh(f"cp {lab.cluster.rps.ca} ~/authority.pem")
    lab.site(ca=f"{lab.cluster.user.home}/authority.pem")
    terminal = lab.connect("--access", "rps", *lab.words)
    terminal.expect(r"(https://[a-z-]+\.rps\.test)/lab\?token=(\w+)")
    address, token = terminal.match.groups()
    (row,) = lab.run("sessions")["sessions"]
    lab.know(row["id"], f"{address}/lab?token={token}")
    lab.cluster.login.kill_all("sshd")
    assert '"version"' in lab.get("laptop", f"{address}/api")
    lab.cluster.start_sshd("login")
    lab.run("stop", "--all")
    terminal.expect("has ended")
