"""The import rule, and the house rules that can be counted; see docs/design.md for the reasons.

`RANKS`, `LIBRARIES` and `DOORS` are the rule as data. A new module gets its rank here.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "setup_wizard"

# From the ground up. What stands on one line may not import each other; a folder counts as one thing.
RANKS = (
    "__init__",  # the version
    "errors",
    "hints walltime nicknames secrecy login_shell notes",
    "world",
    "files",
    "trees yamlfile blocks quota weight",
    "step git conda notebook_catalogue",
    "steps schedulers access jupyter modules",
    "sites answers container",
    "places",
    "choices session discovery receipt",
    "plan journal script asking wish giving_back",
    "apply preflight selftest proof running submission mirror",
    "environments",
    "health way_in deadline following far arrival kernels",
    "launch holding orders serve relay tunnel delivery pulse comeback",
    "errand",
    "rehearsal connect batch checkup",
    "watching",
    "ui",
    "cli",
    "__main__",
)

# Who may import which library. Everything else that is not in Python's own library may be imported nowhere.
LIBRARIES = {
    "msgspec": ("",),
    "packaging": ("",),
    "typer": ("cli/",),
    "questionary": ("ui/",),
    "prompt_toolkit": ("ui/",),  # what questionary is made of
    "rich": ("ui/",),
    "rattler": ("conda/engine/",),
    "httpx": ("world/",),
    "ruamel": ("yamlfile/", "steps/yaml_lines.py"),
    "jupyter_client": ("proof.py", "selftest/kernel_probe.py"),
    "tornado": ("proof.py",),
    "backports": ("mirror/", "conda/packed.py"),  # zstd, for archives; from 3.14 on it is Python's own
    "compression": ("mirror/", "conda/packed.py"),
}

# What touches the machine, who may, and what everybody else does instead.
PROGRAMS = "use World.run"
WEB = "use World.fetch, World.download or World.ask"
DOORS = {
    "subprocess": (
        ("world/", "serve.py", "relay.py", "arrival.py", "mirror/server.py", "selftest/shell_probe.py"),
        PROGRAMS,
    ),
    "os.system": ((), PROGRAMS),
    "os.popen": ((), PROGRAMS),
    "os.fork": (("world/",), PROGRAMS),
    "asyncio.create_subprocess_exec": ((), PROGRAMS),
    "asyncio.create_subprocess_shell": ((), PROGRAMS),
    "multiprocessing": ((), PROGRAMS),
    "socket": (("world/", "serve.py", "relay.py", "mirror/server.py", "selftest/shell_probe.py"), WEB),
    "urllib.request": ((), WEB),
    "http.client": (("world/",), WEB),
    "http.server": (("world/", "mirror/server.py"), WEB),
    # The engine is a process of its own: its environment is what the parent gave it.
    "os.environ": (
        ("world/", "serve.py", "arrival.py", "mirror/server.py", "conda/engine/"),
        "use World.env",
    ),
    "os.getenv": ((), "use World.env"),
    "pathlib.Path.home": (("world/",), "use World.home"),
    "os.path.expanduser": ((), "use World.home"),
    "time.time": (("world/", "arrival.py"), "use World.now"),
    "time.sleep": (("world/", "serve.py", "mirror/server.py"), "use World.sleep"),
    "datetime.datetime.now": ((), "use World.now"),
    "importlib.import_module": ((), "write the import down, so that the rule sees it"),
}

LONGEST_FILE, LONGEST_FUNCTION = 300, 45


# --- the rule, for one module ----------------------------------------------------------------------------


def place(module: str) -> str:
    """What of RANKS a module belongs to: "setup_wizard.steps.kernel" -> "steps"."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def rank(module: str) -> int | None:
    """How high a module stands; None when RANKS does not know it."""
    return next((n for n, names in enumerate(RANKS) if place(module) in names.split()), None)


