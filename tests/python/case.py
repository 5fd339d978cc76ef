"""What the tests of the package lathe share: the driver beside it, a folder and a net for each test.

    python ..._test.py LATHE WORK_FOLDER        PYTHONPATH names the folder that holds the package
"""
import pathlib
import shutil
import subprocess
import sys
import unittest

import nets
import numpy as np

import lathe

LATHE, WORK = sys.argv[1], pathlib.Path(sys.argv[2])


def driver(*arguments):
    done = subprocess.run([LATHE, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = WORK / self.id().split(".")[-1]
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.net = self.folder / "net.onnx"
        nets.save(nets.small_net(), self.net)

    def files(self, count):
        paths = [self.folder / f"batch_{i}.npy" for i in range(count)]
        for path, batch in zip(paths, nets.batches(count)):
            np.save(path, batch)
        return paths

    def raises(self, text, call, *arguments, **keywords):
        with self.assertRaises(lathe.Error) as caught:
            call(*arguments, **keywords)
        self.assertEqual(str(caught.exception), text)
        return caught.exception
