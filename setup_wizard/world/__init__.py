"""The only door to the machine: home, environment, programs, the web, the clock.

Everything that the core does to the outside goes through a `World`, so that one object tells what a run
may touch, and a test can hand in a real folder as home.
"""

from __future__ import annotations

import copy
import os
import platform
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from setup_wizard.errors import MachineBlocks
from setup_wizard.world import downloads, machine, ours, processes, programs, web
from setup_wizard.world.data import Disk, Limits, Mount, Output, Patience, Progress, Reply, Report, silent
from setup_wizard.world.downloads import make_private, sha256_of
from setup_wizard.world.processes import Started
from setup_wizard.world.straight import Ask, our_address, straight

if TYPE_CHECKING:
    from setup_wizard.world.terminals import Terminal

__all__ = [
    "APP",
    "Ask",
    "Disk",
    "Limits",
    "Mount",
    "Output",
    "Patience",
    "Progress",
    "Reply",
    "Report",
    "Started",
    "World",
    "make_private",
    "sha256_of",
    "silent",
]

APP = "hpc-jupyter-setup"


class World:
    """The user's machine, as one process sees it."""

    def __init__(
        self, home: Path, env: Mapping[str, str], *, patience: Patience | None = None, root: Path = Path("/")
    ) -> None:
        self.home = home
        self.env = dict(env)
        self.offline = self.env.get("CONDA_OFFLINE", "").lower() in ("1", "true", "yes", "on")  # conda's word
        self.patience = patience or Patience()
        self.root = root
        self.inherit: list[int] = []  # file descriptors that our programs keep open: the lock

    @classmethod
    def here(cls, *, offline: bool = False) -> World:
        """The machine we run on, for the user who called us. Raises MachineBlocks where there is no home."""
        home = os.environ.get("HOME") or str(Path.home())
        if not os.path.isdir(home):
            raise MachineBlocks(
                f"The home directory {home} does not exist.",
                fix="Log in again; if it stays so, ask whoever runs this machine.",
            )
        return cls(Path(home), {**os.environ, **({"CONDA_OFFLINE": "1"} if offline else {})})

    def in_a_hurry(self, seconds: float) -> World:
        """The same machine for a question that may stay unanswered: one try, and no silence longer."""
        twin = copy.copy(self)
        twin.patience = Patience(connect=seconds, silence=seconds, tries=1, slow_for=2 * seconds)
        return twin

    # --- places -----------------------------------------------------------------------------------------

    @property
    def state(self) -> Path:
        """Where the journal, the backups and the sessions are (0700)."""
        return self._xdg("XDG_STATE_HOME", ".local/state") / APP

    @property
    def cache(self) -> Path:
        """Where downloads and packages are (0700); can be deleted at any time."""
        return self._xdg("XDG_CACHE_HOME", ".cache") / APP

    @property
    def config(self) -> Path:
        """Where the user may put files for us; we only read here."""
        return self._xdg("XDG_CONFIG_HOME", ".config") / APP

    @property
    def jupyter_data(self) -> Path:
        """Where every Jupyter of the user looks for kernels, and makes a folder when it starts."""
        data = Path(self.env.get("XDG_DATA_HOME") or self.home / ".local/share")
        return Path(self.env.get("JUPYTER_DATA_DIR") or data / "jupyter")

    def _xdg(self, name: str, default: str) -> Path:
        value = self.env.get(name, "")
        return Path(value) if value.startswith("/") else self.home / default

    def which(self, program: str) -> Path | None:
        """The program of that name in PATH."""
        found = shutil.which(program, path=self.env.get("PATH", os.defpath))
        return Path(found) if found else None

    def disk(self, path: Path) -> Disk:
        """The file system that `path` is on, or would be on."""
        return machine.disk(path)

    def mount(self, path: Path) -> Mount:
        """The file system that `path` is on, or would be on, as the mount table has it."""
        return machine.mount(path)

    @property
    def limits(self) -> Limits:
        """What this process, and what it starts, may have."""
        return machine.limits()

    # --- facts ------------------------------------------------------------------------------------------

    @property
    def system(self) -> tuple[str, str]:
        """Operating system and processor as the installers name them: ("Linux", "x86_64")."""
        return platform.system(), platform.machine()

    @property
    def glibc(self) -> str:
        """The version of the C library, "" where it is not glibc."""
        return machine.glibc()

    @property
    def uid(self) -> int:
        return os.getuid()

    @property
    def hostname(self) -> str:
        return platform.node()

    @property
    def shell(self) -> str:
        """The name of the login shell: "bash"."""
        return Path(self.env.get("SHELL") or machine.login_shell()).name

    @property
    def on_terminal(self) -> bool:
        """Whether a person can see what we print and answer what we ask."""
        return sys.stdin.isatty() and sys.stdout.isatty()

    @property
    def pid(self) -> int:
        """Our own process id."""
        return os.getpid()

    @property
    def boot(self) -> str:
        """What names the machine's present life, from its start to its end."""
        return machine.boot()

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    # --- programs ---------------------------------------------------------------------------------------

    def clean_env(self, **more: str) -> dict[str, str]:
        """Our environment without what leads Python or conda astray, and with `more`."""
        return {**ours.sober(self.env), "HOME": str(self.home), "PYTHONNOUSERSITE": "1", **more}

    def own_python(self, module: str) -> list[str]:
        """The start of a command that runs a module of ours with the Python that we run in."""
        return [sys.executable, "-m", module]

    def own_python_env(self) -> dict[str, str]:
        """What a Python of ours needs to find this package, wherever HOME points."""
        return ours.python_path()

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        stdin: str = "",
        on_line: Callable[[str], None] | None = None,
        meanwhile: Callable[[], None] | None = None,
        timeout: float | None = None,
        silence: float | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Output:
        """Run a program to its end and give its answer. Never a shell string.

        `on_line` hears each line of standard output that is not empty, as it comes (a carriage return ends
        one too); `meanwhile` is called now and then while nothing comes. `timeout` limits the whole run,
        `silence` the time without any output, both in seconds; a program that exceeds one is killed: code
        -9. One that cannot be started answers 127 (not found) or 126. It dies with us, Ctrl-C ends it, and
        nothing of its process group is left behind.
        """
        its = dict(env) if env is not None else {**self.env, "HOME": str(self.home)}
        kept = tuple(self.inherit)
        call = programs.Call([str(a) for a in argv], its, cwd, stdin, kept, meanwhile)
        return programs.run(call, on_line, programs.Limits(timeout, silence))

    def lend_terminal(self, argv: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path) -> int:
        """Run a program that has our terminal while it runs; give its exit code."""
        return programs.lend_terminal([str(a) for a in argv], dict(env), cwd)

    def start(
        self, argv: Sequence[str | Path], *, log: Path, env: Mapping[str, str], cwd: Path | None = None
    ) -> Started:
        """Start a program that outlives us, its output in `log` (0600); what is given can end it."""
        return processes.start([str(a) for a in argv], log=log, env=env, cwd=cwd)

    def terminal(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path) -> Terminal:
        """Start a program on a terminal of its own, what it prints in `log`; MachineBlocks if it cannot."""
        from setup_wizard.world import terminals

        return terminals.Terminal(argv, env, cwd, log)

    def detach(self, log: Path) -> int:
        """Go on without terminal and caller, our output in `log`: gives 0 there, and its process id here."""
        return processes.detach(log)

    # --- processes of ours ------------------------------------------------------------------------------

    def born(self, pid: int) -> str:
        """When process `pid` started, as the kernel counts; "" when there is none (or only a zombie).

        Together with the id it names a process for good: ids come again, births do not.
        """
        return processes.born(pid)

    def signal(self, pid: int, born: str, number: int = signal.SIGTERM) -> bool:
        """Send a signal to that very process; False when it is gone."""
        return processes.signalled(pid, born, number)

    def marked(self, mark: str) -> list[tuple[int, str]]:
        """Pid and birth of each other process of ours that has `mark` ("NAME=value") in its environment."""
        return processes.marked(mark)

    def programs(self) -> dict[int, Path]:
        """The program of each process of ours, by its id, but for us and whom we come from."""
        return processes.programs()

    # --- the web ----------------------------------------------------------------------------------------

    def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        proxies: bool = True,
        tries: int = 0,
    ) -> Reply:
        """The answer to a GET (or HEAD), whatever its status below 500; TLS is verified. `file:` works too.

        `proxies=False` goes straight, for addresses on this machine. Raises NetworkTrouble when nobody
        answers after `tries` attempts (0: as the world's patience says), BadInput for what is no address.
        """
        if url.startswith("file:"):
            return web.read_file(url)
        return self._web.fetch(method, url, headers or {}, proxies, tries)

    def download(self, url: str, path: Path, *, sha256: str, size: int = 0, report: Report = silent) -> Path:
        """Fetch a file whose SHA-256 is known; resume after a break, verify, then rename into place.

        A file that is already there with the right hash is kept. `size` in bytes, where known, shows
        progress and catches a truncated answer. Raises NetworkTrouble, or MachineBlocks when it cannot be
        written; leaves nothing under the final name that did not match, and a `.part` to go on from.
        """
        return downloads.download(self._web, downloads.Wanted(url, path, sha256.lower(), size), report)

    def call(self, ask: Ask) -> Reply:
        """One request straight to the server that the URL names: no proxy, no redirect, no second try.

        For servers of our own, where nobody else's answer may count. Any status is an answer; a header that
        came several times has its values on lines of their own. Raises NetworkTrouble when nobody answers.
        """
        return straight(ask)

    def our_address(self, url: str) -> str:
        """Our own IPv4 address on the way to the server of a URL; NetworkTrouble when there is no way."""
        return our_address(url)

    def proxy(self, url: str) -> str:
        """The proxy that the environment names for a URL, "" for none."""
        return web.proxy_for(url, self.env)

    @property
    def _web(self) -> web.Web:
        return web.Web(self.patience, self.env, self.sleep)
