"""The sessions in docs/python.md are real: what they show is what comes out.

    python docs_test.py SOURCE_FOLDER WORK_FOLDER LATHE        PYTHONPATH names the folder that holds the package

The sections on PyTorch are run where torch can be imported, the others where scikit-learn can, which has the digits.
"""
import contextlib
import doctest
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

SOURCE, WORK = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()


def sections():
    """{heading: the Python sessions below it}"""
    text = (SOURCE / "docs/python.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    code = {heading: "\n".join(re.findall(r"^```python\n(.*?)^```$", body, re.MULTILINE | re.DOTALL))
            for heading, body in zip(parts[1::2], parts[2::2])}  # fmt: skip
    return {heading: session for heading, session in code.items() if ">>>" in session}


def run(session, name):
    test = doctest.DocTestParser().get_doctest(session, {}, name, "docs/python.md", 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    report = []
    with contextlib.chdir(WORK):
        runner.run(test, out=report.append)
    return len(test.examples), "".join(report)


class Guide(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        shutil.copy(SOURCE / "examples/digits/digits.onnx", WORK)

    def test_sessions(self):
        found = sections()
        self.assertIn("PyTorch", found)
        self.assertGreater(len(found), 4)
        torch = importlib.util.find_spec("torch") is not None
        digits = importlib.util.find_spec("sklearn") is not None
        self.assertTrue(torch or digits, "neither torch nor scikit-learn is here")
        if digits:
            subprocess.run([sys.executable, str(SOURCE / "examples/digits/data.py"), str(WORK / "data")], check=True,
                           env={**os.environ, "PYTHONPATH": ""})  # fmt: skip
            count, report = run("\n".join(each for name, each in found.items() if "PyTorch" not in name), "core")
            self.assertGreater(count, 20)
            self.assertFalse(report, report)
        if torch:
            os.environ["PATH"] = f"{pathlib.Path(sys.argv[3]).resolve().parent}:{os.environ['PATH']}"
            for name in ("PyTorch", "Training in PyTorch"):
                count, report = run(found[name], name)
                self.assertGreater(count, 5)
                self.assertFalse(report, report)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
