"""Prunes networks and prints a Markdown table of what that saves, and how long `lathe prune create` takes.

    python run.py [--bin build/bin] [--models ../shared/models] [--rounds 5] [--only NAME...]

Parameters, multiply-adds, size of the file and the time of one float inference (ONNX Runtime, one thread, the shortest
of the rounds, interleaved) before and after. The networks are not trained: only their size counts.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from onnx import shape_inference

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.append(str(HERE.parent / "ptq"))
import make_model  # noqa: E402

RATIOS = (0.3, 0.5)


def checked(command):
    start = time.perf_counter()
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{done.stderr}")
    return time.perf_counter() - start


def shapes_of(model):
    graph = shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim]
        for value in [*graph.input, *graph.output, *graph.value_info]
    }
    return shapes | {tensor.name: list(tensor.dims) for tensor in graph.initializer}


def multiply_adds(model):
    shapes, total = shapes_of(model), 0
    for node in model.graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul"):
            continue
        weight, result = shapes[node.input[1]], shapes[node.output[0]]
        inner = int(np.prod(weight[1:])) if node.op_type == "Conv" else int(np.prod(weight)) // result[-1]
        total += int(np.prod(result)) * inner
    return total


def parameters(model):
    return sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)


class Runner:
    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        random = np.random.default_rng(0)
        self.feeds = {
            each.name: random.normal(size=[d if isinstance(d, int) else 1 for d in each.shape]).astype(np.float32)
            for each in self.session.get_inputs()
        }
        self.best = float("inf")
        self.session.run(None, self.feeds)

    def measure(self):
        start = time.perf_counter()
        self.session.run(None, self.feeds)
        self.best = min(self.best, time.perf_counter() - start)


def networks(models, folder):
    resnet = folder / "resnet50.onnx"
    make_model.make("resnet50", resnet)
    return {
        "mobilefacenet": models / "mobilefacenet" / "MobileFaceNet.onnx",
        "squeezenet1.1": models / "squeezenet1.1" / "SqueezeNet_fp32_from_fp16.onnx",
        "ResNet-50": resnet,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "bin")
    parser.add_argument("--models", type=pathlib.Path, default=ROOT.parent / "shared" / "models")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+")
    arguments = parser.parse_args()
    lathe = arguments.bin / "lathe"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        print("| network | pruned | parameters | multiply-adds | file | inference | create / read and write |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
        for network, path in networks(arguments.models, folder).items():
            if arguments.only and network not in arguments.only:
                continue
            copied = folder / "copied.onnx"
            copy = min(checked([lathe, "opt", path, "-o", copied, "--passes", ""]) for _ in range(3))
            # With constants frozen and folded, as pruning leaves them too.
            prepared = folder / "prepared.onnx"
            checked([lathe, "opt", path, "-o", prepared, "--passes", "prepare"])
            rows = [("", prepared, None)]
            for ratio in RATIOS:
                cfg, pruned = folder / "prune.cfg", folder / f"pruned{ratio}.onnx"
                cfg.write_text(
                    "prune_config { filter_pruner { balanced_l2_norm_filter_prune "
                    f"{{ prune_ratio: {ratio} ascend_optimized: true }} }} }}"
                )
                command = [lathe, "prune", "create", path, "--cfg", cfg, "--record", folder / "r.txt", "-o", pruned]
                create = min(checked([*command, "--reach", "full"]) for _ in range(3))
                rows.append((f"{ratio:.0%}", pruned, create / copy))
            runners = [Runner(path) for _, path, _ in rows]
            for _ in range(arguments.rounds):
                for runner in runners:
                    runner.measure()
            for (pruned, path, factor), runner in zip(rows, runners):
                model = onnx.load(path)
                print(
                    f"| {network} | {pruned or '-'} | {parameters(model) / 1e6:.2f} M | {multiply_adds(model) / 1e6:.0f} M "
                    f"| {path.stat().st_size / 1e6:.1f} MB | {runner.best * 1e3:.1f} ms | {f'{factor:.1f}' if factor else '-'} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
