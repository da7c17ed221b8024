"""Data sources: each turns one kind of file, service or simulation into one frame."""
