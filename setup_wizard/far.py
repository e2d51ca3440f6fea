"""A login node, over one ssh connection that everything else goes through.

The connection is a master of ssh's own (ControlMaster): who logged in once, with a second factor perhaps, is
not asked again. A host whose key is not the one that is known is never spoken to.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from setup_wizard.errors import MachineBlocks, NetworkTrouble, SetupError
from setup_wizard.login_shell import BEGINS, as_after_login, joined
from setup_wizard.world import Output, World
from setup_wizard.world.nooks import Nook

TOOL = "hpc-jupyter-setup"
# Who typed a password is not asked for it again after a short cut; the tunnel itself notices one sooner.
KEEP = ("ServerAliveInterval=4", "ServerAliveCountMax=3")
# Forwards of the user's own configuration are none of ours: one whose port is taken would end the connection.
NO_OTHERS = "ClearAllForwardings=yes"
PATIENT, SOON = 10, 2  # seconds for a log-in where the network is well, and while it may be away
REMOTE = 120.0  # seconds for a command there
LOCAL = 20.0  # seconds for a word with our own master
ASKED = 60.0  # seconds for a log-in that asks nobody
FIND = (
    f'for p in "$HOME/.local/bin/{TOOL}" "$(command -v {TOOL})"; '
    'do if [ -x "$p" ]; then echo "tool $p"; "$p" --version; exit 0; fi; done'
)
# ssh's word for a log-in that needed no answer of a person's: not of a key as the first of two factors
BY_KEY = re.compile(r'^Authenticated to .* using "publickey"', re.MULTILINE)
T = TypeVar("T")


@dataclass
class Far:
    """The login node `host` ("user@name"); `nook` holds the sockets.

    `config` is another configuration for ssh than the usual one, "" for that.
    """

    world: World
    host: str
    nook: Nook
    config: str = ""
    alone: bool = False  # whether it let us in by the key alone
    _bare: bool = False  # whether its login shell runs no command of ours
    _tool: str = ""
    _version: str = ""

    @property
    def folder(self) -> Path:
        """Where the sockets are, and what the ssh programs say."""
        return self.nook.folder

    def ssh(self, *words: str) -> list[str]:
        """The start of an ssh command, with our configuration."""
        return ["ssh", *(("-F", self.config) if self.config else ()), *words]

    def back_to(self, session: str) -> str:
        """The command that comes back to a session there."""
        config = f" -F {shlex.quote(self.config)}" if self.config else ""
        return f"{TOOL} connect{config} {self.host} --session {session}"

    @property
    def socket(self) -> str:
        """Where the master listens."""
        return str(self.folder / "m")

    def open(self, *, batch: bool, patience: int = PATIENT) -> None:
        """Log in; with `batch` without asking anybody. A SetupError says why not.

        `patience` in seconds is how long the host may say nothing.
        """
        Path(self.socket).unlink(missing_ok=True)  # one that was killed left it behind
        log = self.folder / "log"
        log.write_text("")
        keep = (
            f"BatchMode={'yes' if batch else 'no'}",
            f"ConnectTimeout={patience}",
            "LogLevel=VERBOSE",
            NO_OTHERS,
            *KEEP,
        )
        words = [f"-o{k}" for k in keep]
        argv = self.ssh("-M", "-S", self.socket, "-f", "-N", "-T", "-E", str(log), *words, self.host)
        code = self.world.run(argv, timeout=ASKED).code if batch else self._ask(argv)
        said = log.read_text()
        if code != 0:
            raise refused(self.host, said)
        self.alone = bool(BY_KEY.search(said))

    def _ask(self, argv: list[str]) -> int:
        return self.world.lend_terminal(argv, env=self.world.env, cwd=self.world.home)

    def is_open(self) -> bool:
        """Whether the connection still stands."""
        return self.control("m", "check")

    def close(self) -> None:
        """End the connection, and all that goes through it."""
        self.control("m", "exit")

    def answers(self, seconds: float) -> bool:
        """Whether the host says something within so many seconds."""
        try:
            return self.is_open() and self.run("true", timeout=seconds).code == 0
        except NetworkTrouble:
            return False

    def run(
        self,
        *words: str,
        timeout: float = REMOTE,
        stdin: str = "",
        on_line: Callable[[str], None] | None = None,
    ) -> Output:
        """Run a command there. 255 is ssh's own trouble, and NetworkTrouble, as is no end in time."""
        argv = self.through(joined(words))
        output = self.world.run(argv, timeout=timeout, stdin=stdin, on_line=on_line)
        if output.code == -9:
            raise NetworkTrouble(
                f"{self.host} has not answered within {timeout:.0f} s.", fix="Try again in a while."
            )
        if output.code == 255:
            raise NetworkTrouble(f"The connection to {self.host} is gone.", fix="Connect again.")
        return output

    def inside(
        self,
        *words: str,
        timeout: float = REMOTE,
        stdin: str = "",
        on_line: Callable[[str], None] | None = None,
    ) -> Output:
        """Run a command there as after a log-in: with what profiles set, and without what they print.

        Where the login shell does not come to it (a profile that becomes another program), it runs bare.
        """
        begun = False

        def hear(line: str) -> None:
            nonlocal begun
            if begun and on_line:
                on_line(line)
            begun = begun or line.endswith(BEGINS)

        if not self._bare:
            output = self.run(*as_after_login(words), timeout=timeout, stdin=stdin, on_line=hear)
            _, mark, said = output.out.partition(f"{BEGINS}\n")
            if mark:
                return Output(output.code, said, output.err)
            self._bare = True
        return self.run(*words, timeout=timeout, stdin=stdin, on_line=on_line)

    def through(self, command: str) -> list[str]:
        """The ssh that runs a line of shell there, through the connection that stands and no other."""
        only = ("ControlMaster=no", "BatchMode=yes", "ProxyCommand=false", NO_OTHERS)
        return self.ssh("-S", self.socket, *(f"-o{k}" for k in only), "-T", self.host, command)

    def told(self, words: Sequence[str], kind: type[T]) -> T:
        """What our program there answers, as JSON; its errors are raised here as they are there."""
        return self.understood(self.inside(self.tool(), *words), kind, (TOOL, *words))

    def understood(self, output: Output, kind: type[T], words: Sequence[str]) -> T:
        """What the command `words` there has answered, as JSON; the same errors."""
        line = next((x for x in reversed(output.out.splitlines()) if x.startswith("{")), "")
        text = line if line and output.out.rstrip().endswith(line) else output.out[output.out.find("{") :]
        try:
            said = json.loads(text)
            if not said.get("ok", True) and "error" in said:
                raise self._error(said["error"])
            return msgspec.convert(said, kind)
        except (ValueError, AttributeError, KeyError, msgspec.ValidationError) as e:
            last = (output.err.strip() or output.out.strip() or "nothing").splitlines()[-1]
            raise MachineBlocks(
                f"«{' '.join(words[:2])}» on {self.host} answered: {last[:300]}",
                fix=f"Try it there: ssh {self.host} {shlex.join(words)}",
            ) from e

    def _error(self, said: Mapping[str, Any]) -> SetupError:
        """An error there, as it is one here."""
        error = SetupError(f"{self.host}: {said['problem']}", fix=said["fix"])
        error.code = said.get("code", error.code)
        return error

    def tool(self) -> str:
        """Our program there."""
        if not self.version():
            raise MachineBlocks(
                f"{TOOL} is not installed on {self.host}.",
                fix=f"Install it there, in your home: {TOOL} connect {self.host} --install",
            )
        return self._tool

    def version(self) -> str:
        """The version of our program there; "" when there is none."""
        if not self._version:
            said = self.inside("sh", "-c", FIND).out.splitlines()
            self._tool = next((line[5:] for line in said if line.startswith("tool /")), "")
            known = next((line.split()[1] for line in said if line.startswith(f"{TOOL} ")), "0")
            self._version = known if self._tool else ""
        return self._version

    def look_again(self) -> None:
        """Forget where our program was there: it has just been installed."""
        self._tool = self._version = ""

    def read(self, path: str) -> str:
        """The text of a file there; it comes encrypted, and is in no command line."""
        output = self.run("cat", path)
        if output.code != 0:
            raise MachineBlocks(
                f"{self.host}: {output.err.strip()}",
                fix=f"See whether it still runs: ssh {self.host} {TOOL} sessions",
            )
        return output.out

    def forward(self, spec: str) -> bool:
        """Lead a local port there; False when it is taken."""
        return self.control("m", "forward", "-L", spec)

    def cancel(self, spec: str) -> None:
        """Lead it there no longer."""
        self.control("m", "cancel", "-L", spec)

    def control(self, socket: str, word: str, *more: str) -> bool:
        """Say a word of ssh's own to the master that listens there; whether it has done that.

        It is not asked for what the user's configuration has on that host.
        """
        argv = ["ssh", "-F", "none", "-S", str(self.folder / socket), "-O", word, *more, self.host]
        return self.world.run(argv, timeout=LOCAL).code == 0


def refused(host: str, log: str) -> SetupError:
    """What ssh's own words mean when it did not log in."""
    last = (log.strip().splitlines() or ["it said nothing"])[-1]
    if "IDENTIFICATION HAS CHANGED" in log:
        name = host.rpartition("@")[2]
        return MachineBlocks(
            f"The key of {host} is not the one that this machine knows. Somebody may stand between you "
            "and it, so nothing was sent.",
            fix=f"Ask your centre whether the key was changed; only if they say so: ssh-keygen -R {name}",
        )
    if "Host key verification failed" in log:
        return MachineBlocks(
            f"This machine does not know {host} yet.",
            fix=f"Log in once by hand, and compare the key with what your centre tells: ssh {host}",
        )
    if "Permission denied" in log or "Too many authentication failures" in log:
        return MachineBlocks(f"{host} does not let you in: {last}", fix=f"See why: ssh -v {host}")
    return NetworkTrouble(
        f"{host} could not be reached: {last}", fix=f"See whether you come there: ssh {host}"
    )
