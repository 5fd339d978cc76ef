"""--max-memory of `lathe quantize` and `lathe calibrate`: kept, or refused before anything starts; the same results."""
import os
import re

from driver import *

SANITIZED = any(mark in pathlib.Path(LATHE).read_bytes() for mark in (b"__asan_init", b"__tsan_init"))
USAGE = "write a size such as 800M, 1.5G or a number of bytes"
LAYERS = 12


def save_wide_net(path, batch="batch", size=192, layers=LAYERS):
    """Convolutions of 32 channels, one behind the other: large activations, small weights."""
    nodes, weights, last = [], {}, "x"
    for i in range(layers):
        weights[f"w{i}"] = random(32, 3 if i == 0 else 32, 3, 3, seed=i) / 10
        nodes += [helper.make_node("Conv", [last, f"w{i}"], [f"c{i}"], f"conv{i}", pads=[1, 1, 1, 1]),
                  helper.make_node("LeakyRelu", [f"c{i}"], [f"r{i}"], f"relu{i}")]
        last = f"r{i}"
    nodes += [helper.make_node("GlobalAveragePool", [last], ["y"], "pool")]
    save_net(path, nodes, weights, {"x": [batch, 3, size, size]}, {"y": [batch, 32, 1, 1]})


def save_heavy_net(path, layers=4, width=1024):
    """Matrix products of 4 MB of weights each."""
    nodes, weights, last = [], {}, "x"
    for i in range(layers):
        weights[f"w{i}"] = random(width, width, seed=i) / 32
        nodes += [helper.make_node("MatMul", [last, f"w{i}"], [f"m{i}"], f"fc{i}"),
                  helper.make_node("Relu", [f"m{i}"], [f"r{i}"], f"relu{i}")]
        last = f"r{i}"
    save_net(path, nodes, weights, {"x": ["batch", 64, width]}, {last: ["batch", 64, width]})


