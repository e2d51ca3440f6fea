"""The only door to the machine: home, environment, programs, the web, the clock.

Everything that the core does to the outside goes through a `World`, so that one object tells what a run
may touch, and a test can hand in a real folder as home.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from setup_wizard.errors import CommandFailed, MachineBlocks, NetworkTrouble

if TYPE_CHECKING:
    import httpx

APP = "hpc-jupyter-setup"
PR_SET_PDEATHSIG = 1  # prctl(2): the kernel ends the child when we die, however we die


@dataclass(frozen=True)
class Output:
    """What a program answered: exit code (negative: ended by that signal), standard output and error."""

    code: int
    out: str = ""
    err: str = ""


@dataclass(frozen=True)
class Reply:
    """What a web server answered: status, body, headers with lower-case names."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


@dataclass(frozen=True)
class Progress:
    """One moment of a longer work: `done` of `total` (0: unknown), in `unit` ("B", "packages", "")."""

    title: str
    done: float = 0
    total: float = 0
    unit: str = ""


Report = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """A report that nobody reads."""


@dataclass(frozen=True)
class Disk:
    """The file system below a path: free bytes and free inodes (None: the file system has no such limit)."""

    free_bytes: int
    free_files: int | None
    kind: str


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, in seconds, and how often to try again."""

    connect: float = 15
    silence: float = 30
    tries: int = 4
    pause: float = 1.0
    slowest: int = 2_000  # bytes per second below which a download counts as stuck
    slow_for: float = 60


class World:
    """The user's machine, as one process sees it."""

    def __init__(
        self, home: Path, env: Mapping[str, str], *, patience: Patience | None = None, root: Path = Path("/")
    ) -> None:
        self.home = home
        self.env = dict(env)
        self.patience = patience or Patience()
        self.root = root
        self.inherit: list[int] = []  # file descriptors that our programs keep open: the lock

    @classmethod
    def here(cls) -> World:
        """The machine we run on, for the user who called us."""
        home = os.environ.get("HOME") or str(Path.home())
        return cls(Path(home), os.environ)

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

    def _xdg(self, name: str, default: str) -> Path:
        value = self.env.get(name, "")
        return Path(value) if value.startswith("/") else self.home / default

    def which(self, program: str) -> Path | None:
        """The program of that name in PATH."""
        found = shutil.which(program, path=self.env.get("PATH", os.defpath))
        return Path(found) if found else None

    def disk(self, path: Path) -> Disk:
        """The file system that `path` is on, or would be on."""
        while not path.exists():
            path = path.parent
        s = os.statvfs(path)
        return Disk(s.f_bavail * s.f_frsize, s.f_favail if s.f_files else None, self._file_system(path))

    def _file_system(self, path: Path) -> str:
        best, kind = "", "unknown"
        real = str(path.resolve())
        try:
            lines = Path("/proc/self/mounts").read_text(errors="replace").splitlines()
        except OSError:
            return kind
        for line in lines:
            _, point, fs_type, *_ = line.split(" ")
            inside = real == point or real.startswith(point.rstrip("/") + "/")
            if inside and len(point) >= len(best):
                best, kind = point, fs_type
        return kind

    # --- facts ------------------------------------------------------------------------------------------

    @property
    def system(self) -> tuple[str, str]:
        """Operating system and processor as the installers name them: ("Linux", "x86_64")."""
        return platform.system(), platform.machine()

    @property
    def glibc(self) -> str:
        """The version of the C library, "" where it is not glibc."""
        try:
            name = os.confstr("CS_GNU_LIBC_VERSION") or ""
        except (ValueError, OSError):
            name = ""
        return name.removeprefix("glibc ")

    @property
    def uid(self) -> int:
        return os.getuid()

    @property
    def hostname(self) -> str:
        return platform.node()

    @property
    def shell(self) -> str:
        """The name of the login shell: "bash"."""
        return Path(self.env.get("SHELL") or _login_shell()).name

    @property
    def on_terminal(self) -> bool:
        """Whether a person can see what we print and answer what we ask."""
        return sys.stdin.isatty() and sys.stdout.isatty()

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    # --- programs ---------------------------------------------------------------------------------------

    def clean_env(self, **more: str) -> dict[str, str]:
        """Our environment without what leads Python or conda astray, and with `more`."""
        astray = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "LD_PRELOAD", "BASH_ENV", "VIRTUAL_ENV")
        kept = {k: v for k, v in self.env.items() if k not in astray and not k.startswith("CONDA_")}
        return {**kept, "HOME": str(self.home), "PYTHONNOUSERSITE": "1", **more}

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        stdin: str = "",
        on_line: Callable[[str], None] | None = None,
        timeout: float | None = None,
        silence: float | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Output:
        """Run a program to its end and give its answer. Never a shell string.

        `on_line` hears each line of standard output as it comes (a carriage return ends a line too).
        `timeout` limits the whole run, `silence` the time without any output, both in seconds; a program
        that exceeds one is killed and answers with code -9. The program dies with us, and Ctrl-C ends it.
        """
        try:
            child = subprocess.Popen(
                [str(a) for a in argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(env) if env is not None else {**self.env, "HOME": str(self.home)},
                cwd=cwd,
                start_new_session=True,
                pass_fds=self.inherit,
                preexec_fn=_die_with_parent,
            )
        except OSError as e:
            return Output(127 if isinstance(e, FileNotFoundError) else 126, err=f"{argv[0]}: {e.strerror}")
        try:
            return _converse(child, stdin, on_line, timeout, silence)
        finally:
            _end(child)

    def must_run(
        self,
        argv: Sequence[str | Path],
        *,
        fix: str,
        on_line: Callable[[str], None] | None = None,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Output:
        """Like `run`, but an exit code other than 0 is a `CommandFailed` with the last lines and the fix."""
        output = self.run(argv, on_line=on_line, timeout=timeout, env=env, cwd=cwd)
        if output.code:
            said = "\n".join((output.err.strip() or output.out.strip()).splitlines()[-6:])
            name = " ".join(str(a) for a in argv[:3])
            raise CommandFailed(f"`{name}` ended with exit code {output.code}.\n{said}".rstrip(), fix=fix)
        return output

    def start(
        self, argv: Sequence[str | Path], *, log: Path, env: Mapping[str, str], cwd: Path | None = None
    ) -> int:
        """Start a program that outlives us, its output in `log` (0600); give its process id."""
        with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as out:
            child = subprocess.Popen(
                [str(a) for a in argv],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        child.returncode = 0  # it is not ours to wait for
        return child.pid

    def become(self, argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> None:
        """Replace this process by a program."""
        os.execvpe(str(argv[0]), [str(a) for a in argv], dict(env) if env is not None else self.env)

    # --- processes of ours ------------------------------------------------------------------------------

    def born(self, pid: int) -> str:
        """When process `pid` started, as the kernel counts; "" when there is none (or only a zombie).

        Together with the id it names a process for good: ids come again, births do not.
        """
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            return ""
        return "" if fields[0] in "ZX" else fields[19]

    def signal(self, pid: int, born: str, number: int = signal.SIGTERM) -> bool:
        """Send a signal to that very process; False when it is gone."""
        if not born or self.born(pid) != born:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    # --- the web ----------------------------------------------------------------------------------------

    def fetch(
        self, url: str, *, headers: Mapping[str, str] | None = None, proxies: bool = True, tries: int = 0
    ) -> Reply:
        """The answer to a GET, whatever its status; TLS is verified. `file:` works too.

        `proxies=False` goes straight, for addresses on this machine. Raises NetworkTrouble when nobody
        answers after `tries` attempts (0: as the world's patience says).
        """
        if url.startswith("file:"):
            return _file_reply(url)
        import httpx

        trouble: Exception | None = None
        for attempt in range(tries or self.patience.tries):
            if attempt:
                self.sleep(self.patience.pause * attempt)
            try:
                with self._client(proxies) as client:
                    r = client.get(url, headers=dict(headers or {}))
                if r.status_code < 500:
                    return Reply(r.status_code, r.content, {k.lower(): v for k, v in r.headers.items()})
                trouble = NetworkTrouble(f"{url} answered {r.status_code}.", fix="Try again in a while.")
            except (httpx.HTTPError, OSError) as e:
                trouble = e
        raise _unreachable(url, trouble)

    def _client(self, proxies: bool = True) -> httpx.Client:
        import httpx

        limits = httpx.Timeout(self.patience.silence, connect=self.patience.connect)
        return httpx.Client(follow_redirects=True, timeout=limits, trust_env=proxies)

    def download(self, url: str, path: Path, *, sha256: str, size: int = 0, report: Report = silent) -> Path:
        """Fetch a file whose SHA-256 is known; resume after a break, verify, then rename into place.

        A file that is already there with the right hash is kept. `size` in bytes, where known, shows
        progress and catches a truncated answer. Raises NetworkTrouble; leaves nothing under the final name
        that did not match.
        """
        if not sha256:
            raise NetworkTrouble(
                f"There is no SHA-256 for {url}, so it will not be used.",
                fix="Choose a release whose hash is known, or give a mirror that lists it.",
            )
        if path.exists() and sha256_of(path) == sha256:
            return path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = path.with_name(path.name + ".part")
        for attempt in range(self.patience.tries):
            if attempt:
                self.sleep(self.patience.pause * attempt)
            trouble = self._download_once(url, part, size, report)
            if trouble is None and sha256_of(part) == sha256:
                os.replace(part, path)
                return path
            if trouble is None:
                got = sha256_of(part)
                looks = _looks_like_html(part)
                part.unlink()
                trouble = _wrong_bytes(url, sha256, got, looks)
            elif not isinstance(trouble, _Broken):
                break
        if isinstance(trouble, NetworkTrouble):
            raise trouble
        raise _unreachable(url, trouble)

    def _download_once(self, url: str, part: Path, size: int, report: Report) -> Exception | None:
        """One attempt, on from what `part` holds; None when the server's answer is complete."""
        if url.startswith("file:"):
            return _copy_file(url, part)
        import httpx

        have = part.stat().st_size if part.exists() else 0
        if have and have == size:
            return None
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
        try:
            with self._client() as client, client.stream("GET", url, headers=headers) as r:
                if r.status_code == 416:
                    part.unlink()
                    return _Broken(f"{url}: the broken download could not be resumed")
                if r.status_code >= 400:
                    return _bad_status(url, r.status_code)
                if r.status_code != 206:
                    have = 0
                return self._save(r, part, have, size, report)
        except (httpx.HTTPError, OSError) as e:
            if isinstance(e, OSError) and e.errno is not None and not isinstance(e, ConnectionError):
                raise _cannot_write(part, e) from e
            return _Broken(_cause(e))

    def _save(self, r: httpx.Response, part: Path, have: int, size: int, report: Report) -> Exception | None:
        length = int(r.headers.get("content-length") or 0)
        total = size or (have + length)
        began, began_at = have, self.now()
        with part.open("ab" if have else "wb") as f:
            for chunk in r.iter_bytes(1 << 18):
                f.write(chunk)
                have += len(chunk)
                report(Progress(part.stem, have, total, "B"))
                took = self.now() - began_at
                if took > self.patience.slow_for:
                    if (have - began) / took < self.patience.slowest:
                        return _Broken(f"less than {self.patience.slowest} bytes a second for {took:.0f} s")
                    began, began_at = have, self.now()
        return _Broken(f"ended after {have} of {total} bytes") if have < total else None


class _Broken(Exception):
    """A download that stopped on the way and can go on."""


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in lower-case hex."""
    digest = hashlib.sha256()
    with path.open("rb") as f:
        while block := f.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _login_shell() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_shell
    except KeyError:
        return ""


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Leave no process of the child's group behind."""
    if child.poll() is None:
        for number, patience in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0)):
            try:
                os.killpg(child.pid, number)
                child.wait(patience)
                break
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
    for stream in (child.stdin, child.stdout, child.stderr):
        if stream and not stream.closed:
            try:
                stream.close()
            except OSError:
                continue


def _converse(
    child: subprocess.Popen[bytes],
    stdin: str,
    on_line: Callable[[str], None] | None,
    timeout: float | None,
    silence: float | None,
) -> Output:
    """Feed the child, hear it, and mind the clock."""
    assert child.stdin
    assert child.stdout
    assert child.stderr
    heard: dict[str, bytearray] = {"out": bytearray(), "err": bytearray()}
    began = last = time.monotonic()
    rest, to_send = b"", stdin.encode()
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ, "out")
        selector.register(child.stderr, selectors.EVENT_READ, "err")
        if to_send:
            selector.register(child.stdin, selectors.EVENT_WRITE, "in")
        else:
            child.stdin.close()
        while len([k for k in selector.get_map().values() if k.data != "in"]):
            ready = selector.select(0.2 if timeout or silence else None)
            now = time.monotonic()
            if (timeout and now - began > timeout) or (silence and now - last > silence):
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                return Output(-9, _text(heard["out"]), _text(heard["err"]) + "\n(killed: it took too long)")
            for key, _ in ready:
                if key.data == "in":
                    to_send = _feed(child, to_send, selector)
                    continue
                block = os.read(key.fd, 1 << 16)
                last = now
                if not block:
                    selector.unregister(key.fileobj)
                    continue
                heard[key.data] += block
                if key.data == "out" and on_line:
                    *lines, rest = (rest + block).replace(b"\r", b"\n").split(b"\n")
                    for line in lines:
                        on_line(line.decode("utf-8", "replace"))
    if rest and on_line:
        on_line(rest.decode("utf-8", "replace"))
    return Output(child.wait(), _text(heard["out"]), _text(heard["err"]))


def _feed(child: subprocess.Popen[bytes], to_send: bytes, selector: selectors.BaseSelector) -> bytes:
    assert child.stdin
    try:
        to_send = to_send[os.write(child.stdin.fileno(), to_send[:4096]) :]
    except BrokenPipeError:
        to_send = b""
    if not to_send:
        selector.unregister(child.stdin)
        child.stdin.close()
    return to_send


def _text(raw: bytearray) -> str:
    return raw.decode("utf-8", "replace")


# --- words for what the web did to us -------------------------------------------------------------------


def _cause(e: BaseException | None) -> str:
    return (str(e) or type(e).__name__) if e else "no answer"


def _unreachable(url: str, e: Exception | None) -> NetworkTrouble:
    if isinstance(e, NetworkTrouble):
        return e
    host = urlsplit(url).hostname or url
    return NetworkTrouble(
        f"{host} could not be reached: {_cause(e)}.",
        fix="Check the network and the proxy (https_proxy), or use a mirror: --mirror URL. Then run again.",
    )


def _bad_status(url: str, status: int) -> Exception:
    if status >= 500 or status == 429:
        return _Broken(f"{url} answered {status}")
    return NetworkTrouble(
        f"{url} answered {status}.",
        fix="The file is not there (any more) or not for you: choose another release, or check --mirror.",
    )


def _wrong_bytes(url: str, wanted: str, got: str, html: bool) -> Exception:
    if html:
        return NetworkTrouble(
            f"{url} answered with a web page in place of the file; a login page of the network, perhaps.",
            fix="Open any page in a browser on this network and log in, or use another network or --mirror.",
        )
    return NetworkTrouble(
        f"{url} has the wrong SHA-256: {got}, where {wanted} was expected. It was deleted unused.",
        fix="Run again; if it stays so, the server or something on the way changes it: use another mirror.",
    )


def _looks_like_html(path: Path) -> bool:
    with path.open("rb") as f:
        start = f.read(200).lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html"))


def _cannot_write(path: Path, e: OSError) -> MachineBlocks:
    return MachineBlocks(
        f"{path} could not be written: {e.strerror}.",
        fix="Free some space (or inodes) there, then run again: the download goes on where it stopped.",
    )


def _path_of(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))


def _file_reply(url: str) -> Reply:
    try:
        return Reply(200, _path_of(url).read_bytes())
    except FileNotFoundError:
        return Reply(404)
    except OSError as e:
        raise _unreachable(url, e) from e


def _copy_file(url: str, part: Path) -> Exception | None:
    try:
        shutil.copyfile(_path_of(url), part)
    except FileNotFoundError:
        return _bad_status(url, 404)
    except OSError as e:
        raise _cannot_write(part, e) from e
    return None
