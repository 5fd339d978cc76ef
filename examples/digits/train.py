"""Trains the digits net in NumPy and writes digits.onnx beside this file.

    python train.py [OUTPUT.onnx]

One seed, one BLAS thread: the same versions of NumPy and onnx give the same file again. Needs numpy,
scikit-learn (the data) and onnx (the export).
"""
import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the order of additions, and so the last bits, depends on it

import pathlib
import sys

import numpy as np

import data
from layers import AveragePool2, BatchNorm, Conv, Gemm, MaxPool2, Relu

SEED = 8
EPOCHS = 60
BATCH_SIZE = 32
LEARNING_RATE = 0.05
SGD_MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4


class DigitsNet:
    """conv1 -> depthwise conv2 -> 1x1 conv3, added to what conv2 got -> MaxPool -> conv4 -> AveragePool -> Gemm."""

    def __init__(self, rng):
        self.layers = {
            "conv1": Conv(rng, 1, 24, 3),
            "bn1": BatchNorm(24),
            "relu1": Relu(),
            "conv2": Conv(rng, 24, 24, 3, depthwise=True),
            "bn2": BatchNorm(24),
            "relu2": Relu(),
            "conv3": Conv(rng, 24, 24, 1),
            "bn3": BatchNorm(24),
            "relu3": Relu(),
            "pool1": MaxPool2(),
            "conv4": Conv(rng, 24, 48, 3),
            "bn4": BatchNorm(48),
            "relu4": Relu(),
            "pool2": AveragePool2(),
            "fc": Gemm(rng, 48 * 2 * 2, 10),
        }

    def forward(self, x, training=False):
        for name, layer in self.layers.items():
            x = layer.forward(x, training)
            if name == "relu1":
                shortcut = x
            if name == "bn3":
                x = x + shortcut
        return x

    def backward(self, grad):
        for name, layer in reversed(self.layers.items()):
            if name == "bn3":
                shortcut_grad = grad
            if name == "relu1":
                grad = grad + shortcut_grad
            grad = layer.backward(grad)

    def parameters(self):
        """Every parameter as (array, its gradient, whether it is a weight), updated in place by the caller."""
        for layer in self.layers.values():
            for key, value in layer.parameters.items():
                yield value, layer.gradients[key], key == "weight"


def softmax_gradient(logits, labels):
    """The gradient of the mean cross entropy by the logits."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    grad = shifted / shifted.sum(axis=1, keepdims=True)
    grad[np.arange(len(labels)), labels] -= 1
    return (grad / len(labels)).astype(np.float32)


def augment(images, rng):
    """Each image turned by up to 10 degrees, scaled by up to 10 % and moved by up to 0.8 pixels, bilinearly."""
    count, _, height, width = images.shape
    angle = rng.uniform(-np.pi / 18, np.pi / 18, count)
    scale = rng.uniform(0.9, 1.1, count)
    shift = rng.uniform(-0.8, 0.8, (2, count))
    row, column = np.mgrid[0:height, 0:width] - (height - 1) / 2
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    source_row = cos[:, None, None] * row - sin[:, None, None] * column + (height + 1) / 2 + shift[0][:, None, None]
    source_column = sin[:, None, None] * row + cos[:, None, None] * column + (width + 1) / 2 + shift[1][:, None, None]
    padded = np.pad(images[:, 0], ((0, 0), (1, 1), (1, 1)))
    source_row = source_row.clip(0, height + 1 - 1e-6)
    source_column = source_column.clip(0, width + 1 - 1e-6)
    top, left = source_row.astype(int), source_column.astype(int)
    down, right = source_row - top, source_column - left
    index = np.arange(count)[:, None, None]
    result = (
        padded[index, top, left] * (1 - down) * (1 - right)
        + padded[index, top, left + 1] * (1 - down) * right
        + padded[index, top + 1, left] * down * (1 - right)
        + padded[index, top + 1, left + 1] * down * right
    )
    return result[:, None].astype(np.float32)


def accuracy(net, images, labels):
    return float((net.forward(images).argmax(axis=1) == labels).mean())


def train(net, images, labels, rng):
    """Stochastic gradient descent with momentum, a cosine learning rate and weight decay on the weights."""
    steps_per_epoch = len(images) // BATCH_SIZE
    velocity = None
    for epoch in range(EPOCHS):
        order = rng.permutation(len(images))
        for step in range(steps_per_epoch):
            progress = (epoch + step / steps_per_epoch) / EPOCHS
            rate = np.float32(LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * progress)))
            batch = order[step * BATCH_SIZE : (step + 1) * BATCH_SIZE]
            logits = net.forward(augment(images[batch], rng), training=True)
            net.backward(softmax_gradient(logits, labels[batch]))
            if velocity is None:
                velocity = [np.zeros_like(value) for value, _, _ in net.parameters()]
            for (value, grad, is_weight), speed in zip(net.parameters(), velocity):
                speed *= np.float32(SGD_MOMENTUM)
                speed -= rate * (grad + np.float32(WEIGHT_DECAY) * value * is_weight)
                value += speed
        if (epoch + 1) % 10 == 0:
            print(f"epoch {epoch + 1:3d}: training accuracy {accuracy(net, images, labels):.4f}", flush=True)


def export(net, path):
    """Writes the net as ONNX, opset 13, IR 8, one node a layer and the BatchNorms not folded."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, initializers = [], []

    def constant(name, value):
        initializers.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype=np.float32), name))
        return name

    value = "image"

    def add(operator, name, inputs, output=None, **attributes):
        nonlocal value
        value = output or f"{name}_out"
        nodes.append(helper.make_node(operator, inputs, [value], name=name, **attributes))

    for name, layer in net.layers.items():
        parameters = {key: constant(f"{name}.{key}", array) for key, array in layer.parameters.items()}
        if isinstance(layer, Conv):
            margin = layer.kernel // 2
            add(
                "Conv",
                name,
                [value, parameters["weight"]],
                kernel_shape=[layer.kernel] * 2,
                pads=[margin] * 4,
                strides=[1, 1],
                dilations=[1, 1],
                group=len(layer.parameters["weight"]) if layer.depthwise else 1,
            )
        elif isinstance(layer, BatchNorm):
            statistics = [constant(f"{name}.mean", layer.mean), constant(f"{name}.variance", layer.variance)]
            inputs = [value, parameters["scale"], parameters["bias"], *statistics]
            add("BatchNormalization", name, inputs, epsilon=float(layer.EPSILON))
        elif isinstance(layer, Relu):
            add("Relu", name, [value])
        elif isinstance(layer, MaxPool2):
            add("MaxPool", name, [value], kernel_shape=[2, 2], strides=[2, 2])
        elif isinstance(layer, AveragePool2):
            add("AveragePool", name, [value], kernel_shape=[2, 2], strides=[2, 2])
        elif isinstance(layer, Gemm):
            add("Flatten", "flatten", [value], axis=1)
            add("Gemm", name, [value, parameters["weight"], parameters["bias"]], output="logits", transB=1)
        if name == "relu1":
            shortcut = value
        if name == "bn3":
            add("Add", "add", [value, shortcut])

    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])],
        initializers,
        doc_string="Hand-written digits, 8x8 pixels in 0..1",
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="lathe-examples-digits")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def main():
    output = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("digits.onnx")
    train_images, train_labels, held_out_images, held_out_labels = data.load()
    rng = np.random.default_rng(SEED)
    net = DigitsNet(rng)
    train(net, train_images, train_labels, rng)
    print(f"held-out accuracy {accuracy(net, held_out_images, held_out_labels):.4f}")
    export(net, output)
    print(f"wrote {output}: {output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
