"""Clean-up of broken files is one clear error that leaves no file; of files made to explode it is quick and small; of
nets that contradict themselves it does not crash.

    python bad_files_test.py LATHE SOURCE_FOLDER WORK_FOLDER [--passes PIPELINE]
"""
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import unittest

import numpy as np
import onnx
from builder import Graph
from harness import arguments
from onnx import TensorProto, helper, numpy_helper

OPTIONS = arguments(__doc__, "mebibyte_limit")
WORK = pathlib.Path(OPTIONS.work)
SECONDS = 20  # of CPU: how long that is on a busy machine says nothing
KIBIBYTES = int(OPTIONS.mebibyte_limit) * 1024  # more than a sound file needs
F32, I64 = np.float32, np.int64


def limit_time():
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


class Done:
    """What `lathe opt` did to a file."""

    def __init__(self, name, content):
        self.model, self.output = WORK / f"{name}.onnx", WORK / f"{name}.out.onnx"
        self.model.write_bytes(content)
        self.output.unlink(missing_ok=True)
        errors = WORK / f"{name}.stderr"
        command = [OPTIONS.lathe, "opt", self.model, "-o", self.output, "--passes", OPTIONS.passes]
        with errors.open("wb") as stderr:
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr, preexec_fn=limit_time)
            _, status, usage = os.wait4(child.pid, 0)
        child.returncode = self.status = os.waitstatus_to_exitcode(status)
        self.kibibytes = usage.ru_maxrss
        self.errors = errors.read_text().splitlines()


def graph(fill, **opset):
    """The bytes of a net with an input x [N, 4] of floats; `fill` gives the name of its output."""
    net = Graph(**opset)
    x = net.input("x", ["N", 4])
    net.output(fill(net, x), None)
    return net.model().SerializeToString()


def ints(net, *numbers):
    return net.const(np.array(numbers, I64))


def fill_of(net, *shape):
    return net.op("ConstantOfShape", [ints(net, *shape)], value=numpy_helper.from_array(np.ones(1, F32)))


def doubling(net, x):
    y = net.const(np.ones(2, F32))
    for _ in range(40):
        y = net.op("Concat", [y, y], axis=0)
    return net.op("Add", [net.op("ReduceMean", [y], keepdims=1), x])


def endless_loop(net, x):
    body = net.body()
    _, condition, state = body.input("i", [], I64), body.input("c", [], bool), body.input("s", [])
    body.output(body.op("Identity", [condition]), [], bool)
    body.output(body.op("Add", [state, body.const(F32(1))]), [])
    start = [net.const(np.array(2**62, I64)), None, net.const(F32(0))]
    return net.op("Add", [net.op("Loop", start, body=body.graph("body")), x])


