"""A plan that does not fit: refused before anything is begun, with the places that it would fit in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from setup_wizard.conda import contents
from setup_wizard.errors import MachineBlocks
from setup_wizard.places import local_places, places
from setup_wizard.steps import AnyStep, CondaEnv
from setup_wizard.ui.figures import count, size
from setup_wizard.ui.totals import Need, Totals
from setup_wizard.world import World


def refuse_shortage(sums: Totals, steps: Sequence[AnyStep], world: World) -> None:
    """Raise MachineBlocks where the plan needs more than is free, by the disk or by a known quota.

    The fix names the places of this account that have the room; and how an environment becomes one file,
    where only its files are too many.
    """
    for need in sums.needs:
        if not need.fits:
            files = "" if need.free_files is None else f" and {count(need.free_files, 'files')}"
            by = f", by {need.by}," if need.by else ""
            alone = [s for s in steps if isinstance(s, CondaEnv) and s.prefix == need.where]
            ways = [*_elsewhere(need, world), *(line for s in alone for line in _packed(need, s, world))]
            raise MachineBlocks(
                f"The plan needs {size(need.bytes)} and {count(need.files, 'files')} at {need.where}; "
                f"free there{by} are {size(need.free_bytes)}{files}.",
                fix="\n".join(ways)
                or "Make room (du -xsh ~/* | sort -h), choose another place (--prefix), or ask for less.",
            )


def _elsewhere(need: Need, world: World) -> Iterator[str]:
    """Where there is room for it."""
    for there in places(world):
        if not there.has(need.bytes, need.files):
            continue
        if need.kept:
            yield f"Let it keep packages there: export CONDA_PKGS_DIRS={there.path}/pkgs"
        else:
            yield f"Take {there.why}: {_command(need)}--prefix {there.path / need.where.name}"


def _packed(need: Need, step: CondaEnv, world: World) -> Iterator[str]:
    """How it becomes one file, made on a disk of this machine, where only its many files do not fit."""
    if step.packed:
        yield "Or leave it packed; a session unpacks it on its node's own disk:"
        yield f"hpc-jupyter-setup launch --from-pack {step.packed}"
    if step.packed or need.bytes > need.free_bytes:
        return
    user = world.env.get("USER") or str(world.uid)
    for there in local_places(world):
        if there.has(need.bytes, need.files):
            made = there.path / user / need.where.name
            file = world.home / f"{need.where.name}.tar.zst"
            yield "Or keep it as one file, which a session unpacks on its node's own disk. Make it here:"
            yield f"{_command(need) or 'the same command with '}--prefix {made}"
            yield f"hpc-jupyter-setup env pack {made} -o {file}"
            yield f"hpc-jupyter-setup launch --from-pack {file}"
            return


def _command(need: Need) -> str:
    """What is there already has to be made anew to be elsewhere."""
    return "hpc-jupyter-setup env create FILE " if contents.is_environment(need.where) else ""
