"""A real sshd on a port of loopback, with keys and a configuration of its own; it plays all nodes."""

from __future__ import annotations

import contextlib
import getpass
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import pytest


class SshServer:
    """`login` and `node` are names for it in the client's configuration `config`."""

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.folder, self.env = folder / "ssh", dict(env or {})
        self.folder.mkdir()
        self.config = self.folder / "config"
        program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
        if not program:
            pytest.skip("needs openssh-server")
        self.program = program
        with socket.create_server(("127.0.0.1", 0)) as s:
            self.port = s.getsockname()[1]
        for name in ("host", "user"):
            self._keygen("-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name))
        (self.folder / "authorized").write_text((self.folder / "user.pub").read_text())
        self._write()
        self.process: subprocess.Popen[bytes] | None = None

    def _keygen(self, *words: str) -> None:
        subprocess.run(["ssh-keygen", *words], check=True, capture_output=True, timeout=30)

    def _write(self) -> None:
        sent = " ".join(f'"{k}={v}"' for k, v in self.env.items())
        (self.folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host\nPidFile none\n"
            f"AuthorizedKeysFile {self.folder}/authorized\nStrictModes no\nUsePAM no\n"
            f"PasswordAuthentication no\nMaxStartups 100\n{f'SetEnv {sent}' if sent else ''}\n"
        )
        host = (self.folder / "host.pub").read_text()
        (self.folder / "known").write_text(f"[127.0.0.1]:{self.port} {host}")
        self.config.write_text(
            f"Host login node {socket.gethostname()}\n HostName 127.0.0.1\n Port {self.port}\n"
            f" User {getpass.getuser()}\n IdentityFile {self.folder}/user\n IdentitiesOnly yes\n"
            f" UserKnownHostsFile {self.folder}/known\n GlobalKnownHostsFile none\n"
            " StrictHostKeyChecking yes\n LogLevel ERROR\n"
        )

    def words(self, command: str) -> list[str]:
        """A printed ssh command with our configuration in place of the user's."""
        ssh, *rest = shlex.split(command)
        return [ssh, "-F", str(self.config), *rest]

    def start(self) -> None:
        """Listen; give back when it does."""
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [self.program, "-D", "-e", "-f", self.folder / "sshd_config"], stderr=-3
        )
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            assert time.monotonic() < deadline, "sshd does not start"
            time.sleep(0.02)

    def stop(self) -> None:
        """End it, and cut all connections."""
        assert self.process
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in (*children, str(self.process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), 9)
        self.process.wait()

    def __enter__(self) -> SshServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
