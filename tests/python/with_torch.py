"""Where the tests find a Python that has torch, and the golden folder.

torch is no package of the private environment. The Python is $LATHE_TORCH_PYTHON (a command), or else the first of
this one and /usr/bin/python3 (Debian: python3-torch) that can import torch and is of this one's version, for which the
extension module is built.
"""
import functools
import os
import pathlib
import shlex
import subprocess
import sys

SKIPPED = 77


def shared(source):
    return pathlib.Path(os.environ.get("LATHE_SHARED_DIR") or pathlib.Path(source).parent / "shared")


def skip_unless(condition, why):
    if not condition:
        print(f"!!!\n!!! SKIPPED: {why}\n!!!")
        sys.exit(SKIPPED)


@functools.cache
def command():
    given = os.environ.get("LATHE_TORCH_PYTHON")
    candidates = [shlex.split(given)] if given else [[sys.executable], ["/usr/bin/python3"]]
    check = f"import sys, torch; sys.exit(sys.version_info[:2] != {tuple(sys.version_info[:2])})"
    for candidate in candidates:
        try:
            if subprocess.run([*candidate, "-c", check], capture_output=True).returncode == 0:
                return candidate
        except OSError:
            continue
    return None


def skip_without_torch():
    version = ".".join(map(str, sys.version_info[:2]))
    skip_unless(command(), f"no Python {version} has torch: install python3-torch, or set LATHE_TORCH_PYTHON")


def run(script, *arguments):
    """Runs a script with torch and, by PYTHONPATH, with the package lathe."""
    return subprocess.run([*command(), str(script), *map(str, arguments)], capture_output=True, text=True)
