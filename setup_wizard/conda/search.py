"""What the channels have of a package: versions, builds, sizes."""

from __future__ import annotations

from setup_wizard.conda import packages
from setup_wizard.conda.child import ask
from setup_wizard.conda.spec import EnvSpec
from setup_wizard.conda.talk import Request, Seen
from setup_wizard.world import Report, World, scratch, silent


def look(world: World, spec: EnvSpec, report: Report = silent) -> Seen:
    """What the channels of the spec have of its one package, newest first; of «*numpy*» the names.

    Nothing is left on the account. Raises PackagesQuarrel where there is no such package or version,
    BadInput, NetworkTrouble.
    """
    with scratch.folder(world) as tmp:
        request = Request(
            spec.urls,
            (),
            repodata=str(world.cache / "repodata") if world.offline else str(tmp),
            packages=str(packages.folder(world, world.home)),
            offline=world.offline,
            look=spec.dependencies[0],
        )
        return ask(world, request, spec, report).seen or Seen()
