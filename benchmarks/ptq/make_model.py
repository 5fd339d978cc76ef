"""Makes classification networks with random weights: the shape of a real job without anything to download.

    python make_model.py resnet50|mobilenetv2 OUT.onnx [--seed N]

Weights are drawn after He. BatchNormalization stays a node of its own, and its statistics are those that random
images give, so that activations keep their size through all layers as they do in a trained network.
"""
import argparse
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8
EPSILON = 1e-5
STATISTICS_BATCH = 4


class Network:
    """A graph under construction. Without `statistics`, BatchNormalization is written in the operators that compute
    mean and variance, which become outputs of the graph; with them, it is the operator."""

    def __init__(self, seed, statistics):
        self.rng = np.random.default_rng(seed)
        self.statistics = statistics
        self.nodes, self.constants, self.measured = [], [], []

    def constant(self, name, array):
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op, name, inputs, **attributes):
        output = f"{name}_output"
        self.nodes.append(helper.make_node(op, inputs, [output], name, **attributes))
        return output

    def conv(self, x, name, inputs, outputs, kernel, stride=1, groups=1):
        fan_in = inputs // groups * kernel * kernel
        weight = self.rng.standard_normal((outputs, inputs // groups, kernel, kernel), np.float32)
        weight *= np.float32(np.sqrt(2.0 / fan_in))
        return self.node("Conv", name, [x, self.constant(f"{name}.weight", weight)], kernel_shape=[kernel] * 2,
                         strides=[stride] * 2, pads=[kernel // 2] * 4, group=groups)

    def norm(self, x, name, channels, gain=1.0):
        scale = np.float32(gain) * self.rng.uniform(0.8, 1.2, channels).astype(np.float32)
        bias = self.rng.normal(0.0, 0.1, channels).astype(np.float32)
        if self.statistics is not None:
            mean, variance = self.statistics[name]
            parameters = {"scale": scale, "bias": bias, "mean": mean, "var": variance}
            inputs = [self.constant(f"{name}.{key}", value) for key, value in parameters.items()]
            return self.node("BatchNormalization", name, [x, *inputs], epsilon=EPSILON)
        mean = self.node("ReduceMean", f"{name}.mean", [x], axes=[0, 2, 3])
        centred = self.node("Sub", f"{name}.centred", [x, mean])
        squares = self.node("Mul", f"{name}.squares", [centred, centred])
        variance = self.node("ReduceMean", f"{name}.variance", [squares], axes=[0, 2, 3])
        self.measured += [mean, variance]
        deviation = self.node("Sqrt", f"{name}.deviation", [variance])
        normed = self.node("Div", f"{name}.normed", [centred, deviation])
        scaled = self.node("Mul", f"{name}.scaled", [normed, self.constant(f"{name}.scale", scale[:, None, None])])
        return self.node("Add", name, [scaled, self.constant(f"{name}.bias", bias[:, None, None])])

    def relu(self, x, name):
        return self.node("Relu", name, [x])

    def relu6(self, x, name):
        return self.node("Clip", name, [x, self.zero, self.six])

    @property
    def zero(self):
        return self._shared("zero", np.float32(0))

    @property
    def six(self):
        return self._shared("six", np.float32(6))

    def _shared(self, name, value):
        if all(each.name != name for each in self.constants):
            self.constant(name, value)
        return name

    def head(self, x, channels):
        x = self.node("GlobalAveragePool", "pool", [x])
        x = self.node("Flatten", "flatten", [x])
        weight = self.rng.standard_normal((1000, channels), np.float32) * np.float32(np.sqrt(1.0 / channels))
        inputs = [x, self.constant("fc.weight", weight), self.constant("fc.bias", np.zeros(1000, np.float32))]
        return self.node("Gemm", "fc", inputs, transB=1)

    def model(self, name, result):
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 224, 224])
        outputs = [helper.make_tensor_value_info(result, TensorProto.FLOAT, ["batch", 1000])]
        outputs += [helper.make_tensor_value_info(each, TensorProto.FLOAT, None) for each in self.measured]
        graph = helper.make_graph(self.nodes, name, [image], outputs, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
                                 producer_name="lathe-benchmark")


def resnet50(net):
    x = net.conv("image", "conv1", 3, 64, 7, stride=2)
    x = net.relu(net.norm(x, "bn1", 64), "relu1")
    x = net.node("MaxPool", "maxpool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for stage, (width, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)], start=1):
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            y = net.conv(x, f"{name}.conv1", channels, width, 1)
            y = net.relu(net.norm(y, f"{name}.bn1", width), f"{name}.relu1")
            y = net.conv(y, f"{name}.conv2", width, width, 3, stride)
            y = net.relu(net.norm(y, f"{name}.bn2", width), f"{name}.relu2")
            y = net.conv(y, f"{name}.conv3", width, 4 * width, 1)
            # A small gain keeps the sum over many blocks from growing.
            y = net.norm(y, f"{name}.bn3", 4 * width, gain=0.5)
            if block == 0:
                x = net.conv(x, f"{name}.downsample", channels, 4 * width, 1, stride)
                x = net.norm(x, f"{name}.downsample_bn", 4 * width)
            channels = 4 * width
            x = net.relu(net.node("Add", f"{name}.add", [y, x]), f"{name}.relu3")
    return net.head(x, channels)


def mobilenetv2(net):
    x = net.relu6(net.norm(net.conv("image", "conv1", 3, 32, 3, stride=2), "bn1", 32), "relu1")
    channels, block = 32, 0
    plan = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for expansion, outputs, repeats, first_stride in plan:
        for repeat in range(repeats):
            name = f"block{block}"
            stride = first_stride if repeat == 0 else 1
            hidden, y = channels * expansion, x
            if expansion > 1:
                y = net.conv(y, f"{name}.expand", channels, hidden, 1)
                y = net.relu6(net.norm(y, f"{name}.expand_bn", hidden), f"{name}.expand_relu")
            y = net.conv(y, f"{name}.depthwise", hidden, hidden, 3, stride, groups=hidden)
            y = net.relu6(net.norm(y, f"{name}.depthwise_bn", hidden), f"{name}.depthwise_relu")
            y = net.norm(net.conv(y, f"{name}.project", hidden, outputs, 1), f"{name}.project_bn", outputs)
            x = net.node("Add", f"{name}.add", [x, y]) if stride == 1 and channels == outputs else y
            channels, block = outputs, block + 1
    x = net.relu6(net.norm(net.conv(x, "conv2", channels, 1280, 1), "bn2", 1280), "relu2")
    return net.head(x, 1280)


NETWORKS = {"resnet50": resnet50, "mobilenetv2": mobilenetv2}


def images(count, seed):
    """`count` images, float32 [count, 3, 224, 224], normalised as the networks expect: coarse shapes plus noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.standard_normal((count, 3, 14, 14), np.float32).repeat(16, axis=2).repeat(16, axis=3)
    return coarse + np.float32(0.3) * rng.standard_normal((count, 3, 224, 224), np.float32)


def make(network, path, seed=0):
    build = NETWORKS[network]
    probe = Network(seed, None)
    model = probe.model(network, build(probe))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    values = session.run(probe.measured, {"image": images(STATISTICS_BATCH, seed)})
    measured = {name: np.ravel(value) for name, value in zip(probe.measured, values)}
    names = [name.removesuffix(".mean_output") for name in probe.measured if name.endswith(".mean_output")]
    statistics = {name: (measured[f"{name}.mean_output"], measured[f"{name}.variance_output"]) for name in names}

    final = Network(seed, statistics)
    model = final.model(network, build(final))
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=sorted(NETWORKS))
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    make(arguments.network, arguments.output, arguments.seed)


if __name__ == "__main__":
    main()
