"""What the tests of real models share: where they are, their inputs, the driver, and decibels."""
import os
import pathlib
import subprocess
import sys

import numpy as np
import onnx

SKIPPED = 77


def require_models(source):
    """The folder of models: $LATHE_SHARED_DIR/models, or else ../shared/models beside the source folder."""
    models = pathlib.Path(os.environ.get("LATHE_SHARED_DIR") or pathlib.Path(source).parent / "shared") / "models"
    if not models.is_dir():
        print(f"!!! SKIPPED: the real models are missing: {models} (set LATHE_SHARED_DIR)")
        sys.exit(SKIPPED)
    return models


def mnist_images(models):
    """The 1000 digits, raw pixels 0 to 255 as float32 [1000, 28, 28]."""
    raw = np.fromfile(models / "data/mnist/t10k-first1000-images-idx3-ubyte", np.uint8)
    return raw[16:].reshape(-1, 28, 28).astype(np.float32)


def mnist_labels(models):
    return np.fromfile(models / "data/mnist/t10k-first1000-labels-idx1-ubyte", np.uint8)[8:].astype(np.int64)


def mnist_conv_bn_input(images):
    return (images / np.float32(255) - np.float32(0.1307)) / np.float32(0.3081)


def decibels(want, got):
    """10 log10(signal / error); infinite where equal. Arrays of one shape."""
    want, got = np.asarray(want, "f8"), np.asarray(got, "f8")
    if want.shape != got.shape:
        raise ValueError(f"shape {got.shape}, want {want.shape}")
    error = np.square(want - got).sum()
    return np.inf if error == 0 else 10 * np.log10(np.square(want).sum() / error)


class Driver:
    def __init__(self, program, work):
        self.program, self.work = program, pathlib.Path(work)
        self.runs = 0

    def __call__(self, *arguments):
        return subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True)

    def done(self, *arguments):
        done = self(*arguments)
        if done.returncode != 0:
            raise AssertionError(f"lathe {' '.join(map(str, arguments))}\n{done.stderr}")
        return done.stdout

    def feeds(self, inputs):
        """Command line of named arrays, written as files."""
        self.runs += 1
        folder = self.work / f"run{self.runs}"
        folder.mkdir(parents=True)
        arguments = []
        for i, (name, array) in enumerate(inputs.items()):
            np.save(folder / f"in_{i}.npy", array)
            arguments += ["-i", f"{name}={folder / f'in_{i}.npy'}"]
        return folder, arguments

    def run(self, model, inputs):
        """`lathe run`: the outputs by name."""
        folder, arguments = self.feeds(inputs)
        self.done("run", model, *arguments, "-o", folder / "out")
        outputs = [value.name for value in onnx.load(model, load_external_data=False).graph.output]
        return {name: np.load(folder / "out" / f"{name.replace('/', '_')}.npy") for name in outputs}
