"""Large checkpoints: that they are mapped and not read, and what restoring and saving take.

    python run.py [--lathe build/bin/lathe] [--gigabytes 1.0] [--folder build/checkpoint] [--output TABLE.md]

Peak memory is told twice: all of it, mapped pages of files included, which the system takes back when it needs them; and
what the process allocated itself (RssAnon, sampled every 5 ms). Time is told twice, too: on the clock, and of processors.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import make_checkpoint
from measure import in_child

INTERVAL = 0.005


def watch(process, ended, seen):
    """Appends what RssAnon is, in bytes, until the process has ended."""
    while not ended.wait(INTERVAL):
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            return
        seen += [int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon:")]


def measure(command):
    """(seconds, seconds of processors, peak bytes, peak of its own bytes)."""
    start = time.perf_counter()
    process = subprocess.Popen([str(each) for each in command], stdout=subprocess.DEVNULL)
    ended, seen = threading.Event(), [0]
    watcher = threading.Thread(target=watch, args=(process, ended, seen))
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    ended.set()
    watcher.join()
    if process.returncode != 0:
        sys.exit(f"{command[1]} failed with {process.returncode}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, max(seen)


def rows(arguments):
    folder, lathe = arguments.folder, arguments.lathe
    net, config, out = folder / "net.onnx", folder / "config.json", folder / "out"
    out.mkdir(exist_ok=True)
    measure([lathe, "config", "qat", net, "-o", config])
    for checkpoint in (folder / "trained.safetensors", folder / "trained.pth"):
        given = [net, "--config", config, "--checkpoint", checkpoint]
        commands = {
            "inspect": [lathe, "inspect", checkpoint],
            "retrain restore": [lathe, "retrain", "restore", *given, "--record", out / "r.txt", "-o", out / "retrain.onnx"],
            "retrain save": [lathe, "retrain", "save", *given, "-o", out / "net"],
        }
        size = checkpoint.stat().st_size
        for name, command in commands.items():
            seconds, processors, peak, own = measure(command)
            yield (f"{name}, {checkpoint.suffix} | {seconds:.1f} s | {processors:.1f} s | {peak / 1e9:.2f} GB | "
                   f"{own / 1e9:.2f} GB | {peak / size:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = pathlib.Path(__file__).parents[2]
    parser.add_argument("--lathe", type=pathlib.Path, default=root / "build/bin/lathe")
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--folder", type=pathlib.Path, default=root / "build/checkpoint")
    parser.add_argument("--output", type=pathlib.Path)
    arguments = parser.parse_args()
    in_child(make_checkpoint.make, arguments.folder, arguments.gigabytes)
    lines = ["| command | time | processors | peak memory | its own of that | peak / checkpoint |",
             "| --- | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    for row in rows(arguments):
        lines.append(f"| {row} |")
        print(lines[-1], flush=True)
    if arguments.output is not None:
        arguments.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
