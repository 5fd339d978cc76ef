"""lathe.amct_pytorch beside the golden cases: arguments, messages, batches of other sizes, files, auto calibration.

    python amct_test.py WORK_FOLDER        PYTHONPATH names the folder that holds the package; needs torch
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

WORK = pathlib.Path(sys.argv[1]).resolve()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3))
        self.pool = nn.AvgPool2d(2)
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        x = self.pool(self.features(x))
        return self.fc(x.flatten(2).mean(2).view(x.size(0), -1))


class Twice(nn.Module):
    """Calls one layer twice, and uses a weight beside its layer."""

    def __init__(self):
        super().__init__()
        self.same = nn.Conv2d(3, 3, 3, padding=1)
        self.other = nn.Conv2d(3, 4, 1)

    def forward(self, x):
        return self.other(self.same(self.same(x))) * self.other.weight.sum()


class Evaluator:
    """Accepts what has at least so many layers float."""

    def __init__(self, accepts):
        self.accepts, self.calibrated, self.kinds = accepts, 0, []

    def calibration(self, model):
        self.calibrated += 1
        for batch in batches(2):
            model(batch)

    def evaluate(self, model):
        self.kinds.append(type(model).__name__)
        return model(batches(1)[0])

    def metric_eval(self, original, new):
        loss = float((original - new).abs().max())
        return self.accepts(loss), loss


def batches(count, size=4):
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(size, 3, 8, 8, generator=generator) for _ in range(count)]


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = WORK / self.id().split(".")[-1]
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        os.chdir(self.folder)
        torch.manual_seed(5)
        self.net = Net().eval()

    def create(self, net=None, example=None, **options):
        amct.create_quant_config("config.json", net or self.net, batches(1)[0] if example is None else example, **options)
        return json.loads(pathlib.Path("config.json").read_text())

    def quantize(self, example, fed, net=None, prefix="out/net"):
        model = amct.quantize_model("config.json", "modified.onnx", "record.txt", net or self.net, example)
        for batch in fed:
            model(batch)
        amct.save_model("modified.onnx", "record.txt", prefix)

    def raises(self, kind, text, call, *arguments, **keywords):
        with self.assertRaises(kind) as caught:
            call(*arguments, **keywords)
        self.assertEqual(str(caught.exception), text)


class Flow(Case):
    def test_names_are_module_paths(self):
        config = self.create(batch_num=2, skip_layers=["fc"], activation_offset=False)
        self.assertEqual([name for name in config if isinstance(config[name], dict)],
                         ["fc", "features.0", "features.3", "pool"])  # fmt: skip
        self.assertFalse(config["fc"]["quant_enable"])
        self.assertFalse(config["activation_offset"])
        self.quantize(batches(1)[0], batches(2))
        self.assertEqual(lathe.Record.load("record.txt").layers, ["features.0", "features.3", "pool"])
        names = {each.name for each in lathe.load("out/net_fake_quant_model.onnx").nodes}
        self.assertLessEqual({"features.0", "features.2", "features.3", "pool", "fc"}, names)

    def test_model_is_left_alone(self):
        self.net.train()
        before = {name: value.clone() for name, value in self.net.state_dict().items()}
        self.create()
        self.quantize(batches(1)[0], batches(1))
        self.assertTrue(self.net.training)
        self.assertFalse(any("sub_module" in name for name, _ in self.net.named_modules()))
        for name, value in self.net.state_dict().items():
            self.assertTrue(torch.equal(value, before[name]), name)

    def test_calibration_model_computes_as_the_model(self):
        self.create(batch_num=2)
        model = amct.quantize_model("config.json", "modified.onnx", "record.txt", self.net, batches(1)[0])
        for batch in batches(4):
            self.assertTrue(torch.equal(model(batch), self.net(batch)))

    def test_batches_of_other_sizes(self):
        self.create(batch_num=2)
        self.quantize(batches(1, 4)[0], batches(2, 4), prefix="same/net")
        wanted = lathe.Record.load("record.txt")
        self.quantize(batches(1, 1)[0], batches(2, 4), prefix="other/net")
        got = lathe.Record.load("record.txt")
        self.assertEqual(got.layers, wanted.layers)
        for layer in wanted.layers:
            self.assertEqual(got[layer].scale_w, wanted[layer].scale_w)
            self.assertAlmostEqual(got[layer].scale_d / wanted[layer].scale_d, 1, 6)
        shape = lathe.load("other/net_deploy_model.onnx").inputs[0].shape
        self.assertEqual(shape, (1, 3, 8, 8), "what is saved is what was exported")

    def test_weights_are_known_at_once(self):
        self.create(batch_num=2)
        model = amct.quantize_model("config.json", "modified.onnx", "record.txt", self.net, batches(1)[0])
        factors = lathe.Record.load("record.txt")["features.0"]
        self.assertEqual((len(factors.scale_w), factors.scale_d), (8, None))
        model(batches(1)[0])
        with self.assertRaisesRegex(lathe.Error, "scale_d"):
            amct.save_model("modified.onnx", "record.txt", "out/net")
        self.assertFalse(os.path.exists("out/net_deploy_model.onnx"))

    def test_layer_called_twice(self):
        config = self.create(Twice().eval())
        self.assertEqual([name for name in config if isinstance(config[name], dict)], ["other"])

    def test_names_of_inputs_and_outputs(self):
        self.create()
        amct.quantize_model("config.json", "modified.onnx", "record.txt", self.net, batches(1)[0], ["image"], ["logits"],
                            {"image": {0: "n"}, "logits": [0]})  # fmt: skip
        model = lathe.load("modified.onnx")
        self.assertEqual([(each.name, each.shape) for each in model.inputs], [("image", ("n", 3, 8, 8))])
        self.assertEqual([each.name for each in model.outputs], ["logits"])
        self.assertEqual(model.inspect()["form"], "modified model")
        self.assertEqual(set(model.opsets), {"ai.onnx"})

    def test_balancing(self):
        pathlib.Path("quant.cfg").write_text("common_config { dmq_balancer { } }")
        self.create(config_defination="quant.cfg")
        self.raises(lathe.Error, "record.txt: quantize_model: record_file does not exist", amct.quantize_model,
                    "config.json", "modified.onnx", "record.txt", self.net, batches(1)[0])  # fmt: skip
        model = amct.quantize_preprocess("config.json", "record.txt", self.net, batches(1)[0])
        self.assertEqual(pathlib.Path("record.txt").read_text(), "")
        model(batches(1)[0])
        self.assertEqual(len(lathe.Record.load("record.txt")["features.0"].tensor_balance_factor), 3)
        self.quantize(batches(1)[0], batches(1))


class Imports(Case):
    def test_either_order(self):
        # Debian's torch brings an onnx into the same protobuf (lazy_descriptors.cpp).
        script = "import {}; torch.onnx.export(torch.nn.Linear(2, 2), torch.ones(1, 2), 'net.onnx'); lathe.load('net.onnx').verify()"
        for order in ("lathe, torch", "torch, lathe"):
            done = subprocess.run([sys.executable, "-c", script.format(order)], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, f"{order}: {done.stderr}")


class Refusals(Case):
    def test_types(self):
        data = batches(1)[0]
        name = "create_quant_config"
        for text, arguments in (
            (f"{name}: config_file must be str, not int", (1, self.net, data)),
            (f"{name}: model must be Module, not str", ("c.json", "net", data)),
            (f"{name}: input_data must be Tensor or tuple, not list", ("c.json", self.net, [data])),
            (f"{name}: skip_layers must be list or None, not str", ("c.json", self.net, data, "fc")),
            (f"{name}: an item of skip_layers must be str, not int", ("c.json", self.net, data, [1])),
            (f"{name}: batch_num must be int, not bool", ("c.json", self.net, data, None, True)),
            (f"{name}: activation_offset must be bool, not int", ("c.json", self.net, data, None, 1, 1)),
        ):
            self.raises(TypeError, text, amct.create_quant_config, *arguments)
        self.assertEqual(os.listdir("."), [])

    def test_layers(self):
        for options, text in (
            ({"skip_layers": ["fc", "fc"]}, "fc"),
            ({"skip_layers": ["nothing"]}, "nothing"),
            ({"skip_layers": ["features.2"]}, "features.2"),
            ({"skip_layers": ["fc", "pool", "features.0", "features.3"]}, "layer"),
            ({"batch_num": 0}, "batch_num"),
        ):
            with self.assertRaisesRegex(lathe.Error, text):
                self.create(**options)
        with self.assertRaisesRegex(lathe.Error, "no layer"):
            self.create(nn.Sequential(nn.ReLU()))
        self.assertFalse(os.path.exists("config.json"))

    def test_files(self):
        data = batches(1)[0]
        self.raises(lathe.Error, "no.cfg: create_quant_config: config_defination does not exist",
                    amct.create_quant_config, "c.json", self.net, data, config_defination="no.cfg")  # fmt: skip
        self.raises(lathe.Error, "no.json: quantize_model: config_file does not exist", amct.quantize_model, "no.json",
                    "m.onnx", "r.txt", self.net, data)  # fmt: skip
        with self.assertRaises(lathe.Error):
            amct.create_quant_config("folder/", self.net, data)
        self.create()
        for name, arguments in (("preprocess", ("config.json", "record.txt", self.net, data)),):
            with self.assertRaisesRegex(lathe.Error, "dmq_balancer_param"):
                amct.quantize_preprocess(*arguments)
        with self.assertLogs("lathe", logging.WARNING) as log:
            self.create()
        self.assertIn("config.json exists and is overwritten", log.output[0])
        pathlib.Path("quant.cfg").write_text("")
        with self.assertLogs("lathe", logging.WARNING) as log:
            self.create(skip_layers=["fc"], config_defination="quant.cfg")
        self.assertIn("skip_layers is not used", log.output[0])

    def test_axes(self):
        data = batches(1)[0]
        self.create()
        call = lambda axes: amct.quantize_model("config.json", "m.onnx", "r.txt", self.net, data, None, None, axes)
        self.raises(TypeError, "quantize_model: dynamic_axes must be dict or None, not list", call, [])
        self.raises(TypeError, "quantize_model: dynamic_axes['x'] must be dict or list, not int", call, {"x": 1})
        self.raises(ValueError, "quantize_model: axis -1 of 'x' in dynamic_axes is negative", call, {"x": [-1]})
        self.raises(TypeError, "quantize_model: the name of axis 0 of 'x' in dynamic_axes must be str, not int", call,
                    {"x": {0: 1}})  # fmt: skip

    def test_quantised_already(self):
        self.create()
        model = amct.quantize_model("config.json", "m.onnx", "r.txt", self.net, batches(1)[0])
        self.raises(lathe.Error, "the model is quantised already: '' is CalibrationModel", self.create, model)

    def test_weights(self):
        self.create()
        with torch.no_grad():
            self.net.fc.weight[0, 0] = float("nan")
        with self.assertRaisesRegex(lathe.Error, "quantize_model: layer 'fc': the weights cannot be quantised: ") as caught:
            amct.quantize_model("config.json", "m.onnx", "r.txt", self.net, batches(1)[0])
        self.assertEqual(caught.exception.node, "fc")
        self.assertFalse(os.path.exists("m.onnx"))


class AutoCalibration(Case):
    def run_with(self, accepts):
        self.create(batch_num=2)
        evaluator = Evaluator(accepts)
        amct.accuracy_based_auto_calibration(self.net, evaluator, "config.json", "record.txt", "out/net", batches(1)[0])
        return evaluator

    def test_everything_is_accepted(self):
        evaluator = self.run_with(lambda loss: True)
        self.assertEqual(evaluator.kinds, ["Net", "FakeQuantModel"])
        self.assertEqual(sorted(os.listdir("out")),
                         ["accuracy_based_auto_calibration_final_config.json", "net_deploy_model.onnx",
                          "net_fake_quant_model.onnx"])  # fmt: skip
        self.assertEqual(lathe.Record.load("record.txt").layers, ["features.0", "features.3", "pool", "fc"])
        trials = json.loads(pathlib.Path("amct_log/accuracy_based_auto_calibration_record.json").read_text())
        self.assertEqual(len(trials), 1)
        self.assertTrue(trials[0]["metric_eval"][0])

    def test_some_layers_go_back(self):
        losses = []

        def accepts(loss):
            losses.append(loss)
            return len(losses) == 1 or len(losses) > 2

        self.run_with(accepts)
        ranking = json.loads(pathlib.Path("out/accuracy_based_auto_calibration_ranking_information.json").read_text())
        self.assertEqual(sorted(each[0] for each in ranking), ["fc", "features.0", "features.3", "pool"])
        self.assertEqual([each[1] for each in ranking], sorted(each[1] for each in ranking))
        final = json.loads(pathlib.Path("out/accuracy_based_auto_calibration_final_config.json").read_text())
        self.assertEqual(final, json.loads(pathlib.Path("config.json").read_text()))
        back = [each[0] for each in ranking if not final[each[0]]["quant_enable"]]
        self.assertEqual(back, [each[0] for each in ranking[: len(back)]])
        self.assertIn(len(back), (1, 2, 3))

    def test_nothing_is_accepted(self):
        os.makedirs("out")
        pathlib.Path("out/net_deploy_model.onnx").write_text("old")
        with self.assertLogs("lathe", logging.WARNING) as log:
            self.run_with(lambda loss: loss == 0)
        self.assertIn("nothing is quantised", log.output[-1])
        self.assertEqual(os.listdir("out"), ["accuracy_based_auto_calibration_ranking_information.json"])

    def test_refusals(self):
        with self.assertRaisesRegex(lathe.Error, "does not accept the float model itself"):
            self.run_with(lambda loss: False)
        evaluator = Evaluator(lambda loss: True)
        evaluator.calibration = lambda model: model(batches(1)[0])
        with self.assertRaisesRegex(lathe.Error, "fewer batches than batch_num, which is 2"):
            amct.accuracy_based_auto_calibration(self.net, evaluator, "config.json", "r.txt", "o/n", batches(1)[0])
        self.raises(ValueError, "accuracy_based_auto_calibration: strategy 'Random' is not supported: give 'BinarySearch'",
                    amct.accuracy_based_auto_calibration, self.net, evaluator, "config.json", "r.txt", "o/n",
                    batches(1)[0], strategy="Random")  # fmt: skip
        self.raises(TypeError, "accuracy_based_auto_calibration: model_evaluator must have a method calibration",
                    amct.accuracy_based_auto_calibration, self.net, 1, "config.json", "r.txt", "o/n",
                    batches(1)[0])  # fmt: skip


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
