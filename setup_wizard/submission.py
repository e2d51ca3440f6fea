"""Hand a session over to its scheduler: check what can be checked, write the script, submit, save."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from setup_wizard import access, container, modules, schedulers, script, session
from setup_wizard.conda import packed
from setup_wizard.errors import BadInput, SetupError
from setup_wizard.jupyter import records
from setup_wizard.schedulers import LOG, SCRIPT, Scheduler
from setup_wizard.session import Job, Session
from setup_wizard.world import Output, World

if TYPE_CHECKING:
    from setup_wizard.world.terminals import Terminal

PATIENCE = 120.0  # seconds for a busy scheduler to take a job


def check(world: World, job: Job) -> Job:
    """The job, with what was found out about its image; BadInput for what cannot be started.

    Nothing is made or handed over. An environment is judged by its records; an image is asked.
    """
    if not job.container:
        _environment(job)
    _folders(job)
    if not job.idle_minutes >= 0:
        raise BadInput("The time without work cannot be negative.", fix="--idle 60; 0 means for ever")
    wanted = job.resources
    if min(wanted.nodes, wanted.cpus, wanted.gpus, wanted.time_limit) < 0:
        raise BadInput("A negative number cannot be asked for.", fix="Leave it out for the usual one.")
    schedulers.find(job.scheduler).header(wanted, world.home)
    access.find(job.access)
    env = environment(world, job)
    modules.check(world, job.modules, job.modulepaths, env)
    if not job.container:
        return job
    before = modules.lines(job.modules, job.modulepaths)
    prefix = container.look(world, job.container, job.interface, before, env)
    return msgspec.structs.replace(job, prefix=prefix)


def _environment(job: Job) -> None:
    if job.packed and not os.path.isdir(job.prefix):  # gone, or in a folder that is closed to us
        packed.look(job.packed)  # the job sees what is in it
        return
    python = job.prefix / "bin/python"
    if not os.access(python, os.X_OK):
        raise BadInput(
            f"{job.prefix} is not an environment with a Python: {python} is missing.",
            fix="See which there are: hpc-jupyter-setup status",
        )
    records.check(job.prefix, job.interface)


def _folders(job: Job) -> None:
    if not job.folder.is_dir():
        make = "--notebook-dir with a folder of yours" if job.folder.exists() else f"mkdir -p {job.folder}"
        raise BadInput(f"{job.folder} is not a folder.", fix=make)
    if not os.access(job.folder, os.W_OK | os.X_OK):
        raise BadInput(f"{job.folder} cannot be written to.", fix="--notebook-dir with a folder of yours")
    if job.container and re.search("[:,]", str(job.folder)):
        raise BadInput(f"{job.folder} cannot be shown to an image: «:» and «,».", fix="--notebook-dir DIR")
    scratch = Path(job.scratch or "/tmp")
    here = scratch.exists() or scratch.parent.is_dir() or job.scheduler == "local"
    if here and "$" not in job.scratch and not os.access(scratch, os.W_OK | os.X_OK):
        raise BadInput(
            f"--scratch-dir: {scratch} is missing, or cannot be written to.", fix=f"ls -ld {scratch}"
        )


def environment(world: World, job: Job) -> dict[str, str]:
    """The environment in which the scheduler's commands run, and which it may hand on to the job."""
    return schedulers.find(job.scheduler).environment(world.clean_env(), job.resources)


def start(world: World, mine: Session) -> list[str]:
    """The argv that the job runs; where its scheduler takes no script, it loads the modules itself."""
    serve = [*world.own_python("setup_wizard.serve"), str(mine.folder)]
    job = mine.job
    if not job.modules or schedulers.find(job.scheduler).header(job.resources, mine.folder):
        return serve
    load = script.loading(job, world.own_python_env())
    return ["bash", "--noprofile", "--norc", "-c", load, "bash", *serve]


