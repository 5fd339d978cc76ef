"""Quantisation-aware training of torch modules: gradients, ranges, records, what is saved.

    python retrain_test.py WORK_FOLDER        PYTHONPATH names the folder that holds the package; needs torch
"""
import json
import logging
import pathlib
import sys
import unittest

import torch
from torch import nn

import lathe
import lathe.amct_pytorch as amct
from lathe.amct_pytorch import _fake_quant
from retrain_case import Case, Shared, batches, train


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


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
