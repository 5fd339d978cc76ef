"""Real networks mean after clean-up what they meant before, on the data that lie beside them.

    python models_test.py LATHE SOURCE_FOLDER WORK_FOLDER MODEL... [--passes PIPELINE]
    python models_test.py LATHE SOURCE_FOLDER WORK_FOLDER --listed MODEL...

MODEL is a key of MODELS. --listed checks that these are all models that there are. Skipped when the folder is missing.
"""
import pathlib
import shutil
import sys

import numpy as np
import onnx
from harness import Harness, arguments
from real_models import mnist_conv_bn_input, mnist_images, require_models


class Data:
    """What lies beside the models, as inputs by name: one dict a run."""

    def __init__(self, models):
        self.models = models

    def arrays(self, name, *files):
        """Files of one input."""
        return [{name: np.load(self.models / file)} for file in files]

    def tensors(self, folder, model):
        """input_0.pb, input_1.pb...: for each input of the model, whatever its type."""
        readers = {
            "tensor_type": (onnx.TensorProto, onnx.numpy_helper.to_array),
            "sequence_type": (onnx.SequenceProto, onnx.numpy_helper.to_list),
            "optional_type": (onnx.OptionalProto, onnx.numpy_helper.to_optional),
        }
        feed, graph = {}, onnx.load(model).graph
        weights = {each.name for each in graph.initializer}
        for i, value in enumerate(each for each in graph.input if each.name not in weights):
            message, convert = readers[value.type.WhichOneof("value")]
            proto = message.FromString((folder / f"input_{i}.pb").read_bytes())
            feed[value.name] = convert(proto)
        return feed

    def mnist_conv_bn(self, _):
        return [{"input.1": mnist_conv_bn_input(each)[None, None]} for each in mnist_images(self.models)[:5]]

    def mnist_8(self, model):
        feeds = [{"Input3": each[None, None]} for each in mnist_images(self.models)[:5]]
        folders = sorted(model.parent.glob("mnist-8_test_data_set_*"))
        return feeds + [self.tensors(folder, model) for folder in folders]

    def squeezenet(self, model):
        feeds = self.arrays("data_0", *(f"squeezenet1.1/input_{each}.npy" for each in ("0_goldfish", "1_mushroom")))
        half = "fp16" in model.stem.split("_from")[0]
        return [{"data_0": feed["data_0"].astype(np.float16 if half else np.float32)} for feed in feeds]

    def shufflenet(self, _):
        return self.arrays("input", *(f"shufflenet_v2_qdq/input_{each}.npy" for each in ("0_goldfish", "1_mushroom")))

    def ultraface(self, _):
        return self.arrays("input", *(f"ultraface_rfb320/input_{each}.npy" for each in ("0_face03", "1_face20")))

    def yolox(self, _):
        return self.arrays("images", "yolox_nano/input_0_street0.npy")

    def mobilefacenet(self, _):
        return self.arrays("input0", "mobilefacenet/input_face_0.npy")

    def ppocr(self, _):
        batches = np.load(self.models / "ppocr_cls/inputs_8x1x3x48x192.npy")
        return [{"x": batches[0]}, {"x": batches[1:4, 0]}]

    def vittrack(self, _):
        template = np.load(self.models / "vittrack/template.npy")
        files = sorted((self.models / "vittrack").glob("search_*.npy"))
        return [{"template": template, "search": np.load(file)} for file in files]

    def dtln(self, _):
        frames = np.load(self.models / "dtln/input_magnitudes_Nx1x1x257.npy")
        rng = np.random.default_rng(0)
        states = [np.zeros((1, 2, 128, 2), np.float32), rng.uniform(-0.5, 0.5, (1, 2, 128, 2)).astype(np.float32)]
        return [{"input_2": frames[i], "input_3": state} for i, state in enumerate(states)]

    def silero(self, _):
        """Both sampling rates: the branches of an If around everything."""
        frames = np.load(self.models / "silero_vad/input_frames_250x1x576.npy")
        rng = np.random.default_rng(0)
        state = rng.uniform(-0.5, 0.5, (2, 1, 128)).astype(np.float32)
        return [{"input": frame, "state": state, "sr": np.array(rate, np.int64)}
                for frame, rate in ((frames[0], 16000), (frames[100], 16000), (frames[0][:, :288], 8000))]  # fmt: skip

    def silero_16k(self, model):
        return self.silero(model)[:2]

    def control_flow(self, model):
        return [self.tensors(model.parent / "test_data_set_0", model)]


CONTROL_FLOW = (
    "gru_with_initial_bias", "if", "if_opt", "if_seq", "loop11", "loop13_seq", "loop16_seq_none", "lstm_with_peepholes",
    "range_float_type_positive_delta_expanded", "scan9_sum", "scan_sum")  # fmt: skip
MODELS = {
    "mnist_conv_bn": ("mnist_cnn/mnist_conv_bn", Data.mnist_conv_bn),
    "mnist-8": ("mnist_cnn/mnist-8", Data.mnist_8),
    "squeezenet_fp32": ("squeezenet1.1/SqueezeNet_fp32_from_fp16", Data.squeezenet),
    "squeezenet_fp16": ("squeezenet1.1/SqueezeNet_fp16", Data.squeezenet),
    "shufflenet_qdq": ("shufflenet_v2_qdq/shufflenet-v2-12-qdq", Data.shufflenet),
    "ultraface": ("ultraface_rfb320/version-RFB-320", Data.ultraface),
    "ultraface_raw": ("ultraface_rfb320/version-RFB-320_without_postprocessing", Data.ultraface),
    "yolox_nano": ("yolox_nano/yolox_nano", Data.yolox),
    "mobilefacenet": ("mobilefacenet/MobileFaceNet", Data.mobilefacenet),
    "ppocr_cls": ("ppocr_cls/ch_ppocr_mobile_v2.0_cls_infer", Data.ppocr),
    "vittrack": ("vittrack/vitTracker", Data.vittrack),
    "dtln": ("dtln/model_1", Data.dtln),
    "silero_vad": ("silero_vad/silero_vad", Data.silero),
    "silero_vad_ifless": ("silero_vad/silero_vad_op18_ifless", Data.silero_16k),
    **{name: (f"control_flow_nodes/test_{name}/model", Data.control_flow) for name in CONTROL_FLOW},
}


def every_model_is_listed(models, listed):
    there = {str(path.relative_to(models).with_suffix("")) for path in models.rglob("*.onnx")}
    problems = [f"no test of {name}.onnx" for name in sorted(there - {path for path, _ in MODELS.values()})]
    problems += [f"MODELS has {name}, which ctest is not told of" for name in MODELS if name not in listed]
    print(f"{len(there)} models", *problems, sep="\n    ")
    return problems


def main():
    listed = "--listed" in sys.argv and not sys.argv.remove("--listed")
    options = arguments(__doc__, "models")
    models = require_models(options.source)
    if listed:
        sys.exit(1 if every_model_is_listed(models, options.models) else 0)
    shutil.rmtree(options.work, ignore_errors=True)
    harness = Harness(options.lathe, pathlib.Path(options.work), options.passes)
    failed = False
    for name in options.models:
        stem, feeds = MODELS[name]
        model = models / f"{stem}.onnx"
        report = harness.check(model, feeds(Data(models), model))
        if not report.ran:
            report.problems.append(f"ONNX Runtime before: {report.not_run}")
        print(f"{name}: {report}", *report.problems, sep="\n    ", flush=True)
        failed = failed or bool(report.problems)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
