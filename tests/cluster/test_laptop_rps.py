"""`connect` to a session behind the proxy of its site, whose certificate the site itself has signed."""

from __future__ import annotations

import pytest

from tests.cluster.lab import Lab

pytestmark = pytest.mark.real


def test_the_authority_of_the_site_is_brought_to_the_laptop(lab: Lab) -> None:
    """It is a file of the cluster: the proof runs with it on the laptop, which has no such file."""
    lab.cluster.login.sh(f"cp {lab.cluster.rps.ca} ~/authority.pem")
    lab.site(ca=f"{lab.cluster.user.home}/authority.pem")
    terminal = lab.connect("--access", "rps", *lab.words)
    terminal.expect(r"https://[a-z-]+\.rps\.test/lab\?token=")
    lab.run("stop", "--all")
    terminal.expect("has ended")
