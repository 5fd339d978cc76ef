"""The stubs say what the extension module has: _core.pyi is what nanobind's generator writes.

    python stub_test.py SOURCE_FOLDER WORK_FOLDER        PYTHONPATH names the folder that holds the package

After a change: python -m nanobind.stubgen -P -m lathe._core -o bindings/python/lathe/_core.pyi
"""
import ast
import difflib
import pathlib
import subprocess
import sys
import unittest

import lathe
from lathe import _core

PACKAGE, WORK = pathlib.Path(sys.argv[1]) / "bindings/python/lathe", pathlib.Path(sys.argv[2])


class Stubs(unittest.TestCase):
    def test_generated(self):
        WORK.mkdir(parents=True, exist_ok=True)
        made = WORK / "_core.pyi"
        subprocess.run([sys.executable, "-m", "nanobind.stubgen", "-q", "-P", "-m", "lathe._core", "-o", str(made)],
                       check=True)  # fmt: skip
        have, want = (PACKAGE / "_core.pyi").read_text().splitlines(), made.read_text().splitlines()
        self.assertEqual(list(difflib.unified_diff(have, want, "_core.pyi", "the module", lineterm="")), [])

    def test_every_signature_is_typed(self):
        tree = ast.parse((PACKAGE / "_core.pyi").read_text())
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef):
                continue
            self.assertIsNotNone(node.returns, node.name)
            for argument in (*node.args.args, *node.args.kwonlyargs):
                if argument.arg in ("self", "cls"):
                    continue
                self.assertIsNotNone(argument.annotation, f"{node.name}: {argument.arg}")
                self.assertNotIn(ast.unparse(argument.annotation), ("object", "handle"), f"{node.name}: {argument.arg}")

    def test_everything_public_is_shown(self):
        public = {name for name in dir(_core) if not name.startswith("_")}
        self.assertEqual(public - set(lathe.__all__), set())
        for name in lathe.__all__:
            self.assertTrue(hasattr(lathe, name), name)
            if name != "__version__":
                self.assertTrue(getattr(lathe, name).__doc__, name)
        self.assertTrue((PACKAGE / "py.typed").exists())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
