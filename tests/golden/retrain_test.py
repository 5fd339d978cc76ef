"""One case of quantisation-aware training, from the float model and the checkpoint to the fake-quant outputs, through
the driver.

    python retrain_test.py LATHE SOURCE_FOLDER WORK_FOLDER CASE
    python retrain_test.py LATHE SOURCE_FOLDER WORK_FOLDER --listed CASE...
"""
import numpy as np
import onnx
import onnxruntime

from golden_case import *


class Retrain(GoldenTest):
    def test_config(self):
        cfg = self.case / "quant.cfg"
        config = WORK / "config.json"
        self.run_lathe("config", "qat", self.case / "original.onnx", "-o", config,
                       *(["--cfg", cfg] if cfg.exists() else []))  # fmt: skip
        self.same("config", "config.json", config)
        self.same_bytes(self.case / "config.json", config)

    def save(self, folder, *model, record="record.txt", threads=2):
        folder.mkdir()
        return ["--threads", threads, "retrain", "save", *model, "--config", self.case / "config.json",
                "--record", folder / record, "-o", folder / "net"]  # fmt: skip

    def trained(self):
        return ["--checkpoint", self.case / "retrained.pth", "--state-dict-name", "state_dict"]

    def check_saved(self, folder):
        self.same("record", "record.txt", folder / "record.txt", 1e-6)
        self.same("model", "deploy_model.onnx", folder / "net_deploy_model.onnx", 1e-6)
        self.same("model", "fake_quant_model.onnx", folder / "net_fake_quant_model.onnx", 1e-6)

    def test_save(self):
        self.run_lathe(*self.save(WORK / "save", self.case / "original.onnx", *self.trained()))
        self.check_saved(WORK / "save")
        for name, threads in (("save_one_thread", 1), ("save_again", 2)):
            self.run_lathe(*self.save(WORK / name, self.case / "original.onnx", *self.trained(), threads=threads))
            self.same_folder(WORK / "save", WORK / name)

    def test_restore_and_save(self):
        """A restored network needs its checkpoint no more, and takes another."""
        retrain, record = WORK / "retrain.onnx", WORK / "record.txt"
        arguments = ["--config", self.case / "config.json", "--record", record, "-o", retrain]
        self.run_lathe("retrain", "create", self.case / "original.onnx", *arguments)
        self.assertEqual(record.read_bytes(), b"")
        self.run_lathe(*self.save(WORK / "created", retrain, *self.trained()))
        self.check_saved(WORK / "created")
        self.run_lathe("retrain", "restore", retrain, *self.trained(), *arguments)
        self.run_lathe(*self.save(WORK / "restored", retrain))
        self.same_folder(WORK / "created", WORK / "restored")
        onnx.checker.check_model(str(retrain), full_check=True)

    def test_retrain_model_computes_what_training_did(self):
        """Evaluation of the restored network gives the fake-quant model's outputs, but for folded BatchNormalization."""
        retrain = WORK / "evaluated.onnx"
        self.run_lathe("retrain", "restore", self.case / "original.onnx", *self.trained(), "--config",
                       self.case / "config.json", "--record", WORK / "empty.txt", "-o", retrain)  # fmt: skip
        session = onnxruntime.InferenceSession(str(retrain), providers=["CPUExecutionProvider"])
        feeds = {session.get_inputs()[0].name: np.load(self.case / "infer_in_0.npy")}
        got = session.run(None, feeds)[0]
        want = np.load(self.case / "fake_quant_out_0.npy")
        error = np.square(want - got).sum(dtype="f8")
        self.assertGreater(10 * np.log10(np.square(want).sum(dtype="f8") / error), 30)


if __name__ == "__main__":
    main("qat")
