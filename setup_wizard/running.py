"""What runs: list the sessions, stop them, and clear away after those that died hard."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from setup_wizard import asking, files, giving_back, schedulers, session
from setup_wizard.errors import Busy, MachineBlocks, SetupError
from setup_wizard.jupyter import nook
from setup_wizard.jupyter.start import PAGES
from setup_wizard.schedulers import Allocation, Gone, JobState, Resources, Running, Unknown, Waiting
from setup_wizard.session import Address, Damaged, End, Place, Session
from setup_wizard.world import World

LOOK = 0.1  # seconds between two looks whether a session has ended
ASK = 2.0  # seconds between two questions to the scheduler meanwhile
STOP = 25.0  # seconds for a session to end when asked, before it is ended
REFUSED = 5.0  # seconds in which it is seen whether a job that cannot be cancelled was over already
TOO_OLD = 3600.0  # seconds after which a launch on another machine, which we cannot see, is over
QUIET = 300.0  # seconds without a heartbeat after which a session that runs is not believed to answer
UNPROVEN = "it answers, and no cell has run through its address yet"
KEEP = 30 * 86400.0  # seconds that the logs of an ended session are kept


class Row(msgspec.Struct, frozen=True):
    """A session as it stands: ready when a cell has run through its URL. `detail` says why it waits or how
    it ended, `fix` what to do about it.

    `url` has the token in it; it and `node` are "" when there is none (any more). `command` is what to run
    first on the laptop, `until` when its time is over (0: not known), `core_hours` what it has used so far.
    """

    id: str
    state: Literal["waiting", "starting", "ready", "unknown", "ended", "died", "damaged"]
    folder: Path
    environment: str = ""
    interface: str = ""
    started: float = 0
    node: str = ""
    url: str = ""
    detail: str = ""
    fix: str = ""
    warning: str = ""
    job: str = ""
    site: str = ""
    way: str = ""
    command: str = ""
    until: float = 0
    core_hours: float = 0

    @property
    def alive(self) -> bool:
        """Whether it has, or may have, something running."""
        return self.state in ("waiting", "starting", "ready", "unknown")


def url_of(mine: Session, address: Address) -> str:
    """The whole URL for the browser, token and all."""
    return f"{address.url}{PAGES[mine.job.interface]}?token={session.secret(mine, 'token')}"


def sessions(world: World, *, fresh: float = 0) -> list[Row]:
    """All sessions, oldest first. One that died hard is cleared away and says so.

    An answer of the scheduler up to `fresh` seconds old will do; what a session notes itself is seen at once.
    """
    known = list(session.every(world))
    open_ones = [s for s in known if isinstance(s, Session) and not session.read(s.folder, End)]
    now = states(world, open_ones, fresh=fresh)
    return [_row(world, _again(s), now.get(s.id)) for s in known]


def _again(s: Session | Damaged) -> Session | Damaged:
    """A session as it is now, when its job's id was not known yet."""
    with contextlib.suppress(SetupError):  # it was removed in the meantime
        return session.load(s.folder) if isinstance(s, Session) and not s.job_id else s
    return s


def states(world: World, which: Iterable[Session], *, fresh: float = 0) -> dict[str, JobState]:
    """How the jobs are, with one question to each scheduler; with an answer up to `fresh` seconds old."""
    found: dict[str, JobState] = {}
    asked: dict[str, dict[str, str]] = {}
    for s in which:
        of = _elsewhere(world, s) or Allocation(s.job.scheduler, s.job_id)
        if of.id:
            asked.setdefault(of.scheduler, {})[s.id] = of.id
        else:
            found[s.id] = _unsubmitted(world, s)
    for name, group in asked.items():
        output = asking.ask(world, name, list(group.values()), fresh)
        found.update((s, schedulers.find(name).state(output, job)) for s, job in group.items())
    return found


def _elsewhere(world: World, s: Session) -> Allocation | None:
    """The allocation that tells of a session which only its own node can see, when we are not there."""
    return s.job.within if s.launcher.host != world.hostname else None


