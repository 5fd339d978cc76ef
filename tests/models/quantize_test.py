"""Quantises a real model on its own data and judges the result by ONNX Runtime.

    python quantize_test.py LATHE SOURCE_FOLDER WORK_FOLDER MODEL

Each quantised layer, fed ONNX Runtime's own input of it, must agree with ONNX Runtime to 60 dB. End to end a value
on a rounding edge may fall either way and the difference grows with depth, so there the measure is what ONNX Runtime
optimised reaches against itself unoptimised.
"""
import json
import pathlib
import shutil
import sys
import unittest

import numpy as np
import onnx
import onnxruntime
from real_models import Driver, decibels, mnist_conv_bn_input, mnist_images, mnist_labels, require_models

LATHE, SOURCE, WORK, MODEL = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]), sys.argv[4]
MODELS = require_models(SOURCE)
LAYER, CLOSE_ENOUGH, SLACK = 60, 40, 3


def load(path, kind=np.float32):
    return np.load(MODELS / path).astype(kind)


def mnist(model):
    images = mnist_images(MODELS)[:, None, None]
    return mnist_conv_bn_input(images) if model == "mnist_conv_bn" else images


def squeezenet(kind):
    return [{"data_0": load(f"squeezenet1.1/input_{file}.npy", kind)} for file in ("0_goldfish", "1_mushroom")]


def ultraface():
    return [{"input": load(f"ultraface_rfb320/input_{file}.npy")} for file in ("0_face03", "1_face20")]


def vittrack():
    searches = ("0_same", "1_shifted", "2_elsewhere")
    template = load("vittrack/template.npy")
    return [{"template": template, "search": load(f"vittrack/search_{search}.npy")} for search in searches]


# Model: (file, number of quantised layers, batches, further arguments in place of those batches).
FACES = ["--images", MODELS / "data/faces", "--mean", 127, "--std", 128]
CROPS = ["--images", MODELS / "mobilefacenet/crops",
         "--mean", 123.675, 116.28, 103.53, "--std", 58.395, 57.12, 57.375]  # fmt: skip
CASES = {
    "mnist_conv_bn": ("mnist_cnn/mnist_conv_bn.onnx", 5, lambda: [{"input.1": x} for x in mnist(MODEL)[:32]], None),
    "mnist-8": ("mnist_cnn/mnist-8.onnx", 3, lambda: [{"Input3": x} for x in mnist(MODEL)[:32]], None),
    "squeezenet_fp32": (
        "squeezenet1.1/SqueezeNet_fp32_from_fp16.onnx", 26, lambda: squeezenet(np.float32), None),
    "squeezenet_fp16": ("squeezenet1.1/SqueezeNet_fp16.onnx", 26, lambda: squeezenet(np.float16), None),
    "ultraface": ("ultraface_rfb320/version-RFB-320.onnx", 52, ultraface, FACES),
    "ultraface_raw": (
        "ultraface_rfb320/version-RFB-320_without_postprocessing.onnx", 52, ultraface, FACES),
    "yolox_nano": (
        "yolox_nano/yolox_nano.onnx", 113, lambda: [{"images": load("yolox_nano/input_0_street0.npy")}], None),
    "mobilefacenet": (
        "mobilefacenet/MobileFaceNet.onnx", 51,
        lambda: [{"input0": load("mobilefacenet/input_face_0.npy")}], CROPS),
    "ppocr_cls": (
        "ppocr_cls/ch_ppocr_mobile_v2.0_cls_infer.onnx", 54,
        lambda: [{"x": load("ppocr_cls/inputs_8x1x3x48x192.npy")[:, 0]}], None),
    "vittrack": ("vittrack/vitTracker.onnx", 35, vittrack, None),
}  # fmt: skip
# Models with labels: share of right answers that quantisation may cost.
ACCURACY_LOSS = {"mnist_conv_bn": 0.005, "mnist-8": 0.005}


def session(model, optimized=False):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(model, feed, optimized=False):
    names = [value.name for value in model.graph.output]
    return dict(zip(names, session(model, optimized).run(names, feed), strict=True))


def worst(want, got):
    return min(decibels(want[name], got[name]) for name in want)


def layer_inputs(model):
    """The activations that are quantised, in the order of the graph: float32, in float16 nets behind a Cast."""
    muls = [node for node in model.graph.node if node.name.endswith(".quant.fakequant.mul")]
    return list(dict.fromkeys(node.input[0] for node in muls))


