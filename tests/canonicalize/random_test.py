"""Random nets mean after clean-up what they meant before.

    python random_test.py LATHE SOURCE_FOLDER WORK_FOLDER FIRST COUNT [--passes PIPELINE] [--reduce]

Nets that fail stay in WORK_FOLDER as SEED.onnx; --reduce also writes the smallest part of each that fails.
"""
import pathlib
import shutil
import sys

import onnx
from conditioning import reachable
from harness import EXACT, Harness, arguments
from random_nets.make import make

# Of the nets, at least these have to load and run before, or the test tests nothing.
SHARE_THAT_RUNS = 0.95


def check(harness, name, model, feeds, rounded):
    path = harness.work / f"{name}.onnx"
    onnx.save(model, path)
    report = harness.check(path, feeds)
    if report.problems and report.ran and all(" dB, want " in problem for problem in report.problems):
        limit = reachable(model, rounded, feeds)
        if limit < EXACT:
            report = harness.check(path, feeds, limit)
    return report


def parts(model):
    """The model up to each node, with that node's first output as the only one: smallest first."""
    for end in range(len(model.graph.node)):
        last = model.graph.node[end]
        needed, kept = set(last.output), []
        for node in reversed(model.graph.node[: end + 1]):
            if needed & set(node.output):
                kept.insert(0, node)
                needed |= set(names_read(node))
        part = onnx.ModelProto()
        part.CopyFrom(model)
        del part.graph.node[:], part.graph.output[:]
        part.graph.node.extend(kept)
        for each in list(part.graph.initializer):
            if each.name not in needed:
                part.graph.initializer.remove(each)
        types = {each.name: each for each in onnx.shape_inference.infer_shapes(model).graph.value_info}
        types |= {each.name: each for each in model.graph.output}
        outputs = [types[name] for name in last.output if name in types]
        for output in outputs:
            for dim in output.type.tensor_type.shape.dim:
                if dim.dim_param.startswith("unk__"):
                    dim.Clear()
        if outputs:
            part.graph.output.extend(outputs)
            yield part


def names_read(node):
    yield from node.input
    for attribute in node.attribute:
        if attribute.HasField("g"):
            for inner in attribute.g.node:
                yield from names_read(inner)
            yield from (each.name for each in attribute.g.output)


def reduced(harness, seed, model, feeds, rounded):
    for part in sorted(parts(model), key=lambda each: len(each.graph.node)):
        report = check(harness, f"{seed}.part", part, feeds, rounded)
        if report.problems:
            return f"    {len(part.graph.node)} nodes: " + "; ".join(report.problems) + "\n" + onnx.printer.to_text(part)
    return "    no part of it fails alone"


def main():
    reduce = "--reduce" in sys.argv and not sys.argv.remove("--reduce")
    options = arguments(__doc__, "first", "count")
    shutil.rmtree(options.work, ignore_errors=True)
    harness = Harness(options.lathe, pathlib.Path(options.work), options.passes)
    first, count = int(options.first), int(options.count)
    ran = failed = before = after = 0
    for seed in range(first, first + count):
        model, feeds, rounded = make(seed)
        report = check(harness, seed, model, feeds, rounded)
        ran += report.ran
        before, after = before + report.nodes[0], after + report.nodes[1]
        if report.problems:
            failed += 1
            print(f"seed {seed}: {report}", *report.problems, sep="\n    ", flush=True)
            if reduce:
                print(reduced(harness, seed, model, feeds, rounded), flush=True)
            continue
        for file in harness.work.glob(f"{seed}.*"):
            file.unlink()
    print(f"{count} nets, {ran} run by ONNX Runtime, {failed} failed; {before} nodes became {after}")
    if ran < SHARE_THAT_RUNS * count:
        print("too few of the nets run")
        failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
