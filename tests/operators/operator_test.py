"""Every model of the onnx package's own operator tests: exported as it was read, and run right or refused.

    python operator_test.py LATHE WORK_FOLDER [--every N]

With --every N only each Nth model is run (all are exported): running them all takes some minutes.
"""
import argparse
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import warnings

import numpy as np
import onnx
from onnx.backend.test.case.node import collect_testcases

# What is left to chance: the tests' values come from numpy's generators or from a seed that no standard defines.
RANDOM = ("test_bernoulli", "test_dropout_default", "test_dropout_random_old", "test_training_dropout")
# What OpenVINO is known to compute otherwise, where no operator can be named before it runs. These may only differ.
KNOWN = {
    # A row of Softmax that is masked whole gives NaN; the functions that define these Attentions ask for zeros.
    "test_attention_causal_boolmask_nan_robustness_expanded",
    "test_attention_23_boolmask_fullymasked_row_nan_robustness_expanded",
    "test_attention_4d_causal_nonpad_negative_offset_structural_empty_expanded",
    "test_attention_23_fullymasked_qk_matmul_output_mode3_zero_expanded",
    "test_attention_24_fullymasked_qk_matmul_output_mode3_zero_expanded",
    "test_attention_24_qk_matmul_output_mode3_softmax_precision_expanded",
    "test_attention_local_window_gqa_rank4_mask_expanded",
    # It multiplies by the reciprocal of the scale, so one value on a rounding edge is one step off.
    "test_dynamicquantizelinear",
    "test_dynamicquantizelinear_expanded",
    # A box is dropped where its overlap is the threshold itself.
    "test_nonmaxsuppression_iou_threshold_boundary",
    # The maximum of nothing is the smallest finite number, not minus infinity.
    "test_reduce_max_empty_set",
    # Corners are aligned by whole extents; refused where the scales are constant, which these are not.
    "test_resize_downsample_scales_linear_align_corners",
    "test_resize_downsample_scales_cubic_align_corners",
}
OLDEST_OPSET = 7


def arguments_of(case, folder):
    """The options that feed a case's inputs, or None when one of them is no tensor of numbers."""
    arguments = []
    for value, array in zip(case.model.graph.input, case.data_sets[0][0]):
        if not isinstance(array, np.ndarray) and not np.isscalar(array):
            return None
        array = np.asarray(array)
        if array.dtype.kind not in "fiub":
            return None
        file = folder / f"in_{len(arguments)}.npy"
        np.save(file, array)
        arguments += ["-i", f"{value.name}={file}"]
    return arguments


def difference(case, outputs):
    """What is wrong with the arrays written to a folder; None when nothing is."""
    for value, want in zip(case.model.graph.output, case.data_sets[0][1]):
        got, want = np.load(outputs / f"{value.name.replace('/', '_')}.npy"), np.asarray(want)
        if got.shape != want.shape:
            return f"'{value.name}' has shape {got.shape}, want {want.shape}"
        if want.dtype.kind == "b":
            right = np.array_equal(got, want)
        else:
            right = np.allclose(got.astype("f8"), want.astype("f8"), rtol=1e-3, atol=1e-5, equal_nan=True)
        if not right:
            return f"'{value.name}' has other values"
    return None


def check(lathe, work, case, is_run):
    """(kind of result, what there is to say)"""
    folder = work / case.name
    folder.mkdir(parents=True)
    model, copy = folder / "model.onnx", folder / "copy.onnx"
    onnx.save(case.model, model)
    done = subprocess.run([lathe, "opt", model, "--passes", "", "-o", copy], capture_output=True, text=True)
    if done.returncode != 0:
        opset = next(i.version for i in case.model.opset_import if i.domain in ("", "ai.onnx"))
        if opset < OLDEST_OPSET and f"operator set {opset} is not supported" in done.stderr:
            return "too old", ""
        return "FAILED", f"opt: {done.stderr.strip()}"
    if onnx.load(copy) != case.model:
        return "FAILED", "the exported model is another one"
    feeds = arguments_of(case, folder) if is_run and not case.name.startswith(RANDOM) else None
    if feeds is None:
        return "exported", ""
    done = subprocess.run([lathe, "run", model, *feeds, "-o", folder / "out"], capture_output=True, text=True)
    if done.returncode == 1 and done.stderr.startswith("lathe: error: "):
        return "refused", done.stderr.strip()
    if done.returncode != 0:
        return "FAILED", f"run: exit status {done.returncode}: {done.stderr.strip()}"
    wrong = difference(case, folder / "out")
    if case.name in KNOWN:
        return ("known", wrong) if wrong else ("FAILED", "run: right, so it is no longer one of KNOWN")
    return ("FAILED", f"run: {wrong}") if wrong else ("right", "")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lathe")
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    shutil.rmtree(options.work, ignore_errors=True)
    warnings.filterwarnings("ignore")
    cases = [case for case in collect_testcases(None) if case.model is not None]
    counts, failures = {}, []
    every = 1 if os.environ.get("LATHE_BIG_TESTS") else options.every
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(check, options.lathe, options.work, c, i % every == 0) for i, c in enumerate(cases)]
        for case, job in zip(cases, jobs):
            kind, what = job.result()
            counts[kind] = counts.get(kind, 0) + 1
            if kind != "exported" and kind != "right":
                print(f"{case.name}: {kind} {what}")
            if kind == "FAILED":
                failures.append(case.name)
            shutil.rmtree(options.work / case.name)
    print(f"{len(cases)} models:", ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))
    if len(cases) < 1500 or not counts.get("right"):
        sys.exit("the onnx package has fewer operator tests than it had")
    sys.exit(f"{len(failures)} failed: {' '.join(failures)}" if failures else 0)


main()
