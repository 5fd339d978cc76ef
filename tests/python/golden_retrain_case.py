"""The reference's flow of training on golden cases, in Python with torch; golden_retrain_test.py judges the files.

    python golden_retrain_case.py WORK_FOLDER GOLDEN_FOLDER CASE...

Each case has a folder in the work folder. What goes wrong is left there as error.txt.
"""
import json
import pathlib
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
    config, record, checkpoint = str(work / "config.json"), str(work / "record.txt"), str(case / "retrained.pth")
    data = torch.from_numpy(np.load(case / "train_0_in_0.npy"))
    cfg = case / "quant.cfg"
    amct.create_quant_retrain_config(config, net, data, str(cfg) if cfg.exists() else None)

    created = amct.create_quant_retrain_model(config, net, record, data)
    assert pathlib.Path(record).read_bytes() == b""
    state = torch.load(checkpoint)["state_dict"]
    assert list(created.state_dict()) == list(state), "other keys, or another order"
    created.load_state_dict(state, strict=True)

    restored = amct.restore_quant_retrain_model(config, net, record, data, checkpoint, "state_dict")
    for name, value in restored.state_dict().items():
        assert torch.equal(value.nan_to_num(7), state[name].nan_to_num(7)), name
    image = torch.from_numpy(np.load(case / "infer_in_0.npy"))
    with torch.no_grad():
        answer = restored.eval()(image)
        assert torch.equal(answer, created.eval()(image)), "restored and created models differ"
    np.save(work / "answer.npy", answer.numpy())
    for name, value in restored.state_dict().items():
        if name.endswith(("scale_w", "acts_scale", "acts_offset", "acts_clip_max", "acts_clip_min")):
            assert torch.allclose(value, state[name], rtol=1e-6, atol=0), name
    amct.save_quant_retrain_model(config, restored, record, str(work / "net"), data, inputs, outputs, axes)


for name in sys.argv[3:]:
    folder = pathlib.Path(sys.argv[1]) / name
    try:
        run(folder, pathlib.Path(sys.argv[2]) / name)
    except Exception:
        (folder / "error.txt").write_text(traceback.format_exc())
