"""Passes keep the meaning of random nets of one family, judged by ONNX Runtime.

    python numeric_test.py LATHE WORK_FOLDER FAMILY [FIRST_SEED SEEDS]

For each seed and operator set: a model of many small nets goes through `lathe opt` with the family's pass. Its
outputs are those from before (equal bytes, or 100 dB where the order of additions changes), the pass did
something, and a second run of it changes nothing.
"""
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
from families import FAMILIES
from nets import Model, nodes_by_net

LATHE, WORK, FAMILY = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
FIRST, SEEDS = (int(number) for number in (sys.argv[4:6] or ("0", "6")))
NETS = 40


def run(path, feeds):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds)))


def optimise(source, target, passes):
    subprocess.run([LATHE, "opt", source, "-o", target, "--passes", passes], check=True, stdout=subprocess.DEVNULL)


def difference(want, got, exact):
    """What is wrong with an output; None: nothing."""
    if want.dtype != got.dtype or want.shape != got.shape:
        return f"{want.dtype}{list(want.shape)} became {got.dtype}{list(got.shape)}"
    if exact or want.dtype.kind != "f":
        return None if want.tobytes() == got.tobytes() else "values differ"
    if not np.array_equal(np.isfinite(want), np.isfinite(got)):
        return "infinite values differ"
    finite = np.isfinite(want)
    want, got = want[finite].astype(np.float64), got[finite].astype(np.float64)
    # What is added is of size 1, also where it cancels.
    noise, signal = np.sum((want - got) ** 2), np.sum(np.maximum(want**2, 1))
    return None if noise <= signal * 1e-10 else f"{10 * np.log10(signal / noise):.1f} dB"


def runs(build, rng, opset):
    """Whether ONNX Runtime takes the next net; if so, the generator will build the same again."""
    state = rng.bit_generator.state
    alone = Model(opset)
    build(rng, alone.net())
    try:
        run(alone.build().SerializeToString(), alone.feeds)
    except Exception:  # its errors have no common class
        return False
    rng.bit_generator.state = state
    return True


def judge(seed, opset):
    build, passes, exact, _ = FAMILIES[FAMILY]
    rng = np.random.default_rng([seed, opset])
    model = Model(opset)
    while len(model.nets) < NETS:
        if runs(build, rng, opset):
            build(rng, model.net())
    source, once, twice = (str(WORK / f"{seed}_{opset}_{name}.onnx") for name in ("source", "once", "twice"))
    onnx.save(model.build(), source)
    optimise(source, once, "infer-shapes," + passes)
    optimise(once, twice, "infer-shapes," + passes)
    before, after = run(source, model.feeds), run(once, model.feeds)
    wrong = []
    if list(before) != list(after):
        wrong.append("the outputs changed names")
    for name in before:
        if problem := difference(before[name], after[name], exact):
            wrong.append(f"{name}: {problem}")
    optimised = onnx.load(once)
    counts = nodes_by_net(optimised, model.nets)
    for net in model.nets:
        if net.want is not None and counts[net.prefix] != net.want:
            wrong.append(f"{net.prefix}: {counts[net.prefix]} nodes are left, not {net.want}")
    if len(optimised.graph.node) == len(model.nodes) and passes != "convert-batch-norm":
        wrong.append("the pass did nothing")
    if len(onnx.load(twice).graph.node) != len(optimised.graph.node):
        wrong.append("a second run changed something")
    print(f"{FAMILY} seed {seed} opset {opset}: {len(model.nodes)} nodes, {len(optimised.graph.node)} are left")
    return [f"seed {seed}, opset {opset}: {text}" for text in wrong]


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    wrong = []
    for seed in range(FIRST, FIRST + SEEDS):
        for opset in FAMILIES[FAMILY][3]:
            wrong += judge(seed, opset)
    print("\n".join(wrong))
    return 1 if wrong else 0


sys.exit(main())
