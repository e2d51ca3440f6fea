"""Work of ours as a batch job: handed over, followed by what it writes, ended on request.

Its folder holds the script, what is to be done (`plan.json`), what it says of its progress (`job.log`) and,
at the very end, `result.json`.
"""

from __future__ import annotations

import secrets
import shlex
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from setup_wizard import asking, files, orders, schedulers
from setup_wizard.errors import BadInput, MachineBlocks, SetupError
from setup_wizard.schedulers import LOG, SCRIPT, Gone, JobState, Resources, Waiting
from setup_wizard.script import UNSET
from setup_wizard.session import Job
from setup_wizard.sites import Site
from setup_wizard.submission import PATIENCE
from setup_wizard.wish import Wish, last
from setup_wizard.world import Progress, Report, World, make_private

LOOK, ASK = 0.3, 3.0  # seconds between two looks into its folder, and two questions to the scheduler
PLAN = "plan.json"
GRACE = 15.0  # seconds for the result of a job that is gone to come over a network file system
HALF_AN_HOUR = 1800  # seconds: the most that some debug partitions give


class Batch(msgspec.Struct, frozen=True):
    """Work as a job: its folder, its scheduler, and its id there."""

    folder: Path
    scheduler: str
    job: str


def submit(world: World, plan: bytes, cwd: Path, wanted: Resources) -> Batch:
    """Hand over a plan for `cli.as_job`, as launched last on this site where nothing else is said.

    Raises BadInput where there is no scheduler, and what the scheduler says against it.
    """
    site = orders.site_of(world, Wish())
    wanted = _as_launched(wanted, last(world), site)
    wanted = msgspec.structs.replace(wanted, name="env", time_limit=wanted.time_limit or HALF_AN_HOUR)
    order = orders.order(world, Wish(access="tunnel", resources=wanted), site).job
    if order.scheduler == "local":
        raise BadInput("There is no scheduler here that could take a job.", fix="Leave out --as-job.")
    scheduler = schedulers.find(order.scheduler)
    folder = world.state / "batch" / secrets.token_hex(4)
    make_private(folder)
    header = scheduler.header(order.resources, folder)
    (folder / LOG).touch(mode=0o600)
    files.write(folder / PLAN, plan, mode=0o600)
    (folder / SCRIPT).write_text(_script(world, header, cwd, folder))
    env = {**scheduler.environment(world.clean_env(), order.resources), **world.own_python_env()}
    argv = scheduler.submit(["bash", SCRIPT], order.resources, folder)
    try:
        job = scheduler.job_id(world.run(argv, env=env, cwd=folder, timeout=PATIENCE))
    except SetupError:
        forget(folder)
        raise
    return Batch(folder, order.scheduler, job)


def _as_launched(wanted: Resources, was: Job | None, site: Site) -> Resources:
    """With the account of the last launch here, and its partition where that needs no GPU."""
    if not was or was.site != site.name:
        return wanted
    old = was.resources
    if wanted.partition or old.gpus or old.gres:
        return msgspec.structs.replace(wanted, account=wanted.account or old.account)
    account, qos = wanted.account or old.account, wanted.qos or old.qos
    return msgspec.structs.replace(wanted, account=account, partition=old.partition, qos=qos)


def _script(world: World, header: Sequence[str], cwd: Path, folder: Path) -> str:
    result = shlex.quote(str(folder / "result.json"))
    command = shlex.join([*world.own_python("setup_wizard.cli.as_job"), str(folder / PLAN), "--json"])
    lines = [
        "#!/bin/bash",
        *header,
        "umask 022",
        UNSET,
        *(f"export {name}={shlex.quote(value)}" for name, value in world.own_python_env().items()),
        f"cd {shlex.quote(str(cwd))}",
        f"{command} > {result}.new",
        f"mv {result}.new {result}",
    ]
    return "\n".join(lines) + "\n"


def follow(world: World, batch: Batch, report: Report, say: Callable[[str], object]) -> dict[str, Any]:
    """Follow it to its end: what it prints, line by line, and the object that it answers in the end.

    Raises the error with which the command ended, or MachineBlocks where the job ended before it.
    """
    seen, asked, gone_since = 0, 0.0, 0.0
    state: JobState | None = None
    while not (batch.folder / "result.json").exists():
        seen = _tell(batch, seen, say)
        if world.now() - asked > ASK:
            output = asking.ask(world, batch.scheduler, [batch.job])
            state, asked = schedulers.find(batch.scheduler).state(output, batch.job), world.now()
        if isinstance(state, Waiting):
            report(Progress(f"In the queue (job {batch.job}): {state.reason}. {state.fix}".rstrip()))
        gone_since = (gone_since or world.now()) if isinstance(state, Gone) else 0.0
        if isinstance(state, Gone) and world.now() - gone_since > GRACE:
            raise MachineBlocks(
                f"The job {batch.job} ended before its work was done: {state.reason or 'nobody says why'}.\n"
                f"What it wrote is in {batch.folder / LOG}.",
                fix=state.fix or "Run again: it goes on where it stopped.",
            )
        world.sleep(LOOK)
    _tell(batch, seen, say)
    return _result(batch)


def _tell(batch: Batch, seen: int, say: Callable[[str], object]) -> int:
    """Say what whole lines have come since; how far they go."""
    with (batch.folder / LOG).open("rb") as log:
        log.seek(seen)
        new = log.read()
    new = new[: new.rfind(b"\n") + 1]
    for text in new.decode(errors="replace").splitlines():
        say(text)
    return seen + len(new)


def _result(batch: Batch) -> dict[str, Any]:
    try:
        said: dict[str, Any] = msgspec.json.decode((batch.folder / "result.json").read_bytes())
    except msgspec.DecodeError:
        raise MachineBlocks(
            f"The work did not begin in the job {batch.job}; what it wrote is in {batch.folder / LOG}.",
            fix="Is your home there on the compute nodes? See that file, then run again.",
        ) from None
    forget(batch.folder)
    if not said.get("ok"):
        error = SetupError(said["error"]["problem"], fix=said["error"]["fix"])
        error.code = said["error"]["code"]
        raise error
    return said


def cancel(world: World, batch: Batch) -> None:
    """End the job; what it has begun goes on with the next run."""
    scheduler = schedulers.find(batch.scheduler)
    world.run(
        scheduler.cancel(batch.job, hard=True),
        env=scheduler.environment(world.env, Resources()),
        timeout=PATIENCE,
    )
    forget(batch.folder)


def forget(folder: Path) -> None:
    """Remove the folder of a job that has ended."""
    shutil.rmtree(folder, ignore_errors=True)
