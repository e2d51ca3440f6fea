"""Environment modules (Lmod, Environment Modules): the lines that load them, tried before a job does."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from setup_wizard.errors import BadInput
from setup_wizard.world import World

PATIENCE = 60.0  # seconds; module trees on a busy network file system are slow
TROUBLE = re.compile(r"error|unable to locate|unknown module|not found", re.IGNORECASE)
# `module` is a function of interactive shells; a job begins without it. These are the usual places of it.
FIND = """\
if ! type module >/dev/null 2>&1; then
    for init in "${LMOD_PKG:-}/init/bash" "${MODULESHOME:-}/init/bash" /etc/profile.d/lmod.sh \\
        /etc/profile.d/modules.sh /usr/share/lmod/lmod/init/bash /usr/share/modules/init/bash; do
        if [ -r "$init" ]; then . "$init"; break; fi
    done
fi"""


def lines(modules: Sequence[str], paths: Sequence[str] = ()) -> list[str]:
    """Lines of bash that load these modules and no others, or end with code 3; none for no modules."""
    if not modules:
        return []
    use = [f"module use --append {shlex.quote(path)}" for path in paths]
    load = [f"module load {shlex.quote(name)} || exit 3" for name in modules]
    return [FIND, "module purge", *use, *load]


def check(world: World, modules: Sequence[str], paths: Sequence[str], env: Mapping[str, str]) -> None:
    """Load them as the job will; BadInput says which one cannot be, and how to look for it."""
    if not modules:
        return
    script = "\n".join(lines(modules, paths))
    output = world.run(["bash", "--noprofile", "--norc", "-c", script], env=env, timeout=PATIENCE)
    said = [line.strip() for line in f"{output.err}\n{output.out}".splitlines() if line.strip()]
    wrong = [line for line in said if TROUBLE.search(line)]
    if output.code == 0 and not wrong:
        return
    if any("module: command not found" in line for line in said):
        raise BadInput("There are no environment modules on this machine.", fix="Leave out --env-modules.")
    if output.code == -9:
        raise BadInput(f"Loading {' '.join(modules)} took over {PATIENCE:.0f} s.", fix="Try it by hand.")
    name = next((m for m in modules if any(m in line for line in said)), modules[0])
    raise BadInput(
        f"The modules {' '.join(modules)} cannot be loaded: {(wrong or said or ['nothing was said'])[0]}",
        fix=f"See what there is: module avail {name.partition('/')[0]} (with Lmod: module spider {name})",
    )
