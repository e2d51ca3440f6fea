"""Starts a shell as a login on a terminal does, or as sshd does for scp; tells what it said, and its time.

A program of its own, run as `python -I shell_probe.py terminal|sshd TIMES SHELL ARGUMENT…`; prints JSON.
"""

import json
import os
import pty
import select
import socket  # noqa: TID251 (sshd gives a shell a socket as its input; bash looks for that)
import subprocess  # noqa: TID251
import sys
import time

ENOUGH = 3.0  # seconds, after which a slow shell is not started again
LOOK_AGAIN = 0.05


def main(words: list[str]) -> None:
    """Start the shell as often as wanted, and tell of each start."""
    how, times, argv = words[0], int(words[1]), words[2:]
    run = {"terminal": on_a_terminal, "sshd": as_sshd}[how]
    seen: list[dict[str, object]] = []
    began = time.perf_counter()
    while len(seen) < times and time.perf_counter() - began < ENOUGH:
        start = time.perf_counter()
        said = run(argv)
        seconds, text = time.perf_counter() - start, said.decode("utf-8", "replace")
        seen.append({"said": text, "bytes": len(said), "seconds": seconds})
        print(json.dumps(seen[-1]), flush=True)


def on_a_terminal(argv: list[str]) -> bytes:
    """What a shell prints on a terminal of its own, until it ends."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(argv[0], argv)
    said, ended = b"", False
    while True:
        ready = select.select([terminal], [], [], LOOK_AGAIN)[0]
        try:
            block = os.read(terminal, 1 << 16) if ready else b""
        except OSError:  # the last one on the terminal has gone
            break
        said += block
        if ended and not block:  # a background program of the user's start files holds the terminal
            break
        ended = ended or os.waitpid(pid, os.WNOHANG)[0] == pid
    if not ended:
        os.waitpid(pid, 0)
    os.close(terminal)
    return said


def as_sshd(argv: list[str]) -> bytes:
    """All that a shell prints when its input is the socket of sshd and there is no terminal."""
    ours, its = socket.socketpair()
    with its:
        ours.close()
        pipe, same = subprocess.PIPE, subprocess.STDOUT
        return subprocess.run(argv, stdin=its.fileno(), stdout=pipe, stderr=same, check=False).stdout


if __name__ == "__main__":
    main(sys.argv[1:])