def layers_only(model, activations):
    """A copy with every quantised layer alone, from its float input, a graph input now, to its dequantised output."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    cut = {name: f"layer_input_{i}" for i, name in enumerate(activations)}
    layers = [node for node in graph.node if node.name.endswith(".fakedequant.mul")]
    for node in graph.node:
        if node.name.endswith(".quant.fakequant.mul"):
            node.input[0] = cut[node.input[0]]
    makers = {output: node for node in graph.node for output in node.output}
    needed, todo = set(), [node.output[0] for node in layers]
    while todo:
        maker = makers.get(todo.pop())
        if maker is not None and id(maker) not in needed:
            needed.add(id(maker))
            todo += maker.input
    kept = [node for node in graph.node if id(node) in needed]
    initializers = {each.name for each in graph.initializer}
    used = {name for node in kept for name in node.input}
    inputs = [value for value in graph.input if value.name in initializers & used]
    inputs += [onnx.helper.make_tensor_value_info(cut[name], onnx.TensorProto.FLOAT, array.shape)
               for name, array in activations.items()]  # fmt: skip
    outputs = [onnx.helper.make_tensor_value_info(node.output[0], onnx.TensorProto.FLOAT, None) for node in layers]
    kept_initializers = [each for each in graph.initializer if each.name in used]
    new = onnx.helper.make_graph(kept, "layers", inputs, outputs, kept_initializers)
    result.graph.CopyFrom(new)
    return result, {cut[name]: array for name, array in activations.items()}


class Quantize(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.rmtree(WORK, ignore_errors=True)
        cls.driver = Driver(LATHE, WORK)
        cls.file, cls.layers, make, arguments = CASES[MODEL]
        cls.batches = make()
        prefix = WORK / "net"
        cls.summary = json.loads(cls.driver.done(
            "--json", "quantize", MODELS / cls.file, *(arguments or cls.files("calibration", cls.batches)),
            *cls.labelled(), "-o", prefix))  # fmt: skip
        cls.fake_quant_file = f"{prefix}_fake_quant_model.onnx"
        cls.fake_quant = onnx.load(cls.fake_quant_file)
        cls.deploy = onnx.load(f"{prefix}_deploy_model.onnx")
        cls.feed = cls.batches[-1]

    @classmethod
    def files(cls, name, batches):
        (WORK / name).mkdir(parents=True)
        for i, batch in enumerate(batches):
            np.savez(WORK / name / f"{i:04}.npz", **batch)
        return ["-d", *sorted((WORK / name).iterdir())]

    @classmethod
    def labelled(cls):
        if MODEL not in ACCURACY_LOSS:
            return []
        (name,) = cls.batches[0]
        (WORK / "eval").mkdir()
        for i, image in enumerate(mnist(MODEL)):
            np.save(WORK / "eval" / f"{i:04}.npy", image)
        np.save(WORK / "labels.npy", mnist_labels(MODELS))
        return ["--eval-data", f"{name}={WORK}/eval/*.npy", "--labels", WORK / "labels.npy"]

    def test_summary(self):
        self.assertEqual(len(self.summary["layers"]["quantized"]), self.layers, self.summary["layers"]["float"])
        print(f"{MODEL}: {self.layers} layers, SQNR {self.summary['sqnr_db']:.1f} dB, {self.summary['seconds']:.1f} s")
        self.assertTrue(np.isfinite(self.summary["sqnr_db"]))
        if MODEL in ACCURACY_LOSS:
            accuracy = self.summary["accuracy"]
            print(f"{MODEL}: accuracy {accuracy['float']:.3f} -> {accuracy['fake_quant']:.3f}")
            self.assertEqual(accuracy["samples"], 1000)
            self.assertGreaterEqual(accuracy["fake_quant"], accuracy["float"] - ACCURACY_LOSS[MODEL])

    def test_models(self):
        onnx.checker.check_model(self.fake_quant)
        for kind in ("AscendDequant", "AscendQuant"):
            self.assertIn(kind, {node.op_type for node in self.deploy.graph.node})
        self.assertEqual(sum(node.op_type == "AscendDequant" for node in self.deploy.graph.node), self.layers)
        for batch in self.batches[:3]:
            for name, array in run(self.fake_quant, batch).items():
                self.assertTrue(np.isfinite(array).all(), name)

    def test_layer_by_layer(self):
        names = layer_inputs(self.fake_quant)
        tapped = onnx.ModelProto()
        tapped.CopyFrom(self.fake_quant)
        del tapped.graph.output[:]
        tapped.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
                                   for name in names if name not in self.feed)  # fmt: skip
        values = {**run(tapped, self.feed), **self.feed}
        model, feed = layers_only(self.fake_quant, {name: values[name] for name in names})
        onnx.save(model, WORK / "layers.onnx")
        want, got = run(model, feed), self.driver.run(WORK / "layers.onnx", feed)
        self.assertEqual(len(want), self.layers)
        found = {name: decibels(want[name], got[name]) for name in want}
        lowest = min(found, key=found.get)
        print(f"{MODEL}: layer by layer at least {found[lowest]:.1f} dB ({lowest})")
        self.assertEqual({name: value for name, value in found.items() if not value >= LAYER}, {})

    def test_end_to_end(self):
        want = run(self.fake_quant, self.feed)
        optimized = worst(want, run(self.fake_quant, self.feed, optimized=True))
        found = worst(want, self.driver.run(self.fake_quant_file, self.feed))
        print(f"{MODEL}: end to end {found:.1f} dB; ONNX Runtime optimised against itself {optimized:.1f} dB")
        self.assertGreaterEqual(found, min(optimized - SLACK, CLOSE_ENOUGH))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
