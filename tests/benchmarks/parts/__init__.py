"""The parts of the benchmark: each measures, prints a table, keeps the figures in `raw` and returns its bars."""
