"""What a launch is to be: flags, what was used last, and the answers of a person become an order."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from setup_wizard import orders, sites
from setup_wizard.errors import BadInput
from setup_wizard.following import QUEUED
from setup_wizard.orders import Order
from setup_wizard.wish import Wish, as_last_time, as_then, last, taken_over

if TYPE_CHECKING:
    from setup_wizard.schedulers import Resources
    from setup_wizard.session import Job
    from setup_wizard.sites import Site
    from setup_wizard.world import World


class Manner(msgspec.Struct, frozen=True):
    """How to go about it: in JSON, without waiting, how long to wait in the queue (seconds), the URL alone.

    Or only showing it, or asking when it would start; `yes` agrees to make an environment that is missing.
    """

    json: bool = False
    detach: bool = False
    patience: float = QUEUED
    quiet: bool = False
    dry_run: bool = False
    test_only: bool = False
    yes: bool = False

    @property
    def asks(self) -> bool:
        """Whether a person may be asked; where there is a terminal."""
        return not (self.json or self.quiet or self.yes or self.dry_run or self.test_only)


class Source(msgspec.Struct, frozen=True):
    """Whose Jupyter: an environment by name or prefix, as a YAML file describes it, or that of last time.

    With `again` all that is not said is as last time, with `afresh` nothing.
    """

    environment: str | None = None
    conda_yml: str = ""
    again: bool = False
    afresh: bool = False


def wanted(world: World, wish: Wish, source: Source, manner: Manner) -> Order | None:
    """The order; None where the environment that it needs was only shown. Raises BadInput."""
    if source.again and source.afresh:
        raise BadInput("--again and --afresh: as last time, or not?", fix="Give only one of them.")
    before = _before(world, wish) if source.again else None
    wish = _with_jupyter(world, wish, source, manner)
    if source.conda_yml and not wish.prefix:
        return None
    return again(world, wish, before, manner) if before else ordered(world, wish, source, manner)


def _before(world: World, wish: Wish) -> Job:
    """What was launched last, which is to be had once more."""
    was = last(world)
    if not was:
        raise BadInput("Nothing was launched yet.", fix="hpc-jupyter-setup launch --help")
    if wish.site not in ("", was.site):
        raise BadInput(
            f"The last launch was on {was.site}, and not on {wish.site}.",
            fix="Leave out --again: what you used last on a system is taken over there anyway.",
        )
    return was


def again(world: World, wish: Wish, was: Job, manner: Manner) -> Order:
    """The same as last time, but for what is asked for now; judged anew, and nothing is asked."""
    site = sites.find(was.site, world)
    _warn_of(site, manner)
    return orders.order(world, as_then(wish, was), site)


def ordered(world: World, wish: Wish, source: Source, manner: Manner) -> Order:
    """The order for a wish: what was used last fills what is open, then the person."""
    here = site(world, wish, manner)
    given, wish = wish, wish if source.afresh else as_last_time(wish, last(world), here)
    if not manner.quiet and not manner.json:
        _say_taken(taken_over(given, wish))
    if not (wish.prefix or wish.container or wish.pack):
        wish = msgspec.structs.replace(wish, prefix=_picked(world, None))
    return order(world, wish, here, manner)


def site(world: World, wish: Wish, manner: Manner) -> Site:
    """The system that this is; where its markers fit several, the one that the person says."""
    found = orders.found(world, wish)
    if not found.others:
        return found.site
    names = (found.site.name, *found.others)
    if manner.asks and world.on_terminal:
        from setup_wizard.ui import job_questions

        return sites.find(job_questions.site(names, world), world)
    told = (
        f"This may be {' or '.join(names)}, and is taken for {found.site.name}: --site NAME says which it is."
    )
    print(told, file=sys.stderr)
    return found.site


def order(world: World, wish: Wish, site: Site, manner: Manner) -> Order:
    """The order, with the answers of the person to what is still open, where one may be asked."""
    was = last(world)
    first = not was or was.site != site.name or was.scheduler == "local"

    def ask(resources: Resources, site: Site) -> Resources:
        from setup_wizard.ui import job_questions

        return job_questions.answered(resources, site, world, first=first)

    _warn_of(site, manner)
    return orders.order(world, wish, site, ask if manner.asks and world.on_terminal else None)


def _warn_of(site: Site, manner: Manner) -> None:
    if site.status == "retired" and not manner.quiet:
        after = f" Its successor is {site.successor}." if site.successor else ""
        print(
            f"{site.title} is retired{f' since {site.retired}' if site.retired else ''}.{after}",
            file=sys.stderr,
        )


def _say_taken(flags: list[str]) -> None:
    """Say in a line what is as last time."""
    if flags:
        print(f"As last time: {' '.join(flags)}  (--afresh: none of it)", file=sys.stderr, flush=True)


def _with_jupyter(world: World, wish: Wish, source: Source, manner: Manner) -> Wish:
    """The wish with whose Jupyter it is, where that is said. Raises BadInput where it is said twice."""
    named = {
        "--environment": source.environment,
        "--conda-yml": source.conda_yml,
        "--sif": wish.container,
        "--from-pack": wish.pack,
    }
    given = [flag for flag, value in named.items() if value]
    if len(given) > 1:
        raise BadInput(f"Whose Jupyter: {' or '.join(given)}?", fix="Give only one of them.")
    prefix: Path | None = None
    if wish.pack:
        from setup_wizard.conda import packed

        prefix = packed.look(wish.pack).prefix
    elif source.conda_yml:
        prefix = _made(world, source.conda_yml, manner)
    elif source.environment:
        prefix = _picked(world, source.environment)
    return msgspec.structs.replace(wish, prefix=prefix)


def _made(world: World, file: str, manner: Manner) -> Path | None:
    """The environment of a YAML file, made if need be; None where it was only shown, or declined."""
    from setup_wizard.answers import Answers
    from setup_wizard.cli.env.create import made
    from setup_wizard.cli.work import How

    look = manner.dry_run or manner.test_only
    prefix, _ = made(world, [file], Answers(), How(manner.yes, look, manner.json))
    return prefix if prefix.is_dir() else None


def _picked(world: World, name: str | None) -> Path:
    from setup_wizard.environments import pick
    from setup_wizard.journal import Journal

    return pick(name, Journal(world).receipt, world)