# Constants that grow: what can be computed without the input, and must not be.
BOMBS = {
    "fill": lambda n, x: n.op("Add", [n.op("ReduceMean", [fill_of(n, 1 << 34)]), x]),
    "fill_negative": lambda n, x: n.op("Add", [n.op("ReduceMean", [fill_of(n, -(1 << 34))]), x]),
    "fill_overflow": lambda n, x: n.op("Add", [n.op("ReduceMean", [fill_of(n, 1 << 32, 1 << 32, 4)]), x]),
    "fill_64_dimensions": lambda n, x: n.op("Add", [n.op("ReduceMean", [fill_of(n, *[2] * 64)]), x]),
    "expand": lambda n, x: n.op("Add", [n.op("ReduceMax", [n.op("Expand", [n.const(F32(1)), ints(n, 1 << 17, 1 << 17)])]), x]),
    "tile": lambda n, x: n.op("Add", [n.op("ReduceSum", [n.op("Tile", [n.const(np.ones(3, F32)), ints(n, 1 << 33)])]), x]),
    "range": lambda n, x: n.op("Add", [n.op("Cast", [n.op("ReduceMax", [n.op("Range", [
        n.const(np.array(each, I64)) for each in (0, 1 << 40, 1)])])], to=TensorProto.FLOAT), x]),
    "pad": lambda n, x: n.op("Add", [n.op("ReduceMax", [n.op("Pad", [n.const(np.ones(3, F32)), ints(n, 1 << 33, 0)])]), x]),
    "outer": lambda n, x: n.op("Add", [n.op("ReduceMax", [n.op("MatMul", [fill_of(n, 1 << 16, 1), fill_of(n, 1, 1 << 16)])]), x]),
    "broadcast": lambda n, x: n.op("Add", [n.op("ReduceMax", [n.op("Mul", [fill_of(n, 1 << 16, 1), fill_of(n, 1, 1 << 16)])]), x]),
    "where": lambda n, x: n.op("Add", [n.op("ReduceMax", [n.op("Where", [
        n.const(np.array(True)), fill_of(n, 1 << 16, 1), fill_of(n, 1, 1 << 16)])]), x]),
    "gather": lambda n, x: n.op("Add", [n.op("ReduceMax", [n.op("Gather", [
        n.const(np.ones((1, 1 << 14), F32)), n.op("ConstantOfShape", [ints(n, 1 << 20)])])]), x]),
    "many_large": lambda n, x: n.op("Sum", [x, *(n.op("ReduceMax", [fill_of(n, 1 << 22)]) for _ in range(100))]),
    "many_fills": lambda n, x: n.op("Concat", [n.op("Add", [fill_of(n, 60000 - i, 1), x]) for i in range(100)], axis=0),
    "doubling": doubling,
    "endless_loop": endless_loop,
}  # fmt: skip


def small_bomb():
    """64 GB of floats in less than 100 bytes: y = ConstantOfShape([2**34])."""
    shape = helper.make_tensor("s", TensorProto.INT64, [1], [1 << 34])
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    made = helper.make_graph([helper.make_node("ConstantOfShape", ["s"], ["y"])], "g", [], [output], [shape])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 9)], ir_version=4).SerializeToString()


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs, outputs, f"the {op}", **attributes)


def raw(nodes, inputs=("x",), outputs=("y",), initializers=(), functions=(), opset=17):
    values = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in names] for names in (inputs, outputs)]
    made = helper.make_graph(nodes, "net", *values, initializers)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("our", 1)]
    return helper.make_model(made, opset_imports=opsets, functions=functions, ir_version=8).SerializeToString()


def function(name, nodes):
    return helper.make_function("our", name, ["x"], ["y"], nodes, [helper.make_opsetid("", 17), helper.make_opsetid("our", 1)])


def body(nodes, outputs=("b",)):
    return helper.make_graph(nodes, "body", [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs])


def short_data(name="w"):
    tensor = numpy_helper.from_array(np.ones(4, F32), name)
    tensor.dims[0] = 1 << 40
    return tensor


SOUND = raw([node("Relu", ["x"], ["y"])])

# What no reader may take: bytes, and words of the error.
BROKEN = {
    "empty": (b"", "no graph"),
    "text": (b"not a network\n" * 10, ""),
    "cut": (SOUND[: len(SOUND) // 2], ""),
    "says_more_than_it_holds": (raw([node("Add", ["x", "w"], ["y"])], initializers=[short_data()]), "'w'"),
    "dangling": (raw([node("Add", ["x", "nowhere"], ["y"])]), "'nowhere'"),
    "dangling_output": (raw([node("Relu", ["x"], ["z"])]), "'y'"),
    "cycle": (raw([node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])]), "'b'"),
    "self_cycle": (raw([node("Add", ["x", "y"], ["y"])]), "'y'"),
    "made_twice": (raw([node("Relu", ["x"], ["y"]), node("Abs", ["x"], ["y"])]), "'y'"),
    "dangling_in_a_body": (raw([node("If", ["c"], ["y"], then_branch=body([node("Relu", ["nowhere"], ["b"])]),
                                     else_branch=body([node("Relu", ["x"], ["b"])]))],
                               initializers=[numpy_helper.from_array(np.array(True), "c")]), "'nowhere'"),
}  # fmt: skip


