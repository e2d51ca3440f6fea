#!/bin/bash
#SBATCH --job-name=jupyter
#SBATCH --account=abc123
#SBATCH --partition=gpu-shared
#SBATCH --qos=normal
#SBATCH --reservation=workshop
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=32G
#SBATCH --gpus-per-node=1
#SBATCH --time=2-01:30:00
#SBATCH --constraint=a100&nvlink
#SBATCH --signal=B:TERM@120
#SBATCH --output=/home/alice/.local/state/hpc-jupyter-setup/sessions/calm-otter/job.log
#SBATCH --open-mode=append
#SBATCH --exclusive
#SBATCH --no-requeue
# Written by hpc-jupyter-setup. It holds no secret: those are in files beside it, for you alone.
umask 077
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP
exec /home/alice/.venvs/hjs/bin/python -m setup_wizard.serve /home/alice/.local/state/hpc-jupyter-setup/sessions/calm-otter
