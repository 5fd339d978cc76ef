"""`lathe kv-cache`: its factors are those of an evaluation in numpy, and those that `lathe calibrate` finds for the same
values as the input of a layer; what is refused."""
import re

from driver import *

EPS = np.float32(1.192092896e-07)


def ifmr(values, asymmetric):
    """Scale and offset of the reference's search over all values (its 7.3), 8 bits, defaults, fewer than a million values."""
    values = values.astype(np.float32).ravel()
    high, low = np.float32(max(0, values.max())), np.float32(min(0, values.min()))
    best = None
    for i in range(61):
        ratio = np.float32(0.7 + i * 0.01)
        if asymmetric:
            top = ratio * high
            scale, bottom = (top - low) / np.float32(255), low
        else:
            top = ratio * max(abs(high), abs(low))
            scale, bottom = top / np.float32(128 if abs(high) < abs(low) else 127), -top
        scale = np.float32(1) if scale < EPS else scale
        error = scale * np.rint(np.clip(values, bottom, top) / scale) - values
        loss = np.square(error).mean(dtype=np.float64)
        if best is None or loss < best[0]:
            best = loss, scale
    return best[1], int(-np.rint(low / best[1]) - 128) if asymmetric else 0


class KvCache(DriverTest):
    """x[n,t,6] -> k (MatMul, Add with the bias first) -> q (Gemm's kind, on k's output); x -> v (MatMul without bias)."""

    def setUp(self):
        super().setUp()
        self.weights = {"wk": random(6, 5), "bk": random(5, seed=1), "wq": random(5, 4, seed=2), "wv": random(6, 5, seed=3)}
        self.weights["wv"][:, 2] = 0
        nodes = [
            helper.make_node("MatMul", ["x", "wk"], ["k0"], "k"),
            helper.make_node("Add", ["bk", "k0"], ["k1"], "k_add"),
            helper.make_node("MatMul", ["k1", "wq"], ["q"], "q"),
            helper.make_node("MatMul", ["x", "wv"], ["v"], "v"),
            helper.make_node("Relu", ["q"], ["y"], "relu"),
            helper.make_node("AveragePool", ["image"], ["z"], "pool", kernel_shape=[2, 2]),
        ]
        inputs = {"x": ["n", "t", 6], "image": ["n", 1, 2, 2]}
        save_net(self.folder / "net.onnx", nodes, self.weights, inputs,
                 {"y": ["n", "t", 4], "v": ["n", "t", 5], "z": ["n", 1, 1, 1]})  # fmt: skip
        self.x = [random(4, 40, 6, seed=4), random(4, 40, 6, seed=5) * 3, random(2, 40, 6, seed=6)]
        for i, x in enumerate(self.x):
            np.savez(self.folder / f"b{i}.npz", x=x, image=random(len(x), 1, 2, 2, seed=i))

    def outputs(self, batches):
        k = np.concatenate([(x @ self.weights["wk"] + self.weights["bk"]).reshape(-1, 5) for x in self.x[:batches]])
        v = np.concatenate([(x @ self.weights["wv"]).reshape(-1, 5) for x in self.x[:batches]])
        return {"k": k, "v": v}

    def factors(self, *arguments):
        """{layer: ([scale], [offset])} of a run."""
        self.done("kv-cache", "net.onnx", "-d", "b0.npz", "b1.npz", "b2.npz", "--record", "kv.txt", *arguments)
        found = {}
        text = (self.folder / "kv.txt").read_text()
        for key, body in re.findall(r'record \{\s+key: "(\w+)"\s+kv_cache_value \{(.*?)\}\s+\}', text, re.DOTALL):
            found[key] = ([float(each) for each in re.findall(r"scale: (\S+)", body)],
                          [int(each) for each in re.findall(r"offset: (\S+)", body)])  # fmt: skip
        return found

    def cfg(self, text):
        (self.folder / "kv.cfg").write_text(text)
        return ["--cfg", "kv.cfg"]

    def close(self, found, want):
        self.assertEqual(len(found[0]), len(want))
        np.testing.assert_allclose(found[0], [scale for scale, _ in want], rtol=1e-5)
        self.assertEqual(found[1], [offset for _, offset in want])

    def test_layers_by_name(self):
        found = self.factors("--layer", "v", "--layer", "k")
        self.assertEqual(list(found), ["v", "k"])
        for name, values in self.outputs(1).items():
            self.close(found[name], [ifmr(values, True)])

    def test_channels(self):
        for asymmetric in (True, False):
            found = self.factors(*self.cfg(
                f"batch_num: 3 activation_offset: {str(asymmetric).lower()} kv_cache_quant_config {{ quant_layers: 'k' quant_layers: 'v' "
                "calibration_config { ifmr_quantize { quant_granularity: per_channel } } }"
                " override_layers_configs { layer_name: 'v' kv_data_quant_config { ifmr_quantize { "
                f"asymmetric: {str(not asymmetric).lower()} quant_granularity: per_channel }} }} }}"))  # fmt: skip
            outputs = self.outputs(3)
            self.close(found["k"], [ifmr(column, asymmetric) for column in outputs["k"].T])
            self.close(found["v"], [ifmr(column, not asymmetric) for column in outputs["v"].T])
            # Nothing but zeros.
            self.assertEqual((found["v"][0][2], found["v"][1][2]), (1, 0 if asymmetric else -128))

    def test_channels_of_many_values(self):
        """So many that the search does not keep them."""
        self.x[0] = random(2, 2**17, 6, seed=7)
        np.savez(self.folder / "b0.npz", x=self.x[0], image=random(2, 1, 2, 2))
        found = self.factors(*self.cfg("kv_cache_quant_config { quant_layers: 'k' calibration_config { ifmr_quantize { "
                                       "quant_granularity: per_channel } } }"))  # fmt: skip
        self.close(found["k"], [ifmr(column, True) for column in self.outputs(1)["k"].T])

    def test_as_the_input_of_a_layer(self):
        """k's output is q's input, as long as k is not quantised."""
        for algorithm in ("ifmr_quantize { search_step: 0.02 ", "hfmg_quantize { num_of_bins: 1024 "):
            for asymmetric in ("true", "false"):
                rule = f"{algorithm} asymmetric: {asymmetric} }}"
                found = self.factors(*self.cfg(
                    f"batch_num: 2 kv_cache_quant_config {{ quant_layers: 'k' calibration_config {{ {rule} }} }}"))  # fmt: skip
                (self.folder / "ptq.cfg").write_text(
                    f"batch_num: 2 skip_layers: 'k' skip_layers: 'pool' common_config {{ {rule} }}")
                self.done("config", "ptq", "net.onnx", "--cfg", "ptq.cfg", "-o", "config.json")
                self.done("calibrate", "net.onnx", "--config", "config.json", "-d", "b0.npz", "b1.npz",
                          "--record", "record.txt", "--modified", "modified.onnx")  # fmt: skip
                text = (self.folder / "record.txt").read_text()
                scale, offset = re.search(r'key: "q".*?scale_d: (\S+)\s+offset_d: (\S+)', text, re.DOTALL).groups()
                self.assertEqual(found["k"], ([float(scale)], [int(offset)]))

    def test_channels_by_histogram(self):
        """A channel alone has the factors that it has among others."""
        rule = "hfmg_quantize { num_of_bins: 2048 quant_granularity: %s }"
        config = "batch_num: 3 kv_cache_quant_config { quant_layers: 'v' calibration_config { " + rule + " } }"
        found = self.factors(*self.cfg(config % "per_channel"))["v"]
        for channel in (0, 1, 3, 4):
            save_net(self.folder / "net.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"], "v"),
                     helper.make_node("Identity", ["image"], ["z"], "same")],
                     {"w": self.weights["wv"][:, channel : channel + 1]}, {"x": ["n", "t", 6], "image": ["n", 1, 2, 2]},
                     {"y": ["n", "t", 1], "z": ["n", 1, 2, 2]})  # fmt: skip
            alone = self.factors(*self.cfg(config % "per_tensor"))["v"]
            np.testing.assert_allclose(alone[0], [found[0][channel]], rtol=1e-5)
            self.assertEqual(alone[1], [found[1][channel]])

    def test_threads(self):
        rule = self.cfg("batch_num: 2 kv_cache_quant_config { quant_layers: 'k' calibration_config { ifmr_quantize { "
                        "quant_granularity: per_channel } } }")  # fmt: skip
        texts = []
        for threads in (1, 2):
            self.factors("--threads", threads, *rule)
            texts.append((self.folder / "kv.txt").read_bytes())
        self.assertEqual(*texts)

    def test_summary(self):
        arguments = ["kv-cache", "net.onnx", "--layer", "k", "-d", "b0.npz", "b1.npz", "--record", "kv.txt"]
        note = "batch_num is 1: 1 batches of the data were not used"
        self.assertEqual(self.summary(*arguments),
                         {"model": "net.onnx", "record": "kv.txt", "calibrated": 1, "notes": [note]})  # fmt: skip
        self.assertEqual(self.done(*arguments), f"calibrated 1 layers\nnote: {note}\nwrote kv.txt\n")

    def test_refusals(self):
        base = ["kv-cache", "net.onnx", "-d", "b0.npz", "--record", "kv.txt"]
        for layer, error in (
            ("kk", "quant_layers: the model has no layer 'kk'"),
            ("pool", "quant_layers: 'pool' is of type AvgPool2d; only outputs of Linear (Gemm, MatMul) are cached"),
            ("relu", "quant_layers: 'relu' of type Relu cannot be quantised: Relu is never quantised"),
        ):
            self.refused(error, *base, "--layer", layer)
        self.refused("quant_layers: 'k' is there twice", *base, "--layer", "k", "--layer", "k")
        cfg = self.cfg("batch_num: 2 kv_cache_quant_config { quant_layers: 'k' }")
        self.refused("the configuration asks for 2 batches, the data has 1 (give more data or lower batch_num)", *base, *cfg)
        cfg = self.cfg("kv_cache_quant_config { quant_layer: 'k' }")
        self.refused("kv.cfg: line 1, column 25: CommonCalibrationConfig has no field 'quant_layer' "
                     "(did you mean 'quant_layers'?)", *base, *cfg)  # fmt: skip
        self.x[0][0, 0, 0] = np.nan
        np.savez(self.folder / "b0.npz", x=self.x[0], image=random(4, 1, 2, 2))
        for granularity in ("per_tensor", "per_channel"):
            for algorithm in ("ifmr", "hfmg"):
                cfg = self.cfg("kv_cache_quant_config { quant_layers: 'k' calibration_config { "
                               f"{algorithm}_quantize {{ quant_granularity: {granularity} }} }} }}")  # fmt: skip
                self.refused("node 'k': its output: the activation holds a value that is NaN or infinite", *base, *cfg)

    def test_usage(self):
        base = ["kv-cache", "net.onnx", "-d", "b0.npz", "--record", "kv.txt"]
        for more, error in (([], ""), (["--layer", "k", *self.cfg("")], " and 2 were given")):
            self.refused(f"Exactly 1 option from [--cfg,--layer] is required{error} (see 'lathe kv-cache --help')",
                         *base, *more, status=2)  # fmt: skip

    def test_layers_in_bodies(self):
        weight = numpy_helper.from_array(random(6, 5), "w")
        bodies = [
            helper.make_graph([helper.make_node(op, inputs, [name], f"in_{name}")], name,
                              [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)])
            for op, inputs, name in (("MatMul", ["x", "w"], "then"), ("Identity", ["e"], "else"))
        ]  # fmt: skip
        graph = helper.make_graph(
            [helper.make_node("If", ["c"], ["y"], "if", then_branch=bodies[0], else_branch=bodies[1])], "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 6]), helper.make_tensor_value_info("c", TensorProto.BOOL, [])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [weight, numpy_helper.from_array(random(2, 5), "e")])  # fmt: skip
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), self.folder / "net.onnx")
        np.savez(self.folder / "b0.npz", x=random(2, 6), c=np.array(True))
        self.refused("quant_layers: 'in_then' is inside of If, Loop or Scan; only layers outside can be observed",
                     "kv-cache", "net.onnx", "-d", "b0.npz", "--record", "kv.txt", "--layer", "in_then")  # fmt: skip


main()
