"""Training on real digits: 4-bit weights cost accuracy, training with quantisers wins it back, and what is saved is what
was trained.

    python train_digits_test.py SOURCE_FOLDER WORK_FOLDER LATHE

Runs the part that needs torch in a Python that has it (with_torch.py). Without that, or without the digits, the test
ends with status 77: skipped.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import unittest

import numpy as np
import with_torch

SOURCE, WORK, LATHE = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve(), sys.argv[3]
HERE = pathlib.Path(__file__).parent
DIGITS = with_torch.shared(SOURCE) / "models/data/mnist"
HELD_OUT = 300


def digits():
    """Images as the network takes them, and labels."""
    pixels = np.fromfile(DIGITS / "t10k-first1000-images-idx3-ubyte", np.uint8)[16:].reshape(-1, 1, 28, 28)
    labels = np.fromfile(DIGITS / "t10k-first1000-labels-idx1-ubyte", np.uint8)[8:]
    return ((pixels / 255 - 0.1307) / 0.3081).astype(np.float32), labels.astype(np.int64)


class Digits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        images, labels = digits()
        cls.labels = labels[-HELD_OUT:]
        np.savez(WORK / "digits.npz", images=images[:-HELD_OUT], labels=labels[:-HELD_OUT], held_out=images[-HELD_OUT:])
        np.save(WORK / "held_out.npy", images[-HELD_OUT:])
        for step in ("train", "restore"):
            done = with_torch.run(HERE / "train_digits_case.py", step, WORK)
            assert done.returncode == 0, done.stderr
        cls.seconds = json.loads((WORK / "seconds.json").read_text())

    def accuracy(self, logits):
        return float((logits.argmax(1) == self.labels).mean())

    def run_model(self, name):
        """By the driver."""
        out = WORK / name
        command = [LATHE, "run", WORK / f"{name}_model.onnx", "-i", f"image={WORK}/held_out.npy", "-o", out]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return np.load(next(out.glob("*.npy")))

    def test_accuracy(self):
        trained = np.load(WORK / "qat_answers.npy")
        logits = {
            "float": np.load(WORK / "float_answers.npy"),
            "4-bit weights, after training": self.run_model("w4a8_deploy"),
            "and 4-bit activations": self.run_model("w4a4_deploy"),
            "both, in training": trained,
            "its fake-quant model": self.run_model("qat_fake_quant"),
            "its deploy model": self.run_model("qat_deploy"),
        }
        accuracies = {name: self.accuracy(each) for name, each in logits.items()}
        print(f"\n{'network':32s} correct of {HELD_OUT}")
        for name, accuracy in accuracies.items():
            print(f"{name:32s} {accuracy:8.2%}")
        print(", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.seconds.items()))
        full, _, rounded, trained, fake_quant, deploy = accuracies.values()
        self.assertGreater(full, 0.9)
        self.assertLess(rounded, full - 0.02)
        self.assertGreater(trained - rounded, 0.5 * (full - rounded))
        self.assertEqual(deploy, fake_quant)
        self.assertAlmostEqual(fake_quant, trained, delta=6.5 / HELD_OUT)

    def test_restored_in_another_process(self):
        for one, other in (("qat_answers.npy", "restored_answers.npy"), ("qat_record.txt", "restored_record.txt"),
                           ("qat_deploy_model.onnx", "restored_deploy_model.onnx"),
                           ("qat_fake_quant_model.onnx", "restored_fake_quant_model.onnx")):  # fmt: skip
            self.assertTrue((WORK / one).read_bytes() == (WORK / other).read_bytes(), f"{other} is not {one}")


if __name__ == "__main__":
    with_torch.skip_unless(DIGITS.is_dir(), f"the digits are missing: {DIGITS} (set LATHE_SHARED_DIR)")
    with_torch.skip_without_torch()
    unittest.main(argv=sys.argv[:1])
