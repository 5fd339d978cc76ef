"""Runs a test script that needs torch in a Python that has it (with_torch.py), else ends with status 77: skipped.

    python torch_test.py SCRIPT ARGUMENT...
"""
import subprocess
import sys

import with_torch

with_torch.skip_without_torch()
sys.exit(subprocess.run([*with_torch.command(), *sys.argv[1:]]).returncode)
