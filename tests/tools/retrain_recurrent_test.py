"""`lathe retrain` of LSTM and GRU over one time step: quantisers in front of input, hidden state and both weights; checkpoints
with the keys and the order of gates of the reference's PyTorch modules."""
import onnxruntime

from driver import *

GATES = {"LSTM": [0, 3, 1, 2], "GRU": [1, 0, 2]}  # torch's block for each block of ONNX
IN, HIDDEN, BATCH = 4, 6, 3


def in_onnx_order(kind, array):
    return np.concatenate([np.split(array, len(GATES[kind]))[i] for i in GATES[kind]])


def fake_quant(x, clips, bits=8):
    high, low = np.float32(clips[0]), np.float32(clips[1])
    scale = (high - low) / np.float32(2**bits - 1)
    offset = np.rint(np.float32(-(2 ** (bits - 1))) - low / scale)
    q = np.clip(np.rint(x / scale + offset), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return ((q - offset) * scale).astype("f4"), scale, int(offset)


def arq_scales(rows):
    high, low = np.abs(rows.max(axis=1)), np.abs(rows.min(axis=1))
    return (np.maximum(high, low) / np.where(high < low, 128, 127)).astype("f4")


def rounded(rows, scales):
    return (np.clip(np.rint(rows / scales[:, None]), -128, 127) * scales[:, None]).astype("f4")


class Recurrent(DriverTest):
    def write(self, kind, steps=1, name="net.onnx", hidden=True):
        """The net; torch's tensors of its module."""
        gates = len(GATES[kind])
        state = {"weight_ih_l0": random(gates * HIDDEN, IN, seed=1), "weight_hh_l0": random(gates * HIDDEN, HIDDEN, seed=2),
                 "bias_ih_l0": random(gates * HIDDEN, seed=3), "bias_hh_l0": random(gates * HIDDEN, seed=4)}  # fmt: skip
        order = {key: in_onnx_order(kind, array) for key, array in state.items()}
        weights = {"w": order["weight_ih_l0"][None], "r": order["weight_hh_l0"][None],
                   "b": np.concatenate([order["bias_ih_l0"], order["bias_hh_l0"]])[None]}  # fmt: skip
        ends = [HIDDEN, "c"] if kind == "LSTM" else [HIDDEN]
        inputs = ["x", "w", "r", "b", "", "h" if hidden else ""] + ["c"] * (len(ends) - 1)
        outputs = ["y", "yh"] + ["yc"] * (len(ends) - 1)
        more = {} if kind == "LSTM" else {"linear_before_reset": 1}
        node = helper.make_node(kind, inputs, outputs, "rnn", hidden_size=HIDDEN, **more)
        shape = [1, BATCH, HIDDEN]
        names = {"x": [steps, BATCH, IN], "h": shape} | ({"c": shape} if kind == "LSTM" else {})
        if not hidden:
            del names["h"]
        save_net(self.folder / name, [node], weights, names, {"y": [steps, 1, BATCH, HIDDEN]} | {out: shape for out in outputs[1:]})
        return state

    def feeds(self, kind):
        feeds = {"x": random(1, BATCH, IN, seed=5), "h": np.tanh(random(1, BATCH, HIDDEN, seed=6))}
        return feeds | ({"c": random(1, BATCH, HIDDEN, seed=7)} if kind == "LSTM" else {})

    def ort(self, name, feeds):
        return onnxruntime.InferenceSession(str(self.folder / name), providers=["CPUExecutionProvider"]).run(None, feeds)

    def config(self, weights="arq_retrain", **data):
        self.done("config", "qat", "net.onnx", "-o", "config.json")
        config = json.loads((self.folder / "config.json").read_text())
        config["rnn"]["retrain_data_config"].update(data)
        config["rnn"]["retrain_weight_config"]["algo"] = weights
        (self.folder / "config.json").write_text(json.dumps(config))

    def initializers(self, name):
        return {each.name: numpy_helper.to_array(each) for each in onnx.load(self.folder / name).graph.initializer}

    def simulated(self, kind, state, feeds, clips, hidden_clips, scales=None):
        """What the float net computes of rounded operands."""
        rows = [in_onnx_order(kind, state[key]) for key in ("weight_ih_l0", "weight_hh_l0")]
        scales = scales or [arq_scales(each) for each in rows]
        model = onnx.load(self.folder / "net.onnx")
        for tensor, each, scale in zip(model.graph.initializer, rows, scales):
            tensor.CopyFrom(numpy_helper.from_array(rounded(each, scale)[None], tensor.name))
        bias = np.concatenate([in_onnx_order(kind, state[key]) for key in ("bias_ih_l0", "bias_hh_l0")])[None]
        model.graph.initializer[2].CopyFrom(numpy_helper.from_array(bias, "b"))
        onnx.save(model, self.folder / "rounded.onnx")
        feeds = feeds | {"x": fake_quant(feeds["x"], clips)[0], "h": fake_quant(feeds["h"], hidden_clips)[0]}
        return self.ort("rounded.onnx", feeds)

    def trained(self, kind, ulq=False):
        """A checkpoint as the reference's module writes it."""
        shapes = self.write(kind)
        state = {key: array * np.float32(0.8) for key, array in shapes.items()}
        entries = {f"replaced_module.{key}": array for key, array in state.items()}
        entries |= {f"comp_module.{key}": array for key, array in shapes.items()}
        clips = {"acts_clip_max": 2.5, "acts_clip_min": -1.5, "acts_h_clip_max": 0.9, "acts_h_clip_min": -0.8}
        entries |= {key: np.float32(value) for key, value in clips.items()}
        entries |= {f"{key}_pre": np.float32(value) for key, value in clips.items()}
        learned = [arq_scales(state[key]) * np.float32(0.9) for key in ("weight_ih_l0", "weight_hh_l0")]
        entries |= {"wts_scales": learned[0], "rec_wts_scales": learned[1], "s_rec_flag": np.float32(0), "cur_batch": np.int64(3)}
        np.savez(self.folder / "trained.npz", **{f"rnn.quant_module.{key}": array for key, array in entries.items()},
                 **{"rnn.scale_r": learned[1], "rnn.offset_r": learned[1]})  # fmt: skip
        scales = [in_onnx_order(kind, each) for each in learned] if ulq else None
        return state, (2.5, -1.5), (0.9, -0.8), scales

    def close(self, got, want, limit):
        for g, w in zip(got, want, strict=True):
            self.assertGreater(10 * np.log10(np.square(w).sum() / max(np.square(w - g).sum(), 1e-30)), limit)

    def test_create(self):
        for kind in GATES:
            state = self.write(kind)
            self.config(clip_max=2.0, clip_min=-1.0)
            self.done("retrain", "create", "net.onnx", "--config", "config.json", "--record", "r.txt", "-o", "retrain.onnx")
            feeds = self.feeds(kind)
            want = self.simulated(kind, state, feeds, (2, -1), (2, -1))
            self.close(self.ort("retrain.onnx", feeds), want, 100)
            constants = self.initializers("retrain.onnx")
            for part in ("acts_clip_max", "acts_clip_min", "acts_h_clip_max", "acts_h_clip_min"):
                self.assertEqual(constants[f"rnn.quant_module.{part}"], 2 if "max" in part else -1)

    def test_ranges_found_on_data(self):
        self.write("GRU")
        self.config()
        feeds = self.feeds("GRU")
        data = [f"{name}={self.save(name + '.npy', array)}" for name, array in feeds.items()]
        self.done("retrain", "create", "net.onnx", "--config", "config.json", "--record", "r.txt", "-o", "retrain.onnx", "-d", *data)
        constants = self.initializers("retrain.onnx")
        for part, name in (("acts", "x"), ("acts_h", "h")):
            most = np.abs(feeds[name]).max()
            self.assertTrue(0.5 * most < constants[f"rnn.quant_module.{part}_clip_max"] < 1.5 * most)

    def test_restore_and_save(self):
        for kind in GATES:
            for ulq in (False, True):
                with self.subTest(kind=kind, ulq=ulq):
                    state, clips, hidden_clips, scales = self.trained(kind, ulq)
                    self.config("ulq_retrain" if ulq else "arq_retrain")
                    given = ["--config", "config.json", "--checkpoint", "trained.npz"]
                    self.done("retrain", "restore", "net.onnx", *given, "--record", "r.txt", "-o", "retrain.onnx")
                    feeds = self.feeds(kind)
                    want = self.simulated(kind, state, feeds, clips, hidden_clips, scales)
                    self.close(self.ort("retrain.onnx", feeds), want, 100)
                    self.done("retrain", "save", "net.onnx", *given, "-o", "out/net")
                    # Biases are rounded to 32 bits; the deploy model rounds nothing else.
                    self.close(self.ort("out/net_fake_quant_model.onnx", feeds), want, 60)
                    arguments = [f"{name}={self.save(name + '.npy', array)}" for name, array in feeds.items()]
                    self.done("run", "out/net_deploy_model.onnx", *(each for a in arguments for each in ("-i", a)), "-o", "got")
                    got = [np.load(self.folder / f"got/{each.name}.npy") for each in onnx.load(self.folder / "net.onnx").graph.output]
                    self.close(got, want, 60)
                    self.check_record(kind, state, feeds, clips, hidden_clips, scales)
                    # The retrain model is a checkpoint, too, and needs none.
                    for source in (["net.onnx", "--checkpoint", "retrain.onnx"], ["retrain.onnx"]):
                        self.done("retrain", "save", source[0], "--config", "config.json", *source[1:], "-o", "again/net")
                        for name in RESULTS[1:]:
                            self.assertEqual((self.folder / "again" / name).read_bytes(), (self.folder / "out" / name).read_bytes(), name)

    def check_record(self, kind, state, feeds, clips, hidden_clips, scales):
        record = (self.folder / "out/net_record.txt").read_text()
        values = lambda field: np.array([line.split()[1] for line in record.splitlines() if line.split()[0] == f"{field}:"], "f4")
        _, scale, offset = fake_quant(feeds["x"], clips)
        _, hidden_scale, hidden_offset = fake_quant(feeds["h"], hidden_clips)
        np.testing.assert_array_equal(values("scale_d"), [scale])
        np.testing.assert_array_equal(values("offset_d"), [offset])
        np.testing.assert_array_equal(values("scale_h"), [hidden_scale])
        np.testing.assert_array_equal(values("offset_h"), [hidden_offset])
        own = [arq_scales(in_onnx_order(kind, state[key])) for key in ("weight_ih_l0", "weight_hh_l0")]
        for field, want in zip(("scale_w", "scale_r"), scales or own):
            np.testing.assert_array_equal(values(field), want)

    def test_keys_that_are_missing(self):
        self.trained("GRU")
        self.config()
        with np.load(self.folder / "trained.npz") as file:
            state = dict(file)
        del state["rnn.quant_module.acts_h_clip_min"], state["rnn.quant_module.replaced_module.bias_hh_l0"]
        np.savez(self.folder / "short.npz", **state)
        done = self.lathe("retrain", "save", "net.onnx", "--config", "config.json", "--checkpoint", "short.npz", "-o", "out/net")
        self.assertEqual(done.returncode, 1)
        for key in ("rnn.quant_module.acts_h_clip_min", "rnn.quant_module.replaced_module.bias_hh_l0"):
            self.assertIn(key, done.stderr)

    def test_layers_that_stay_float_get_their_weights(self):
        state = self.write("LSTM")
        net = onnx.load(self.folder / "net.onnx")
        net.graph.node.append(helper.make_node("MatMul", ["yh", "m"], ["z"], "fc"))
        net.graph.initializer.append(numpy_helper.from_array(random(HIDDEN, 2), "m"))
        net.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, BATCH, 2]))
        onnx.save(net, self.folder / "net.onnx")
        self.done("config", "qat", "net.onnx", "-o", "config.json", "--skip-layer", "rnn")
        entries = {f"rnn.{key}": array + 1 for key, array in state.items()}
        entries |= {"fc.quant_module.replaced_module.weight": random(2, HIDDEN), "fc.quant_module.acts_clip_max": np.float32(1),
                    "fc.quant_module.acts_clip_min": np.float32(-1)}  # fmt: skip
        np.savez(self.folder / "trained.npz", **entries)
        self.done("retrain", "restore", "net.onnx", "--config", "config.json", "--checkpoint", "trained.npz", "--record", "r.txt",
                  "-o", "retrain.onnx")  # fmt: skip
        constants = self.initializers("retrain.onnx")
        np.testing.assert_array_equal(constants["w"][0], in_onnx_order("LSTM", state["weight_ih_l0"] + 1))

    def test_what_cannot_be_trained(self):
        hint = " (set its retrain_enable to false)"
        create = lambda: ["retrain", "create", "net.onnx", "--config", "config.json", "--record", "r.txt", "-o", "t.onnx"]
        self.write("LSTM", steps=5)
        self.config()
        self.refused("net.onnx: layer 'rnn': LSTM cannot be trained: it runs over 5 time steps, 1 can be trained" + hint, *create())

    def test_sums_are_not_shifted(self):
        self.write("GRU")
        self.config()
        out = self.done("retrain", "create", "net.onnx", "--config", "config.json", "--record", "r.txt", "-o", "t.onnx", "--searchn-version", 2)
        self.assertIn("note: searchN: layer 'rnn' is not shifted: LSTM and GRU are not\n", out)


if __name__ == "__main__":
    main()
