#!/bin/bash
#SBATCH --job-name=jupyter
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --signal=B:TERM@60
#SBATCH --output=/home/alice/.local/state/hpc-jupyter-setup/sessions/calm-otter/job.log
#SBATCH --open-mode=append
#SBATCH --no-requeue
# Written by hpc-jupyter-setup. It holds no secret: those are in files beside it, for you alone.
umask 077
no_module() { ! type module >/dev/null 2>&1; }
for init in "${LMOD_PKG:-}/init/bash" "${MODULESHOME:-}/init/bash"; do
    if no_module && [ -r "$init" ]; then . "$init"; fi
done
if no_module; then
    for init in /etc/profile.d/*.sh; do
        case "$init" in *module* | *lmod*) . "$init" ;; esac
    done
fi
for init in /usr/share/lmod/lmod/init/bash /usr/share/modules/init/bash; do
    if no_module && [ -r "$init" ]; then . "$init"; fi
done
module purge
module use --append '/opt/my mods'
module load cuda/12.4 || { echo 'This module was not loaded: cuda/12.4' >&2; exit 3; }
module load 'it'"'"'s' || { echo 'This module was not loaded: it'"'"'s' >&2; exit 3; }
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP
exec /home/alice/.venvs/hjs/bin/python -m setup_wizard.serve /home/alice/.local/state/hpc-jupyter-setup/sessions/calm-otter
