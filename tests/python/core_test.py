"""The package lathe: models, passes, quantisation, execution, comparison; that it does what the driver does.

    python core_test.py LATHE WORK_FOLDER        PYTHONPATH names the folder that holds the package
"""
import json
import logging
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time
import types
import unittest

import ml_dtypes
import nets
import numpy as np
import onnx
from onnx import helper, numpy_helper

import lathe

LATHE, WORK = sys.argv[1], pathlib.Path(sys.argv[2])


def driver(*arguments):
    done = subprocess.run([LATHE, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = WORK / self.id().split(".")[-1]
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.net = self.folder / "net.onnx"
        nets.save(nets.small_net(), self.net)

    def files(self, count):
        paths = [self.folder / f"batch_{i}.npy" for i in range(count)]
        for path, batch in zip(paths, nets.batches(count)):
            np.save(path, batch)
        return paths

    def raises(self, text, call, *arguments, **keywords):
        with self.assertRaises(lathe.Error) as caught:
            call(*arguments, **keywords)
        self.assertEqual(str(caught.exception), text)
        return caught.exception


class Models(Case):
    def test_load_and_save(self):
        model = lathe.load(self.net)
        self.assertEqual(model.path, str(self.net))
        self.assertEqual([(each.name, each.element_type, each.shape) for each in model.inputs],
                         [("x", "f32", ("N", 3, 8, 8))])  # fmt: skip
        self.assertEqual([each.name for each in model.outputs], ["y"])
        self.assertEqual(model.opsets, {"ai.onnx": 13})
        self.assertEqual([(each.name, each.op) for each in model.nodes][:2], [("conv1", "Conv"), ("relu", "Relu")])
        self.assertEqual(model.nodes[0].inputs, ["x", "conv1.weight", "conv1.bias"])
        model.verify()
        model.save(self.folder / "saved.onnx")
        self.assertEqual((self.folder / "saved.onnx").read_bytes(), model.to_bytes())
        self.assertEqual(lathe.load_bytes(model.to_bytes()).text("exact"), model.text("exact"))
        self.assertEqual(lathe.parse(model.text("exact")).to_bytes(), model.to_bytes())
        self.assertIn('name "conv1"', str(model))

    def test_inspect_is_the_drivers(self):
        told = json.loads(driver("inspect", self.net, "--json"))
        for key, value in lathe.load(self.net).inspect().items():
            self.assertEqual(value, told[key], key)

    def test_errors(self):
        error = self.raises("/no/such.onnx: cannot open: No such file or directory", lathe.load, "/no/such.onnx")
        self.assertEqual((error.file, error.message), ("/no/such.onnx", "cannot open: No such file or directory"))
        self.assertIsNone(error.node)
        model = lathe.load(self.net)
        error = self.raises("the model has no initializer 'conv1.weigth' (did you mean 'conv1.weight' or 'conv2.weight'?)",
                            model.initializer, "conv1.weigth")  # fmt: skip
        self.assertEqual(error.hint, "did you mean 'conv1.weight' or 'conv2.weight'?")
        self.raises("weights is 'all': give 'elided', 'exact' or 'file'", model.text, "all")
        broken = nets.small_net()
        broken.graph.node[0].ClearField("input")
        nets.save(broken, self.net)
        with self.assertRaises(lathe.Error) as caught:
            lathe.load(self.net).verify()
        self.assertEqual(caught.exception.node, "conv1")
        self.assertEqual(caught.exception.file, str(self.net))

    def test_every_element_type(self):
        types = [np.float32, np.float16, np.float64, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16,
                 np.uint32, np.uint64, np.bool_, np.complex64, np.complex128, ml_dtypes.bfloat16,
                 ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e4m3fnuz, ml_dtypes.float8_e5m2,
                 ml_dtypes.float8_e5m2fnuz, ml_dtypes.int4, ml_dtypes.uint4,
                 ml_dtypes.float4_e2m1fn, ml_dtypes.int2, ml_dtypes.uint2]  # fmt: skip
        arrays = {np.dtype(each).name: np.array([[1, 0, 1], [0, 1, 1]]).astype(each) for each in types}
        arrays["int4"] = np.array([[-8, 7, -1], [1, 0, 3]]).astype(ml_dtypes.int4)
        arrays["float8_e8m0fnu"] = np.array([0.5, 1, 4]).astype(ml_dtypes.float8_e8m0fnu)
        arrays["empty"] = np.zeros((0, 3), np.float32)
        arrays["scalar"] = np.array(3.5, np.float64)
        arrays["text"] = np.array([["ä", "b"]], object)
        model = nets.small_net()
        model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
        nets.save(model, self.net)
        loaded = lathe.load(self.net)
        for name, array in arrays.items():
            got = loaded.initializer(name)
            self.assertEqual((got.dtype, got.shape), (array.dtype, array.shape), name)
            self.assertTrue(np.array_equal(got, array), name)

    def test_changes_and_clones(self):
        model = lathe.load(self.net)
        clone = model.clone()
        report = lathe.opt(clone, "fuse-conv-bn,canonicalize", verify_each=True)
        self.assertTrue(report.changed)
        self.assertEqual(report.passes[0].pass_name, "fuse-conv-bn")
        self.assertEqual(report.passes[0].remarks[0].kind, "applied")
        self.assertNotIn("BatchNormalization", clone.inspect()["operators"])
        self.assertIn("BatchNormalization", model.inspect()["operators"])
        driver("opt", self.net, "-o", self.folder / "opt.onnx", "--passes", "fuse-conv-bn,canonicalize")
        self.assertEqual((self.folder / "opt.onnx").read_bytes(), clone.to_bytes())


class LayerNames(Case):
    """Marks as lathe.amct_pytorch leaves them in exported graphs (name_layers.h)."""

    def names(self, *chains):
        """Each chain is a mark's path and type, then operators. Returns the names of the nodes that are left."""
        nodes, value = [], "x"
        for path, kind, *operators in chains:
            nodes.append(helper.make_node("Layer", [value], [f"m{len(nodes)}"], f"mark{len(nodes) + 1}",
                                          domain="lathe.torch", type=kind))  # fmt: skip
            # `name` of make_node is the node's own.
            nodes[-1].attribute.append(helper.make_attribute("name", path))
            value = nodes[-1].output[0]
            for operator in operators:
                nodes.append(helper.make_node(operator, [value], [f"v{len(nodes)}"], f"/node{len(nodes)}"))
                value = nodes[-1].output[0]
        graph = helper.make_graph(nodes, "net", [helper.make_tensor_value_info("x", 1, ["N"])],
                                  [helper.make_tensor_value_info(value, 1, None)])  # fmt: skip
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid("lathe.torch", 1)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(self.net))
        model = lathe.load(self.net)
        lathe._core._name_layers(model)
        self.assertEqual(set(model.opsets), {"ai.onnx"})
        return [each.name for each in model.nodes]

    def test_names(self):
        self.assertEqual(self.names(("conv", "Conv2d", "Conv"), ("act", "ReLU", "Relu")), ["conv", "act"])
        self.assertEqual(self.names(("p", "AvgPool2d", "Pad", "AveragePool")), ["p_pad", "p"])
        self.assertEqual(self.names(("l", "Linear", "Transpose", "MatMul", "Add")), ["l_transpose", "l", "/node3"])
        self.assertEqual(self.names(("r", "LSTM", "Transpose", "LSTM")), ["/node1", "r"])
        self.assertEqual(self.names(("c", "Conv1d", "Unsqueeze", "Conv", "Squeeze")), ["/node1", "c", "/node3"])
        self.assertEqual(self.names(("c", "Conv2d", "Conv"), ("c", "Conv2d", "Conv")), ["c", "c1"])
        # What is no such operator takes the name all the same, and a later module's node does not.
        self.assertEqual(self.names(("s", "Softmax", "Exp"), ("t", "Softmax", "Softmax")), ["s", "t"])

    def test_errors(self):
        error = self.raises("node 'mark1': is a mark of a layer without its path and type", self.names, ("", "ReLU", "Relu"))
        self.assertEqual(error.node, "mark1")


class Passes(Case):
    def test_lists_are_the_drivers(self):
        told = json.loads(driver("passes", "--json"))
        self.assertEqual([each.name for each in lathe.passes()], [each["name"] for each in told["passes"]])
        self.assertEqual([each.text for each in lathe.pipelines()], [each["text"] for each in told["pipelines"]])
        fuse = next(each for each in lathe.passes() if each.name == "fuse-conv-bn")
        self.assertEqual({each.name: each.default for each in fuse.options}["skip"], [])
        self.assertIn("BatchNormalization", fuse.summary + fuse.description)

    def test_errors(self):
        model = lathe.load(self.net)
        self.raises("pipeline, column 1: there is no pass or pipeline 'fuse-conv-bm'; did you mean 'fuse-conv-bn'?",
                    lathe.opt, model, "fuse-conv-bm")  # fmt: skip
        with self.assertRaises(lathe.Error) as caught:
            lathe.opt(model, "lower-to-deploy")
        self.assertIn("needs the fact 'ascend-lowered'", str(caught.exception))

    def test_remarks_go_to_the_logger(self):
        with self.assertLogs("lathe", logging.DEBUG) as log:
            lathe.opt(lathe.load(self.net), "fuse-conv-bn")
        applied = [each for each in log.records if each.getMessage().startswith("fuse-conv-bn: applied: ")]
        self.assertEqual([each.levelno for each in applied], [logging.DEBUG])


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


class Execution(Case):
    def test_run(self):
        session = lathe.Session(self.net)
        self.assertEqual((session.inputs, session.outputs), (["x"], ["y"]))
        batch = nets.batches(1)[0]
        wanted = nets.reference(self.net, batch)
        for inputs in (batch, {"x": batch}, (batch,), [batch], np.asfortranarray(batch), batch.astype(">f4")):
            got = session.run(inputs)["y"]
            np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
            self.assertFalse(got.flags.writeable)
        np.testing.assert_allclose(lathe.run(lathe.load(self.net), batch)["y"], wanted, rtol=1e-4, atol=1e-5)

    def test_deploy_model(self):
        lathe.quantize(self.net, nets.batches(2), self.folder / "net", progress=False)
        deploy = self.folder / "net_deploy_model.onnx"
        batch = nets.batches(1)[0]
        np.save(self.folder / "x.npy", batch)
        driver("run", deploy, "-i", self.folder / "x.npy", "-o", self.folder / "out")
        got = lathe.run(deploy, batch, threads=1)["y"]
        self.assertTrue(np.array_equal(got, np.load(self.folder / "out/y.npy")))

    def test_element_types(self):
        for name in ("float32", "float16", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32",
                     "uint64", "bool"):  # fmt: skip
            array = np.array([[1, 0], [0, 1]]).astype(name)
            nets.save(nets.identity(array.dtype), self.net)
            got = lathe.run(self.net, array)["y"]
            self.assertEqual(got.dtype, array.dtype)
            self.assertTrue(np.array_equal(got, array), name)

    def test_compare(self):
        summary = lathe.quantize(self.net, nets.batches(2), self.folder / "net", progress=False)
        layers = lathe.compare(self.net, summary.paths.deploy, nets.batches(2), progress=False)
        told = json.loads(driver("compare", self.net, summary.paths.deploy, "-d", *self.files(2), "--json"))
        self.assertEqual([(each.layer, each.sqnr_db, each.cosine, each.saturated_b) for each in layers],
                         [(each["layer"], each["sqnr_db"], each["cosine"], each["saturated_b"])
                          for each in told["layers"]])  # fmt: skip

    def test_errors(self):
        self.raises(f"{self.net}: input 'x': shape [1,3,8] has rank 3, the model wants [N,3,8,8]", lathe.run,
                    self.net, np.zeros((1, 3, 8), np.float32))  # fmt: skip
        self.raises("arrays of datetime64[s] are not tensors of ONNX", lathe.run, self.net,
                    np.zeros((1, 3, 8, 8), "datetime64[s]"))  # fmt: skip

    def test_threads_share_a_session(self):
        session = lathe.Session(self.net)
        batches = nets.batches(8)
        wanted = [session.run(batch)["y"] for batch in batches]
        got = [None] * 8

        def work(i):
            for _ in range(20):
                got[i] = session.run(batches[i])["y"]

        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for one, other in zip(got, wanted):
            self.assertTrue(np.array_equal(one, other))


class Behaviour(Case):
    def test_progress(self):
        seen = []
        lathe.quantize(self.net, nets.batches(3), self.folder / "net", progress=lambda *step: seen.append(step))
        self.assertIn(("calibrating", 3, 3), seen)

    def test_bars_of_tqdm(self):
        bars = []

        class Bar:
            def __init__(self, total, desc):
                self.total, self.desc, self.n, self.open = total, desc, 0, True
                bars.append(self)

            def update(self, steps):
                self.n += steps

            def close(self):
                self.open = False

        module = types.ModuleType("tqdm.auto")
        module.tqdm = Bar
        saved = {name: sys.modules.get(name) for name in ("tqdm", "tqdm.auto")}
        sys.modules.update({"tqdm": types.ModuleType("tqdm"), "tqdm.auto": module})
        try:
            lathe.quantize(self.net, nets.batches(3), self.folder / "net", progress=False)
            self.assertEqual(bars, [])
            lathe.quantize(self.net, nets.batches(3), self.folder / "net")
        finally:
            for name, before in saved.items():
                if before is None:
                    del sys.modules[name]
                else:
                    sys.modules[name] = before
        self.assertIn(("calibrating", 3, 3, False), [(bar.desc, bar.n, bar.total, bar.open) for bar in bars])
        self.assertFalse(any(bar.open for bar in bars))

    def test_other_threads_run_meanwhile(self):
        steps, done = 0, False

        def count():
            nonlocal steps
            while not done:
                steps += 1
                time.sleep(0.001)

        thread = threading.Thread(target=count)
        thread.start()
        begin = time.monotonic()
        lathe.quantize(self.net, [str(self.files(1)[0])] * 300, self.folder / "net", progress=False)
        seconds = time.monotonic() - begin
        done = True
        thread.join()
        self.assertGreater(steps, 20 * seconds)

    def test_ctrl_c_stops_between_batches(self):
        data = [str(self.files(1)[0])] * 200000
        threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        begin = time.monotonic()
        with self.assertRaises(KeyboardInterrupt):
            lathe.quantize(self.net, data, self.folder / "net", progress=False)
        self.assertLess(time.monotonic() - begin, 20)
        self.assertFalse(list(self.folder.glob("net_*")))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
