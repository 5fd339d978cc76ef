"""Memory of `lathe quantize` beside that of running the float model, with and without a limit; prints Markdown.

    python run.py [--lathe build/bin/lathe] [--output TABLE.md] [--only NETWORK...]

Columns: peak of `lathe run` on the float model with one batch; of `lathe quantize` with two batches; what
`lathe quantize --max-memory` says the job takes at least, and the peak when it is given just that. Fails when a limit
is not kept or changes a result. Peaks are resident memory as the system counts it.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "ptq")]
import make_model  # noqa: E402
import make_nets  # noqa: E402
from measure import in_child, measure  # noqa: E402

CLASSIFIERS = ("resnet50", "mobilenetv2")
BATCH = 4


def make(name, model, folder):
    if name not in CLASSIFIERS:
        make_nets.make(name, model, folder)
        return
    make_model.make(name, model)
    folder.mkdir()
    for i in range(2):
        np.savez(folder / f"{i}.npz", image=make_model.images(BATCH, 1 + i))


def split(batch, folder):
    """`lathe run` takes a file for each input."""
    folder.mkdir()
    for name, array in np.load(batch).items():
        np.save(folder / f"{name}.npy", array)


def results(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def row(lathe, name, folder):
    model, data = folder / f"{name}.onnx", folder / "data"
    in_child(make, name, model, data)
    in_child(split, data / "0.npz", folder / "inputs")
    inputs = [option for path in sorted((folder / "inputs").iterdir()) for option in ("-i", f"{path.stem}={path}")]
    command = lambda out, *rest: [lathe, "quantize", model, "-d", *sorted(data.iterdir()), "-o", folder / out / "net", *rest]
    peaks = [measure([lathe, "run", model, *inputs, "-o", folder / "run"])[1], measure(command("free"))[1]]
    refused = subprocess.run([str(each) for each in command("none", "--max-memory", "1M")], capture_output=True, text=True)
    found = re.search(r"at least ([\d.]+) MB", refused.stderr)
    if found is None:
        sys.exit(f"{name}: no limit was named:\n{refused.stderr}")
    least = int(float(found[1]) * 1e6) + 100_000
    limited = measure(command("limited", "--max-memory", least))[1]
    in_child(check, name, folder, limited, least)
    return [*peaks, least, limited]


def check(name, folder, peak, limit):
    if peak > limit:
        raise RuntimeError(f"{name}: {peak} bytes at the peak, {limit} were allowed")
    if results(folder / "free") != results(folder / "limited"):
        raise RuntimeError(f"{name}: the limit changed a result")


def main():
    names = [*CLASSIFIERS, *make_nets.NETWORKS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lathe", type=pathlib.Path, default=HERE.parent.parent / "build/bin/lathe")
    parser.add_argument("--output", type=pathlib.Path, metavar="TABLE.md", help="also write the table here")
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    arguments = parser.parse_args()
    lines = ["| | float, one batch | quantize | more | least limit | peak with it |", "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for name in arguments.only:
        with tempfile.TemporaryDirectory(prefix="lathe-benchmark-") as folder:
            run, free, least, limited = row(arguments.lathe, name, pathlib.Path(folder))
        sizes = " | ".join(f"{size / 1e6:.0f} MB" for size in (run, free, free - run, least, limited))
        lines.append(f"| {name} | {sizes} |")
        print(lines[-1], file=sys.stderr)
    text = "\n".join(lines) + "\n"
    print(text, end="")
    if arguments.output:
        arguments.output.write_text(text)


if __name__ == "__main__":
    main()
