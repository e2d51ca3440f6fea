"""The rehearsal: the whole job with real parts, from a bare home to a proven kernel and back to the byte."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CACHE


@pytest.mark.real
def test_the_whole_job(tmp_path: Path) -> None:
    """`rehearse --yes --json` prints one object in which everything holds, and exits with 0.

    It starts from the rc files of a folder, keeps nothing, and needs no terminal.
    """
    rc = tmp_path / "rc"
    rc.mkdir()
    (rc / ".bashrc").write_bytes(b"# mine\r\nexport A=1")  # CRLF, no newline at the end
    (rc / ".bash_profile").write_text("echo hello from the login file >/dev/null\n")
    environ = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "XDG_CACHE_HOME": str(CACHE)}
    command = [sys.executable, "-m", "setup_wizard", "rehearse", "--yes", "--json", "--rc-from", str(rc)]
    result = subprocess.run(
        command, env=environ, cwd=tmp_path, text=True, capture_output=True, stdin=subprocess.DEVNULL
    )
    assert result.returncode == 0, result.stdout + result.stderr
    told = json.loads(result.stdout)
    assert told["ok"] is True
    assert set(told["seconds"]) == {"mirror", "setup", "launch", "second_run", "undo"}
    assert {s["state"] for s in told["steps"]} == {"made"}
    assert any("login shells read" in s["title"] for s in told["steps"])
    assert told["environment"]["name"] == "jupyterlab"
    assert told["environment"]["packages"] > 90
    assert told["proof"]["kernel_prefix"] == told["environment"]["prefix"]
    assert told["proof"]["answer"] == "42"
    assert "websocket" in told["proof"]["via"]
    assert told["second_run"] == {"changed": []}
    assert told["undo"]["home_identical"] is True
    assert told["url"].startswith("http://127.0.0.1:")
    assert not Path(told["home"]).exists()
