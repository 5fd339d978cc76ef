"""Checkpoints that Python's own pickle, zipfile and numpy wrote, and those of the golden cases read by Python's
unpickler: every byte of every tensor must be what our reader says.

    python python_pickles_test.py DUMP_PROGRAM FOLDER PythonPickles|GoldenCheckpoints
"""
import collections
import io
import itertools
import json
import os
import pathlib
import pickle
import struct
import subprocess
import sys
import types
import unittest
import zipfile

import numpy as np

SHARED = pathlib.Path(os.environ.get("LATHE_SHARED_DIR", pathlib.Path(__file__).parents[4] / "shared"))
GOLDEN = SHARED / "golden"

STORAGES = {"FloatStorage": "f4", "DoubleStorage": "f8", "HalfStorage": "f2", "LongStorage": "i8", "IntStorage": "i4",
            "ShortStorage": "i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?"}
TYPES = {"f4": "f32", "f8": "f64", "f2": "f16", "i8": "i64", "i4": "i32", "i2": "i16", "i1": "i8", "u1": "u8",
         "b1": "bool"}


def make_torch():
    """Modules with torch's names, so that pickles refer to them as torch's do."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in STORAGES:
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2():
        raise AssertionError("never called")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    torch._utils = utils
    sys.modules["torch"], sys.modules["torch._utils"] = torch, utils
    return torch


torch = make_torch()


class Storage:
    def __init__(self, array):
        self.array = np.ascontiguousarray(array)


class Tensor:
    """A view of a storage, pickled as torch pickles a tensor."""

    def __init__(self, storage, offset, dims, strides):
        self.storage, self.offset, self.dims, self.strides = storage, offset, dims, strides

    def __reduce__(self):
        arguments = (self.storage, self.offset, self.dims, self.strides, False, collections.OrderedDict())
        return torch._utils._rebuild_tensor_v2, arguments

    def array(self):
        flat = self.storage.array.reshape(-1)
        strides = [stride * flat.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(flat[self.offset :], self.dims, strides)


def dense(array):
    array = np.asarray(array)
    storage = Storage(array.reshape(-1))
    return Tensor(storage, 0, array.shape, tuple(s // array.itemsize for s in np.ascontiguousarray(array).strides)
                  if array.ndim else ())


class Writer(pickle.Pickler):
    def __init__(self, file, protocol, view):
        super().__init__(file, protocol)
        self.storages, self.view = {}, view

    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        key = str(self.storages.setdefault(id(value), (len(self.storages), value))[0])
        kind = next(name for name, code in STORAGES.items() if np.dtype(code) == value.array.dtype)
        identity = ("storage", getattr(torch, kind), key, "cpu", value.array.size)
        return identity + (None,) if self.view else identity

    def in_order(self):
        return [storage for _, storage in sorted(self.storages.values(), key=lambda item: item[0])]


def save_zip(path, value, protocol):
    file = io.BytesIO()
    writer = Writer(file, protocol, False)
    writer.dump(value)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("stem/data.pkl", file.getvalue())
        for key, storage in enumerate(writer.in_order()):
            archive.writestr(f"stem/data/{key}", storage.array.tobytes())
        archive.writestr("stem/version", "3\n")


def save_old(path, value, protocol):
    with open(path, "wb") as file:
        for front in 0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}:
            pickle.dump(front, file, protocol)
        writer = Writer(file, protocol, True)
        writer.dump(value)
        pickle.dump([str(key) for key in range(len(writer.storages))], file, protocol)
        for storage in writer.in_order():
            file.write(struct.pack("<q", storage.array.size) + storage.array.tobytes())


class Reader(pickle.Unpickler):
    """Reads a zip-form checkpoint with Python's unpickler, without torch."""

    def __init__(self, path):
        self.archive = zipfile.ZipFile(path)
        pickled = next(name for name in self.archive.namelist() if name.endswith("/data.pkl"))
        self.stem = pickled[: -len("data.pkl")]
        super().__init__(io.BytesIO(self.archive.read(pickled)))

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return type("OrderedDict", (collections.OrderedDict,), {})
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, dims, strides, *rest: Tensor(storage, offset, dims, strides)
        return STORAGES[name]

    def persistent_load(self, identity):
        _, kind, key, _, count = identity
        array = np.frombuffer(self.archive.read(f"{self.stem}data/{key}"), kind)
        assert array.size == count
        return Storage(array)


