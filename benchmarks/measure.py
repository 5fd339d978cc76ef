"""Measures other programs: what the runners of all benchmarks share."""
import os
import subprocess
import sys
import time


def measure(command):
    """Runs a command; returns (seconds, peak bytes, standard output). The peak is the child's own: what this process
    held before the fork is not counted, because it is kept small (data is made in another process)."""
    start = time.perf_counter()
    process = subprocess.Popen([str(each) for each in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with process.stdout as out, process.stderr as err:
        # stderr is short in both programs, so it cannot fill its pipe while stdout is read.
        text, errors = out.read().decode(), err.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command[0]} failed with {process.returncode}:\n{errors}")
    return seconds, usage.ru_maxrss * 1024, text


def in_child(function, *arguments):
    """Calls a function in a fork, so that its memory does not count for the children measured later."""
    child = os.fork()
    if child == 0:
        try:
            function(*arguments)
        except BaseException as error:  # the parent only sees the status
            print(f"{function.__name__}: {error}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
        sys.exit(1)
