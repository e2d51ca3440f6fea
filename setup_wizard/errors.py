"""What can go wrong, in the user's words.

    SetupError              problem, fix, exit code
    ├── BadInput            2   an answer, a flag, a file that the user gave
    ├── MachineBlocks       3   the machine as it stands does not allow it (disk, rights, missing program)
    ├── NetworkTrouble      4   a server did not answer, or not what it should
    ├── PackagesQuarrel     5   the requested packages cannot be had together, or not at all
    ├── Busy                6   another run holds the lock
    ├── BadJournal          7   the journal is damaged or of a newer version
    ├── CommandFailed       8   a program that we called ended with an error
    ├── Declined            9   the person said no (a licence, the plan, a readable way in)
    ├── NotProven          10   it was made, but the proof that it works failed
    └── Left              130   Ctrl-C, where there is more to say of what was left or ended

Every error says what happened and what to do about it; `fix` is, where it can be, a command to paste.
Exit code 1 means «some findings are red» (doctor, a partial undo), 70 is our own bug, 130 is Ctrl-C.
"""

from __future__ import annotations


class SetupError(Exception):
    """Something that the user can understand and mend: `problem` in their words, and the `fix`."""

    code = 1

    def __init__(self, problem: str, *, fix: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.fix = fix


class BadInput(SetupError):
    """An answer, a flag or a file that the user gave cannot be used."""

    code = 2


class MachineBlocks(SetupError):
    """The machine as it stands does not allow it."""

    code = 3


class NetworkTrouble(SetupError):
    """A server did not answer, or did not answer what it should."""

    code = 4


class PackagesQuarrel(SetupError):
    """The requested packages cannot be had together, or not at all."""

    code = 5


class Busy(SetupError):
    """Another run is at work on the same account."""

    code = 6


class BadJournal(SetupError):
    """The journal is damaged, or was written by a newer version."""

    code = 7


class CommandFailed(SetupError):
    """A program that we called ended with an error."""

    code = 8


class Declined(SetupError):
    """The person said no."""

    code = 9


class NotProven(SetupError):
    """Everything was made, but the proof that it works failed."""

    code = 10


class Left(SetupError):
    """The person pressed Ctrl-C, and this is what became of the work."""

    code = 130
