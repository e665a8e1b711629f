"""Where networks compute: one contract in numpy, and what fulfils it on CPUs and GPUs."""
