"""NNCF's post-training quantisation, as one process.

    python nncf_quantize.py MODEL.onnx OUT.onnx BATCH.npy...

Its defaults, calibrated on all batches, which are held in memory.
"""
import logging
import sys

import nncf
import numpy as np
import onnx

INPUT = "image"


def main():
    model, output, *paths = sys.argv[1:]
    nncf.set_log_level(logging.ERROR)
    data = nncf.Dataset([{INPUT: np.load(path)} for path in paths])
    onnx.save(nncf.quantize(onnx.load(model), data, subset_size=len(paths)), output)


if __name__ == "__main__":
    main()
