"""The data of `lathe quantize`: every form of it, and what is wrong with it is said before any work."""
import json
import struct
import zlib

from driver import *


def png(pixels):
    """An 8-bit PNG of [height, width, 3] samples."""
    height, width, _ = pixels.shape

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Batches(DriverTest):
    def setUp(self):
        super().setUp()
        save_conv_net(self.folder / "net.onnx")
        self.batches = [self.save(f"b{i}.npy", random(4, 3, 8, 8, seed=i)) for i in range(3)]
        (self.folder / "out").mkdir()

    def quantize(self, *arguments):
        return ["quantize", "net.onnx", "-o", "out/net", *arguments]

    def results(self):
        self.assertEqual(sorted(path.name for path in (self.folder / "out").iterdir()), RESULTS)
        return [(self.folder / "out" / name).read_bytes() for name in RESULTS]

    def test_batch_num_is_the_number_of_batches(self):
        self.done(*self.quantize("-d", *self.batches))
        self.results()
        self.assertEqual(json.loads((self.folder / "out/net_config.json").read_text())["batch_num"], 3)

    def test_a_glob_and_npz_are_the_same_data(self):
        self.done(*self.quantize("-d", *self.batches))
        files = self.results()
        self.done(*self.quantize("-d", f"x={self.folder}/b*.npy"))
        self.assertEqual(self.results(), files)
        for save, names in ((np.savez, ["a", "b", "c"]), (np.savez_compressed, ["d", "e", "f"])):
            for name, batch in zip(names, self.batches):
                save(self.folder / f"{name}.npz", x=np.load(self.folder / batch))
            self.done(*self.quantize("-d", *(f"{name}.npz" for name in names)))
            self.assertEqual(self.results(), files)

    def test_a_short_last_batch(self):
        """It counts by its values: the record is that of the same values in even batches of another split."""
        whole = np.concatenate([random(4, 3, 8, 8, seed=i) for i in range(2)])[:6]
        self.done(*self.quantize("-d", self.save("four.npy", whole[:4]), self.save("two.npy", whole[4:])))
        uneven = (self.folder / "out/net_record.txt").read_bytes()
        self.done(*self.quantize("-d", self.save("six.npy", whole)))
        self.assertEqual((self.folder / "out/net_record.txt").read_bytes(), uneven)

    def test_a_fixed_batch_takes_no_other(self):
        save_conv_net(self.folder / "net.onnx", batch=4)
        self.done(*self.quantize("-d", *self.batches))
        self.refused(
            "short.npy: input 'x': shape [3,3,8,8] has extent 3 in dimension 0, the model wants [4,3,8,8]",
            *self.quantize("-d", "b0.npy", self.save("short.npy", random(3, 3, 8, 8))))  # fmt: skip

    def test_a_shape_fixes_free_dimensions(self):
        self.done(*self.quantize("-d", "b0.npy", "--shape", "x=4,3,8,8"))
        self.refused(
            "b0.npy: input 'x': shape [4,3,8,8] has extent 4 in dimension 0, the model wants [2,3,8,8]",
            *self.quantize("-d", "b0.npy", "--shape", "x=2,3,8,8"))  # fmt: skip
        self.refused(
            "a shape is given for 'y', which is no input (inputs: 'x')",
            *self.quantize("-d", "b0.npy", "--shape", "y=2,3,8,8"))  # fmt: skip
        self.refused(
            "input 'x': shape [4,3,9,8] was asked for, the model wants [batch,3,8,8]",
            *self.quantize("-d", "b0.npy", "--shape", "x=4,3,9,8"))  # fmt: skip

    def test_wrong_data_is_said_before_any_work(self):
        wrong = self.save("wrong.npy", random(4, 3, 8, 9))
        flat = self.save("flat.npy", random(4, 192))
        double = self.save("double.npy", random(4, 3, 8, 8, kind=np.float64))
        (self.folder / "text.npy").write_text("no array")
        (self.folder / "cut.npy").write_bytes((self.folder / "b0.npy").read_bytes()[:-4])
        np.savez(self.folder / "other.npz", y=random(4, 3, 8, 8))
        for name, error in (
            (wrong, "wrong.npy: input 'x': shape [4,3,8,9] has extent 9 in dimension 3, the model wants [batch,3,8,8]"),
            (flat, "flat.npy: input 'x': shape [4,192] has rank 2, the model wants [batch,3,8,8]"),
            (double, "double.npy: input 'x': element type is f64, the model wants f32"),
            ("none.npy", "none.npy: cannot open: No such file or directory"),
            ("text.npy", "text.npy: not an .npy file: it does not begin with \\x93NUMPY"),
            ("cut.npy", "cut.npy: the file has 3068 bytes of elements, its header says 3072"),
            ("other.npz", "other.npz: no array for input 'x' (arrays: 'y')"),
            ("net.onnx", "data 'net.onnx' is no .npy or .npz file, nor NAME=GLOB with NAME one of 'x'"),
            ("x=none*.npy", "no file matches 'none*.npy'"),
        ):
            with self.subTest(name):
                batches = [name] if "=" in name else ["b0.npy", name]
                done = self.refused(error, *self.quantize("-d", *batches))
                self.assertNotIn("calibrating", done.stderr)

    def test_the_number_of_batches(self):
        self.done("config", "ptq", "net.onnx", "-o", "config.json", "--batch-num", 2)
        error = "the configuration asks for 2 batches, the data has 1 (give more data or lower batch_num)"
        for command in (
            self.quantize("--config", "config.json"),
            ["calibrate", "net.onnx", "--config", "config.json", "--record", "r.txt", "--modified", "m.onnx"],
        ):
            done = self.refused(error, *command, "-d", "b0.npy")
            self.assertNotIn("calibrating", done.stderr)
            out = self.done(*command, "-d", *self.batches)
            self.assertIn("note: batch_num is 2: 1 batches of the data were not used\n", out)

    def test_data_is_given_once(self):
        self.refused("data is missing: give -d or --images", *self.quantize(), status=2)
        self.refused("-d and --images cannot be given together",
                     *self.quantize("-d", "b0.npy", "--images", "."), status=2)  # fmt: skip
        for option in (["--mean", 1], ["--std", 1], ["--layout", "nchw"], ["--batch", 1]):
            self.refused(f"{option[0]} is for --images, which is not given",
                         *self.quantize("-d", "b0.npy", *option), status=2)  # fmt: skip


