"""`doctor`: every step's check and the machine's; red or green, each red with its fix."""

from __future__ import annotations

from typing import Annotated

import typer

from setup_wizard.cli.options import Json


def doctor(
    test: Annotated[bool, typer.Option("--test/--no-test", help="Also start shells and kernels.")] = True,
    json: Json = False,
) -> int:
    """Look at all that was made, and at the machine: what is wrong, and how to mend it."""
    from setup_wizard import health
    from setup_wizard.journal import Journal
    from setup_wizard.ui import show
    from setup_wizard.world import World

    world = World.here()
    receipt = Journal(world).receipt
    with show.live(world, err=json) as live:
        findings = health.findings(receipt, world)
        checks = list(health.tests(receipt, world, live.report)) if test else []
    red = [f for f in findings if f.level == "bad"] + [c for c in checks if not c.ok]
    if json:
        show.put_json({"ok": not red, "findings": findings, "selftest": checks})
    else:
        show.put([*show.findings(findings, world.home), *show.checks(checks, world.home)], world)
    return 1 if red else 0
