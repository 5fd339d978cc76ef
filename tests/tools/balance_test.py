"""`lathe balance` and `lathe calibrate --balance-record`: what is refused, and what balancing is for."""
import json

from driver import *


class Balance(DriverTest):
    """One layer whose input channels differ by a factor of 300: the small ones drown unless they are balanced."""

    def setUp(self):
        super().setUp()
        scale = np.float32([300] + [1] * 15)
        weights = {"w": random(16, 8) / scale[:, None], "b": random(8)}
        nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["y"], "fc")]
        save_net(self.folder / "net.onnx", nodes, weights, {"x": ["n", 16]}, {"y": ["n", 8]})
        self.save("b0.npy", random(64, 16, seed=1) * scale)
        self.config("common_config { dmq_balancer { migration_strength: 0.5 } }")

    def config(self, text):
        (self.folder / "quant.cfg").write_text(text + "\n")
        self.done("config", "ptq", "net.onnx", "--cfg", "quant.cfg", "-o", "config.json")

    def balance(self, *more):
        return ["balance", "net.onnx", "--config", "config.json", "-d", "b0.npy", "--record", "balance.txt", *more]

    def calibrate(self, *more):
        return ["calibrate", "net.onnx", "--config", "config.json", "-d", "b0.npy",
                "--record", "record.txt", "--modified", "modified.onnx", *more]  # fmt: skip

    def test_balancing_helps(self):
        fidelity = [self.summary("quantize", "net.onnx", "--cfg", "quant.cfg", "-d", "b0.npy", "-o", "out/net")["sqnr_db"]]
        (self.folder / "plain.cfg").write_text("batch_num: 1\n")
        fidelity.append(self.summary("quantize", "net.onnx", "--cfg", "plain.cfg", "-d", "b0.npy", "-o", "out/net")["sqnr_db"])
        self.assertGreater(fidelity[0], fidelity[1] + 20)

    def test_three_commands_are_one(self):
        self.assertEqual(self.summary(*self.balance()), {"model": "net.onnx", "record": "balance.txt", "balanced": 1, "notes": []})
        self.done(*self.calibrate("--balance-record", "balance.txt"))
        self.done("save", "modified.onnx", "--record", "record.txt", "-o", "saved/net")
        self.done("quantize", "net.onnx", "--cfg", "quant.cfg", "-d", "b0.npy", "-o", "out/net")
        for name in ("net_deploy_model.onnx", "net_fake_quant_model.onnx"):
            self.assertEqual((self.folder / "saved" / name).read_bytes(), (self.folder / "out" / name).read_bytes())

    def test_a_record_is_needed(self):
        self.refused("config.json: node 'fc': the layer has dmq_balancer_param, but there are no factors "
                     "(run 'lathe balance' and give its record as --balance-record)", *self.calibrate())

    def test_the_record_must_hold_the_layer(self):
        (self.folder / "balance.txt").write_text("")
        self.refused("balance.txt: the balance record is empty ('lathe balance' writes it)",
                     *self.calibrate("--balance-record", "balance.txt"))
        (self.folder / "balance.txt").write_text('record { key: "fc" value { scale_d: 1 } }')
        self.refused("balance.txt: record of 'fc': offset_d is missing", *self.calibrate("--balance-record", "balance.txt"))
        (self.folder / "balance.txt").write_text('record { key: "fc" value { } }')
        self.refused("balance.txt: node 'fc': the balance record has no tensor_balance_factor for the layer "
                     "('lathe balance' writes it)", *self.calibrate("--balance-record", "balance.txt"))
        (self.folder / "balance.txt").write_text('record { key: "fc" value { tensor_balance_factor: 1 } }')
        self.refused("balance.txt: record of 'fc': there are 1 tensor_balance_factor, this Gemm has 16 input channels",
                     *self.calibrate("--balance-record", "balance.txt"))
        (self.folder / "balance.txt").write_text('record { key: "fc" value { scale_x: 1 } }')
        self.refused("balance.txt: line 1, column 28: SingleLayerRecord has no field 'scale_x' "
                     "(did you mean 'scale_d', 'scale_w' or 'scale_h'?)",
                     *self.calibrate("--balance-record", "balance.txt"))
        self.refused("gone.txt: cannot open: No such file or directory", *self.calibrate("--balance-record", "gone.txt"))

    def test_nothing_to_balance(self):
        self.done(*self.balance())
        self.config("batch_num: 1")
        self.refused("config.json: no enabled layer of the configuration has dmq_balancer_param "
                     "(ask for balancing with dmq_balancer in the simplified configuration)", *self.balance())
        summary = self.summary(*self.calibrate("--balance-record", "balance.txt"))
        self.assertEqual(summary["notes"], ["the balance record is not used: no layer has dmq_balancer_param"])
        self.assertNotIn("tensor_balance_factor", (self.folder / "record.txt").read_text())

    def test_a_missing_configuration(self):
        (self.folder / "config.json").unlink()
        self.refused("config.json: cannot open: No such file or directory", *self.balance())

    def test_infinite_data(self):
        data = random(64, 16)
        data[3, 5] = np.inf
        self.save("b0.npy", data)
        self.refused("config.json: node 'fc': its input: the value at index 53 is inf; only finite values can be balanced "
                     "(remove the layer's dmq_balancer_param, or leave the layer float)", *self.balance())

    def test_further_batches_are_noted(self):
        self.save("b1.npy", random(64, 16))
        notes = self.summary("balance", "net.onnx", "--config", "config.json", "-d", "b0.npy", "b1.npy",
                             "--record", "two.txt")["notes"]
        self.assertEqual(notes, ["balancing measures the first batch: 1 batches were not used"])
        self.done(*self.balance())
        self.assertEqual((self.folder / "two.txt").read_bytes(), (self.folder / "balance.txt").read_bytes())


if __name__ == "__main__":
    main()
