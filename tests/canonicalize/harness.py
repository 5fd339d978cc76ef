"""Whether `lathe opt` kept the meaning of a model: everything that must be as it was, judged by ONNX Runtime with its
optimisations off, by onnx's checker, and by comparing files."""
import argparse
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "models"))
from real_models import Driver, decibels  # noqa: E402

# The pipeline under test, for all tests of this folder.
PIPELINE = "canonicalize"

EXACT = 100.0
# A half has 11 bits: one rounding of each element is an error of about 73 dB, and a fused weight rounds once more.
HALF = 50.0

onnxruntime.set_default_logger_severity(4)


def session(model):
    """ONNX Runtime's session of a file or of bytes, nothing optimised; raises when it does not load."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def failure(action, *arguments, **named):
    """The first line of what it raises, or None."""
    try:
        action(*arguments, **named)
    except Exception as error:  # noqa: BLE001 - whatever the packages raise is the answer
        return (str(error) or type(error).__name__).splitlines()[0]
    return None


def compare(want, got, limit=EXACT):
    """(decibels, problem): what a run gave beside what it should give; the problem is None where they agree.

    Floats agree to `limit` dB with NaN and infinities in the same places, everything else exactly. Sequences agree
    element by element.
    """
    if isinstance(want, list) and isinstance(got, list):
        if len(want) != len(got):
            return -np.inf, f"{len(got)} elements, want {len(want)}"
        results = [compare(*pair, limit) for pair in zip(want, got)] or [(np.inf, None)]
        return min(results, key=lambda result: (result[1] is None, result[0]))
    if not (isinstance(want, np.ndarray) and isinstance(got, np.ndarray)):
        same = type(want) is type(got) and want == got
        return (np.inf, None) if same else (-np.inf, f"{got!r}, want {want!r}")
    if (want.dtype, want.shape) != (got.dtype, got.shape):
        return -np.inf, f"{got.dtype}{list(got.shape)}, want {want.dtype}{list(want.shape)}"
    if want.dtype.kind != "f":
        wrong = int((want != got).sum())
        return (-np.inf, f"{wrong} of {want.size} elements differ") if wrong else (np.inf, None)
    finite = np.isfinite(want)
    if not np.array_equal(want[~finite], got[~finite], equal_nan=True) or not np.isfinite(got[finite]).all():
        return -np.inf, "infinities or NaN in other places"
    with np.errstate(divide="ignore"):
        found = decibels(want[finite], got[finite])
    limit = min(limit, HALF) if want.dtype == np.float16 else limit
    return found, None if found >= limit else f"{found:.1f} dB, want {limit:.1f}"


def refines(was, now):
    """Whether the type `now` says all that `was` says: what was left open may have become known."""
    kind = was.WhichOneof("value")
    if kind != now.WhichOneof("value"):
        return False
    if kind in ("sequence_type", "optional_type"):
        return refines(getattr(was, kind).elem_type, getattr(now, kind).elem_type)
    if kind != "tensor_type":
        return was == now
    was, now = was.tensor_type, now.tensor_type
    if was.elem_type != now.elem_type or was.HasField("shape") and not now.HasField("shape"):
        return False
    if not was.HasField("shape"):
        return True
    said = [(a, b) for a, b in zip(was.shape.dim, now.shape.dim) if a.WhichOneof("value")]
    return len(was.shape.dim) == len(now.shape.dim) and all(a == b for a, b in said)


def interface(model, kind):
    """The graph's inputs or outputs: types by name. Before IR version 4 the weights are inputs by necessity."""
    weights = {each.name for each in model.graph.initializer} if kind == "input" and model.ir_version < 4 else set()
    return {each.name: each.type for each in getattr(model.graph, kind) if each.name not in weights}


def interface_problems(before, after):
    problems = []
    for kind in ("input", "output"):
        was, now = interface(before, kind), interface(after, kind)
        if list(was) != list(now):
            problems.append(f"{kind}s are {list(now)}, were {list(was)}")
        for name in was:
            if name in now and not refines(was[name], now[name]):
                texts = [str(each).replace("\n", " ") for each in (now[name], was[name])]
                problems.append(f"{kind} '{name}' has the type {texts[0]}, had {texts[1]}")
    return problems


