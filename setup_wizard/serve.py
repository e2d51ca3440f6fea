"""Runs in the job: starts Jupyter, waits until it answers, watches it, and ends all of it, whatever happens.

    python -m setup_wizard.serve SESSION_DIR [--detach]

It holds its port from the first moment, so that the way in can be prepared while Jupyter starts.
Signals are blocked from the first moment and taken one by one where we wait, so nothing is ever interrupted
half-way: a signal, an exception and Jupyter's own death all lead to the same end. Should this process be
killed so hard that it cannot act, the machine tells Jupyter to end, and the next `sessions`, `launch` or
`stop` clears away the rest.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import traceback
from pathlib import Path

import msgspec

from setup_wizard import container, files, giving_back, proof, session
from setup_wizard.deadline import Deadline
from setup_wizard.errors import NetworkTrouble, NotProven, SetupError
from setup_wizard.jupyter import addition, countdown, idle, in_use, nook, start, unpacked, words
from setup_wizard.jupyter.nook import Nook
from setup_wizard.schedulers.local import job_id
from setup_wizard.session import Address, End, Place, Session
from setup_wizard.way_in import WayIn
from setup_wizard.world import World, children
from setup_wizard.world.beside import beside

TOLD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
SIGNALS = {*TOLD, signal.SIGCHLD}
JOB_IDS = ("SLURM_JOB_ID", "PBS_JOBID")
START = 300.0  # seconds for Jupyter to answer: a cold environment on a network file system is slow
LOOK = 0.05  # seconds between two looks whether it answers
BEAT = 10.0  # seconds between two heartbeats, and at most between two looks whether it is idle
OPEN = 180.0  # seconds for the way in to lead here: a proxy may look for what is new only once a minute
GUARD, SOON = 20.0, 2.0  # seconds between two looks whether it still does, and where it does not
FAREWELL = 12.0  # seconds for Jupyter to end its kernels and itself
LEFT_OVER = 2.0  # seconds for what still runs then
LINGER, LINGER_LOOK = (
    600.0,
    5.0,
)  # seconds to try to give the way in back, when there is time; the first pause


class _Over(Exception):
    """The session has come to its end."""

    def __init__(self, end: End) -> None:
        super().__init__(end.how)
        self.end = end


class Serve:
    """One session, from its start to its end."""

    def __init__(self, world: World, mine: Session) -> None:
        self.world, self.session, self.job = world, mine, mine.job
        self.way = WayIn(world, mine, self._say)
        self.deadline, self.kept, self.prefix = Deadline(world, mine), "", mine.job.prefix
        self.place: Place | None = None
        self.used = session.Used()
        self.jupyter: subprocess.Popen[bytes] | None = None

    def run(self) -> End:
        """Live until something ends it; then clear away, and write how it ended last of all."""
        try:
            end = self._live()
        except _Over as e:
            end = e.end
        except SetupError as e:
            end = End(self.world.now(), "died", e.problem, e.fix, unproven=isinstance(e, NotProven))
        except BaseException as e:
            self._say(traceback.format_exc())
            log = self.session.folder / session.SAID
            end = End(self.world.now(), "died", f"The session broke: {e!r}", f"Read {log}")
        self._clear_away()
        self._say(f"{end.how}. {end.problem}")
        if self.session.folder.is_dir():
            with contextlib.suppress(SetupError):  # a full disk: the next look at the sessions writes it
                session.write(self.session.folder, end)
        if end.how in ("idle", "left", "died"):  # nobody waits for the node
            self._go_on_giving_back()
        return end

    def _live(self) -> End:
        """Hold the port, start, open the way in meanwhile, answer, watch."""
        if self.job.scratch:
            self.world.env["TMPDIR"] = str(nook.scratch(self.world, self.job.scratch))
        nook.sweep(self.world)
        mine = nook.make(self.world)
        self.place = Place(session.this_process(self.world), mine.path, start.touched(self.world))
        session.write(self.session.folder, self.place)
        self._unpack(mine)
        here = self.way.address()
        self.held, port = children.hold(here)
        self.jupyter = self._start(mine, here, port)
        self.way.open(mine, here, port)
        proof.prepare()  # while Jupyter starts
        self._until_it_answers(mine)
        start.keep_profile(self.world, mine)
        self._until_the_way_is_open()
        self.way.tell()
        self.way.prove(self._a_moment)
        beside(lambda: giving_back.give_back(self.world), self._a_moment)
        return self._watch(mine)

    # --- start ------------------------------------------------------------------------------------------

    def _unpack(self, mine: Nook) -> None:
        """Take a packed environment to the node; a signal ends that, too."""
        if self.job.packed and self.place:
            source = unpacked.Source(self.job.packed, self.job.prefix, self.job.local)
            self.prefix, note, said = unpacked.make(self.world, mine, source, lambda _: self._wait(0))
            self._say(said)
            self.place = msgspec.structs.replace(self.place, prefix=self.prefix, note=note)
            session.write(self.session.folder, self.place)

    def _start(self, mine: Nook, here: str, port: int) -> subprocess.Popen[bytes]:
        prefix, folder = self.prefix, self.session.folder
        root = self.world.uid == 0
        wanted = start.Wanted(here, port, self.way.origin, prefix, self.job.folder, folder, root)
        session.write_secret(mine.settings, start.settings(wanted, mine))
        place, content = session.sign(self.session)
        session.write_secret(mine.path / place, content)
        countdown.install(mine)
        addition.install(mine)
        argv, env = self._command(mine)
        self._say(f"starts {' '.join(argv)}")
        # not in the user's folder: a random.py in there is not Python's
        return children.start(argv, env, mine.path, folder / "jupyter.log")

    def _command(self, mine: Nook) -> tuple[list[str], dict[str, str]]:
        """What starts Jupyter, and its environment: on this node, or in an image that sees our folders."""
        job, world = self.job, self.world
        argv = start.command(self.prefix, job.interface, mine)
        if not job.container:
            return argv, start.environment(world, self.prefix, mine)
        seen = [self.session.folder, job.folder, *([Path(world.env["TMPDIR"])] if job.scratch else [])]
        return container.inside(world, job.container, mine, seen, argv)

    def _until_it_answers(self, mine: Nook) -> None:
        """Wait until what answers at our port shows our sign."""
        sign, port, deadline = session.sign(self.session), self.way.spot.port, self.world.now() + START
        while self.world.now() < deadline:
            if start.port(mine) == port and start.shows(self.world, self.way.base, sign):
                return
            self._wait(LOOK)
        problem = f"Jupyter gave no answer within {START:.0f} s."
        raise _Over(End(self.world.now(), "died", problem, "Launch again: a second start is often faster."))

    def _until_the_way_is_open(self) -> None:
        """Wait until the way in leads to our Jupyter."""
        deadline, pause = self.world.now() + OPEN, LOOK
        while (state := self.way.look()) != "live":
            if self.world.now() > deadline:
                problem = f"The way in ({self.job.access}) did not lead to Jupyter within {OPEN:.0f} s. "
                problem = f"{problem}{self.way.trouble}".rstrip()
                fix = "Launch again, or through another way in: hpc-jupyter-setup launch --access tunnel"
                raise _Over(End(self.world.now(), "died", problem, fix))
            self._say(f"the way in is {state}")
            self._wait(pause := min(0.5, pause * 1.5))

    # --- watch ------------------------------------------------------------------------------------------

    def _watch(self, mine: Nook) -> End:
        """Wait until it was idle for too long; whatever else ends the session comes out of `_wait`."""
        limit, token = self.job.idle_minutes * 60, session.secret(self.session, "token")
        self.deadline.ask()
        page, look_at = countdown.Page(mine), self.world.now() + GUARD
        while True:
            (self.session.folder / session.HEARTBEAT).touch()
            self._note_environments(mine)
            idle_for = idle.idle_for(self.world, self.way.base, token, mine) if limit else 0.0
            if limit and idle_for >= limit:
                return End(self.world.now(), "idle", f"Nothing was done for {self.job.idle_minutes:g} min.")
            idle_at = self.world.now() + limit - idle_for if idle_for > 0.75 * limit else 0.0
            page.tell(self.world.now(), self.deadline.at, idle_at)
            if self.deadline.has_come():
                return End(self.world.now(), "time")
            if not self.way.told or self.world.now() > look_at:
                look_at = self.world.now() + GUARD * random.uniform(0.8, 1.2)  # all sessions at once: never
                self.way.guard(self._a_moment)
            beat = min(BEAT, self.deadline.left(), limit / 4 if limit else BEAT)
            self._wait(max(LOOK, beat if self.way.told else SOON))

    def _note_environments(self, mine: Nook) -> None:
        """Whoever changes an environment asks first whether a kernel runs from it, wherever he is."""
        used = session.Used(in_use.prefixes(self.world, mine))
        if used != self.used:
            with contextlib.suppress(SetupError):  # a full disk is no reason to end what computes
                session.write(self.session.folder, used)
                self.used = used

    def _wait(self, seconds: float) -> None:
        """Wait, and raise the end when a signal asks for it or Jupyter has died."""
        got = signal.sigtimedwait(SIGNALS, seconds)
        told = (got is not None and got.si_signo in TOLD) or self.deadline.is_alone()
        code = self.jupyter.poll() if self.jupyter else None
        if code or (code is not None and not told):  # who is told to end may see Jupyter end well before us
            raise _Over(self._after_death(code))
        if told:
            raise _Over(End(self.world.now(), "time" if self.deadline.is_told() else "stopped"))

    def _a_moment(self) -> None:
        self._wait(LOOK)

    def _after_death(self, code: int) -> End:
        if code == 0 and session.read(self.session.folder, Address):
            return End(self.world.now(), "left")  # ended from the browser: File, Shut Down
        log = files.read_text(self.session.folder / "jupyter.log")
        image = self.job.container.image if self.job.container else ""
        why = words.death(log, code, self.job.prefix, self.job.interface, image)
        return End(self.world.now(), "died", *why)

    # --- the end ----------------------------------------------------------------------------------------

    def _clear_away(self) -> None:
        """First Jupyter, then the way in, then the secrets; one that fails does not keep the others."""
        for act in (self._end_jupyter, self._leave, self._release, self._forget):
            try:
                act()
            except Exception:
                self._say(traceback.format_exc())

    def _end_jupyter(self) -> None:
        if self.jupyter and self.jupyter.poll() is None:
            self.jupyter.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.jupyter.wait(FAREWELL)

    def _leave(self) -> None:
        if self.place:
            nook.leave(self.world, Nook(self.place.folder), LEFT_OVER)
            files.remove_absent(self.place.absent)

    def _release(self) -> None:
        self.kept = session.TICKET
        self.way.release()
        self.kept = ""

    def _go_on_giving_back(self) -> None:
        """Where the proxy was away just then: only from this node the way in can be given back."""
        over, pause = self.world.now() + min(LINGER, self.deadline.left()), LINGER_LOOK
        while self.kept and self.world.now() < over:
            if signal.sigtimedwait(TOLD, pause):
                return
            pause *= 2
            try:
                self._release()
                self._forget()
            except NetworkTrouble as e:
                self._say(e.problem)
            except SetupError:
                return

    def _forget(self) -> None:
        session.forget_secrets(self.session.folder, but=self.kept)

    def _say(self, text: str) -> None:
        session.say(self.world, self.session.folder, text)


def main(argv: list[str]) -> int:
    """Serve the session in the folder that `argv` names; with --detach give its id and let it go on alone."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    os.umask(0o077)
    world, folder = World.here(), Path(argv[0])
    try:
        mine = session.load(folder)
    except SetupError as e:
        print(e.problem, file=sys.stderr)
        return e.code
    if "--detach" in argv:
        if pid := world.detach(folder / session.SAID):
            print(job_id(world, pid))
            return 0
        mine = _called(mine, job_id(world, world.pid))
    elif not mine.job_id:  # we are faster than who launches, or it was ended at that very point
        mine = _called(mine, next((world.env[n] for n in JOB_IDS if n in world.env), ""))
    return 1 if Serve(world, mine).run().how == "died" else 0


def _called(mine: Session, job: str) -> Session:
    """The session with the id of its job, written down."""
    session.save(mine := msgspec.structs.replace(mine, job_id=job))
    return mine


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
