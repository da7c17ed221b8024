"""What the command line asks of Python's collector, whose work is a fifth of a short run."""

from __future__ import annotations

import subprocess
import sys


def test_the_collector_is_patient_and_skips_what_is_left_at_exit():
    code = """
import gc, sys
from hpi_bt.cli import main
sys.argv = ["hpi-bt", "--version"]
try:
    main()
except SystemExit as end:
    print(end.code, gc.get_threshold()[0], gc.get_freeze_count() > 1000)
"""
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.split()[-3:] == ["0", "50000", "True"]
