"""The other quantisers: each takes a prepared float model and feeds, and returns a model of QuantizeLinear pairs."""
import contextlib
import logging
import os

import nncf
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

OPSET = 13
OPERATORS = ["Conv", "Gemm", "MatMul"]


class Feeds(CalibrationDataReader):
    def __init__(self, feeds):
        self.feeds = iter(feeds)

    def get_next(self):
        return next(self.feeds, None)


def prepare(source, target):
    """What the peers can read: opset 13 or later, no initializer among the inputs, and cleaned up by ONNX Runtime's
    own pre-processing, which folds BatchNormalization."""
    model = onnx.load(source)
    constants = {each.name for each in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    if model.opset_import[0].version < OPSET:
        # The converter asks for IR version 3's inputs, so they go afterwards.
        model = onnx.version_converter.convert_version(model, OPSET)
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 7)
    lifted = target.with_suffix(".lifted.onnx")
    onnx.save(model, lifted)
    quant_pre_process(str(lifted), str(target), skip_symbolic_shape=True)


def onnx_runtime(method):
    def quantize(prepared, feeds, folder):
        target = folder / f"{method}.onnx"
        quantize_static(str(prepared), str(target), Feeds(feeds), per_channel=True, op_types_to_quantize=OPERATORS,
                        activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
                        calibrate_method=CalibrationMethod[method])  # fmt: skip
        return target

    return quantize


def nncf_on_onnx(prepared, feeds, folder):
    """With its defaults: symmetric activations and its fast bias correction."""
    model = nncf.quantize(onnx.load(prepared), nncf.Dataset(feeds), subset_size=len(feeds))
    target = folder / "nncf.onnx"
    onnx.save(model, target)
    return target


PEERS = {
    "ONNX Runtime MinMax": onnx_runtime("MinMax"),
    "ONNX Runtime Entropy": onnx_runtime("Entropy"),
    "ONNX Runtime Percentile": onnx_runtime("Percentile"),
    "NNCF": nncf_on_onnx,
}
VERSIONS = f"ONNX Runtime {onnxruntime.__version__}, NNCF {nncf.__version__}"


def quantize(method, prepared, feeds, folder):
    nncf.set_log_level(logging.ERROR)
    # Both narrate on standard output, where the table goes.
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        return PEERS[method](prepared, feeds, folder)