def recursion(depth):
    """Functions that call each other in a circle of `depth`."""
    functions = [function(f"f{i}", [node(f"f{(i + 1) % depth}", ["x"], ["y"], domain="our")]) for i in range(depth)]
    return raw([node("f0", ["x"], ["y"], domain="our")], functions=functions)


def fan(depth):
    """Functions that call the next one twice: 2 to the power of depth nodes when all is inlined."""
    functions = [function(f"f{i}", [node(f"f{i + 1}", ["x"], ["a"], domain="our"), node(f"f{i + 1}", ["a"], ["y"], domain="our")])
                 for i in range(depth)]  # fmt: skip
    return raw([node("f0", ["x"], ["y"], domain="our")],
               functions=[*functions, function(f"f{depth}", [node("Neg", ["x"], ["y"])])])  # fmt: skip


def nested(depth):
    """Branches in branches."""
    inner = body([node("Relu", ["x"], ["b"])])
    for _ in range(depth):
        inner = body([node("If", ["c"], ["b"], then_branch=inner, else_branch=body([node("Relu", ["x"], ["b"])]))])
    return raw([node("If", ["c"], ["y"], then_branch=inner, else_branch=body([node("Relu", ["x"], ["b"])]))],
               initializers=[numpy_helper.from_array(np.array(True), "c")])  # fmt: skip


def const(name, numbers, dtype=I64):
    return numpy_helper.from_array(np.array(numbers, dtype), name)


def odd(op, *constants, **attributes):
    """A node that reads x and constants, and does not fit them."""
    names = [f"c{i}" for i in range(len(constants))]
    initializers = [numpy_helper.from_array(np.asarray(each), name) for name, each in zip(names, constants)]
    return raw([node("Relu", ["x"], ["a"]), node(op, ["a", *names], ["b"], **attributes), node("Tanh", ["b"], ["y"])],
               initializers=initializers)  # fmt: skip


def array(*numbers, dtype=I64):
    return np.array(numbers, dtype)