def _unsubmitted(world: World, s: Session) -> JobState:
    """A session without a job: either its launch is at that very point, or it was interrupted there."""
    by = s.launcher
    if by.host != world.hostname:
        old = world.now() - s.created > TOO_OLD
        return Gone(f"its launch on {by.host} did not get so far") if old else Unknown(f"see on {by.host}")
    if world.born(by.pid) == by.born:
        return Waiting("its launch is at work")
    return _handed_over(world, s) or Gone("its launch was interrupted before the job was started")


def _handed_over(world: World, s: Session) -> JobState | None:
    """How its job is, when its launch was killed before it could write down that there is one."""
    scheduler = schedulers.find(s.job.scheduler)
    if not (argv := scheduler.search()):
        return None
    output = world.run(argv, env=scheduler.environment(world.env, Resources()), timeout=asking.PATIENCE)
    if output.code != 0:
        return Unknown("whether its launch has handed over a job is not known: the scheduler does not answer")
    job_id = scheduler.found(output.out, s.folder / schedulers.SCRIPT)
    if not job_id:
        return None
    session.save(mine := msgspec.structs.replace(s, job_id=job_id))
    return states(world, [mine])[s.id]


def _row(world: World, s: Session | Damaged, state: JobState | None) -> Row:
    if isinstance(s, Damaged):
        return Row(s.id, "damaged", s.folder, detail="it cannot be read", fix=f"rm -r {s.folder}")
    end = session.read(s.folder, End)
    if not end and isinstance(state, Gone):
        end = bury(world, s, state)
    row = Row(s.id, "unknown", s.folder, s.job.environment, s.job.interface, s.created)
    change = msgspec.structs.replace
    row = change(row, job=s.job_id, site=s.job.site, way=s.job.access)
    if end:
        row = change(
            row, detail=end.problem or end.how, fix=end.fix, warning=giving_back.of_session(world, s, end)
        )
        return change(row, state="died" if end.how == "died" else "ended")
    if isinstance(state, Waiting) and not session.read(s.folder, Place):  # else the answer is an old one
        return change(row, state="waiting", detail=state.reason, fix=state.fix)
    address = session.read(s.folder, Address)
    if isinstance(state, Running):
        used = state.cores * max(0.0, world.now() - state.since) / 3600
        row = change(row, node=state.host, until=state.until, core_hours=round(used, 3))
    if isinstance(state, Running) and (minutes := _quiet(world, s) / 60) > QUIET / 60:
        state = Unknown(f"it has given no sign of life for {minutes:.0f} min")
    if isinstance(state, Unknown):  # the last that is known of it, which may well be true
        row = change(row, detail=state.reason)
    elif not address:
        return change(row, state="starting")
    if not address:
        return row
    if not address.url:
        return change(row, state="starting", node=address.host, warning=address.warning)
    if not session.proven(s.folder, address):
        begun = row if isinstance(state, Unknown) else change(row, state="starting", detail=UNPROVEN)
        return change(begun, node=address.host)
    ready = row if isinstance(state, Unknown) else change(row, state="ready")
    more = {"warning": address.warning, "command": address.command}
    return change(ready, node=address.host, url=url_of(s, address), **more)


def prefix_of(mine: Session) -> Path:
    """The environment that its Jupyter runs from."""
    place = session.read(mine.folder, Place)
    return (place and place.prefix) or mine.job.prefix


def _quiet(world: World, s: Session) -> float:
    """Seconds since its last heartbeat; 0 where there has been none yet."""
    with contextlib.suppress(OSError):
        return world.now() - (s.folder / session.HEARTBEAT).stat().st_mtime
    return 0.0


