"""One file a step: distribution, condarc, shell block, conda environment, kernel, notebooks."""
