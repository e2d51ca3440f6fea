"""The long texts: what we do and why, the terms in short, and the ways out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setup_wizard.ui.sheet import GAP, Page, line, title, whole

if TYPE_CHECKING:
    from setup_wizard.steps import AnyStep

WHAT = "From a bare account to a running Jupyter notebook."

FIRST = (
    "Nothing is changed until you have seen the plan and agreed to it. Each line is a question now; Enter "
    "takes what is shown. Ctrl-C leaves at any time: your answers are kept and offered again."
)

YOURS_STAYS = "What you have made or changed yourself stays, and is named."
UNDO = f"takes everything back, newest first. {YOURS_STAYS}"

# The ways in, as they stand behind «reached by».
WAYS_IN = {
    "rps": "its Reverse Proxy Service (https, nothing to run on your laptop)",
    "tunnel": "an SSH tunnel",
    "direct": "plain HTTP, with your consent",
}

# What each kind of step is for, by its tag in the journal.
WHY = {
    "distribution": "Installs conda, the program that brings Python and its packages. Everything goes "
    "into one folder of yours; no rights of an administrator are needed. The installer "
    "is downloaded, compared with its published SHA-256, and only then run.",
    "condarc": "Tells conda where packages come from, so that you get the same ones whatever you type "
    "later, and none that ask for an agreement you have not given. Your own lines and "
    "comments in the file stay.",
    "shell_block": "Makes the command `conda` known in each new terminal. A few lines between two marks "
    "are added at the end of the file. They start no Python, activate nothing and print "
    "nothing, so that logging in stays as fast as it was and file transfers keep "
    "working.",
    "login_file": "A shell that you log in with does not read the file with the lines for conda. This "
    "adds a line that lets it do so.",
    "old_blocks": "Blocks that other condas have left in the file would put a different Python first. "
    "They are commented out, not deleted; no other line is touched.",
    "conda_env": "Creates an environment: a folder with its own Python and packages, apart from all "
    "others. Interrupted, the same command goes on where it stopped.",
    "env_file": "The file from which the environment was made asks for what was installed, and not for what "
    "was removed. Its other lines, comments and order stay.",
    "kernel": "Lets Jupyter offer the environment as a kernel. It names the environment's own "
    "Python, and keeps packages of other Pythons on the account out of it.",
    "kernel_gone": "Jupyter offers the kernel no longer. Its files are kept, so that it can come back.",
    "trash": "The folder gets another name beside its place, and its kernels are no longer offered. It comes "
    "back with `env restore`, until the trash is emptied with `env clean`.",
    "kernel_moved": "A kernel that you or another program has made of the environment starts it where it "
    "is now.",
    "carried": "Packages lie unpacked in a cache on each file system, and environments there link their "
    "files from it: so the next one there takes next to no room, and needs no download.",
    "reinstalled": "Files of these packages are gone or changed. The program that has made the environment "
    "puts them there again, in the same versions and builds; the environment stays yours.",
    "settled": "Scripts, libraries and records of the environment name the place where it was made. They are "
    "made to name the one where it is; all else in it stays as it is.",
    "welcome": "Adds a small notebook that shows which Python it runs in and draws a plot.",
    "clone": "Fetches a repository of example notebooks with git. They are yours to change: a later "
    "update keeps your version and puts the new one beside it.",
}

# What can be chosen, in a line each.
DISTRIBUTIONS = {
    "miniconda": ("Miniconda", "by Anaconda; its licence is shown"),
    "miniforge": ("Miniforge", "by the conda-forge community; free"),
}
ROOM = 1_000_000_000  # bytes that either takes on disk, at most
CHANNELS = {
    "conda-forge": "the community's packages; no agreement is asked for",
    "anaconda": "Anaconda's own packages; their terms are shown",
}

TERMS_OF = {"miniconda": "the licence of Miniconda", "anaconda": "the terms of Anaconda's channels"}
NO_ADVICE = "This is a short summary: neither the text itself nor advice. The whole text:"
AGREE = "Do you agree to {name}?"
IF_READ = "Only you can, when you have read it: the whole word, yes or no."
WHOLE_WORD = "Type the whole word: yes, or no to choose something else."

CONFIRM = {
    "yes": "do it",
    "no": "change nothing and leave",
    "explain": "show every step in full, with its reason",
}


def terms(name: str, summary: str, url: str) -> Page:
    """What one agrees to, in short, and where all of it is."""
    about = TERMS_OF[name]
    return [
        GAP,
        title(about[0].upper() + about[1:]),
        line(summary, indent=2),
        line((NO_ADVICE, "dim"), indent=2),
        whole(url, indent=2),
        GAP,
    ]


def other_shell(shell: str, rc: str, by_hand: str) -> Page:
    """What users of a shell do themselves whose files we do not edit."""
    return [
        line(f"Your shell is {shell}, whose files are not edited here. To know conda there, add to {rc}:"),
        whole(by_hand, indent=2),
    ]


def why(step: AnyStep) -> str:
    """What a step is for, in a few sentences."""
    return WHY.get(str(type(step).__struct_config__.tag), "")
