"""Cleans a generated graph up beside onnxsim and ONNX Runtime and prints Markdown tables.

    python run.py [--lathe build/bin/lathe] [--nodes 100000] [--rounds 3] [--without onnxsim]
    python run.py --growth 10000 1000000 [--passes canonicalize eliminate-no-ops]
                                        time of `lathe opt` for numbers of nodes that double

Each side is a process of its own, measured whole: reading, cleaning up, writing; wall time, and peak resident memory
as the system counted it. The rounds are interleaved; of each side the shortest time and the largest peak count.
The result of lathe is compared with the graph's own outputs, both by ONNX Runtime without optimisation, and the
files that lathe writes with 1, 2 and 8 threads with each other. onnxsim is in scripts/requirements/benchmark.txt.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx

import make_graph

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
from measure import in_child, measure  # noqa: E402

SEED = 1
# What is bearable for a process that has to run this often.
GROWTH_ROUNDS = 3


def write_graph(count, path):
    in_child(lambda: onnx.save(make_graph.make(count, SEED), path))


def lathe_command(lathe, source, target, passes="canonicalize", threads=None):
    command = [lathe, "opt", source, "-o", target, "--passes", passes]
    return command if threads is None else [*command, "--threads", str(threads)]


def count_nodes(path):
    return len(onnx.load(path).graph.node)


def outputs_of(path, feeds):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options).run(None, feeds)


def check_outputs(source, target):
    generator = np.random.default_rng(SEED)
    feeds = {name: generator.uniform(-1, 1, make_graph.SHAPE).astype(np.float32) for name in ("x0", "x1")}
    wanted, got = outputs_of(source, feeds), outputs_of(target, feeds)
    return max(float(np.abs(a - b).max()) for a, b in zip(wanted, got, strict=True))


def check_threads(lathe, source, folder):
    written = []
    for threads in (1, 2, 8):
        target = folder / f"threads{threads}.onnx"
        subprocess.run(lathe_command(lathe, source, target, threads=threads), check=True, stdout=subprocess.DEVNULL)
        written.append(target.read_bytes())
    return all(each == written[0] for each in written)


def check_twice(lathe, target, folder):
    again = folder / "again.onnx"
    report = subprocess.run([*lathe_command(lathe, target, again), "--json"], check=True, stdout=subprocess.PIPE)
    return not json.loads(report.stdout)["changed"] and again.read_bytes() == target.read_bytes()


def compare(arguments, folder):
    source = folder / "graph.onnx"
    write_graph(arguments.nodes, source)
    results = {"lathe": folder / "lathe.onnx"}
    commands = {"lathe": lathe_command(arguments.lathe, source, results["lathe"])}
    for tool in ("onnxsim", "onnxruntime"):
        if tool in arguments.without:
            continue
        results[tool] = folder / f"{tool}.onnx"
        commands[tool] = [sys.executable, HERE / "simplify.py", tool, source, results[tool]]
    best = {}
    for _ in range(arguments.rounds):
        for tool, command in commands.items():
            seconds, peak, _ = measure(command)
            old = best.get(tool, (seconds, peak))
            best[tool] = (min(seconds, old[0]), max(peak, old[1]))
    print(f"{count_nodes(source)} nodes, shortest time and largest peak of {arguments.rounds} rounds:\n")
    print("| | time | peak memory | nodes left | time / lathe |\n| --- | ---: | ---: | ---: | ---: |")
    for tool, (seconds, peak) in best.items():
        print(f"| {tool} | {seconds:.2f} s | {peak / 1e6:.0f} MB | {count_nodes(results[tool])} | "
              f"{seconds / best['lathe'][0]:.1f} |")
    print(f"\nlargest difference of an output: {check_outputs(source, results['lathe']):.3g}")
    print(f"same bytes for 1, 2 and 8 threads: {check_threads(arguments.lathe, source, folder)}")
    print(f"a second run changes nothing: {check_twice(arguments.lathe, results['lathe'], folder)}")


def growth(arguments, folder):
    first, last = arguments.growth
    counts = [first]
    while counts[-1] < last:
        counts.append(min(2 * counts[-1], last))
    print("| nodes | " + " | ".join(arguments.passes) + " |\n| ---: |" + " ---: |" * len(arguments.passes))
    previous = {}
    for count in counts:
        source = folder / "graph.onnx"
        write_graph(count, source)
        cells = []
        for passes in arguments.passes:
            command = lathe_command(arguments.lathe, source, folder / "out.onnx", passes)
            runs = [measure(command)[:2] for _ in range(GROWTH_ROUNDS)]
            seconds, peak = min(run[0] for run in runs), max(run[1] for run in runs)
            cell = f"{seconds:.2f} s, {peak / 1e6:.0f} MB"
            if passes in previous:
                cell += f" ({seconds / previous[passes]:.2f})"
            previous[passes] = seconds
            cells.append(cell)
        print(f"| {count} | " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lathe", type=pathlib.Path, default=HERE.parent.parent / "build/bin/lathe")
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without", nargs="+", default=[], choices=["onnxsim", "onnxruntime"])
    parser.add_argument("--growth", type=int, nargs=2, metavar=("FIRST", "LAST"))
    parser.add_argument("--passes", nargs="+", default=["canonicalize"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lathe-benchmark-") as name:
        (growth if arguments.growth else compare)(arguments, pathlib.Path(name))


if __name__ == "__main__":
    main()
