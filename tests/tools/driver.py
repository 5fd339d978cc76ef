"""What the tests of the driver that are written in Python share: running it, small nets, and what an error looks like.

A test script is called as `python X_test.py LATHE WORK_FOLDER`.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import unittest

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LATHE, WORK = str(pathlib.Path(sys.argv[1]).absolute()), pathlib.Path(sys.argv[2])
RESULTS = ["net_config.json", "net_deploy_model.onnx", "net_fake_quant_model.onnx", "net_record.txt"]


def random(*shape, seed=0, kind=np.float32):
    return np.random.default_rng(seed).normal(size=shape).astype(kind)


def save_net(path, nodes, weights, inputs, outputs, opset=13):
    """Writes a net; `inputs` and `outputs` are {name: shape}, all f32."""
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in each.items()]
        for each in (inputs, outputs)
    ]
    graph = helper.make_graph(nodes, "net", *ends, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def save_conv_net(path, batch="batch", size=8, first=None, last=None):
    """x[batch,3,size,size] -> conv1 -> relu -> conv2 -> global average -> y[batch,4]; `first`, `last`: the weights."""
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], "conv1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"], "relu"),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], "conv2"),
        helper.make_node("GlobalAveragePool", ["c2"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["y"], "flatten"),
    ]
    weights = {"w1": random(8, 3, 3, 3), "b1": random(8), "w2": random(4, 8, 1, 1)}
    weights |= {name: array for name, array in (("w1", first), ("w2", last)) if array is not None}
    save_net(path, nodes, weights, {"x": [batch, 3, size, size]}, {"y": [batch, 4]})


class DriverTest(unittest.TestCase):
    """Each test runs in an empty folder of its own, self.folder."""

    def setUp(self):
        self.folder = WORK / self.id().replace("__main__.", "")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def save(self, name, array):
        np.save(self.folder / name, array)
        return name

    def command(self, *arguments):
        return [LATHE, *map(str, arguments)]

    def lathe(self, *arguments, **options):
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, cwd=self.folder, **options)

    def done(self, *arguments, **options):
        """Standard output of a command that must work."""
        done = self.lathe(*arguments, **options)
        self.assertEqual(done.returncode, 0, f"lathe {' '.join(map(str, arguments))}\n{done.stderr}")
        return done.stdout

    def summary(self, *arguments):
        return json.loads(self.done("--json", *arguments))

    def refused(self, error, *arguments, status=1, **options):
        """The command says exactly this one line, besides progress, and changes nothing in the folder."""
        before = self.files()
        done = self.lathe(*arguments, **options)
        lines = [line for line in done.stderr.splitlines() if not line.startswith(("calibrating", "measuring", "comparing", "searching"))]
        self.assertEqual(lines, [f"lathe: error: {error}"])
        self.assertEqual(done.returncode, status)
        self.assertEqual(done.stdout, "")
        self.assertEqual(self.files(), before)
        return done

    def files(self):
        return {
            str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()
        }


def main():
    # `python X_test.py LATHE WORK_FOLDER [-v] [TEST]...`
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
