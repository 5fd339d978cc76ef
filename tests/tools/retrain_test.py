"""`lathe config qat` and `lathe retrain`: the retrain model computes what the reference's formulas say, a checkpoint finds
its way into it and out again, and what is refused."""
import onnxruntime

from driver import *

EPS = np.float32(1.192092896e-07)


def ulq(x, top, bottom, bits=8):
    """The reference's 7.7."""
    top, bottom = np.float32(max(top, 0)), np.float32(min(bottom, 0))
    scale = (top - bottom) / np.float32(2**bits - 1)
    low = np.float32(-(2 ** (bits - 1)))
    offset = np.rint(low - bottom / scale)
    return (np.clip(np.rint(x / scale + offset), low, -low - 1) - offset) * scale


def arq_scale(w, axes=None, bits=8):
    """The reference's 7.2: one scale, or one for each index of the other axes."""
    high = np.abs(w.max(axis=axes, keepdims=True))
    low = np.abs(w.min(axis=axes, keepdims=True))
    top = np.float32(2 ** (bits - 1) - 1)
    scale = np.maximum(high, low) / np.where(high < low, top + 1, top)
    return np.where(scale < EPS, np.float32(1), scale)


def rounded(w, scale, bits=8):
    return np.clip(np.rint(w / scale), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1) * scale


