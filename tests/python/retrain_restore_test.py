"""Quantisation-aware training across processes: checkpoints, data-parallel training.

    python retrain_restore_test.py WORK_FOLDER        PYTHONPATH names the folder that holds the package; needs torch
"""
import pathlib
import subprocess
import sys
import unittest

import torch
from torch import nn

import lathe
import lathe.amct_pytorch as amct
from retrain_case import Case, Net, batches, train

HERE = pathlib.Path(__file__).resolve().parent
PROCESS = """
import os, sys, torch
sys.argv, sys.path = ["", "."], [{folder!r}, *sys.path]
from retrain_case import Net, amct, batches
torch.distributed.init_process_group("gloo", init_method="file://" + os.path.abspath("meeting"), rank={rank}, world_size=2)
model = amct.create_quant_retrain_model("config.json", Net(), "record{rank}.txt", batches(1)[0]).train()
model(batches(2)[{rank}])
torch.save(model.state_dict(), "rank{rank}.pth")
"""


class DataParallel(Case):
    def test_processes_agree_on_clips(self):
        self.config()
        scripts = [PROCESS.format(folder=str(HERE), rank=rank) for rank in (0, 1)]
        processes = [subprocess.Popen([sys.executable, "-c", script]) for script in scripts]
        self.assertEqual([each.wait() for each in processes], [0, 0])
        one, other = (torch.load(f"rank{rank}.pth") for rank in (0, 1))
        name = "conv1.quant_module.acts_clip_max"
        self.assertEqual(float(one[name]), float(other[name]))
        model = self.create().train()
        model(batches(1)[0])
        self.assertNotEqual(float(one[name]), float(model.conv1.quant_module.acts_clip_max))


RESTORE = """
import sys, torch
sys.argv, sys.path = ["", "."], [{folder!r}, *sys.path]
from retrain_case import Net, amct, batches
net = Net()
data = batches(1)[0]
model = amct.restore_quant_retrain_model("config.json", net, "again.txt", data, {pth!r}, {name!r})
torch.save(model.eval()(data), "answers.pt")
amct.save_quant_retrain_model("config.json", model, "again.txt", "again", data)
"""


class Restore(Case):
    def trained(self):
        self.config()
        model = train(self.create())
        torch.save({"state_dict": model.state_dict(), "epoch": 3}, "trained.pth")
        return model

    def restore(self, pth="trained.pth", name="state_dict", net=None):
        return amct.restore_quant_retrain_model("config.json", net or Net(), "record.txt", self.data, pth, name)

    def test_another_process_computes_the_same(self):
        model = self.trained()
        answers = model.eval()(self.data)
        amct.save_quant_retrain_model("config.json", model, "record.txt", "net", self.data)
        script = RESTORE.format(folder=str(HERE), pth="trained.pth", name="state_dict")
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(torch.equal(torch.load("answers.pt"), answers))
        for one, other in (("record.txt", "again.txt"), ("net_deploy_model.onnx", "again_deploy_model.onnx"),
                           ("net_fake_quant_model.onnx", "again_fake_quant_model.onnx")):  # fmt: skip
            self.assertEqual(pathlib.Path(one).read_bytes(), pathlib.Path(other).read_bytes(), one)

    def test_training_goes_on_alike(self):
        model = self.trained()
        restored = self.restore()
        self.assertEqual([name for name, _ in model.named_parameters()], [name for name, _ in restored.named_parameters()])
        for each in (model, restored):
            train(each, 1)
        for (name, one), other in zip(model.state_dict().items(), restored.state_dict().values()):
            self.assertTrue(torch.equal(one.nan_to_num(7), other.nan_to_num(7)), name)

    def test_data_parallel_prefix(self):
        model = self.trained()
        torch.save({f"module.{name}": value for name, value in model.state_dict().items()}, "wrapped.pth")
        restored = self.restore("wrapped.pth", None)
        for name, value in restored.state_dict().items():
            self.assertTrue(torch.equal(value.nan_to_num(7), model.state_dict()[name].nan_to_num(7)), name)
        wrapped = self.restore(net=nn.DataParallel(Net()))
        self.assertTrue(torch.equal(wrapped.module.eval()(self.data), model.eval()(self.data)))
        wrapped.eval()(self.data)
        amct.save_quant_retrain_model("config.json", wrapped, "record.txt", "net", self.data)

    def test_refusals(self):
        model = self.trained()
        self.raises(lathe.Error, "no.pth: restore_quant_retrain_model: pth_file does not exist", self.restore, "no.pth")
        self.raises(TypeError, "restore_quant_retrain_model: state_dict_name must be str or None, not int", self.restore,
                    "trained.pth", 1)  # fmt: skip
        for name, text in (
            (None, "its tensors stand in dicts: 'state_dict' (79 tensors) (name the state dict: --state-dict-name NAME, in "
                   "Python state_dict_name)"),
            ("model", "there is no state dict 'model'; it has 'state_dict' (79 tensors)"),
            ("epoch", "'epoch' is an integer, not a state dict; it has 'state_dict' (79 tensors)"),
        ):  # fmt: skip
            self.raises(lathe.Error, f"trained.pth: {text}", self.restore, name=name)
        torch.save(self.net.state_dict(), "float.pth")
        with self.assertRaisesRegex(lathe.Error, "^float.pth: the keys do not match the model's: 79 missing: 'conv1.scale_w'"):
            self.restore("float.pth", None)
        state = model.state_dict()
        state["fc.quant_module.replaced_module.bias"] = torch.zeros(7)
        del state["conv2.scale_w"]
        state["surplus"] = torch.zeros(1)
        torch.save(state, "changed.pth")
        self.raises(lathe.Error, "changed.pth: the keys do not match the model's: 1 missing: 'conv2.scale_w'; 1 extra: 'surplus'; "
                    "1 misshapen: 'fc.quant_module.replaced_module.bias' is f32[7], not f32[5]",
                    self.restore, "changed.pth", None)  # fmt: skip
        pathlib.Path("text.pth").write_text("no checkpoint")
        self.raises(lathe.Error, "text.pth: it is no checkpoint that is read: neither PyTorch's .pth, nor safetensors, .npz or "
                    "ONNX", self.restore, "text.pth")  # fmt: skip


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
