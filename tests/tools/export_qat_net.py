"""One process of PyTorch: trains torch.ao's fake quantisers for a moment and exports the net.

    python export_qat_net.py OUT.onnx fbgemm|qnnpack [--fused]
"""
import sys
import warnings

import torch
from torch import nn
from torch.ao import quantization

warnings.filterwarnings("ignore")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.relu = nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()
        self.depthwise, self.norm2 = nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False), nn.BatchNorm2d(16)
        self.sum, self.relu2, self.pool = nn.quantized.FloatFunctional(), nn.ReLU(), nn.MaxPool2d(3)
        self.last, self.fc = nn.Conv2d(16, 8, 1), nn.Linear(8 * 9 * 9, 10)
        self.quant = quantization.QuantStub()

    def forward(self, x):
        x = self.relu(self.norm(self.conv(self.quant(x))))
        x = self.relu2(self.sum.add(x, self.norm2(self.depthwise(x))))
        return self.fc(torch.flatten(self.last(self.pool(x)), 1))


def main():
    path, backend = sys.argv[1:3]
    torch.manual_seed(0)
    net = Net().train()
    if "--fused" in sys.argv:
        quantization.fuse_modules_qat(net, [["conv", "norm", "relu"], ["depthwise", "norm2"]], inplace=True)
    # Version 0 has the fake quantisers that can be exported.
    net.qconfig = quantization.get_default_qat_qconfig(backend, version=0)
    quantization.prepare_qat(net, inplace=True)
    for _ in range(3):
        net(torch.randn(8, 3, 27, 27))
    net.eval().apply(quantization.disable_observer)
    free = {"x": {0: "n"}, "y": {0: "n"}}
    torch.onnx.export(net, torch.randn(1, 3, 27, 27), path, opset_version=13, input_names=["x"], output_names=["y"], dynamic_axes=free)


if __name__ == "__main__":
    main()
