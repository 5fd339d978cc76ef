"""`lathe retrain` with data: searchN layers and the shifts that are found, and where ranges start, against the
reference's formulas in numpy."""
import onnxruntime

from driver import *


def run(model, feeds, outputs):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(outputs, feeds)


def ifmr(data, bits=8):
    """The reference's 7.3 without an offset: the ends of the range."""
    top, bottom = max(0, data.max()), min(0, data.min())
    steps = np.float32(2 ** (bits - 1) if abs(top) < abs(bottom) else 2 ** (bits - 1) - 1)
    best = (np.inf, None)
    for i in range(61):
        clip = np.float32(0.7 + i * 0.01) * np.float32(max(abs(top), abs(bottom)))
        scale = clip / steps
        loss = np.square(scale * np.rint(np.clip(data, -clip, clip) / scale) - data).mean(dtype="f8")
        best = min(best, (loss, scale), key=lambda pair: pair[0])
    half = 2 ** (bits - 1)
    return (half - 1) * best[1], -half * best[1]


def best_shifts(sums, version, one):
    """The reference's 2.2, for sums [channels, values]."""
    errors = []
    for n in range(1, 17):
        shifted = np.trunc(sums / 2.0**n) if version == 1 else np.floor(sums / 2.0**n)
        errors.append(np.square(np.clip(shifted, -32768, 32767) * 2.0**n - sums).sum(axis=1))
    errors = np.array(errors)
    if one:
        return [int(errors.sum(axis=1).argmin()) + 1] * sums.shape[0]
    return (errors.argmin(axis=0) + 1).tolist()


