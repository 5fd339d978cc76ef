"""The harness finds what it is there to find: a stand-in for `lathe opt` that spoils a model in a known way.

    python harness_test.py LATHE SOURCE_FOLDER WORK_FOLDER      (LATHE is not used)
"""
import pathlib
import shutil
import sys
import unittest

import numpy as np
import onnx
from builder import Graph, feed_of
from harness import Harness, arguments, compare, refines
from onnx import TensorProto, helper

OPTIONS = arguments(__doc__)
WORK = pathlib.Path(OPTIONS.work)

STAND_IN = '''#!{python}
import sys, onnx
_, _, threads, _, path, _, output, _, way = sys.argv
model = onnx.load(path)
graph = model.graph
weights = {{each.name: each for each in graph.initializer}}

def scale(name, factor):
    array = onnx.numpy_helper.to_array(weights[name]) * factor
    weights[name].CopyFrom(onnx.numpy_helper.from_array(array.astype("f4"), name))

if way == "rounds": scale("w", 1 + 1e-7)
if way == "off": scale("w", 1 + 1e-4)
if way == "nan": scale("w", float("nan"))
if way == "integer": weights["i"].CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weights["i"]) + 1, "i"))
if way == "output": graph.output[0].name = graph.node[0].output[0] = "other"
if way == "input": graph.input.pop()
if way == "type": graph.output[0].type.tensor_type.shape.dim[0].dim_value = 7
if way == "forgets": graph.output[0].type.tensor_type.ClearField("shape")
if way == "threads": model.doc_string = threads
if way == "again": model.doc_string += "again"
if way == "dangling": graph.node[0].input[0] = "nowhere"
if way == "input file": open(path, "ab").write(onnx.ModelProto(doc_string="!").SerializeToString())
if way == "fails": sys.exit("lathe: error: no")
if way != "no file": onnx.save(model, output)
'''


class TheHarness(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        cls.program = WORK / "stand_in"
        cls.program.write_text(STAND_IN.format(python=sys.executable))
        cls.program.chmod(0o755)
        graph = Graph(17)
        x, n = graph.input("x", ["N", 4]), graph.input("n", ["N"], np.int64)
        graph.const(np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32), "w")
        graph.const(np.array(3, np.int64), "i")
        graph.output(graph.op("MatMul", [x, "w"], name="y"), ["N", 4])
        graph.output(graph.op("Add", [n, "i"], name="z"), ["N"], np.int64)
        cls.model = graph.model()
        cls.feeds = [feed_of(cls.model, 1, N=2)]

    def problems(self, way):
        path = WORK / "net.onnx"
        onnx.save(self.model, path)
        return Harness(self.program, WORK, way).check(path, self.feeds).problems

    def test_nothing_is_wrong(self):
        self.assertEqual(self.problems("copy"), [])
        # Rounding is allowed; that it goes on in a second run is not.
        self.assertEqual(self.problems("rounds"), ["the second run changes the result of the first"])

    def test_what_is_wrong(self):
        for way, *wanted in (
            ("off", "run 0, output 'y': 80.0 dB, want 100.0"),
            ("nan", "run 0, output 'y': infinities or NaN in other places"),
            ("integer", "run 0, output 'z': 2 of 2 elements differ"),
            ("output", "outputs are ['other', 'z'], were ['y', 'z']"),
            ("input", "inputs are ['x'], were ['x', 'n']", "onnx's checker refuses it: ", "does not load it any more: "),
            ("type", "output 'y' has the type "),
            ("forgets", "output 'y' has the type "),
            ("threads", "with 2 threads: other bytes", "with 8 threads: other bytes"),
            ("again", "the second run changes the result of the first"),
            ("dangling", "onnx's checker refuses it: ", "ONNX Runtime does not load it any more: "),
            ("input file", "the input file was changed"),
            ("fails", "lathe opt: exit status 1: lathe: error: no"),
            ("no file", "lathe opt: exit status 0: no output file"),
        ):
            with self.subTest(way):
                found = self.problems(way)
                for text in wanted:
                    self.assertTrue(any(text in problem for problem in found), found)

    def test_compare(self):
        def agree(want, got):
            return compare(want, got)[1] is None

        def halves(*numbers):
            return np.array(numbers, np.float16)

        self.assertTrue(agree(np.array([np.nan, np.inf, 1.0]), np.array([np.nan, np.inf, 1.0])))
        self.assertFalse(agree(np.array([np.inf]), np.array([-np.inf])))
        self.assertFalse(agree(np.array([1.0]), np.array([np.nan])))
        self.assertFalse(agree(np.zeros(2), np.array([0, 1e-30])))
        self.assertFalse(agree(np.zeros(2), np.zeros((1, 2))))
        self.assertFalse(agree(np.zeros(2, np.float32), np.zeros(2)))
        self.assertTrue(agree(halves(1, 2), halves(1, 2.002)))
        self.assertFalse(agree(halves(1, 2), halves(1, 2.1)))
        self.assertTrue(agree([np.ones(1), np.ones(2)], [np.ones(1), np.ones(2)]))
        self.assertFalse(agree([np.ones(1)], [np.ones(1), np.ones(2)]))
        self.assertFalse(agree([np.ones(1), np.ones(2)], [np.ones(1), np.zeros(2)]))
        self.assertTrue(agree(None, None))
        self.assertFalse(agree(None, np.ones(1)))
        self.assertTrue(agree(np.array(["a"], object), np.array(["a"], object)))
        self.assertFalse(agree(np.array(["a"], object), np.array(["b"], object)))

    def test_refines(self):
        def tensor(shape, kind=TensorProto.FLOAT):
            return helper.make_tensor_type_proto(kind, shape)

        for was, now, fine in (
            (tensor(["N", 2]), tensor(["N", 2]), True),
            (tensor([None, 2]), tensor(["N", 2]), True),
            (tensor(None), tensor([3]), True),
            (tensor(["N"]), tensor([3]), False),
            (tensor(["N"]), tensor([None]), False),
            (tensor([3]), tensor(None), False),
            (tensor([3]), tensor([3, 1]), False),
            (tensor([3]), tensor([3], TensorProto.INT64), False),
            (helper.make_sequence_type_proto(tensor(None)), helper.make_sequence_type_proto(tensor([2])), True),
            (helper.make_sequence_type_proto(tensor([2])), helper.make_sequence_type_proto(tensor([3])), False),
            (helper.make_sequence_type_proto(tensor([2])), tensor([2]), False),
        ):
            self.assertEqual(refines(was, now), fine, f"{was} {now}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
