"""What the tests of quantisation-aware training share: a network, data, a few steps, a folder for each test.

    python retrain_..._test.py WORK_FOLDER        PYTHONPATH names the folder that holds the package; needs torch
"""
import json
import os
import pathlib
import shutil
import sys
import unittest

import torch
from torch import nn

import lathe.amct_pytorch as amct

WORK = pathlib.Path(sys.argv[1]).resolve()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(8, 8, 3, bias=False)
        self.down = nn.Conv2d(8, 8, 3)
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        return self.fc((self.conv2(x) + self.down(x)).mean((2, 3)))


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2, self.bn = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x):
        return self.bn(self.conv2(self.bn(self.conv1(x))))


def batches(count, size=4):
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(size, 3, 8, 8, generator=generator) for _ in range(count)]


def train(model, steps=3, rate=0.05):
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), rate)
    for batch in batches(steps):
        optimizer.zero_grad()
        model(batch).square().mean().backward()
        optimizer.step()
    return model


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = WORK / self.id().split(".")[-1]
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        os.chdir(self.folder)
        torch.manual_seed(5)
        self.net = Net()
        self.data = batches(1)[0]

    def config(self, cfg=None, **changes):
        """Writes it; changes are of layers or of global keys."""
        if cfg is not None:
            pathlib.Path("retrain.cfg").write_text(cfg)
        amct.create_quant_retrain_config("config.json", self.net, self.data, cfg and "retrain.cfg")
        config = json.loads(pathlib.Path("config.json").read_text())
        if changes:
            config.update(changes)
            pathlib.Path("config.json").write_text(json.dumps(config))
        return config

    def create(self):
        return amct.create_quant_retrain_model("config.json", self.net, "record.txt", self.data)

    def near(self, got, answers, what):
        """What the saved model computes is what was trained, but for values on the edge of a step."""
        answers = answers.detach().numpy()
        error = ((got - answers) ** 2).sum() / (answers**2).sum()
        self.assertLess(error, 1e-3, what)

    def raises(self, kind, text, call, *arguments, **keywords):
        with self.assertRaises(kind) as caught:
            call(*arguments, **keywords)
        self.assertEqual(str(caught.exception), text)
        return caught.exception