class Retrain(DriverTest):
    """x[n,4,5,5] -> conv (1x1, group 2) -> bn -> relu -> { up (ConvTranspose, group 2), side (1x1) } -> fc (MatMul)"""

    def setUp(self):
        super().setUp()
        self.weights = {
            "conv.weight": random(6, 2, 1, 1, seed=1), "bn.weight": random(6, seed=2), "bn.bias": random(6, seed=3),
            "bn.running_mean": random(6, seed=4), "bn.running_var": np.abs(random(6, seed=5)),
            "up.weight": random(6, 2, 2, 2, seed=6), "up.bias": random(4, seed=7),
            "side.weight": random(4, 6, 1, 1, seed=8), "onnx::fc": random(4, 3, seed=9), "fc.bias": random(3, seed=10),
        }  # fmt: skip
        nodes = [
            helper.make_node("Conv", ["x", "conv.weight"], ["c"], "conv", group=2),
            helper.make_node("BatchNormalization", ["c", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"],
                             ["b"], "bn"),
            helper.make_node("Relu", ["b"], ["r"], "relu"),
            helper.make_node("ConvTranspose", ["r", "up.weight", "up.bias"], ["u"], "up", group=2, strides=[2, 2]),
            helper.make_node("Conv", ["r", "side.weight"], ["s"], "side"),
            helper.make_node("ReduceMean", ["u"], ["mu"], "mean_u", axes=[2, 3], keepdims=0),
            helper.make_node("ReduceMean", ["s"], ["ms"], "mean_s", axes=[2, 3], keepdims=0),
            helper.make_node("Add", ["mu", "ms"], ["m"], "add"),
            helper.make_node("MatMul", ["m", "onnx::fc"], ["f"], "fc"),
            helper.make_node("Add", ["fc.bias", "f"], ["y"], "fc_add"),
        ]  # fmt: skip
        save_net(self.folder / "net.onnx", nodes, self.weights, {"x": ["n", 4, 5, 5]}, {"y": ["n", 3]})
        (self.folder / "net.cfg").write_text("""
            retrain_data_quant_config { ulq_quantize { clip_max_min { clip_max: 2 clip_min: -1 } } }
            retrain_weight_quant_config { ulq_retrain { } }
            override_layer_configs { layer_name: "conv"
              retrain_data_quant_config { ulq_quantize { clip_max_min { clip_max: 1.5 clip_min: -1.25 } dst_type: INT16 } }
              retrain_weight_quant_config { arq_retrain { } } }""")
        self.done("config", "qat", "net.onnx", "--cfg", "net.cfg", "-o", "config.json")
        self.x = random(3, 4, 5, 5, seed=20)

    def state(self):
        """A checkpoint as PyTorch calls its parts, other values than the model's."""
        w = {name: array + np.float32(0.1) for name, array in self.weights.items()}
        inner = "quant_module.replaced_module"
        clips = {"acts_clip_max": np.float32(2.25), "acts_clip_min": np.float32(-0.5)}
        state = {
            f"conv.{inner}.weight": w["conv.weight"], "conv.quant_module.acts_clip_max": np.float32(1),
            "conv.quant_module.acts_clip_min": np.float32(-2), "conv.scale_w": np.ones(6, "f4"),
            f"up.{inner}.weight": w["up.weight"], f"up.{inner}.bias": w["up.bias"],
            "up.quant_module.wts_scales": np.full(4, 0.02, "f4"), "up.quant_module.cur_batch": np.float32(4),
            f"side.{inner}.weight": w["side.weight"], "side.quant_module.wts_scales": np.full(4, 0.03, "f4"),
            f"fc.{inner}.weight": w["onnx::fc"].T, f"fc.{inner}.bias": w["fc.bias"],
            "fc.quant_module.wts_scales": np.full(1, 0.04, "f4"),
        }  # fmt: skip
        for part in ("weight", "bias", "running_mean", "running_var"):
            state[f"conv.bn_module.{part}"] = w[f"bn.{part}"]
        for name, value in clips.items():
            state[f"up.quant_module.{name}"] = value
            state[f"side.quant_module.acts_comp_reuse.{name}"] = value
            state[f"fc.quant_module.{name}"] = value * 2
        return state

    def save_state(self, name, state):
        np.savez(self.folder / name, **state)
        return name

    def create(self, *arguments):
        return ["retrain", "create", *(arguments or ["net.onnx"]), "--config", "config.json", "--record", "record.txt",
                "-o", "retrain.onnx"]  # fmt: skip

    def restore(self, checkpoint, *arguments, model="net.onnx"):
        return ["retrain", "restore", model, "--config", "config.json", "--checkpoint", checkpoint, *arguments,
                "--record", "record.txt", "-o", "retrain.onnx"]  # fmt: skip

    def save_command(self, model, *arguments, output="out/net"):
        return ["retrain", "save", model, "--config", "config.json", *arguments, "-o", output]

    def expected(self, weights, clips, scales):
        """The network with fake quantisation in numpy; `scales` of the ULQ weights, None for ARQ's."""
        def scale(name, layout, axes):
            return arq_scale(layout, axes) if scales is None else np.float32(scales[name])

        x = ulq(self.x, *clips["conv"], bits=16)
        w = weights["conv.weight"]
        w = rounded(w, arq_scale(w, (1, 2, 3)))[:, :, 0, 0]
        c = np.concatenate([np.einsum("nchw,oc->nohw", x[:, 2 * g : 2 * g + 2], w[3 * g : 3 * g + 3]) for g in (0, 1)], 1)
        column = lambda name: weights[name][None, :, None, None]
        b = (c - column("bn.running_mean")) / np.sqrt(column("bn.running_var") + 1e-5) * column("bn.weight")
        r = ulq(np.maximum(b + column("bn.bias"), 0), clips["up"][0], 0)
        split = weights["up.weight"].reshape(2, 3, 2, 2, 2)
        up = rounded(split, scale("up", split, (1, 3, 4)))
        # Strides of the kernel's size: every output is one product; the mean needs no layout.
        u = np.concatenate([np.einsum("nchw,coij->nohiwj", r[:, 3 * g : 3 * g + 3], up[g]) for g in (0, 1)], 1)
        side = rounded(weights["side.weight"], scale("side", weights["side.weight"], (1, 2, 3)))[:, :, 0, 0]
        s = np.einsum("nchw,oc->nohw", r, side)
        m = u.mean(axis=(2, 3, 4, 5)) + weights["up.bias"] + s.mean(axis=(2, 3))
        fc = rounded(weights["onnx::fc"], scale("fc", weights["onnx::fc"], None))
        return ulq(m, *clips["fc"]) @ fc + weights["fc.bias"]

    def run_model(self, name):
        session = onnxruntime.InferenceSession(str(self.folder / name), providers=["CPUExecutionProvider"])
        return session.run(None, {"x": self.x})[0]

    def close(self, got, want):
        """Equal but for single values on a rounding edge."""
        error = np.square(got - want).sum()
        self.assertGreater(10 * np.log10(np.square(want).sum() / error), 35, (got, want))

    def initializers(self, name):
        model = onnx.load(self.folder / name)
        onnx.checker.check_model(model, full_check=True)
        return {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}

    def test_create(self):
        (self.folder / "record.txt").write_text("something old")
        self.done(*self.create())
        self.assertEqual((self.folder / "record.txt").read_bytes(), b"")
        constants = self.initializers("retrain.onnx")
        clips = {name: float(array) for name, array in constants.items() if "acts_clip" in name}
        # `up` and `side` share their input; it comes from a Relu: its lower clip is fixed.
        self.assertEqual(clips, {
            "conv.quant_module.acts_clip_max": 1.5, "conv.quant_module.acts_clip_min": -1.25,
            "up.quant_module.acts_clip_max": 2, "fc.quant_module.acts_clip_max": 2,
            "fc.quant_module.acts_clip_min": -1})  # fmt: skip
        for name, axes in (("side", (1, 2, 3)), ("fc", None)):
            want = arq_scale(self.weights[f"{name}.weight" if name == "side" else "onnx::fc"], axes).ravel()
            np.testing.assert_array_equal(constants[f"{name}.quant_module.wts_scales"], want)
        for name, array in self.weights.items():
            np.testing.assert_array_equal(constants[name], array)
        clips = {"conv": (1.5, -1.25), "up": (2, 0), "fc": (2, -1)}
        self.close(self.run_model("retrain.onnx"), self.expected(self.weights, clips, None))

    def test_operator_set_18(self):
        model = onnx.load(self.folder / "net.onnx")
        for node in (model.graph.node[5], model.graph.node[6]):
            node.attribute.pop(0)
            node.input.append("axes")
        model.graph.initializer.append(numpy_helper.from_array(np.array([2, 3]), "axes"))
        model.opset_import[0].version = 18
        onnx.save(model, self.folder / "net18.onnx")
        self.done(*self.create())
        want = self.run_model("retrain.onnx")
        self.done(*self.create("net18.onnx"))
        self.initializers("retrain.onnx")
        self.close(self.run_model("retrain.onnx"), want)

    def test_restore(self):
        state = self.state()
        self.done(*self.restore(self.save_state("trained.npz", state)))
        self.initializers("retrain.onnx")
        weights = {name: array + np.float32(0.1) for name, array in self.weights.items()}
        clips = {"conv": (1, -2), "up": (2.25, 0), "fc": (4.5, -1)}
        scales = {"up": 0.02, "side": 0.03, "fc": 0.04}
        self.close(self.run_model("retrain.onnx"), self.expected(weights, clips, scales))
        # Data-parallel training puts a prefix before every key.
        plain = (self.folder / "retrain.onnx").read_bytes()
        wrapped = self.save_state("wrapped.npz", {f"module.{name}": array for name, array in state.items()})
        self.done(*self.restore(wrapped))
        self.assertEqual((self.folder / "retrain.onnx").read_bytes(), plain)
        # A retrain model is restored as well as the float one, also from another retrain model.
        self.done(*self.create())
        self.done(*self.restore("trained.npz", model="retrain.onnx"))
        self.close(self.run_model("retrain.onnx"), self.expected(weights, clips, scales))
        (self.folder / "retrain.onnx").rename(self.folder / "trained.onnx")
        self.done(*self.restore("trained.onnx"))
        self.close(self.run_model("retrain.onnx"), self.expected(weights, clips, scales))

    def test_save(self):
        checkpoint = self.save_state("trained.npz", self.state())
        self.done(*self.save_command("net.onnx", "--checkpoint", checkpoint))
        record = (self.folder / "out/net_record.txt").read_text()
        self.assertEqual([line.split('"')[1] for line in record.splitlines() if "key:" in line],
                         ["conv", "up", "side", "fc"])  # fmt: skip
        self.assertEqual(record.count('act_type: "INT16"'), 1)
        self.done(*self.restore(checkpoint))
        want = self.run_model("retrain.onnx")
        self.close(self.run_model("out/net_fake_quant_model.onnx"), want)
        self.done(*self.save_command("retrain.onnx", "--record", "factors.txt", output="again/net"))
        self.assertEqual((self.folder / "factors.txt").read_text(), record)
        for name in ("net_deploy_model.onnx", "net_fake_quant_model.onnx"):
            self.assertEqual((self.folder / "again" / name).read_bytes(), (self.folder / "out" / name).read_bytes())

    def test_sparse_weights_are_masked(self):
        state = self.state()
        weight = state["side.quant_module.replaced_module.weight"]
        mask = np.ones_like(weight)
        mask[:, ::2] = 0
        state["side.quant_module.wts_mask"] = mask
        state["up.quant_module.wts_mask"] = np.full_like(self.weights["up.weight"], np.nan)
        self.done(*self.restore(self.save_state("sparse.npz", state)))
        constants = self.initializers("retrain.onnx")
        np.testing.assert_array_equal(constants["side.weight"], weight * mask)
        np.testing.assert_array_equal(constants["up.weight"], state["up.quant_module.replaced_module.weight"])

    def test_keys_that_do_not_match(self):
        state = self.state()
        del state["fc.quant_module.acts_clip_max"]
        state["extra.weight"] = np.ones(2, "f4")
        state["conv.bn_module.bias"] = np.ones(5, "f4")
        self.save_state("wrong.npz", state)
        self.refused(
            "wrong.npz: the keys do not match the model's: 1 missing: 'fc.quant_module.acts_clip_max'; 1 extra: "
            "'extra.weight'; 1 misshapen: 'conv.bn_module.bias' is f32[5], not f32[6]",
            *self.restore("wrong.npz"))  # fmt: skip

    def test_refusals(self):
        self.done(*self.create())
        self.refused("net.onnx: the model is no retrain model: nothing was trained (give --checkpoint)",
                     *self.save_command("net.onnx"))  # fmt: skip
        self.refused("retrain.onnx: the model is a retrain model already: node 'conv.acts_quant' is Mul (finish it with "
                     "'lathe retrain save', or start from the float model)", *self.create("retrain.onnx"))  # fmt: skip
        config = json.loads((self.folder / "config.json").read_text())
        config["fc"]["retrain_weight_config"]["algo"] = "arq_retrain"
        (self.folder / "config.json").write_text(json.dumps(config))
        self.refused("retrain.onnx: the retrain model was made with another configuration, which does not ask for "
                     "'fc.quant_module.wts_scales'", *self.save_command("retrain.onnx"))  # fmt: skip
        config["conv"]["retrain_weight_config"]["algo"] = "ulq_retrain"
        (self.folder / "config.json").write_text(json.dumps(config))
        self.refused("retrain.onnx: the retrain model was made with another configuration: it has no "
                     "'conv.quant_module.wts_scales'", *self.save_command("retrain.onnx"))  # fmt: skip
        config["cnv"] = config.pop("conv")
        (self.folder / "config.json").write_text(json.dumps(config))
        self.refused("config.json: configuration: the model has no layer 'cnv' (did you mean 'conv'?)", *self.create())

    def test_values_that_are_not_finite(self):
        state = self.state()
        state["fc.quant_module.acts_clip_max"] = np.float32(np.inf)
        self.save_state("infinite.npz", state)
        self.refused("infinite.npz: node 'fc': the clips -1 and inf are not finite",
                     *self.save_command("net.onnx", "--checkpoint", "infinite.npz"))  # fmt: skip

    def test_config(self):
        summary = self.summary("config", "qat", "net.onnx", "-o", "a.json", "--skip-layer", "fc", "--batch-num", "3")
        self.assertEqual((summary["enabled"], summary["layers"], summary["notes"]), (3, 4, []))
        config = json.loads((self.folder / "a.json").read_text())
        self.assertEqual(list(config), ["version", "batch_num", "conv", "up", "side", "fc"])
        self.assertEqual((config["batch_num"], config["fc"]["retrain_enable"]), (3, False))
        (self.folder / "bad.cfg").write_text("batch_num: 2\nprune_config { }")
        self.refused("bad.cfg: line 2, column 1: prune_config: this configuration is for quantisation alone, pruning has "
                     "its own: remove the field",
                     "config", "qat", "net.onnx", "--cfg", "bad.cfg", "-o", "b.json")  # fmt: skip


if __name__ == "__main__":
    main()
