"""Run the command line as `python -m hpi_bt.cli`."""

from hpi_bt.cli import main

main()
