"""`env lock`, `env export`, `env lint`: environments as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from setup_wizard.cli.options import DryRun, Json, Mirror, Offline

if TYPE_CHECKING:
    from setup_wizard.answers import Answers
    from setup_wizard.conda.spec import EnvSpec
    from setup_wizard.world import World

Out = Annotated[Path | None, typer.Option("--output", "-o", help="The file to write.")]


def lock(
    source: Annotated[str, typer.Argument(metavar="FILE|NAME", help="A YAML file, or one of envs/.")],
    platform: Annotated[str, typer.Option(help="For which: linux-64,linux-aarch64; else this one.")] = "",
    output: Out = None,
    channels: Annotated[str | None, typer.Option(metavar="conda-forge|anaconda")] = None,
    mirror: Mirror = None,
    offline: Offline = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Solve a YAML file once, into a lock beside it; `env create FILE.lock` then solves nothing."""
    from setup_wizard.answers import Answers, fold, normal_mirror, recall
    from setup_wizard.cli.setup import checked_channels
    from setup_wizard.conda import lock as locks
    from setup_wizard.conda.locked import contents_of
    from setup_wizard.ui import environment_files, show
    from setup_wizard.world import World

    world = World.here(offline=offline)
    answers = fold(
        Answers(
            channels=checked_channels(channels),
            mirror=normal_mirror(mirror, Path.cwd()) if mirror else None,
        ),
        recall(world),
    )
    spec = _yaml(source, answers)
    platforms = locks.check_platforms([p.strip() for p in (platform or locks.here(world)).split(",")])
    path = (output or Path(source).with_suffix(".lock")).expanduser()  # of one of envs/: in this folder
    before = _ours(path)
    with show.live(world, err=json) as live:
        from_mirror = f"{answers.mirror}/conda-forge" if answers.mirror else ""
        text = locks.make(world, spec, platforms, live.report, from_mirror)
    held = contents_of(text, before)
    notes = [f"What pip installs is not locked: {', '.join(spec.pip)}"] if spec.pip else []
    notes += [f"Left out is the value of {name}, which may be a secret" for name in spec.secret]
    if not json:
        show.put(environment_files.locked(held, notes, anew=bool(before)))
    if not dry_run:
        _put(text, path, {"platforms": held, "notes": notes, "changed": text != before}, json)
    elif json:
        show.put_json({"ok": True, "file": path, "platforms": held, "notes": notes})
    return 0


def export(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The environment, or the path of one.")],
    yaml: Annotated[
        bool, typer.Option("--yaml", help="Every package with version and build; the default.")
    ] = False,
    from_history: Annotated[
        bool, typer.Option("--from-history", help="What was asked for, no more.")
    ] = False,
    lock: Annotated[bool, typer.Option("--lock", help="A lock, for `env create` without solving.")] = False,
    explicit: Annotated[bool, typer.Option("--explicit", help="An @EXPLICIT list with hashes.")] = False,
    output: Out = None,
    json: Json = False,
) -> int:
    """Print what an environment holds, so that it can be made again; `conda` reads it, too (not a lock)."""
    from setup_wizard.environments import pick
    from setup_wizard.errors import BadInput
    from setup_wizard.journal import Journal
    from setup_wizard.world import World

    world = World.here()
    if sum((yaml, from_history, lock, explicit)) > 1:
        raise BadInput(
            "Only one form can be written at a time.", fix=f"hpc-jupyter-setup env export {name} --yaml"
        )
    form = "from-history" if from_history else "lock" if lock else "explicit" if explicit else "yaml"
    prefix = pick(name, Journal(world).receipt, world)
    output = output and output.expanduser()
    _put(_exported(world, prefix, form), output, {"name": prefix.name, "prefix": prefix, "form": form}, json)
    return 0


def lint(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An environment.yml.")], json: Json = False
) -> int:
    """Look for every mistake in an environment.yml, and for what could be better. Exit code 1: mistakes."""
    from setup_wizard.conda.lint import lint as look
    from setup_wizard.ui import environment_files, show
    from setup_wizard.world import World

    world, file = World.here(), file.expanduser()
    remarks = look(world, file)
    mistakes = [r for r in remarks if r.kind == "mistake"]
    if json:
        show.put_json({"ok": not mistakes, "file": file, "remarks": remarks})
    else:
        show.put(environment_files.remarks(file, remarks), world)
    return 1 if mistakes else 0


def _yaml(source: str, answers: Answers) -> EnvSpec:
    """What a YAML file asks for, with its own channels, whatever mirror stands in for them."""
    from msgspec.structs import replace

    from setup_wizard.choices import environment
    from setup_wizard.errors import BadInput

    name, spec = environment(source, replace(answers, mirror=None))
    if spec.lock or spec.exact:
        raise BadInput(f"{source} is settled already.", fix="Give the environment.yml that it came of.")
    return replace(spec, name=spec.name or name)


def _exported(world: World, prefix: Path, form: str) -> str:
    """The environment as a text of that form. Raises BadInput."""
    from setup_wizard.conda import contents, export, lock
    from setup_wizard.conda.spec import EnvSpec
    from setup_wizard.errors import BadInput

    if not contents.is_environment(prefix):
        raise BadInput(
            f"{prefix} is no conda environment.", fix="See which there are: hpc-jupyter-setup env list"
        )
    if form == "explicit":
        return export.as_explicit(prefix, lock.here(world))
    if form == "from-history":
        return export.from_history(prefix, prefix.name)
    if form == "yaml":
        return export.as_yaml(prefix, prefix.name)
    asked, pip = tuple(export.asked(prefix)), tuple(export.by_pip(prefix)[0])
    variables = contents.variables(prefix)  # of what may be secrets, a spec keeps the names
    spec = EnvSpec(prefix.name, tuple(export.channels(prefix)), asked, pip, variables)
    return lock.of_installed(world, prefix, spec)


def _put(text: str, path: Path | None, facts: dict[str, object], json: bool) -> None:
    """Write the text to the file, or to standard output where there is none; a file of the user's stays."""
    from setup_wizard import files
    from setup_wizard.ui import environment_files, show

    changed = path is not None and _ours(path) != text
    if path and changed:
        files.write_text(path, text)
    if json:
        show.put_json({"ok": True, "file": path, **facts, **({} if path else {"text": text})})
    elif path:
        show.put(environment_files.written(path, changed=changed))
    else:
        print(text, end="")


def _ours(path: Path) -> str:
    """The file that is there, "" for none. Raises BadInput for one that this program has not written."""
    from setup_wizard import files
    from setup_wizard.conda import explicit, export, lock
    from setup_wizard.errors import BadInput

    there = files.read_text(path)
    if there and not (lock.is_lock(there) or explicit.is_list(there) or there.startswith(export.MARK)):
        raise BadInput(f"{path} is there already and stays.", fix="Give another file: -o FILE")
    return there