# Well-formed files that contradict themselves: an error or the file as it was, and no crash.
ODD = {
    "recursion_1": recursion(1), "recursion_3": recursion(3), "fan_40": fan(40), "nested_20": nested(20),
    "concat_axis": odd("Concat", axis=99), "concat_text_axis": odd("Concat", axis="one"), "concat_no_axis": odd("Concat"),
    "transpose_twice": odd("Transpose", perm=[0, 0]), "transpose_far": odd("Transpose", perm=[7]),
    "transpose_negative": odd("Transpose", perm=[-1]),
    "reshape_two": odd("Reshape", array(-1, -1)), "reshape_misfit": odd("Reshape", array(3)),
    "reshape_minus": odd("Reshape", array(-7)), "reshape_zero": odd("Reshape", array(4, 0)),
    "reshape_floats": odd("Reshape", array(4, dtype=F32)), "reshape_matrix": odd("Reshape", np.array([[4]])),
    "reshape_overflow": odd("Reshape", array(1 << 62, 8)),
    "slice_ranks": odd("Slice", array(0, 0), array(1)), "slice_step_0": odd("Slice", array(0), array(4), array(0), array(0)),
    "slice_axis": odd("Slice", array(0), array(4), array(5)), "slice_same_axis": odd("Slice", array(0, 1), array(4, 3), array(0, 0)),
    "slice_extreme": odd("Slice", array(-(2**63)), array(2**63 - 1), array(0), array(-(2**63))),
    "slice_floats": odd("Slice", array(0, dtype=F32), array(4, dtype=F32)),
    "squeeze_4": odd("Squeeze", array(0)), "squeeze_far": odd("Squeeze", array(9)), "unsqueeze_twice": odd("Unsqueeze", array(0, 0)),
    "unsqueeze_far": odd("Unsqueeze", array(-9)), "gather_far": odd("Gather", array(4)), "gather_float": odd("Gather", array(1, dtype=F32)),
    "split_sum": odd("Split", array(3)), "split_negative": odd("Split", array(-4)), "expand_misfit": odd("Expand", array(3)),
    "expand_negative": odd("Expand", array(-1)), "tile_negative": odd("Tile", array(-1)), "tile_ranks": odd("Tile", array(1, 1)),
    "pad_short": odd("Pad", array(1)), "pad_long": odd("Pad", array(1, 1, 1, 1)), "pad_below": odd("Pad", array(-9, 0)),
    "cast_99": odd("Cast", to=99), "cast_nothing": odd("Cast"), "cast_negative": odd("Cast", to=-1),
    "conv_rank": odd("Conv", np.ones((2, 2), F32)), "conv_group_0": odd("Conv", np.ones((2, 2, 1, 1), F32), group=0),
    "norm_lengths": odd("BatchNormalization", np.ones(2, F32), np.ones(3, F32), np.ones(4, F32), np.ones(5, F32)),
    "norm_types": odd("BatchNormalization", *[np.ones(4, np.int32)] * 4),
    "mat_mul_misfit": odd("MatMul", np.ones((3, 3), F32)), "gemm_vector": odd("Gemm", np.ones(4, F32), np.ones(4, F32)),
    "add_types": odd("Add", array(0)), "mul_misfit": odd("Mul", np.ones(3, F32)), "mul_text": odd("Mul", np.array(["a"], object)),
    "clip_vector": odd("Clip", np.ones(4, F32)), "clip_integer": odd("Clip", array(0)), "pow_text": odd("Pow", np.array("a", object)),
    "reduce_far": odd("ReduceSum", array(9)), "reduce_twice": odd("ReduceSum", array(0, 0)), "reduce_float": odd("ReduceSum", array(0, dtype=F32)),
    "dropout_vector": odd("Dropout", np.ones(3, F32), np.array([False, True])), "flatten_far": odd("Flatten", axis=99),
    "resize_short": odd("Resize", np.ones(0, F32), np.ones(3, F32)), "pool_no_kernel": odd("MaxPool"),
    "pool_kernel": odd("AveragePool", kernel_shape=[1, 1, 1]), "shape_backwards": odd("Shape", start=9, end=-9),
    "if_without_branches": raw([node("If", ["x"], ["y"])]), "loop_without_body": raw([node("Loop", ["", "", "x"], ["y"])]),
    "if_other_outputs": raw([node("If", ["c"], ["y"], then_branch=body([], ()), else_branch=body([], ()))],
                            initializers=[const("c", True, bool)]),
    "if_vector": raw([node("If", ["c"], ["y"], then_branch=body([node("Relu", ["x"], ["b"])]), else_branch=body([node("Abs", ["x"], ["b"])]))],
                     initializers=[const("c", [True, False], bool)]),
    "if_number": raw([node("If", ["c"], ["y"], then_branch=body([node("Relu", ["x"], ["b"])]), else_branch=body([node("Abs", ["x"], ["b"])]))],
                     initializers=[const("c", 1.5, F32)]),
    "divided_by_0": raw([node("Div", ["a", "b"], ["c"]), node("Cast", ["c"], ["d"], to=1), node("Add", ["x", "d"], ["y"])],
                        initializers=[const("a", 1), const("b", 0)]),
    "least_by_minus_1": raw([node("Div", ["a", "b"], ["c"]), node("Cast", ["c"], ["d"], to=1), node("Add", ["x", "d"], ["y"])],
                            initializers=[const("a", -(2**63)), const("b", -1)]),
    "mod_0": raw([node("Mod", ["a", "b"], ["c"]), node("Cast", ["c"], ["d"], to=1), node("Add", ["x", "d"], ["y"])],
                 initializers=[const("a", 1), const("b", 0)]),
    "cast_of_nan": raw([node("Cast", ["a"], ["c"], to=7), node("Cast", ["c"], ["d"], to=1), node("Add", ["x", "d"], ["y"])],
                       initializers=[const("a", np.nan, F32)]),
    "range_step_0": raw([node("Range", ["a", "b", "a"], ["c"]), node("Cast", ["c"], ["d"], to=1), node("Add", ["x", "d"], ["y"])],
                        initializers=[const("a", 0), const("b", 4)]),
    "no_outputs_of_a_node": raw([node("Relu", ["x"], []), node("Relu", ["x"], ["y"])]),
    "no_inputs_of_a_node": raw([node("Relu", [], ["y"])]), "omitted_input": raw([node("Relu", [""], ["y"])]),
    "too_many_inputs": raw([node("Relu", ["x", "x", "x"], ["y"])]), "omitted_operand": raw([node("Add", ["x", ""], ["y"])]),
    "no_opset": raw([node("Relu", ["x"], ["y"])], opset=0), "far_opset": raw([node("Relu", ["x"], ["y"])], opset=9999),
}  # fmt: skip


