"""Other Pythons: condas that are there, and what would get in the way of an environment's own packages."""

from __future__ import annotations

import os
from collections.abc import Iterator

from setup_wizard import trees
from setup_wizard.conda.distributions import Found, find
from setup_wizard.preflight.finding import Finding
from setup_wizard.world import World

ASTRAY = {
    "PYTHONPATH": "every Python looks there first, whatever its environment",
    "PYTHONHOME": "every Python takes its library from there",
}


def findings(world: World) -> Iterator[Finding]:
    """One for each conda that is not ours, variable and folder of packages; a good one for none of them."""
    others = [
        f for f in find(world) if not (trees.is_sealed(world, f.prefix) or trees.is_open(world, f.prefix))
    ]
    found = [*map(_conda, others), *_variables(world), *_user_site(world)]
    yield from found or [Finding("No other conda, and nothing that shadows packages")]


def _conda(found: Found) -> Finding:
    title = f"{found.kind.capitalize()} {found.version} in {found.prefix}".replace("  ", " ")
    if not found.healthy:
        where = f"~/{found.how.removeprefix('in ~/')}" if found.how.startswith("in ~/") else "PATH"
        return Finding(
            title,
            "warn",
            f"Found {found.how}; it cannot be used: {found.problem}.",
            f"It is left alone. If you know it to be dead, take it out of {where} and move it away.",
        )
    use = f"--distribution {found.prefix}"
    if found.how == "in a usual place":
        return Finding(title, detail=f"It can be used ({use}), and is left alone otherwise.")
    return Finding(
        title,
        "warn",
        f"Found {found.how}: in a new terminal its `conda` may come before ours. It is not changed.",
        f"Use it ({use}), or agree to have its lines in the rc file commented out (--old-blocks).",
    )


def _variables(world: World) -> Iterator[Finding]:
    for name, why in ASTRAY.items():
        if value := world.env.get(name, ""):
            yield Finding(
                f"{name}={value}",
                "warn",
                f"It leads Python astray: {why}. Our own programs, jobs and kernels run without it.",
                f"unset {name}; and take it out of your rc files (grep -n {name} ~/.*rc ~/.*profile)",
            )


def _user_site(world: World) -> Iterator[Finding]:
    for folder in sorted(world.home.glob(".local/lib/python3.*/site-packages")):
        try:
            names = sorted(n.partition("-")[0] for n in os.listdir(folder) if n.endswith(".dist-info"))
        except OSError:
            continue
        if names:
            more = f" and {len(names) - 4} more" if len(names) > 4 else ""
            yield Finding(
                f"{len(names)} packages in {folder}",
                "warn",
                f"Every Python of that version sees them before its own: {', '.join(names[:4])}{more}. Our "
                "kernels and jobs do not (PYTHONNOUSERSITE=1).",
                f"Move them away when nothing of yours needs them: mv {folder} {folder}.old",
            )
