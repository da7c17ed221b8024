"""Pages about a run."""

from hpi_bt.report.pages import Banner
from hpi_bt.report.tearsheet import write_tearsheet

__all__ = ["Banner", "write_tearsheet"]
