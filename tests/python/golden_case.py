"""The reference's flow on golden cases, in Python with torch; golden_test.py calls it and judges the files.

    python golden_case.py WORK_FOLDER GOLDEN_FOLDER CASE...

Each case has a folder in the work folder. What goes wrong is left there as error.txt.
"""
import json
import pathlib
import shutil
import sys
import traceback

import golden_nets
import numpy as np
import torch

import lathe.amct_pytorch as amct


def run(work, case):
    net = golden_nets.load(work)
    description = json.loads((work / "net.json").read_text())
    inputs, outputs = description["inputs"], description["outputs"]
    axes = {name: {0: "N"} for name in inputs} if description["free"] else None

    def batch(i):
        return tuple(torch.from_numpy(np.load(case / f"calib_{i}_in_{k}.npy")) for k in range(len(inputs)))

    count = len(list(case.glob("calib_*_in_0.npy")))
    example = batch(0)
    names = {name: str(work / name) for name in ("config.json", "record.txt", "modified.onnx")}
    if (case / "quant.cfg").exists():
        amct.create_quant_config(names["config.json"], net, example, config_defination=str(case / "quant.cfg"))
    else:
        amct.create_quant_config(names["config.json"], net, example, batch_num=count)
    if (case / "record_balance.txt").exists():
        measuring = amct.quantize_preprocess(names["config.json"], names["record.txt"], net, batch(0))
        measuring(*batch(0))
        shutil.copyfile(names["record.txt"], work / "record_balance.txt")
    calibrating = amct.quantize_model(
        names["config.json"], names["modified.onnx"], names["record.txt"], net, example, inputs, outputs, axes
    )
    for i in range(count):
        got, want = calibrating(*batch(i)), net(*batch(i))
        for one, other in zip(got, want) if isinstance(got, tuple) else [(got, want)]:
            assert torch.equal(one, other)
    amct.save_model(names["modified.onnx"], names["record.txt"], str(work / "net"))
    amct.save_model(str(case / "modified.onnx"), str(case / "record.txt"), str(work / "golden"))


for name in sys.argv[3:]:
    folder = pathlib.Path(sys.argv[1]) / name
    try:
        run(folder, pathlib.Path(sys.argv[2]) / name)
    except Exception:
        (folder / "error.txt").write_text(traceback.format_exc())
