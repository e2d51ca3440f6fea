"""Container images (Apptainer, Singularity): looked at before a job, and Jupyter started inside of one.

The image has the Python, the packages and the kernel. Of this machine it sees the home, what the user binds,
and the few folders that the session itself needs.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.jupyter import start, words
from setup_wizard.jupyter.nook import Nook, filled
from setup_wizard.world import Output, World

RUNTIMES = ("apptainer", "singularity")
URI = re.compile(r"(docker|oras|library|shub)://\S+")
OPTIONS = ("", "ro", "rw")
PATIENCE, PULL = 60.0, 900.0  # seconds until an image answers; one that is fetched first may be gigabytes
PYTHON = "python3"
NO_RUNTIME, NO_PYTHON = 4, 127  # exit codes
FIND = f"""\
runtime=$(command -v {RUNTIMES[0]} || command -v {RUNTIMES[1]}) || exit {NO_RUNTIME}
exec "$runtime" "$@\""""
LOOK = """\
import importlib.metadata as m, json, sys
found = {}
for name in sys.argv[1:]:
    try: found[name] = m.version(name)
    except m.PackageNotFoundError: found[name] = ""
print(json.dumps([sys.prefix, found]))"""
NONE = f"is neither {RUNTIMES[0]} nor {RUNTIMES[1]}, one of which runs images."
FIND_ONE = f"See whether a module has it (module avail {RUNTIMES[1]}), and add: --env-modules NAME"
# Where packages and folders of this machine lie, which are not those of the image.
NOT_INSIDE = (*start.NOT_TAKEN_OVER, "BASH_FUNC_", "LD_LIBRARY_PATH")


class Container(msgspec.Struct, frozen=True):
    """An image: a file, an unpacked folder, or an address; what it sees of this machine, and which cards.

    `binds` are SRC[:DST[:OPTS]]; variables in them ($SLURM_JOB_ID) are those of the job.
    """

    image: str
    binds: tuple[str, ...] = ()
    nv: bool = False
    rocm: bool = False


def wanted(image: str, binds: Sequence[str], *, nv: bool, rocm: bool) -> Container | None:
    """What was asked for by flags; None for no image. Raises BadInput."""
    each = tuple(bind for text in binds for bind in text.split(",") if bind)
    if not image:
        if each or nv or rocm:
            raise BadInput("--bind, --nv and --rocm are for an image.", fix="Add: --sif IMAGE")
        return None
    if not URI.fullmatch(image):
        if "://" in image:
            raise BadInput(
                f"--sif: «{image}» is no address of an image.",
                fix="docker://, oras://, library:// or shub://",
            )
        image = str(Path(image).expanduser().absolute())
    return Container(image, each, nv, rocm)


def look(
    world: World, image: Container, interface: str, before: Sequence[str], env: Mapping[str, str]
) -> Path:
    """The prefix of the Python in the image, with all that this page needs; else BadInput.

    `before` are lines of bash that make the runtime findable: environment modules.
    """
    _there(image)
    if "://" not in image.image and not Path(image.image).exists():
        raise BadInput(f"--sif: there is no image {image.image}.", fix=f"ls -l {Path(image.image).parent}")
    package = start.PACKAGES[interface]
    probe = ["exec", image.image, PYTHON, "-c", LOOK, package, "jupyter_server", "ipykernel"]
    argv = ["bash", "--noprofile", "--norc", "-c", "\n".join([*before, FIND]), "bash", *probe]
    patience = PULL if "://" in image.image else PATIENCE
    output = world.run(argv, env=env, timeout=patience)
    if output.code:
        raise _no_answer(image, output, patience)
    prefix, found = json.loads(output.out.splitlines()[-1])
    _enough(image, package, found)
    return Path(prefix)


def inside(
    world: World, image: Container, nook: Nook, needed: Sequence[Path], argv: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    """The command that runs `argv` in the image, and its environment. `needed` are folders that it must see.

    Raises MachineBlocks where there is no runtime, or a bind names a variable that the job does not have.
    """
    runtime = next((found for name in RUNTIMES if (found := world.which(name))), None)
    if not runtime:
        raise MachineBlocks(f"On this node there {NONE}", fix=FIND_ONE)
    binds = [*(filled(world, bind) for bind in image.binds), *map(str, [nook.path, *needed])]
    cards = [flag for flag, on in (("--nv", image.nv), ("--rocm", image.rocm)) if on]
    places = ["--home", str(world.home), *(f"--bind={bind}" for bind in binds), "--pwd", str(nook.path)]
    kept = {name: value for name, value in world.clean_env().items() if not name.startswith(NOT_INSIDE)}
    ours = {**start.ours(nook), "PYTHONNOUSERSITE": "1"}
    # These also where the site's or the user's settings keep the environment out of the image.
    certain = {f"{runtime.name.upper()}ENV_{name}": value for name, value in ours.items()}
    return [str(runtime), "exec", *places, *cards, image.image, *argv], {**kept, **ours, **certain}


def _there(image: Container) -> None:
    """BadInput for a bind that cannot be. What only a compute node can know, is left to the job."""
    for bind in image.binds:
        source, _, rest = bind.partition(":")
        target, _, option = rest.partition(":")
        if not re.match(r"[/$]", source) or (target and target[0] not in "/$") or option not in OPTIONS:
            raise BadInput(
                f"--bind: «{bind}» is not SRC[:DST[:OPTS]] with absolute paths.", fix="--bind /data:/data:ro"
            )
        if "$" not in source and not os.path.exists(source) and os.path.isdir(os.path.dirname(source)):
            raise BadInput(f"--bind: there is no {source}.", fix=f"ls -l {os.path.dirname(source)}")


def _enough(image: Container, package: str, found: Mapping[str, str]) -> None:
    for missing in [name for name, version in found.items() if not version][:1]:
        raise BadInput(
            f"The image {image.image} has no {missing}.",
            fix=f"Take one that has it, as docker://quay.io/jupyter/base-notebook, or build {package} in.",
        )
    if says := words.warning(found["jupyter_server"]):
        raise BadInput(f"In {image.image}, {says.partition(' Update it')[0]}", fix="Take a newer image.")


def _no_answer(image: Container, output: Output, patience: float) -> BadInput:
    if output.code == NO_RUNTIME:
        return BadInput(f"Here {NONE}", fix=FIND_ONE)
    if output.code == -9:
        pull = f"{RUNTIMES[0]} pull image.sif {image.image}; then add: --sif image.sif"
        return BadInput(
            f"The image {image.image} did not answer within {patience:.0f} s.",
            fix=pull if "://" in image.image else f"Try it: {RUNTIMES[0]} exec {image.image} {PYTHON} -V",
        )
    said = [line for line in f"{output.err}\n{output.out}".splitlines() if line.strip()]
    if output.code == NO_PYTHON or any(f'"{PYTHON}"' in line for line in said):
        return BadInput(f"The image {image.image} has no {PYTHON}.", fix="Take one with Jupyter in it.")
    told = next((line for line in said if "FATAL" in line), (said or ["it said nothing"])[-1])
    return BadInput(
        f"The image {image.image} cannot be used: {told.partition('FATAL:')[2].strip() or told}",
        fix=f"Try it: {RUNTIMES[0]} exec {image.image} {PYTHON} -V",
    )
