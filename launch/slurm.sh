#!/usr/bin/env bash
# A Slurm job that trains until its recipe is done: two minutes before its time is up it saves a checkpoint and puts
# itself back into the queue. `scancel JOB` saves too, and ends it. Submit it where build/ is; options of sbatch first:
#   sbatch --nodes=2 --ntasks-per-node=4 --time=8:00:00 launch/slurm.sh recipe.yaml [key.path=value ...]
#SBATCH --job-name=boostr
#SBATCH --output=boostr-%j.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=USR1@120
set -euo pipefail

code=0
srun --mpi=pmix --kill-on-bad-exit=1 build/bin/boostr-train "$@" || code=$?
if [ $code -eq 75 ]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit $code
