"""Options of `lathe quantize` that no golden case has."""
import json

from driver import *


class Options(DriverTest):
    def setUp(self):
        super().setUp()
        save_conv_net(self.folder / "net.onnx")
        self.save("b0.npy", random(4, 3, 8, 8))

    def quantize(self, *arguments):
        return ["quantize", "net.onnx", "-d", "b0.npy", "-o", "out/net", *arguments]

    def weights(self):
        deploy = onnx.load(self.folder / "out/net_deploy_model.onnx")
        arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in deploy.graph.initializer}
        return {node.name: arrays[node.input[1]] for node in deploy.graph.node if node.op_type == "Conv"}

    def test_bits_of_weights(self):
        """The narrower, the smaller the integers and the worse the fidelity; what they stand for stays."""
        fidelity = []
        for bits in (6, 7, 8):
            (self.folder / "bits.cfg").write_text(
                f"batch_num: 1\ncommon_config: {{ arq_quantize: {{ channel_wise: true quant_bits: {bits} }} }}\n")
            fidelity.append(self.summary(*self.quantize("--cfg", "bits.cfg"))["sqnr_db"])
            largest = 2 ** (bits - 1)
            weights = self.weights()
            self.assertEqual(sorted(weights), ["conv1", "conv2"])
            for array in weights.values():
                self.assertEqual(array.dtype, np.int8)
                array = array.astype(int)
                self.assertIn(max(array.max(), -array.min()), (largest - 1, largest))
            self.assertEqual((self.folder / "out/net_record.txt").read_text().count(f'wts_type: "INT{bits}"'), 2)
        self.assertEqual(sorted(fidelity), fidelity)
        self.assertGreater(fidelity[0], 20)

    def test_json(self):
        summary = self.summary(*self.quantize())
        outputs = {key: f"out/net_{name}" for key, name in (("deploy", "deploy_model.onnx"),
                   ("fake_quant", "fake_quant_model.onnx"), ("record", "record.txt"), ("config", "config.json"))}  # fmt: skip
        self.assertEqual(summary["outputs"], outputs)
        self.assertEqual(summary["model"], "net.onnx")
        self.assertEqual(summary["layers"], {"quantized": ["conv1", "conv2"], "float": []})
        self.assertEqual(summary["size"], {
            "before": (self.folder / "net.onnx").stat().st_size,
            "deploy": (self.folder / outputs["deploy"]).stat().st_size,
            "fake_quant": (self.folder / outputs["fake_quant"]).stat().st_size})  # fmt: skip
        self.assertEqual(sorted(summary), ["layers", "model", "notes", "outputs", "peak_memory_bytes", "seconds", "size", "sqnr_db"])

    def test_fidelity_is_that_of_the_models(self):
        told = self.summary(*self.quantize())["sqnr_db"]
        outputs = []
        for model in ("net.onnx", "out/net_fake_quant_model.onnx"):
            self.done("run", model, "-i", "b0.npy", "-o", "run")
            outputs.append(np.load(self.folder / "run/y.npy").astype(np.float64))
        error = np.square(outputs[0] - outputs[1]).sum()
        self.assertAlmostEqual(told, 10 * np.log10(np.square(outputs[0]).sum() / error), places=3)

    def test_equal_bytes_for_any_number_of_threads(self):
        files = []
        for threads in (1, 2, 3):
            self.done("--threads", threads, *self.quantize())
            files.append({name: (self.folder / "out" / name).read_bytes() for name in RESULTS})
        self.assertEqual(files[0], files[1])
        self.assertEqual(files[0], files[2])

    def test_verbose_names_every_layer(self):
        self.assertIn("quantised 2 layers\n", self.done(*self.quantize()))
        self.assertIn("quantised 2 layers: conv1, conv2\n", self.done("-v", *self.quantize()))


class GraphOutput(DriverTest):
    """An output keeps its type and its documentation when another node comes to compute it."""

    def test_a_layer_at_the_end(self):
        nodes = [
            helper.make_node("Conv", ["x", "w"], ["c"], "conv"),
            helper.make_node("BatchNormalization", ["c", "s", "b", "m", "v"], ["y"], "bn"),
        ]
        weights = {"w": random(4, 3, 1, 1)} | {name: np.float32([1, 2, 3, 4]) for name in "sbmv"}
        save_net(self.folder / "net.onnx", nodes, weights, {"x": ["n", 3, 4, 4]}, {"y": ["n", 4, 4, 4]})
        model = onnx.load(self.folder / "net.onnx")
        model.graph.output[0].doc_string = "what comes out"
        onnx.save(model, self.folder / "net.onnx")
        self.done("opt", "net.onnx", "-o", "fused.onnx", "--passes", "fuse-conv-bn")
        self.done("quantize", "net.onnx", "-d", self.save("b0.npy", random(2, 3, 4, 4)), "-o", "out/net")
        for name in ("fused.onnx", "out/net_deploy_model.onnx", "out/net_fake_quant_model.onnx"):
            after = onnx.load(self.folder / name)
            self.assertEqual(after.graph.output[0], model.graph.output[0], name)
            if "deploy" not in name:  # the checker does not know the accelerator's operators
                onnx.checker.check_model(after)


if __name__ == "__main__":
    main()