def text(world: World, mine: Session) -> str:
    """The batch script of a session; "" where its scheduler needs none."""
    header = schedulers.find(mine.job.scheduler).header(mine.job.resources, mine.folder)
    return script.render(mine.job, header, start(world, mine), world.own_python_env()) if header else ""


def submit(world: World, job: Job, way_of_site: access.Way) -> Session:
    """A session whose job the scheduler has taken; when it refuses, nothing is left of it."""
    scheduler = schedulers.find(job.scheduler)
    with _reserved(world, job, way_of_site) as mine:
        job_id = scheduler.job_id(_run(world, mine, prepare(world, mine, scheduler)))
    return named(world, mine, job_id)


def hold(world: World, job: Job, way_of_site: access.Way) -> tuple[Session, Terminal]:
    """A session, and the terminal of its own on which the scheduler is asked for an allocation."""
    with _reserved(world, job, way_of_site) as mine:
        argv = prepare(world, mine, schedulers.find(job.scheduler))
        return mine, world.terminal(argv, env=_env(world, mine), cwd=mine.folder, log=mine.folder / LOG)


@contextlib.contextmanager
def _reserved(world: World, job: Job, way_of_site: access.Way) -> Iterator[Session]:
    """A new session with its way in; when it cannot be handed over, nothing is left of it."""
    way, ticket = access.find(job.access), access.Ticket()
    mine = session.reserve(world, job, session.this_process(world))
    try:
        ticket = way.reserve(world, way_of_site)
        session.write(mine.folder, ticket)
        yield mine
    except SetupError:
        with contextlib.suppress(SetupError):  # else the next look at the sessions gives it back
            way.release(world, ticket)
            session.remove(mine)
        raise


def named(world: World, mine: Session, job_id: str) -> Session:
    """The session with the id of its job, written down; its way in hears it too."""
    mine = msgspec.structs.replace(mine, job_id=job_id)
    session.save(mine)
    ticket = session.read(mine.folder, access.Ticket) or access.Ticket()
    try:
        access.find(mine.job.access).attach(world, ticket, job_id)
    except SetupError as e:
        session.say(world, mine.folder, f"The way in was not told the job's id: {e.problem}")
    return mine


def prepare(world: World, mine: Session, scheduler: Scheduler) -> list[str]:
    """Write the script into the session's folder; the argv that hands it over."""
    if script_text := text(world, mine):
        session.write_secret(mine.folder / LOG, "")  # 0600 before somebody else creates it
        session.write_secret(mine.folder / SCRIPT, script_text)
    return handed_over(world, mine, scheduler)


def handed_over(world: World, mine: Session, scheduler: Scheduler) -> list[str]:
    """The argv that starts it: as a job, or held by a terminal."""
    if mine.job.held:
        return scheduler.hold(mine.job.resources, mine.folder)
    return scheduler.submit(start(world, mine), mine.job.resources, mine.folder)


def when(world: World, job: Job) -> str:
    """What the scheduler says when it is asked for the start of such a job, and nothing is handed over."""
    job = check(world, job)
    scheduler = schedulers.find(job.scheduler)
    mine = session.reserve(world, job, session.this_process(world))
    try:
        prepare(world, mine, scheduler)
        argv = scheduler.rehearse(job.resources, mine.folder)
        if not argv:
            raise BadInput(
                f"{job.scheduler} cannot tell when a job would start.", fix="--dry-run shows the script."
            )
        output = _run(world, mine, argv)
        if output.code != 0:
            scheduler.job_id(output)  # explains it
        return (output.err.strip() or output.out.strip()).splitlines()[-1].removeprefix("sbatch: ")
    finally:
        session.remove(mine)


def _run(world: World, mine: Session, argv: Sequence[str]) -> Output:
    return world.run(argv, env=_env(world, mine), cwd=mine.folder, timeout=PATIENCE)


def _env(world: World, mine: Session) -> dict[str, str]:
    return {**environment(world, mine.job), **world.own_python_env()}
