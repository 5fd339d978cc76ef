"""The committed digits net is what examples/digits/README.md says, judged by ONNX Runtime.

    python digits_test.py EXAMPLE_FOLDER WORK_FOLDER
"""
import pathlib
import subprocess
import sys
import unittest

import numpy as np
import onnx
import onnxruntime

EXAMPLE = pathlib.Path(sys.argv[1])
WORK = pathlib.Path(sys.argv[2])


class Digits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        subprocess.run([sys.executable, EXAMPLE / "data.py", WORK], check=True)
        cls.images = np.load(WORK / "held_out_images.npy")
        cls.labels = np.load(WORK / "held_out_labels.npy")
        cls.model = onnx.load(EXAMPLE / "digits.onnx")

    def test_file(self):
        self.assertLess((EXAMPLE / "digits.onnx").stat().st_size, 300_000)
        onnx.checker.check_model(self.model, full_check=True)
        self.assertEqual(self.model.ir_version, 8)
        self.assertEqual([(each.domain, each.version) for each in self.model.opset_import], [("", 13)])

    def test_layers(self):
        nodes = {node.name: node for node in self.model.graph.node}
        self.assertEqual([name for name in nodes if nodes[name].op_type == "Conv"], ["conv1", "conv2", "conv3", "conv4"])
        self.assertEqual(
            [name for name in nodes if nodes[name].op_type == "BatchNormalization"], ["bn1", "bn2", "bn3", "bn4"]
        )
        group = next(each.i for each in nodes["conv2"].attribute if each.name == "group")
        weights = {each.name: list(each.dims) for each in self.model.graph.initializer}
        self.assertEqual(weights[nodes["conv2"].input[1]], [group, 1, 3, 3])
        self.assertGreater(group, 1)
        self.assertEqual(list(nodes["add"].input), ["bn3_out", "relu1_out"])

    def test_data(self):
        self.assertEqual((self.images.shape, self.images.dtype), ((599, 1, 8, 8), np.float32))
        self.assertEqual((self.labels.shape, self.labels.dtype), ((599,), np.int64))
        held_out = {image.tobytes() for image in self.images}
        for batch in range(8):
            calibration = np.load(WORK / f"calibration_{batch}.npy")
            self.assertEqual((calibration.shape, calibration.dtype), ((32, 1, 8, 8), np.float32))
            self.assertFalse([image for image in calibration if image.tobytes() in held_out])

    def test_accuracy(self):
        session = onnxruntime.InferenceSession(self.model.SerializeToString())
        (logits,) = session.run(["logits"], {"image": self.images})
        # 592 of 599; one image of slack for another processor's rounding.
        self.assertGreaterEqual(int((logits.argmax(axis=1) == self.labels).sum()), 591)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
