"""The files of one result appear all or none: a full disk, Ctrl-C, a place that cannot be written."""
import os
import resource
import signal
import subprocess
import time
import unittest

from driver import *


class FullDisk(DriverTest):
    """No file may grow beyond a limit, which is to a program as a disk that is full."""

    def setUp(self):
        super().setUp()
        save_conv_net(self.folder / "net.onnx")
        self.save("b0.npy", random(4, 3, 8, 8))
        (self.folder / "out").mkdir()

    def full(self, error, *arguments, size=0):
        self.refused(error, *arguments,
                     preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))  # fmt: skip

    def test_quantize(self):
        arguments = ["quantize", "net.onnx", "-d", "b0.npy", "-o", "out/net"]
        # The first that is read again, to be measured.
        self.full("out/net_fake_quant_model.onnx: cannot write: File too large", *arguments)
        # What stood there before stays.
        (self.folder / "out/net_record.txt").write_text("before")
        self.full("out/net_fake_quant_model.onnx: cannot write: File too large", *arguments)
        self.done(*arguments)
        # Not even those that would fit are written.
        sizes = {name: (self.folder / "out" / name).stat().st_size for name in RESULTS}
        limit = sizes["net_fake_quant_model.onnx"] - 1
        self.assertLess(sizes["net_deploy_model.onnx"], limit)
        for name in RESULTS:
            (self.folder / "out" / name).unlink()
        self.full("out/net_fake_quant_model.onnx: cannot write: File too large", *arguments, size=limit)

    def test_other_commands(self):
        self.full("config.json: cannot write: File too large", "config", "ptq", "net.onnx", "-o", "config.json")
        self.done("config", "ptq", "net.onnx", "-o", "config.json")
        calibrate = ["calibrate", "net.onnx", "--config", "config.json", "-d", "b0.npy", "--record", "record.txt",
                     "--modified", "modified.onnx"]  # fmt: skip
        self.full("modified.onnx: cannot write: File too large", *calibrate)
        self.done(*calibrate)
        save = ["save", "modified.onnx", "--record", "record.txt", "-o", "out/net"]
        self.full("out/net_deploy_model.onnx: cannot write: File too large", *save)
        opt = ["opt", "net.onnx", "-o", "opt.onnx", "--passes", "name-nodes"]
        self.full("opt.onnx: cannot write: File too large", *opt)
        self.full("out/y.npy: cannot write: File too large", "run", "net.onnx", "-i", "b0.npy", "-o", "out")

    def test_the_outputs_of_run_are_all_or_none(self):
        nodes = [helper.make_node("Neg", ["x"], ["small"], "neg"),
                 helper.make_node("Expand", ["x", "shape"], ["large"], "expand")]  # fmt: skip
        save_net(self.folder / "two.onnx", nodes, {"shape": np.array([100, 4], np.int64)}, {"x": [1, 4]},
                 {"small": [1, 4], "large": [100, 4]})  # fmt: skip
        arguments = ["run", "two.onnx", "-i", self.save("x.npy", random(1, 4)), "-o", "out"]
        self.full("out/large.npy: cannot write: File too large", *arguments, size=1000)
        self.done(*arguments)
        self.assertEqual(sorted(os.listdir(self.folder / "out")), ["large.npy", "small.npy"])

    def test_standard_output(self):
        """A summary that cannot be written is a failure too."""
        for arguments in (["--json", "inspect", "net.onnx"], ["passes"]):
            with open("/dev/full", "w") as full:
                done = subprocess.run(self.command(*arguments), stdout=full, stderr=subprocess.PIPE, text=True,
                                      cwd=self.folder)  # fmt: skip
            self.assertEqual((done.returncode, done.stderr), (1, "lathe: error: standard output cannot be written\n"))


