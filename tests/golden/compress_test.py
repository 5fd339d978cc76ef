"""One case of pruning, or of pruning and quantisation together, from the float model and the configuration to the
record, and with the checkpoint to both models, through the driver.

    python compress_test.py LATHE SOURCE_FOLDER WORK_FOLDER CASE
    python compress_test.py LATHE SOURCE_FOLDER WORK_FOLDER --listed FAMILY CASE...
"""
import numpy as np
import onnx
import onnxruntime

from golden_case import *


class Compress(GoldenTest):
    def setUp(self):
        self.command = "prune" if CASE.startswith("prune_") else "compress"
        self.folder = WORK / self.id().split(".")[-1]
        self.folder.mkdir()
        self.record = self.folder / "record.txt"

    def part(self, part, model, record, *arguments, threads=2):
        self.run_lathe("--threads", threads, self.command, part, model, "--cfg", self.case / "compress.cfg",
                       "--record", record, *arguments)  # fmt: skip

    def create(self, record, threads=2):
        self.part("create", self.case / "original.onnx", record, "-o", record.parent / "created.onnx", threads=threads)
        return record.parent / "created.onnx"

    def trained(self):
        return ["--checkpoint", self.case / "retrained.pth", "--state-dict-name", "state_dict"]

    def check_saved(self, folder, record):
        for path in (record, folder / "net_record.txt"):
            self.same("record", "record.txt", path, 1e-6)
        self.same("model", "deploy_model.onnx", folder / "net_deploy_model.onnx", 1e-6)
        self.same("model", "fake_quant_model.onnx", folder / "net_fake_quant_model.onnx", 1e-6)

    def infer(self, path):
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return session.run(None, {session.get_inputs()[0].name: np.load(self.case / "infer_in_0.npy")})[0]

    def test_record_of_create(self):
        """Byte for byte the pruning half of the reference's record."""
        created = self.create(self.record)
        want = (self.case / "record.txt").read_text()
        half = want.find("prune_record {")
        self.assertEqual(self.record.read_text(), want[half:])
        onnx.checker.check_model(str(created), full_check=True)
        self.infer(created)
        again = self.folder / "again"
        again.mkdir()
        self.create(again / "record.txt", threads=1)
        self.same_bytes(self.record, again / "record.txt")
        self.same_bytes(created, again / "created.onnx")

    def test_save(self):
        """From the float model; from the model that create made; and with the reference's own record."""
        created = self.create(self.record)
        results = []
        for name, model in (("float", self.case / "original.onnx"), ("created", created)):
            folder = self.folder / name
            folder.mkdir()
            record = folder / "record.txt"
            record.write_bytes(self.record.read_bytes())
            self.part("save", model, record, *self.trained(), "-o", folder / "net")
            self.check_saved(folder, record)
            results.append(folder)
        self.same_folder(*results)
        folder = self.folder / "reference"
        folder.mkdir()
        record = folder / "record.txt"
        record.write_bytes((self.case / "record.txt").read_bytes())
        self.part("save", self.case / "original.onnx", record, *self.trained(), "-o", folder / "net", threads=1)
        self.same_folder(results[0], folder)

    def test_restore_in_another_process_is_what_was_trained(self):
        created = self.create(self.record)
        restored = []
        for name, model in (("float.onnx", self.case / "original.onnx"), ("created.onnx", created)):
            path = self.folder / f"restored_{name}"
            self.part("restore", model, self.record, *self.trained(), "-o", path)
            restored.append(path)
        self.same_bytes(*restored)
        onnx.checker.check_model(str(restored[0]), full_check=True)
        saved = self.folder / "saved"
        saved.mkdir()
        record = saved / "record.txt"
        record.write_bytes(self.record.read_bytes())
        self.part("save", restored[0], record, "-o", saved / "net")
        self.check_saved(saved, record)
        # What training computed, but for folded BatchNormalization.
        want = np.load(self.case / "infer_out_0.npy")
        error = np.square(want - self.infer(restored[0])).sum(dtype="f8")
        self.assertGreater(10 * np.log10(np.square(want).sum(dtype="f8") / max(error, 1e-30)), 30)


if __name__ == "__main__":
    if CASE == "--listed":
        main(sys.argv.pop(5))
    main(CASE.split("_")[0])