class BadFiles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        cls.kibibytes = Done("sound", SOUND).kibibytes + KIBIBYTES

    def check_error(self, done, words=""):
        self.assertEqual(done.status, 1, done.errors)
        self.assertEqual(len(done.errors), 1, done.errors)
        self.assertIn(str(done.model), done.errors[0])
        self.assertIn(words, done.errors[0])
        self.assertFalse(done.output.exists())

    def test_a_sound_file_passes(self):
        done = Done("sound", SOUND)
        self.assertEqual((done.status, done.errors), (0, []))
        onnx.checker.check_model(str(done.output))

    def test_broken(self):
        for name, (content, words) in BROKEN.items():
            with self.subTest(name):
                self.check_error(Done(name, content), words)

    def test_an_error_leaves_the_output_as_it_was(self):
        model, output = WORK / "kept.onnx", WORK / "kept.out.onnx"
        model.write_bytes(BROKEN["cycle"][0])
        output.write_bytes(b"before")
        done = subprocess.run([OPTIONS.lathe, "opt", model, "-o", output, "--passes", OPTIONS.passes], capture_output=True)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(output.read_bytes(), b"before")
        self.assertEqual(sorted(path.name for path in WORK.glob("kept*")), ["kept.onnx", "kept.out.onnx"])

    def test_bombs(self):
        for name, fill in BOMBS.items():
            with self.subTest(name):
                done = Done(name, graph(fill))
                if done.status != 0:
                    self.check_error(done)
                else:
                    # 4 MiB, and in each round of the fixpoint an eighth more.
                    self.assertLess(done.output.stat().st_size, 11 << 20)
                self.assertLess(done.kibibytes, self.kibibytes)

    def test_a_bomb_of_less_than_100_bytes(self):
        content = small_bomb()
        self.assertLess(len(content), 100)
        done = Done("small_bomb", content)
        self.assertEqual((done.status, done.errors), (0, []))
        self.assertLess(done.output.stat().st_size, 200)
        self.assertLess(done.kibibytes, self.kibibytes)

    def test_calls_that_make_too_much_stay(self):
        done = Done("fan_40", ODD["fan_40"])
        self.assertEqual((done.status, done.errors), (0, []))
        self.assertEqual([each.op_type for each in onnx.load(done.output).graph.node], ["f0"])
        self.assertLess(done.output.stat().st_size, 2 * len(ODD["fan_40"]))

    def test_odd(self):
        for name, content in ODD.items():
            with self.subTest(name):
                done = Done(name, content)
                if done.status != 0:
                    self.check_error(done)
                else:
                    self.assertEqual(done.errors, [])
                    onnx.load(done.output)
                self.assertLess(done.kibibytes, self.kibibytes)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
