"""Accuracy of quantised real models beside ONNX Runtime and NNCF, as a Markdown table.

    python run.py [--lathe build/bin/lathe] [--models NAME...] [--methods NAME...] [--output TABLE.md]

Half of each model's samples (every second one) calibrate and the other half measure; then the halves change places, and
the two results are averaged. A result is the signal-to-noise ratio of the worst output against the float model, over
all measured samples. ONNX Runtime executes every model, one thread, without optimisation; of Lathe it gets the
fake-quant model. The models and samples are those of $LATHE_SHARED_DIR/models.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

import peers

HERE = pathlib.Path(__file__).resolve().parent
MODELS = {
    "mnist_cnn": "mnist_conv_bn.onnx",
    "squeezenet1.1": "SqueezeNet_fp32_from_fp16.onnx",
    "ultraface_rfb320": "version-RFB-320.onnx",
    "yolox_nano": "yolox_nano.onnx",
    "mobilefacenet": "MobileFaceNet.onnx",
}


def samples(shared, model, folder):
    """One file a sample, in the order of the data, and the name of the input."""
    command = [sys.executable, shared / "prepare_inputs.py", model, folder]
    subprocess.run([str(each) for each in command], check=True, capture_output=True)
    files = sorted((folder / model).glob("*.npy"))
    (name,) = input_names(onnx.load(shared / model / MODELS[model]))
    return files, name


def input_names(model):
    constants = {each.name for each in model.graph.initializer}
    return [value.name for value in model.graph.input if value.name not in constants]


def outputs(model, feeds):
    """Each output over all samples, by name."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    rows = [session.run(names, feed) for feed in feeds]
    return {name: np.stack([row[i] for row in rows]) for i, name in enumerate(names)}


def decibels(want, got):
    want, got = want.astype("f8"), got.astype("f8")
    return 10 * np.log10(np.square(want).sum() / np.square(want - got).sum())


def lathe(program, *arguments):
    def quantize(source, files, folder):
        prefix = folder / "lathe"
        command = [program, "--threads", 1, "quantize", source, "-d", *files, "-o", prefix, *arguments]
        done = subprocess.run([str(each) for each in command], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"lathe quantize failed:\n{done.stderr}")
        return f"{prefix}_fake_quant_model.onnx"

    return quantize


def measure(arguments, model, methods, folder):
    """Decibels of each method, both halves averaged."""
    files, name = samples(arguments.models_folder, model, folder)
    source, prepared = arguments.models_folder / model / MODELS[model], folder / "prepared.onnx"
    peers.prepare(source, prepared)
    halves = [files[0::2], files[1::2]]
    feeds = [[{name: np.load(file)} for file in half] for half in halves]
    floats = [outputs(source, half) for half in feeds]
    results = {}
    for method in methods:
        found = []
        for half in (0, 1):
            if method in arguments.ours:
                quantised = arguments.ours[method](source, halves[half], folder)
            else:
                quantised = peers.quantize(method, prepared, feeds[half], folder)
            got = outputs(quantised, feeds[1 - half])
            found.append(min(decibels(want, got[name]) for name, want in floats[1 - half].items()))
        results[method] = float(np.mean(found))
        print(f"{model}, {method}: {found[0]:.1f} and {found[1]:.1f} dB", file=sys.stderr, flush=True)
    return results


def table(results, methods):
    rows = [f"| | {' | '.join(results)} |", f"| --- |{' ---: |' * len(results)}"]
    for method in methods:
        rows.append(f"| {method} | {' | '.join(f'{row[method]:.1f}' for row in results.values())} |")
    return "\n".join(rows) + f"\n\nPeers: {peers.VERSIONS}.\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lathe", type=pathlib.Path, default=HERE.parent.parent / "build/bin/lathe")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--methods", nargs="+", help="of the table's first column; default: all")
    parser.add_argument("--output", type=pathlib.Path, help="also write the table here")
    arguments = parser.parse_args()
    arguments.ours = {"lathe": lathe(arguments.lathe),
                      "lathe, high effort": lathe(arguments.lathe, "--effort", "high")}
    known = [*arguments.ours, *peers.PEERS]
    methods = arguments.methods or known
    if not set(methods) <= set(known):
        parser.error(f"--methods: choose from {', '.join(known)}")
    shared = os.environ.get("LATHE_SHARED_DIR") or HERE.parent.parent.parent / "shared"
    arguments.models_folder = pathlib.Path(shared) / "models"
    if not arguments.models_folder.is_dir():
        sys.exit(f"the real models are missing: {arguments.models_folder} (set LATHE_SHARED_DIR)")

    onnxruntime.set_default_logger_severity(3)  # errors only
    results = {}
    for model in arguments.models:
        with tempfile.TemporaryDirectory(prefix="lathe-benchmark-") as folder:
            results[model] = measure(arguments, model, methods, pathlib.Path(folder))
    text = table(results, methods)
    print(text, end="")
    if arguments.output:
        arguments.output.write_text(text)


if __name__ == "__main__":
    main()
