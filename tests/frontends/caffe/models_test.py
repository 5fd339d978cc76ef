"""Real Caffe nets: `lathe run` beside OpenCV's outputs, and quantised.

    python models_test.py LATHE SOURCE_FOLDER WORK_FOLDER [-v] [TEST]...
"""
import json
import os
import pathlib
import re
import shutil
import sys
import unittest

import numpy as np
import onnx
from nets import SKIPPED, Driver, decibels, opencv_python, run_opencv

DRIVER, SOURCE, WORK = Driver(sys.argv[1]), pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]).absolute()
MODELS = pathlib.Path(os.environ.get("LATHE_SHARED_DIR") or SOURCE.parent / "shared").absolute() / "models"
LIMIT = 80


def pair(folder, prototxt, caffemodel):
    return f"{MODELS / folder / prototxt},{MODELS / folder / caffemodel}"


LENET = pair("lenet_caffe", "lenet_deploy.prototxt", "lenet_iter_10000.caffemodel")
ULTRAFACE = pair("ultraface_rfb320", "RFB-320.prototxt", "RFB-320.caffemodel")


def digits():
    raw = np.fromfile(MODELS / "data/mnist/t10k-first1000-images-idx3-ubyte", np.uint8)
    return raw[16:].reshape(-1, 1, 28, 28).astype(np.float32) * np.float32(0.00390625)


def labels():
    return np.fromfile(MODELS / "data/mnist/t10k-first1000-labels-idx1-ubyte", np.uint8)[8:].astype(np.int64)


def initializers(path):
    return {each.name: onnx.numpy_helper.to_array(each) for each in onnx.load(path).graph.initializer}


