"""The golden cases of post-training quantisation through lathe.amct_pytorch, from torch modules to the saved models.

    python golden_test.py SOURCE_FOLDER WORK_FOLDER

The modules are built from the cases' float models. Without the golden folder or a Python that has torch (with_torch.py)
the test ends with status 77: skipped.
"""
import pathlib
import shutil
import subprocess
import sys
import unittest

import golden_describe
import with_torch

SOURCE, WORK = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
HERE = pathlib.Path(__file__).parent
GOLDEN = with_torch.shared(SOURCE) / "golden"


class Golden(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.rmtree(WORK, ignore_errors=True)
        cls.cases = sorted(path.name for path in GOLDEN.glob("ptq_*"))
        for case in cls.cases:
            golden_describe.write(GOLDEN / case, WORK / case)
        done = with_torch.run(HERE / "golden_case.py", WORK, GOLDEN, *cls.cases)
        assert done.returncode == 0, done.stderr

    def same(self, case, kind, name, got, *limit):
        command = [sys.executable, GOLDEN / "compare.py", kind, GOLDEN / case / name, WORK / case / got, *limit]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, f"{kind} {name}\n{done.stdout}{done.stderr}")

    def test_cases(self):
        self.assertGreaterEqual(len(self.cases), 20)
        for case in self.cases:
            with self.subTest(case):
                error = WORK / case / "error.txt"
                self.assertFalse(error.exists(), error.read_text() if error.exists() else "")
                config = (GOLDEN / case / "config.json").read_bytes()
                self.assertEqual((WORK / case / "config.json").read_bytes(), config)
                if (GOLDEN / case / "record_balance.txt").exists():
                    self.same(case, "record", "record_balance.txt", "record_balance.txt")
                self.same(case, "model", "modified.onnx", "modified.onnx", 1e-6)
                self.same(case, "record", "record.txt", "record.txt")
                # Scales that differ in their last bits are other dequant words, so deploy models are compared from one
                # record.
                self.same(case, "model", "fake_quant_model.onnx", "net_fake_quant_model.onnx", 1e-4)
                for name in ("deploy_model.onnx", "fake_quant_model.onnx"):
                    self.same(case, "model", name, f"golden_{name}")


if __name__ == "__main__":
    with_torch.skip_unless(GOLDEN.is_dir(), f"{GOLDEN} is missing")
    with_torch.skip_without_torch()
    unittest.main(argv=sys.argv[:1])
