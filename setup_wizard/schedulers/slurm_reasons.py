"""Why Slurm lets a job wait, or does not take it for a limit: its reasons in sentences, and what to do."""

from __future__ import annotations

import re
from typing import NamedTuple


class Reason(NamedTuple):
    """What a reason means, and what to do: `fix`; or how to launch again, as it will never start like this.

    {partition}, {account} and {qos} are those of the job, {whose} is the one of the last two that sets the
    limit; {ACCOUNT} and {QOS} are their bare names.
    """

    pattern: str
    why: str
    fix: str = ""
    again: str = ""


SLEEPING = "the nodes that it could use are down or reserved"
LESS = "Wait for your other jobs, or cancel one: squeue --me"
# The most exact first.
REASONS = (
    Reason(r"None|", "it has just been handed in"),
    Reason(
        r"Resources",
        "it is next, as soon as what it asks for is free",
        "Asking for less, or less time, is sooner.",
    ),
    Reason(
        r"Priority", "other jobs are before it", "Asking for less time lets it slip into gaps: --time-limit."
    ),
    Reason(r"BeginTime", "it was not to begin yet"),
    Reason(r"JobHeldUser", "it is held", "Let it go: scontrol release JOB"),
    Reason(r"JobHeldAdmin", "an administrator holds it", "Ask your centre why."),
    Reason(
        r"PartitionTimeLimit",
        "it asks for more time than {partition} allows",
        again="with less --time-limit",
    ),
    Reason(
        r"PartitionNodeLimit", "it asks for more nodes than {partition} allows", again="with fewer --nodes"
    ),
    Reason(
        r"PartitionConfig",
        "{partition} does not take it: it asks for too much, or with an account or QOS that may not",
        again="with less, or with another --partition, --account or --qos",
    ),
    Reason(
        r"AccountNotAllowed",
        "{account} may not use {partition}",
        again="with another --account or --partition",
    ),
    Reason(r"QOSNotAllowed", "{qos} may not use {partition}", again="with another --qos or --partition"),
    Reason(r"PartitionDown|PartitionInactive", "its partition is switched off", "See which are up: sinfo -s"),
    Reason(r"BadConstraints", "no node can ever meet what it asks for", again="with less"),
    Reason(
        r"ReqNodeNotAvail.*[Rr]eserved.*maintenance|.*Maint.*",
        "a maintenance comes before it could end",
        "A time limit that ends before the maintenance starts at once: scontrol show reservation",
    ),
    Reason(r"ReqNodeNotAvail.*", SLEEPING, "See them: sinfo -R"),
    Reason(r"Reservation", "its reservation has not begun", "See when it does: scontrol show reservation"),
    Reason(r"ReservationDeleted", "its reservation is gone", again="without --reservation"),
    Reason(r"Nodes?Down|NodeNotAvail.*|Nodes required for job are DOWN.*", SLEEPING, "See them: sinfo -R"),
    Reason(r"InvalidAccount", "{account} is not yours any more", again="with another --account"),
    Reason(r"InvalidQOS", "{qos} is not yours any more", again="with another --qos"),
    # Limits of an account and all who charge it, of a user in it, of a QOS; who sets them is in the name.
    Reason(
        r"(Assoc|QOS)Grp\w*RunMin\w*",
        "the jobs that run have been promised all the hours that {whose} may promise at a time",
        "Wait for them; less --time-limit is sooner.",
    ),
    Reason(
        r"(Assoc|QOS)Grp(Wall|\w*Minutes)\w*",
        "the hours of {whose} are used up",
        "See what is left with your centre's own command, or launch with another --account.",
    ),
    Reason(
        r"(Assoc|QOS)MaxWall\w*|(QOS|Association)TimeLimit",
        "it asks for more time than a job of {whose} may",
        again="with less --time-limit",
    ),
    Reason(
        r"(Assoc|QOS)Max\w*MinutesPerJob\w*",
        "it asks for more processors times hours than a job of {whose} may",
        again="with less --time-limit, or fewer --cpus",
    ),
    Reason(
        r"(Assoc|QOS)Max\w*Per(Job|Node)\w*",
        "it asks for more than a job of {whose} may",
        again="with less",
    ),
    Reason(r"QOSMin\w*", "it asks for less than {qos} is for", again="with more, or with another --qos"),
    Reason(
        r"QOSUsageThreshold",
        "{account} has used too much lately for {qos}",
        again="with another --qos",
    ),
    Reason(
        r"\w*Submit\w*",
        "as many jobs as {whose} allows, waiting ones included, are handed in already",
        "Wait for one to end, or cancel one of yours: squeue --me",
    ),
    Reason(r"(Assoc|QOS)MaxJobs\w*", "you have as many jobs running as you may have in {whose}", LESS),
    Reason(
        r"QOSMax\w*PerUser\w*",
        "your jobs, with this one, would have more than you may have in {qos}",
        f"{LESS}; or ask for less.",
    ),
    Reason(
        r"Max\w*PerAccount",
        "the jobs of {account}, with this one, would be more than it may have in {qos}",
        "Wait for them; or launch with another --qos or --account, or for less.",
    ),
    Reason(
        r"AssocGrp\w*",
        "all who charge {account} have together, with this job, more at work than they may",
        "Wait for them (squeue -A {ACCOUNT}); or launch with another --account, or for less.",
    ),
    Reason(
        r"QOSGrp\w*",
        "all jobs of {qos} together, with this one, would be more than there may be",
        "Wait for them (squeue -q {QOS}); or launch with another --qos, or for less.",
    ),
    Reason(r"(QOS|Assoc|JobArray|Max)\w*", "you or your account have as much at work as is allowed", LESS),
    Reason(r"Licenses", "all licences that it needs are taken"),
    Reason(r"Dependency", "it waits for another job"),
    Reason(r"DependencyNeverSatisfied", "it waits for a job that will never end well", again="again"),
    Reason(r"Prolog|Cleaning|NodesBooting|.*[Pp]owerup.*", "its node is being prepared"),
    Reason(r"launch failed.*|JobLaunchFailure", "its node could not start it", again="again"),
    Reason(r"JobHoldMaxRequeue", "its nodes could not start it, several times", again="again"),
)