class Places(DriverTest):
    def setUp(self):
        super().setUp()
        save_conv_net(self.folder / "net.onnx")
        self.save("b0.npy", random(4, 3, 8, 8))

    def test_a_folder_that_cannot_be_made_is_said_before_any_work(self):
        (self.folder / "file").write_text("")
        done = self.refused("cannot make the folder 'file/sub': Not a directory",
                            "quantize", "net.onnx", "-d", "b0.npy", "-o", "file/sub/net")  # fmt: skip
        self.assertNotIn("calibrating", done.stderr)

    def test_a_result_in_the_way(self):
        """A folder stands where the last of the files should go."""
        (self.folder / "out/net_config.json").mkdir(parents=True)
        self.refused("out/net_config.json: cannot write: Is a directory",
                     "quantize", "net.onnx", "-d", "b0.npy", "-o", "out/net")  # fmt: skip

    def test_names_of_results_are_said_before_any_work(self):
        self.done("config", "ptq", "net.onnx", "-o", "config.json")
        (self.folder / "dmq.cfg").write_text("common_config { dmq_balancer { } }")
        self.done("config", "ptq", "net.onnx", "-o", "dmq.json", "--cfg", "dmq.cfg")
        data, long = ["-d", "b0.npy"], "x" * 255
        for name, error in (
            ("", "the name of a result is empty"),
            ("sub/", "'sub/' names a folder, not a file to write"),
            (long, f"output '{long}': the name has 255 characters, at most 254 are allowed"),
        ):
            calibrate = ["calibrate", "net.onnx", "--config", "config.json", *data]
            for arguments in (
                ["config", "ptq", "net.onnx", "-o", name],
                [*calibrate, "--record", name, "--modified", "m.onnx"],
                [*calibrate, "--record", "r.txt", "--modified", name],
                ["balance", "net.onnx", "--config", "dmq.json", *data, "--record", name],
                ["kv-cache", "net.onnx", "--layer", "conv1", *data, "--record", name],
            ):
                done = self.refused(error, *arguments)
                self.assertNotIn("calibrating", done.stderr)
        prefix = "x" * 242
        self.refused(f"output prefix '{prefix}': the name part has 242 characters, at most 241 are allowed",
                     "quantize", "net.onnx", *data, "-o", prefix)  # fmt: skip

    def test_results_of_one_name(self):
        self.done("config", "ptq", "net.onnx", "-o", "config.json")
        self.refused("same: would be written twice", "calibrate", "net.onnx", "--config", "config.json", "-d", "b0.npy",
                     "--record", "same", "--modified", "same")  # fmt: skip

    def test_what_stands_there_is_replaced(self):
        self.done("config", "ptq", "net.onnx", "-o", "config.json")
        want = self.files()["config.json"]
        (self.folder / "config.json").write_text("before")
        self.done("config", "ptq", "net.onnx", "-o", "config.json")
        self.assertEqual(self.files()["config.json"], want)

    def test_outputs_of_run_with_one_file_name(self):
        nodes = [helper.make_node("Neg", ["x"], ["a/b"], "one"), helper.make_node("Abs", ["x"], ["a_b"], "two")]
        save_net(self.folder / "two.onnx", nodes, {}, {"x": [1, 4]}, {"a/b": [1, 4], "a_b": [1, 4]})
        self.refused("out/a_b.npy: would be written twice",
                     "run", "two.onnx", "-i", self.save("x.npy", random(1, 4)), "-o", "out")  # fmt: skip