def bury(world: World, s: Session, gone: Gone, how: Literal["stopped", "died"] = "died") -> End:
    """Clear away what a session left that could not do so itself; how it ended is written last."""
    if end := session.read(s.folder, End):
        return end  # it could, in the meantime
    place = session.read(s.folder, Place)
    if place and place.serve.host == world.hostname:
        nook.leave(world, nook.Nook(place.folder), patience=5.0)
        files.remove_absent(place.absent)
    session.forget_secrets(s.folder, but=session.TICKET)
    giving_back.of_session(world, s)
    end = End(world.now(), how, *(_why(s, gone) if how == "died" else ()))
    with contextlib.suppress(MachineBlocks):  # a full disk is no reason to hide the others
        session.write(s.folder, end)
    return end


def _why(s: Session, gone: Gone) -> tuple[str, str]:
    if not s.job_id:
        return f"The session did not start: {gone.reason}.", "Launch again."
    fix = gone.fix or "Most often memory ran out (free -h), or somebody ended it. Launch again."
    said = files.read_text(s.folder / schedulers.LOG).strip().splitlines()[-3:]
    return "\n".join([f"The session was ended from outside: {gone.reason}.", *said]), fix


def stop(world: World, s: Session) -> bool:
    """End a session, and with it its kernels; False when it was over already.

    Raises MachineBlocks when it cannot be known from here whether it runs, Busy when it is being launched.
    """
    if session.read(s.folder, End):
        return False
    state = states(world, [s])[s.id]
    if isinstance(state, Gone):
        bury(world, s, state)
        return False
    if isinstance(state, Unknown):
        raise MachineBlocks(
            f"Whether {s.id} still runs is not known: {state.reason}.", fix="Try again there."
        )
    if not s.job_id:
        s = session.load(s.folder)
    if not s.job_id:
        raise Busy(f"{s.id} is being launched.", fix=f"Press Ctrl-C there, or: kill {s.launcher.pid}")
    if within := _elsewhere(world, s):
        raise MachineBlocks(
            f"{s.id} runs in your allocation {within.id} on {s.launcher.host}, which is not ended from here.",
            fix=f"End it there: Ctrl-C, or hpc-jupyter-setup stop {s.id}; or end the whole allocation.",
        )
    scheduler = schedulers.find(s.job.scheduler)
    env = scheduler.environment(world.env, s.job.resources)
    refused = ""
    # one that a terminal holds has no script to be asked: a hard end gives it its time as well
    for hard in (True,) if s.job.held or isinstance(state, Waiting) else (False, True):
        done = world.run(argv := scheduler.cancel(s.job_id, hard=hard), env=env, timeout=30)
        if _has_ended(world, s, STOP if done.code == 0 else REFUSED):
            return True
        if done.code:
            refused = f" {argv[0]} said: {done.err.strip() or done.out.strip() or f'exit code {done.code}'}"
    raise MachineBlocks(f"{s.id} does not end.{refused}", fix=f"See what its job does: {s.job_id}")


def stop_all(world: World) -> dict[str, bool]:
    """Stop what runs: by id, whether it was still there. Goes on past trouble, and raises it at last."""
    done: dict[str, bool] = {}
    trouble: SetupError | None = None
    for row in sessions(world):
        if row.alive:
            try:
                done[row.id] = stop(world, session.load(row.folder))
            except SetupError as e:
                trouble = e
    if trouble:
        raise trouble
    return done


def _has_ended(world: World, s: Session, patience: float) -> bool:
    """Wait until a cancelled session is over, and whatever it left is cleared away."""
    deadline, asked, pause = world.now() + patience, world.now(), LOOK
    while world.now() < deadline:
        if session.read(s.folder, End):
            return True
        if world.now() - asked > pause:
            asked, pause = world.now(), min(ASK, pause * 2)
            if isinstance(state := states(world, [s])[s.id], Gone):
                bury(world, s, state, how="stopped")
                return True
        world.sleep(LOOK)
    return False


def forget_old(world: World) -> None:
    """Remove what is left of sessions that ended long ago, or were never whole."""
    for s in session.every(world):
        end = session.read(s.folder, End)
        if end and world.now() - end.at > KEEP:
            session.remove(s)
    for folder in session.unborn(world):
        with contextlib.suppress(OSError):
            if world.now() - folder.stat().st_mtime > TOO_OLD:
                shutil.rmtree(folder)
