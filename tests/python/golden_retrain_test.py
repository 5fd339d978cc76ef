"""The golden cases of quantisation-aware training through lathe.amct_pytorch, from torch modules to the saved models.

    python golden_retrain_test.py SOURCE_FOLDER WORK_FOLDER

Without the golden folder or a Python that has torch (with_torch.py) the test ends with status 77: skipped.
"""
import pathlib
import shutil
import subprocess
import sys
import unittest

import golden_describe
import numpy as np
import with_torch

SOURCE, WORK = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
HERE = pathlib.Path(__file__).parent
GOLDEN = with_torch.shared(SOURCE) / "golden"


class Golden(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.rmtree(WORK, ignore_errors=True)
        cls.cases = sorted(path.name for path in GOLDEN.glob("qat_*"))
        for case in cls.cases:
            golden_describe.write(GOLDEN / case, WORK / case)
        done = with_torch.run(HERE / "golden_retrain_case.py", WORK, GOLDEN, *cls.cases)
        assert done.returncode == 0, done.stderr

    def same(self, case, kind, name, got):
        command = [sys.executable, GOLDEN / "compare.py", kind, GOLDEN / case / name, WORK / case / got, 1e-6]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, f"{kind} {name}\n{done.stdout}{done.stderr}")

    def test_cases(self):
        self.assertGreaterEqual(len(self.cases), 4)
        for case in self.cases:
            with self.subTest(case):
                error = WORK / case / "error.txt"
                self.assertFalse(error.exists(), error.read_text() if error.exists() else "")
                config = (GOLDEN / case / "config.json").read_bytes()
                self.assertEqual((WORK / case / "config.json").read_bytes(), config)
                self.same(case, "record", "record.txt", "record.txt")
                self.same(case, "model", "deploy_model.onnx", "net_deploy_model.onnx")
                self.same(case, "model", "fake_quant_model.onnx", "net_fake_quant_model.onnx")

    def test_training_computes_what_is_saved(self):
        """But for BatchNormalization, which the saved model has folded."""
        for case in self.cases:
            with self.subTest(case):
                want, got = np.load(GOLDEN / case / "fake_quant_out_0.npy"), np.load(WORK / case / "answer.npy")
                error = np.square(want - got).sum(dtype="f8")
                self.assertGreater(10 * np.log10(np.square(want).sum(dtype="f8") / error), 30)


if __name__ == "__main__":
    with_torch.skip_unless(GOLDEN.is_dir(), f"{GOLDEN} is missing")
    with_torch.skip_without_torch()
    unittest.main(argv=sys.argv[:1])
