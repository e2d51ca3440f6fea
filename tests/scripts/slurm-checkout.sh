#!/bin/bash
#SBATCH --job-name=jupyter
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --signal=B:TERM@60
#SBATCH --output="/home/o'hara/my sessions/calm-otter/job.log"
#SBATCH --open-mode=append
#SBATCH --no-requeue
# Written by hpc-jupyter-setup. It holds no secret: those are in files beside it, for you alone.
umask 077
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP
export PYTHONPATH='/home/o'"'"'hara/check out'
exec /home/alice/.venvs/hjs/bin/python -m setup_wizard.serve '/home/o'"'"'hara/my sessions/calm-otter'
