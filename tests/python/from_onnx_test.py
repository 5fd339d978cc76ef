"""lathe.torch: what a module from an ONNX file computes, what is trained, and the way back through the driver.

    python from_onnx_test.py LATHE SOURCE_FOLDER WORK_FOLDER        needs torch; PYTHONPATH names the package's folder
"""
import os
import pathlib
import shutil
import subprocess
import sys
import unittest
import warnings

import numpy as np
import torch
import with_torch
from torch import nn
from torch.nn import functional

import lathe
import lathe.amct_pytorch as amct
import lathe.torch

LATHE, SOURCE, WORK = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]).resolve()
GOLDEN = with_torch.shared(SOURCE) / "golden"


def driver(*arguments):
    done = subprocess.run([LATHE, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def export(module, data, path, opset=13):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"dynamo": False} if "dynamo" in torch.onnx.export.__code__.co_varnames else {}
        torch.onnx.export(module, data, str(path), opset_version=opset, do_constant_folding=False,
                          training=torch.onnx.TrainingMode.PRESERVE, **options)  # fmt: skip


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, groups=2)
        self.norm, self.fc = nn.BatchNorm2d(8), nn.Linear(8, 5)

    def forward(self, x):
        x = self.conv2(torch.relu(self.conv1(x)))
        return self.fc(self.norm(torch.relu(x)).mean((2, 3)))


class Function(nn.Module):
    def __init__(self, compute):
        super().__init__()
        self.compute = compute

    def forward(self, *inputs):
        return self.compute(*inputs)


def picture(*shape, seed=3):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = WORK / self.id().split(".")[-1]
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        os.chdir(self.folder)
        torch.manual_seed(5)

    def close(self, got, want, limit=1e-5):
        want, got = np.asarray(want), got.detach().numpy()
        self.assertEqual(want.shape, got.shape)
        self.assertLess(np.abs(want - got).max(), limit * max(1, np.abs(want).max()))


