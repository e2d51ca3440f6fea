"""Does a kernel really start, and where? Each is started, asked, and ended."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from setup_wizard import environments, selftest
from setup_wizard.journal import Receipt
from setup_wizard.kernels import Kernelspec
from setup_wizard.selftest import Check, Started, Trial
from setup_wizard.world import Progress, Report, World

# What is said, last line first, why that is, and what to do; {0} is what was found, {small} the same in small
# letters, {name} and {prefix} are the kernel's.
CAUSES = (
    (
        r"No module named '?(?:ipykernel(?:_launcher)?)\b",
        "its Python has no ipykernel",
        "hpc-jupyter-setup env install {prefix} ipykernel",
    ),
    (
        r"No module named '?([\w.]+)",
        "it misses its module {0}",
        "hpc-jupyter-setup env check {prefix} --all-bytes",
    ),
    (
        r"there is no package called .([\w.]+)",
        "its R has no package {0}",
        "hpc-jupyter-setup env install {prefix} r-{small}",
    ),
    (
        r"(?:loading shared libraries: |^ *(?:\w*Error: )?)([^\s:]+): cannot open shared object file",
        "the library {0} is missing",
        "hpc-jupyter-setup env check {prefix} --all-bytes",
    ),
    (
        r"version `(\w+_[\d.]+)' not found",
        "another C++ library than its own is loaded (it wants {0})",
        "See whether a module or an rc file sets LD_LIBRARY_PATH: echo $LD_LIBRARY_PATH",
    ),
    (
        r"No space left on device|Disk quota exceeded",
        "there is no space left on the disk",
        "See where: df -h ~ /tmp; df -i ~ /tmp; quota -s",
    ),
    (r"MemoryError|Cannot allocate memory", "memory ran out", "See what else runs: ps ux --sort -rss | head"),
    (
        r"NoSuchKernel|No such kernel",
        "Jupyter does not find it",
        "See which there are: hpc-jupyter-setup kernel list",
    ),
    (
        r"FileNotFoundError: .*'([^']+)'$",
        "{0} is not there",
        "Make its environment again, or remove the kernel: hpc-jupyter-setup kernel remove {name}",
    ),
    (r"PermissionError: .*'([^']+)'$", "{0} may not be executed", "See who may: ls -l {0}"),
    (
        r"didn't respond in ([\d.]+)",
        "it did not answer within {0} s",
        "On a slow file system, give it longer: hpc-jupyter-setup kernel check {name} --timeout 300",
    ),
    (
        r"^(?!RuntimeError: Kernel died)(\w*Error: .+)",
        "it ends with {0}",
        "hpc-jupyter-setup env check {prefix} --all-bytes",
    ),
    (r"^Error in .* : (.+)", "it ends with {0}", "hpc-jupyter-setup env check {prefix} --all-bytes"),
    (r"^  (.+)\nError in .* : $", "it ends with {0}", "hpc-jupyter-setup env check {prefix} --all-bytes"),
)
UNKNOWN = "Start it by hand, and read what it says: jupyter console --kernel {name}"
NO_STARTER = "no environment has jupyter_client, which starts kernels"


def checks(
    specs: Sequence[Kernelspec], receipt: Receipt, world: World, seconds: float, report: Report
) -> Iterator[Check]:
    """One check for each kernel, as it is done; it has so many seconds to answer."""
    others = [e.prefix for e in environments.ours(receipt)]
    for spec in specs:
        report(Progress(f"Starting the kernel {spec.name}"))
        yield _check(spec, [*([spec.prefix] if spec.prefix else []), *others], world, seconds)


def _check(spec: Kernelspec, starters: list[Path], world: World, seconds: float) -> Check:
    title = f"The kernel {spec.name}, {spec.display}"
    if spec.problem:
        return Check(title, False, f"It does not start: {spec.problem}.", spec.fix)
    starter = next((p for p in [*starters, *_in_path(world)] if _can_start(p)), None)
    if starter is None:
        return Check(
            title, False, f"It cannot be tried: {NO_STARTER}.", "hpc-jupyter-setup env create jupyter"
        )
    share = spec.folder.parent.parent
    came = selftest.start(world, Trial(spec.name, starter, share, seconds))
    if came.problem:
        why, fix = cause(came, spec)
        return Check(title, False, f"It does not start: {why}.", fix)
    where = Path(came.prefix) if came.prefix else None
    if where and spec.prefix and where.resolve() != spec.prefix.resolve():
        again = f"Offer it anew: hpc-jupyter-setup kernel add {spec.prefix}"
        return Check(title, False, f"It runs in {where}, not in {spec.prefix}.", again, came.seconds)
    language = came.language.capitalize() or spec.language
    told = f"{language} {came.version}".strip() + (
        f" in {where or spec.prefix}" if where or spec.prefix else ""
    )
    return Check(title, True, told, seconds=came.seconds)


def cause(came: Started, spec: Kernelspec) -> tuple[str, str]:
    """Why a kernel did not start, and what to do, from all that was said; the last words count most."""
    said = "\n".join([*reversed(came.said.strip().splitlines()), came.problem])
    names = {"name": spec.name, "prefix": str(spec.prefix or "PREFIX")}
    for pattern, why, fix in CAUSES:
        if found := re.search(pattern, said, re.MULTILINE):
            names["small"] = "".join(found.groups()).lower()
            return why.format(*found.groups(), **names), fix.format(*found.groups(), **names)
    return came.problem.rstrip("."), UNKNOWN.format(**names)


def _in_path(world: World) -> list[Path]:
    jupyter = world.which("jupyter")
    return [jupyter.parent.parent] if jupyter else []


def _can_start(prefix: Path) -> bool:
    return any(prefix.glob("lib/python3*/site-packages/jupyter_client/manager.py"))
