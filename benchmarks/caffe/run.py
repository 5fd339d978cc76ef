"""How long a large Caffe net takes to load, and how much memory: `lathe inspect` beside reading the file.

    python run.py LATHE WORK_FOLDER [--repeat N]

The net is VGG-16 with random weights, 553 MB, made once in the work folder. The file is read once before each measurement,
so that both find it in the system's cache.
"""
import argparse
import pathlib
import sys
import time

import numpy as np

sys.path[:0] = [str(pathlib.Path(__file__).parents[1]), str(pathlib.Path(__file__).parents[2] / "tests/frontends/caffe")]
from measure import in_child, measure
from nets import field, layer, varint

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
PRODUCTS = (4096, 4096, 1000)


def write_layer(file, name, shapes):
    """One layer at a time, so that this process stays small."""
    blobs = b""
    random = np.random.default_rng(len(name))
    for shape in shapes:
        values = (random.standard_normal(shape, np.float32) * np.float32(0.01)).tobytes()
        extents = b"".join(varint(extent) for extent in shape)
        blobs += field(7, field(7, field(1, extents)) + field(5, values))
    file.write(field(100, field(1, name.encode()) + field(2, b"Any") + blobs))


def make_net(folder):
    text = 'input: "data" input_shape { dim: 1 dim: 3 dim: 224 dim: 224 }\n'
    bottom, channels = "data", 3
    with open(folder / "vgg16.caffemodel.part", "wb") as file:
        for block, (width, count) in enumerate(BLOCKS, 1):
            for i in range(1, count + 1):
                name = f"conv{block}_{i}"
                text += layer(name, "Convolution", bottom, name, f"convolution_param {{ num_output: {width} kernel_size: 3 pad: 1 }}")
                text += layer(f"relu{block}_{i}", "ReLU", name, name)
                write_layer(file, name, [(width, channels, 3, 3), (width,)])
                bottom, channels = name, width
            text += layer(f"pool{block}", "Pooling", bottom, f"pool{block}", "pooling_param { kernel_size: 2 stride: 2 }")
            bottom = f"pool{block}"
        length = channels * 7 * 7
        for i, width in enumerate(PRODUCTS, 6):
            text += layer(f"fc{i}", "InnerProduct", bottom, f"fc{i}", f"inner_product_param {{ num_output: {width} }}")
            write_layer(file, f"fc{i}", [(width, length), (width,)])
            bottom, length = f"fc{i}", width
    (folder / "vgg16.prototxt").write_text(text + layer("prob", "Softmax", bottom, "prob"))
    (folder / "vgg16.caffemodel.part").rename(folder / "vgg16.caffemodel")


def read_file(path):
    start = time.perf_counter()
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 22):
            pass
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lathe")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    weights = arguments.folder / "vgg16.caffemodel"
    if not weights.exists():
        in_child(make_net, arguments.folder)
    net = f"{arguments.folder / 'vgg16.prototxt'},{weights}"
    rows = []
    for _ in range(arguments.repeat):
        reading = read_file(weights)
        started, _, _ = measure([arguments.lathe, "--version"])
        loading, peak, _ = measure([arguments.lathe, "inspect", net])
        converting, converted_peak, _ = measure([arguments.lathe, "opt", net, "-o", arguments.folder / "vgg16.onnx",
                                                 "--passes", "eliminate-identity"])  # fmt: skip
        rows.append((reading, started, loading, peak, converting, converted_peak))
    reading, started, loading, peak, converting, converted_peak = np.median(rows, 0)
    size = weights.stat().st_size
    print(f"{size / 1e6:.0f} MB: reading the file {reading:.3f} s, starting lathe {started:.3f} s")
    print(f"inspect: {loading:.3f} s ({loading / reading:.2f} of reading), peak {peak / 1e6:.0f} MB ({peak / size:.2f} of the file)")
    print(f"to ONNX: {converting:.3f} s, peak {converted_peak / 1e6:.0f} MB ({converted_peak / size:.2f} of the file)")


if __name__ == "__main__":
    main()
