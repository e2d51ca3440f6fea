"""How long a job may run, as people and schedulers write it."""

from __future__ import annotations

import pytest

from setup_wizard import walltime
from setup_wizard.errors import BadInput


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 5400),
        (" 90 ", 5400),
        ("01:30:00", 5400),
        ("1:30:0", 5400),
        ("48:00:00", 172800),
        ("2-00:00:00", 172800),
        ("1-02:03:04", 93784),
        ("00:00:01", 1),
        ("366-00:00:00", walltime.LONGEST),
    ],
)
def test_the_three_forms_are_read(text: str, seconds: int) -> None:
    """Minutes, HH:MM:SS (hours may exceed a day) and D-HH:MM:SS become seconds."""
    assert walltime.seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "problem", "fix"),
    [
        ("-5", "a time cannot be negative: «-5»", "minutes (90)"),
        ("-01:00:00", "a time cannot be negative", "HH:MM:SS"),
        ("0", "«0» is no time at all", "minutes"),
        ("00:00:00", "no time at all", "minutes"),
        ("", "«» is not a time", "D-HH:MM:SS"),
        ("soon", "«soon» is not a time", "D-HH:MM:SS"),
        ("1.5", "«1.5» is not a time", "minutes"),
        ("2h", "«2h» is not a time", "01:30:00"),
        ("2:30", "can be read in two ways", "write 2:30:00, for minutes and seconds 0:2:30"),
        ("1:60:00", "minutes and seconds go to 59", "HH:MM:SS"),
        ("1:00:60", "minutes and seconds go to 59", "HH:MM:SS"),
        ("1-24:00:00", "hours beside days to 23", "D-HH:MM:SS"),
        ("527041", "more than a year", "90 is minutes"),
        ("9" * 40, "is not a time", "minutes"),
        ("367-00:00:00", "more than a year", "minutes"),
        ("٣٠", "is not a time", "minutes"),
    ],
)
def test_what_is_no_time_is_refused(text: str, problem: str, fix: str) -> None:
    """Each mistake is named with its flag, and the fix shows what to write."""
    with pytest.raises(BadInput) as caught:
        walltime.seconds(text, "--time-limit")
    assert caught.value.problem.startswith("--time-limit: ")
    assert problem in caught.value.problem
    assert fix in caught.value.fix


def test_the_fix_of_an_ambiguous_time_can_be_pasted() -> None:
    """What the message proposes in place of 2:30 is read, and means what it says."""
    assert walltime.seconds("2:30:00") == 9000
    assert walltime.seconds("0:2:30") == 150


@pytest.mark.parametrize("seconds", [1, 59, 60, 3599, 3600, 86399, 86400, 172800, walltime.LONGEST])
def test_what_is_written_is_read_again(seconds: int) -> None:
    """Both ways of writing a time come back as the same seconds, from people's and from schedulers' side."""
    assert walltime.seconds(walltime.written(seconds)) == seconds
    assert walltime.seconds(walltime.hours_written(seconds)) == seconds
    assert walltime.printed_by_slurm(walltime.written(seconds)) == seconds
    assert walltime.printed_by_pbs(walltime.hours_written(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "slurm", "pbs"),
    [
        ("30:00", 1800, 1800),
        ("1:00:00", 3600, 3600),
        ("2-00:00:00", 172800, 172800),
        ("2-12", 216000, 216000),
        ("168:00:00", 604800, 604800),
        ("infinite", 0, None),
        ("UNLIMITED", 0, None),
        ("30", 1800, 30),
        ("n/a", None, None),
        ("", None, None),
    ],
)
def test_what_schedulers_print_is_read(text: str, slurm: int | None, pbs: int | None) -> None:
    """A lone number is minutes to Slurm and seconds to PBS; no limit is 0; what is no time is unknown."""
    assert walltime.printed_by_slurm(text) == slurm
    assert walltime.printed_by_pbs(text) == pbs