def described(dict_name, name, array):
    """As dump_checkpoint prints it."""
    kind = array.dtype.str[1:]
    return {"dict": dict_name, "name": name, "type": TYPES[kind], "dims": list(array.shape),
            "bytes": np.ascontiguousarray(array).tobytes().hex()}


def all_described(value):
    lists = [("", value)] + [(key, item) for key, item in value.items() if isinstance(item, dict)]
    return [described(dict_name, name, tensor.array()) for dict_name, entries in lists
            for name, tensor in entries.items() if isinstance(tensor, Tensor)]


class DumpTest(unittest.TestCase):
    maxDiff = 2000

    def dump(self, path):
        result = subprocess.run([DUMP, str(path)], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        return [json.loads(line) for line in result.stdout.splitlines()]


class PythonPickles(DumpTest):
    def sample(self):
        random = np.random.default_rng(1)
        shared = Storage(random.standard_normal(60).astype("f4"))
        state = collections.OrderedDict()
        for code in STORAGES.values():
            state[f"type.{code}"] = dense((random.standard_normal((2, 3)) * 9).astype(code))
        state["scalar"] = dense(np.float32(1.5))
        state["empty"] = dense(np.zeros((0, 3), "f4"))
        state["shared.a"] = Tensor(shared, 0, (3, 4, 5), (20, 5, 1))
        state["shared.b"] = Tensor(shared, 0, (5, 4, 3), (1, 5, 20))
        state["channels_last"] = Tensor(shared, 6, (2, 3, 3, 3), (27, 1, 9, 3))
        state["tied"] = state["shared.a"]
        # Python's pickler writes such a dict a thousand entries at a time.
        for i in range(2100):
            state[f"many.{i}"] = Tensor(shared, i % 60, (), ())
        state._metadata = collections.OrderedDict({"": {"version": 1}})
        return {"epoch": 300, "big": -(2**70), "lr": [0.1, True, None, "text", (1,), 2**40],
                "text": "x" * 300, "state_dict": state, "mean": dense(np.arange(3.0)),
                "optimizer": {"state": {0: {"step": dense(np.int64(4))}}, "own": dense(np.arange(4, dtype="i4"))}}

    def test_what_python_writes(self):
        value = self.sample()
        expected = all_described(value)
        self.assertGreater(len(expected), 2100)
        for save, protocol in itertools.product((save_zip, save_old), (2, 3, 4, 5)):
            with self.subTest(save=save.__name__, protocol=protocol):
                path = FOLDER / f"{save.__name__}_{protocol}"
                save(path, value, protocol)
                self.assertEqual(self.dump(path), expected)

    def test_npz(self):
        arrays = {"a.weight": np.arange(6.0).reshape(2, 3), "b": np.asfortranarray(np.arange(6).reshape(2, 3)),
                  "c": np.array(3, "u1")}
        for save in np.savez, np.savez_compressed:
            path = FOLDER / "arrays.npz"
            save(path, **arrays)
            self.assertEqual(self.dump(path), [described("", name, array) for name, array in arrays.items()])

    def test_damage_is_seen(self):
        """The comparison can fail: one byte of a storage changed."""
        value = {"w": dense(np.arange(6, dtype="f4"))}
        path = FOLDER / "changed"
        save_old(path, value, 2)
        path.write_bytes(path.read_bytes()[:-1] + b"\x01")
        self.assertNotEqual(self.dump(path), all_described(value))


class GoldenCheckpoints(DumpTest):
    def test_golden_checkpoints(self):
        paths = sorted(GOLDEN.glob("*/*.pth"))
        self.assertGreaterEqual(len(paths), 22)
        for path in paths:
            with self.subTest(path=str(path)):
                expected = all_described(Reader(path).load())
                self.assertGreater(len(expected), 5)
                self.assertEqual(self.dump(path), expected)


if __name__ == "__main__":
    DUMP, FOLDER, CASE = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
    if CASE == "GoldenCheckpoints" and not GOLDEN.exists():
        print(f"{GOLDEN} is missing: the reference's checkpoints are NOT tested")
        sys.exit(77)
    FOLDER.mkdir(parents=True, exist_ok=True)
    unittest.main(argv=[sys.argv[0], CASE])