class SeveralInputs(DriverTest):
    def setUp(self):
        super().setUp()
        nodes = [
            helper.make_node("Conv", ["left", "w"], ["c"], "conv", pads=[1, 1, 1, 1]),
            helper.make_node("Add", ["c", "right"], ["s"], "add"),
            helper.make_node("Conv", ["s", "v"], ["y"], "last"),
        ]
        save_net(self.folder / "net.onnx", nodes, {"w": random(4, 2, 3, 3), "v": random(2, 4, 1, 1)},
                 {"left": ["n", 2, 6, 6], "right": ["n", 4, 6, 6]}, {"y": ["n", 2, 6, 6]})  # fmt: skip
        for i, n in enumerate((3, 3, 1)):
            left, right = random(n, 2, 6, 6, seed=i), random(n, 4, 6, 6, seed=9 + i)
            self.save(f"l{i}.npy", left)
            self.save(f"r{i}.npy", right)
            np.savez(self.folder / f"b{i}.npz", left=left, right=right)

    def quantize(self, *data):
        return ["quantize", "net.onnx", "-d", *data, "-o", "out/net"]

    def test_globs_and_npz_are_the_same_data(self):
        self.done(*self.quantize("left=l*.npy", "right=r*.npy"))
        files = self.files()
        self.done(*self.quantize("right=r*.npy", "left=l*.npy"))
        self.assertEqual(self.files(), files)
        self.done(*self.quantize("b0.npz", "b1.npz", "b2.npz"))
        self.assertEqual(self.files(), files)

    def test_what_does_not_fit_together(self):
        self.refused("data 'l0.npy': the model has 2 inputs ('left', 'right'); give NAME=GLOB for each, or .npz files "
                     "with arrays of these names", *self.quantize("l0.npy"))  # fmt: skip
        self.refused("no data for input 'right'", *self.quantize("left=l*.npy"))
        self.refused("input 'left' has 3 files (l*.npy), input 'right' has 1 (r0.npy)",
                     *self.quantize("left=l*.npy", "right=r0.npy"))  # fmt: skip
        self.refused("r2.npy: input 'right': dimension 'n' is 1, but 3 in input 'left'",
                     *self.quantize("left=l0.npy", "right=r2.npy"))  # fmt: skip


