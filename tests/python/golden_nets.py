"""The networks of the golden cases as torch modules, with the weights of a description that golden_test.py writes."""
import json
import pathlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional


class Residual(nn.Module):
    def forward(self, x):
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu2(y + (self.down(x) if hasattr(self, "down") else x))


class Inverted(nn.Module):
    def forward(self, x):
        y = self.act1(self.bn1(self.expand(x)))
        y = self.act2(self.bn2(self.dw(y)))
        y = self.bn3(self.project(y))
        return x + y if self.residual else y


def lenet(net, x):
    x = net.pool(net.relu1(net.bn1(net.conv1(x))))
    x = net.pool(net.relu2(net.bn2(net.conv2(x))))
    return net.fc2(net.relu3(net.fc1(torch.flatten(x, 1))))


def mlp(net, x):
    return net.l4(net.l3(net.a2(net.l2(net.a1(net.l1(x))))).mean(1))


def resnet(net, x):
    x = net.relu(net.bn(net.stem(x)))
    return net.fc(torch.flatten(net.gap(net.layer3(net.layer2(net.layer1(x)))), 1))


def mobilenet(net, x):
    x = net.act(net.bn(net.stem(x)))
    return net.fc(torch.flatten(net.gap(net.b3(net.b2(net.b1(x)))), 1))


def branches(net, x):
    x = net.r(net.stem(x))
    x = net.mix(torch.cat([net.a(x), net.b(x), net.c(x)], 1))
    x = net.shared(functional.relu(net.shared(x))).mean((2, 3))
    return net.h1(x), net.h2(x)


def avgpool(net, x):
    return net.fc(torch.flatten(net.ap2(net.c2(net.ap(net.r1(net.c1(x))))), 1))


def conv1d(net, x):
    return net.fc(net.r2(net.c2(net.r1(net.bn1(net.c1(x))))).mean(-1))


def conv3d(net, x):
    return net.fc(net.r2(net.c2(net.p(net.r1(net.bn1(net.c1(x)))))).mean((2, 3, 4)))


def deconv(net, x):
    x = net.relu1(net.up1(net.relu(net.conv(x))))
    return net.sig(net.head(net.relu2(net.up2(x))))


def lstm(net, x, h, c):
    return net.fc(net.rnn(x, (h, c))[0][:, -1])


def gru(net, x, h):
    return net.fc(net.rnn(x, h)[0][:, -1])


FORWARDS = {
    each.__name__: each
    for each in (lenet, mlp, resnet, mobilenet, branches, avgpool, conv1d, conv3d, deconv, lstm, gru)
}
UNMARKED = {
    "lenet": {"pool": lambda: nn.MaxPool2d(2)},
    "conv3d": {"p": lambda: nn.MaxPool3d(2)},
    "resnet": {"gap": lambda: nn.AdaptiveAvgPool2d(1)},
    "mobilenet": {"gap": lambda: nn.AdaptiveAvgPool2d(1)},
}


class Net(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.compute = FORWARDS[kind]

    def forward(self, *inputs):
        return self.compute(self, *inputs)


def convolution(node, arrays):
    attributes, rank = node["attributes"], len(node["attributes"]["kernel_shape"])
    transposed = node["op"] == "ConvTranspose"
    kinds = [nn.ConvTranspose1d, nn.ConvTranspose2d] if transposed else [nn.Conv1d, nn.Conv2d, nn.Conv3d]
    weight, group = arrays[0], attributes["group"]
    cin, cout = (weight.shape[0], weight.shape[1] * group) if transposed else (weight.shape[1] * group, weight.shape[0])
    options = {"output_padding": attributes["output_padding"]} if "output_padding" in attributes else {}
    module = kinds[rank - 1](
        cin, cout, attributes["kernel_shape"], attributes["strides"], attributes["pads"][:rank], groups=group,
        bias=len(arrays) > 1, dilation=attributes["dilations"], **options,
    )  # fmt: skip
    return module, dict(zip(("weight", "bias"), arrays))


def linear(node, arrays):
    weight = arrays[0] if node["op"] == "Gemm" else arrays[0].T
    module = nn.Linear(weight.shape[1], weight.shape[0], bias=len(arrays) > 1)
    return module, dict(zip(("weight", "bias"), [weight, *arrays[1:]]))


def normalisation(node, arrays):
    kinds = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
    module = kinds[node["rank"]](len(arrays[0]), eps=node["attributes"]["epsilon"])
    return module, dict(zip(("weight", "bias", "running_mean", "running_var"), arrays))


def recurrent(node, arrays):
    hidden = node["attributes"]["hidden_size"]
    kind, order = (nn.LSTM, [0, 2, 3, 1]) if node["op"] == "LSTM" else (nn.GRU, [1, 0, 2])

    def gates(array):
        return np.concatenate([array[i * hidden : (i + 1) * hidden] for i in order])

    weight, recurrence, bias = (array[0] for array in arrays)
    half = len(bias) // 2
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    values = (gates(weight), gates(recurrence), gates(bias[:half]), gates(bias[half:]))
    return kind(weight.shape[1], hidden, batch_first=True), dict(zip(names, values))


def layer(node, arrays):
    op, attributes = node["op"], node["attributes"]
    if op in ("Conv", "ConvTranspose"):
        return convolution(node, arrays)
    if op in ("Gemm", "MatMul"):
        return linear(node, arrays)
    if op == "BatchNormalization":
        return normalisation(node, arrays)
    if op in ("LSTM", "GRU"):
        return recurrent(node, arrays)
    if op == "AveragePool":
        return nn.AvgPool2d(attributes["kernel_shape"], attributes["strides"], node["padding"]), {}
    kinds = {"Relu": nn.ReLU, "Sigmoid": nn.Sigmoid, "Tanh": nn.Tanh, "Clip": nn.ReLU6}
    return (nn.LeakyReLU(attributes["alpha"]) if op == "LeakyRelu" else kinds[op]()), {}


def container(kind, path):
    if path.endswith(".down"):
        return nn.Sequential()
    return Inverted() if kind == "mobilenet" else Residual()


def load(folder):
    """The module that golden_test.py described in this folder."""
    folder = pathlib.Path(folder)
    description = json.loads((folder / "net.json").read_text())
    constants = np.load(folder / "net.npz")
    kind = description["kind"]
    net = Net(kind)
    for name, make in UNMARKED.get(kind, {}).items():
        net.add_module(name, make())
    for node in description["layers"]:
        module, state = layer(node, [constants[name] for name in node["constants"]])
        module.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in state.items()}, strict=False)
        parent, parts = net, node["path"].split(".")
        for i, part in enumerate(parts[:-1]):
            if not hasattr(parent, part):
                parent.add_module(part, container(kind, ".".join(parts[: i + 1])))
            parent = getattr(parent, part)
        parent.add_module(parts[-1], module)
    for path in description["residual"]:
        net.get_submodule(path).residual = True
    for module in net.modules():
        if isinstance(module, Inverted) and not hasattr(module, "residual"):
            module.residual = False
    return net.eval()
