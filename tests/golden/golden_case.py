"""What the tests of golden cases share: running the driver, comparing with the case's files.

A test script is called as `python X_test.py LATHE SOURCE_FOLDER WORK_FOLDER CASE`. The golden folder is
$LATHE_SHARED_DIR/golden, or else ../shared/golden beside the source folder; without it the test ends with status 77:
skipped.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

SKIPPED = 77
LATHE, SOURCE, WORK = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
CASE = sys.argv[4]
GOLDEN = pathlib.Path(os.environ.get("LATHE_SHARED_DIR") or SOURCE.parent / "shared") / "golden"


def lathe(*arguments):
    return subprocess.run([LATHE, *map(str, arguments)], capture_output=True, text=True)


class GoldenTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.case = GOLDEN / CASE
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)

    def run_lathe(self, *arguments):
        done = lathe(*arguments)
        self.assertEqual(done.returncode, 0, f"lathe {' '.join(map(str, arguments))}\n{done.stderr}")

    def refused(self, error, *arguments):
        done = lathe(*arguments)
        lines = [line for line in done.stderr.splitlines() if not line.startswith("calibrating:")]
        self.assertEqual(done.returncode, 1, lines)
        self.assertEqual(len(lines), 1, lines)
        self.assertTrue(lines[0].startswith("lathe: error: ") and lines[0].endswith(error), lines[0])

    def same(self, kind, name, got, *limit):
        command = [sys.executable, GOLDEN / "compare.py", kind, self.case / name, got, *map(str, limit)]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, f"{kind} {name}\n{done.stdout}{done.stderr}")

    def same_bytes(self, want, got):
        self.assertTrue(want.read_bytes() == got.read_bytes(), f"{got} is not {want}, byte for byte")

    def same_folder(self, want, got):
        names = sorted(path.name for path in want.iterdir())
        self.assertEqual(names, sorted(path.name for path in got.iterdir()))
        for name in names:
            self.same_bytes(want / name, got / name)


def main(family):
    """Runs the tests of one case; with `--listed CASE...` checks that no case of the family is left out."""
    if not GOLDEN.is_dir():
        print(f"!!! SKIPPED: the golden cases are missing: {GOLDEN} (set LATHE_SHARED_DIR)")
        sys.exit(SKIPPED)
    listed = sys.argv[5:]
    if CASE == "--listed":
        found = {path.name for path in GOLDEN.glob(f"{family}_*")}
        if found != set(listed):
            sys.exit(f"cases without a test: {sorted(found - set(listed))}; missing: {sorted(set(listed) - found)}")
        sys.exit(0)
    unittest.main(argv=sys.argv[:1])
