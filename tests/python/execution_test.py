"""Execution and comparison; progress, threads and Ctrl-C."""
import json
import os
import signal
import sys
import threading
import time
import types
import unittest

import nets
import numpy as np
from case import Case, driver

import lathe


class Execution(Case):
    def test_run(self):
        session = lathe.Session(self.net)
        self.assertEqual((session.inputs, session.outputs), (["x"], ["y"]))
        batch = nets.batches(1)[0]
        wanted = nets.reference(self.net, batch)
        for inputs in (batch, {"x": batch}, (batch,), [batch], np.asfortranarray(batch), batch.astype(">f4")):
            got = session.run(inputs)["y"]
            np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
            self.assertFalse(got.flags.writeable)
        np.testing.assert_allclose(lathe.run(lathe.load(self.net), batch)["y"], wanted, rtol=1e-4, atol=1e-5)

    def test_deploy_model(self):
        lathe.quantize(self.net, nets.batches(2), self.folder / "net", progress=False)
        deploy = self.folder / "net_deploy_model.onnx"
        batch = nets.batches(1)[0]
        np.save(self.folder / "x.npy", batch)
        driver("run", deploy, "-i", self.folder / "x.npy", "-o", self.folder / "out")
        got = lathe.run(deploy, batch, threads=1)["y"]
        self.assertTrue(np.array_equal(got, np.load(self.folder / "out/y.npy")))

    def test_element_types(self):
        for name in ("float32", "float16", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32",
                     "uint64", "bool"):  # fmt: skip
            array = np.array([[1, 0], [0, 1]]).astype(name)
            nets.save(nets.identity(array.dtype), self.net)
            got = lathe.run(self.net, array)["y"]
            self.assertEqual(got.dtype, array.dtype)
            self.assertTrue(np.array_equal(got, array), name)

    def test_compare(self):
        summary = lathe.quantize(self.net, nets.batches(2), self.folder / "net", progress=False)
        layers = lathe.compare(self.net, summary.paths.deploy, nets.batches(2), progress=False)
        told = json.loads(driver("compare", self.net, summary.paths.deploy, "-d", *self.files(2), "--json"))
        self.assertEqual([(each.layer, each.sqnr_db, each.cosine, each.saturated_b) for each in layers],
                         [(each["layer"], each["sqnr_db"], each["cosine"], each["saturated_b"])
                          for each in told["layers"]])  # fmt: skip

    def test_errors(self):
        self.raises(f"{self.net}: input 'x': shape [1,3,8] has rank 3, the model wants [N,3,8,8]", lathe.run,
                    self.net, np.zeros((1, 3, 8), np.float32))  # fmt: skip
        self.raises("arrays of datetime64[s] are not tensors of ONNX", lathe.run, self.net,
                    np.zeros((1, 3, 8, 8), "datetime64[s]"))  # fmt: skip

    def test_threads_share_a_session(self):
        session = lathe.Session(self.net)
        batches = nets.batches(8)
        wanted = [session.run(batch)["y"] for batch in batches]
        got = [None] * 8

        def work(i):
            for _ in range(20):
                got[i] = session.run(batches[i])["y"]

        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for one, other in zip(got, wanted):
            self.assertTrue(np.array_equal(one, other))


class Behaviour(Case):
    def test_progress(self):
        seen = []
        lathe.quantize(self.net, nets.batches(3), self.folder / "net", progress=lambda *step: seen.append(step))
        self.assertIn(("calibrating", 3, 3), seen)

    def test_bars_of_tqdm(self):
        bars = []

        class Bar:
            def __init__(self, total, desc):
                self.total, self.desc, self.n, self.open = total, desc, 0, True
                bars.append(self)

            def update(self, steps):
                self.n += steps

            def close(self):
                self.open = False

        module = types.ModuleType("tqdm.auto")
        module.tqdm = Bar
        saved = {name: sys.modules.get(name) for name in ("tqdm", "tqdm.auto")}
        sys.modules.update({"tqdm": types.ModuleType("tqdm"), "tqdm.auto": module})
        try:
            lathe.quantize(self.net, nets.batches(3), self.folder / "net", progress=False)
            self.assertEqual(bars, [])
            lathe.quantize(self.net, nets.batches(3), self.folder / "net")
        finally:
            for name, before in saved.items():
                if before is None:
                    del sys.modules[name]
                else:
                    sys.modules[name] = before
        self.assertIn(("calibrating", 3, 3, False), [(bar.desc, bar.n, bar.total, bar.open) for bar in bars])
        self.assertFalse(any(bar.open for bar in bars))

    def test_other_threads_run_meanwhile(self):
        steps, done = 0, False

        def count():
            nonlocal steps
            while not done:
                steps += 1
                time.sleep(0.001)

        thread = threading.Thread(target=count)
        thread.start()
        begin = time.monotonic()
        lathe.quantize(self.net, [str(self.files(1)[0])] * 300, self.folder / "net", progress=False)
        seconds = time.monotonic() - begin
        done = True
        thread.join()
        self.assertGreater(steps, 20 * seconds)

    def test_ctrl_c_stops_between_batches(self):
        data = [str(self.files(1)[0])] * 20000
        threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        begin = time.monotonic()
        with self.assertRaises(KeyboardInterrupt):
            lathe.quantize(self.net, data, self.folder / "net", progress=False)
        self.assertLess(time.monotonic() - begin, 20)
        self.assertFalse(list(self.folder.glob("net_*")))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
