"""Statistics of runs and signals."""