class Interrupted(DriverTest):
    """Ctrl-C in the middle of the calibration."""

    def setUp(self):
        super().setUp()
        save_conv_net(self.folder / "net.onnx", size=64)
        batch = self.save("b0.npy", random(8, 3, 64, 64))
        self.data = ["-d", *[batch] * 2000]
        head = [helper.make_node("Flatten", ["x"], ["f"], "flat"), helper.make_node("MatMul", ["f", "w"], ["y"], "fc")]
        save_net(self.folder / "head.onnx", head, {"w": random(3 * 64 * 64, 4)}, {"x": [8, 3, 64, 64]}, {"y": [8, 4]})

    def interrupt(self, *arguments, at="calibrating", how=signal.SIGINT):
        """Sends the signal when the first progress line of a stage is written."""
        before = self.files()
        process = subprocess.Popen(self.command(*arguments), cwd=self.folder, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)  # fmt: skip
        for line in process.stderr:
            if line.startswith(at):
                break
        else:
            self.fail(f"no stage '{at}'")
        process.send_signal(how)
        out, err = process.communicate(timeout=60)
        lines = [line for line in err.splitlines()
                 if not line.startswith(("calibrating", "comparing", "measuring", "rounding", "searching"))]  # fmt: skip
        self.assertEqual(len(lines), 1, lines)
        self.assertRegex(lines[0], rf"\Alathe: error: (node '\w+': )?interrupted while {at}[a-z ]*, \d+ of \d+ done; nothing was written\Z")
        self.assertEqual((process.returncode, out), (1, ""))
        self.assertEqual(self.files(), before)

    def test_quantize(self):
        for how in (signal.SIGINT, signal.SIGTERM):
            self.interrupt("quantize", "net.onnx", *self.data, "-o", "out/net", how=how)

    def test_while_accuracy_is_measured(self):
        """The results stand under other names beside their places by then."""
        labels = self.save("labels.npy", np.zeros(8 * 2000, np.int64))
        self.interrupt("quantize", "net.onnx", "-d", "b0.npy", "--eval-data", *self.data[1:], "--labels", labels,
                       "-o", "out/net", at="measuring")  # fmt: skip

    def test_calibrate(self):
        self.done("config", "ptq", "net.onnx", "-o", "config.json", "--batch-num", 2000)
        self.interrupt("calibrate", "net.onnx", "--config", "config.json", *self.data, "--record", "r.txt",
                       "--modified", "m.onnx")  # fmt: skip

    def test_while_rounding_is_learnt(self):
        (self.folder / "ada.cfg").write_text("batch_num: 1 common_config { ada_quantize { num_iteration: 20000 } }")
        self.interrupt("quantize", "net.onnx", "-d", "b0.npy", "--cfg", "ada.cfg", "-o", "out/net", at="rounding conv1",
                       how=signal.SIGTERM)  # fmt: skip

    def test_while_scales_of_channels_are_searched(self):
        head = [helper.make_node("Mul", ["x", "one"], ["f"], "same"), helper.make_node("MatMul", ["f", "w"], ["y"], "fc")]
        save_net(self.folder / "wide.onnx", head, {"one": np.ones(1, np.float32), "w": random(4, 4096)}, {"x": [1024, 4]}, {"y": [1024, 4096]})
        self.save("rows.npy", random(1024, 4))
        (self.folder / "kv.cfg").write_text("kv_cache_quant_config { quant_layers: 'fc' calibration_config { hfmg_quantize { "
                                            "quant_granularity: per_channel } } }")  # fmt: skip
        self.interrupt("kv-cache", "wide.onnx", "--cfg", "kv.cfg", "-d", "rows.npy", "--record", "kv.txt", at="searching")

    def test_other_commands(self):
        data = ["-d", *self.data[1:]]
        (self.folder / "kv.cfg").write_text('batch_num: 2000 kv_cache_quant_config { quant_layers: "fc" }')
        self.done("quantize", "net.onnx", "-d", "b0.npy", "-o", "before/net")
        for how in (signal.SIGINT, signal.SIGTERM):
            self.interrupt("compare", "net.onnx", "before/net_fake_quant_model.onnx", *data, at="comparing", how=how)
            self.interrupt("kv-cache", "head.onnx", *data, "--cfg", "kv.cfg", "--record", "r.txt", how=how)

    def test_commands_without_stages(self):
        """Whenever the signal comes: all files and status 0, or no file and status 1."""
        for milliseconds in range(0, 100, 10):
            process = subprocess.Popen(self.command("run", "net.onnx", "-i", "b0.npy", "-o", "out"), cwd=self.folder,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
            time.sleep(milliseconds / 1000)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            there = sorted(name for name in self.files() if name.startswith("out/"))
            if process.returncode == -signal.SIGINT:  # it came before the program was ready
                self.assertEqual(there, [])
            elif process.returncode == 0:
                self.assertEqual(there, ["out/y.npy"])
                (self.folder / "out/y.npy").unlink()
            else:
                self.assertEqual((err, there), ("lathe: error: interrupted; nothing was written\n", []))


@unittest.skipIf(os.environ.get("LATHE_SANITIZER"), "a sanitizer reserves more address space than the limits leave")
class OutOfMemory(DriverTest):
    """However little memory there is: a result, or one line that says where it stopped and no file."""

    def setUp(self):
        super().setUp()
        nodes = [helper.make_node("Conv", ["x", "w1"], ["c1"], "conv1", pads=[1, 1, 1, 1]),
                 helper.make_node("Conv", ["c1", "w2"], ["y"], "conv2", pads=[1, 1, 1, 1])]  # fmt: skip
        save_net(self.folder / "net.onnx", nodes, {"w1": random(64, 3, 3, 3), "w2": random(64, 64, 3, 3)},
                 {"x": [8, 3, 96, 96]}, {"y": [8, 64, 96, 96]})  # fmt: skip
        self.save("b0.npy", random(8, 3, 96, 96))

    def try_with(self, megabytes, *arguments):
        """The line of the error, or None when it worked."""
        before = self.files()
        size = megabytes << 20
        done = self.lathe("--threads", 2, *arguments,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size)))  # fmt: skip
        if done.returncode == 0:
            shutil.rmtree(self.folder / "out", ignore_errors=True)
            return None
        lines = [line for line in done.stderr.splitlines() if not line.startswith(("calibrating", "measuring"))]
        self.assertEqual((done.returncode, len(lines), done.stdout), (1, 1, ""), f"{megabytes} MB\n{done.stderr}")
        self.assertEqual(self.files(), before, f"{megabytes} MB")
        return lines[0]

    def test_quantize(self):
        lines = {size: self.try_with(size, "quantize", "net.onnx", "-d", "b0.npy", "b0.npy", "-o", "out/net")
                 for size in (200, 250, 300, 350, 400, 450, 500)}  # fmt: skip
        for size, line in lines.items():
            self.assertRegex(line or "lathe: error: out of memory",
                             r"\Alathe: error: (out of memory|no memory for )[a-z ]*([:;] |\Z)", f"{size} MB")  # fmt: skip
        places = [line for line in lines.values() if line and "stopped while " in line]
        self.assertTrue(places, lines)
        for line in places:
            self.assertRegex(line, r": stopped while (calibrating|measuring)[a-z -]*, \d+ of \d+ done; nothing was written\Z")

    def test_enough(self):
        """The tests above would be worth nothing if it never worked."""
        self.assertIsNone(self.try_with(3000, "quantize", "net.onnx", "-d", "b0.npy", "b0.npy", "-o", "out/net"))


class Progress(DriverTest):
    """On a terminal there is a bar with the time left."""

    def test_bar(self):
        save_conv_net(self.folder / "net.onnx", size=32)
        batch = self.save("b0.npy", random(8, 3, 32, 32))
        master, slave = os.openpty()
        process = subprocess.Popen(self.command("quantize", "net.onnx", "-d", *[batch] * 300, "-o", "out/net"),
                                   cwd=self.folder, stdout=subprocess.DEVNULL, stderr=slave)  # fmt: skip
        os.close(slave)
        text = b""
        while True:
            try:
                piece = os.read(master, 4096)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            text += piece
        os.close(master)
        self.assertEqual(process.wait(), 0)
        self.assertRegex(text.decode(), r"\rcalibrating \[#*\.+\] \d+/300 \d+:\d\d left\x1b\[K")
        self.assertRegex(text.decode(), r"\rcalibrating \[#{30}\] 300/300 \d+:\d\d in all\x1b\[K\r?\n")


if __name__ == "__main__":
    main()