class Images(DriverTest):
    """Images of the net's own size come in unresized, so the same batch as .npy gives the same files."""

    def setUp(self):
        super().setUp()
        self.pixels = np.random.default_rng(5).integers(0, 256, size=(5, 8, 8, 3), dtype=np.uint8)
        (self.folder / "images").mkdir()
        for i, each in enumerate(self.pixels):
            (self.folder / "images" / f"{i}.png").write_bytes(png(each))
        save_conv_net(self.folder / "net.onnx")

    def same(self, batches, *options, model="net.onnx"):
        names = [self.save(f"b{i}.npy", batch) for i, batch in enumerate(batches)]
        self.done("quantize", model, "-d", *names, "-o", "files/net")
        self.done("quantize", model, "--images", "images", *options, "-o", "images_out/net")
        for name in RESULTS:
            want = (self.folder / "files" / name).read_bytes()
            self.assertEqual((self.folder / "images_out" / name).read_bytes(), want, name)

    def nchw(self):
        return self.pixels.transpose(0, 3, 1, 2).astype(np.float32)

    def test_an_image_a_batch_where_the_batch_is_free(self):
        self.same(np.split(self.nchw(), 5))

    def test_mean_and_std_and_a_short_last_batch(self):
        mean, std = np.float32([120, 110, 100]), np.float32([50, 60, 70])
        batch = (self.nchw() - mean[:, None, None]) / std[:, None, None]
        self.same([batch[:2], batch[2:4], batch[4:]], "--batch", 2, "--mean", "120,110,100", "--std", "50,60,70")
        batch = (self.nchw() - np.float32(127)) / np.float32(128)
        self.same([batch[:4], batch[4:]], "--batch", 4, "--mean", 127, "--std", 128)

    def test_layout(self):
        nodes = [
            helper.make_node("Transpose", ["x"], ["t"], "to_nchw", perm=[0, 3, 1, 2]),
            helper.make_node("Conv", ["t", "w"], ["y"], "conv"),
        ]
        ends = [{"x": ["n", 8, 8, 3]}, {"y": ["n", 4, 8, 8]}]
        save_net(self.folder / "nhwc.onnx", nodes, {"w": random(4, 3, 1, 1)}, *ends)
        self.same([self.pixels.astype(np.float32)], "--batch", 5, "--layout", "nhwc", model="nhwc.onnx")

    def test_a_shape_says_the_size(self):
        nodes = [helper.make_node("Conv", ["x", "w"], ["y"], "conv")]
        ends = [{"x": ["n", 3, "height", "width"]}, {"y": ["n", 4, "height", "width"]}]
        save_net(self.folder / "free.onnx", nodes, {"w": random(4, 3, 1, 1)}, *ends)
        self.refused(
            "input 'x': the model leaves height and width free: [n,3,height,width]; fix them with --shape",
            "quantize", "free.onnx", "--images", "images", "-o", "out/net")  # fmt: skip
        self.same(np.split(self.nchw(), 5), "--shape", "x=1,3,8,8", model="free.onnx")

    def test_labels_are_in_the_order_of_the_names(self):
        self.done("run", "net.onnx", "-i", f"x={self.save('all.npy', self.nchw())}", "-o", "run")
        best = np.load(self.folder / "run/y.npy").argmax(axis=1)
        best[3] = (best[3] + 1) % 4
        summary = self.summary("quantize", "net.onnx", "--images", "images", "--batch", 2,
                               "--labels", self.save("labels.npy", best), "-o", "out/net")  # fmt: skip
        self.assertEqual(summary["accuracy"]["float"], 0.8)
        self.assertEqual(summary["accuracy"]["samples"], 5)

    def test_refusals(self):
        quantize = ["quantize", "net.onnx", "-o", "out/net"]
        (self.folder / "empty").mkdir()
        (self.folder / "text").mkdir()
        (self.folder / "text/a.png").write_text("no picture")
        self.refused("none: cannot list the folder: No such file or directory", *quantize, "--images", "none")
        self.refused("empty: no .jpg, .jpeg or .png file in the folder", *quantize, "--images", "empty")
        self.refused("text/a.png: neither a JPEG nor a PNG file", *quantize, "--images", "text")
        self.refused("--mean takes one number or three, not 2",
                     *quantize, "--images", "images", "--mean", "1,2", status=2)  # fmt: skip
        self.refused("the standard deviation of images must be positive", *quantize, "--images", "images", "--std", 0)
        save_conv_net(self.folder / "net.onnx", batch=2)
        self.refused("images: 5 images do not fill batches of 2, which input 'x' wants", *quantize, "--images", "images")
        self.refused("input 'x': batches of 3 images were asked for, the model wants [2,3,8,8]",
                     *quantize, "--images", "images", "--batch", 3)  # fmt: skip


