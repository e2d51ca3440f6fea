"""What the words of Torque and PBS Pro mean for the user: why they refuse a job, and how one ended."""

from __future__ import annotations

from collections.abc import Mapping

SERVER = "See whether it is there (qstat -B), and launch again when it is."
QUEUES = "See which there are, and their limits: qstat -q; qstat -Q -f"
# What qsub says when it refuses, most exact first: what it means, and what to do.
REFUSED = (
    (r"Unknown queue|illegal queue", "there is no such queue.", QUEUES),
    (r"No default queue", "it wants to know the queue.", f"Add --partition. {QUEUES}"),
    (r"[Qq]ueue is not enabled", "this queue takes no jobs now.", QUEUES),
    (
        r"exceeds? queue (and/or server )?resource limits|violates queue and/or server resource limits",
        "it asks for more than the queue allows (time, processors, memory or nodes).",
        QUEUES,
    ),
    (
        r"rejected by all possible destinations",
        "no queue takes such a job: it asks for too much, or for too little.",
        QUEUES,
    ),
    (r"Unauthorized Request|not (allowed|authorized)|ACL", "this queue is not for you.", QUEUES),
    (
        r"[Ii]nvalid account|Account.*not",
        "the account is not one of yours.",
        "Ask your project for its name, or see your last jobs: qstat -f | grep Account_Name",
    ),
    (
        r"Illegal attribute or resource value|Unknown resource|cannot locate feasible nodes",
        "it does not know, or does not have, one of the things that were asked for.",
        QUEUES,
    ),
    (r"Invalid time limit", "it does not understand the time.", "--time-limit 01:30:00"),
    (
        r"Bad UID for job execution",
        "this machine may not hand in jobs for you.",
        "Launch on a login node of the cluster.",
    ),
    (
        r"Unknown option|invalid option",
        "this qsub does not know one of our options.",
        "See whose it is: command -v qsub; another scheduler may be meant: --scheduler slurm | torque | pbs",
    ),
    (
        r"[Mm]aximum number of jobs|would exceed",
        "you have as many jobs as you may have at a time.",
        "See yours: qstat -u $USER; cancel one (qdel), or wait.",
    ),
    (
        r"cannot connect to server|Connection refused|Connection timed out",
        "its server does not answer.",
        SERVER,
    ),
)
AGAIN = "Launch again: hpc-jupyter-setup launch"
LOGS = "Read its logs, then launch again."
OVER = ("its job has ended", "")
SIGNALS = 128  # above it an exit status tells of a signal: 128 or 256, and its number
TIME = ("its time limit was reached", "Ask for more time: hpc-jupyter-setup launch --time-limit …")
MEMORY = ("it needed more memory than it had", "Ask for more: hpc-jupyter-setup launch --memory …")
CORES = ("it used more processors than it had", "Ask for more: hpc-jupyter-setup launch --cpus …")
# How a job ended, by the exit status that the scheduler gives it; one number may mean two things.
BY_TORQUE = {"-10": MEMORY, "-11": TIME}
BY_PBS = {"-24": CORES, "-25": CORES, "-26": MEMORY, "-27": MEMORY, "-29": TIME}


def ended(said: Mapping[str, str]) -> tuple[str, str]:
    """How a job ended of which qstat tells that, and what to do ("": nothing to say)."""
    known = BY_PBS if "Exit_status" in said else BY_TORQUE
    status = said.get("Exit_status", said.get("exit_status", "0"))
    if status in known:
        return known[status]
    if status.startswith("-"):
        return f"its node could not run it (status {status})", AGAIN
    if status.isdigit() and int(status) > SIGNALS:
        return f"it was cancelled, or went over one of its limits (status {status})", AGAIN
    return OVER if status == "0" else (f"its job ended with an error (status {status})", LOGS)