class Models(unittest.TestCase):
    def setUp(self):
        self.folder = WORK / self.id().replace("__main__.", "")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def near(self, want, got, what):
        found = decibels(want, got)
        print(f"{what}: {found:.1f} dB")
        self.assertGreaterEqual(found, LIMIT, what)

    def test_lenet(self):
        """All 1,000 digits in one batch: the file says 64."""
        want = np.load(MODELS / "lenet_caffe/expected_prob_1000x10.npy")
        self.near(want, DRIVER.run(LENET, {"data": digits()}, self.folder)["prob"], "lenet")

    def test_lenet_train_test(self):
        """The training net with an Input in the place of its data: the loss is gone, the last product stays."""
        text = (MODELS / "lenet_caffe/lenet_train_test.prototxt").read_text()
        net = pair("lenet_caffe", "lenet_train_test.prototxt", "lenet_iter_10000.caffemodel")
        refused = DRIVER("inspect", net)
        self.assertIn("line 19, layer 'mnist': a layer of type Data learns the shape of top 'data'", refused.stderr)
        start, end = text.index("layer {"), text.index('layer {\n  name: "conv1"')
        text = text[:start] + 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 1 dim: 28 dim: 28 } } }\n' + text[end:]
        (self.folder / "net.prototxt").write_text(text)
        net = f"{self.folder / 'net.prototxt'},{MODELS / 'lenet_caffe/lenet_iter_10000.caffemodel'}"
        got = DRIVER.run(net, {"data": digits()}, self.folder)
        self.assertEqual(list(got), ["ip2"])
        self.assertEqual((got["ip2"].argmax(1) == labels()).mean(), 0.99)

    def test_lenet_quantised(self):
        """Top-1 of the float, the fake-quant and the executed deploy model within 0.3 points."""
        np.save(self.folder / "x.npy", digits()[:64])
        DRIVER.done("quantize", LENET, "-d", "x.npy", "-o", "net", cwd=self.folder)
        right = {}
        for name, model in (("float", LENET), ("fake_quant", "net_fake_quant_model.onnx"), ("deploy", "net_deploy_model.onnx")):
            model = model if name == "float" else self.folder / model
            prob = DRIVER.run(model, {"data": digits()}, self.folder / name)["prob"]
            right[name] = 100 * (prob.argmax(1) == labels()).mean()
        print(f"lenet, top-1: {right}")
        self.assertEqual(right["float"], 99.0)
        self.assertLessEqual(max(right.values()) - min(right.values()), 0.3)

    def test_ultraface(self):
        for i, file in enumerate(("0_face03", "1_face20")):
            x = np.load(MODELS / f"ultraface_rfb320/input_{file}.npy")
            got = DRIVER.run(ULTRAFACE, {"input": x}, self.folder / file)
            for output, expected in (("scores", "scores"), ("boxes", "boxes_raw")):
                want = np.load(MODELS / f"ultraface_rfb320/expected_{i}_{expected}.npy")
                self.near(want, got[output], f"ultraface {file} {output}")

    def test_ultraface_like_its_onnx(self):
        """The same scales and the same integers, layer by layer in the order of the nets."""
        data = [MODELS / f"ultraface_rfb320/input_{file}.npy" for file in ("0_face03", "1_face20")]
        found = []
        for name, model in (("caffe", ULTRAFACE), ("onnx", MODELS / "ultraface_rfb320/version-RFB-320_without_postprocessing.onnx")):
            DRIVER.done("quantize", model, "-d", *data, "-o", self.folder / name)
            found.append(self.layers(self.folder / f"{name}_deploy_model.onnx"))
        caffe, other = found
        self.assertEqual(len(caffe), 52)
        self.assertEqual(len(other), 52)
        # The nets list branches in other orders: layers are matched by their integers.
        by_weight = {weight: scale for weight, scale in other}
        for weight, scale in caffe:
            self.assertIn(weight, by_weight)
            self.assertLess(abs(by_weight[weight] / scale - 1), 1e-3)

    def layers(self, path):
        """(bytes of the integer weight, scale of the activation) of each convolution."""
        model = onnx.load(path)
        values = initializers(path)
        made = {output: node for node in model.graph.node for output in node.output}
        layers = []
        for node in model.graph.node:
            if node.op_type != "Conv":
                continue
            quant = made[node.input[0]]
            while quant.op_type != "AscendQuant":
                quant = made[quant.input[0]]
            scale = next(each.f for each in quant.attribute if each.name == "scale")
            layers.append((values[node.input[1]].tobytes(), scale))
        return layers

    def test_retinaface(self):
        """Any size of image: the prototxt says it."""
        if opencv_python() is None:
            self.skipTest("no Python here has cv2 (install python3-opencv, or set LATHE_OPENCV_PYTHON)")
        text = (MODELS / "retinaface_mnet_caffe/deploy.prototxt").read_text()
        weights = (MODELS / "retinaface_mnet_caffe/Widerface-RetinaFace.caffemodel").read_bytes()
        for name in ("03", "01"):
            script = (
                "import cv2, numpy as np, sys; image = cv2.imread(sys.argv[1]); h, w = image.shape[:2];"
                "image = cv2.resize(image, (640, round(h * 640 / w))); mean = np.float32([104, 117, 123]);"
                "np.save(sys.argv[2], (image.astype(np.float32) - mean).transpose(2, 0, 1)[None])"
            )
            face = next((MODELS / "data/faces").glob(f"{name}*"))
            self.python(script, face, self.folder / "x.npy")
            x = np.load(self.folder / "x.npy")
            folder = self.folder / name
            folder.mkdir()
            height = iter(("input_dim: 1", "input_dim: 3", f"input_dim: {x.shape[2]}", f"input_dim: {x.shape[3]}"))
            (folder / "net.prototxt").write_text(re.sub(r"input_dim: \d+", lambda _: next(height), text))
            (folder / "net.caffemodel").write_bytes(weights)
            want = run_opencv(folder, {"data": x}, ["detection_out"])["detection_out"]
            got = DRIVER.run(f"{folder / 'net.prototxt'},{folder / 'net.caffemodel'}", {"data": x}, folder)["detection_out"]
            print(f"retinaface {name}: {(got[..., 2] > 0.5).sum()} faces, {got.shape[2]} rows")
            # OpenCV gives zeros behind the rows that were found.
            self.assertFalse(want[:, :, got.shape[2] :].any())
            self.near(want[:, :, : got.shape[2]], got, f"retinaface {name}")

    def python(self, script, *arguments):
        import subprocess

        subprocess.run([opencv_python(), "-c", script, *map(str, arguments)], check=True)


if __name__ == "__main__":
    if not MODELS.is_dir():
        print(f"!!! SKIPPED: the real models are missing: {MODELS} (set LATHE_SHARED_DIR)")
        sys.exit(SKIPPED)
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
