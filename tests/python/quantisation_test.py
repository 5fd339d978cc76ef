"""Quantisation: that it does what the driver does, byte for byte; what it is given and what it refuses."""
import json
import logging
import pathlib
import sys
import unittest

import nets
import numpy as np
from case import Case, driver

import lathe


class Quantisation(Case):
    def test_quantize_is_the_drivers(self):
        paths = self.files(3)
        driver("quantize", self.net, "-d", *paths, "-o", self.folder / "driver/net")
        for name, model, data in (("files", self.net, [str(path) for path in paths]),
                                  ("arrays", lathe.load(self.net), nets.batches(3))):  # fmt: skip
            summary = lathe.quantize(model, data, self.folder / name / "net", progress=False)
            self.assertEqual(summary.quantized, ["conv1", "conv2", "fc"])
            self.assertGreater(summary.sqnr_db, 20)
            for file in (self.folder / "driver").iterdir():
                self.assertEqual((self.folder / name / file.name).read_bytes(), file.read_bytes(), file.name)
            self.assertEqual(summary.paths.deploy, str(self.folder / name / "net_deploy_model.onnx"))

    def test_step_by_step(self):
        paths = self.files(2)
        config = lathe.create_config(self.net, batch_num=2, skip_layers=["fc"])
        self.assertEqual((config.layers, config.enabled), (["conv1", "conv2", "fc"], ["conv1", "conv2"]))
        config.save(self.folder / "config.json")
        driver("config", "ptq", self.net, "-o", self.folder / "driver.json", "--batch-num", 2, "--skip-layer", "fc")
        self.assertEqual((self.folder / "config.json").read_bytes(), (self.folder / "driver.json").read_bytes())
        driver("calibrate", self.net, "--config", self.folder / "config.json", "-d", *paths,
               "--record", self.folder / "record.txt", "--modified", self.folder / "modified.onnx")  # fmt: skip
        for wanted in (config, json.loads(config.json), self.folder / "config.json"):
            found = lathe.calibrate(self.net, nets.batches(2), wanted, progress=False)
            self.assertEqual(found.record.text, (self.folder / "record.txt").read_text())
            self.assertEqual(found.modified.to_bytes(), (self.folder / "modified.onnx").read_bytes())
        self.assertEqual([(each.layer, each.reason) for each in found.left_float],
                         [("fc", "the configuration leaves it out")])  # fmt: skip
        self.assertEqual(found.record.layers, ["conv1", "conv2"])
        self.assertEqual(len(found.record["conv2"].scale_w), 4)
        self.assertNotIn("fc", found.record)
        with self.assertRaises(KeyError):
            found.record["fc"]
        found.record.save(self.folder / "again.txt")
        self.assertEqual(lathe.Record.load(self.folder / "again.txt").text, found.record.text)
        driver("save", self.folder / "modified.onnx", "--record", self.folder / "record.txt", "-o",
               self.folder / "driver/net")  # fmt: skip
        written = lathe.save(found.modified, found.record, self.folder / "python/net")
        self.assertEqual([pathlib.Path(each).name for each in written],
                         ["net_deploy_model.onnx", "net_fake_quant_model.onnx"])  # fmt: skip
        for path in map(pathlib.Path, written):
            self.assertEqual(path.read_bytes(), (self.folder / "driver" / path.name).read_bytes())
        self.assertEqual(len(lathe.save(found.modified, found.record, self.folder / "qdq/net", emit="qdq")), 1)

    def test_images(self):
        for i in range(6):
            nets.write_png(self.folder / f"images/{i}.png", 8, 8, i)
        images = lathe.Images(self.folder / "images", mean=(128, 128, 128), std=(64, 64, 64), batch=2)
        summary = lathe.quantize(self.net, images, self.folder / "net", progress=False)
        driver("quantize", self.net, "--images", self.folder / "images", "--mean", 128, "--std", 64, "--batch", 2, "-o",
               self.folder / "driver/net")  # fmt: skip
        wanted = (self.folder / "driver/net_record.txt").read_bytes()
        self.assertEqual(pathlib.Path(summary.paths.record).read_bytes(), wanted)

    def test_balance(self):
        cfg = self.folder / "quant.cfg"
        cfg.write_text("common_config { dmq_balancer { } }\n")
        config = lathe.create_config(self.net, cfg=cfg)
        factors = lathe.balance(self.net, nets.batches(1), config, progress=False)
        self.assertEqual(len(factors["conv1"].tensor_balance_factor), 3)
        found = lathe.calibrate(self.net, nets.batches(1), config, balance=factors, progress=False)
        self.assertEqual(found.record["conv1"].tensor_balance_factor, factors["conv1"].tensor_balance_factor)

    def test_accuracy(self):
        labels = np.zeros(4, np.int64)
        summary = lathe.quantize(self.net, nets.batches(2), self.folder / "net", eval_data=nets.batches(1),
                                 labels=labels, progress=False)  # fmt: skip
        self.assertEqual(summary.accuracy.samples, 4)

    def test_errors(self):
        quantize = lambda data, **options: lathe.quantize(self.net, data, self.folder / "x", progress=False, **options)
        self.raises("batch 1: input 'x': element type is f64, the model wants f32", quantize,
                    [nets.batches(1)[0], np.zeros((4, 3, 8, 8))])  # fmt: skip
        self.raises("batch 0: the model has no input 'X' (did you mean 'x'?)", quantize, [{"X": nets.batches(1)[0]}])
        self.raises("batch 0: input 'x' [N,3,8,8] is missing", quantize, [{}])
        self.raises("batch 0: the model has 1 inputs, 2 arrays were given", quantize, [tuple(nets.batches(2))])
        self.raises("there is no data: the sequence is empty", quantize, [])
        self.raises("data must be paths, lathe.Images, an array, or a sequence of batches", quantize, iter(()))
        self.raises("effort is 'most': give 'default' or 'high'", quantize, nets.batches(1), effort="most")
        self.raises("eval_data is given without labels", quantize, nets.batches(1), eval_data=nets.batches(1))
        self.raises("threads is -1: give 0 or more", quantize, nets.batches(1), threads=-1)
        with self.assertRaises(lathe.Error) as caught:
            quantize(nets.batches(1), skip_layers=["conv3"])
        self.assertIn("conv3", str(caught.exception))
        self.assertFalse(list(self.folder.glob("x*")))
        nan = nets.batches(1)[0]
        nan[0, 0, 0, 0] = np.nan
        with self.assertRaises(lathe.Error), self.assertNoLogs("lathe", logging.WARNING):
            quantize([nan], config={"version": 1})

    def test_notes_go_to_the_logger(self):
        config = lathe.create_config(self.net)
        with self.assertLogs("lathe", logging.WARNING) as log:
            lathe.quantize(self.net, nets.batches(3), self.folder / "net", config=config, progress=False)
        self.assertIn("batch_num is 1: 2 batches of the data were not used",
                      [record.getMessage() for record in log.records])  # fmt: skip

    def test_a_sequence_is_asked_batch_by_batch(self):
        alive = []

        class Sequence:
            def __len__(self):
                return 5

            def __getitem__(self, i):
                batch = nets.batches(5)[i]
                alive.append(sum(sys.getrefcount(each) > 3 for each in kept))
                kept.append(batch)
                return batch

        kept = []
        lathe.quantize(self.net, Sequence(), self.folder / "net", progress=False)
        self.assertGreaterEqual(len(kept), 5)
        self.assertLessEqual(max(alive), 1)

    def test_python_errors_come_back(self):
        class Broken:
            def __len__(self):
                return 2

            def __getitem__(self, i):
                raise ValueError(f"no batch {i}")

        with self.assertRaisesRegex(ValueError, "no batch"):
            lathe.quantize(self.net, Broken(), self.folder / "x", progress=False)

        def stop(stage, done, total):
            raise RuntimeError("enough")

        with self.assertRaisesRegex(RuntimeError, "enough"):
            lathe.quantize(self.net, nets.batches(3), self.folder / "x", progress=stop)
        self.assertFalse(list(self.folder.glob("x*")))

    def test_auto_calibrate(self):
        asked = []

        def evaluate(deploy, fake_quant):
            asked.append(deploy)
            return 0.9 if "fc" in {each.name for each in lathe.load(deploy).nodes if each.op == "Gemm"} else 0.5

        summary = lathe.auto_calibrate(self.net, nets.batches(2), self.folder / "net", budget=0.01, evaluate=evaluate,
                                       progress=False)  # fmt: skip
        self.assertTrue(summary.meets_budget)
        self.assertEqual(asked[0], str(self.net))
        self.assertEqual(summary.float_value, 0.9)
        with self.assertRaisesRegex(ZeroDivisionError, "division"):
            lathe.auto_calibrate(self.net, nets.batches(2), self.folder / "y", budget=0, evaluate=lambda a, b: 1 / 0,
                                 progress=False)  # fmt: skip
        self.raises("give evaluate or labels, one of the two", lathe.auto_calibrate, self.net, nets.batches(1),
                    self.folder / "z", budget=0)  # fmt: skip


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
