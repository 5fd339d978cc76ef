"""README shows the example of embedding as it is; its tables name every package that scripts/setup installs, and the versions it pins.

    python dependencies_test.py SOURCE_ROOT
"""
import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(sys.argv[1])


class Dependencies(unittest.TestCase):
    def setUp(self):
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        self.rows = [line for line in readme.splitlines() if re.match(r"\| `", line)]

    def rows_from(self, source):
        return [row for row in self.rows if f"| {source}" in row]

    def test_embedding_example(self):
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        self.assertIn((ROOT / "examples/embedding/fold.cpp").read_text(encoding="utf-8"), readme)

    def test_debian_packages(self):
        setup = (ROOT / "scripts/setup").read_text(encoding="utf-8")
        lists = re.findall(r"<<'LIST'\n(.*?)\nLIST\n", setup, re.DOTALL)
        packages = [line.split()[0] for each in lists for line in each.splitlines()]
        self.assertGreater(len(packages), 15)
        named = re.findall(r"`([^`]+)`", " ".join(row.split("|")[1] for row in self.rows_from("Debian")))
        self.assertEqual(sorted(packages), sorted(named))

    def test_pypi_packages(self):
        rows = self.rows_from("PyPI")
        files = list((ROOT / "scripts/requirements").glob("*.txt"))
        self.assertEqual(len(files), 7)
        for file in files:
            pinned = re.findall(r"^([a-z0-9_-]+)==([^ ]+)", file.read_text(encoding="utf-8"), re.MULTILINE)
            self.assertTrue(pinned, file)
            for name, version in pinned:
                own = [row for row in rows if f"`{name}`" in row.split("|")[1]]
                self.assertTrue(any(f"`{name}`" in row for row in rows), f"README does not name {name}")
                for row in own:
                    self.assertIn(f"| {version} |", row)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
