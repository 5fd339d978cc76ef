"""Quantisation-aware training of torch modules: gradients, ranges, records, files, refusals.

    python retrain_test.py WORK_FOLDER        PYTHONPATH names the folder that holds the package; needs torch
"""
import json
import logging
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

import torch
from torch import nn

import lathe
import lathe.amct_pytorch as amct
from lathe.amct_pytorch import _fake_quant

WORK = pathlib.Path(sys.argv[1]).resolve()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(8, 8, 3, bias=False)
        self.down = nn.Conv2d(8, 8, 3)
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        return self.fc((self.conv2(x) + self.down(x)).mean((2, 3)))


def batches(count, size=4):
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(size, 3, 8, 8, generator=generator) for _ in range(count)]


def train(model, steps=3, rate=0.05):
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), rate)
    for batch in batches(steps):
        optimizer.zero_grad()
        model(batch).square().mean().backward()
        optimizer.step()
    return model


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = WORK / self.id().split(".")[-1]
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        os.chdir(self.folder)
        torch.manual_seed(5)
        self.net = Net()
        self.data = batches(1)[0]

    def config(self, cfg=None, **changes):
        """Writes it; changes are of layers or of global keys."""
        if cfg is not None:
            pathlib.Path("retrain.cfg").write_text(cfg)
        amct.create_quant_retrain_config("config.json", self.net, self.data, cfg and "retrain.cfg")
        config = json.loads(pathlib.Path("config.json").read_text())
        if changes:
            config.update(changes)
            pathlib.Path("config.json").write_text(json.dumps(config))
        return config

    def create(self):
        return amct.create_quant_retrain_model("config.json", self.net, "record.txt", self.data)

    def near(self, got, answers, what):
        """What the saved model computes is what was trained, but for values on the edge of a step."""
        answers = answers.detach().numpy()
        error = ((got - answers) ** 2).sum() / (answers**2).sum()
        self.assertLess(error, 1e-3, what)

    def raises(self, kind, text, call, *arguments, **keywords):
        with self.assertRaises(kind) as caught:
            call(*arguments, **keywords)
        self.assertEqual(str(caught.exception), text)
        return caught.exception


class Numbers(unittest.TestCase):
    """The reference's test vectors."""

    def close(self, got, want):
        self.assertTrue(torch.allclose(got.detach(), torch.tensor(want), rtol=1e-5, atol=1e-7), f"{got} is not {want}")

    def test_activation(self):
        value = torch.tensor([-2, -0.6, 0.1, 0.7, 1.9], requires_grad=True)
        clips = torch.tensor(1.0, requires_grad=True), torch.tensor(-1.0, requires_grad=True)
        scale, offset = _fake_quant.activation_factors(*(each.detach() for each in clips), 8)
        result = _fake_quant.QuantizeActivation.apply(value, *clips, scale, offset, 8)
        self.close(scale, 0.007843138)
        self.assertEqual(float(offset), -1)
        self.close(result, [-0.9960785, -0.6039216, 0.1019608, 0.6980392, 1.0039216])
        result.sum().backward()
        self.close(value.grad, [0.0, 1, 1, 1, 0])
        self.close(clips[0].grad, 1.0019608)
        self.close(clips[1].grad, 0.9980392)

    def test_factors(self):
        for low, high, bits, scale, offset in (
            (-1.0, 3.0, 8, 0.015686275, -64), (1, 3, 8, 0.011764706, -128), (-3, -1, 8, 0.011764706, 127),
            (0, 0, 8, 1, -128), (-1, 3, 16, 6.103609e-05, -16384), (-1, 3, 4, 0.26666668, -4),
        ):  # fmt: skip
            got = _fake_quant.activation_factors(torch.tensor(float(high)), torch.tensor(float(low)), bits)
            self.close(got[0], float(scale))
            self.assertEqual(float(got[1]), offset)

    def test_weight(self):
        weight = torch.tensor([[0.5, -1.0, 0.25], [-0.2, 0.1, 0.3]], requires_grad=True)
        rows, whole = (1, 1, 2, 3), (1, 1, 1, 6)
        for bits, want in ((8, [0.0078125, 0.0023622047]), (6, [0.03125, 0.0096774194]), (4, [0.125, 0.042857144])):
            self.close(_fake_quant.arq_scales(weight.detach(), rows, bits), want)
        self.close(_fake_quant.arq_scales(weight.detach(), whole, 8), [0.0078125])
        self.close(_fake_quant.arq_scales(torch.zeros(2, 3), rows, 8), [1.0, 1.0])
        scales = _fake_quant.arq_scales(weight.detach(), rows, 8)
        rounded = _fake_quant.RoundWeight.apply(weight, scales, rows, 8)
        self.close(rounded / scales.reshape(2, 1), [[64.0, -128, 32], [-85, 42, 127]])
        (rounded * torch.tensor(3.0)).sum().backward()
        self.close(weight.grad, [[3.0] * 3] * 2)

    def test_learned_scales(self):
        weight = torch.tensor([[0.5, -1.0, 0.25], [-0.2, 0.1, 0.3]], requires_grad=True)
        scales = torch.tensor([0.005, 0.002], requires_grad=True)
        _fake_quant.QuantizeWeight.apply(weight, scales, (1, 1, 2, 3), 8).sum().backward()
        self.close(weight.grad, [[1.0] * 3] * 2)
        self.close(scales.grad, [-6.5576391, 6.5064077])

    def test_groups_of_a_transposed_convolution(self):
        weight = torch.arange(1.0, 25).reshape(4, 2, 3)  # two groups of [2, 2, 3]
        scales = _fake_quant.arq_scales(weight, (2, 2, 2, 3), 8)
        self.close(scales * 127, [9.0, 12, 21, 24])


