"""`lathe run` on real models gives the outputs that lie beside them, and refuses what cannot run by its name.

    python run_test.py LATHE SOURCE_FOLDER WORK_FOLDER
"""
import json
import shutil
import sys
import unittest

import numpy as np
import onnx
from real_models import Driver, decibels, mnist_conv_bn_input, mnist_images, require_models

LATHE, SOURCE, WORK = sys.argv[1:4]
MODELS = require_models(SOURCE)
EXACT, HALF = 80, 40


class Run(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.rmtree(WORK, ignore_errors=True)
        cls.driver = Driver(LATHE, WORK)
        cls.order = json.loads((MODELS / "data/images_order.json").read_text())

    def near(self, want, got, limit, what):
        found = decibels(want, got)
        print(f"{what}: {found:.1f} dB")
        self.assertGreaterEqual(found, limit, what)

    def load(self, path):
        return np.load(MODELS / path)

    def test_mnist(self):
        images = mnist_images(MODELS)[:5, None, None]
        for model, name, inputs, expected in (
            ("mnist_conv_bn", "input.1", mnist_conv_bn_input(images), "mnist_conv_bn_logprobs"),
            ("mnist-8", "Input3", images, "mnist-8_logits"),
        ):
            want = self.load(f"mnist_cnn/expected_{expected}_1000x10.npy")
            for i, image in enumerate(inputs):
                (got,) = self.driver.run(MODELS / f"mnist_cnn/{model}.onnx", {name: image}).values()
                self.near(want[i], got[0], EXACT, f"{model} digit {i}")

    def test_squeezenet(self):
        want = self.load("squeezenet1.1/expected_softmax_19x1000.npy")
        for model, kind, limit in (
            ("SqueezeNet_fp32_from_fp16", np.float32, EXACT),
            ("SqueezeNet_fp16", np.float16, HALF),
        ):
            for file, image in (("0_goldfish", "goldfish.jpg"), ("1_mushroom", "mushroom.png")):
                feed = {"data_0": self.load(f"squeezenet1.1/input_{file}.npy").astype(kind)}
                got = self.driver.run(MODELS / f"squeezenet1.1/{model}.onnx", feed)["softmaxout_1"]
                self.assertEqual(got.dtype, kind)
                self.near(want[self.order.index(image)], got.reshape(1000), limit, f"{model} {file}")

    def test_shufflenet_qdq(self):
        want = self.load("shufflenet_v2_qdq/expected_logits_19x1000_ort_disabled.npy")
        for file, image in (("0_goldfish", "goldfish.jpg"), ("1_mushroom", "mushroom.png")):
            feed = {"input": self.load(f"shufflenet_v2_qdq/input_{file}.npy")}
            got = self.driver.run(MODELS / "shufflenet_v2_qdq/shufflenet-v2-12-qdq.onnx", feed)["output"]
            expected = want[self.order.index(image)]
            self.near(expected, got[0], EXACT, f"shufflenet {file}")
            self.assertEqual(np.argmax(expected), np.argmax(got[0]))

    def test_ultraface(self):
        for model, boxes in (("version-RFB-320", "decoded"), ("version-RFB-320_without_postprocessing", "raw")):
            for i, file in enumerate(("0_face03", "1_face20")):
                feed = {"input": self.load(f"ultraface_rfb320/input_{file}.npy")}
                got = self.driver.run(MODELS / f"ultraface_rfb320/{model}.onnx", feed)
                self.near(self.load(f"ultraface_rfb320/expected_{i}_scores.npy"), got["scores"], EXACT, model)
                self.near(self.load(f"ultraface_rfb320/expected_{i}_boxes_{boxes}.npy"), got["boxes"], EXACT, model)

    def test_yolox(self):
        feed = {"images": self.load("yolox_nano/input_0_street0.npy")}
        got = self.driver.run(MODELS / "yolox_nano/yolox_nano.onnx", feed)["output"]
        self.near(self.load("yolox_nano/expected_0_output.npy"), got, EXACT, "yolox_nano")

    def test_mobilefacenet(self):
        feed = {"input0": self.load("mobilefacenet/input_face_0.npy")}
        got = self.driver.run(MODELS / "mobilefacenet/MobileFaceNet.onnx", feed)["output0"]
        self.near(self.load("mobilefacenet/expected_embeddings_20x128.npy")[:1], got, EXACT, "mobilefacenet")

    def test_ppocr(self):
        feed = {"x": self.load("ppocr_cls/inputs_8x1x3x48x192.npy")[:, 0]}
        got = self.driver.run(MODELS / "ppocr_cls/ch_ppocr_mobile_v2.0_cls_infer.onnx", feed)["softmax_0.tmp_0"]
        self.near(self.load("ppocr_cls/expected_8x2.npy"), got, EXACT, "ppocr_cls")

    def test_vittrack(self):
        for i, search in enumerate(("0_same", "1_shifted", "2_elsewhere")):
            feed = {"template": self.load("vittrack/template.npy"), "search": self.load(f"vittrack/search_{search}.npy")}
            got = self.driver.run(MODELS / "vittrack/vitTracker.onnx", feed)
            for k in (1, 2, 3):
                self.near(self.load(f"vittrack/expected_{i}_output{k}.npy"), got[f"output{k}"], EXACT, f"vittrack {i}")

    def test_dtln(self):
        frames, masks = self.load("dtln/input_magnitudes_Nx1x1x257.npy"), self.load("dtln/expected_mask_Nx257.npy")
        state = np.zeros((1, 2, 128, 2), np.float32)
        for i in range(5):
            got = self.driver.run(MODELS / "dtln/model_1.onnx", {"input_2": frames[i], "input_3": state})
            state = got["tf_op_layer_stack_2"]
            self.near(masks[i], got["activation_2"][0, 0], EXACT, f"dtln frame {i}")

    def test_silero_without_if(self):
        frames = self.load("silero_vad/input_frames_250x1x576.npy")
        want = self.load("silero_vad/expected_speech_prob_250.npy")
        state, speech = np.zeros((2, 1, 128), np.float32), []
        for frame in frames[:5]:
            feed = {"input": frame, "sr": np.array(16000, np.int64), "state": state}
            got = self.driver.run(MODELS / "silero_vad/silero_vad_op18_ifless.onnx", feed)
            state = got["stateN"]
            speech.append(got["output"][0, 0])
        self.near(want[:5], speech, EXACT, "silero_vad_op18_ifless")

    def tensors(self, stem):
        """TensorProto files input_0.pb, input_1.pb..."""
        files = sorted(MODELS.glob(f"{stem}_*.pb"))
        return [onnx.numpy_helper.to_array(onnx.load_tensor(str(file))) for file in files]

    def model_inputs(self, path):
        return [value.name for value in onnx.load(MODELS / path).graph.input]

    def test_mnist_with_the_zoos_tensors(self):
        for case in range(3):
            stem = f"mnist_cnn/mnist-8_test_data_set_{case}"
            (image,), (want,) = self.tensors(f"{stem}/input"), self.tensors(f"{stem}/output")
            (got,) = self.driver.run(MODELS / "mnist_cnn/mnist-8.onnx", {"Input3": image}).values()
            self.near(want, got, EXACT, stem)

    def test_control_flow(self):
        for case in ("gru_with_initial_bias", "if", "loop11", "range_float_type_positive_delta_expanded",
                     "scan9_sum", "scan_sum"):  # fmt: skip
            folder = f"control_flow_nodes/test_{case}"
            names = self.model_inputs(f"{folder}/model.onnx")
            feed = dict(zip(names, self.tensors(f"{folder}/test_data_set_0/input"), strict=True))
            got = self.driver.run(MODELS / folder / "model.onnx", feed)
            for want, have in zip(self.tensors(f"{folder}/test_data_set_0/output"), got.values(), strict=True):
                self.near(want, have, EXACT, case)

    def test_what_cannot_run(self):
        """Pinned with the operator's name; what starts to run belongs above."""
        empty = "control_flow_nodes/test_{}/model.onnx"
        condition = {"cond": np.array(True)}
        silero = {
            "input": self.load("silero_vad/input_frames_250x1x576.npy")[0],
            "state": np.zeros((2, 1, 128), np.float32),
            "sr": np.array(16000, np.int64),
        }
        lstm = dict(
            zip(
                self.model_inputs(empty.format("lstm_with_peepholes")),
                self.tensors("control_flow_nodes/test_lstm_with_peepholes/test_data_set_0/input"),
            )
        )
        for model, feed, error in (
            (empty.format("if_opt"), condition,
             "node 'node_2': OpenVINO cannot run operator Optional: it has no such operator"),
            (empty.format("if_seq"), condition,
             "node 'node_1': OpenVINO cannot run operator SequenceConstruct: it has no such operator"),
            (empty.format("loop13_seq"), {}, "input 'seq_empty' is not a tensor"),
            (empty.format("loop16_seq_none"), {}, "input 'opt_seq' is not a tensor"),
            (empty.format("lstm_with_peepholes"), lstm,
             "node 'node_0': operator LSTM has peephole weights, which OpenVINO ignores"),
            ("silero_vad/silero_vad.onnx", silero,
             "node 'If_0_then_branch__Inline_0__/decoder/decoder/2/Conv': OpenVINO cannot run operator Conv: "
             "The input data tensor's rank has to be known (static)"),
        ):  # fmt: skip
            folder, arguments = self.driver.feeds(feed)
            done = self.driver("run", MODELS / model, *arguments, "-o", folder / "out")
            self.assertEqual(done.returncode, 1, model)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn(error, done.stderr)
            self.assertFalse((folder / "out").exists())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
