"""One file a step: distribution, condarc, shell block, conda environment, kernel, notebooks.

`AnyStep` is what a journal may hold; the tags of its members stay readable for good.
"""

from __future__ import annotations

from setup_wizard.steps.carried import Carried
from setup_wizard.steps.conda_env import CondaEnv
from setup_wizard.steps.condarc import Condarc
from setup_wizard.steps.distribution import Distribution
from setup_wizard.steps.env_file import EnvFile
from setup_wizard.steps.kernel import Kernel
from setup_wizard.steps.kernel_gone import KernelGone
from setup_wizard.steps.kernel_moved import KernelMoved
from setup_wizard.steps.login_file import LoginFile
from setup_wizard.steps.notebooks import Clone
from setup_wizard.steps.old_blocks import OldBlocks
from setup_wizard.steps.reinstalled import Reinstalled
from setup_wizard.steps.settled import Settled
from setup_wizard.steps.shell_block import ShellBlock
from setup_wizard.steps.trash import Trash
from setup_wizard.steps.welcome import Welcome

AnyStep = (
    Distribution
    | Condarc
    | OldBlocks
    | ShellBlock
    | LoginFile
    | CondaEnv
    | EnvFile
    | Kernel
    | KernelGone
    | Welcome
    | Clone
    | Trash
    | KernelMoved
    | Settled
    | Carried
    | Reinstalled
)

__all__ = [
    "AnyStep",
    "Carried",
    "Clone",
    "CondaEnv",
    "Condarc",
    "Distribution",
    "EnvFile",
    "Kernel",
    "KernelGone",
    "KernelMoved",
    "LoginFile",
    "OldBlocks",
    "Reinstalled",
    "Settled",
    "ShellBlock",
    "Trash",
    "Welcome",
]