class Flow(Case):
    def test_train_evaluate_save(self):
        self.config()
        model = train(self.create())
        self.assertEqual(pathlib.Path("record.txt").read_text(), "")
        answers = model.eval()(self.data)
        record = lathe.Record.load("record.txt")
        self.assertEqual(record.layers, ["conv1", "conv2", "down", "fc"])
        self.assertEqual(len(record["conv1"].scale_w), 8)
        amct.save_quant_retrain_model("config.json", model, "record.txt", "out/net", self.data, ["image"], ["logits"],
                                      {"image": {0: "n"}, "logits": [0]})  # fmt: skip
        for name in ("deploy", "fake_quant"):
            got = lathe.run(f"out/net_{name}_model.onnx", {"image": self.data.numpy()})["logits"]
            self.near(got, answers, name)
        self.assertEqual([each.shape for each in lathe.load("out/net_deploy_model.onnx").inputs], [("n", 3, 8, 8)])
        self.assertNotIn("BatchNormalization", lathe.load("out/net_deploy_model.onnx").inspect()["operators"])

    def test_model_is_left_alone(self):
        before = {name: value.clone() for name, value in self.net.state_dict().items()}
        kinds = [type(each) for each in self.net.modules()]
        self.config()
        self.net.train()
        model = train(self.create())
        model.eval()(self.data)
        amct.save_quant_retrain_model("config.json", model, "record.txt", "net", self.data)
        self.assertEqual([type(each) for each in self.net.modules()], kinds)
        self.assertTrue(self.net.training)
        for name, value in self.net.state_dict().items():
            self.assertTrue(torch.equal(value, before[name]), name)
        self.assertEqual(type(model.conv1).__name__, "RetrainQuant")

    def test_modes_of_modules_stay(self):
        self.config()
        self.net.train()
        self.net.bn1.eval()
        model = self.create()
        self.assertTrue(model.conv1.training and model.conv1.quant_module.training)
        self.assertFalse(model.conv1.bn_module.training)

    def test_clips_start_where_ifmr_finds_them(self):
        """The range of the first batches, symmetric; until then that of the batch."""
        self.config(batch_num=2)
        model = self.create().train()
        layer, seen = model.conv1.quant_module, batches(2)
        model(seen[0])
        clips = float(layer.acts_clip_max), float(layer.acts_clip_min)
        self.assertEqual(clips, (float(seen[0].max()), float(seen[0].min())))
        model(seen[1])
        found = float(layer.acts_clip_max), float(layer.acts_clip_min)
        largest = float(torch.cat(seen).abs().max())
        self.assertTrue(0.7 * largest < max(found[0], -found[1]) < 1.3 * largest, found)
        self.assertAlmostEqual(found[0] / -found[1], 127 / 128, places=6)
        model(batches(3)[2] * 10)
        self.assertEqual((float(layer.acts_clip_max), float(layer.acts_clip_min)), found)
        self.assertEqual(int(layer.cur_batch), 3)

    def test_given_clips(self):
        clips = "clip_max_min { clip_max: 3.0 clip_min: -2.0 } fixed_min: false"
        self.config(f"retrain_data_quant_config {{ ulq_quantize {{ {clips} }} }}")
        model = self.create().eval()
        model(self.data)
        self.assertEqual(float(model.conv1.quant_module.acts_clip_max), 3)
        self.assertEqual(float(model.conv2.quant_module.acts_clip_min), -2)

    def test_behind_relu_the_lower_clip_stays_0(self):
        self.config()
        model = train(self.create())
        model(self.data)
        self.assertEqual(float(model.conv2.quant_module.acts_clip_min), 0)
        self.assertNotEqual(float(model.conv1.quant_module.acts_clip_min), 0)

    def test_clips_that_training_turns_over(self):
        self.config()
        model = self.create().train()
        model(self.data)
        layer = model.conv1.quant_module
        for spoil, kept in (
            ({"acts_clip_max": -1.0}, ("acts_clip_max",)),
            ({"acts_clip_min": 1.0}, ("acts_clip_min",)),
            ({"acts_clip_max": 0.5, "acts_clip_min": 0.5}, ("acts_clip_max", "acts_clip_min")),
        ):
            before = {name: float(getattr(layer, name)) for name in kept}
            with torch.no_grad():
                for name, value in spoil.items():
                    getattr(layer, name).fill_(value)
            model(self.data)
            for name, value in before.items():
                self.assertEqual(float(getattr(layer, name)), value, spoil)

    def test_layers_with_the_same_input_share_clips(self):
        self.config()
        model = train(self.create())
        self.assertIs(model.down.quant_module.acts_comp_reuse, model.conv2.quant_module)
        model.eval()(self.data)
        record = lathe.Record.load("record.txt")
        self.assertEqual(record["conv2"].scale_d, record["down"].scale_d)
        amct.save_quant_retrain_model("config.json", model, "record.txt", "net", self.data)
        quants = [each for each in lathe.load("net_deploy_model.onnx").nodes if each.op == "AscendQuant"]
        self.assertEqual(len(quants), 3)

    def test_learned_weight_scales(self):
        self.config("retrain_weight_quant_config { ulq_retrain { } }")
        model = self.create()
        before = model.conv1.quant_module.wts_scales.detach().clone()
        train(model, rate=1e-4)
        self.assertFalse(torch.equal(model.conv1.quant_module.wts_scales, before))
        self.assertIn("conv1.quant_module.wts_scales", dict(model.named_parameters()))
        model.eval()(self.data)
        got = torch.tensor(lathe.Record.load("record.txt")["conv2"].scale_w)
        self.assertTrue(torch.allclose(got, model.conv2.quant_module.wts_scales, rtol=1e-6))

    def test_reciprocal_scales(self):
        """A state may hold 1 / scale."""
        self.config("retrain_weight_quant_config { ulq_retrain { } }")
        model = train(self.create(), rate=1e-4).eval()
        want, weight = model(self.data), model.conv2.quant_module
        with torch.no_grad():
            weight.wts_scales.copy_(1 / weight.wts_scales)
            weight.s_rec_flag.fill_(1)
        self.assertTrue(torch.allclose(model(self.data), want, atol=1e-3))

    def test_bits(self):
        for data, weight in (("INT16", "INT8"), ("INT8", "INT4"), ("INT4", "INT4")):
            config = self.config()
            for layer in ("conv1", "conv2", "down", "fc"):
                if (layer, weight) == ("conv1", "INT4"):  # 3 channels cannot be packed
                    del config[layer]
                    continue
                config[layer]["retrain_data_config"]["dst_type"] = data
                config[layer]["retrain_weight_config"]["dst_type"] = weight
            pathlib.Path("config.json").write_text(json.dumps(config))
            model = train(self.create())
            answers = model.eval()(self.data)
            record = lathe.Record.load("record.txt")
            self.assertEqual((record["fc"].act_type, record["fc"].wts_type), (data, weight))
            amct.save_quant_retrain_model("config.json", model, "record.txt", "net", self.data)
            got = next(iter(lathe.run("net_fake_quant_model.onnx", self.data.numpy()).values()))
            self.near(got, answers, (data, weight))

    def test_other_modules(self):
        """1-D, 3-D and transposed convolutions, a Linear on sequences, BatchNormalization that is called twice."""
        for net, shape in (
            (nn.Sequential(nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4), nn.ConvTranspose1d(4, 6, 3, 2, 1, 1)), (2, 3, 9)),
            (nn.Sequential(nn.Conv3d(2, 4, 3), nn.BatchNorm3d(4)), (2, 2, 5, 5, 5)),
            (nn.Sequential(nn.ConvTranspose2d(4, 4, 3, 2, 1, 1, groups=2), nn.Conv2d(4, 4, 3, groups=4)), (2, 4, 5, 5)),
            (nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3)), (2, 5, 6)),
            (Shared(), (2, 3, 6, 6)),
        ):
            self.net, self.data = net, torch.randn(shape)
            self.config()
            model = self.create().train()
            model(self.data).square().mean().backward()
            self.assertTrue(all(each.grad is not None and each.grad.isfinite().all() for each in model.parameters()))
            answers = model.eval()(self.data)
            amct.save_quant_retrain_model("config.json", model, "record.txt", "net", self.data)
            got = next(iter(lathe.run("net_fake_quant_model.onnx", self.data.numpy()).values()))
            self.near(got, answers, net)

    def test_layers_that_are_no_modules_of_a_known_class_stay_float(self):
        class Custom(nn.Conv2d):
            pass

        self.net = nn.Sequential(nn.Conv2d(3, 4, 3), Custom(4, 4, 3), nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"))
        with self.assertLogs("lathe", logging.WARNING) as log:
            config = self.config()
        self.assertEqual([name for name in config if isinstance(config[name], dict)], ["0"])
        self.assertIn("layer '2' is not trained: it is no module that can be replaced", "\n".join(log.output))
        self.assertIn("create_quant_retrain_config: layers with 16 input channels or fewer can lose accuracy: '0'", log.output[-1])

    def test_record_is_that_of_the_last_evaluation(self):
        self.config()
        model = train(self.create())
        model.eval()(self.data)
        first = pathlib.Path("record.txt").read_text()
        model(batches(2)[1])
        self.assertEqual(pathlib.Path("record.txt").read_text(), first)
        train(model)
        with self.assertLogs("lathe", logging.WARNING) as log:
            amct.save_quant_retrain_model("config.json", model, "record.txt", "net", self.data)
        self.assertIn("record.txt: the model was trained after the evaluation that wrote this record", log.output[0])
        model.eval()(self.data)
        self.assertNotEqual(pathlib.Path("record.txt").read_text(), first)

    def test_synchronised_batch_normalisation(self):
        """Is saved as the plain one."""
        self.config()
        model = train(self.create())
        answers = model.eval()(self.data)
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        self.assertEqual(type(model.conv1.bn_module).__name__, "SyncBatchNorm")
        amct.save_quant_retrain_model("config.json", model, "record.txt", "net", self.data)
        got = next(iter(lathe.run("net_fake_quant_model.onnx", self.data.numpy()).values()))
        self.near(got, answers, "SyncBatchNorm")


PROCESS = """
import sys, torch
sys.argv = ["retrain_test.py", "."]
exec(open({script!r}).read().split("PROCESS = ")[0])
torch.distributed.init_process_group("gloo", init_method="file://" + os.path.abspath("meeting"), rank={rank}, world_size=2)
model = amct.create_quant_retrain_model("config.json", Net(), "record{rank}.txt", batches(1)[0]).train()
model(batches(2)[{rank}])
torch.save(model.state_dict(), "rank{rank}.pth")
"""


class DataParallel(Case):
    def test_processes_agree_on_clips(self):
        self.config()
        script = str(pathlib.Path(__file__).resolve())
        processes = [subprocess.Popen([sys.executable, "-c", PROCESS.format(script=script, rank=rank)]) for rank in (0, 1)]
        self.assertEqual([each.wait() for each in processes], [0, 0])
        one, other = (torch.load(f"rank{rank}.pth") for rank in (0, 1))
        name = "conv1.quant_module.acts_clip_max"
        self.assertEqual(float(one[name]), float(other[name]))
        model = self.create().train()
        model(batches(1)[0])
        self.assertNotEqual(float(one[name]), float(model.conv1.quant_module.acts_clip_max))


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2, self.bn = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x):
        return self.bn(self.conv2(self.bn(self.conv1(x))))


