"""Engines, what they record, and the result folder."""
