"""Every question of the wizard as data: the same table asks, names the flags, and fills the reference."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from setup_wizard.answers import flag

Kind = Literal["one", "many", "folder", "yes", "licence"]


class Question(msgspec.Struct, frozen=True):
    """A question: the answer it fills, how it is asked, one line of help, and what its flag takes."""

    field: str
    text: str
    help: str
    kind: Kind
    takes: str = ""

    @property
    def flag(self) -> str:
        """The flag that answers it, with what it takes: «--shell or --no-shell»."""
        name = flag(self.field)
        if self.kind == "yes":
            return f"{name} or --no-{name[2:]}"
        return f"{name} {self.takes}"


QUESTIONS = (
    Question(
        "distribution",
        "Which conda?",
        "The program that brings Python and its packages.",
        "one",
        "miniconda|miniforge|PREFIX",
    ),
    Question(
        "prefix",
        "Where should it go?",
        "It and its environments: some GB, and tens of thousands of files.",
        "folder",
        "FOLDER",
    ),
    Question(
        "accept_licence",
        "Do you agree to the licence?",
        "Only you can: the whole word, yes or no.",
        "licence",
        "miniconda",
    ),
    Question(
        "channels",
        "Where should packages come from?",
        "conda calls these places channels.",
        "one",
        "conda-forge|anaconda",
    ),
    Question(
        "environments",
        "Which environments?",
        "Each has a Python and packages of its own, and a kernel.",
        "many",
        "NAME,NAME…",
    ),
    Question(
        "notebooks",
        "Which notebooks?",
        "Examples to start from; they are yours to change.",
        "many",
        "NAME,NAME…",
    ),
    Question(
        "notebook_folder",
        "Which folder for notebooks?",
        "It is made if it is not there.",
        "folder",
        "FOLDER",
    ),
    Question(
        "shell",
        "Make `conda` known in new terminals?",
        "Adds a few marked lines to {rc}; the plan shows them.",
        "yes",
    ),
    Question(
        "login_file",
        "Let login shells read {rc}, too?",
        "Yours does not; a marked block in {login} would do it.",
        "yes",
    ),
    Question(
        "old_blocks",
        "Switch off the blocks of other condas?",
        "{blocks}. Commented out, not deleted.",
        "yes",
    ),
    Question(
        "launch",
        "Start Jupyter when all is done?",
        "{where}You can start it at any time: hpc-jupyter-setup launch",
        "yes",
    ),
)

BY_FIELD = {question.field: question for question in QUESTIONS}


def flags_for(missing: Iterable[str]) -> str:
    """The flags that give these answers, for an error: «--distribution …, --shell or --no-shell»."""
    return ", ".join(BY_FIELD[name].flag for name in missing if name in BY_FIELD)
