"""What `env check --fix` does: the steps that mend what was found in an environment of ours."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from setup_wizard import trees
from setup_wizard.answers import Answers
from setup_wizard.checkup import bringing, theirs
from setup_wizard.checkup.remark import Checkup, Remark
from setup_wizard.checkup.surroundings import kernel_steps, moved_to
from setup_wizard.conda import contents, damage, packages
from setup_wizard.conda.talk import Package
from setup_wizard.environments import changes
from setup_wizard.environments.changes import Change
from setup_wizard.journal import Journal
from setup_wizard.steps import AnyStep, CondaEnv
from setup_wizard.steps.conda_env import REPAIR
from setup_wizard.world import Report, World

UPDATED = "jupyter_server"


def steps(journal: Journal, seen: Checkup, answers: Answers, report: Report) -> list[AnyStep]:
    """The steps, none where nothing can be mended. Asks the channels only for a newer jupyter_server.

    Raises what a change of packages raises.
    """
    entry = journal.receipt.get(f"conda_env:{seen.prefix}")
    mendable = [r for r in seen.remarks if r.mends]
    kinds = {r.kind for r in mendable}
    if "moved" in kinds or f"settled:{seen.prefix}" in journal.receipt:
        return bringing.steps(seen.prefix, journal)
    if not entry or not isinstance(entry.step, CondaEnv):
        return theirs.steps(seen, journal)
    if not mendable:
        return []
    step = entry.step
    if not step.prefix.exists() and (there := moved_to(step.prefix, journal.receipt, journal.world)):
        return bringing.steps(there, journal)
    if step.brought_from and not entry.made:
        return bringing.adopted(step, step.brought_from, journal)
    kernels = kernel_steps(seen.prefix, journal.receipt) if "kernel" in kinds else []
    if not contents.is_environment(seen.prefix):
        return [_anew(step), *kernels]
    if contents.whole(seen.prefix) is None or trees.is_open(journal.world, seen.prefix):
        return [step, *kernels]  # what was begun is done first
    if kinds == {"kernel"}:
        return [*kernels]
    after, packages = step, _as_installed(step, journal.world)
    if "security" in kinds:
        plan = changes.prepare(journal, step, Change(newest=(UPDATED,)), answers, report).plan
        (after,) = (s for s in plan.steps if isinstance(s, CondaEnv))
        packages = after.packages or packages
    if kinds - {"security", "kernel"}:
        after = _repair(after, mendable, packages)
    return [after, *kernels]


def _anew(step: CondaEnv) -> CondaEnv:
    """The step for an environment that is gone."""
    return step.later(packages=(), update="")


def _repair(step: CondaEnv, mendable: Sequence[Remark], packages: tuple[Package, ...]) -> CondaEnv:
    """The step as a repair: what is damaged is installed again, all else becomes, or stays, as `packages`."""
    names = tuple(r.package for r in mendable if r.kind == "files")
    moment = (step.prefix / contents.WHOLE).stat().st_mtime_ns
    what = [str(moment), *names, *(path for r in mendable for path in r.paths)]
    update = REPAIR + hashlib.sha256("\0".join(what).encode()).hexdigest()
    return step.later(update=update, reinstall=names, packages=packages, engine=None)


def _as_installed(step: CondaEnv, world: World) -> tuple[Package, ...]:
    """Just the packages that are there; none where a record is missing, so that it is solved anew."""
    note = contents.was_whole(step.prefix)
    look = damage.records(step.prefix)
    if look is None or note is None or contents.missing(step.prefix, note):
        return ()
    pkgs = packages.folder(world, step.prefix)
    edited = packages.edited(pkgs)  # through a hard link, perhaps: such a package is fetched again
    cached = {r.stem for r in look if (pkgs / r.stem).is_dir() and r.stem not in edited}
    return tuple(
        Package(r.name, r.version, r.build, r.url, r.size, r.sha256, cached=r.stem in cached)
        for r in look
        if r.name not in contents.theirs(step.prefix)
    )
