"""Each kind of layer in a small net of its own: `lathe run` beside OpenCV's DNN module, or a NumPy computation.

    python layers_test.py LATHE WORK_FOLDER [-v] [TEST]...
"""
import pathlib
import shutil
import sys
import unittest

import numpy as np
from judges import argmax, interp, lstm, pool, prior_box, reorg, rnn, sigmoid, spp
from nets import Driver, decibels, inputs, layer, old_blob, opencv_python, random, run_opencv, write_net

DRIVER, WORK = Driver(sys.argv[1]), pathlib.Path(sys.argv[2])
LIMIT = 80


def found_rows(detections):
    """OpenCV gives as many rows as may be found, zeros behind those that were."""
    rows = detections[0, 0]
    return detections[:, :, : np.flatnonzero(rows.any(1))[-1] + 1]


def sorted_rows(detections):
    """By image, class and score, as Caffe gives them; OpenCV leaves the classes out."""
    rows = detections[0, 0]
    return detections[:, :, np.lexsort((-rows[:, 2], rows[:, 1], rows[:, 0]))]


class LayersTest(unittest.TestCase):
    def setUp(self):
        self.folder = WORK / self.id().replace("__main__.", "")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.number = 0

    def net(self, text, shapes, weights=None, **options):
        self.number += 1
        folder = self.folder / str(self.number)
        return folder, write_net(folder, inputs(shapes) + text, weights, **options)

    def near(self, want, got, text):
        self.assertEqual(want.keys(), got.keys(), text)
        for name in want:
            self.assertGreaterEqual(decibels(want[name], got[name]), LIMIT, f"{name} of {text}")

    def judge(self, text, feeds, want, weights=None, **options):
        """`want`: an array for top "y", or arrays by name. `feeds`: x, or arrays by name."""
        feeds = feeds if isinstance(feeds, dict) else {"x": feeds}
        folder, net = self.net(text, {name: each.shape for name, each in feeds.items()}, weights, **options)
        self.near(want if isinstance(want, dict) else {"y": want}, DRIVER.run(net, feeds, folder), text)

    def opencv(self, text, feeds, weights=None, outputs=("y",), **options):
        if opencv_python() is None:
            self.skipTest("no Python here has cv2 (install python3-opencv, or set LATHE_OPENCV_PYTHON)")
        feeds = feeds if isinstance(feeds, dict) else {"x": feeds}
        folder, net = self.net(text, {name: each.shape for name, each in feeds.items()}, weights, **options)
        got = DRIVER.run(net, feeds, folder)
        want = run_opencv(folder, feeds, outputs)
        if "DetectionOutput" in text:
            want = {name: sorted_rows(found_rows(each)) for name, each in want.items()}
        self.near(want, got, text)
        return got

    # ---- Convolutions and products ----

    def test_convolution(self):
        x = random(2, 4, 9, 8)
        for parameters, kernel in (
            ("num_output: 6 kernel_size: 3", (6, 4, 3, 3)),
            ("num_output: 6 kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 2 pad_h: 2 pad_w: 1 group: 2", (6, 2, 3, 2)),
            ("num_output: 4 kernel_size: 3 dilation: 2 pad: 2 group: 4", (4, 1, 3, 3)),
            ("num_output: 3 kernel_size: 1 stride: 2", (3, 4, 1, 1)),
        ):
            for bias in (True, False):
                weights = {"c": [random(*kernel, seed=1)] + [random(kernel[0], seed=2)] * bias}
                text = layer("c", "Convolution", "x", "y",
                             f"convolution_param {{ {parameters} bias_term: {str(bias).lower()} }}")  # fmt: skip
                self.opencv(text, x, weights)

    def test_old_blobs(self):
        weights = {"c": [random(6, 4, 3, 3), random(6)], "ip": [random(5, 6 * 36), random(5)]}
        text = layer("c", "Convolution", "x", "c", "convolution_param { num_output: 6 kernel_size: 3 }")
        text += layer("ip", "InnerProduct", "c", "y", "inner_product_param { num_output: 5 }")
        self.opencv(text, random(2, 4, 8, 8), weights, write=old_blob)

    def test_convolution_of_other_ranks(self):
        x, w = random(2, 3, 8), random(4, 3, 3)
        want = np.stack([np.einsum("oik,nik->no", w, x[:, :, i : i + 3]) for i in range(6)], 2)
        text = layer("c", "Convolution", "x", "y",
                     "convolution_param { num_output: 4 kernel_size: 3 bias_term: false }")  # fmt: skip
        self.judge(text, x, want, {"c": [w]})

    def test_depthwise(self):
        x, w = random(2, 4, 6, 6), random(4, 1, 3, 3)
        parameters = "convolution_param { num_output: 4 kernel_size: 3 bias_term: false"
        folder, net = self.net(layer("c", "DepthwiseConvolution", "x", "y", parameters + " }"), {"x": x.shape}, {"c": [w]})
        got = DRIVER.run(net, {"x": x}, folder)
        self.judge(layer("c", "Convolution", "x", "y", parameters + " group: 4 }"), x, got, {"c": [w]})

    def test_deconvolution(self):
        x = random(2, 4, 5, 6)
        for parameters, kernel in (
            ("num_output: 6 kernel_size: 4 stride: 2 pad: 1", (4, 6, 4, 4)),
            ("num_output: 4 kernel_size: 3 stride: 2 group: 4", (4, 1, 3, 3)),
            ("num_output: 6 kernel_h: 2 kernel_w: 3 stride: 3 group: 2", (4, 3, 2, 3)),
        ):
            weights = {"d": [random(*kernel, seed=1), random(int(parameters.split()[1]), seed=2)]}
            self.opencv(layer("d", "Deconvolution", "x", "y", f"convolution_param {{ {parameters} }}"), x, weights)

    def test_inner_product(self):
        w, b = random(5, 12, seed=1), random(5, seed=2)
        x = random(2, 3, 4)
        def text(parameters):
            return layer("ip", "InnerProduct", "x", "y", f"inner_product_param {{ num_output: 5 {parameters} }}")
        self.opencv(text(""), random(2, 3, 2, 2), {"ip": [w, b]})
        self.judge(text("bias_term: false"), x, x.reshape(2, 12) @ w.T, {"ip": [w]})
        self.judge(text("transpose: true"), x, x.reshape(2, 12) @ w.T + b, {"ip": [w.T, b]})
        self.judge(text("axis: 2"), x, x @ w[:, :4].T + b, {"ip": [w[:, :4], b]})
        self.judge(text("axis: -1 transpose: true"), x, x @ w[:, :4].T + b, {"ip": [w[:, :4].T, b]})

    def test_embed_and_matmul(self):
        rows, b = random(7, 3), random(3, seed=1)
        x = np.array([[0, 6, 2], [3, 3, 1]], np.float32)
        self.judge(layer("e", "Embed", "x", "y", "embed_param { input_dim: 7 num_output: 3 }"), x,
                   rows[x.astype(int)] + b, {"e": [rows, b]})  # fmt: skip
        a, b = random(2, 3, 4), random(2, 5, 4, seed=1)
        self.judge(layer("m", "BatchMatMul", "a b", "y", "batch_matmul_param { adj_x2: true }"), {"a": a, "b": b},
                   a @ b.transpose(0, 2, 1))  # fmt: skip

    # ---- Pooling ----

    def test_pooling(self):
        """Sizes at which rounding up, padding and windows that start in the padding matter."""
        for size in (7, 8, 9):
            x = random(2, 3, size, size + 1)
            for parameters in (
                "kernel_size: 3 stride: 2", "kernel_size: 3 stride: 2 pad: 1", "kernel_size: 2 stride: 2 pad: 1",
                "kernel_size: 2 stride: 2", "kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 3 pad_h: 1 pad_w: 0",
                "kernel_size: 3 stride: 3 pad: 2", "kernel_size: 5 stride: 1 pad: 2", "global_pooling: true",
            ):  # fmt: skip
                for method in ("MAX", "AVE"):
                    self.pooling(x, f"pool: {method} {parameters}", method)

    def pooling(self, x, parameters, method):
        words = parameters.split()
        said = {words[i].rstrip(":"): words[i + 1] for i in range(0, len(words), 2)}
        def pair(name, absent):
            both = int(said.get(name if name != "kernel" else "kernel_size", absent))
            return [int(said.get(f"{name}_h", both)), int(said.get(f"{name}_w", both))]
        if "global_pooling" in said:
            want = x.max((2, 3), keepdims=True) if method == "MAX" else x.mean((2, 3), keepdims=True)
        else:
            want = pool(x.astype("f8"), pair("kernel", 1), pair("stride", 1), pair("pad", 0), method == "MAX",
                        said.get("round_mode") != "FLOOR" and said.get("ceil_mode") != "false")  # fmt: skip
        self.judge(layer("p", "Pooling", "x", "y", f"pooling_param {{ {parameters} }}"), x, want)

    def test_pooling_rounding_down(self):
        x = random(1, 2, 8, 8)
        self.pooling(x, "pool: AVE kernel_size: 3 stride: 2 round_mode: FLOOR", "AVE")
        self.pooling(x, "pool: MAX kernel_size: 3 stride: 2 ceil_mode: false", "MAX")

    def test_pooling_as_opencv_does(self):
        for parameters in ("pool: MAX kernel_size: 3 stride: 2", "pool: AVE kernel_size: 3 stride: 2 pad: 1",
                           "pool: AVE kernel_size: 2 stride: 2"):  # fmt: skip
            self.opencv(layer("p", "Pooling", "x", "y", f"pooling_param {{ {parameters} }}"), random(2, 3, 9, 8))

    def test_spp(self):
        x = random(2, 3, 9, 7)
        for method in ("MAX", "AVE"):
            self.judge(layer("s", "SPP", "x", "y", f"spp_param {{ pyramid_height: 3 pool: {method} }}"), x,
                       spp(x.astype("f8"), 3, method == "MAX"))  # fmt: skip

    # ---- Normalisation ----

    def statistics(self, channels=4, factor=0.5):
        return [random(channels, seed=1) * factor, (np.abs(random(channels, seed=2)) + 0.1) * factor,
                np.array([factor], np.float32)]  # fmt: skip

    def test_batch_norm(self):
        x = random(2, 4, 5, 6)
        alone = layer("bn", "BatchNorm", "x", "y", "batch_norm_param { use_global_stats: true eps: 0.01 }")
        weights = {"bn": self.statistics()}
        self.opencv(alone, x, weights)
        mean, variance, factor = weights["bn"]
        scale, bias = random(4, seed=3), random(4, seed=4)
        def form(values):
            return values[:, None, None]
        normal = (x - form(mean / factor)) / np.sqrt(form(variance / factor) + 0.01)
        for text in (
            layer("bn", "BatchNorm", "x", "n", "batch_norm_param { eps: 0.01 }")
            + layer("sc", "Scale", "n", "n", "scale_param { bias_term: true }") + layer("r", "ReLU", "n", "y"),
            layer("bn", "BatchNorm", "x", "x", "batch_norm_param { eps: 0.01 }")
            + layer("sc", "Scale", "x", "z", "scale_param { bias_term: true }") + layer("r", "ReLU", "z", "y"),
        ):
            self.judge(text, x, np.maximum(normal * form(scale) + form(bias), 0), weights | {"sc": [scale, bias]})
        # The normal values are an output, too: both layers stay.
        text = layer("bn", "BatchNorm", "x", "n", "batch_norm_param { eps: 0.01 }")
        text += layer("sc", "Scale", "n", "y") + layer("p", "Power", "n", "z", "power_param { power: 2 }")
        self.judge(text, x, {"y": normal * form(scale), "z": normal**2}, weights | {"sc": [scale]})

    def test_batch_norm_with_factor_0(self):
        x, eps = random(2, 4, 3, 3), 1e-5
        self.judge(layer("bn", "BatchNorm", "x", "y"), x, x / np.sqrt(eps), {"bn": self.statistics(factor=0.0)})

    def test_scale_and_bias(self):
        x, s, b = random(2, 3, 4, 5), random(3, seed=1), random(3, seed=2)
        self.opencv(layer("s", "Scale", "x", "y", "scale_param { bias_term: true }"), x, {"s": [s, b]})
        w = random(4, 5, seed=3)
        self.judge(layer("s", "Scale", "x", "y", "scale_param { axis: 2 num_axes: -1 }"), x, x * w, {"s": [w]})
        w = random(3, 4, seed=3)
        self.judge(layer("s", "Scale", "x", "y", "scale_param { axis: -3 num_axes: 2 bias_term: true }"), x,
                   x * w[..., None] + 2 * w[..., None], {"s": [w, 2 * w]})  # fmt: skip
        self.judge(layer("s", "Scale", "x", "y", "scale_param { num_axes: 0 }"), x, x * 3, {"s": [np.float32(3)]})
        self.judge(layer("b", "Bias", "x", "y"), x, x + b[:, None, None], {"b": [b]})

    def test_scale_and_bias_by_a_bottom(self):
        x, a = random(2, 3, 4, 5), random(2, 3, seed=1)
        text = layer("s", "Scale", "x a", "y", "scale_param { axis: 0 }")
        self.judge(text, {"x": x, "a": a}, x * a[..., None, None])
        text = layer("b", "Bias", "x a", "y", "bias_param { axis: 0 }")
        self.judge(text, {"x": x, "a": a}, x + a[..., None, None])
        b = random(2, 3, 1, 1, seed=1)
        text = layer("z", "Axpy", "b x x", "y")
        self.judge(text, {"b": b, "x": x}, x * b + x)

    def test_lrn(self):
        x = random(2, 8, 6, 7)
        self.opencv(layer("l", "LRN", "x", "y", "lrn_param { local_size: 5 alpha: 0.3 beta: 0.6 }"), x)
        # OpenCV takes k for 1.
        squares = np.pad(np.square(x.astype("f8")), ((0, 0), (1, 1), (0, 0), (0, 0)))
        around = sum(squares[:, i : i + 8] for i in range(3))
        self.judge(layer("l", "LRN", "x", "y", "lrn_param { local_size: 3 alpha: 0.3 beta: 0.6 k: 2 }"), x,
                   x / (2 + 0.1 * around) ** 0.6)  # fmt: skip
        mean = pool(np.square(x.astype("f8")), (3, 3), (1, 1), (1, 1), False)
        text = layer("l", "LRN", "x", "y", "lrn_param { local_size: 3 alpha: 2 beta: 0.6 norm_region: WITHIN_CHANNEL }")
        self.judge(text, x, x / (1 + 2 * mean) ** 0.6)

    def test_mvn(self):
        x = random(2, 3, 4, 5)
        for axes, said in (((2, 3), "false"), ((1, 2, 3), "true")):
            centred = x - x.mean(axes, keepdims=True)
            text = layer("m", "MVN", "x", "y", f"mvn_param {{ across_channels: {said} normalize_variance: false }}")
            self.judge(text, x, centred)
            text = layer("m", "MVN", "x", "y", f"mvn_param {{ across_channels: {said} eps: 0.1 }}")
            self.judge(text, x, centred / (np.sqrt(np.square(centred).mean(axes, keepdims=True)) + 0.1))

    def test_normalize(self):
        x, s = random(2, 3, 4, 5), np.abs(random(3, seed=1))
        self.opencv(layer("n", "Normalize", "x", "y", "norm_param { across_spatial: false channel_shared: false }"), x, {"n": [s]})
        norm = np.sqrt(np.square(x).sum((1, 2, 3), keepdims=True) + 0.5)
        text = layer("n", "Normalize", "x", "y", "norm_param { across_spatial: true channel_shared: true eps: 0.5 }")
        self.judge(text, x, x / norm * 2, {"n": [np.array([2.0])]})

    def test_softmax(self):
        x = random(2, 3, 4, 5)
        self.opencv(layer("s", "Softmax", "x", "y"), x)
        for axis in (0, 2, -1):
            e = np.exp(x.astype("f8"))
            self.judge(layer("s", "Softmax", "x", "y", f"softmax_param {{ axis: {axis} }}"), x, e / e.sum(axis, keepdims=True))

    # ---- Value by value ----

    def test_activations(self):
        x = random(2, 3, 4, 5)
        for kind, parameters, want in (
            ("ReLU", "", np.maximum(x, 0)),
            ("ReLU", "relu_param { negative_slope: 0.1 }", np.where(x > 0, x, 0.1 * x)),
            ("ReLU6", "", np.clip(x, 0, 6)),
            ("Sigmoid", "", sigmoid(x)),
            ("TanH", "", np.tanh(x)),
            ("ELU", "elu_param { alpha: 0.5 }", np.where(x > 0, x, 0.5 * (np.exp(x) - 1))),
            ("AbsVal", "", np.abs(x)),
            ("BNLL", "", np.log1p(np.exp(x))),
            ("Clip", "clip_param { min: -0.5 max: 1 }", np.clip(x, -0.5, 1)),
            ("Swish", "swish_param { beta: 2 }", x * sigmoid(2 * x)),
            ("Swish", "", x * sigmoid(x)),
            ("Threshold", "threshold_param { threshold: 0.3 }", (x > 0.3).astype("f4")),
            ("Dropout", "dropout_param { dropout_ratio: 0.25 scale_train: false }", 0.75 * x),
            ("Dropout", "", x),
            ("Power", "power_param { power: 2 scale: 0.5 shift: -1 }", (0.5 * x - 1) ** 2),
            ("Power", "power_param { scale: 0.5 }", 0.5 * x),
            ("Power", "", x),
            ("Exp", "exp_param { base: 2 scale: 0.5 shift: 1 }", 2 ** (0.5 * x + 1)),
            ("Exp", "", np.exp(x)),
        ):
            self.judge(layer("a", kind, "x", "y", parameters), x, want)
        x = np.abs(x) + 1
        self.judge(layer("a", "Log", "x", "y", "log_param { base: 10 scale: 2 shift: 1 }"), x, np.log10(2 * x + 1))
        self.judge(layer("a", "Log", "x", "y"), x, np.log(x))

    def test_activations_as_opencv_does(self):
        for kind, parameters in (("ReLU", "relu_param { negative_slope: 0.1 }"), ("Sigmoid", ""), ("TanH", ""), ("ELU", ""),
                                 ("AbsVal", ""), ("BNLL", ""), ("Power", "power_param { power: 2 scale: 0.5 shift: 3 }"),
                                 ("Exp", "exp_param { base: 3 scale: 0.5 shift: 1 }")):  # fmt: skip
            self.opencv(layer("a", kind, "x", "y", parameters), random(2, 3, 4, 5))

    def test_prelu(self):
        x, slope = random(2, 3, 4, 5), random(3, seed=1)
        self.opencv(layer("p", "PReLU", "x", "y"), x, {"p": [slope]})
        text = layer("p", "PReLU", "x", "y", "prelu_param { channel_shared: true }")
        self.judge(text, x, np.where(x > 0, x, 0.3 * x), {"p": [np.array([0.3])]})

    def test_eltwise(self):
        feeds = {name: random(2, 3, 4, 5, seed=i) for i, name in enumerate("abc")}
        for parameters in ("", "operation: SUM coeff: 1 coeff: -1 coeff: 0.5", "operation: PROD", "operation: MAX"):
            self.opencv(layer("e", "Eltwise", "a b c", "y", f"eltwise_param {{ {parameters} }}"), feeds)

    # ---- Shapes ----

    def test_concat_and_slice(self):
        feeds = {"a": random(2, 3, 4, 5), "b": random(2, 2, 4, 5, seed=1)}
        self.opencv(layer("c", "Concat", "a b", "y"), feeds)
        self.judge(layer("c", "Concat", "a b", "y", "concat_param { concat_dim: 1 }"), feeds, np.concatenate(list(feeds.values()), 1))
        self.judge(layer("c", "Concat", "a a", "y", "concat_param { axis: 0 }"), {"a": feeds["a"]}, np.concatenate([feeds["a"]] * 2))
        x = random(2, 6, 4)
        self.judge(layer("s", "Slice", "x", "p q r"), x, dict(zip("pqr", np.split(x, 3, 1))))
        text = layer("s", "Slice", "x", "p q r", "slice_param { axis: 1 slice_point: 1 slice_point: 3 }")
        self.judge(text, x, dict(zip("pqr", np.split(x, [1, 3], 1))))
        self.judge(layer("s", "Slice", "x", "p q", "slice_param { slice_dim: 2 }"), x, dict(zip("pq", np.split(x, 2, 2))))

    def test_reshape_and_flatten(self):
        x = random(2, 4, 3, 6)
        def reshape(dims, more=""):
            dims = " ".join(f"dim: {each}" for each in dims)
            return layer("r", "Reshape", "x", "y", f"reshape_param {{ shape {{ {dims} }} {more} }}")
        for dims, more, shape in (
            ((0, -1, 2), "", (2, 36, 2)),
            ((0, 0, 18), "", (2, 4, 18)),
            ((1, -1, 6), "", (1, 24, 6)),
            ((2, 2), "axis: 1 num_axes: 1", (2, 2, 2, 3, 6)),
            ((), "axis: 2 num_axes: 0", (2, 4, 3, 6)),
            ((9, 2), "axis: -2", None),
            ((-1,), "axis: 1", (2, 72)),
            ((-1, 4), "axis: 2 num_axes: 2", None),
        ):
            if shape is not None:
                self.judge(reshape(dims, more), x, x.reshape(shape))
        for more, shape in (("", (2, 72)), ("axis: 2", (2, 4, 18)), ("axis: 0 end_axis: 1", (8, 3, 6)), ("axis: 1 end_axis: -2", (2, 12, 6))):
            self.judge(layer("f", "Flatten", "x", "y", f"flatten_param {{ {more} }}"), x, x.reshape(shape))

    def test_permute_and_crop(self):
        x = random(2, 3, 4, 5)
        self.opencv(layer("p", "Permute", "x", "y", "permute_param { order: 0 order: 2 order: 3 order: 1 }"), x)
        self.judge(layer("p", "Permute", "x", "y", "permute_param { order: 2 }"), x, x.transpose(2, 0, 1, 3))
        like = random(2, 3, 2, 3)
        feeds = {"x": x, "like": like}
        self.opencv(layer("c", "Crop", "x like", "y", "crop_param { axis: 2 offset: 1 offset: 2 }"), feeds)
        self.judge(layer("c", "Crop", "x like", "y", "crop_param { offset: 1 }"), feeds, x[:, :, 1:3, 1:4])
        self.judge(layer("c", "Crop", "x like", "y"), feeds, x[:, :, :2, :3])

    def test_rearranging(self):
        x = random(2, 8, 4, 6)
        self.judge(layer("t", "Tile", "x", "y", "tile_param { tiles: 3 }"), x, np.tile(x, (1, 3, 1, 1)))
        self.judge(layer("r", "Reverse", "x", "y", "reverse_param { axis: 1 axis: 3 }"), x, x[:, ::-1, :, ::-1])
        want = x.reshape(2, 4, 2, 4, 6).transpose(0, 2, 1, 3, 4).reshape(x.shape)
        self.judge(layer("s", "ShuffleChannel", "x", "y", "shuffle_channel_param { group: 4 }"), x, want)

    def test_reorg(self):
        x = random(2, 8, 4, 6)
        want = reorg(x, 2)
        self.judge(layer("r", "Reorg", "x", "y"), x, want)
        text = layer("r", "Reorg", "x", "m") + layer("b", "Reorg", "m", "y", "reorg_param { reverse: true }")
        folder, net = self.net(layer("r", "Reorg", "x", "y", "reorg_param { reverse: true stride: 2 }"), {"x": want.shape})
        back = DRIVER.run(net, {"x": want.astype("f4")}, folder)["y"]
        self.assertEqual(back.shape, x.shape)
        self.assertEqual(text.count("Reorg"), 2)

    def test_sizes(self):
        x = random(2, 3, 4, 5)
        def up(parameters):
            return layer("u", "Upsample", "x", "y", f"upsample_param {{ {parameters} }}")
        self.judge(up(""), x, x.repeat(2, 2).repeat(2, 3))
        self.judge(up("scale: 0.5 stride_h: 3 stride_w: 1"), x, 0.5 * x.repeat(3, 2))
        for parameters, height, width in (
            ("height: 9 width: 7", 9, 7), ("zoom_factor: 3", 10, 13), ("shrink_factor: 2", 2, 3),
            ("shrink_factor: 2 zoom_factor: 2", 3, 5),
        ):  # fmt: skip
            self.judge(layer("i", "Interp", "x", "y", f"interp_param {{ {parameters} }}"), x, interp(x, height, width))
        text = layer("i", "Interp", "x", "y", "interp_param { height: 6 width: 8 pad_beg: -1 pad_end: -1 }")
        self.judge(text, x, interp(x[:, :, 1:-1, 1:-1], 6, 8))
        text = layer("i", "Interp", "x like", "y")
        self.judge(text, {"x": x, "like": random(2, 1, 7, 6)}, interp(x, 7, 6))

    def test_regions(self):
        regions = np.array([[0, 0, 0, 60, 60], [1, 16, 8, 50, 40], [0, 20, 20, 33, 70]], np.float32)
        text = layer("r", "ROIPooling", "x regions", "y", "roi_pooling_param { pooled_h: 3 pooled_w: 2 spatial_scale: 0.125 }")
        x = random(2, 3, 10, 9)
        folder, net = self.net(text, {"x": x.shape, "regions": regions.shape})
        got = DRIVER.run(net, {"x": x, "regions": regions}, folder)["y"]
        # The largest value of a region is the largest of its bins.
        for row, (image, left, top, right, bottom) in zip(got, regions):
            a, b, c, d = (int(np.floor(each * 0.125 + 0.5)) for each in (top, bottom, left, right))
            region = x[int(image), :, a : b + 1, c : d + 1]
            self.assertTrue(np.allclose(row.max((1, 2)), region.max((1, 2))))

    # ---- Reductions ----

    def test_reduction(self):
        x = random(2, 3, 4, 5)
        for operation, reduce in (("SUM", np.sum), ("MEAN", np.mean), ("ASUM", lambda x, axis: np.abs(x).sum(axis)),
                                  ("SUMSQ", lambda x, axis: np.square(x).sum(axis))):  # fmt: skip
            text = layer("r", "Reduction", "x", "y", f"reduction_param {{ operation: {operation} axis: 1 }}")
            self.judge(text, x, reduce(x, axis=(1, 2, 3)))
            text = layer("r", "Reduction", "x", "y", f"reduction_param {{ operation: {operation} axis: -2 coeff: 0.5 }}")
            self.judge(text, x, 0.5 * reduce(x, axis=(2, 3)))
        self.judge(layer("r", "Reduction", "x", "y"), x, x.sum())

    def test_argmax(self):
        # Many equal values: the last counts.
        x = np.random.default_rng(0).integers(0, 4, (3, 6, 2, 2)).astype(np.float32)
        flat = x.reshape(3, -1)
        def text(parameters):
            return layer("a", "ArgMax", "x", "y", f"argmax_param {{ {parameters} }}")
        found = argmax(flat, 3)
        self.judge(text("top_k: 3"), x, found.reshape(3, 1, 3, 1))
        values = np.take_along_axis(flat, found, 1)
        self.judge(text("top_k: 3 out_max_val: true"), x, np.stack([found, values], 1)[..., None])
        last = x.shape[1] - 1 - np.argmax(x[:, ::-1], 1, keepdims=True)
        self.judge(text("axis: 1"), x, last)
        self.judge(text("axis: 1 out_max_val: true"), x, x.max(1, keepdims=True))
        self.judge(text(""), flat, argmax(flat, 1).reshape(3, 1, 1))

    # ---- Detection ----

    def test_prior_box(self):
        feeds = {"x": random(1, 2, 3, 4), "image": random(1, 3, 60, 80)}
        parameters = "min_size: 16 max_size: 25 aspect_ratio: 2 aspect_ratio: 3 flip: true step: 20 variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2"
        self.opencv(layer("p", "PriorBox", "x image", "y", f"prior_box_param {{ {parameters} clip: true }}"), feeds)
        want = prior_box((3, 4), (60, 80), [16, 25], [], [], 20, [0.3] * 4)
        text = layer("p", "PriorBox", "x image", "y", "prior_box_param { min_size: 16.9 min_size: 25.2 step: 20 variance: 0.3 }")
        self.judge(text, feeds, want)

    def test_detection_output(self):
        priors, classes = 12, 4
        text = layer("p", "PriorBox", "f image", "priors", "prior_box_param { min_size: 16 aspect_ratio: 2 flip: false clip: false step: 20 variance: 0.1 }")
        feeds = {"f": random(2, 1, 2, 3), "image": random(2, 3, 40, 60), "loc": random(2, 4 * priors, seed=1),
                 "conf": np.abs(random(2, classes * priors, seed=2))}  # fmt: skip
        for parameters in (
            "background_label_id: 0 code_type: CENTER_SIZE keep_top_k: 20 confidence_threshold: 0.5 nms_param { nms_threshold: 0.3 top_k: 8 }",
            "background_label_id: 0 code_type: CORNER keep_top_k: 5 confidence_threshold: 0.2 nms_param { nms_threshold: 0.5 top_k: 400 }",
            "code_type: CENTER_SIZE keep_top_k: 200 background_label_id: 2 confidence_threshold: 0.2 nms_param { nms_threshold: 0.4 top_k: 400 }",
        ):
            out = layer("d", "DetectionOutput", "loc conf priors", "y", f"detection_output_param {{ num_classes: {classes} share_location: true {parameters} }}")
            got = self.opencv(text + out, feeds)["y"]
            self.assertGreater(got.shape[2], 8)

    def test_variances(self):
        """Variances of 1, and variances that are in the codes already, are the same."""
        shapes = {"f": (1, 1, 2, 3), "image": (1, 3, 40, 60), "loc": (1, 24), "conf": (1, 12)}
        feeds = {name: np.abs(random(*shape)) for name, shape in shapes.items()}
        found = []
        for variance, encoded in ((1, "false"), (0.1, "true"), (0.1, "false")):
            text = layer("p", "PriorBox", "f image", "priors", f"prior_box_param {{ min_size: 16 variance: {variance} }}")
            text += layer("d", "DetectionOutput", "loc conf priors", "y",
                          f"detection_output_param {{ num_classes: 2 code_type: CENTER_SIZE variance_encoded_in_target: {encoded} }}")  # fmt: skip
            folder, net = self.net(text, shapes)
            found.append(DRIVER.run(net, feeds, folder)["y"])
        np.testing.assert_array_equal(found[0], found[1])
        self.assertFalse(found[0].shape == found[2].shape and np.allclose(found[0], found[2]))

    def test_no_detection(self):
        text = layer("p", "PriorBox", "f image", "priors", "prior_box_param { min_size: 16 }")
        text += layer("d", "DetectionOutput", "loc conf priors", "y", "detection_output_param { num_classes: 2 confidence_threshold: 9 }")
        feeds = {"f": random(1, 1, 2, 3), "image": random(1, 3, 40, 60), "loc": random(1, 24), "conf": random(1, 12)}
        folder, net = self.net(text, {name: each.shape for name, each in feeds.items()})
        self.assertEqual(DRIVER.run(net, feeds, folder)["y"].shape, (1, 1, 0, 7))

    # ---- Recurrent ----

    def test_lstm(self):
        steps, n, size, length = 5, 2, 3, 4
        x, cont = random(steps, n, length), np.array([[0, 0], [1, 1], [1, 0], [1, 1], [0, 1]], np.float32)
        w_x, b, w_h = random(4 * size, length, seed=1), random(4 * size, seed=2), random(4 * size, size, seed=3)
        text = layer("l", "LSTM", "x cont", "y", f"recurrent_param {{ num_output: {size} }}")
        self.judge(text, {"x": x, "cont": cont}, lstm(x, cont, w_x, b, w_h)[0], {"l": [w_x, b, w_h]})
        fixed, w_s = random(n, 2, seed=4), random(4 * size, 2, seed=5)
        h, c = random(1, n, size, seed=6), random(1, n, size, seed=7)
        text = layer("l", "LSTM", "x cont fixed h c", "y h1 c1", f"recurrent_param {{ num_output: {size} expose_hidden: true }}")
        feeds = {"x": x, "cont": np.ones_like(cont), "fixed": fixed, "h": h, "c": c}
        y, h, c = lstm(x, feeds["cont"], w_x, b, w_h, w_s, fixed, h[0], c[0])
        self.judge(text, feeds, {"y": y, "h1": h[None], "c1": c[None]}, {"l": [w_x, b, w_s, w_h]})

    def test_rnn(self):
        steps, n, size, length = 4, 2, 3, 4
        x, cont = random(steps, n, length), np.array([[0, 0], [1, 1], [1, 0], [1, 1]], np.float32)
        weights = [random(size, length, seed=1), random(size, seed=2), random(size, size, seed=3), random(size, size, seed=4), random(size, seed=5)]
        text = layer("r", "RNN", "x cont", "y", f"recurrent_param {{ num_output: {size} }}")
        self.judge(text, {"x": x, "cont": cont}, rnn(x, cont, *weights), {"r": weights})

    # ---- Values out of nothing ----

    def test_constants(self):
        x = random(2, 3)
        text = layer("d", "DummyData", "", "d", "dummy_data_param { shape { dim: 2 dim: 3 } data_filler { value: 1.5 } }")
        self.judge(text + layer("e", "Eltwise", "x d", "y"), x, x + 1.5)
        w = random(3, seed=1)
        text = layer("p", "Parameter", "", "w", "parameter_param { shape { dim: 3 } }") + layer("b", "Bias", "x w", "y")
        self.judge(text, x, x + w, {"p": [w]})


if __name__ == "__main__":
    if opencv_python() is None:
        print("!!! SKIPPED: no Python here has cv2 (install python3-opencv, or set LATHE_OPENCV_PYTHON): layers are NOT compared with OpenCV")
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