class Report:
    def __init__(self):
        self.problems = []
        self.decibels = np.inf
        # ONNX Runtime loaded and ran the model before: without it, only files were compared.
        self.ran = False
        self.not_run = None
        self.nodes = (0, 0)

    def __str__(self):
        ran = f"{self.decibels:.1f} dB" if self.ran else "not run"
        return f"{self.nodes[0]} -> {self.nodes[1]} nodes, {ran}"


class Harness:
    """Runs the pipeline on models, and finds what is wrong with the result. Files are written to `work`."""

    def __init__(self, lathe, work, passes=PIPELINE):
        self.driver = Driver(lathe, work)
        self.work = pathlib.Path(work)
        self.work.mkdir(parents=True, exist_ok=True)
        self.passes = passes

    def opt(self, model, output, threads):
        """What went wrong, or None."""
        output.unlink(missing_ok=True)
        done = self.driver("--threads", threads, "opt", model, "-o", output, "--passes", self.passes)
        if done.returncode == 0 and output.exists():
            return None
        return f"lathe opt: exit status {done.returncode}: {done.stderr.strip() or 'no output file'}"

    def check(self, model, feeds, limit=EXACT):
        """A Report of what the pipeline does to the file `model`. `feeds`: inputs by name, one dict a run."""
        report = Report()
        model = pathlib.Path(model)
        original = model.read_bytes()
        output = self.work / f"{model.stem}.out.onnx"
        problem = self.opt(model, output, 1)
        if problem:
            report.problems.append(problem)
            return report
        optimised = output.read_bytes()
        if model.read_bytes() != original:
            report.problems.append("the input file was changed")
        report.problems += self.repetition_problems(model, output, optimised)

        before, after = onnx.load_from_string(original), onnx.load_from_string(optimised)
        report.nodes = (len(before.graph.node), len(after.graph.node))
        report.problems += interface_problems(before, after)
        for full in (True, False):
            if failure(onnx.checker.check_model, str(model), full_check=full) is None:
                problem = failure(onnx.checker.check_model, str(output), full_check=full)
                if problem:
                    report.problems.append(f"onnx's checker refuses it: {problem}")
                break
        self.run(model, output, feeds, limit, report)
        return report

    def repetition_problems(self, model, output, optimised):
        """The same bytes for any number of threads, and nothing to do the second time."""
        problems = []
        again = self.work / f"{model.stem}.again.onnx"
        for threads in (2, 8):
            problem = self.opt(model, again, threads)
            if problem is None and again.read_bytes() != optimised:
                problem = "other bytes"
            if problem:
                problems.append(f"with {threads} threads: {problem}")
        problem = self.opt(output, again, 1)
        if problem is None and again.read_bytes() != optimised:
            problem = "the second run changes the result of the first"
        return problems + ([problem] if problem else [])

    def run(self, model, output, feeds, limit, report):
        try:
            first = session(str(model))
            wanted = [first.run(None, feed) for feed in feeds]
        except Exception as error:  # noqa: BLE001 - what did not run before need not run after
            report.not_run = str(error).splitlines()[0]
            return
        report.ran = bool(wanted)
        try:
            second = session(str(output))
        except Exception as error:  # noqa: BLE001
            report.problems.append(f"ONNX Runtime does not load it any more: {str(error).splitlines()[0]}")
            return
        for number, (feed, want) in enumerate(zip(feeds, wanted)):
            try:
                got = second.run(None, feed)
            except Exception as error:  # noqa: BLE001
                report.problems.append(f"ONNX Runtime does not run it any more: {str(error).splitlines()[0]}")
                return
            for value, *pair in zip(first.get_outputs(), want, got):
                found, problem = compare(*pair, limit)
                report.decibels = min(report.decibels, found)
                if problem:
                    report.problems.append(f"run {number}, output '{value.name}': {problem}")


def arguments(description, *more):
    """The command line that the tests of this folder share: LATHE SOURCE WORK, then what `more` names."""
    parser = argparse.ArgumentParser(description=description)
    for name in ("lathe", "source", "work", *more):
        parser.add_argument(name, **({"nargs": "*"} if name.endswith("s") else {}))
    parser.add_argument("--passes", default=PIPELINE, help="another pipeline, to look for who did it")
    return parser.parse_args()
