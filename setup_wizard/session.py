"""A session: one Jupyter, and all that is known of it, in a folder that only the user can read.

    session.json   what was asked for, who launched it, and the job's id
    token, cookie, identity, ticket.json   the secrets; gone when the session is over
    job.sh, job.log                        what a scheduler was given, and what came of it
    place.json     where it runs; the first thing that serve writes
    address.json   where it answers; written when it does, and gone with the secrets
    proven.json    through which address a cell has run; it is ready when that is the one where it answers
    used.json      the environments of its kernels; looked at while serve watches
    end.json       how it ended; written last, when nothing of it is left running
    serve.log, jupyter.log, and heartbeat, which is touched while serve watches

The folder is 0700, every file in it 0600.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from setup_wizard import files
from setup_wizard.access import Ticket
from setup_wizard.container import Container
from setup_wizard.errors import BadInput, MachineBlocks, SetupError
from setup_wizard.hints import did_you_mean
from setup_wizard.nicknames import nickname
from setup_wizard.notes import Address as Address
from setup_wizard.notes import End as End
from setup_wizard.notes import Place as Place
from setup_wizard.notes import Process as Process
from setup_wizard.notes import Proven as Proven
from setup_wizard.notes import Used as Used
from setup_wizard.schedulers import Allocation, Resources
from setup_wizard.world import World, make_private

TICKET = "ticket.json"  # kept beyond the end only when the way in could not be given back
SAID = "serve.log"  # what watches the session has to say, and its launch
# An address has the proxy's name in it.
SECRETS = ("token", "cookie", "identity", "address.json", "proven.json", TICKET)
END, UNBORN, HEARTBEAT = "end.json", ".new-", "heartbeat"
Interface = Literal["lab", "notebook", "voila"]


class Job(msgspec.Struct, frozen=True):
    """What to start: Jupyter of the environment at `prefix`, in `folder`, and through what.

    `modules` are environment modules, some below `modulepaths`. With a container, the prefix is one inside.
    `scratch` is for what is temporary. What is `packed` goes to the node, below one of `local`.
    `within` is the allocation that a session of this machine is in.
    """

    prefix: Path
    folder: Path
    interface: Interface = "lab"
    idle_minutes: float = 60
    site: str = ""
    scheduler: str = "local"
    access: str = "local"
    resources: Resources = Resources()
    modules: tuple[str, ...] = ()
    modulepaths: tuple[str, ...] = ()
    container: Container | None = None
    scratch: str = ""
    interactive: bool = False
    packed: Path | None = None
    local: tuple[str, ...] = ()
    within: Allocation | None = None

    @property
    def held(self) -> bool:
        """Whether it is in an allocation of its own that ends with the terminal of its launch."""
        return self.interactive and self.scheduler != "local"

    @property
    def environment(self) -> str:
        """What has the Jupyter: an image, or the environment at a prefix."""
        return self.container.image if self.container else str(self.prefix)


class Session(msgspec.Struct, frozen=True):
    """A session as its folder tells; `job_id` is "" until the scheduler has said it."""

    id: str
    folder: Path
    job: Job
    launcher: Process
    created: float
    job_id: str = ""


class Damaged(msgspec.Struct, frozen=True):
    """A folder that should hold a session and does not say which."""

    id: str
    folder: Path


Note = Place | Address | Proven | Used | End | Ticket
N = TypeVar("N", Place, Address, Proven, Used, End, Ticket)


def home(world: World) -> Path:
    """Where the sessions are."""
    return world.state / "sessions"


def reserve(world: World, job: Job, launcher: Process) -> Session:
    """A new session with secrets of its own; nothing runs yet."""
    try:
        make_private(home(world))
        crib = Path(tempfile.mkdtemp(prefix=UNBORN, dir=home(world)))
    except OSError as e:
        raise files.cannot_write(home(world), e) from e
    try:
        for name in ("token", "cookie"):
            write_secret(crib / name, secrets.token_hex(32))
        write_secret(crib / "identity", f"{secrets.token_hex(16)} {secrets.token_hex(32)}")
        save(Session("", crib, job, launcher, world.now()))
        return load(_named(crib))
    except MachineBlocks as e:
        if isinstance(e.__cause__, OSError):
            raise files.cannot_write(home(world), e.__cause__) from e  # the crib itself will be gone
        raise
    finally:
        shutil.rmtree(crib, ignore_errors=True)  # it has its name by now, or was not finished


def save(session: Session) -> None:
    """Write down what is known now."""
    _write(session.folder / "session.json", session)


def load(folder: Path) -> Session:
    """The session in that folder; BadInput when it is damaged or not one."""
    try:
        found = msgspec.json.decode((folder / "session.json").read_bytes(), type=Session, dec_hook=_decode)
    except (OSError, msgspec.MsgspecError) as e:
        raise BadInput(f"{folder} does not hold a session: {e}", fix=f"Remove it: rm -r {folder}") from e
    return msgspec.structs.replace(found, id=folder.name, folder=folder)


def every(world: World) -> Iterator[Session | Damaged]:
    """All sessions that have a folder, oldest first; a damaged one stops nothing."""
    found: list[Session | Damaged] = []
    for folder in home(world).glob("[!.]*"):
        try:
            found.append(load(folder))
        except SetupError:
            found.append(Damaged(folder.name, folder))
    return iter(sorted(found, key=lambda s: s.created if isinstance(s, Session) else 0))


def find(world: World, name: str) -> Session:
    """The session whose id is `name`, or the only one that begins so; BadInput with what is near."""
    known = {s.id: s for s in every(world) if isinstance(s, Session)}
    near = [name] if name in known else [i for i in known if name and i.startswith(name)]
    if len(near) == 1:
        return known[near[0]]
    if near:
        raise BadInput(f"«{name}» can be {' or '.join(near)}.", fix="Give one more letter.")
    raise BadInput(
        f"There is no session «{name}».{did_you_mean(name, known)}",
        fix="See which there are: hpc-jupyter-setup sessions",
    )


def unborn(world: World) -> list[Path]:
    """Folders of sessions that are being made, or never were."""
    return list(home(world).glob(f"{UNBORN}*"))


def remove(session: Session | Damaged) -> None:
    """Forget the session: its folder goes, logs and all."""
    shutil.rmtree(session.folder, ignore_errors=True)


def read(folder: Path, kind: type[N]) -> N | None:
    """The note of that kind, None when it is not there (or was torn by a full disk).

    The folder is opened first: that makes a network file system look at it again, where it would go on
    for half a minute saying that a new file is not there.
    """
    try:
        os.scandir(folder).close()
        return msgspec.json.decode(_note(folder, kind).read_bytes(), type=kind, dec_hook=_decode)
    except (OSError, msgspec.MsgspecError):
        return None


def proven(folder: Path, address: Address | None) -> Proven | None:
    """What a cell has shown through this very address; None where none has run."""
    seen = read(folder, Proven)
    return seen if seen and address and seen.url == address.url else None


def write(folder: Path, note: Note) -> None:
    """Write a note; a reader sees the whole of it or nothing."""
    _write(_note(folder, type(note)), note)


def secret(session: Session, name: str) -> str:
    """One of the secrets; MachineBlocks when the session is over and they are gone."""
    try:
        return (session.folder / name).read_text()
    except OSError as e:
        raise MachineBlocks(
            f"The session {session.id} has ended: its {name} is gone.",
            fix="Start another: hpc-jupyter-setup launch",
        ) from e


def write_secret(path: Path, text: str) -> None:
    """Write what only the user may read."""
    files.write_text(path, text, mode=0o600)


def say(world: World, folder: Path, text: str) -> None:
    """A line in the log of the session in `folder`, which nobody waits for: a full disk is no trouble."""
    with contextlib.suppress(OSError):
        fd = os.open(folder / SAID, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(fd, "a") as log:
            log.write(f"{world.now():.2f} {text.rstrip()}\n")


def sign(session: Session) -> tuple[str, str]:
    """What only the Jupyter of this session shows to everybody: the place below its address, the content."""
    name, _, content = secret(session, "identity").partition(" ")
    return f"static/{name}", content


def this_process(world: World) -> Process:
    """Ourselves."""
    return Process(world.hostname, world.pid, world.born(world.pid))


def forget_secrets(folder: Path, *, but: str = "") -> None:
    """Remove the secrets, all or but one; safe twice."""
    for name in SECRETS:
        if name != but:
            (folder / name).unlink(missing_ok=True)


def _named(crib: Path) -> Path:
    """The finished folder under a name of its own: who lists the sessions sees it whole or not at all."""
    while True:
        folder = crib.with_name(nickname())
        if not folder.exists():
            return crib.rename(folder)


def _note(folder: Path, kind: type[Note]) -> Path:
    return folder / f"{kind.__name__.lower()}.json"


def _write(path: Path, what: Session | Note) -> None:
    files.write(path, msgspec.json.encode(what, enc_hook=str), mode=0o600)


def _decode(kind: type, value: object) -> object:
    return kind(value)
