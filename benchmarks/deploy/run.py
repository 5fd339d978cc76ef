"""Runs deploy models beside ONNX Runtime and prints a Markdown table.

    python run.py [--bin build/bin] [--network resnet50 mobilenetv2] [--rounds 3] [--batch 1]

The same 32 images of 224x224 go through the deploy model that `lathe quantize` writes, on Lathe's engine, and on ONNX
Runtime through the float model and its QDQ forms (int8 weights per channel; activations uint8, and int8). Only the
runs are timed, not reading and preparing. Rounds are interleaved and the shortest time counts.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "ptq"))
import make_model  # noqa: E402

IMAGES = 32
CALIBRATION = 4
INPUT = "image"


class Reader(CalibrationDataReader):
    def __init__(self, batch):
        self.batches = iter([{INPUT: batch}])

    def get_next(self):
        return next(self.batches, None)


def checked(command):
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{done.stderr}")
    return done.stdout


class OnnxRuntime:
    def __init__(self, model, images, batch):
        self.session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        self.batches = [images[i : i + batch] for i in range(0, len(images), batch)]
        self.session.run(None, {INPUT: self.batches[0]})

    def seconds(self):
        start = time.perf_counter()
        for batch in self.batches:
            self.session.run(None, {INPUT: batch})
        return time.perf_counter() - start


def compare(arguments, network, folder):
    model, images_path = folder / f"{network}.onnx", folder / "images.npy"
    checked([sys.executable, HERE.parent / "ptq" / "make_model.py", network, model])
    images = make_model.images(IMAGES, 1)
    np.save(images_path, images)
    np.save(folder / "calibration.npy", images[:CALIBRATION])
    checked([arguments.bin / "lathe", "quantize", model, "-d", folder / "calibration.npy", "-o", folder / network])
    prepared = folder / "prepared.onnx"
    quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
    contenders = {"ONNX Runtime, float": OnnxRuntime(model, images, arguments.batch)}
    for name, activation in (("U8S8", QuantType.QUInt8), ("S8S8", QuantType.QInt8)):
        qdq = folder / f"{name}.onnx"
        quantize_static(str(prepared), str(qdq), Reader(images[:CALIBRATION]), per_channel=True,
                        activation_type=activation, weight_type=QuantType.QInt8)
        contenders[f"ONNX Runtime, {name} QDQ"] = OnnxRuntime(qdq, images, arguments.batch)

    ours = "lathe, deploy model"
    times = {name: [] for name in [ours, *contenders]}
    for _ in range(arguments.rounds):
        text = checked([arguments.bin / "run_model", folder / f"{network}_deploy_model.onnx", images_path, 1,
                        arguments.batch])
        times[ours].append(float(text.split()[1]))
        for name, contender in contenders.items():
            times[name].append(contender.seconds())
    best = {name: min(values) for name, values in times.items()}
    print(f"{network}, {IMAGES} images of 224x224 in batches of {arguments.batch}, shortest of {arguments.rounds} "
          "rounds:\n\n| | time | time / lathe |\n| --- | ---: | ---: |")
    for name, seconds in best.items():
        print(f"| {name} | {seconds:.2f} s | {seconds / best[ours]:.2f} |")
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/bin"))
    parser.add_argument("--network", nargs="+", default=["resnet50", "mobilenetv2"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=1)
    arguments = parser.parse_args()
    for network in arguments.network:
        with tempfile.TemporaryDirectory() as folder:
            compare(arguments, network, pathlib.Path(folder))


if __name__ == "__main__":
    main()
