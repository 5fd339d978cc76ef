"""`lathe auto`: the search, what it saves, and that an interrupted run goes on and ends with the same bytes."""
import json
import re
import signal
import subprocess
import time

from driver import *

LAYERS = ["fc1", "fc2", "fc3", "fc4"]
# The value falls with each quantised layer; "wait" makes the third measurement of a run slow.
MEASURE = """
value=1000
for layer in fc1:COST1 fc2:COST2 fc3:COST3 fc4:COST4; do
  if grep -q "${layer%%:*}.quant" "$1"; then value=$((value - ${layer##*:})); fi
done
echo "$2" >> calls
if [ -e wait ] && [ "$(wc -l < calls)" = 3 ]; then sleep 4; fi
echo "measured"
echo $value
"""


class Auto(DriverTest):
    def setUp(self):
        super().setUp()
        # Each layer loses more than the one before: outliers in ever fewer inputs of weight 0.
        nodes, weights, value = [], {}, "x"
        for i, name in enumerate(LAYERS):
            weights |= {f"w{i}": random(16, 16, seed=i), f"b{i}": random(16, seed=10 + i)}
            nodes.append(helper.make_node("Gemm", [value, f"w{i}", f"b{i}"], [f"y{i}"], name))
            value = f"y{i}"
            if i < 3:
                nodes.append(helper.make_node("Tanh", [value], [f"t{i}"], f"tanh{i}"))
                value = f"t{i}"
        save_net(self.folder / "net.onnx", nodes, weights, {"x": ["n", 16]}, {"y3": ["n", 16]})
        for i in range(2):
            self.save(f"b{i}.npy", random(32, 16, seed=20 + i))
        self.done("config", "ptq", "net.onnx", "-o", "config.json", "--batch-num", "2")

    def costs(self, *costs):
        text = MEASURE
        for i, cost in enumerate(costs):
            text = text.replace(f"COST{i + 1}", str(cost))
        (self.folder / "measure.sh").write_text(text)

    def auto(self, budget, *more, prefix="out/net"):
        return ["auto", "net.onnx", "--config", "config.json", "-d", "b0.npy", "b1.npy",
                "--evaluate", "sh measure.sh", "--budget", budget, "-o", prefix, *more]  # fmt: skip

    def calls(self):
        return (self.folder / "calls").read_text().split("\n")[:-1]

    def results(self, folder="out"):
        self.assertEqual(sorted(path.name for path in (self.folder / folder).iterdir()), RESULTS)
        return [(self.folder / folder / name).read_bytes() for name in RESULTS]

    def similarities(self):
        """What quantising one layer alone does to its output, from the factors that `lathe calibrate` finds."""
        self.done("calibrate", "net.onnx", "--config", "config.json", "-d", "b0.npy", "b1.npy",
                  "--record", "record.txt", "--modified", "modified.onnx")  # fmt: skip
        tensors = {each.name: numpy_helper.to_array(each) for each in onnx.load(self.folder / "net.onnx").graph.initializer}
        records = re.split(r'key: "', (self.folder / "record.txt").read_text())[1:]
        factors = {text.split('"')[0]: {name: np.float64([float(v) for v in re.findall(rf"{name}: (\S+)", text)])
                   for name in ("scale_d", "offset_d", "scale_w")} for text in records}  # fmt: skip
        sums = dict.fromkeys(LAYERS, 0)
        for batch in ("b0.npy", "b1.npy"):
            x = np.load(self.folder / batch).astype(np.float64)
            for i, name in enumerate(LAYERS):
                f, w, b = factors[name], tensors[f"w{i}"].astype(np.float64), tensors[f"b{i}"]
                rounded = (np.clip(np.round(x / f["scale_d"]) + f["offset_d"], -128, 127) - f["offset_d"]) * f["scale_d"]
                weight = np.clip(np.round(w / f["scale_w"]), -128, 127) * f["scale_w"]
                want, got = x @ w + b, rounded @ weight + b
                sums[name] += 0.5 + 0.5 * (want * got).sum() / np.sqrt((want**2).sum() * (got**2).sum())
                x = np.tanh(want)
        return {name: total / 2 for name, total in sums.items()}

    def test_all_quantised_where_the_budget_allows(self):
        self.costs(1, 1, 1, 1)
        summary = self.summary(*self.auto(4))
        self.assertEqual(len(self.calls()), 2)
        self.assertEqual(self.calls()[0], "net.onnx")
        self.assertTrue(self.calls()[1].endswith("fake_quant_model.onnx"))
        self.assertEqual(summary["value"], {"float": 1000, "deploy": 996})
        self.assertEqual((summary["meets_budget"], summary["rolled_back"], summary["sensitivity"]), (True, [], []))
        self.assertEqual(summary["layers"], {"quantized": LAYERS, "float": []})
        # The same as the plain job gives.
        files = self.results()
        self.done("quantize", "net.onnx", "--config", "config.json", "-d", "b0.npy", "b1.npy", "-o", "plain/net")
        self.assertEqual(files, self.results("plain"))

    def test_the_most_sensitive_layers_go_back(self):
        order = sorted(self.similarities().items(), key=lambda item: item[1])
        # Three layers must go: the reference's search tries 0, 2 and 3.
        costs = {name: 100 if i < 3 else 1 for i, (name, _) in enumerate(order)}
        self.costs(*(costs[name] for name in LAYERS))
        summary = self.summary(*self.auto(1))
        for layer, (name, similarity) in zip(summary["sensitivity"], order, strict=True):
            self.assertEqual(layer["name"], name)
            self.assertAlmostEqual(layer["similarity"], similarity, delta=1e-6)
        self.assertEqual([(each["rolled_back"], each["value"], each["meets_budget"]) for each in summary["candidates"]],
                         [(0, 699, False), (2, 899, False), (3, 999, True)])  # fmt: skip
        self.assertEqual(summary["rolled_back"], [name for name, _ in order[:3]])
        self.assertEqual(summary["layers"]["quantized"], [order[3][0]])
        self.results()
        config = json.loads((self.folder / "out/net_config.json").read_text())
        self.assertEqual([name for name in LAYERS if config[name]["quant_enable"]], [order[3][0]])
        # The configuration gives the same result without any search.
        files = self.results()
        self.done("quantize", "net.onnx", "--config", "out/net_config.json", "-d", "b0.npy", "b1.npy", "-o", "plain/net")
        self.assertEqual(files, self.results("plain"))

    def test_the_best_is_saved_where_the_budget_is_missed(self):
        self.costs(100, 100, 100, 100)
        done = self.lathe("--json", *self.auto(50))
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.splitlines()[-1], "lathe: error: no candidate stays within the budget of 50; "
                         "the best, which was saved, loses 100")
        summary = json.loads(done.stdout)
        self.assertEqual([each["rolled_back"] for each in summary["candidates"]], [0, 2, 3])
        self.assertFalse(summary["meets_budget"])
        self.assertEqual((len(summary["rolled_back"]), summary["value"]["deploy"]), (3, 900))
        self.results()

    def test_interrupted_and_resumed(self):
        self.costs(100, 100, 100, 100)
        whole = self.summary(*self.auto(200))
        files = self.results()
        self.assertEqual([each["rolled_back"] for each in whole["candidates"]], [0, 2, 1])
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(number=number):
                (self.folder / "calls").unlink()
                (self.folder / "wait").touch()
                prefix = f"{number.name}/net"
                # Not a pipe: what a killed job started still holds its standard error.
                errors = self.folder / "errors"
                with errors.open("w") as stderr:
                    process = subprocess.Popen(self.command(*self.auto(200, prefix=prefix)), cwd=self.folder, stderr=stderr)
                deadline = time.monotonic() + 60
                while not (self.folder / "calls").exists() or len(self.calls()) < 3:
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.01)
                process.send_signal(number)
                process.wait()
                kept = {path.name for path in (self.folder / number.name).iterdir()} - {"net_auto_trial"}
                self.assertEqual(kept, {*RESULTS, "net_auto_state.json"})
                if number == signal.SIGTERM:
                    self.assertEqual(process.returncode, 1)
                    self.assertEqual(errors.read_text().splitlines()[-1], "lathe: error: interrupted; candidates measured so far: 1; the "
                                     "best of them is SIGTERM/net_deploy_model.onnx (the same command goes on from there)")
                (self.folder / "wait").unlink()
                (self.folder / "calls").unlink()
                resumed = self.summary(*self.auto(200, prefix=prefix))
                self.assertEqual(len(self.calls()), 2)
                self.assertEqual(resumed["resumed"], 1)
                for key in ("value", "candidates", "rolled_back", "sensitivity", "layers", "notes"):
                    self.assertEqual(resumed[key], whole[key])
                self.assertEqual(self.results(number.name), files)

    def test_a_state_of_another_job(self):
        self.costs(1, 1, 1, 1)
        (self.folder / "out").mkdir()
        state = self.folder / "out/net_auto_state.json"
        state.write_text('{"job": "0", "float": 5, "candidates": [[0, 5]]}')
        summary = self.summary(*self.auto(4))
        self.assertEqual(summary["notes"], ["out/net_auto_state.json was of another model, configuration, data, "
                                            "evaluator or Lathe: begun anew"])  # fmt: skip
        self.assertEqual(summary["value"], {"float": 1000, "deploy": 996})
        state.write_text("{")
        self.refused("out/net_auto_state.json: this is not the state of an automatic calibration "
                     "(remove it to begin anew)", *self.auto(4))

    def test_what_calibration_notes(self):
        self.costs(0, 0, 0, 0)
        config = json.loads((self.folder / "config.json").read_text())
        (self.folder / "config.json").write_text(json.dumps({**config, "joint_quant": True}))
        self.assertIn("joint_quant: no Add has two quantised layers in front of it and a quantised one behind it: nothing "
                      "was joined", self.summary(*self.auto(1))["notes"])  # fmt: skip

    def test_lower_is_better(self):
        self.costs(-5, -5, -5, -5)
        summary = self.summary(*self.auto(20, "--lower-is-better"))
        self.assertEqual((summary["value"]["deploy"], summary["rolled_back"]), (1020, []))

    def test_a_failing_evaluator(self):
        (self.folder / "measure.sh").write_text("exit 3")
        (self.folder / "out").mkdir()
        self.refused("the evaluator 'sh measure.sh': it failed with exit status 3", *self.auto(1))

    def test_options(self):
        options = ["auto", "net.onnx", "-d", "b0.npy", "-o", "out/net", "--budget"]
        one = "give --evaluate or --labels, one of the two"
        together = "--labels and --eval-data go together: data that does not calibrate, and its labels"
        self.refused(one, *options, 1, status=2)
        self.refused(one, *options, 1, "--evaluate", "true", "--labels", "y.npy", status=2)
        self.refused(together, *options, 1, "--labels", "y.npy", status=2)
        self.refused(together, *options, 1, "--evaluate", "true", "--eval-data", "b1.npy", status=2)
        for budget in ("inf", "nan", -1):
            self.refused("--budget takes a finite number that is not negative", *options, budget, "--evaluate", "true",
                         status=2)  # fmt: skip


