"""Figures that must not move: those of every shipped config, of real chains and of the gauge.

`python -m tests.golden` compares them with `expected/`; so does `test_golden.py` on every run.
A difference is meant or it is a bug. If it is meant, name the rule that changed the figures:

    python -m tests.golden --write --rule "Fills of gaps: at the open" [NAME ...]

The rule is kept in each file that is rewritten and must stand, word for word, in CHANGELOG.md.
Figures that are new are not compared until they are written; that needs no rule.

What is compared:

figures
    Numbers of summary.json and of `--json`, to a relative 1e-9: processors and libraries round
    sums differently in the last digits.
tables
    Each column of trades, equity, signals, features and gauge scores, by a hash of its exact
    bytes. Such a hash holds for one set of libraries (numpy and its BLAS, numba, scipy) and for
    processors that round exp, log and products of matrices alike; `build` names both. On another
    build the sums and the sums of magnitudes beside the hashes are compared to 1e-9 instead, and
    a skipped test says so.
"""
