"""QDQ models of the golden cases: ONNX Runtime and our own runtime run them, close to the fake-quant model.

    python qdq_test.py LATHE SOURCE_FOLDER WORK_FOLDER

Without the golden folder ($LATHE_SHARED_DIR/golden, or ../shared/golden) the test ends with status 77: skipped.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime

SKIPPED = 77
LATHE, SOURCE, WORK = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
GOLDEN = pathlib.Path(os.environ.get("LATHE_SHARED_DIR") or SOURCE.parent / "shared") / "golden"
# Least signal-to-noise ratio in dB of an output. Values on rounding edges fall to other sides in the two forms
# (x / s against x * (1 / s)); the hidden state of LSTM and GRU is not quantised between steps in the standard form.
LEAST, LEAST_RECURRENT = 40, 25


def ratio(want, got):
    want, got = want.astype("f8"), got.astype("f8")
    error = np.square(want - got).sum()
    return np.inf if error == 0 else 10 * np.log10(np.square(want).sum() / error)


def run(*arguments):
    subprocess.run([LATHE, *map(str, arguments)], check=True, capture_output=True)


def check(case):
    work = WORK / case.name
    shutil.rmtree(work, ignore_errors=True)
    run("save", case / "modified.onnx", "--record", case / "record.txt", "--emit", "qdq", "-o", work / "net")
    path = work / "net_qdq_model.onnx"
    assert sorted(p.name for p in work.iterdir()) == [path.name], "only the QDQ model is written"
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    floats = {i.name: i for i in model.graph.initializer if i.data_type == onnx.TensorProto.FLOAT}
    quantised = re.findall(r'key: "(.*)"', (case / "record.txt").read_text())
    for node in model.graph.node:
        if node.name in quantised and node.op_type in ("Conv", "Gemm", "MatMul"):
            assert not any(name in floats and len(floats[name].dims) > 1 for name in node.input), node.name
    inputs = [i.name for i in model.graph.input]
    feeds = {name: np.load(case / f"eval_in_{i}.npy") for i, name in enumerate(inputs)}
    wanted = [np.load(p) for p in sorted(case.glob("fake_quant_out_*.npy"))]
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    outputs = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).run(None, feeds)
    run("run", path, *[part for i, name in enumerate(inputs) for part in ("-i", f"{name}={case}/eval_in_{i}.npy")],
        "-o", work / "run")  # fmt: skip
    ours = [np.load(work / "run" / f"{o.name.replace('/', '_')}.npy") for o in model.graph.output]
    least = LEAST_RECURRENT if any(n.op_type in ("LSTM", "GRU") for n in model.graph.node) else LEAST
    worst = [min(map(ratio, wanted, each)) for each in (outputs, ours)]
    print(f"{case.name}: {worst[0]:.1f} dB with ONNX Runtime, {worst[1]:.1f} dB with our runtime (at least {least})")
    return min(worst) >= least


if not GOLDEN.is_dir():
    print(f"!!! SKIPPED: the golden cases are missing: {GOLDEN} (set LATHE_SHARED_DIR)")
    sys.exit(SKIPPED)
failed = [case.name for case in sorted(GOLDEN.glob("ptq_*")) if not check(case)]
sys.exit(f"too far from the fake-quant model: {failed}" if failed else 0)
