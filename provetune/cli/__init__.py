"""One file per verb: parse, call, render; nothing else."""