class Labels(DriverTest):
    """A net whose first layer cannot be quantised: one input is huge and has no weight."""

    def setUp(self):
        super().setUp()
        weights = {"w1": random(16, 16), "w2": random(16, 4, seed=1)}
        weights["w1"][0] = 0
        nodes = [
            helper.make_node("Gemm", ["x", "w1"], ["h"], "fc1"),
            helper.make_node("Tanh", ["h"], ["t"], "tanh"),
            helper.make_node("Gemm", ["t", "w2"], ["y"], "fc2"),
        ]
        save_net(self.folder / "net.onnx", nodes, weights, {"x": ["n", 16]}, {"y": ["n", 4]})
        for i in range(2):
            batch = random(256, 16, seed=2 + i)
            batch[:, 0] *= 3000
            self.save(f"x{i}.npy", batch)
        self.save("labels.npy", self.classes("net.onnx"))

    def classes(self, model):
        self.done("run", model, "-i", "x=x1.npy", "-o", "run")
        return np.load(self.folder / "run/y.npy").argmax(axis=1)

    def auto(self, budget, evaluation="x1.npy"):
        return ["auto", "net.onnx", "-d", "x0.npy", "--labels", "labels.npy", "--eval-data", evaluation,
                "--budget", budget, "-o", "out/net"]  # fmt: skip

    def test_the_deploy_model_is_measured(self):
        summary = self.summary(*self.auto(1))
        accuracy = (self.classes("out/net_deploy_model.onnx") == np.load(self.folder / "labels.npy")).mean()
        self.assertEqual(summary["value"], {"float": 1, "deploy": accuracy})
        self.assertLess(accuracy, 0.7)

    def test_the_bad_layer_goes_back(self):
        summary = self.summary(*self.auto(0.05))
        self.assertEqual(summary["rolled_back"], ["fc1"])
        self.assertEqual(summary["layers"]["quantized"], ["fc2"])
        accuracy = (self.classes("out/net_deploy_model.onnx") == np.load(self.folder / "labels.npy")).mean()
        self.assertEqual(summary["value"]["deploy"], accuracy)
        self.assertGreaterEqual(accuracy, 0.95)

    def test_calibration_data_do_not_measure(self):
        refusal = "batch 1 of the evaluation data is calibration data too (measure on data that does not calibrate)"
        self.refused(refusal, *self.auto(1, "x0.npy"))
        # Cut and ordered in another way.
        first, second = np.load(self.folder / "x0.npy"), np.load(self.folder / "x1.npy")
        self.save("part.npy", first[99:49:-1])
        self.save("labels.npy", np.zeros(50, np.int64))
        self.refused(refusal, *self.auto(1, "part.npy"))
        self.save("mixed.npy", np.concatenate([first[:3], second[:47]]))
        summary = self.summary(*self.auto(1, "mixed.npy"))
        self.assertEqual(summary["notes"], ["3 samples of the evaluation data are calibration data too"])

    def test_wrong_labels(self):
        self.save("labels.npy", np.zeros(3, np.int64))
        self.refused("labels.npy: there are 3 labels for 256 samples", *self.auto(1))


