"""This machine as its own scheduler: a job is a process that left our terminal.

Its id is `host:boot:pid:birth`. A pid comes again, a birth does not; a boot tells a restarted machine from a
running one; and the host tells a job of another machine (a shared home) from one that is gone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.schedulers import Gone, JobState, Resources, Running, Unknown
from setup_wizard.world import Output, World

HOST, BOOT = "/proc/sys/kernel/hostname", "/proc/sys/kernel/random/boot_id"
BIRTH = 19  # the place of the start time in /proc/PID/stat, counted behind the program's name


class Local:
    """Starts the job beside us, detached."""

    def header(self, wanted: Resources, folder: Path) -> Sequence[str]:
        return ()

    def submit(self, start: Sequence[str], wanted: Resources, folder: Path) -> list[str]:
        return [*start, "--detach"]

    def environment(self, env: Mapping[str, str], wanted: Resources) -> dict[str, str]:
        return dict(env)

    def rehearse(self, wanted: Resources, folder: Path) -> list[str]:
        return []

    def hold(self, wanted: Resources, folder: Path) -> list[str]:
        raise BadInput("This machine has no scheduler to take an allocation from.", fix="Leave it out.")

    def held(self, said: str) -> tuple[str, bool]:
        return "", False

    def job_id(self, output: Output) -> str:
        if output.code == 0 and (said := re.fullmatch(r"([\w.-]+):([\w-]+):(\d+):(\d+)\n", output.out)):
            return said[0].strip()
        last = (output.err.strip() or output.out.strip()).splitlines()[-1:]
        raise MachineBlocks(
            f"The session could not be started on this machine: {''.join(last) or 'it said nothing'}.",
            fix="See whether more processes are allowed (ulimit -u) and memory is free (free -h), "
            "then launch again.",
        )

    def status(self, job_ids: Sequence[str]) -> list[str]:
        return ["cat", HOST, BOOT, *(f"/proc/{_parts(i)[2]}/stat" for i in job_ids)]

    def otherwise(self, output: Output, job_ids: Sequence[str]) -> list[str]:
        return []

    def state(self, output: Output, job_id: str) -> JobState:
        host, boot, pid, birth = _parts(job_id)
        lines = output.out.splitlines()
        if len(lines) < 2:
            return Unknown("this machine does not tell what runs on it")
        if lines[0] != host:
            return Unknown(f"it was started on {host}; ask there")
        if lines[1] != boot:
            return Gone("the machine was restarted")
        return Running(host) if _is_alive(lines[2:], pid, birth) else Gone("its process has ended")

    def search(self) -> list[str]:
        return []

    def found(self, said: str, script: Path) -> str:
        return ""

    def cancel(self, job_id: str, *, hard: bool = False) -> list[str]:
        return ["sh", "-c", 'kill -s "$1" "$2"', "sh", "KILL" if hard else "TERM", _parts(job_id)[2]]


def job_id(world: World, pid: int) -> str:
    """The id of the job that runs as process `pid` on this machine."""
    return f"{world.hostname}:{world.boot}:{pid}:{world.born(pid)}"


def _parts(job_id: str) -> list[str]:
    return [*job_id.split(":"), "", "", "", ""][:4]


def _is_alive(lines: Sequence[str], pid: str, birth: str) -> bool:
    line = next((line for line in lines if line.startswith(f"{pid} (")), "")
    fields = line.rpartition(")")[2].split()
    return len(fields) > BIRTH and fields[0] not in "ZX" and fields[BIRTH] == birth
