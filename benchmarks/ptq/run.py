"""Quantises a network beside ONNX Runtime and NNCF and prints a Markdown table.

    python run.py [--lathe build/bin/lathe] [--network resnet50] [--rounds 3] [--only NAME...] [--output TABLE.md]
    python run.py --growth 8 800        peak memory of `lathe quantize` for these numbers of images

All get the same 32 images of 224x224 in the same batches of four. Each side is a process of its own, measured
whole: wall time, and peak resident memory as the system counted it. The rounds are interleaved, so that another
program's load hits all; of each side the shortest time and the largest peak count. ONNX Runtime's pre-processing of
the model is not counted. The environment is that of scripts/requirements/peers.txt.
"""
import argparse
import os
import pathlib
import sys
import tempfile
from importlib import metadata

import numpy as np
from onnxruntime.quantization.shape_inference import quant_pre_process

import make_model

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
from measure import in_child, measure  # noqa: E402
OURS = "lathe quantize"
METHODS = ("MinMax", "Entropy", "Percentile")
FLOAT = "float inference (ONNX Runtime)"
PEERS = [*(f"ONNX Runtime, {method}" for method in METHODS), "NNCF", FLOAT]
IMAGES = 32
BATCH = 4
DATA_SEED = 1


def write_batches(folder, count, batch):
    folder.mkdir()
    for first in range(0, count, batch):
        np.save(folder / f"{first:05}.npy", make_model.images(min(batch, count - first), DATA_SEED + first))


def batches(folder):
    return sorted(folder.glob("*.npy"))


def gigabytes(size):
    return f"{size / 1e9:.2f} GB"


def lathe_command(arguments, model, data, folder):
    return [arguments.lathe, "quantize", model, "-d", *batches(data), "-o", folder / "lathe"]


def compare(arguments, model, folder):
    data = folder / "data"
    in_child(write_batches, data, IMAGES, BATCH)
    prepared = folder / "prepared.onnx"
    in_child(lambda: quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True))

    def onnxruntime(what, source):
        return [sys.executable, HERE / "onnxruntime_quantize.py", what, source, folder / "other.onnx", *batches(data)]

    nncf = [sys.executable, HERE / "nncf_quantize.py", prepared, folder / "other.onnx", *batches(data)]
    commands = {OURS: lathe_command(arguments, model, data, folder),
                **{f"ONNX Runtime, {method}": onnxruntime(method, prepared) for method in METHODS},
                "NNCF": nncf, FLOAT: onnxruntime("inference", model)}
    contenders = {name: command for name, command in commands.items() if name in {OURS, *arguments.only}}

    results = {}
    for _ in range(arguments.rounds):
        for name, command in contenders.items():
            seconds, peak, text = measure(command)
            if name == FLOAT:
                seconds = float(text.split()[1])
            old = results.get(name, (seconds, peak))
            results[name] = (min(seconds, old[0]), max(peak, old[1]))

    ours = results[OURS]
    lines = [f"{arguments.network}, {IMAGES} images of 224x224 in batches of {BATCH}, {os.cpu_count()} cores, "
             f"shortest time and largest peak of {arguments.rounds} rounds:\n",
             "| | time | peak memory | time / lathe | memory / lathe |\n| --- | ---: | ---: | ---: | ---: |"]
    for name, (seconds, peak) in results.items():
        lines.append(f"| {name} | {seconds:.1f} s | {gigabytes(peak)} | {seconds / ours[0]:.2f} | {peak / ours[1]:.2f} |")
    versions = ", ".join(f"{package} {metadata.version(package)}" for package in ("onnxruntime", "nncf"))
    text = "\n".join([*lines, f"\nPeers: {versions}."]) + "\n"
    print(text, end="")
    if arguments.output:
        arguments.output.write_text(text)


def growth(arguments, model, folder):
    print(f"{arguments.network}, batches of {BATCH}:\n\n| images | time | peak memory |\n| ---: | ---: | ---: |")
    peaks = []
    for count in arguments.growth:
        data = folder / f"data{count}"
        in_child(write_batches, data, count, BATCH)
        seconds, peak, _ = measure(lathe_command(arguments, model, data, folder))
        for path in batches(data):
            path.unlink()
        peaks.append(peak)
        print(f"| {count} | {seconds:.1f} s | {gigabytes(peak)} |", flush=True)
    print(f"\nlargest peak / smallest peak: {max(peaks) / min(peaks):.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lathe", type=pathlib.Path, default=HERE.parent.parent / "build/bin/lathe")
    parser.add_argument("--network", choices=sorted(make_model.NETWORKS), default="resnet50")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=PEERS, default=PEERS, help="peers to run; default: all")
    parser.add_argument("--output", type=pathlib.Path, metavar="TABLE.md", help="also write the table here")
    parser.add_argument("--growth", type=int, nargs="+", metavar="IMAGES")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lathe-benchmark-") as name:
        folder = pathlib.Path(name)
        model = folder / f"{arguments.network}.onnx"
        in_child(make_model.make, arguments.network, model)
        if arguments.growth:
            growth(arguments, model, folder)
        else:
            compare(arguments, model, folder)


if __name__ == "__main__":
    main()
