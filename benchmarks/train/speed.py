"""How fast a network trains with the quantisers of lathe.amct_pytorch, and with those of torch.ao.quantization.

    python benchmarks/train/speed.py [--steps 8] [--rounds 3] [--size 64] [--batch 16]

Interleaved rounds; the shortest step of each counts. PYTHONPATH names the folder that holds the package lathe.
"""
import argparse
import os
import tempfile
import time
import warnings

import torch
from resnet import ResNet
from torch.ao.quantization import get_default_qat_qconfig_mapping
from torch.ao.quantization.quantize_fx import prepare_qat_fx
from torch.nn import functional

import lathe.amct_pytorch as amct


def ours(net, data):
    with tempfile.TemporaryDirectory() as folder:
        config, record = os.path.join(folder, "config.json"), os.path.join(folder, "record.txt")
        amct.create_quant_retrain_config(config, net, data)
        return amct.create_quant_retrain_model(config, net, record, data)


def torchs(net, data):
    return prepare_qat_fx(net.train(), get_default_qat_qconfig_mapping("fbgemm"), (data,))


def steps(net, data, labels, count):
    optimizer = torch.optim.SGD(net.parameters(), 1e-3)
    shortest = float("inf")
    for _ in range(count):
        start = time.perf_counter()
        optimizer.zero_grad()
        functional.cross_entropy(net(data), labels).backward()
        optimizer.step()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("--steps", 8), ("--rounds", 3), ("--size", 64), ("--batch", 16), ("--threads", 2)):
        parser.add_argument(name, type=int, default=default)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    data, labels = torch.randn(options.batch, 3, options.size, options.size), torch.randint(0, 100, (options.batch,))
    make = lambda: ResNet((1, 1, 1, 1), 64, 100)
    nets = {"float": make().train(), "lathe.amct_pytorch": ours(make(), data).train(),
            "torch.ao.quantization": torchs(make(), data)}  # fmt: skip
    shortest = dict.fromkeys(nets, float("inf"))
    for _ in range(options.rounds):
        for name, net in nets.items():
            shortest[name] = min(shortest[name], steps(net, data, labels, options.steps))
    print(f"torch {torch.__version__}, {options.threads} threads, batch {options.batch} of {options.size}x{options.size}")
    print("| | step | speed / torch.ao.quantization |\n| --- | ---: | ---: |")
    for name, seconds in shortest.items():
        print(f"| {name} | {seconds * 1e3:.1f} ms | {shortest['torch.ao.quantization'] / seconds:.2f} |")


main()