class Of(NamedTuple):
    """What the job asked for, as squeue tells it; "" and "(null)" where it does not."""

    partition: str = ""
    account: str = ""
    qos: str = ""


def why_waiting(reason: str, job: Of) -> tuple[str, str]:
    """The reason that squeue gives for a job, in a sentence, and what to do about it."""
    if found := _find(reason.strip("()")):
        never = f"it will not start like this; cancel it (hpc-jupyter-setup stop), and launch {found.again}."
        return _told(found.why, reason, job), never if found.again else _told(found.fix, reason, job)
    return f"Slurm says «{reason}»", "See what that means: man squeue, «JOB REASON CODES»"


def why_refused(said: str) -> tuple[str, str] | None:
    """The same for a job that was not taken, where one of the lines that came with it is such a reason."""
    for line in said.splitlines():
        if re.fullmatch(r"(Assoc|QOS|Max)\w+", line) and (found := _find(line)):
            fix = f"Launch {found.again}." if found.again else found.fix
            return _told(found.why, line, Of()), _told(fix, line, Of())
    return None


def _find(reason: str) -> Reason | None:
    return next((r for r in REASONS if re.fullmatch(r.pattern, reason)), None)


def _told(text: str, reason: str, job: Of) -> str:
    partition, account, qos = ("" if name == "(null)" else name for name in job)
    named = {
        "partition": f"the partition {partition}".strip(),
        "account": f"the account {account}".strip(),
        "qos": f"the QOS {qos}".strip(),
    }
    whose = named["account" if reason.startswith("Assoc") else "qos"]
    return text.format(**named, whose=whose, ACCOUNT=account or "ACCOUNT", QOS=qos or "QOS")
