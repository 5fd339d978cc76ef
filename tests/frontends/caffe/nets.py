"""What the Caffe tests share: small nets written as prototxt and caffemodel, and OpenCV's DNN module as a judge.

OpenCV is Debian's python3-opencv, which the private environment does not have: it runs in $LATHE_OPENCV_PYTHON, or the
first of this Python, python3 and /usr/bin/python3 that can import cv2.
"""
import functools
import os
import pathlib
import re
import subprocess
import sys

import numpy as np

SKIPPED = 77


def varint(value):
    result = b""
    while value > 0x7F:
        result += bytes([value & 0x7F | 0x80])
        value >>= 7
    return result + bytes([value])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def blob(array):
    array = np.asarray(array, np.float32)
    shape = b"".join(varint(extent) for extent in array.shape)
    return field(7, field(1, shape)) + field(5, array.tobytes())


def old_blob(array):
    """num, channels, height, width instead of a shape."""
    array = np.asarray(array, np.float32)
    extents = [1] * (4 - array.ndim) + list(array.shape)
    return b"".join(varint(i + 1 << 3) + varint(extent) for i, extent in enumerate(extents)) + field(5, array.tobytes())


def caffemodel(weights, write=blob):
    """The bytes of a file with these {layer: [arrays]}."""
    layers = (
        field(1, name.encode()) + field(2, b"Any") + b"".join(field(7, write(array)) for array in arrays)
        for name, arrays in weights.items()
    )
    return b"".join(field(100, layer) for layer in layers)


def layer(name, kind, bottoms, tops, parameters=""):
    ends = "".join(f' bottom: "{each}"' for each in bottoms.split()) + "".join(f' top: "{each}"' for each in tops.split())
    return f'layer {{ name: "{name}" type: "{kind}"{ends} {parameters} }}\n'


def inputs(shapes):
    return "".join(
        f'input: "{name}" input_shape {{ {" ".join(f"dim: {extent}" for extent in shape)} }}\n'
        for name, shape in shapes.items()
    )


def random(*shape, seed=0, scale=1.0):
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(np.float32)


def write_net(folder, text, weights, write=blob):
    """NET.prototxt,NET.caffemodel in a folder, as an argument for the driver."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "net.prototxt").write_text(text)
    # A file without layers is none, so there is always one.
    (folder / "net.caffemodel").write_bytes(caffemodel(weights or {"none": []}, write))
    return f"{folder / 'net.prototxt'},{folder / 'net.caffemodel'}"


@functools.cache
def opencv_python():
    """None when no Python here has cv2."""
    for candidate in (os.environ.get("LATHE_OPENCV_PYTHON"), sys.executable, "python3", "/usr/bin/python3"):
        try:
            if candidate and subprocess.run([candidate, "-c", "import cv2.dnn"], capture_output=True).returncode == 0:
                return candidate
        except OSError:
            pass
    return None


OPENCV = """
import pathlib, sys
import cv2, numpy as np
for folder in map(pathlib.Path, sys.argv[1:]):
    net = cv2.dnn.readNetFromCaffe(str(folder / "net.prototxt"), str(folder / "net.caffemodel"))
    feeds = np.load(folder / "feeds.npz")
    for name in feeds.files:
        net.setInput(feeds[name], name)
    # It knows some layers by their own names, others by their tops'.
    known = set(net.getLayerNames())
    pairs = [each.split(":") for each in (folder / "outputs.txt").read_text().split()]
    wanted = [layer if layer in known else top for layer, top in pairs]
    np.savez(folder / "opencv.npz", **dict(zip(wanted, net.forward(wanted))))
"""


def run_opencv(folder, feeds, outputs):
    """The outputs of the net in `folder` by name, as OpenCV computes them."""
    folder = pathlib.Path(folder)
    np.savez(folder / "feeds.npz", **feeds)
    # The layers that make them, which `layer` writes in one line each.
    made = dict(re.findall(r'name: "(\w+)".* top: "(\w+)"', (folder / "net.prototxt").read_text()))
    layers = {top: name for name, top in made.items()}
    (folder / "outputs.txt").write_text(" ".join(f"{layers.get(each, each)}:{each}" for each in outputs))
    done = subprocess.run([opencv_python(), "-c", OPENCV, str(folder)], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"OpenCV: {done.stderr}")
    return dict(zip(outputs, np.load(folder / "opencv.npz").values()))


def decibels(want, got):
    want, got = np.asarray(want, "f8"), np.asarray(got, "f8")
    if want.shape != got.shape:
        raise ValueError(f"shape {got.shape}, want {want.shape}")
    error = np.square(want - got).sum()
    return np.inf if error == 0 else 10 * np.log10(np.square(want).sum() / error)


class Driver:
    def __init__(self, program):
        self.program = str(pathlib.Path(program).absolute())

    def __call__(self, *arguments, cwd=None):
        return subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True, cwd=cwd)

    def done(self, *arguments, cwd=None):
        done = self(*arguments, cwd=cwd)
        if done.returncode != 0:
            raise AssertionError(f"lathe {' '.join(map(str, arguments))}\n{done.stderr}")
        return done.stdout

    def run(self, net, feeds, folder):
        """`lathe run`: the outputs by name."""
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        arguments = []
        for name, array in feeds.items():
            np.save(folder / f"in_{name}.npy", array)
            arguments += ["-i", f"{name}={folder / f'in_{name}.npy'}"]
        self.done("run", net, *arguments, "-o", folder / "out")
        return {path.stem: np.load(path) for path in (folder / "out").glob("*.npy")}
