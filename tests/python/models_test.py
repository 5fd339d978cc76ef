"""Models, the names of layers in exported graphs, and passes."""
import json
import logging
import sys
import unittest

import ml_dtypes
import nets
import numpy as np
import onnx
from case import Case, driver
from onnx import helper, numpy_helper

import lathe


class Models(Case):
    def test_load_and_save(self):
        model = lathe.load(self.net)
        self.assertEqual(model.path, str(self.net))
        self.assertEqual([(each.name, each.element_type, each.shape) for each in model.inputs],
                         [("x", "f32", ("N", 3, 8, 8))])  # fmt: skip
        self.assertEqual([each.name for each in model.outputs], ["y"])
        self.assertEqual(model.opsets, {"ai.onnx": 13})
        self.assertEqual([(each.name, each.op) for each in model.nodes][:2], [("conv1", "Conv"), ("relu", "Relu")])
        self.assertEqual(model.nodes[0].inputs, ["x", "conv1.weight", "conv1.bias"])
        model.verify()
        model.save(self.folder / "saved.onnx")
        self.assertEqual((self.folder / "saved.onnx").read_bytes(), model.to_bytes())
        self.assertEqual(lathe.load_bytes(model.to_bytes()).text("exact"), model.text("exact"))
        self.assertEqual(lathe.parse(model.text("exact")).to_bytes(), model.to_bytes())
        self.assertIn('name "conv1"', str(model))

    def test_inspect_is_the_drivers(self):
        told = json.loads(driver("inspect", self.net, "--json"))
        for key, value in lathe.load(self.net).inspect().items():
            self.assertEqual(value, told[key], key)

    def test_errors(self):
        error = self.raises("/no/such.onnx: cannot open: No such file or directory", lathe.load, "/no/such.onnx")
        self.assertEqual((error.file, error.message), ("/no/such.onnx", "cannot open: No such file or directory"))
        self.assertIsNone(error.node)
        model = lathe.load(self.net)
        error = self.raises("the model has no initializer 'conv1.weigth' (did you mean 'conv1.weight' or 'conv2.weight'?)",
                            model.initializer, "conv1.weigth")  # fmt: skip
        self.assertEqual(error.hint, "did you mean 'conv1.weight' or 'conv2.weight'?")
        self.raises("weights is 'all': give 'elided', 'exact' or 'file'", model.text, "all")
        broken = nets.small_net()
        broken.graph.node[0].ClearField("input")
        nets.save(broken, self.net)
        with self.assertRaises(lathe.Error) as caught:
            lathe.load(self.net).verify()
        self.assertEqual(caught.exception.node, "conv1")
        self.assertEqual(caught.exception.file, str(self.net))

    def test_every_element_type(self):
        types = [np.float32, np.float16, np.float64, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16,
                 np.uint32, np.uint64, np.bool_, np.complex64, np.complex128, ml_dtypes.bfloat16,
                 ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e4m3fnuz, ml_dtypes.float8_e5m2,
                 ml_dtypes.float8_e5m2fnuz, ml_dtypes.int4, ml_dtypes.uint4,
                 ml_dtypes.float4_e2m1fn, ml_dtypes.int2, ml_dtypes.uint2]  # fmt: skip
        arrays = {np.dtype(each).name: np.array([[1, 0, 1], [0, 1, 1]]).astype(each) for each in types}
        arrays["int4"] = np.array([[-8, 7, -1], [1, 0, 3]]).astype(ml_dtypes.int4)
        arrays["float8_e8m0fnu"] = np.array([0.5, 1, 4]).astype(ml_dtypes.float8_e8m0fnu)
        arrays["empty"] = np.zeros((0, 3), np.float32)
        arrays["scalar"] = np.array(3.5, np.float64)
        arrays["text"] = np.array([["ä", "b"]], object)
        model = nets.small_net()
        model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
        nets.save(model, self.net)
        loaded = lathe.load(self.net)
        for name, array in arrays.items():
            got = loaded.initializer(name)
            self.assertEqual((got.dtype, got.shape), (array.dtype, array.shape), name)
            self.assertTrue(np.array_equal(got, array), name)

    def test_changes_and_clones(self):
        model = lathe.load(self.net)
        clone = model.clone()
        report = lathe.opt(clone, "fuse-conv-bn,canonicalize", verify_each=True)
        self.assertTrue(report.changed)
        self.assertEqual(report.passes[0].pass_name, "fuse-conv-bn")
        self.assertEqual(report.passes[0].remarks[0].kind, "applied")
        self.assertNotIn("BatchNormalization", clone.inspect()["operators"])
        self.assertIn("BatchNormalization", model.inspect()["operators"])
        driver("opt", self.net, "-o", self.folder / "opt.onnx", "--passes", "fuse-conv-bn,canonicalize")
        self.assertEqual((self.folder / "opt.onnx").read_bytes(), clone.to_bytes())


