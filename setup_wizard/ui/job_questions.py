"""What a job asks of its scheduler, as questions for who launches on a system for the first time.

Each is answered by a flag as well, and what was answered is the default from then on.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from setup_wizard import walltime
from setup_wizard.discovery import (
    Offer,
    Partition,
    Reservation,
    limit_of,
    look,
    qos_for,
    remembered,
    user_name,
)
from setup_wizard.errors import BadInput
from setup_wizard.schedulers import Resources
from setup_wizard.sites import Site, find
from setup_wizard.ui import prompt
from setup_wizard.ui.prompt import Ask, Option
from setup_wizard.ui.sheet import GAP, line
from setup_wizard.world import World

USUAL = 3600  # seconds that are proposed, where the partition allows as much
MOST_GPUS = 4  # that are proposed by number


def answered(wanted: Resources, site: Site, world: World, *, first: bool) -> Resources:
    """What is asked for, with the answers of the person to what is open.

    Where it is not the `first` time, only what the site must know is asked for.
    """
    offer = remembered(world, site) or look(world, site)
    talk = Talk(world, site, offer)
    if first:
        wanted = talk.reservation(wanted)
    wanted = talk.account(wanted, first=first)
    if first:
        wanted = talk.time(talk.qos(talk.partition(wanted)))
    if talk.began:
        prompt.say(world, [GAP])
    return wanted


def site(names: Sequence[str], world: World) -> str:
    """The name of the system, of those that it may be; Enter takes the first."""
    options = [Option(name, find(name, world).title, name) for name in names]
    return prompt.asker(world).one(
        Ask("Which system is this?", "Its markers fit several (--site)."), options, names[0]
    )


class Talk:
    """One conversation about a job, on a site that offers this."""

    def __init__(self, world: World, site: Site, offer: Offer) -> None:
        self.world, self.site, self.offer = world, site, offer
        self.began = False

    def ask(self) -> prompt.Asker:
        """Who puts the next question; before the first one it is said what this is about."""
        if not self.began:
            self.began = True
            about = f"A job on {self.site.title}. Enter takes what is shown; next time it is as you say now."
            prompt.say(self.world, [GAP, line(about)])
        return prompt.asker(self.world)

    def one(self, text: str, help_: str, options: list[Option], usual: str) -> str:
        """The value of the option that was chosen."""
        return self.ask().one(Ask(text, help_), options, usual)

    def reservation(self, wanted: Resources) -> Resources:
        """One of those that are kept for this user, with the partition and account that it is for."""
        mine = [r for r in self.offer.reservations or () if self._is_mine(r)]
        if wanted.reservation or wanted.partition or not mine:
            return wanted
        options = [Option(r.name, r.name, f"{r.start} to {r.end}") for r in mine]
        none = Option("", "none", "as everybody's jobs")
        chosen = self.one(
            "Which reservation?", "Nodes kept for some people (--reservation).", [*options, none], ""
        )
        kept = next((r for r in mine if r.name == chosen), Reservation(""))
        return msgspec.structs.replace(wanted, reservation=kept.name, partition=kept.partition)

    def _is_mine(self, kept: Reservation) -> bool:
        mine = user_name(self.world) in kept.users or set(kept.accounts) & set(self.offer.account_names)
        return bool(mine) and kept.state.upper() in ("", "ACTIVE")

    def account(self, wanted: Resources, *, first: bool) -> Resources:
        """Who pays: one of the user's accounts; typed where they are not known and one is needed."""
        names, needed = self.offer.account_names, self.site.account == "required"
        if wanted.account or len(names) == 1 or not (needed or (first and names)):
            return wanted
        if names:
            options = [Option(name, name) for name in names]
            chosen = self.one("Which account?", "The job is charged to it (--account).", options, names[0])
        else:
            hint = f"It looks like {self.site.account_hint}." if self.site.account_hint else "Your project."
            chosen = self.ask().text(
                Ask("Which account?", f"The job is charged to it (--account). {hint}"),
                "",
                lambda text: "" if text.strip() else "One has to be named.",
            )
        return msgspec.structs.replace(wanted, account=chosen.strip())

    def partition(self, wanted: Resources) -> Resources:
        """One of the open partitions, and how many GPUs where it has some."""
        there = [p for p in self.offer.partitions or () if p.open]
        chosen_already = wanted.partition or wanted.gpus or wanted.gres
        if chosen_already or len(there) < 2:
            return wanted
        options = [Option(p.name, p.name, _told(p)) for p in there]
        usual = self.offer.partition(self.site.default_partition) or self.offer.default or there[0]
        name = self.one("Which partition?", "The part of the system (--partition).", options, usual.name)
        partition = self.offer.partition(name)
        gpus = self._gpus(partition) if partition and partition.gpus else 0
        return msgspec.structs.replace(wanted, partition=name, gpus=gpus)

    def _gpus(self, partition: Partition) -> int:
        most = min(partition.gpus or 0, MOST_GPUS)
        options = [Option(str(n), str(n) if n else "none") for n in range(most + 1)]
        return int(self.one("How many GPUs?", "Of one node (--gpus).", options, "1"))

    def qos(self, wanted: Resources) -> Resources:
        """One of those that the account has there, where these are several and the site names none."""
        names, usual = qos_for(wanted, self.offer)
        if wanted.qos or self.site.qos_like_partition or len(names) < 2:
            return wanted
        options = [Option(name, name, _up_to(self._limit(name))) for name in names]
        if usual not in names:
            usual = ""
            options.append(Option("", "none", "as the scheduler does it"))
        chosen = self.one("Which QOS?", "The quality of service (--qos).", options, usual)
        return msgspec.structs.replace(wanted, qos=chosen)

    def _limit(self, qos: str) -> int | None:
        return next((q.limits.time for q in self.offer.qos or () if q.name == qos), None)

    def time(self, wanted: Resources) -> Resources:
        """How long, within what the partition and the QOS allow."""
        if wanted.time_limit:
            return wanted
        name = wanted.partition or (self.offer.default.name if self.offer.default else "")
        most = limit_of(name, self.site, self.offer) or walltime.LONGEST
        most = min(most, self._limit(wanted.qos) or most)
        usual = walltime.written(min(USUAL, most))
        text = self.ask().text(
            Ask("For how long?", f"{walltime.FORMS} (--time-limit)."),
            usual,
            lambda text: _trouble(text, most),
        )
        return msgspec.structs.replace(wanted, time_limit=walltime.seconds(text))


def _told(p: Partition) -> str:
    limit = "no limit" if p.limit == 0 else _up_to(p.limit)
    idle = f"{p.idle} of {p.nodes} nodes idle" if p.nodes is not None and p.idle is not None else ""
    gpus = f"{p.gpus} GPUs {' '.join(p.gpu_types)}".rstrip() if p.gpus else ""
    return ", ".join(filter(None, (limit, idle, gpus)))


def _up_to(limit: int | None) -> str:
    return f"up to {walltime.written(limit)}" if limit else ""


def _trouble(text: str, most: int) -> str:
    try:
        wanted = walltime.seconds(text)
    except BadInput as e:
        return e.problem.removeprefix("--time-limit: ")
    return "" if wanted <= most else f"At most {walltime.written(most)} there."
