"""Columns computed while a frame is built: option exposures and flow, the gauge."""
