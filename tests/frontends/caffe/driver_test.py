"""Every command that reads a model reads a Caffe net; its results are ONNX files.

    python driver_test.py LATHE WORK_FOLDER [-v] [TEST]...
"""
import json
import pathlib
import shutil
import sys
import unittest

import numpy as np
from nets import Driver, decibels, inputs, layer, random, write_net

DRIVER, WORK = Driver(sys.argv[1]), pathlib.Path(sys.argv[2]).absolute()
NET = "net.prototxt,net.caffemodel"


class Commands(unittest.TestCase):
    def setUp(self):
        self.folder = WORK / self.id().replace("__main__.", "")
        shutil.rmtree(self.folder, ignore_errors=True)
        text = inputs({"data": [1, 3, 8, 8]})
        text += layer("conv1", "Convolution", "data", "conv1", "convolution_param { num_output: 8 kernel_size: 3 pad: 1 bias_term: false }")
        text += layer("bn1", "BatchNorm", "conv1", "conv1") + layer("scale1", "Scale", "conv1", "conv1", "scale_param { bias_term: true }")
        text += layer("relu1", "ReLU", "conv1", "conv1") + layer("drop1", "Dropout", "conv1", "conv1")
        text += layer("fc", "InnerProduct", "conv1", "fc", "inner_product_param { num_output: 4 }") + layer("prob", "Softmax", "fc", "prob")
        statistics = [random(8, seed=1), np.abs(random(8, seed=2)) + 0.5, np.ones(1)]
        weights = {"conv1": [random(8, 3, 3, 3)], "bn1": statistics, "scale1": [random(8, seed=3), random(8, seed=4)],
                   "fc": [random(4, 512, scale=0.1), random(4)]}  # fmt: skip
        write_net(self.folder, text, weights)
        np.save(self.folder / "x.npy", random(4, 3, 8, 8, seed=9))

    def done(self, *arguments):
        return DRIVER.done(*arguments, cwd=self.folder)

    def refused(self, error, *arguments, status=1):
        done = DRIVER(*arguments, cwd=self.folder)
        self.assertEqual(done.stderr, f"lathe: error: {error}\n")
        self.assertEqual(done.returncode, status)

    def run_net(self, net, name):
        self.done("run", net, "-i", "data=x.npy", "-o", name)
        return np.load(self.folder / name / "prob.npy")

    def test_inspect(self):
        found = json.loads(self.done("--json", "inspect", NET))
        self.assertEqual(found["model"], NET)
        self.assertEqual(found["form"], "float model")
        self.assertEqual(found["inputs"], [{"name": "data", "type": "f32[batch,3,8,8]"}])
        self.assertEqual([each["name"] for each in found["outputs"]], ["prob"])
        self.assertEqual(found["operators"], {"BatchNormalization": 1, "Conv": 1, "Flatten": 1, "Gemm": 1, "Relu": 1, "Softmax": 1})
        sizes = [(self.folder / name).stat().st_size for name in NET.split(",")]
        self.assertEqual(found["file_bytes"], sum(sizes))

    def test_opt_and_explain(self):
        self.done("opt", NET, "-o", "out.onnx", "--passes", "fuse-conv-bn")
        self.assertGreater(decibels(self.run_net(NET, "a"), self.run_net("out.onnx", "b")), 100)
        self.assertIn("'conv1' (Conv) of a float model", self.done("explain", NET, "conv1"))

    def test_quantize(self):
        self.done("quantize", NET, "-d", "x.npy", "-o", "net", "--skip-layer", "fc")
        record = (self.folder / "net_record.txt").read_text()
        self.assertIn('key: "conv1"', record)
        self.assertNotIn('key: "fc"', record)
        want = self.run_net(NET, "a")
        for model in ("net_deploy_model.onnx", "net_fake_quant_model.onnx"):
            self.assertGreater(decibels(want, self.run_net(model, "b")), 20)
        found = json.loads(self.done("--json", "compare", NET, "net_deploy_model.onnx", "-d", "x.npy"))
        self.assertIn("conv1", [each["layer"] for each in found["layers"]])

    def test_step_by_step(self):
        self.done("config", "ptq", NET, "-o", "config.json", "--batch-num", "1")
        self.assertEqual({"conv1", "fc"} - set(json.loads((self.folder / "config.json").read_text())), set())
        self.done("calibrate", NET, "--config", "config.json", "-d", "x.npy", "--record", "record.txt", "--modified", "modified.onnx")
        self.done("save", "modified.onnx", "--record", "record.txt", "-o", "net")
        self.assertTrue((self.folder / "net_deploy_model.onnx").exists())

    def test_caffe_is_not_written(self):
        hint = "Caffe nets are read, not written (models that come from Caffe are written as ONNX)"
        self.refused(f"'out.prototxt': {hint}", "opt", NET, "-o", "out.prototxt", "--passes", "fuse-conv-bn", status=2)
        self.refused(f"'a.caffemodel': {hint}", "quantize", NET, "-d", "x.npy", "-o", "a.caffemodel")

    def test_half_a_net(self):
        self.refused("net.prototxt: is one of the two files of a Caffe net (give both, as NET.prototxt,WEIGHTS.caffemodel)",
                     "inspect", "net.prototxt")  # fmt: skip
        self.refused("none.caffemodel: cannot open: No such file or directory", "inspect", "net.prototxt,none.caffemodel")

    def test_errors_name_line_and_layer(self):
        text = (self.folder / "net.prototxt").read_text().replace("num_output: 4", "num_output: 5")
        (self.folder / "net.prototxt").write_text(text)
        self.refused("net.prototxt: line 7, layer 'fc': blob 0 in net.caffemodel has shape [4,512], the net asks for [5,512]",
                     "quantize", NET, "-d", "x.npy", "-o", "net")  # fmt: skip


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
