"""`lathe prune` and `lathe compress` on small nets: what they refuse, that nothing is left behind then, and that what
they make computes."""
import onnxruntime

from driver import *

FILTERS = "prune_config { filter_pruner { balanced_l2_norm_filter_prune { prune_ratio: %s ascend_optimized: false } } }"
SELECTIVE = "prune_config { n_out_of_m_pruner { l1_selective_prune { %s } } }"
QUANTISERS = "retrain_data_quant_config { ulq_quantize { clip_max_min { clip_max: 3 clip_min: -3 } } }"


class PruneTest(DriverTest):
    def setUp(self):
        super().setUp()
        save_conv_net(self.folder / "net.onnx")
        self.cfg(FILTERS % 0.5)

    def cfg(self, text):
        (self.folder / "p.cfg").write_text(text)

    def part(self, part, model="net.onnx", command="prune", **options):
        options = {"cfg": "p.cfg", "record": "r.txt", "o": "out/net" if part == "save" else "s.onnx"} | options
        arguments = [[f"-{key}" if key == "o" else f"--{key}", value] for key, value in options.items()]
        return [command, part, model, *[each for pair in arguments for each in pair]]

    def weights(self, path):
        model = onnx.load(self.folder / path)
        return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}

    def run_model(self, path):
        session = onnxruntime.InferenceSession(str(self.folder / path), providers=["CPUExecutionProvider"])
        return session.run(None, {"x": random(2, 3, 8, 8, seed=5)})[0]

    def state(self, **changes):
        state = {"conv1.weight": random(4, 3, 3, 3), "conv1.bias": random(4), "conv2.weight": random(4, 4, 1, 1)}
        np.savez(self.folder / "c.npz", **(state | changes))
        return "c.npz"


