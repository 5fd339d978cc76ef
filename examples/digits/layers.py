"""The layers of the digits net in NumPy, each with its forward and backward step.

A tensor is float32 [batch, channels, height, width]. `forward` keeps what `backward` needs; `backward` takes the
gradient of the loss by the layer's output, stores the gradients of its parameters in `gradients` and returns the
gradient by its input.
"""
import numpy as np


def _windows(padded, kernel):
    """All kernel x kernel windows: [batch, channels, height, width, kernel, kernel], a view."""
    return np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(2, 3))


def _pad(x, kernel):
    margin = kernel // 2
    return np.pad(x, ((0, 0), (0, 0), (margin, margin), (margin, margin)))


class Conv:
    """Convolution with stride 1 and the zero padding that keeps the size; no bias (a BatchNorm follows)."""

    def __init__(self, rng, inputs, outputs, kernel, depthwise=False):
        self.kernel, self.depthwise = kernel, depthwise
        fan_in = (1 if depthwise else inputs) * kernel * kernel
        shape = (outputs, 1 if depthwise else inputs, kernel, kernel)
        self.parameters = {"weight": (rng.standard_normal(shape) * np.sqrt(2.0 / fan_in)).astype(np.float32)}

    def _apply(self, padded, weight):
        windows = _windows(padded, self.kernel)
        if self.depthwise:
            return np.einsum("nchwij,cij->nchw", windows, weight[:, 0], optimize=True)
        return np.einsum("nchwij,ocij->nohw", windows, weight, optimize=True)

    def forward(self, x, training):
        self.padded = _pad(x, self.kernel)
        return self._apply(self.padded, self.parameters["weight"])

    def backward(self, grad):
        windows = _windows(self.padded, self.kernel)
        weight = self.parameters["weight"]
        if self.depthwise:
            self.gradients = {"weight": np.einsum("nchw,nchwij->cij", grad, windows, optimize=True)[:, np.newaxis]}
            turned = weight[:, :, ::-1, ::-1]
        else:
            self.gradients = {"weight": np.einsum("nohw,nchwij->ocij", grad, windows, optimize=True)}
            turned = weight.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
        return self._apply(_pad(grad, self.kernel), turned)


class BatchNorm:
    EPSILON = np.float32(1e-5)
    MOMENTUM = np.float32(0.9)

    def __init__(self, channels):
        self.parameters = {
            "scale": np.ones(channels, np.float32),
            "bias": np.zeros(channels, np.float32),
        }
        self.mean = np.zeros(channels, np.float32)
        self.variance = np.ones(channels, np.float32)

    def forward(self, x, training):
        mean, variance = self.mean, self.variance
        if training:
            mean, variance = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
            self.mean = self.MOMENTUM * self.mean + (1 - self.MOMENTUM) * mean
            self.variance = self.MOMENTUM * self.variance + (1 - self.MOMENTUM) * variance
        self.inverse = (1 / np.sqrt(variance + self.EPSILON))[:, None, None]
        self.normed = (x - mean[:, None, None]) * self.inverse
        return self.normed * self.parameters["scale"][:, None, None] + self.parameters["bias"][:, None, None]

    def backward(self, grad):
        self.gradients = {
            "scale": (grad * self.normed).sum(axis=(0, 2, 3)),
            "bias": grad.sum(axis=(0, 2, 3)),
        }
        grad = grad * self.parameters["scale"][:, None, None]
        centred = grad - grad.mean(axis=(0, 2, 3))[:, None, None]
        along = (grad * self.normed).mean(axis=(0, 2, 3))[:, None, None]
        return (centred - self.normed * along) * self.inverse


class Relu:
    parameters = {}
    gradients = {}

    def forward(self, x, training):
        self.positive = x > 0
        return x * self.positive

    def backward(self, grad):
        return grad * self.positive


class MaxPool2:
    """The largest of each 2x2 block."""

    parameters = {}
    gradients = {}

    def forward(self, x, training):
        n, c, h, w = x.shape
        blocks = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)
        self.shape, self.winner = x.shape, blocks.argmax(axis=-1)
        return blocks.max(axis=-1)

    def backward(self, grad):
        n, c, h, w = self.shape
        blocks = np.zeros((*grad.shape, 4), np.float32)
        np.put_along_axis(blocks, self.winner[..., None], grad[..., None], axis=-1)
        return blocks.reshape(n, c, h // 2, w // 2, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h, w)


class AveragePool2:
    """The mean of each 2x2 block."""

    parameters = {}
    gradients = {}

    def forward(self, x, training):
        n, c, h, w = x.shape
        return x.reshape(n, c, h // 2, 2, w // 2, 2).mean(axis=(3, 5))

    def backward(self, grad):
        return grad.repeat(2, axis=2).repeat(2, axis=3) / np.float32(4)


class Gemm:
    """Flattens its input, then a dense layer; weight [outputs, inputs]."""

    def __init__(self, rng, inputs, outputs):
        weight = (rng.standard_normal((outputs, inputs)) * np.sqrt(1.0 / inputs)).astype(np.float32)
        self.parameters = {"weight": weight, "bias": np.zeros(outputs, np.float32)}

    def forward(self, x, training):
        self.shape, self.flat = x.shape, x.reshape(len(x), -1)
        return self.flat @ self.parameters["weight"].T + self.parameters["bias"]

    def backward(self, grad):
        self.gradients = {"weight": grad.T @ self.flat, "bias": grad.sum(axis=0)}
        return (grad @ self.parameters["weight"]).reshape(self.shape)