class Labels(DriverTest):
    def setUp(self):
        super().setUp()
        save_conv_net(self.folder / "net.onnx")
        self.data = random(6, 3, 8, 8)
        self.save("all.npy", self.data)
        self.save("b0.npy", self.data[:4])
        self.save("b1.npy", self.data[4:])
        self.done("run", "net.onnx", "-i", "all.npy", "-o", "run")
        self.best = np.load(self.folder / "run/y.npy").argmax(axis=1)

    def quantize(self, *arguments):
        return ["quantize", "net.onnx", "-d", "b0.npy", "b1.npy", "-o", "out/net", *arguments]

    def test_accuracy(self):
        labels = self.best.copy()
        labels[[1, 5]] = (labels[[1, 5]] + 1) % 4
        for kind in (np.int64, np.int32, np.uint8):
            with self.subTest(kind):
                name = self.save("labels.npy", labels.astype(kind))
                summary = self.summary(*self.quantize("--labels", name))
                self.assertAlmostEqual(summary["accuracy"]["float"], 4 / 6)
                self.assertEqual(summary["accuracy"]["samples"], 6)
        self.assertRegex(self.done(*self.quantize("--labels", "labels.npy")), r"\naccuracy +66\.67 % +\d+\.\d\d %\n")
        # What the driver says of the fake-quant model is what that model does.
        self.done("run", "out/net_fake_quant_model.onnx", "-i", "all.npy", "-o", "run")
        right = (np.load(self.folder / "run/y.npy").argmax(axis=1) == labels).mean()
        self.assertAlmostEqual(summary["accuracy"]["fake_quant"], right)

    def test_evaluation_data_of_its_own(self):
        labels = self.save("labels.npy", self.best)
        summary = self.summary("quantize", "net.onnx", "-d", "b0.npy", "--eval-data", "all.npy", "--labels", labels,
                               "-o", "out/net")  # fmt: skip
        self.assertEqual((summary["accuracy"]["float"], summary["accuracy"]["samples"]), (1, 6))
        self.refused("--eval-data requires --labels (see 'lathe quantize --help')",
                     *self.quantize("--eval-data", "all.npy"), status=2)  # fmt: skip

    def test_wrong_labels_are_said_before_any_work(self):
        for labels, error in (
            (self.best[:5], "labels.npy: there are 5 labels for 6 samples"),
            (np.append(self.best, 0), "labels.npy: there are 7 labels for 6 samples"),
            (self.best.astype(np.float32), "labels.npy: labels are integers, these are f32"),
        ):
            with self.subTest(error):
                done = self.refused(error, *self.quantize("--labels", self.save("labels.npy", labels)))
                self.assertNotIn("calibrating", done.stderr)
        self.refused("none.npy: cannot open: No such file or directory", *self.quantize("--labels", "none.npy"))


if __name__ == "__main__":
    main()
