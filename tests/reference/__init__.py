"""Slow, obvious versions of definitions 0 to 3, written from its text alone.

Lists in, lists out; one bar after the other; no numba, no ring buffers, no carried state. Where
the text leaves a choice, the comment names the choice.
"""
