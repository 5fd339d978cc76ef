"""The files of one result appear all or none: a full disk, Ctrl-C, a place that cannot be written."""
import os
import resource
import signal
import subprocess
import time

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
        self.full("out/net_deploy_model.onnx: cannot write: File too large", *arguments)
        # What stood there before stays.
        (self.folder / "out/net_record.txt").write_text("before")
        self.full("out/net_deploy_model.onnx: cannot write: File too large", *arguments)
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
        lines = [line for line in err.splitlines() if not line.startswith(("calibrating", "measuring"))]
        self.assertEqual(lines, ["lathe: error: interrupted; nothing was written"])
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