class SearchN(DriverTest):
    """x[n,4,6,6] -> first, bn -> relu -> { left, right -> relu } -> add -> relu -> third -> pool -> global -> fc -> y"""

    def setUp(self):
        super().setUp()
        conv = lambda x, name, out, bias=(): helper.make_node("Conv", [x, f"{name}.weight", *bias], [out], name)
        nodes = [
            conv("x", "first", "f"),
            helper.make_node("BatchNormalization", ["f", "g", "b", "m", "v"], ["fb"], "bn"),
            helper.make_node("Relu", ["fb"], ["fr"], "relu"),
            conv("fr", "left", "l", ["left.bias"]),
            conv("fr", "right", "r"),
            helper.make_node("Relu", ["r"], ["rr"], "right_relu"),
            helper.make_node("Add", ["l", "rr"], ["s"], "add"),
            helper.make_node("Relu", ["s"], ["sr"], "add_relu"),
            conv("sr", "third", "t"),
            helper.make_node("GlobalAveragePool", ["t"], ["p"], "pool"),
            conv("p", "global", "gl"),
            helper.make_node("Flatten", ["gl"], ["fl"], "flatten"),
            helper.make_node("MatMul", ["fl", "fc.weight"], ["mm"], "fc"),
            helper.make_node("Add", ["mm", "fc.bias"], ["y"], "fc_add"),
        ]
        # Sums beyond 16 bits.
        weights = {"first.weight": random(256, 4, 3, 3, seed=1), "g": random(256, seed=2), "b": random(256, seed=3),
                   "m": random(256, seed=4), "v": np.abs(random(256, seed=5)) + np.float32(0.1),
                   "left.weight": random(6, 256, 1, 1, seed=6), "left.bias": random(6, seed=7) * 40,
                   "right.weight": random(6, 256, 1, 1, seed=8) * 3, "third.weight": random(5, 6, 1, 1, seed=9),
                   "global.weight": random(7, 5, 1, 1, seed=10), "fc.weight": random(7, 3, seed=11),
                   "fc.bias": random(3, seed=12)}  # fmt: skip
        self.weights = weights
        save_net(self.folder / "net.onnx", nodes, weights, {"x": ["n", 4, 6, 6]}, {"y": ["n", 3]})
        (self.folder / "net.cfg").write_text("batch_num: 2")
        self.done("config", "qat", "net.onnx", "--cfg", "net.cfg", "-o", "config.json")
        self.data = [random(2, 4, 6, 6, seed=20 + i) for i in range(3)]
        for i, batch in enumerate(self.data):
            self.save(f"b{i}.npy", batch)

    def create(self, *arguments):
        return ["retrain", "create", "net.onnx", "--config", "config.json", "--record", "record.txt", "-o",
                "retrain.onnx", *arguments]  # fmt: skip

    def save_command(self, *arguments, model="retrain.onnx"):
        return ["retrain", "save", model, "--config", "config.json", "-o", "out/net", *arguments]

    def model(self, name):
        return onnx.load(self.folder / name)

    def record(self):
        """{layer: {field: [values]}}"""
        layers, fields = {}, None
        for line in (self.folder / "out/net_record.txt").read_text().splitlines():
            word, _, value = line.strip().partition(": ")
            if word == "key":
                fields = layers.setdefault(value.strip('"'), {})
            elif value and fields is not None:
                fields.setdefault(word, []).append(value)
        return layers

    def check_shifts(self, version, batches):
        record = self.record()
        shifts = {layer: [int(n) for n in fields["shift_bit"]] for layer, fields in record.items()}
        # The network that was searched: sums are not shifted yet.
        model = self.model("out/net_fake_quant_model.onnx")
        sums = {}
        for node in model.graph.node:
            if node.name.endswith(".fakedequant.shift"):
                sums[node.name.removesuffix(".fakedequant.shift")] = node.input[0]
                shifted = node.output[0]
            elif node.name.endswith(".fakedequant.mul"):
                node.input[0] = shifted
        self.assertEqual(sorted(sums), sorted(shifts))
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sums.values())
        found = {layer: [] for layer in sums}
        for batch in batches:
            for layer, values in zip(sums, run(model, {"x": batch}, list(sums.values()))):
                values = values.astype("f8")
                np.testing.assert_array_equal(values, np.rint(values))
                channels = len(shifts[layer])
                values = values.reshape(1, -1) if channels == 1 else np.moveaxis(values, 1, 0).reshape(channels, -1)
                found[layer].append(values)
        found = {layer: np.concatenate(values, axis=1) for layer, values in found.items()}
        found["left"] = found["right"] = np.concatenate([found["left"], found["right"]], axis=1)
        for layer, values in found.items():
            one = layer == "global"
            if one and version == 1:
                self.assertEqual(len(set(record[layer]["scale_w"])), 1)
                self.assertEqual(shifts[layer], best_shifts(values.reshape(1, -1), 1, False) * 7)
                continue
            self.assertEqual(shifts[layer], best_shifts(values, version, one), layer)
        self.assertGreater(len({n for each in shifts.values() for n in each}), 1)
        # They are in the words of the deploy model, and the words of both branches are the same.
        words = {i.name.removesuffix(".dequant.param"): numpy_helper.to_array(i)
                 for i in self.model("out/net_deploy_model.onnx").graph.initializer if "dequant" in i.name}  # fmt: skip
        for layer, fields in record.items():
            scales = np.array(fields["scale_w"], "f4") * np.float32(fields["scale_d"][0])
            want = scales.view("u4").astype("u8") | np.array(shifts[layer], "u8") << np.uint64(32)
            np.testing.assert_array_equal(words[layer], want)
        np.testing.assert_array_equal(words["left"], words["right"])

    def test_layers_are_inserted_and_compute_nothing(self):
        self.done(*self.create())
        plain = self.model("retrain.onnx")
        want = run(plain, {"x": self.data[0]}, None)
        for version, suffix in (("1", ".search_n"), ("2", ".search_n_v2")):
            summary = self.summary(*self.create("--searchn-version", version))
            self.assertEqual(summary["notes"], ["searchN: 'left' and 'right' share one searchN layer"])
            model = self.model("retrain.onnx")
            onnx.checker.check_model(model, full_check=True)
            nodes = {node.name: node for node in model.graph.node}
            names = [node.name for node in model.graph.node if node.op_type == "Identity"]
            self.assertEqual(names, [f"first{suffix}", f"left{suffix}", f"left{suffix}.1", f"third{suffix}",
                                     f"global{suffix}", f"fc{suffix}"])  # fmt: skip
            producers = {output: node.name for node in model.graph.node for output in node.output}
            behind = [producers[nodes[name].input[0]] for name in names]
            self.assertEqual(behind, ["bn", "left", "right", "third", "global", "fc_add"])
            np.testing.assert_array_equal(run(model, {"x": self.data[0]}, None), want)
            # What is trained is the same: joint layers share the range of their one input, and no scale before they are saved.
            self.assertEqual([each.SerializeToString() for each in model.graph.initializer],
                             [each.SerializeToString() for each in plain.graph.initializer])  # fmt: skip
            names = {each.name for each in model.graph.initializer}
            self.assertIn("left.quant_module.acts_clip_max", names)
            self.assertNotIn("right.quant_module.acts_clip_max", names)
            self.assertEqual([node.name for node in model.graph.node if node.name.endswith(".wts_quant")],
                             [f"{layer}.wts_quant" for layer in ("first", "left", "right", "third", "global", "fc")])  # fmt: skip
        # Without them it is the same model again.
        self.done("retrain", "restore", "retrain.onnx", "--config", "config.json", "--checkpoint", "retrain.onnx",
                  "--record", "record.txt", "-o", "again.onnx")  # fmt: skip
        self.assertEqual([node.name for node in self.model("again.onnx").graph.node],
                         [node.name for node in self.model("retrain.onnx").graph.node])  # fmt: skip

    def test_version_2(self):
        self.done(*self.create("--searchn-version", "2"))
        summary = self.summary(*self.save_command("-d", "b0.npy", "b1.npy", "b2.npy"))
        self.assertEqual(summary["notes"], ["batch_num is 2: 1 of 3 batches were not used",
                                            "searchN: 'left' and 'right' share one searchN layer"])  # fmt: skip
        self.check_shifts(2, self.data[:2])
        first = {name: (self.folder / "out" / name).read_bytes() for name in RESULTS[1:]}
        # The same from the float model and the checkpoint, and with another number of threads.
        self.done("--threads", "1", *self.save_command("--checkpoint", "retrain.onnx", "--searchn-version", "2", "-d",
                  "b0.npy", "b1.npy", model="net.onnx"))  # fmt: skip
        self.assertEqual({name: (self.folder / "out" / name).read_bytes() for name in first}, first)
        # Both models compute the same.
        np.save(self.folder / "x.npy", self.data[2])
        self.done("run", "out/net_deploy_model.onnx", "-i", "x=x.npy", "-o", "got")
        want = run(self.model("out/net_fake_quant_model.onnx"), {"x": self.data[2]}, None)[0]
        np.testing.assert_allclose(np.load(self.folder / "got/y.npy"), want, rtol=1e-5, atol=1e-5)

    def test_version_1(self):
        self.done(*self.create("--searchn-version", "1"))
        self.done(*self.save_command("-d", "b0.npy", "b1.npy"))
        self.check_shifts(1, self.data[:2])

    def test_layers_that_cannot_be_shifted(self):
        config = json.loads((self.folder / "config.json").read_text())
        config["third"]["retrain_weight_config"]["dst_type"] = "INT4"
        config["left"]["retrain_data_config"]["dst_type"] = "INT16"
        (self.folder / "config.json").write_text(json.dumps(config))
        self.done(*self.create("--searchn-version", "2"))
        summary = self.summary(*self.save_command("-d", "b0.npy", "b1.npy"))
        self.assertEqual(summary["notes"],
                         ["searchN: layer 'left' is not shifted: its activations do not have 8 bits",
                          "searchN: layer 'third' is not shifted: its weights have 4 bits"])  # fmt: skip
        shifted = [layer for layer, fields in self.record().items() if "shift_bit" in fields]
        self.assertEqual(shifted, ["first", "right", "global", "fc"])

    def test_ranges_start_on_data(self):
        config = json.loads((self.folder / "config.json").read_text())
        config["right"]["retrain_data_config"] |= {"clip_max": 3.5, "clip_min": -2.0}
        config["third"]["retrain_data_config"] |= {"fixed_min": False, "dst_type": "INT16"}
        (self.folder / "config.json").write_text(json.dumps(config))
        self.done(*self.create("-d", "b0.npy", "b1.npy"))
        constants = {i.name: numpy_helper.to_array(i) for i in self.model("retrain.onnx").graph.initializer}
        model = self.model("net.onnx")
        inputs = {"first": "x", "left": "fr", "third": "sr", "global": "p", "fc": "fl"}
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inputs.values() if name != "x")
        values = {name: [] for name in inputs.values()}
        for batch in self.data[:2]:
            values["x"].append(batch)
            names = [name for name in values if name != "x"]
            for name, value in zip(names, run(model, {"x": batch}, names)):
                values[name].append(value)
        for layer, name in inputs.items():
            top, bottom = ifmr(np.concatenate(values[name]).ravel(), 16 if layer == "third" else 8)
            prefix = f"{layer}.quant_module.acts_clip_"
            np.testing.assert_allclose(constants[prefix + "max"], top, rtol=1e-5)
            if layer != "left":
                np.testing.assert_allclose(constants[prefix + "min"], bottom, rtol=1e-5)
        self.assertEqual(constants["right.quant_module.acts_clip_max"], 3.5)

    def test_a_range_that_data_does_not_give(self):
        for i in range(2):
            self.save(f"b{i}.npy", np.zeros((1, 4, 6, 6), "f4"))
        notes = self.summary(*self.create("-d", "b0.npy", "b1.npy"))["notes"]
        self.assertEqual(notes[0], "layer 'first': all its values are equal: its range starts at -1 and 1")

    def test_refusals(self):
        self.done(*self.create())
        self.refused("data is for searching shifts, which nobody asked for (give --searchn-version, or no data)",
                     *self.save_command("-d", "b0.npy"))  # fmt: skip
        self.done(*self.create("--searchn-version", "2"))
        self.refused("shifts are to be searched, and there is no data (give -d)", *self.save_command())
        self.refused("the configuration asks for 2 batches, the data has 1 (give more data or lower batch_num)",
                     *self.save_command("-d", "b0.npy"))  # fmt: skip
        self.refused("the configuration asks for 2 batches, the data has 1 (give more data or lower batch_num)",
                     *self.create("-d", "b0.npy"))  # fmt: skip
        model = self.model("retrain.onnx")
        next(node for node in model.graph.node if node.name == "fc.search_n_v2").name = "fc.search_n"
        onnx.save(model, self.folder / "mixed.onnx")
        self.refused("mixed.onnx: node 'fc.search_n': searchN layers of both versions are in one model",
                     *self.save_command("-d", "b0.npy", "b1.npy", model="mixed.onnx"))  # fmt: skip
        self.refused("--searchn-version: 3 not in {1,2} (see 'lathe retrain --help')",
                     *self.create("--searchn-version", "3"), status=2)  # fmt: skip


if __name__ == "__main__":
    main()
