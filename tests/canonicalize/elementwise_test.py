"""The graphs of benchmarks/canonicalize mean after clean-up what they meant before, and there is little left of them.

    python elementwise_test.py LATHE SOURCE_FOLDER WORK_FOLDER
"""
import pathlib
import shutil
import sys

import numpy as np
import onnx
from harness import Harness

SEEDS = range(8)
NODES = 2000
# Identities, duplicates, dead branches and constants are about a third.
MOST_LEFT = 0.7


def main():
    lathe, source, work = sys.argv[1:4]
    sys.path.insert(0, str(pathlib.Path(source) / "benchmarks/canonicalize"))
    import make_graph
    shutil.rmtree(work, ignore_errors=True)
    harness = Harness(lathe, pathlib.Path(work))
    failed = False
    for seed in SEEDS:
        path = harness.work / f"elementwise{seed}.onnx"
        onnx.save(make_graph.make(NODES, seed), path)
        numbers = np.random.default_rng(seed)
        feeds = [{name: numbers.uniform(-1, 1, make_graph.SHAPE).astype(np.float32) for name in ("x0", "x1")}]
        report = harness.check(path, feeds)
        if not report.ran:
            report.problems.append(f"ONNX Runtime before: {report.not_run}")
        if report.nodes[1] > MOST_LEFT * NODES:
            report.problems.append(f"{report.nodes[1]} of {report.nodes[0]} nodes are left")
        print(f"seed {seed}: {report}", *report.problems, sep="\n    ")
        failed = failed or bool(report.problems)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
