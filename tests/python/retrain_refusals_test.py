"""What the calls of quantisation-aware training refuse, and in which words.

    python retrain_refusals_test.py WORK_FOLDER        PYTHONPATH names the folder that holds the package; needs torch
"""
import json
import logging
import os
import pathlib
import sys
import unittest

from torch import nn

import lathe
import lathe.amct_pytorch as amct
from retrain_case import Case, train


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
