"""Arrays are shared and not copied, and weights stay in their file: measured by peak memory and by address.

    python memory_test.py WORK_FOLDER        PYTHONPATH names the folder that holds the package
"""
import gc
import pathlib
import shutil
import subprocess
import sys
import unittest
import weakref

import nets
import numpy as np
from onnx import TensorProto, helper, numpy_helper

import lathe

WORK = pathlib.Path(sys.argv[1])
MEGABYTE = 1 << 20

# Each in a process of its own: prints by how many bytes `measured` raised the peak, and the peak of what came before.
SCRIPT = '''
import sys
import numpy as np
import lathe

def aligned(rows, columns):
    """As the engine wants its inputs: others it copies, once."""
    raw = np.ones(rows * columns * 4 + 64, np.uint8)
    begin = -raw.__array_interface__["data"][0] % 64
    array = raw[begin : begin + rows * columns * 4].view(np.float32).reshape(rows, columns)
    array[:] = 1
    return array

def peak():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024

folder = sys.argv[1]
{before}
start = peak()
{measured}
print(peak() - start)
'''


def growth(before, measured):
    script = SCRIPT.format(before=before, measured=measured)
    done = subprocess.run([sys.executable, "-c", script, str(WORK)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


class Memory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        nets.save(nets.small_net(), WORK / "net.onnx")
        sum_of_all = helper.make_graph(
            [helper.make_node("ReduceSum", ["x"], ["y"], "sum", keepdims=1)], "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [16, MEGABYTE])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])],
        )  # fmt: skip
        nets.save(helper.make_model(sum_of_all, opset_imports=[helper.make_opsetid("", 13)], ir_version=8),
                  WORK / "sum.onnx")  # fmt: skip
        big = nets.small_net()
        big.graph.initializer.append(numpy_helper.from_array(np.ones(16 * MEGABYTE, np.float32), "big"))
        nets.save(big, WORK / "big.onnx")

    def test_inputs_are_not_copied(self):
        # 64 MB in, one number out.
        before = "session = lathe.Session(folder + '/sum.onnx'); data = aligned(16, 1 << 20)"
        self.assertLess(growth(before, "assert session.run(data)['y'][0, 0] == 16 << 20"), 16 * MEGABYTE)
        # The measure notices a copy.
        self.assertGreater(growth(before, "session.run(data.T.copy().T)"), 50 * MEGABYTE)

    def test_weights_stay_in_their_file(self):
        load = "model = lathe.load(folder + '/big.onnx'); clone = model.clone(); big = clone.initializer('big')"
        self.assertLess(growth("lathe.load(folder + '/net.onnx')", load), 16 * MEGABYTE)

    def test_addresses(self):
        model = lathe.load(WORK / "big.onnx")
        address = model.initializer("big").__array_interface__["data"]
        self.assertEqual(model.clone().initializer("big").__array_interface__["data"], address)
        self.assertTrue(address[1], "weights are read-only")

    def test_arrays_outlive_their_model(self):
        weights = lathe.load(WORK / "big.onnx").initializer("big")
        gc.collect()
        self.assertEqual(weights[-1], 1)
        result = lathe.run(WORK / "net.onnx", nets.batches(1)[0])["y"]
        gc.collect()
        self.assertTrue(np.isfinite(result).all())

    def test_inputs_are_let_go(self):
        class Array(np.ndarray):
            """An array that can be watched."""

        data = nets.batches(1)[0].view(Array)
        gone = weakref.ref(data)
        lathe.run(WORK / "net.onnx", data)
        lathe.quantize(WORK / "net.onnx", [data], WORK / "net", progress=False)
        self.assertIsNotNone(gone())
        del data
        gc.collect()
        self.assertIsNone(gone())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
