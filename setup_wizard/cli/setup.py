"""`setup`: look at the machine, ask, show the plan, agree, apply, test, offer the first launch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from setup_wizard.cli.options import ByteCode, DryRun, Json, Mirror, WhileRunning, Yes

if TYPE_CHECKING:
    from setup_wizard.answers import Channels


def setup(
    distribution: Annotated[
        str | None,
        typer.Option(metavar="miniconda|miniforge|PREFIX", help="Which conda; PREFIX: one that is there."),
    ] = None,
    prefix: Annotated[Path | None, typer.Option(help="Where conda goes.")] = None,
    accept_licence: Annotated[
        list[str] | None, typer.Option(metavar="miniconda", help="Agree to a licence that you have read.")
    ] = None,
    channels: Annotated[
        str | None, typer.Option(metavar="conda-forge|anaconda", help="Where packages come from.")
    ] = None,
    environments: Annotated[
        str | None,
        typer.Option(metavar="NAME,NAME…", help="Environments to create, by name or YAML file; none."),
    ] = None,
    notebooks: Annotated[
        str | None, typer.Option(metavar="NAME,NAME…", help="Example notebooks to clone; none.")
    ] = None,
    notebook_folder: Annotated[Path | None, typer.Option(help="Where notebooks go.")] = None,
    shell: Annotated[bool | None, typer.Option(help="Add conda to the rc file of the login shell.")] = None,
    login_file: Annotated[
        bool | None, typer.Option(help="Make the login file read the rc file, where it does not.")
    ] = None,
    old_blocks: Annotated[
        bool | None, typer.Option(help="Comment out the blocks of other condas in the rc file.")
    ] = None,
    launch: Annotated[bool | None, typer.Option(help="Start Jupyter at the end.")] = None,
    byte_code: ByteCode = None,
    mirror: Mirror = None,
    answers: Annotated[
        Path | None, typer.Option(help="YAML file with answers; the keys are the flags.")
    ] = None,
    while_running: WhileRunning = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Set up conda, environments, kernels and notebooks on this account.

    Shows a plan before it changes anything; `undo` takes everything back.
    """
    from setup_wizard.answers import Answers, fold, normal_mirror, read_file
    from setup_wizard.cli import wizard
    from setup_wizard.cli.work import How

    given = Answers(
        distribution=distribution,
        prefix=prefix.expanduser().absolute() if prefix else None,
        accept_licence=tuple(accept_licence) if accept_licence else None,
        channels=checked_channels(channels),
        environments=_names(environments),
        notebooks=_names(notebooks),
        notebook_folder=notebook_folder.expanduser().absolute() if notebook_folder else None,
        shell=shell,
        login_file=login_file,
        old_blocks=old_blocks,
        mirror=normal_mirror(mirror, Path.cwd()) if mirror else None,
        launch=launch,
        byte_code=byte_code,
    )
    if answers:
        given = fold(given, read_file(answers))
    return wizard.run(given, How(yes=yes, dry_run=dry_run, json=json, while_running=while_running))


def _names(text: str | None) -> tuple[str, ...] | None:
    """The names of a comma-separated list; «none» is the empty list."""
    if text is None:
        return None
    return tuple(dict.fromkeys(n.strip() for n in text.split(",") if n.strip() not in ("", "none")))


def checked_channels(text: str | None) -> Channels | None:
    """The channels that a flag named. Raises BadInput."""
    from setup_wizard.errors import BadInput

    known: dict[str | None, Channels | None] = {
        None: None,
        "conda-forge": "conda-forge",
        "anaconda": "anaconda",
    }
    if text in known:
        return known[text]
    raise BadInput(f"There is no choice of channels «{text}».", fix="--channels conda-forge, or anaconda")