class Sensitivity(DriverTest):
    """Layers that stand elsewhere or give something else than the plain ones."""

    def rank(self, *nodes, weights, inputs, outputs, data):
        """The similarities of all layers, since no candidate is good enough."""
        save_net(self.folder / "net.onnx", nodes, weights, inputs, outputs, opset=16)
        np.savez(self.folder / "data.npz", **data)
        done = self.lathe("--json", "auto", "net.onnx", "-d", "data.npz", "--evaluate", '[ "$1" = "$2" ]; echo $? #',
                          "--lower-is-better", "--budget", 0, "-o", "out/net")  # fmt: skip
        self.assertEqual(done.stderr.splitlines()[-1], "lathe: error: no candidate stays within the budget of 0; the best, "
                         "which was saved, loses 1")
        return {each["name"]: each["similarity"] for each in json.loads(done.stdout)["sensitivity"]}

    def test_layers_in_bodies(self):
        data = {"x": random(8, 16)}
        weights = {"w0": random(16, 16, seed=1), "w1": random(16, 16, seed=2), "w2": random(16, 16, seed=3)}
        shape = {"x": [8, 16]}
        first = helper.make_node("Gemm", ["x", "w0"], ["a"], "first")
        plain = self.rank(first, helper.make_node("Gemm", ["a", "w1"], ["b"], "one"),
                          helper.make_node("Gemm", ["b", "w2"], ["y"], "two"),
                          weights=weights, inputs=shape, outputs={"y": [8, 16]}, data=data)  # fmt: skip

        def branch(name):
            out = helper.make_tensor_value_info(f"{name}_b", TensorProto.FLOAT, [8, 16])
            inside = [helper.make_node("Gemm", ["a", "w1"], [f"{name}_b"], "one")] if name == "then" else [
                helper.make_node("Neg", ["a"], [f"{name}_b"], "neg")]  # fmt: skip
            return helper.make_graph(inside, name, [], [out])

        # The condition is not known before it runs.
        choose = [
            helper.make_node("ReduceMax", ["x"], ["most"], "most", keepdims=0),
            helper.make_node("Greater", ["most", "zero"], ["positive"], "positive"),
            helper.make_node("If", ["positive"], ["b"], "if", then_branch=branch("then"), else_branch=branch("else")),
        ]
        # Each of two passes computes the same.
        ends = [helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("go", "on")]
        body = helper.make_graph(
            [helper.make_node("Identity", ["go"], ["on"], "go_on"), helper.make_node("Gemm", ["b", "w2"], ["c"], "two")],
            "body", [helper.make_tensor_value_info("pass", TensorProto.INT64, []), ends[0]],
            [ends[1], helper.make_tensor_value_info("c", TensorProto.FLOAT, [8, 16])])  # fmt: skip
        loop = helper.make_node("Loop", ["passes", "true"], ["y"], "loop", body=body)
        inside = self.rank(first, *choose, loop, weights=weights | {"zero": np.float32(0), "passes": np.int64(2),
                           "true": np.array(True)}, inputs=shape, outputs={"y": [2, 8, 16]}, data=data)  # fmt: skip
        self.assertEqual(list(inside), list(plain))
        for name, similarity in plain.items():
            self.assertLess(similarity, 1)
            self.assertAlmostEqual(inside[name], similarity, delta=1e-9)

    def test_a_recurrent_layer_without_its_first_output(self):
        weights = {"w": random(1, 24, 4), "r": random(1, 24, 8, seed=1), "v": random(8, 4)}
        nodes = [
            helper.make_node("GRU", ["x", "w", "r", "", "", "h"], ["", "last"], "rnn", hidden_size=8, linear_before_reset=1),
            helper.make_node("MatMul", ["last", "v"], ["y"], "fc"),
        ]
        found = self.rank(*nodes, weights=weights, inputs={"x": [5, 2, 4], "h": [1, 2, 8]},
                          outputs={"y": [1, 2, 4]}, data={"x": random(5, 2, 4, seed=3), "h": random(1, 2, 8, seed=2)})  # fmt: skip
        self.assertEqual(sorted(found), ["fc", "rnn"])
        for similarity in found.values():
            self.assertTrue(0.99 < similarity < 1, found)


if __name__ == "__main__":
    main()
