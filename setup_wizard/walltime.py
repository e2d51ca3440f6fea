"""How long a job may run: what people write, what schedulers print, and seconds in between."""

from __future__ import annotations

import re

from setup_wizard.errors import BadInput

MINUTE, HOUR, DAY = 60, 3600, 86400
LONGEST = 366 * DAY  # what is over a year is a slip of the finger
FORMS = "minutes (90), HH:MM:SS (01:30:00) or D-HH:MM:SS (2-00:00:00)"

_CLOCK = re.compile(r"(?:(\d+)-)?(\d+):(\d{1,2}):(\d{1,2})", re.ASCII)
_PRINTED = re.compile(r"(?:(\d+)-)?(\d+(?::\d+){0,2})", re.ASCII)


def seconds(text: str, source: str = "--time-limit") -> int:
    """What a person wrote as minutes, HH:MM:SS or D-HH:MM:SS, in seconds.

    `source` names the flag or the place in the file. Raises BadInput for what is none of the three, for a
    two-part clock (2:30 is minutes to one scheduler and hours to most people), for zero and less, and for
    more than a year.
    """
    text = text.strip()
    if re.fullmatch(r"-\s*\d.*", text):
        raise BadInput(f"{source}: a time cannot be negative: «{text}».", fix=f"Write {FORMS}.")
    if re.fullmatch(r"\d{1,9}", text, re.ASCII):
        return _sane(int(text) * MINUTE, text, source)
    if two := re.fullmatch(r"(\d+):(\d\d)", text, re.ASCII):
        raise BadInput(
            f"{source}: «{text}» can be read in two ways.",
            fix=f"For hours and minutes write {text}:00, for minutes and seconds 0:{two[0]}.",
        )
    clock = _CLOCK.fullmatch(text)
    if not clock:
        raise BadInput(f"{source}: «{text}» is not a time.", fix=f"Write {FORMS}.")
    days, hours, minutes, rest = (int(part or 0) for part in clock.groups())
    if minutes > 59 or rest > 59 or (clock[1] and hours > 23):
        raise BadInput(
            f"{source}: no clock shows «{text}»: minutes and seconds go to 59, hours beside days to 23.",
            fix=f"Write {FORMS}.",
        )
    return _sane(days * DAY + hours * HOUR + minutes * MINUTE + rest, text, source)


def _sane(value: int, text: str, source: str) -> int:
    if value <= 0:
        raise BadInput(f"{source}: «{text}» is no time at all.", fix=f"Write {FORMS}.")
    if value > LONGEST:
        raise BadInput(f"{source}: «{text}» is more than a year.", fix=f"Write {FORMS}; 90 is minutes.")
    return value


def written(value: int) -> str:
    """Seconds as D-HH:MM:SS, or HH:MM:SS below a day: what Slurm reads and prints."""
    days, rest = divmod(value, DAY)
    clock = f"{rest // HOUR:02}:{rest % HOUR // MINUTE:02}:{rest % MINUTE:02}"
    return f"{days}-{clock}" if days else clock


def hours_written(value: int) -> str:
    """Seconds as HH:MM:SS with as many hours as it takes: what Torque and PBS Pro read."""
    return f"{value // HOUR:02}:{value % HOUR // MINUTE:02}:{value % MINUTE:02}"


def printed_by_slurm(text: str) -> int | None:
    """A limit as Slurm prints it ("30:00" are minutes); 0 for no limit, None for what is no time."""
    if text.strip().lower() in ("infinite", "unlimited"):
        return 0
    return _printed(text, one_part=MINUTE)


def printed_by_pbs(text: str) -> int | None:
    """A limit as Torque or PBS Pro print it: "48:00:00", or plain seconds; None for no time."""
    return _printed(text, one_part=1)


def _printed(text: str, one_part: int) -> int | None:
    match = _PRINTED.fullmatch(text.strip())
    if not match:
        return None
    parts = [int(p) for p in match[2].split(":")]
    if match[1]:  # D-HH, D-HH:MM, D-HH:MM:SS
        hours, minutes, rest = [*parts, 0, 0][:3]
        return int(match[1]) * DAY + hours * HOUR + minutes * MINUTE + rest
    if len(parts) == 1:
        return parts[0] * one_part
    hours, minutes, rest = [0, *parts][-3:]
    return hours * HOUR + minutes * MINUTE + rest
