"""One case of post-training quantisation, from the float model to the fake-quant outputs, through the driver.

    python golden_test.py LATHE SOURCE_FOLDER WORK_FOLDER CASE
    python golden_test.py LATHE SOURCE_FOLDER WORK_FOLDER --listed CASE...

The second form checks that no case of the folder is left out of the tests.
"""
import numpy as np

from golden_case import *


class Golden(GoldenTest):
    def inputs(self):
        """The graph's inputs are input0, input1... where there are several, else one of any name."""
        return len(list(self.case.glob("calib_0_in_*.npy")))

    def batches(self):
        if self.inputs() == 1:
            return sorted(self.case.glob("calib_*_in_0.npy"))
        return [f"input{i}={self.case}/calib_*_in_{i}.npy" for i in range(self.inputs())]

    def request(self):
        """The simplified configuration, where the case has one."""
        cfg = self.case / "quant.cfg"
        return ["--cfg", cfg] if cfg.exists() else []

    def balanced(self):
        return (self.case / "record_balance.txt").exists()

    def balance(self, record, threads=2):
        return ["--threads", threads, "balance", self.case / "original.onnx",
                "--config", self.case / "config.json", "-d", *self.batches(), "--record", record]  # fmt: skip

    def calibrate(self, folder, threads=2):
        folder.mkdir()
        record = []
        if self.balanced():
            record = ["--balance-record", folder / "balance.txt"]
            self.run_lathe(*self.balance(folder / "balance.txt", threads))
        return ["--threads", threads, "calibrate", self.case / "original.onnx",
                "--config", self.case / "config.json", "-d", *self.batches(), *record,
                "--record", folder / "record.txt", "--modified", folder / "modified.onnx"]  # fmt: skip

    def quantize(self, folder, threads=2):
        folder.mkdir()
        return ["--threads", threads, "quantize", self.case / "original.onnx", *self.request(),
                "-d", *self.batches(), "-o", folder / "net"]  # fmt: skip

    def save(self, modified, record, folder, threads=2):
        folder.mkdir()
        return ["--threads", threads, "save", modified, "--record", record, "-o", folder / "net"]

    def test_config(self):
        config = WORK / "config.json"
        self.run_lathe("config", "ptq", self.case / "original.onnx", "-o", config,
                       *(self.request() or ["--batch-num", 2]))  # fmt: skip
        self.same("config", "config.json", config)
        self.same_bytes(self.case / "config.json", config)

    def test_save(self):
        golden = (self.case / "modified.onnx", self.case / "record.txt")
        self.run_lathe(*self.save(*golden, WORK / "save"))
        self.same("model", "deploy_model.onnx", WORK / "save/net_deploy_model.onnx")
        self.same("model", "fake_quant_model.onnx", WORK / "save/net_fake_quant_model.onnx")
        for name, threads in (("save_one_thread", 1), ("save_again", 2)):
            self.run_lathe(*self.save(*golden, WORK / name, threads))
            self.same_folder(WORK / "save", WORK / name)

    def test_balance(self):
        if not self.balanced():
            error = "config.json: no enabled layer of the configuration has dmq_balancer_param (ask for balancing with dmq_balancer in the simplified configuration)"
            self.refused(error, *self.balance(WORK / "balance.txt"))
            return
        self.run_lathe(*self.balance(WORK / "balance.txt"))
        self.same("record", "record_balance.txt", WORK / "balance.txt")
        self.run_lathe(*self.balance(WORK / "balance_one_thread.txt", 1))
        self.same_bytes(WORK / "balance.txt", WORK / "balance_one_thread.txt")

    def test_calibrate_and_quantize(self):
        calibrated = WORK / "calibrate"
        self.run_lathe(*self.calibrate(calibrated))
        self.same("record", "record.txt", calibrated / "record.txt")
        self.same("model", "modified.onnx", calibrated / "modified.onnx", 1e-6)
        self.run_lathe(*self.save(calibrated / "modified.onnx", calibrated / "record.txt", WORK / "saved"))
        self.run_lathe(*self.quantize(WORK / "quantize"))
        self.same_bytes(self.case / "config.json", WORK / "quantize/net_config.json")
        self.same_bytes(calibrated / "record.txt", WORK / "quantize/net_record.txt")
        for model in ("net_deploy_model.onnx", "net_fake_quant_model.onnx"):
            self.same_bytes(WORK / "saved" / model, WORK / "quantize" / model)
        for name, threads in (("one_thread", 1), ("again", 2)):
            self.run_lathe(*self.calibrate(WORK / f"calibrate_{name}", threads))
            self.same_folder(calibrated, WORK / f"calibrate_{name}")
            self.run_lathe(*self.quantize(WORK / f"quantize_{name}", threads))
            self.same_folder(WORK / "quantize", WORK / f"quantize_{name}")

    def test_run(self):
        feeds = []
        for i in range(self.inputs()):
            feeds += ["-i", f"input{i}={self.case}/eval_in_{i}.npy"]
        for name, threads in (("run", 2), ("run_one_thread", 1), ("run_again", 2)):
            self.run_lathe("--threads", threads, "run", self.case / "fake_quant_model.onnx", *feeds, "-o", WORK / name)
            self.same_folder(WORK / "run", WORK / name)
        wanted = sorted(self.case.glob("fake_quant_out_*.npy"))
        self.assertEqual(len(wanted), len(list((WORK / "run").iterdir())))
        for i, path in enumerate(wanted):
            got = WORK / f"run/output{i}.npy"
            want, have = np.load(path), np.load(got)
            error = np.square(want.astype("f8") - have).sum()
            if error and 10 * np.log10(np.square(want.astype("f8")).sum() / error) < 60:
                # A value on a rounding edge: less is enough where every decision is the same.
                np.testing.assert_array_equal(want.argmax(axis=-1), have.argmax(axis=-1))
                self.same("array", path.name, got, 40)
            else:
                self.same("array", path.name, got, 60)


if __name__ == "__main__":
    main("ptq")
