"""What Slurm's words mean for the user: why it refuses a job, how one ended. Why one waits: slurm_reasons."""

from __future__ import annotations

import re

from setup_wizard.schedulers import slurm_reasons

QUEUED = (
    "PENDING",
    "CONFIGURING",
    "REQUEUED",
    "REQUEUE_FED",
    "REQUEUE_HOLD",
    "RESV_DEL_HOLD",
    "SPECIAL_EXIT",
)
AT_WORK = (
    "RUNNING",
    "COMPLETING",
    "SUSPENDED",
    "STOPPED",
    "SIGNALING",
    "STAGE_OUT",
    "RESIZING",
    "EXPEDITING",
)

AGAIN = "Launch again: hpc-jupyter-setup launch"
OVER = {
    "COMPLETED": ("its job has ended", AGAIN),
    "CANCELLED": ("its job was cancelled", AGAIN),
    "FAILED": ("its job ended with an error", "Read its logs, then launch again."),
    "TIMEOUT": ("its time limit was reached", "Ask for more time: hpc-jupyter-setup launch --time-limit …"),
    "DEADLINE": ("its deadline had passed", AGAIN),
    "NODE_FAIL": ("its node broke down", "Launch again: Slurm will choose another node."),
    "BOOT_FAIL": ("its node did not start", "Launch again: Slurm will choose another node."),
    "LAUNCH_FAILED": ("its node could not start it", "Launch again: Slurm will choose another node."),
    "PREEMPTED": ("a job of higher priority took its place", "Launch in a partition that is not preempted."),
    "OUT_OF_MEMORY": (
        "it needed more memory than it had",
        "Ask for more: hpc-jupyter-setup launch --memory …",
    ),
    "REVOKED": ("its job runs in another cluster of the federation", "Look there: sacct"),
    "RECONFIG_FAIL": ("its node could not be set up", "Launch again: Slurm will choose another node."),
}

ACCOUNTS = "See which accounts are yours: sacctmgr show associations user=$USER format=account,partition,qos"
PARTITIONS = "See which there are, their limits and their nodes: sinfo -o '%P %l %D %c %m %G'"
# What sbatch says when it refuses, most exact first: what it means, and what to do.
REFUSED = (
    (
        r"Invalid account or account/partition",
        "the account is not one of yours, or may not use this partition.",
        ACCOUNTS,
    ),
    (r"Invalid qos", "that quality of service (QOS) is not there, or not for this account.", ACCOUNTS),
    (r"invalid partition (name )?specified", "there is no such partition.", PARTITIONS),
    (r"No partition specified or system default", "it wants to know the partition.", PARTITIONS),
    (
        r"User's group not permitted to use this partition|not permitted to use this partition",
        "this partition is not for you.",
        PARTITIONS,
    ),
    (r"Invalid --time specification", "it does not understand the time.", "--time-limit 01:30:00"),
    (
        r"Requested time limit is invalid",
        "it is longer than this partition allows, or there is none.",
        "Give a shorter --time-limit, or a partition with more: sinfo -o '%P %l'",
    ),
    (r"Node count specification invalid", "the partition has fewer nodes.", PARTITIONS),
    (
        r"More processors requested than permitted",
        "no node of this partition has so many processors.",
        PARTITIONS,
    ),
    (
        r"Memory specification can not be satisfied",
        "no node of this partition has so much memory.",
        PARTITIONS,
    ),
    (
        r"Invalid generic resource|Invalid GRES|invalid gres",
        "it does not know that kind of --gres.",
        "See what the nodes have: sinfo -o '%P %G'",
    ),
    (
        r"Requested node configuration is not available",
        "no node of this partition has all that was asked for (GPUs, memory or processors).",
        "See what the nodes have: sinfo -o '%P %D %c %m %G'; GPUs are often in a partition of their own.",
    ),
    (
        r"Invalid feature specification",
        "no node has the feature of --constraint.",
        "See the features: sinfo -o '%P %f'",
    ),
    (
        r"Requested reservation is invalid|Invalid reservation",
        "there is no such reservation, or it is over.",
        "See which there are: scontrol show reservation",
    ),
    (
        r"Access denied to requested reservation|Reservation.*denied",
        "the reservation is not for you or this account.",
        "Give the account that it was made for: scontrol show reservation",
    ),
    (
        r"violates accounting/QOS policy|job submit limit",
        "you have as many jobs, or as much of them, as your account may have at a time.",
        "See yours: squeue --me; cancel one, or ask for less.",
    ),
    (
        r"Unable to contact slurm controller|Socket timed out|Connection refused|connect failure",
        "its controller does not answer.",
        "See whether it is there (scontrol ping), and launch again when it is.",
    ),
    (
        r"unrecognized option|invalid option",
        "this Slurm does not know one of our options.",
        "sbatch --version",
    ),
    (
        r"Unable to open file|does not look like a batch script",
        "the batch script cannot be read.",
        "See whether the home is full: df -h ~; quota -s",
    ),
)


def why_refused(said: str) -> tuple[str, str] | None:
    """What it means that sbatch has said this, and what to do; None for words that nobody knows."""
    if limit := slurm_reasons.why_refused(said):
        return f"{limit[0]}.", limit[1]
    known = ((problem, fix) for pattern, problem, fix in REFUSED if re.search(pattern, said, re.IGNORECASE))
    return next(known, None)
