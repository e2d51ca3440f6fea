"""Environment modules (Lmod, Environment Modules): the lines that load them, tried before a job does."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence

from setup_wizard.errors import BadInput
from setup_wizard.hints import did_you_mean
from setup_wizard.world import World

PATIENCE = 60.0  # seconds; module trees on a busy network file system are slow
LOOK = 20.0  # seconds to look for what would do, once it is known that something is wrong
# `module` is a function of login shells; a job may begin without it. The environment may name its place; else
# what a login shell reads for it makes it, with the default folders of modules; else the usual places may do.
FIND = """\
no_module() { ! type module >/dev/null 2>&1; }
for init in "${LMOD_PKG:-}/init/bash" "${MODULESHOME:-}/init/bash"; do
    if no_module && [ -r "$init" ]; then . "$init"; fi
done
if no_module; then
    for init in /etc/profile.d/*.sh; do
        case "$init" in *module* | *lmod*) . "$init" ;; esac
    done
fi
for init in /usr/share/lmod/lmod/init/bash /usr/share/modules/init/bash; do
    if no_module && [ -r "$init" ]; then . "$init"; fi
done"""
LOAD = "module load {} || {{ echo {} >&2; exit 3; }}"
NOT_LOADED = "This module was not loaded: "
NONE = "module: command not found"
# The exit code alone tells it in all versions but old ones of Environment Modules.
ERROR = re.compile(
    r"^(?:.*:)?\s*(?:Module )?ERROR:\s*(?P<what>.*)|^Lmod has detected the following error:", re.MULTILINE
)
LMOD = re.compile(
    r"^Lmod has detected the following error:\s*(.+?)\s*(?:\n\s*\n|\n\s*Try:|\nWhile processing|\Z)",
    re.MULTILINE | re.DOTALL,
)
UNKNOWN = re.compile(r"are unknown:|Unable to locate a modulefile")
NOT_BY_ITSELF = re.compile(r"exist but cannot be loaded as requested")  # others must be loaded before it
NEEDS = re.compile(r"any\s+one\s+of\s+the\s+lines\s+below.*?\n[ \t]*\n((?:[ \t]+\S[^\n]*\n)+)", re.DOTALL)
NAMES = 'module -t avail; if [ -n "${LMOD_CMD:-}" ]; then module -t spider; fi'

Ask = Callable[[str], str]  # what `module` says to a line of bash


def lines(modules: Sequence[str], paths: Sequence[str] = ()) -> list[str]:
    """Lines of bash that load these modules and no others, or end with code 3; none for no modules."""
    if not modules:
        return []
    return [*_ready(paths), *(LOAD.format(shlex.quote(m), shlex.quote(NOT_LOADED + m)) for m in modules)]


def check(world: World, modules: Sequence[str], paths: Sequence[str], env: Mapping[str, str]) -> None:
    """Load them as the job will; BadInput says which one cannot be, why, and what would do."""
    if not modules:
        return
    shell = ["bash", "--noprofile", "--norc", "-c"]
    output = world.run([*shell, "\n".join(lines(modules, paths))], env=env, timeout=PATIENCE)
    said = f"{output.err}\n{output.out}"
    if output.code == 0 and not ERROR.search(said):
        return
    if NONE in said:
        raise BadInput("There are no environment modules on this machine.", fix="Leave out --env-modules.")
    if output.code == -9:
        raise BadInput(f"Loading {' '.join(modules)} took over {PATIENCE:.0f} s.", fix="Try it by hand.")

    def ask(line: str) -> str:
        script = "\n".join([*_ready(paths), f"{{ {line}; }} 2>&1"])
        return world.run([*shell, script], env=env, timeout=LOOK).out

    raise _refused(modules, said, ask)


def _ready(paths: Sequence[str]) -> list[str]:
    """Lines of bash after which `module` is there, nothing is loaded, and these folders count as well."""
    return [FIND, "module purge", *(f"module use --append {shlex.quote(path)}" for path in paths)]


def _refused(modules: Sequence[str], said: str, ask: Ask) -> BadInput:
    stopped = re.search(rf"^{NOT_LOADED}(.*)$", said, re.MULTILINE)
    name = stopped[1] if stopped else next((m for m in modules if m in said), modules[0])
    cause = _cause(said).rstrip(".")
    problem, fix = f"The module {name} cannot be loaded: {cause}.", ""
    if NOT_BY_ITSELF.search(cause):
        fix = _what_it_needs(modules, name, ask)
    elif UNKNOWN.search(cause) and name not in (there := _names(ask(NAMES))):
        versions = [n for n in there if n.startswith(f"{name.partition('/')[0]}/")]
        problem += "" if versions else did_you_mean(name, [n for n in there if ("/" in n) == ("/" in name)])
        look = f"module spider {name}" if LMOD.search(said) else "module avail"
        fix = f"There is: {', '.join(versions)}" if versions else f"See what there is: {look}"
    return BadInput(problem, fix=fix or f"Try it by hand: module purge; module load {' '.join(modules)}")


def _cause(said: str) -> str:
    """What `module` says is wrong, in one line."""
    if lmod := LMOD.search(said):
        return " ".join(lmod[1].split())
    if known := ERROR.search(said):
        return known["what"].strip()
    told = [line for line in said.splitlines() if line.strip() and not line.startswith(NOT_LOADED)]
    return (told or ["nothing was said"])[0].strip()


def _what_it_needs(modules: Sequence[str], name: str, ask: Ask) -> str:
    """The flag with all that the module needs before it, as Lmod tells; "" where it does not."""
    told = ask(f"module spider {shlex.quote(name)}")
    if newest := re.search(r"\$ module spider (\S+)", told):  # it has several versions, and none was named
        told = ask(f"module spider {shlex.quote(newest[1])}")
    needs = NEEDS.search(told)
    if not needs:
        return ""
    first, *others = needs[1].splitlines()
    at = modules.index(name)
    whole = dict.fromkeys([*modules[:at], *first.split(), *modules[at:]])
    more = f" (or other ways: module spider {newest[1] if newest else name})" if others else ""
    return f"Load what it needs before it: --env-modules {','.join(whole)}{more}"


def _names(told: str) -> list[str]:
    """The modules in what `module -t avail` or `module -t spider` tells, with and without their versions."""
    words = (line.split()[0] for line in told.splitlines() if line.strip() and not line.endswith(":"))
    names = [re.split(r"[(<]", word)[0].rstrip("/") for word in words]
    return list(dict.fromkeys([*names, *(name.partition("/")[0] for name in names)]))
