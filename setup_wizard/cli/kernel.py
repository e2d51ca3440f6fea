"""`kernel`: what Jupyter offers to start: list, add, remove, check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from setup_wizard.cli.options import DryRun, Json, Yes

if TYPE_CHECKING:
    from setup_wizard.cli.work import How
    from setup_wizard.journal import Journal
    from setup_wizard.kernels import Kernelspec
    from setup_wizard.kernels.changes import Removal

app = typer.Typer(
    help="Kernels that Jupyter offers, of Python and of others.", rich_markup_mode=None, no_args_is_help=True
)


@app.callback()
def kernel() -> None:
    """Kernels that Jupyter offers, of Python and of others."""


@app.command("list")
def list_kernels(json: Json = False) -> int:
    """List the kernels: what each starts, in which environment, whether it can, and which are ours."""
    from setup_wizard import kernels
    from setup_wizard.journal import Journal
    from setup_wizard.ui import kernel_pages, show
    from setup_wizard.world import World

    world = World.here()
    known = kernels.every(Journal(world).receipt, world)
    if json:
        show.put_json({"ok": not any(k.problem for k in known), "kernels": known})
    else:
        show.put(kernel_pages.listing(known, world.home), world)
    return 0


@app.command()
def add(
    environment: Annotated[str, typer.Argument(metavar="NAME|PREFIX", help="The environment.")],
    kernel: Annotated[
        str, typer.Option("--kernel", help="Which of its kernels (python3, ir …); else all of them.")
    ] = "",
    name: Annotated[
        str, typer.Option("--name", "-n", help="A name for it; else that of the environment.")
    ] = "",
    display_name: Annotated[str, typer.Option(help="What Jupyter shows.")] = "",
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Offer the kernels of an environment, of Python, R or whatever it brings, in every Jupyter of yours."""
    from setup_wizard.answers import recall
    from setup_wizard.apply import review
    from setup_wizard.cli.work import How, review_and_apply
    from setup_wizard.journal import Journal
    from setup_wizard.kernels import changes
    from setup_wizard.kernels.changes import Wish
    from setup_wizard.plan import Plan
    from setup_wizard.ui import kernel_pages, show
    from setup_wizard.world import World

    world, how = World.here(), How(yes, dry_run, json)
    journal = Journal(world)
    prefix = changes.prefix_of(environment, journal.receipt, world)
    steps = changes.adding(prefix, Wish(kernel, name, display_name), journal.receipt, world)
    outcomes = review_and_apply(review(Plan(steps), world), journal, recall(world), how)
    if outcomes is None:
        return 0
    made = [o.step.title for o in outcomes if o.state == "made"]
    if json:
        offered = [{"name": s.name.lower(), "display": s.shown} for s in steps]
        show.put_json({"ok": True, "prefix": prefix, "kernels": offered, "changed": made})
    else:
        show.put(kernel_pages.added(steps, made), world)
    return 0


@app.command()
def remove(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME…", help="The kernels, as `kernel list` has them.")
    ],
    not_ours: Annotated[
        bool, typer.Option("--not-ours", help="Also one that this setup has not made; it can come back.")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Let Jupyter offer kernels no longer; their environments stay as they are."""
    from setup_wizard import kernels
    from setup_wizard.cli.work import How, agree
    from setup_wizard.journal import Journal
    from setup_wizard.kernels import changes
    from setup_wizard.ui import kernel_pages, show
    from setup_wizard.world import World

    world, how = World.here(), How(yes, dry_run, json)
    journal = Journal(world)
    known = kernels.every(journal.receipt, world)
    specs = list({k.folder: k for k in (kernels.pick(name, known) for name in names)}.values())
    removal = changes.removing(specs, not_ours=not_ours)
    if not json:
        show.put(kernel_pages.to_go(specs, world.home), world)
    if not dry_run:
        agree("Remove this?", how)
        _take_away(removal, specs, journal, how)
    if json:
        folders = [k.folder for k in specs]
        show.put_json({"ok": True, "would_remove" if dry_run else "removed": folders})
    elif not dry_run:
        show.put(kernel_pages.removed(specs), world)
    return 0


def _take_away(removal: Removal, specs: Sequence[Kernelspec], journal: Journal, how: How) -> None:
    from setup_wizard import apply
    from setup_wizard.answers import recall
    from setup_wizard.cli.work import carry_out
    from setup_wizard.plan import Plan

    with journal:
        for key in removal.ours:
            if trouble := apply.take_back(key, journal.world, journal).trouble:
                raise trouble
        if removal.others:
            carry_out(Plan(removal.others), journal, recall(journal.world), how)
        apply.disown([f"kernel:{k.name}" for k in specs if not k.ours], journal)


@app.command()
def check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME…]", help="Which; else all that every Jupyter shows.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that a kernel has to answer.")] = 60,
    json: Json = False,
) -> int:
    """Start kernels for real: does each answer, and in which environment? Exit code 1: some do not."""
    from setup_wizard import kernels
    from setup_wizard.journal import Journal
    from setup_wizard.kernels import checks
    from setup_wizard.ui import show
    from setup_wizard.world import World

    world = World.here()
    receipt = Journal(world).receipt
    known = kernels.every(receipt, world)
    specs = [kernels.pick(n, known) for n in names or ()] or [k for k in known if k.seen == "everywhere"]
    with show.live(world, err=json) as live:
        seen = list(checks.checks(specs, receipt, world, timeout, live.report))
    good = all(c.ok for c in seen)
    if json:
        told = [{"name": k.name, "check": c} for k, c in zip(specs, seen, strict=True)]
        show.put_json({"ok": good, "kernels": told})
    else:
        from setup_wizard.ui import kernel_pages

        show.put(show.checks(seen, world.home) if seen else kernel_pages.listing([], world.home), world)
    return 0 if good else 1