class MaxMemory(DriverTest):
    def quantize(self, *arguments, data=("b0.npy",), out="out/net"):
        return ["quantize", "net.onnx", "-d", *data, "-o", out, *arguments]

    def wide(self, batches=1, **options):
        save_wide_net(self.folder / "net.onnx", **options)
        return [self.save(f"b{i}.npy", random(2, 3, 192, 192, seed=i)) for i in range(batches)]

    def least(self, *command):
        """How much a command says it takes at least, in bytes, when it is allowed next to nothing."""
        before = self.files()
        done = self.lathe(*command, "--max-memory", "1M")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        found = re.fullmatch(r"lathe: error: the memory limit of 1\.0 MB cannot be kept: the job takes at least "
                             r"([\d.]+) MB, [\d.]+ MB more \(.*\) \(give a higher limit.*\)\n", done.stderr)
        self.assertIsNotNone(found, done.stderr)
        self.assertEqual(self.files(), before)
        return int(float(found[1]) * 1e6) + 100_000

    def measured(self, *command):
        """Runs a command; its summary and its peak memory, as the system counts it."""
        child = subprocess.Popen(self.command("--json", *command), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 text=True, cwd=self.folder)
        out, error = child.stdout.read(), child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(child.returncode, 0, error)
        summary = json.loads(out)
        # This process was forked from Python, whose own size counts until the program is started.
        told = summary["peak_memory_bytes"]
        # The system brings its two counters up to date at different times.
        self.assertLessEqual(told, 1024 * usage.ru_maxrss + 1_000_000)
        return summary, told, error

    def kept(self, command, limit):
        """The command with that limit: its peak is no more."""
        summary, peak, error = self.measured(*command, "--max-memory", limit)
        self.assertEqual(summary["max_memory_bytes"], limit)
        if not SANITIZED:
            self.assertLessEqual(peak, limit, error)
        return error

    def results(self, folder="out"):
        return {path.name: path.read_bytes() for path in (self.folder / folder).iterdir()}

    def test_large_activations(self):
        data = self.wide(batches=3)
        command = self.quantize(data=data)
        summary, _, error = self.measured(*command)
        self.assertNotIn("max_memory_bytes", summary)
        self.assertNotIn(" of 12", error)
        free = self.results()
        self.assertEqual(sorted(free), RESULTS)
        least = self.least(*command)
        for more in (0, 5_000_000, 200_000_000):
            error = self.kept(self.quantize(data=data), least + more)
            self.assertEqual("calibrating 1 to 1 of 12" in error, more == 0, error)
            self.assertEqual("calibrating 1 to" in error, more < 100_000_000, error)
            self.assertEqual(self.results(), free)

    def test_heavy_weights(self):
        save_heavy_net(self.folder / "net.onnx")
        data = [self.save("b0.npy", random(4, 64, 1024))]
        self.done(*self.quantize(data=data))
        free = self.results()
        self.kept(self.quantize(data=data), self.least(*self.quantize(data=data)))
        self.assertEqual(self.results(), free)

    def test_every_search(self):
        """Of more than one pass: close calls, percentiles found by counting, HFMG."""
        self.wide(layers=4)
        algorithms = {"close": "ifmr_quantize: { search_step: 0.001 }",
                      "counted": "ifmr_quantize: { max_percentile: 0.6 min_percentile: 0.6 }",
                      "hfmg": "hfmg_quantize: { num_of_bins: 4096 }"}
        for name, algorithm in algorithms.items():
            with self.subTest(name):
                (self.folder / "net.cfg").write_text(f"batch_num: 1\ncommon_config: {{ {algorithm} }}\n")
                command = self.quantize("--cfg", "net.cfg", out=f"{name}/net")
                self.done(*command)
                free = self.results(name)
                self.kept(command, self.least(*command))
                self.assertEqual(self.results(name), free)

    def test_calibrate(self):
        data = self.wide(batches=2)
        self.done("config", "ptq", "net.onnx", "-o", "config.json", "--batch-num", 2)
        command = ["calibrate", "net.onnx", "--config", "config.json", "-d", *data, "--record", "out/r.txt",
                   "--modified", "out/m.onnx"]
        (self.folder / "out").mkdir()
        self.assertRegex(self.done(*command), r"\n[\d.]+ MB at the peak\nwrote")
        free = self.results()
        least = self.least(*command)
        error = self.kept(command, least)
        self.assertIn("calibrating 1 to 1 of 12", error)
        self.assertEqual(self.results(), free)
        self.assertRegex(self.done(*command, "--max-memory", "2G"), r"\n[\d.]+ MB at the peak of 2\.0 GB allowed\nwrote")

    def test_the_number_of_batches_does_not_matter(self):
        save_conv_net(self.folder / "net.onnx", size=64)
        data = [self.save(f"b{i:03}.npy", random(4, 3, 64, 64, seed=i)) for i in range(120)]
        peaks = [self.measured(*self.quantize(data=data[:count]))[1] for count in (8, 120)]
        if not SANITIZED:
            self.assertLess(peaks[1] - peaks[0], 8_000_000)
        self.assertEqual(self.least(*self.quantize(data=data[:8])), self.least(*self.quantize(data=data)))

    def test_refused(self):
        self.wide()
        error = self.lathe(*self.quantize("--max-memory", "50M")).stderr
        found = re.fullmatch(r"lathe: error: the memory limit of 50\.0 MB cannot be kept: the job takes at least ([\d.]+) MB, "
                             r"([\d.]+) MB more \(.*program and libraries [\d.]+ MB.*\) \(give a higher limit or smaller "
                             r"batches\)\n", error)
        self.assertIsNotNone(found, error)
        self.assertAlmostEqual(float(found[1]), float(found[2]) + 50, delta=0.11)
        self.assertRegex(error, r"values alive at node 'conv\d+' [\d.]+ MB")
        self.assertRegex(error, r"weights, 'w\d+' the largest, [\d.]+ MB")
        # The largest batch counts; one of a single image cannot be smaller.
        self.save("b1.npy", random(1, 3, 192, 192))
        self.assertIn("MB) (give a higher limit)\n",
                      self.lathe(*self.quantize("--max-memory", "50M", data=["b1.npy"])).stderr)
        self.save("b1.npy", random(8, 3, 192, 192))
        self.assertGreater(self.least(*self.quantize(data=["b0.npy", "b1.npy"])), self.least(*self.quantize()) + 50_000_000)

    def test_a_shape_that_only_the_run_tells(self):
        nodes = [helper.make_node("Conv", ["x", "w"], ["c"], "conv"),
                 helper.make_node("NonZero", ["c"], ["y_"], "nonzero"),
                 helper.make_node("Cast", ["y_"], ["y"], "cast", to=TensorProto.FLOAT)]
        save_net(self.folder / "net.onnx", nodes, {"w": random(4, 3, 1, 1)}, {"x": [1, 3, 4, 4]}, {"y": [4, None]})
        self.save("b0.npy", random(1, 3, 4, 4))
        self.refused("node 'nonzero': the memory limit cannot be promised: the shape of 'y_' is not known before the run "
                     "(fix the inputs' shapes with --shape, or give no limit)", *self.quantize("--max-memory", "1G"))

    def test_sizes(self):
        save_conv_net(self.folder / "net.onnx")
        self.save("b0.npy", random(4, 3, 8, 8))
        for size, number in (("800M", 800_000_000), ("1.5G", 1_500_000_000), ("900000k", 900_000_000),
                             ("0.8GB", 800_000_000), ("812345678", 812_345_678), ("1T", 10**12)):
            self.assertEqual(self.summary(*self.quantize("--max-memory", size))["max_memory_bytes"], number)
        shutil.rmtree(self.folder / "out")
        for size in ("0", "-5M", "M", "five", "1.5.2G", "10X", "1e9", "inf", "nan", "9999999T", " 1G", "1 G", "1GBB"):
            self.refused(f"--max-memory '{size}': {USAGE}", *self.quantize(f"--max-memory={size}"), status=2)
        self.refused(f"--max-memory '': {USAGE}", *self.quantize("--max-memory", ""), status=2)


if __name__ == "__main__":
    main()