class Works(PruneTest):
    def test_channels(self):
        printed = self.done(*self.part("create"))
        self.assertIn("4 of 8 output channels pruned in 1 groups\n", printed)
        self.assertIn("note: conv2 keeps its channels: its channels are an output of the network\n", printed)
        shapes = {name: array.shape for name, array in self.weights("s.onnx").items()}
        self.assertEqual(shapes, {"w1": (4, 3, 3, 3), "b1": (4,), "w2": (4, 4, 1, 1)})
        norms = np.square(random(8, 3, 3, 3)).sum(axis=(1, 2, 3))
        kept = np.sort(np.argsort(norms)[4:])
        np.testing.assert_array_equal(self.weights("s.onnx")["w1"], random(8, 3, 3, 3)[kept])
        # Nobody looks at the channels that went.
        last = random(4, 8, 1, 1)
        last[:, np.argsort(norms)[:4]] = 0
        save_conv_net(self.folder / "blind.onnx", last=last)
        np.testing.assert_allclose(self.run_model("s.onnx"), self.run_model("blind.onnx"), rtol=1e-4, atol=1e-6)
        summary = self.summary(*self.part("create"))
        self.assertEqual([summary[key] for key in ("groups", "channels", "pruned", "layers")], [1, 8, 4, 0])

    def test_restore_and_save(self):
        self.done(*self.part("create"))
        self.done(*self.part("restore", o="t.onnx", checkpoint=self.state()))
        np.testing.assert_array_equal(self.weights("t.onnx")["w1"], random(4, 3, 3, 3))
        for model in ("net.onnx", "s.onnx", "t.onnx"):
            self.done(*self.part("save", model, checkpoint="c.npz", o=f"out/{model}"))
            saved = self.weights(f"out/{model}_deploy_model.onnx")
            np.testing.assert_array_equal(saved["w2"], random(4, 4, 1, 1))
        # What is trained in place needs no checkpoint.
        self.done(*self.part("save", "t.onnx"))
        np.testing.assert_array_equal(self.weights("out/net_deploy_model.onnx")["w2"], random(4, 4, 1, 1))
        self.assertEqual((self.folder / "out/net_record.txt").read_bytes(), (self.folder / "r.txt").read_bytes())

    def test_patterns(self):
        for m, n in ((4, 2), (8, 6), (2, 1)):
            self.cfg(SELECTIVE % f"m: {m} n: {n}")
            self.done(*self.part("create"))
            self.assertLess(np.count_nonzero(self.weights("s.onnx")["conv2.wts_mask"]), 32)
            self.assertEqual(np.count_nonzero(self.weights("s.onnx")["w2"]), 32)
            self.done(*self.part("save", "s.onnx"))
            kept = np.count_nonzero(self.weights("out/net_deploy_model.onnx")["w2"], axis=1)
            np.testing.assert_array_equal(kept, 8 // m * (m - n))

    def test_masks_that_training_renewed_count(self):
        self.cfg(SELECTIVE % "update_freq: 2")
        self.done(*self.part("create"))
        mask = np.zeros((4, 8, 1, 1), "f4")
        mask[:, ::2] = 1
        trained = {}
        for layer, weight in (("conv1", random(8, 3, 3, 3, seed=1)), ("conv2", random(4, 8, 1, 1, seed=1))):
            trained[f"{layer}.replaced_module.weight"] = weight
            keep_last = np.ones_like(weight) * (np.arange(3) > 0)[:, None, None].astype("f4") if layer == "conv1" else mask
            trained[f"{layer}.wts_mask"] = keep_last
            trained[f"{layer}.prune_cur_batch"] = np.float32(7)
        trained["conv1.replaced_module.bias"] = random(8)
        np.savez(self.folder / "c.npz", **trained)
        self.done(*self.part("save", checkpoint="c.npz"))
        saved = self.weights("out/net_deploy_model.onnx")["w2"]
        np.testing.assert_array_equal(saved != 0, mask != 0)
        self.assertEqual((self.folder / "out/net_record.txt").read_bytes(), (self.folder / "r.txt").read_bytes())

    def test_both(self):
        self.cfg(FILTERS % 0.5 + QUANTISERS)
        self.done(*self.part("create", command="compress"))
        self.assertEqual(self.weights("s.onnx")["w1"].shape, (4, 3, 3, 3))
        self.done(*self.part("save", "s.onnx", command="compress"))
        deploy = self.weights("out/net_deploy_model.onnx")
        self.assertEqual({deploy["w1"].dtype, deploy["w2"].dtype}, {np.dtype("int8")})
        record = (self.folder / "r.txt").read_text()
        self.assertIn('key: "conv1"', record)
        self.assertIn("prune_record", record)
        self.run_model("out/net_fake_quant_model.onnx")

    def test_an_empty_record_is_one(self):
        self.cfg("override_layer_configs { layer_name: 'conv2' " + FILTERS % 0.5 + " }")
        self.done(*self.part("create"))
        self.assertEqual((self.folder / "r.txt").read_bytes(), b"")
        self.done(*self.part("save"))


class Refuses(PruneTest):
    def test_configurations(self):
        for text, error in (
            (FILTERS % 1.5, "prune_config: prune_ratio is 1.5, it must be above 0 and below 1"),
            (FILTERS % 0, "prune_config: prune_ratio is 0.0, it must be above 0 and below 1"),
            (SELECTIVE % "m: 4 n: 4", "prune_config: n is 4, it must be above 0 and below m, which is 4"),
            ("\nprune_confi { }", "line 2, column 1: AMCTRetrainConfig has no field 'prune_confi' (did you mean 'prune_config'?)"),
            (FILTERS % 0.5 + "\n" + QUANTISERS, "line 2, column 1: retrain_data_quant_config: this configuration is for "
             "pruning alone, both together is compression: remove the field"),
            (FILTERS % 0.5 + 'regular_prune_skip_layers: "conv3"',
             "regular_prune_skip_layers: the model has no layer 'conv3' (did you mean 'conv1' or 'conv2'?)"),
            ("", "there is no prune_config: nothing is to be pruned"),
        ):  # fmt: skip
            self.cfg(text)
            self.refused(f"p.cfg: {error}", *self.part("create"))
        self.refused("q.cfg: cannot open: No such file or directory", *self.part("create", cfg="q.cfg"))

    def change_record(self, old, new):
        text = (self.folder / "r.txt").read_text()
        self.assertIn(old, text)
        (self.folder / "changed.txt").write_text(text.replace(old, new, 1))

    def test_records(self):
        self.done(*self.part("create"))
        hint = "(is it the record of another network?)"
        save = self.part("save", record="changed.txt", checkpoint=self.state())
        for old, new, error in (
            ('name: "conv1"', 'name: "conv9"', "pass prune-channels: prune_record 1, producer 'conv9': the model has no node of this name, did you mean 'conv1' or 'conv2'?"),
            ('s: "Conv"', 's: "Gemm"', "pass prune-channels: prune_record 1, producer 'conv1': the record says Gemm, the model has Conv"),
            ("i: 8", "i: 16", "node 'conv1': pass prune-channels: the record counts 16 output channels and leaves 12, the model has 8"),
            ("ints: ", "ints: 9 ints: ", None),
        ):
            self.change_record(old, new)
            if error:
                self.refused(f"changed.txt: {error} {hint}", *save)
            else:
                done = self.lathe(*save)
                self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
                self.assertIn("indices ascend and stay in [0, 8)", done.stderr)
        (self.folder / "changed.txt").write_text("prune_record { produce")
        done = self.lathe(*save)
        self.assertTrue(done.stderr.startswith("lathe: error: changed.txt: line 1, column "), done.stderr)
        self.refused("gone.txt: cannot open: No such file or directory",
                     *self.part("save", record="gone.txt", checkpoint="c.npz"))  # fmt: skip

    def test_a_layer_that_is_gone(self):
        self.done(*self.part("create"))
        nodes = [
            helper.make_node("Conv", ["x", "w1"], ["c1"], "conv1", pads=[1, 1, 1, 1]),
            helper.make_node("GlobalAveragePool", ["c1"], ["y"], "pool"),
        ]
        save_net(self.folder / "short.onnx", nodes, {"w1": random(8, 3, 3, 3)}, {"x": [1, 3, 8, 8]}, {"y": [1, 8, 1, 1]})
        self.refused("r.txt: pass prune-channels: prune_record 1, consumer 'conv2': the model has no node of this name, did you "
                     "mean 'conv1'? (is it the record of another network?)",
                     *self.part("save", "short.onnx", checkpoint=self.state()))  # fmt: skip

    def test_the_checkpoint_of_the_unpruned_net(self):
        self.done(*self.part("create"))
        self.state(**{"conv1.weight": random(8, 3, 3, 3), "conv1.bias": random(8), "conv2.weight": random(4, 8, 1, 1)})
        for part in ("restore", "save"):
            done = self.lathe(*self.part(part, checkpoint="c.npz"))
            self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
            self.assertIn("conv1.weight", done.stderr)
            self.assertIn("f32[4,3,3,3]", done.stderr)
        self.assertFalse((self.folder / "out").exists())

    def test_masks_of_another_configuration(self):
        self.cfg(SELECTIVE % "")
        self.done(*self.part("create"))
        self.cfg(FILTERS % 0.5)
        self.refused("r.txt: the record has a mask of layer 'conv1', which the configuration does not ask for, or a second one",
                     *self.part("save", "s.onnx"))  # fmt: skip
        (self.folder / "r.txt").write_text("")
        self.cfg(SELECTIVE % "")
        self.refused("r.txt: the record has no mask of layer 'conv1', which the configuration asks for",
                     *self.part("save", "s.onnx"))  # fmt: skip

    def test_models(self):
        self.cfg(FILTERS % 0.5 + QUANTISERS)
        self.done(*self.part("create", command="compress"))
        self.cfg(FILTERS % 0.5)
        done = self.lathe(*self.part("create", "s.onnx", record="q.txt", o="q.onnx"))
        self.assertIn("the model is a retrain model already", done.stderr)
        self.cfg(FILTERS % 0.5 + QUANTISERS)
        self.refused("net.onnx: the model is no retrain model: nothing was trained (give --checkpoint)",
                     *self.part("save", command="compress"))  # fmt: skip
        self.refused("no-folder/s.onnx: cannot create: No such file or directory",
                     *self.part("create", command="compress", o="no-folder/s.onnx"))  # fmt: skip


if __name__ == "__main__":
    main()
