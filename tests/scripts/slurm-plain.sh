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
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP
exec /home/alice/.venvs/hjs/bin/python -m setup_wizard.serve /home/alice/.local/state/hpc-jupyter-setup/sessions/calm-otter
