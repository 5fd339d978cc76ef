"""Checkpoints that PyTorch itself wrote: every byte of every tensor must be what our reader says, and what is not read is
refused by name. Interpreters that are tried for a torch: $LATHE_TORCH_PYTHON, this one, python3.

    python real_torch_test.py DUMP_PROGRAM FOLDER
"""
import itertools
import json
import os
import pathlib
import subprocess
import sys
import unittest

SKIPPED = 77


def find_torch():
    """Goes on in an interpreter that has torch."""
    if "LATHE_TORCH_FOUND" in os.environ:
        return
    candidates = [os.environ.get("LATHE_TORCH_PYTHON"), sys.executable, "python3", "/usr/bin/python3"]
    for python in filter(None, candidates):
        try:
            if subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0:
                os.environ["LATHE_TORCH_FOUND"] = python
                os.execvp(python, [python, *sys.argv])
        except OSError:
            continue
    print("!!! SKIPPED: no Python here has torch (set LATHE_TORCH_PYTHON): real PyTorch checkpoints are NOT tested")
    sys.exit(SKIPPED)


find_torch()

import torch  # noqa: E402

DUMP, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
TYPES = {torch.float32: "f32", torch.float64: "f64", torch.float16: "f16", torch.bfloat16: "bf16", torch.int64: "i64",
         torch.int32: "i32", torch.int16: "i16", torch.int8: "i8", torch.uint8: "u8", torch.bool: "bool",
         torch.complex64: "c64", torch.complex128: "c128"}  # fmt: skip


def content(tensor):
    tensor = tensor.detach().contiguous().reshape(-1)
    if tensor.dtype == torch.bool:
        tensor = tensor.to(torch.uint8)
    return bytes(tensor.view(torch.uint8).tolist()).hex() if tensor.numel() else ""


def described(where, name, tensor):
    return {"dict": where, "name": name, "type": TYPES[tensor.dtype], "dims": list(tensor.shape),
            "bytes": content(tensor)}  # fmt: skip


def all_described(value):
    """Tensors of the root, then those of its dicts."""
    found = [described("", name, entry) for name, entry in value.items() if isinstance(entry, torch.Tensor)]
    for where, entry in value.items():
        if isinstance(entry, dict):
            found += [described(where, name, t) for name, t in entry.items() if isinstance(t, torch.Tensor)]
    return found


def trained():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.ReLU(),
                              torch.nn.Conv2d(8, 4, 1), torch.nn.Flatten(), torch.nn.Linear(4, 5),
                              torch.nn.LSTM(5, 3))  # fmt: skip
    optimizer = torch.optim.Adam(net.parameters())
    for parameter in net.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    return net, optimizer


class RealTorch(unittest.TestCase):
    def dump(self, value, zipped=True, protocol=2):
        path = FOLDER / "checkpoint.pth"
        torch.save(value, path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
        return subprocess.run([DUMP, str(path)], capture_output=True, text=True)

    def check(self, value):
        expected = all_described(value)
        self.assertTrue(expected)
        for zipped, protocol in itertools.product((True, False), (2, 3, 4, 5)):
            with self.subTest(zipped=zipped, protocol=protocol):
                done = self.dump(value, zipped, protocol)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual([json.loads(line) for line in done.stdout.splitlines()], expected)

    def test_state_dict(self):
        self.check(trained()[0].state_dict())

    def test_training_checkpoint(self):
        net, optimizer = trained()
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 3)
        self.check({"epoch": 3, "state_dict": net.state_dict(), "optimizer": optimizer.state_dict(), "best": 0.5,
                    "schedule": schedule.state_dict(), "device": torch.device("cpu"), "dtype": torch.float16,
                    "size": torch.zeros(2, 3).shape})  # fmt: skip

    def test_views(self):
        base = torch.randn(4, 6)
        images = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
        self.check({"base": base, "transposed": base.t(), "sliced": base[1:3, ::2], "repeated": base[0].expand(3, 6),
                    "images": images, "parameter": torch.nn.Parameter(base), "empty": torch.zeros(0, 3),
                    "scalar": torch.tensor(3)})  # fmt: skip

    def test_types(self):
        self.check({str(dtype): (torch.randn(3, 3) * 5).to(dtype) for dtype in TYPES})

    def test_what_is_refused(self):
        refused = {
            "torch.nn.modules.linear.Linear": torch.nn.Linear(2, 2),
            "torch._utils._rebuild_sparse_tensor": {"x": torch.eye(3).to_sparse()},
            "torch._utils._rebuild_qtensor": {"x": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)},
        }
        for name, value in refused.items():
            for zipped in (True, False):
                with self.subTest(name=name, zipped=zipped):
                    done = self.dump(value, zipped)
                    self.assertEqual(done.returncode, 1)
                    self.assertIn(f"'{name}' is not read", done.stderr)

    def test_a_script_is_no_checkpoint(self):
        path = FOLDER / "script.pt"
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
        done = subprocess.run([DUMP, str(path)], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr.strip()),
                         (1, f"{path}: it is a TorchScript program, not a checkpoint"))  # fmt: skip


if __name__ == "__main__":
    print("torch", torch.__version__)
    FOLDER.mkdir(parents=True, exist_ok=True)
    unittest.main(argv=sys.argv[:1])
