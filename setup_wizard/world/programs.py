"""Programs: how they are started, heard, limited in time, and ended with all that they started."""

from __future__ import annotations

import contextlib
import functools
import os
import select
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from setup_wizard.world.data import Output

if TYPE_CHECKING:
    import ctypes

PR_SET_PDEATHSIG = 1  # prctl(2): the kernel ends the child when we die, however we die
LOOK_AGAIN = 0.2  # seconds between two looks at the clock while a program says nothing
ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
FAREWELL = 3.0  # seconds between the request to end and the end

Hear = Callable[[str], None]


@dataclass(frozen=True)
class Call:
    """A program to run: its arguments, environment, folder, what it reads, which of our files it keeps.

    `meanwhile` is called each time that it has said nothing for a moment (`LOOK_AGAIN`).
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path | None = None
    stdin: str = ""
    keep_open: Sequence[int] = ()
    meanwhile: Callable[[], None] | None = None


@dataclass(frozen=True)
class Limits:
    """How long the whole run, and a silence, may last, in seconds (None: as long as it likes)."""

    timeout: float | None = None
    silence: float | None = None

    def exceeded(self, began: float, last: float, now: float) -> bool:
        too_long = self.timeout is not None and now - began > self.timeout
        too_quiet = self.silence is not None and now - last > self.silence
        return too_long or too_quiet


def run(call: Call, hear: Hear | None, limits: Limits) -> Output:
    """Run a program to its end; whatever happens to us meanwhile, none of its group is left behind."""
    child = None
    try:
        with unheard() as mask:
            try:
                child = _started(call, mask)
            except OSError as e:
                return _not_started(call, e)
        return _Conversation(child, call.stdin.encode(), hear, limits, call.meanwhile).hold()
    finally:
        if child:
            _end(child)


def _started(call: Call, mask: set[signal.Signals]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        call.argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=call.env,
        cwd=call.cwd,
        start_new_session=True,
        pass_fds=call.keep_open,
        preexec_fn=_dies_with_us(mask),
    )


@contextlib.contextmanager
def unheard() -> Iterator[set[signal.Signals]]:
    """Signals wait while we fork: an exception just then is lost. Gives the mask to restore."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield {signal.Signals(number) for number in before}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def hear_again(mask: set[signal.Signals]) -> None:
    """In the child of an `unheard` fork: what ends a program ends it, unless it was ignored before.

    Also where we hold such signals back ourselves, to take them one by one.
    """
    for number in ENDING:
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask - ENDING - {signal.SIGCHLD})


def lend_terminal(argv: list[str], env: dict[str, str], cwd: Path) -> int:
    """Run a program with our own standard input, output and error."""
    return subprocess.call(argv, env=env, cwd=cwd)


def _not_started(call: Call, e: OSError) -> Output:
    """A name that is nowhere in PATH is not found, also when a folder of PATH may not be read."""
    name = call.argv[0]
    if "/" not in name and not shutil.which(name, path=call.env.get("PATH", os.defpath)):
        return Output(127, err=f"{name}: not found in PATH")
    return Output(127 if isinstance(e, FileNotFoundError) else 126, err=f"{e.filename or name}: {e.strerror}")


@functools.cache
def _libc() -> ctypes.CDLL:
    import ctypes  # only where a program is started

    return ctypes.CDLL(None)


def _dies_with_us(mask: set[signal.Signals]) -> Callable[[], None]:
    # Looked up before the fork: after it, little is safe. Only Linux has it.
    prctl, us = getattr(_libc(), "prctl", lambda *_: 0), os.getpid()

    def in_the_child() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != us:  # we died before the kernel was told
            os._exit(1)
        hear_again(mask)

    return in_the_child


@dataclass
class _Conversation:
    """Feed the child, hear it, and mind the clock."""

    child: subprocess.Popen[bytes]
    to_send: bytes
    hear: Hear | None
    limits: Limits
    meanwhile: Callable[[], None] | None = None
    heard: dict[str, bytearray] = field(default_factory=lambda: {"out": bytearray(), "err": bytearray()})
    rest: bytes = b""

    def hold(self) -> Output:
        began = last = time.monotonic()
        with selectors.DefaultSelector() as selector:
            self._open(selector)
            while any(k.data != "in" for k in selector.get_map().values()):
                gone = self.child.poll() is not None
                ready = selector.select(LOOK_AGAIN)
                if self.limits.exceeded(began, last, now := time.monotonic()):
                    return self._too_long()
                if gone and not ready:
                    break  # something that it left behind holds the pipes open, and says nothing
                if not ready and self.meanwhile:
                    self.meanwhile()
                for key, _ in ready:
                    last = now if self._meet(selector, key) else last
        self._say(self.rest)
        return self._output(self.child.wait())

    def _open(self, selector: selectors.BaseSelector) -> None:
        assert self.child.stdin
        assert self.child.stdout
        assert self.child.stderr
        selector.register(self.child.stdout, selectors.EVENT_READ, "out")
        selector.register(self.child.stderr, selectors.EVENT_READ, "err")
        if self.to_send:
            selector.register(self.child.stdin, selectors.EVENT_WRITE, "in")
        else:
            self.child.stdin.close()

    def _meet(self, selector: selectors.BaseSelector, key: selectors.SelectorKey) -> bool:
        """Send or hear a block; whether the child said something."""
        if key.data == "in":
            self._feed(selector)
            return False
        block = os.read(key.fd, 1 << 16)
        if not block:
            selector.unregister(key.fileobj)
            return False
        self.heard[key.data] += block
        if key.data == "out" and self.hear:
            *lines, self.rest = (self.rest + block).replace(b"\r", b"\n").split(b"\n")
            for line in lines:
                self._say(line)
        return True

    def _feed(self, selector: selectors.BaseSelector) -> None:
        assert self.child.stdin
        try:
            sent = os.write(self.child.stdin.fileno(), self.to_send[: select.PIPE_BUF])
            self.to_send = self.to_send[sent:]
        except BrokenPipeError:
            self.to_send = b""
        if not self.to_send:
            selector.unregister(self.child.stdin)
            self.child.stdin.close()

    def _say(self, line: bytes) -> None:
        if line and self.hear:
            self.hear(line.decode("utf-8", "replace"))

    def _too_long(self) -> Output:
        output = self._output(-signal.SIGKILL)
        return Output(output.code, output.out, output.err + "\n(killed: it took too long)")

    def _output(self, code: int) -> Output:
        out, err = (self.heard[k].decode("utf-8", "replace") for k in ("out", "err"))
        return Output(code, out, err)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Leave no process of the child's group behind."""
    try:
        if child.poll() is None:
            _signal_group(child, signal.SIGTERM)
            child.wait(FAREWELL)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _signal_group(child, signal.SIGKILL)
        child.wait()
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream:
                stream.close()


def _signal_group(child: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # nobody is left
        os.killpg(child.pid, number)
