"""`connect` where the program comes by a profile of the account, and the account has another shell."""

from __future__ import annotations

import shlex
import shutil

import pytest

from tests.cluster.lab import Lab
from tests.test_login_shell import PROFILES

pytestmark = pytest.mark.real


@pytest.mark.parametrize("shell", ["bash", "fish", "tcsh"])
def test_it_is_launched_as_after_a_log_in(lab: Lab, shell: str) -> None:
    """The profile prints, and sets what the program needs: found, launched, proven, stopped."""
    if not (path := shutil.which(shell)):
        pytest.skip(f"needs {shell}")
    name, profile = PROFILES[shell]
    tool = '[ "$PROJECT" = proj1 ] || exit 3'
    lab.cluster.login.sh(
        f"mkdir ~/apps; mkdir -p ~/{name}; rmdir ~/{name}; printf %s {shlex.quote(profile)} > ~/{name}; "
        f"mv ~/.local/bin/hpc-jupyter-setup ~/apps; sed -i '2i {tool}' ~/apps/hpc-jupyter-setup"
    )
    passwd = lab.cluster.base / "etc/passwd"
    before = passwd.read_text()
    try:
        passwd.write_text(before.replace("/home/alice:/bin/bash", f"/home/alice:{path}"))
        terminal = lab.connect()
        terminal.expect("lab.token=")
        terminal.sendintr()
        terminal.expect("tunnel is closed")
        terminal.send("s\r")
        terminal.expect("was stopped")
    finally:
        passwd.write_text(before)