class LayerNames(Case):
    """Marks as lathe.amct_pytorch leaves them in exported graphs (name_layers.h)."""

    def names(self, *chains):
        """Each chain is a mark's path and type, then operators. Returns the names of the nodes that are left."""
        nodes, value = [], "x"
        for path, kind, *operators in chains:
            nodes.append(helper.make_node("Layer", [value], [f"m{len(nodes)}"], f"mark{len(nodes) + 1}",
                                          domain="lathe.torch", type=kind))  # fmt: skip
            # `name` of make_node is the node's own.
            nodes[-1].attribute.append(helper.make_attribute("name", path))
            value = nodes[-1].output[0]
            for operator in operators:
                nodes.append(helper.make_node(operator, [value], [f"v{len(nodes)}"], f"/node{len(nodes)}"))
                value = nodes[-1].output[0]
        graph = helper.make_graph(nodes, "net", [helper.make_tensor_value_info("x", 1, ["N"])],
                                  [helper.make_tensor_value_info(value, 1, None)])  # fmt: skip
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid("lathe.torch", 1)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(self.net))
        model = lathe.load(self.net)
        lathe._core._name_layers(model)
        self.assertEqual(set(model.opsets), {"ai.onnx"})
        return [each.name for each in model.nodes]

    def test_names(self):
        self.assertEqual(self.names(("conv", "Conv2d", "Conv"), ("act", "ReLU", "Relu")), ["conv", "act"])
        self.assertEqual(self.names(("p", "AvgPool2d", "Pad", "AveragePool")), ["p_pad", "p"])
        self.assertEqual(self.names(("l", "Linear", "Transpose", "MatMul", "Add")), ["l_transpose", "l", "/node3"])
        self.assertEqual(self.names(("r", "LSTM", "Transpose", "LSTM")), ["/node1", "r"])
        self.assertEqual(self.names(("c", "Conv1d", "Unsqueeze", "Conv", "Squeeze")), ["/node1", "c", "/node3"])
        self.assertEqual(self.names(("c", "Conv2d", "Conv"), ("c", "Conv2d", "Conv")), ["c", "c1"])
        # What is no such operator takes the name all the same, and a later module's node does not.
        self.assertEqual(self.names(("s", "Softmax", "Exp"), ("t", "Softmax", "Softmax")), ["s", "t"])

    def test_errors(self):
        error = self.raises("node 'mark1': is a mark of a layer without its path and type", self.names, ("", "ReLU", "Relu"))
        self.assertEqual(error.node, "mark1")


class Passes(Case):
    def test_lists_are_the_drivers(self):
        told = json.loads(driver("passes", "--json"))
        self.assertEqual([each.name for each in lathe.passes()], [each["name"] for each in told["passes"]])
        self.assertEqual([each.text for each in lathe.pipelines()], [each["text"] for each in told["pipelines"]])
        fuse = next(each for each in lathe.passes() if each.name == "fuse-conv-bn")
        self.assertEqual({each.name: each.default for each in fuse.options}["skip"], [])
        self.assertIn("BatchNormalization", fuse.summary + fuse.description)

    def test_errors(self):
        model = lathe.load(self.net)
        self.raises("pipeline, column 1: there is no pass or pipeline 'fuse-conv-bm'; did you mean 'fuse-conv-bn'?",
                    lathe.opt, model, "fuse-conv-bm")  # fmt: skip
        with self.assertRaises(lathe.Error) as caught:
            lathe.opt(model, "lower-to-deploy")
        self.assertIn("needs the fact 'ascend-lowered'", str(caught.exception))

    def test_remarks_go_to_the_logger(self):
        with self.assertLogs("lathe", logging.DEBUG) as log:
            lathe.opt(lathe.load(self.net), "fuse-conv-bn")
        applied = [each for each in log.records if each.getMessage().startswith("fuse-conv-bn: applied: ")]
        self.assertEqual([each.levelno for each in applied], [logging.DEBUG])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
