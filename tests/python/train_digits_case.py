"""The steps of train_digits_test.py that need torch.

    python train_digits_case.py train|restore WORK_FOLDER
"""
import json
import os
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import lathe.amct_pytorch as amct

# conv1 has one input channel: weights of 4 bits are stored in pairs of channels.
LAYERS = ("conv2", "conv3", "fc1", "fc2")
AXES = {"image": {0: "n"}}


class Net(nn.Module):
    """As mnist_cnn is."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2, self.conv3 = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 16, 3), nn.Conv2d(16, 24, 3)
        self.relu1, self.relu2, self.relu3, self.relu4 = (nn.ReLU() for _ in range(4))
        self.norm1, self.norm2 = nn.BatchNorm2d(24), nn.BatchNorm1d(10)
        self.fc1, self.fc2 = nn.Linear(11616, 32), nn.Linear(32, 10)

    def forward(self, x):
        x = self.relu3(self.conv3(self.relu2(self.conv2(self.relu1(self.conv1(x))))))
        x = self.relu4(self.fc1(self.norm1(x).flatten(1)))
        return functional.log_softmax(self.norm2(self.fc2(x)), 1)


def train(net, images, labels, epochs, rate):
    optimizer = torch.optim.Adam(net.parameters(), rate)
    net.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(50):
            optimizer.zero_grad()
            functional.nll_loss(net(images[batch]), labels[batch]).backward()
            optimizer.step()
    return net.eval()


def answers(net, images, path):
    with torch.no_grad():
        np.save(path, net(images).numpy())


def configure(name, create, change, *data):
    """Writes a configuration, and changes what it says of LAYERS."""
    create(name, *data)
    with open(name) as file:
        config = json.load(file)
    for layer in LAYERS:
        change(config[layer])
    with open(name, "w") as file:
        json.dump(config, file)


def quantize_after_training(net, example, activation_bits, prefix):
    def change(layer):
        layer["weight_quant_params"]["num_bits"] = 4
        layer["activation_quant_params"]["num_bits"] = activation_bits

    configure("ptq.json", amct.create_quant_config, change, net, example)
    model = amct.quantize_model("ptq.json", "ptq_modified.onnx", "ptq_record.txt", net, example, ["image"], None, AXES)
    model(example)
    amct.save_model("ptq_modified.onnx", "ptq_record.txt", prefix)


def quantize_in_training(net, example):
    def change(layer):
        layer["retrain_weight_config"]["dst_type"] = layer["retrain_data_config"]["dst_type"] = "INT4"

    configure("qat.json", amct.create_quant_retrain_config, change, net, example)
    return amct.create_quant_retrain_model("qat.json", net, "qat_record.txt", example)


def finish(model, example, held_out, prefix):
    answers(model, held_out, f"{prefix}_answers.npy")
    amct.save_quant_retrain_model("qat.json", model, f"{prefix}_record.txt", prefix, example, ["image"], None, AXES)


def main(step):
    torch.manual_seed(7)
    torch.set_num_threads(2)
    data = np.load("digits.npz")
    images, labels, held_out = (torch.from_numpy(data[name]) for name in ("images", "labels", "held_out"))
    example = images[:100]
    if step == "restore":
        model = amct.restore_quant_retrain_model("qat.json", Net(), "restored_record.txt", example, "trained.pth", "state_dict")
        finish(model.eval(), example, held_out, "restored")
        return
    seconds, start = {}, time.monotonic()
    net = train(Net(), images, labels, epochs=4, rate=3e-2)
    answers(net, held_out, "float_answers.npy")
    seconds["float training"] = time.monotonic() - start
    quantize_after_training(net, example, 8, "w4a8")
    quantize_after_training(net, example, 4, "w4a4")
    start = time.monotonic()
    model = quantize_in_training(net, example)
    train(model, images, labels, epochs=2, rate=2e-3)
    torch.save({"state_dict": model.state_dict()}, "trained.pth")
    finish(model, example, held_out, "qat")
    seconds["training with quantisers"] = time.monotonic() - start
    with open("seconds.json", "w") as file:
        json.dump(seconds, file)


os.chdir(sys.argv[2])
main(sys.argv[1])
