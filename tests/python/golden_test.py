"""The golden cases of post-training quantisation through lathe.amct_pytorch, from torch modules to the saved models.

    python golden_test.py SOURCE_FOLDER WORK_FOLDER

The modules are built from the cases' float models. Without the golden folder or a Python that has torch (with_torch.py)
the test ends with status 77: skipped.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import unittest

import numpy as np
import onnx
import with_torch
from onnx import helper, numpy_helper

SOURCE, WORK = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
HERE = pathlib.Path(__file__).parent
GOLDEN = with_torch.shared(SOURCE) / "golden"


def describe(model, kind):
    """Layers with what a module needs to be one: (description, constants)."""
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    constants |= {node.output[0]: numpy_helper.to_array(node.attribute[0].t) for node in graph.node if node.op_type == "Constant"}
    producers = {name: node for node in graph.node for name in node.output}
    rank = len(graph.input[0].type.tensor_type.shape.dim)
    layers, seen, residual = [], set(), []
    for node in graph.node:
        if node.op_type == "Add" and node.name.count("/") == 2 and "sub_module" not in node.name:
            residual.append(node.name.split("/")[1])
        if node.name.startswith("/") or node.op_type == "Pad":
            continue
        inputs = [name for name in node.input[1:] if name in constants and node.op_type != "Clip"]
        path = next((name.split(".sub_module.")[0] for name in inputs if ".sub_module." in name), node.name)
        if path in seen:
            continue
        seen.add(path)
        adds = [each for each in graph.node if each.name == f"/{path}/sub_module/Add"]
        inputs += [adds[0].input[0]] if adds else []
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute if each.type != each.STRING}
        pads = producers.get(node.input[0])
        padding = constants[pads.input[1]].tolist()[2:4] if pads is not None and pads.op_type == "Pad" else 0
        layers.append({"path": path, "op": node.op_type, "attributes": attributes, "constants": inputs,
                       "padding": padding, "rank": rank})  # fmt: skip
    used = {name: constants[name] for each in layers for name in each["constants"]}
    description = {
        "kind": kind,
        "layers": layers,
        "residual": residual if kind == "mobilenet" else [],
        "inputs": [each.name for each in graph.input],
        "outputs": [each.name for each in graph.output],
        "free": bool(graph.input[0].type.tensor_type.shape.dim[0].dim_param),
    }
    return description, used


class Golden(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.rmtree(WORK, ignore_errors=True)
        cls.cases = sorted(path.name for path in GOLDEN.glob("ptq_*"))
        for case in cls.cases:
            (WORK / case).mkdir(parents=True)
            description, constants = describe(onnx.load(GOLDEN / case / "original.onnx"), case.split("_")[1])
            (WORK / case / "net.json").write_text(json.dumps(description))
            np.savez(WORK / case / "net.npz", **constants)
        done = with_torch.run(HERE / "golden_case.py", WORK, GOLDEN, *cls.cases)
        assert done.returncode == 0, done.stderr

    def same(self, case, kind, name, got, *limit):
        command = [sys.executable, GOLDEN / "compare.py", kind, GOLDEN / case / name, WORK / case / got, *limit]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, f"{kind} {name}\n{done.stdout}{done.stderr}")

    def test_cases(self):
        self.assertGreaterEqual(len(self.cases), 20)
        for case in self.cases:
            with self.subTest(case):
                error = WORK / case / "error.txt"
                self.assertFalse(error.exists(), error.read_text() if error.exists() else "")
                config = (GOLDEN / case / "config.json").read_bytes()
                self.assertEqual((WORK / case / "config.json").read_bytes(), config)
                if (GOLDEN / case / "record_balance.txt").exists():
                    self.same(case, "record", "record_balance.txt", "record_balance.txt")
                self.same(case, "model", "modified.onnx", "modified.onnx", 1e-6)
                self.same(case, "record", "record.txt", "record.txt")
                # Scales that differ in their last bits are other dequant words, so deploy models are compared from one
                # record.
                self.same(case, "model", "fake_quant_model.onnx", "net_fake_quant_model.onnx", 1e-4)
                for name in ("deploy_model.onnx", "fake_quant_model.onnx"):
                    self.same(case, "model", name, f"golden_{name}")


if __name__ == "__main__":
    with_torch.skip_unless(GOLDEN.is_dir(), f"{GOLDEN} is missing")
    with_torch.skip_without_torch()
    unittest.main(argv=sys.argv[:1])
