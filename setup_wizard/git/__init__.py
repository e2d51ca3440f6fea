"""git, called so that the user's own set-up of it changes nothing, nothing is asked, and nothing lingers.

What the user set for the way to the network stays in force: proxies, certificates, addresses put in place
of others. What would change the outcome does not: hooks, templates, credential helpers, line endings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from setup_wizard.errors import MachineBlocks, NetworkTrouble
from setup_wizard.git.words import GET_GIT, NO_GIT, silent, trouble
from setup_wizard.world import Output, Progress, Report, World

_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.autocrlf=false",
    "credential.helper=",
    "init.defaultRefFormat=files",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "gc.auto=0",
    "maintenance.auto=false",
)
_NETWORK_VARIABLES = (
    "GIT_SSL_",
    "GIT_PROXY_",
    "GIT_HTTP_",
)  # of the many GIT_… only these are the user's to set
_BOTH_STREAMS = ("sh", "-c", 'exec "$@" 2>&1', "sh")  # git tells its progress on standard error
_PROGRESS = re.compile(
    r"(?:remote: )?(Receiving objects|Resolving deltas|Updating files): +\d+% \((\d+)/(\d+)\)"
)


class NotShallow(NetworkTrouble):
    """The server can give a repository only as a whole."""


class Git:
    """git at work in one folder."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder = world, folder

    def __call__(self, *words: str, index: Path | None = None) -> str:
        """What a git command prints; raises a SetupError when it does not end well."""
        output = self.ask(*words, index=index)
        if output.code:
            raise trouble(output, " ".join(words[:2]), self.folder)
        return output.out.strip()

    def ask(self, *words: str, index: Path | None = None) -> Output:
        """The whole answer of a git command, whatever it is; `index` stands in for the index of the clone."""
        more = {"GIT_INDEX_FILE": str(index)} if index else {}
        return self.world.run(self._argv(words), env=_environment(self.world, more), cwd=self.folder)

    def over_the_network(self, url: str, *words: str, report: Report) -> Output:
        """The answer of a git command that talks to `url`; progress is reported, a silent server given up."""
        patience = self.world.patience
        command, *rest = words
        if url.startswith("file:"):
            # A mirror on a shared disk belongs to somebody else, which git would refuse; the user chose it.
            rest = ["--upload-pack", "git -c safe.directory='*' upload-pack", *rest]
        options = [f"http.lowSpeedLimit={patience.slowest}", f"http.lowSpeedTime={patience.slow_for:.0f}"]
        output = self.world.run(
            [*_BOTH_STREAMS, *self._argv((command, *rest), *options)],
            env=_environment(self.world),
            cwd=self.folder,
            silence=patience.silence,
            on_line=lambda line: _tell(line, report),
        )
        if output.code < 0:
            raise silent(url, patience.silence)
        return output

    def commit(self, name: str) -> str:
        """The id of the commit that a name stands for, "" for none."""
        return self.ask("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").out.strip()

    def _argv(self, words: tuple[str, ...], *options: str) -> list[str]:
        program = str(self.world.which("git") or "git")
        return [program, *(w for option in (*_SETTINGS, *options) for w in ("-c", option)), *words]


def must_be_here(world: World) -> None:
    """Raises MachineBlocks when there is no git."""
    if not world.which("git"):
        raise MachineBlocks(NO_GIT, fix=GET_GIT)


def newest(git: Git, url: str, *words: str, report: Report) -> None:
    """A clone or fetch of the newest version only, or of all where the server can do no other."""
    command, *rest = words
    try:
        everything(git, url, command, "--depth", "1", *rest, report=report)
    except NotShallow:
        everything(git, url, *words, report=report)


def everything(git: Git, url: str, *words: str, report: Report) -> None:
    """A clone or fetch with all that was before."""
    command, *rest = words
    output = git.over_the_network(url, command, "--progress", *rest, report=report)
    if "does not support shallow" in output.out:
        raise NotShallow(f"{url} gives only whole repositories.", fix="Fetch all of it.")
    if output.code:
        raise trouble(output, command, git.folder, url)


def _environment(world: World, more: Mapping[str, str] | None = None) -> dict[str, str]:
    kept = {
        name: value
        for name, value in world.clean_env().items()
        if not name.startswith("GIT_") or name.startswith(_NETWORK_VARIABLES)
    }
    never_ask = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true", "SSH_ASKPASS": "true"}
    plain = {"LC_ALL": "C", "LANGUAGE": "", "GIT_LFS_SKIP_SMUDGE": "1", "GIT_OPTIONAL_LOCKS": "0"}
    return {**kept, **never_ask, **plain, **(more or {})}


def _tell(line: str, report: Report) -> None:
    if found := _PROGRESS.match(line):
        unit = "files" if found[1] == "Updating files" else "objects"
        report(Progress(found[1], int(found[2]), int(found[3]), unit))
