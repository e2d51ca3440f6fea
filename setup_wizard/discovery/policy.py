"""What speaks against a job in the accounts, the QOS and their limits: the rules of a centre's accounting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from setup_wizard import walltime
from setup_wizard.discovery.offer import Account, Limits, Offer, Qos
from setup_wizard.discovery.proposal import gpus
from setup_wizard.errors import BadInput
from setup_wizard.hints import did_you_mean
from setup_wizard.schedulers import Resources

FLAGS = {"time": "--time-limit", "nodes": "--nodes", "cores": "--cpus", "gpus": "--gpus"}


def one_of(flag: str, what: str, name: str, names: Sequence[str]) -> None:
    """Raise BadInput for a name that is none of these."""
    if name.lower() not in [n.lower() for n in names]:
        raise BadInput(
            f"{flag}: you have no {what} «{name}» here.{did_you_mean(name, names)}",
            fix=f"There {'is' if len(names) == 1 else 'are'}: {', '.join(names)}",
        )


def account(wanted: Resources, offer: Offer) -> None:
    """Raise BadInput for an account that is not the user's, or not in this partition."""
    if not wanted.account or offer.accounts is None:
        return
    one_of("--account", "account", wanted.account, offer.account_names)
    named = wanted.partition.split(",") if wanted.partition else []
    rows = _rows(wanted, offer)
    if named and all(a.partition and a.partition not in named for a in rows):
        there = list(dict.fromkeys(a.partition for a in rows))
        raise BadInput(
            f"--account: «{wanted.account}» may not be used in the partition {wanted.partition}.",
            fix=f"It may be in: --partition {' | '.join(there)}",
        )
    allowed = [p.accounts for p in offer.targets(wanted.partition)]
    _let_in("--account", wanted.account, allowed, offer.account_names)


def qos(wanted: Resources, offer: Offer) -> None:
    """Raise BadInput for a QOS that is not the user's with this account, or not in this partition."""
    names = list(dict.fromkeys(q for a in _rows(wanted, offer) for q in a.qos))
    if wanted.qos and names:
        one_of("--qos", "QOS", wanted.qos, names)
    if used := wanted.qos or _default_qos(wanted, offer):
        _let_in("--qos", used, [p.qos for p in offer.targets(wanted.partition)], names)


def qos_for(wanted: Resources, offer: Offer) -> tuple[list[str], str]:
    """Every QOS that such a job may name, and the one that it has where it names none ("": not known)."""
    there = offer.targets(wanted.partition)
    rows = _rows(wanted, offer)
    own = [a for a in rows if a.partition in [p.name for p in there]] or [a for a in rows if not a.partition]
    names = dict.fromkeys(q for a in own for q in a.qos)
    may = [q for q in names if not there or any(p.qos is None or q in p.qos for p in there)]
    usual = {a.default_qos for a in own}
    return may, usual.pop() if len(usual) == 1 else ""


def _let_in(flag: str, name: str, allowed: Sequence[Sequence[str] | None], own: Sequence[str]) -> None:
    """Raise BadInput where each of the partitions names those whom it lets in, and this is none of them."""
    lists = [names for names in allowed if names is not None]
    if not lists or len(lists) < len(allowed) or any(name in names for names in lists):
        return
    would_do = [n for n in dict.fromkeys(n for names in lists for n in names) if n in own]
    raise BadInput(
        f"{flag}: «{name}» may not be used in this partition.",
        fix=f"Choose one that may: {flag} {' | '.join(would_do)}"
        if would_do
        else "Choose another --partition.",
    )


def frees_from_time(wanted: Resources, offer: Offer) -> bool:
    """Whether the job's QOS lets it run for longer than its partition allows."""
    used = _qos_of(wanted, offer)
    return bool(used and "PartitionTimeLimit" in used.flags)


def limits(wanted: Resources, offer: Offer) -> None:
    """Raise BadInput for a job that asks for more than one job may: it would wait for ever."""
    nodes = wanted.nodes or 1
    cores, cards = nodes * (wanted.cpus or 1), nodes * gpus(wanted)
    asked = {"time": wanted.time_limit, "nodes": nodes, "cores": cores, "gpus": cards}
    for kind, much in asked.items():
        whose, most = _limit(wanted, offer, kind) or ("", much)
        if much > most:
            own = dict.fromkeys(q for a in _rows(wanted, offer) for q in a.qos)
            limited = ((q, _limit(msgspec.structs.replace(wanted, qos=q), offer, kind)) for q in own)
            others = [q for q, held in limited if not held or held[1] >= much]
            does = f", or take a QOS that allows it: --qos {' | '.join(others)}" if others else ""
            raise BadInput(
                f"{FLAGS[kind]}: {_written(kind, much)} is more than one job may have in {whose}: "
                f"{_written(kind, most)}.",
                fix=f"Ask for at most {_written(kind, most)}{does}",
            )


def _written(kind: str, much: int) -> str:
    if kind == "time":
        return walltime.written(much)
    unit = {"nodes": "node", "cores": "core", "gpus": "GPU"}[kind]
    return f"{much} {unit}{'s' * (much != 1)}"


def _limit(wanted: Resources, offer: Offer, kind: str) -> tuple[str, int] | None:
    """Whose limit holds, and how much that is: the first that sets one, as with Slurm."""
    told = ((whose, getattr(limits, kind)) for whose, limits in _holding(wanted, offer))
    return next(((whose, most) for whose, most in told if most is not None), None)


def _holding(wanted: Resources, offer: Offer) -> Iterator[tuple[str, Limits]]:
    """Whose limits count for the job, the one that goes before the others first."""
    used = _qos_of(wanted, offer)
    own = {p.own_qos for p in offer.targets(wanted.partition)}
    place = next((q for q in offer.qos or () if own == {q.name}), None)
    found = [q for q in (place, used) if q]
    if used and "OverPartQOS" in used.flags:
        found.reverse()
    yield from ((f"the QOS {q.name}", q.limits) for q in found)
    rows = _rows(wanted, offer)
    if len({a.limits for a in rows}) == 1:
        yield f"the account {rows[0].name}", rows[0].limits


def _rows(wanted: Resources, offer: Offer) -> list[Account]:
    """What is known of the account; of all accounts where none is named."""
    rows = offer.accounts or ()
    return [a for a in rows if not wanted.account or a.name.lower() == wanted.account.lower()]


def _default_qos(wanted: Resources, offer: Offer) -> str:
    names = {a.default_qos for a in _rows(wanted, offer)}
    return names.pop() if len(names) == 1 else ""


def _qos_of(wanted: Resources, offer: Offer) -> Qos | None:
    name = wanted.qos or _default_qos(wanted, offer)
    return next((q for q in offer.qos or () if q.name.lower() == name.lower()), None)