class Operators(Case):
    """Each network computes what the module does that it was exported from."""

    def check(self, module, *data, opsets=(11, 13, 16)):
        for number, parameter in enumerate(module.state_dict().values()):
            # torch 1.13 stores equal values once.
            if parameter.is_floating_point():
                parameter.add_(0.01 * number)
        for opset in opsets:
            export(module.eval(), data, "net.onnx", opset)
            net = lathe.torch.from_onnx("net.onnx").eval()
            with torch.no_grad():
                got, want = net(*data), module(*data)
            for one, other in zip(got, want) if isinstance(want, tuple) else [(got, want)]:
                self.close(one, other)

    def test_layers(self):
        image = picture(2, 3, 9, 9)
        for module in (
            nn.Sequential(nn.Conv2d(3, 4, 3, 2, (1, 2), 1), nn.BatchNorm2d(4), nn.PReLU(4)),
            nn.Sequential(nn.ConvTranspose2d(3, 4, 3, 2, 1, 1), nn.InstanceNorm2d(4, affine=True)),
            nn.Sequential(nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.AvgPool2d(2, 1, 1), nn.LeakyReLU(0.2)),
            nn.Sequential(nn.AvgPool2d(3, 2, 1, count_include_pad=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.ELU()),
            nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(3, 4), nn.LogSoftmax(1)),
            nn.Sequential(nn.Linear(9, 4), nn.LayerNorm(4), nn.GELU(), nn.Softmax(-1), nn.Dropout()),
            nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), nn.SELU(), nn.Softplus()),
            nn.Sequential(nn.Upsample(size=(12, 15), mode="bilinear", align_corners=False), nn.Hardsigmoid(), nn.Hardtanh()),
        ):
            self.check(module, image)
        self.check(nn.Sequential(nn.Conv1d(3, 4, 3), nn.ConvTranspose1d(4, 2, 3)), picture(2, 3, 8))
        self.check(nn.Sequential(nn.Conv3d(2, 4, 3), nn.MaxPool3d(2)), picture(1, 2, 6, 6, 6))

    def test_values(self):
        x, y = picture(2, 6, 5, 4), picture(2, 6, 5, 4, seed=4)
        for compute in (
            lambda x, y: (x + y) * x - y / 3,
            lambda x, y: torch.where(x > y, x.abs().sqrt(), torch.exp(-x)),
            lambda x, y: torch.maximum(x, y).clamp(-1, 1) + torch.minimum(x, y).clamp(min=0),
            lambda x, y: torch.cat([x[:, 1:-1], y[:, ::2]], 1).transpose(1, 2),
            lambda x, y: x.reshape(2, -1, 4).permute(2, 0, 1).unsqueeze(1).squeeze(1) * y.mean(),
            lambda x, y: x.mean((2, 3), keepdim=True) + y.sum(1, keepdim=True) + y.amax(3, keepdim=True),
            lambda x, y: torch.matmul(x, y.transpose(2, 3)),
            lambda x, y: functional.pad(x, (1, 2, 0, 1), value=0.5) + functional.pad(y, (1, 2, 1, 0), mode="reflect"),
            lambda x, y: x[:, torch.tensor([3, 0, 5])] ** 2 + y[:, :3].floor() + torch.sin(x[:, 1:4]) * torch.erf(y[:, 3:]),
            lambda x, y: x.split(2, 1)[1] + y[:, :2],
            lambda x, y: x.round() * (y > 0).float() + x.view(x.size(0), -1)[:, :1, None, None].expand(2, 6, 5, 4),
        ):
            self.check(Function(compute), x, y)

    def test_several_outputs(self):
        self.check(Function(lambda x: (x + 1, x * 2)), picture(2, 3))

    def test_inputs(self):
        export(Function(lambda x, y: x - y), (picture(2), picture(2, seed=4)), "net.onnx")
        net = lathe.torch.from_onnx(lathe.load("net.onnx"))
        x, y = (picture(2, seed=seed) for seed in (1, 2))
        first, second = net.inputs
        self.assertTrue(torch.equal(net(x, **{second: y}), x - y))
        for arguments, keywords in (((x,), {}), ((x, y, x), {}), ((x, y), {"z": x})):
            with self.assertRaisesRegex(TypeError, "^the inputs are "):
                net(*arguments, **keywords)

    def test_real_models(self):
        models = with_torch.shared(SOURCE) / "models"
        if not models.is_dir():
            self.skipTest(f"!!! the models are missing: {models} (set LATHE_SHARED_DIR)")
        for name, shape in (("mnist_cnn/mnist-8.onnx", (1, 1, 28, 28)), ("mnist_cnn/mnist_conv_bn.onnx", (1, 1, 28, 28)),
                            ("ultraface_rfb320/version-RFB-320.onnx", (1, 3, 240, 320))):  # fmt: skip
            data = picture(*shape)
            want = lathe.run(str(models / name), data.numpy())
            got = lathe.torch.from_onnx(models / name).eval()(data)
            for one, other in zip(got if isinstance(got, tuple) else (got,), want.values()):
                self.close(one, other, 1e-4)