RESTORE = """
import sys, torch
sys.argv = ["retrain_test.py", "."]
exec(open({script!r}).read().split("PROCESS = ")[0])
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
        script = RESTORE.format(script=str(pathlib.Path(__file__).resolve()), pth="trained.pth", name="state_dict")
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


class Refusals(Case):
    def test_types(self):
        self.config()
        name, data = "create_quant_retrain_config", self.data
        for text, arguments in (
            (f"{name}: config_file must be str, not int", (1, self.net, data)),
            (f"{name}: model must be Module, not str", ("c.json", "net", data)),
            (f"{name}: input_data must be Tensor or tuple, not list", ("c.json", self.net, [data])),
            (f"{name}: config_defination must be str or None, not int", ("c.json", self.net, data, 1)),
        ):
            self.raises(TypeError, text, amct.create_quant_retrain_config, *arguments)
        name = "create_quant_retrain_model"
        for text, arguments in (
            (f"{name}: config_file must be str, not int", (1, self.net, "r.txt", data)),
            (f"{name}: model must be Module, not str", ("config.json", "net", "r.txt", data)),
            (f"{name}: record_file must be str, not NoneType", ("config.json", self.net, None, data)),
            (f"{name}: input_data must be Tensor or tuple, not list", ("config.json", self.net, "r.txt", [data])),
        ):
            self.raises(TypeError, text, amct.create_quant_retrain_model, *arguments)
        name, model = "save_quant_retrain_model", self.create()
        for text, changed in (
            (f"{name}: save_path must be str, not int", {"save_path": 1}),
            (f"{name}: an item of input_names must be str, not int", {"input_names": [1]}),
            (f"{name}: output_names must be list or None, not str", {"output_names": "y"}),
            (f"{name}: dynamic_axes must be dict or None, not list", {"dynamic_axes": []}),
        ):
            arguments = {"config_file": "config.json", "model": model, "record_file": "record.txt", "save_path": "net",
                         "input_data": data, **changed}  # fmt: skip
            self.raises(TypeError, text, amct.save_quant_retrain_model, **arguments)

    def test_files(self):
        self.raises(lathe.Error, "no.cfg: create_quant_retrain_config: config_defination does not exist",
                    amct.create_quant_retrain_config, "c.json", self.net, self.data, "no.cfg")  # fmt: skip
        self.raises(lathe.Error, "no.json: create_quant_retrain_model: config_file does not exist",
                    amct.create_quant_retrain_model, "no.json", self.net, "r.txt", self.data)  # fmt: skip
        self.config()
        model = self.create()
        self.raises(lathe.Error, "no.txt: save_quant_retrain_model: record_file does not exist",
                    amct.save_quant_retrain_model, "config.json", model, "no.txt", "net", self.data)  # fmt: skip
        with self.assertLogs("lathe", logging.WARNING) as log:
            self.config()
        self.assertIn("config.json exists and is overwritten", log.output[0])
        self.assertIn("can lose accuracy: 'conv1', 'conv2', 'down'", log.output[-1])

    def test_quantised_already(self):
        self.config()
        model = self.create()
        self.raises(lathe.Error, "the model is quantised already: 'conv1' is RetrainQuant",
                    amct.create_quant_retrain_config, "c.json", model, self.data)  # fmt: skip
        self.raises(lathe.Error, "the model is quantised already: 'conv1' is RetrainQuant",
                    amct.create_quant_retrain_model, "config.json", model, "r.txt", self.data)  # fmt: skip

    def test_nothing_to_train(self):
        self.net = nn.Sequential(nn.ReLU())
        with self.assertRaisesRegex(lathe.Error, "no layer"):
            self.config()
        self.net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"))
        self.raises(lathe.Error, "the model has no layer that can be trained", self.config)
        self.assertFalse(os.path.exists("config.json"))

    def test_layers_that_cannot_be_trained(self):
        config = self.config()
        layer = config["conv1"]
        self.net.conv1 = nn.Conv2d(3, 8, 3, padding=1, padding_mode="circular")
        self.raises(lathe.Error, "config.json: layer 'conv1' cannot be trained: its padding_mode is 'circular', not 'zeros' "
                    "(set its retrain_enable to false)", self.create)  # fmt: skip
        pathlib.Path("config.json").write_text(json.dumps({"version": 1, "batch_num": 1, "nothing": layer}))
        self.raises(lathe.Error, "config.json: configuration: the model has no layer 'nothing'", self.create)

    def test_a_model_that_is_not_trained(self):
        self.config()
        pathlib.Path("record.txt").write_text("")
        self.raises(lathe.Error, "save_quant_retrain_model: the model has no quantisers that were trained (give what "
                    "create_quant_retrain_model or restore_quant_retrain_model returned)",
                    amct.save_quant_retrain_model, "config.json", self.net, "record.txt", "net", self.data)  # fmt: skip

    def test_no_evaluation(self):
        self.config()
        model = train(self.create())
        self.raises(lathe.Error, "record.txt: the record is empty: no evaluation has reached all trained layers (run the model "
                    "once in evaluation mode: model.eval(), then model(data))",
                    amct.save_quant_retrain_model, "config.json", model, "record.txt", "net", self.data)  # fmt: skip

    def test_another_configuration(self):
        config = self.config()
        model = train(self.create())
        model.eval()(self.data)
        save = lambda: amct.save_quant_retrain_model("config.json", model, "record.txt", "net", self.data)
        text = "config.json: the configuration is not the one that the model was created with: '{}' differs"
        for key, value in (("batch_num", 2), ("conv2", {**config["conv2"], "retrain_enable": False})):
            pathlib.Path("config.json").write_text(json.dumps({**config, key: value}))
            self.raises(lathe.Error, text.format(key), save)
        pathlib.Path("config.json").write_text(json.dumps({key: value for key, value in config.items() if key != "fc"}))
        self.raises(lathe.Error, text.format("fc"), save)
        self.assertFalse(os.path.exists("net_deploy_model.onnx"))
        # The same with its defaults left out.
        for key in config:
            if isinstance(config[key], dict):
                config[key]["retrain_data_config"].pop("dst_type")
        pathlib.Path("config.json").write_text(json.dumps(config, indent=1))
        save()

    def test_data_that_is_not_finite(self):
        self.config()
        model = self.create()
        self.data[0, 0, 0, 0] = float("nan")
        with self.assertRaisesRegex(lathe.Error, "^layer 'conv1': ") as caught:
            model(self.data)
        self.assertEqual(caught.exception.node, "conv1")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
