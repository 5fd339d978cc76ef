"""One process of another tool that cleans a graph up.

    python simplify.py onnxsim|onnxruntime IN.onnx OUT.onnx
"""
import sys


def with_onnxsim(source, target):
    import onnx
    import onnxsim
    simplified, _ = onnxsim.simplify(onnx.load(source))
    onnx.save(simplified, target)


def with_onnxruntime(source, target):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = target
    options.log_severity_level = 3
    onnxruntime.InferenceSession(source, options)


if __name__ == "__main__":
    {"onnxsim": with_onnxsim, "onnxruntime": with_onnxruntime}[sys.argv[1]](*sys.argv[2:])
