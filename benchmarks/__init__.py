"""Ratios against stock Backtrader and its peers on the same bars: `python -m benchmarks`."""
