#!/bin/bash
#PBS -q gpu
#PBS -A abc123
#PBS -l nodes=2:ppn=8:gpus=1:a100
#PBS -l mem=32gb
#PBS -l walltime=49:00:00
#SBATCH --signal=B:TERM@60
#SBATCH --no-requeue
# Written by hpc-jupyter-setup. It holds no secret: those are in files beside it, for you alone.
umask 077
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP
exec /home/alice/.venvs/hjs/bin/python -m setup_wizard.serve /home/alice/.local/state/hpc-jupyter-setup/sessions/calm-otter
