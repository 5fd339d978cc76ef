"""What `lathe quantize` is compared with, as one process: ONNX Runtime's static quantisation, or bare float inference.

    python onnxruntime_quantize.py MinMax|Entropy|Percentile|inference MODEL.onnx OUT.onnx BATCH.npy...

int8 weights per channel and int8 activations, calibrated on the batches, which are held in memory. For `inference`
nothing is written and the line `seconds N` gives the time of the runs alone. MODEL is what ONNX Runtime's own
pre-processing made of the float model.
"""
import sys
import time

import numpy as np
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType, quantize_static

INPUT = "image"


class Batches(CalibrationDataReader):
    def __init__(self, paths):
        self.batches = iter([{INPUT: np.load(path)} for path in paths])

    def get_next(self):
        return next(self.batches, None)


def infer(model, paths):
    batches = [np.load(path) for path in paths]
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    start = time.perf_counter()
    for batch in batches:
        session.run(None, {INPUT: batch})
    print(f"seconds {time.perf_counter() - start}")


def main():
    what, model, output, *paths = sys.argv[1:]
    if what == "inference":
        infer(model, paths)
        return
    quantize_static(model, output, Batches(paths), per_channel=True, activation_type=QuantType.QInt8,
                    weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod[what])


if __name__ == "__main__":
    main()
