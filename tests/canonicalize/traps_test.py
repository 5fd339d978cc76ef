"""Small nets with traps mean after clean-up what they meant before.

    python traps_test.py LATHE SOURCE_FOLDER WORK_FOLDER FAMILY... [--passes PIPELINE]
"""
import pathlib
import shutil
import sys

import onnx
from harness import Harness, arguments
from traps import FAMILIES

# ONNX Runtime does not load these, so that only the files are compared.
NOT_RUN = {"unknown_operator", "function_of_another_operator_set"}


def main():
    options = arguments(__doc__, "families")
    shutil.rmtree(options.work, ignore_errors=True)
    harness = Harness(options.lathe, pathlib.Path(options.work), options.passes)
    count = failed = 0
    for family in options.families:
        for name, make in FAMILIES[family].items():
            model, feeds = make()
            path = harness.work / f"{name}.onnx"
            onnx.save(model, path)
            report = harness.check(path, feeds)
            if report.ran == (name in NOT_RUN):
                report.problems.append(f"ONNX Runtime before: {report.not_run or 'runs it'}")
            count, failed = count + 1, failed + bool(report.problems)
            if report.problems:
                print(f"{name}: {report}", *report.problems, sep="\n    ", flush=True)
    print(f"{count} nets, {failed} failed")
    sys.exit(1 if failed or not count else 0)


if __name__ == "__main__":
    main()