def name_of(path: str) -> str:
    """The dotted name of a file: "setup_wizard/steps/__init__.py" -> "setup_wizard.steps"."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that is imported, wherever it stands, also for types only."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            home = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{home}.{alias.name}") for alias in node.names)


def uses(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and full name of everything imported or reached through an import: `Path.home` is pathlib's."""
    known = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known.update({a.asname or a.name.split(".")[0]: a.asname and a.name for a in node.names})
        elif isinstance(node, ast.ImportFrom):
            known.update({a.asname or a.name: f"{node.module}.{a.name}" for a in node.names})
    yield from imports(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            first, _, rest = ast.unparse(node).partition(".")
            if first in known:
                yield node.lineno, f"{known[first] or first}.{rest}"


def allowed(path: str, places: tuple[str, ...]) -> bool:
    """Whether a file is one of those places, or in one."""
    inside = path.removeprefix(f"{PACKAGE}/")
    return any(inside == p or (inside.startswith(p) and (p == "" or p.endswith("/"))) for p in places)


def upward(path: str, tree: ast.Module) -> list[str]:
    """Imports of our own that do not lead down, or into the module's own folder."""
    me = name_of(path)
    found = []
    for line, name in imports(tree):
        if name.startswith("."):
            found.append(f"{path}:{line}: write {name} as an absolute import")
        elif name.split(".")[0] == PACKAGE and not leads_down(me, name):
            found.append(f"{path}:{line}: {place(me)} imports {name}; only what stands lower in RANKS may be")
    return found


def leads_down(me: str, name: str) -> bool:
    """Whether `me` may import `name`. What has no rank is reported by a test of its own."""
    target = name if rank(name) is not None else PACKAGE  # `from setup_wizard import __version__`
    mine, its = rank(me), rank(target)
    return mine is None or its is None or its < mine or place(me) == place(target)


def strangers(path: str, tree: ast.Module) -> list[str]:
    """Foreign libraries, other than the few that this file may import."""
    found = []
    for line, name in imports(tree):
        library = name.split(".")[0]
        if library in ("", PACKAGE) or (library in sys.stdlib_module_names and library not in LIBRARIES):
            continue
        if not allowed(path, LIBRARIES.get(library, ())):
            who = ", ".join(LIBRARIES.get(library, ())) or "nothing; a new library is the project's decision"
            found.append(f"{path}:{line}: {library} is imported here, and may be by: {who}")
    return found


def back_doors(path: str, tree: ast.Module) -> list[str]:
    """Ways to the machine that do not lead through World."""
    found = []
    for line, name in uses(tree):
        for door, (places, instead) in DOORS.items():
            if f"{name}.".startswith(f"{door}.") and not allowed(path, places):
                found.append(f"{path}:{line}: {door} touches the machine; {instead}")
    return sorted(set(found))


def undocumented(path: str, tree: ast.Module) -> list[str]:
    """The module, and its public classes and functions, where nothing says what they mean."""
    found = [] if ast.get_docstring(tree) else [f"{path}:1: the module has no docstring"]
    for node in public(tree):
        if not ast.get_docstring(node):
            found.append(f"{path}:{node.lineno}: {node.name} has no docstring")
    return found


Named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public(tree: ast.Module) -> Iterator[Named]:
    """Public functions and classes. What a class does for a protocol is told there, once."""
    yield from (node for node in tree.body if isinstance(node, Named) and not node.name.startswith("_"))


def too_long(path: str, tree: ast.Module, lines: int) -> list[str]:
    """The file, and the functions in it, that nobody reads in one go. A signature may be a table of flags."""
    found = [f"{path}: {lines} lines; split it (at most {LONGEST_FILE})"] if lines > LONGEST_FILE else []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.body[0].lineno + 1
            if length > LONGEST_FUNCTION:
                found.append(
                    f"{path}:{node.lineno}: {node.name} has {length} lines; at most {LONGEST_FUNCTION}"
                )
    return found


# --- all modules ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def modules() -> dict[str, ast.Module]:
    """Every module of the package, read, by its path in the checkout."""
    return read(PACKAGE)


def read(folder: str) -> dict[str, ast.Module]:
    """The Python files below a folder of the checkout, read."""
    paths = sorted((ROOT / folder).rglob("*.py"))
    return {str(p.relative_to(ROOT)): ast.parse(p.read_text(), str(p)) for p in paths}


def none(found: list[str]) -> None:
    """Fail with everything that was found, one a line."""
    assert not found, f"{len(found)} to mend:\n" + "\n".join(found)


def test_every_module_has_a_rank(modules: dict[str, ast.Module]) -> None:
    """A module that nobody has placed in RANKS cannot slip past the rule, and RANKS names nothing twice."""
    none([f"{p}: give «{place(name_of(p))}» a rank in RANKS" for p in modules if rank(name_of(p)) is None])
    names = " ".join(RANKS).split()
    assert len(names) == len(set(names))


def test_imports_lead_downward(modules: dict[str, ast.Module]) -> None:
    """Nobody imports from above, or from beside, not even lazily or for types."""
    none([line for path, tree in modules.items() for line in upward(path, tree)])


def test_each_library_has_its_importer(modules: dict[str, ast.Module]) -> None:
    """A foreign library is known to one place, so that replacing it changes one place."""
    none([line for path, tree in modules.items() for line in strangers(path, tree)])


def test_the_machine_has_one_door(modules: dict[str, ast.Module]) -> None:
    """Programs, the web, the environment, the home and the clock are reached through World."""
    none([line for path, tree in modules.items() for line in back_doors(path, tree)])


def test_public_things_say_what_they_mean(modules: dict[str, ast.Module]) -> None:
    """Every module, public class and public function has a docstring."""
    none([line for path, tree in modules.items() for line in undocumented(path, tree)])


def test_every_test_says_what_is_promised() -> None:
    """A test's docstring is the promise that it holds."""
    tests = [(p, n) for p, tree in read("tests").items() for n in ast.walk(tree) if isinstance(n, Named)]
    none(
        [f"{p}:{n.lineno}: {n.name}" for p, n in tests if n.name[:5] == "test_" and not ast.get_docstring(n)]
    )


def test_files_and_functions_can_be_read(modules: dict[str, ast.Module]) -> None:
    """No file is longer than one sitting, no function longer than a screen."""
    none(
        [
            line
            for p, t in modules.items()
            for line in too_long(p, t, len((ROOT / p).read_text().splitlines()))
        ]
    )


# --- the rule itself --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("setup_wizard/steps/kernel.py", "from setup_wizard import plan"),
        ("setup_wizard/steps/kernel.py", "from setup_wizard.schedulers import local"),
        ("setup_wizard/steps/kernel.py", "def f():\n    import setup_wizard.cli"),
        ("setup_wizard/steps/kernel.py", "from ..cli import app"),
        ("setup_wizard/files.py", "from setup_wizard.step import Step"),
        (
            "setup_wizard/files.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n import setup_wizard.ui",
        ),
    ],
)
def test_the_rule_sees_what_leads_upward(path: str, source: str) -> None:
    """Upward, sideways, lazily, relatively and for types: all are seen."""
    assert len(upward(path, ast.parse(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "from setup_wizard import __version__, files",
        "from setup_wizard.conda.spec import EnvSpec",
        "from setup_wizard.steps import textfile",
        "import os",
    ],
)
def test_the_rule_lets_pass_what_leads_down(source: str) -> None:
    """Lower ranks, the own folder, the version and Python's own library are free."""
    tree = ast.parse(source)
    path = "setup_wizard/steps/kernel.py"
    assert upward(path, tree) + strangers(path, tree) + back_doors(path, tree) == []


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.environ['HOME']",
        "from os import environ",
        "import os as o\no.environ",
        "from pathlib import Path\nPath.home()",
        "import pathlib\npathlib.Path.home()",
        "import time\ntime.sleep(1)",
        "from subprocess import run",
        "def f():\n    import socket",
        "from datetime import datetime as d\nd.now()",
    ],
)
def test_the_rule_sees_back_doors(source: str) -> None:
    """A way around World is seen under whatever name it goes."""
    assert back_doors("setup_wizard/journal.py", ast.parse(source))
    assert not back_doors("setup_wizard/world/__init__.py", ast.parse(source)) or "datetime" in source


@pytest.mark.parametrize("library", ["typer", "rich", "rattler", "requests"])
def test_the_rule_sees_strangers(library: str) -> None:
    """A library outside its place, and one that nobody has agreed to, are seen."""
    assert strangers("setup_wizard/plan.py", ast.parse(f"def f():\n    import {library}.x"))