class Refusals(Case):
    def refused(self, module, data, text):
        export(module, data, "net.onnx")
        with self.assertRaises(lathe.Error) as caught:
            lathe.torch.from_onnx("net.onnx").eval()(*data)
        self.assertEqual(str(caught.exception), text)
        return caught.exception

    def test_operator(self):
        error = self.refused(Function(lambda x: torch.cumsum(x, 1)), (picture(2, 3),),
                             "net.onnx: node '/CumSum': operator CumSum cannot be trained")  # fmt: skip
        self.assertEqual((error.file, error.node), ("net.onnx", "/CumSum"))

    def test_attribute(self):
        self.refused(nn.Upsample(scale_factor=2, mode="bicubic", align_corners=False), (picture(1, 1, 4, 4),),
                     "net.onnx: node '/Resize': operator Resize cannot be trained: mode 'cubic' on 4 axes")  # fmt: skip

    def test_values_that_are_stored_once(self):
        """A new BatchNormalization's bias and mean are equal, and torch 1.13 stores them once."""
        export(nn.BatchNorm2d(2).eval(), picture(1, 2, 3, 3), "net.onnx")
        if "running_mean" in lathe.load("net.onnx").initializers:
            self.skipTest("this torch stores them twice")
        with self.assertRaises(lathe.Error) as caught:
            lathe.torch.from_onnx("net.onnx")
        self.assertEqual(str(caught.exception), "net.onnx: initializer 'bias' is a weight of one node and a statistic of "
                         "another (give the file that 'lathe retrain create' makes of this one)")  # fmt: skip

    def test_file(self):
        with self.assertRaisesRegex(lathe.Error, "^no.onnx: "):
            lathe.torch.from_onnx("no.onnx")


class ToOnnx(Case):
    def test_driver_saves_what_a_module_learned(self):
        net, data = Net(), picture(4, 3, 8, 8)
        lathe.torch.to_onnx(net, data, "net.onnx", ["image"], ["logits"], {"image": {0: "n"}})
        self.assertEqual([each.name for each in lathe.load("net.onnx").nodes if each.op in ("Conv", "Gemm", "BatchNormalization")],
                         ["conv1", "conv2", "norm", "fc"])  # fmt: skip
        amct.create_quant_retrain_config("config.json", net, data)
        model = amct.create_quant_retrain_model("config.json", net, "record.txt", data).train()
        model(data).square().mean().backward()
        model.eval()(data)
        torch.save({"state_dict": model.state_dict()}, "trained.pth")
        amct.save_quant_retrain_model("config.json", model, "record.txt", "python", data, ["image"], ["logits"],
                                      {"image": {0: "n"}})  # fmt: skip
        save = ["retrain", "save", "net.onnx", "--config", "config.json", "--checkpoint", "trained.pth", "--state-dict-name",
                "state_dict"]  # fmt: skip
        driver(*save, "-o", "driver")
        self.assertEqual(pathlib.Path("driver_record.txt").read_bytes(), pathlib.Path("record.txt").read_bytes())
        for name in ("deploy", "fake_quant"):
            got, want = (lathe.run(f"{each}_{name}_model.onnx", data.numpy())["logits"] for each in ("driver", "python"))
            self.assertTrue((got == want).all(), name)
        np.save("batch.npy", data.numpy())
        driver(*save, "-o", "shifted", "--searchn-version", "2", "-d", "batch.npy")
        self.assertEqual(len(lathe.Record.load("shifted_record.txt")["conv1"].shift_bit), 8)

    def test_types(self):
        for text, arguments in (
            ("to_onnx: model must be Module, not str", ("net", picture(1), "net.onnx")),
            ("to_onnx: path must be str or PathLike, not int", (Net(), picture(1), 1)),
            ("to_onnx: input_data must be Tensor or tuple, not list", (Net(), [picture(1)], "net.onnx")),
        ):
            with self.assertRaises(TypeError) as caught:
                lathe.torch.to_onnx(*arguments)
            self.assertEqual(str(caught.exception), text)


