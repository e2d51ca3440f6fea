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
if ! type module >/dev/null 2>&1; then
    for init in "${LMOD_PKG:-}/init/bash" "${MODULESHOME:-}/init/bash" /etc/profile.d/lmod.sh \
        /etc/profile.d/modules.sh /usr/share/lmod/lmod/init/bash /usr/share/modules/init/bash; do
        if [ -r "$init" ]; then . "$init"; break; fi
    done
fi
module purge
module use --append '/opt/my mods'
module load cuda/12.4 || exit 3
module load 'it'"'"'s' || exit 3
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP
exec /home/alice/.venvs/hjs/bin/python -m setup_wizard.serve /home/alice/.local/state/hpc-jupyter-setup/sessions/calm-otter
