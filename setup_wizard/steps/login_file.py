"""Makes a login shell of bash read ~/.bashrc, where the login file does not.

Whether it does is found out by starting one: in a home of links to the user's own files, with a ~/.bashrc
that tells that it was read.
"""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from setup_wizard import blocks, files
from setup_wizard.step import Before, Blocked, Done, Forecast, State, Todo
from setup_wizard.steps import rc_file, textfile
from setup_wizard.steps.shell_block import same_but_for_our_block
from setup_wizard.world import Output, Report, World

PATIENCE = 20.0  # seconds for a login shell to come up
LOGIN_FILES = (".bash_profile", ".bash_login", ".profile")
BODY = """\
# Reads ~/.bashrc in a login shell of bash, too. To take this out: hpc-jupyter-setup undo
if [ -n "${BASH_VERSION-}" ] && [ -r "${HOME-}/.bashrc" ]; then
    \\. "$HOME/.bashrc" || :
fi"""
_AT_LOGIN = ("PATH", "USER", "LOGNAME", "LANG", "TMPDIR")  # of the environment
_PROBE = ': > "$HOME/.bashrc was read"; exit 0\n'
_NOT_SHOWN = (".bash_history", ".bash_logout")  # a shell that ends would write the one and run the other
# With a small stack, files that read each other for ever come to an end soon; and leave no core behind.
_SMALL = 'ulimit -Ss 2048; ulimit -Sc 0; exec bash "$@"'
_ENDED = "the login shell came to its end"


class LoginFile(msgspec.Struct, frozen=True, kw_only=True, tag="login_file"):
    """Sources ~/.bashrc in the login file that bash reads: the first of LOGIN_FILES that is there.

    Where none is there, ~/.profile is made: a ~/.bash_profile would keep bash from ever reading a ~/.profile
    that something else puts there later.
    """

    home: Path
    shell: str

    @classmethod
    def of(cls, home: Path, shell: str) -> LoginFile:
        """For a login shell by name; nothing is to be done for any but bash."""
        return cls(home=home, shell=shell)

    @property
    def title(self) -> str:
        return f"Let login shells read {self.home / '.bashrc'}"

    @property
    def key(self) -> str:
        return f"login_file:{self.home}"

    def check(self, world: World) -> State:
        if self.shell != "bash":
            return Done(f"{self.shell} needs no login file for it")
        path = login_file(self.home)
        match _finds_rc(world):
            case None:
                return Blocked(
                    f"A login shell did not come up within {PATIENCE:.0f} seconds.",
                    "See where it hangs: bash -lxc true",
                )
            case True:
                return Done(f"{path.name} reads .bashrc")
        return self._state(world, path)

    def _state(self, world: World, path: Path) -> State:
        """How a login file stands that does not read ~/.bashrc."""
        by_hand = f"Add this line to {path} yourself, then run again:\n    {_LINE}"
        if textfile.obstacle(world, path) == "" and any(b.last for b in blocks.ours(files.read_text(path))):
            return Blocked(
                f"{path} has our block, and still a login shell does not read .bashrc: it ends before, or "
                "returns.",
                f"See what it does: bash -lxc true; then move the block further up in {path}.",
            )
        state = rc_file.edited(world, "bash", path, _insert, by_hand)
        if isinstance(state, Todo) and not _comes_to_its_end(world, path):
            return Blocked(
                f"If {path} read ~/.bashrc, a login shell would not come up: .bashrc ends it, or reads "
                f"{path.name} itself.",
                "See what happens: bash -lxc '. ~/.bashrc'; or do without: --no-login-file",
            )
        return state

    def forecast(self, world: World, report: Report) -> Forecast:
        return Forecast()

    def apply(self, world: World, report: Report) -> None:
        textfile.write(self.check(world), login_file(self.home), _insert)

    def undo(self, before: Before, world: World) -> Sequence[Path]:
        return textfile.take_back(before, same_but_for_our_block, blocks.remove)


_LINE = '[ -z "${BASH_VERSION-}" ] || . ~/.bashrc'


def login_file(home: Path) -> Path:
    """The login file that bash reads, or ~/.profile where there is none yet."""
    present = (home / name for name in LOGIN_FILES if (home / name).exists())
    return next(present, home / ".profile")


def reads_rc(world: World) -> bool:
    """Whether nothing needs mending: a login shell reads ~/.bashrc, or is not bash, or cannot be asked."""
    return world.shell != "bash" or _finds_rc(world) is not False


def _insert(text: str) -> str:
    return blocks.insert(text, BODY)


# --- the truth, from a real shell -------------------------------------------------------------------------


def _finds_rc(world: World) -> bool | None:
    """Whether a login shell for a person reads ~/.bashrc; None: none came up in time.

    One shell is asked, an interactive one, since a site's own start files can take seconds.
    """
    with _stage(world, {".bashrc": _PROBE}) as home:
        output = _bash(world, home, "-lxi")
        if (home / ".bashrc was read").exists() or _names_rc(output.err, world.home / ".bashrc"):
            return True
    return None if output.code < 0 else False


def _comes_to_its_end(world: World, path: Path) -> bool:
    """Whether login shells, interactive or not, would still come up with our block in the login file."""
    with _stage(world, {path.name: _insert(files.read_text(path))}) as home:
        return all(_ENDED in _bash(world, home, flags).out for flags in ("-l", "-li"))


def _bash(world: World, home: Path, flags: str) -> Output:
    """A login shell in a clean environment; `-x` makes it tell what it does."""
    env = {name: value for name, value in world.env.items() if name in _AT_LOGIN}
    env.update(HOME=str(home), SHELL="/bin/bash", TERM="dumb")
    argv = ["bash", "-c", _SMALL, "bash", flags, "-c", f"echo '{_ENDED}'"]
    return world.run(argv, env=env, timeout=PATIENCE, cwd=home)


def _names_rc(trace: str, rc: Path) -> bool:
    """The trace shows that this very file was sourced, by its absolute path."""
    for sourced in re.findall(r"^\++ (?:builtin )?(?:source|\\?\.) (.+)$", trace, re.MULTILINE):
        try:
            words = shlex.split(sourced)
        except ValueError:
            continue
        if words and Path(words[0]) == rc:
            return True
    return False


@contextmanager
def _stage(world: World, instead: dict[str, str]) -> Iterator[Path]:
    """A home of links to what is in the user's, but for the files of `instead`."""
    with tempfile.TemporaryDirectory(prefix=f"{blocks.NAME}-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        for entry in world.home.iterdir():
            if entry.name not in (*instead, *_NOT_SHOWN):
                (home / entry.name).symlink_to(entry)
        for name, text in instead.items():
            (home / name).write_bytes(text.encode("utf-8", "surrogateescape"))
        yield home