class Training(Case):
    def create(self, *options):
        export(Net().eval(), picture(4, 3, 8, 8), "net.onnx")
        driver("config", "qat", "net.onnx", "-o", "config.json", *options)
        np.save("batch.npy", picture(4, 3, 8, 8).numpy())
        driver("retrain", "create", "net.onnx", "--config", "config.json", "--record", "r.txt", "-o", "retrain.onnx",
               "-d", "batch.npy")  # fmt: skip
        return lathe.torch.from_onnx("retrain.onnx")

    def train(self, net, steps=5):
        optimizer = torch.optim.SGD(net.parameters(), 1e-3)
        net.train()
        for seed in range(steps):
            optimizer.zero_grad()
            net(picture(4, 3, 8, 8, seed=seed)).square().mean().backward()
            optimizer.step()
        return net.eval()

    def test_there_and_back(self):
        net = self.create()
        self.assertLessEqual({"conv1.weight", "conv1.bias", "fc.weight"}, set(net.state_dict()))
        self.assertEqual(len(list(net.buffers())), 2)
        self.assertEqual([name for name in net.state_dict() if "quant" in name],
                         ["/conv1/Conv.quant_module.acts_clip_max", "/conv1/Conv.quant_module.acts_clip_min",
                          "/conv2/Conv.quant_module.acts_clip_max", "/fc/Gemm.quant_module.acts_clip_max",
                          "/fc/Gemm.quant_module.acts_clip_min"])  # fmt: skip
        before = {name: value.clone() for name, value in net.state_dict().items()}
        self.train(net)
        for name, parameter in net.named_parameters():
            self.assertTrue(parameter.grad.any(), name)
        for name, value in net.named_buffers():
            self.assertFalse(torch.equal(value, before[name]), name)
        torch.save(net.state_dict(), "trained.pth")
        data = picture(4, 3, 8, 8, seed=9)
        for start in ("retrain.onnx", "net.onnx"):
            driver("retrain", "save", start, "--config", "config.json", "--checkpoint", "trained.pth", "-o", "out")
            got = next(iter(lathe.run("out_fake_quant_model.onnx", data.numpy()).values()))
            self.close(net(data), got, 2e-2)
        driver("retrain", "restore", "net.onnx", "--config", "config.json", "--checkpoint", "trained.pth", "--record", "r.txt",
               "-o", "restored.onnx")  # fmt: skip
        again = lathe.torch.from_onnx("restored.onnx").eval()
        self.assertTrue(torch.equal(again(data), net(data)))

    def test_learned_scales(self):
        pathlib.Path("q.cfg").write_text("retrain_data_quant_config { ulq_quantize { dst_type: INT8 } } "
                                         "retrain_weight_quant_config { ulq_retrain { dst_type: INT4 } }")
        net = self.create("--cfg", "q.cfg")
        names = [name for name, _ in net.named_parameters() if name.endswith("wts_scales")]
        self.assertEqual(len(names), 3)
        self.train(net)
        for name, parameter in net.named_parameters():
            self.assertTrue(parameter.grad.isfinite().all(), name)

    def test_computes_as_the_runtime(self):
        net = self.create().eval()
        data = picture(4, 3, 8, 8, seed=9)
        want = next(iter(lathe.run("retrain.onnx", data.numpy()).values()))
        self.close(net(data), want, 2e-2)

    def test_golden_checkpoints(self):
        """Through a module and back they are what they were."""
        cases = sorted(GOLDEN.glob("qat_*"))
        if not cases:
            self.skipTest(f"!!! the golden cases are missing: {GOLDEN} (set LATHE_SHARED_DIR)")
        for case in cases:
            with self.subTest(case.name):
                config = ["--config", case / "config.json"]
                golden = [*config, "--checkpoint", case / "retrained.pth", "--state-dict-name", "state_dict"]
                driver("retrain", "save", case / "original.onnx", *golden, "-o", "direct/net")
                driver("retrain", "restore", case / "original.onnx", *golden, "--record", "r.txt", "-o", "retrain.onnx")
                torch.save(lathe.torch.from_onnx("retrain.onnx").state_dict(), "module.pth")
                driver("retrain", "save", "retrain.onnx", *config, "--checkpoint", "module.pth", "-o", "back/net")
                for name in ("deploy_model.onnx", "fake_quant_model.onnx", "record.txt"):
                    direct, back = (pathlib.Path(f"{folder}/net_{name}").read_bytes() for folder in ("direct", "back"))
                    self.assertTrue(direct == back, name)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
