"""Layers written once more with NumPy, from the definitions in the reference's 7.3, in double precision."""
import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def pool(x, kernel, stride, pad, maximum, round_up=True):
    """[N, C, H, W]; kernel, stride and pad are pairs."""
    sizes = []
    for axis in (0, 1):
        room = x.shape[2 + axis] + 2 * pad[axis] - kernel[axis]
        size = (-(-room // stride[axis]) if round_up else room // stride[axis]) + 1
        if any(pad) and (size - 1) * stride[axis] >= x.shape[2 + axis] + pad[axis]:
            size -= 1
        sizes.append(size)
    y = np.zeros((*x.shape[:2], *sizes))
    for i, j in np.ndindex(*sizes):
        top, left = i * stride[0] - pad[0], j * stride[1] - pad[1]
        # What the divisor counts ends with the padding; what is read ends with the image.
        bottom, right = min(top + kernel[0], x.shape[2] + pad[0]), min(left + kernel[1], x.shape[3] + pad[1])
        area = (bottom - top) * (right - left)
        window = x[:, :, max(top, 0) : min(bottom, x.shape[2]), max(left, 0) : min(right, x.shape[3])]
        y[:, :, i, j] = window.max((2, 3)) if maximum else window.sum((2, 3)) / area
    return y


def spp(x, height, maximum):
    parts = []
    for level in range(height):
        bins = 2**level
        kernel = [-(-size // bins) for size in x.shape[2:]]
        pad = [(kernel[i] * bins - x.shape[2 + i] + 1) // 2 for i in (0, 1)]
        parts.append(pool(x, kernel, kernel, pad, maximum).reshape(len(x), -1))
    return np.concatenate(parts, 1)


def lstm(x, cont, w_x, bias, w_h, w_static=None, x_static=None, h=None, c=None):
    """Steps [T, N, D], and the last h and c."""
    size = w_h.shape[1]
    h = np.zeros((x.shape[1], size)) if h is None else h
    c = np.zeros((x.shape[1], size)) if c is None else c
    steps = []
    for t in range(len(x)):
        go = cont[t][:, None]
        gates = x[t].reshape(x.shape[1], -1) @ w_x.T + bias + (go * h) @ w_h.T
        if w_static is not None:
            gates = gates + x_static @ w_static.T
        i, f, o, g = np.split(gates, 4, 1)
        c = go * (sigmoid(f) * c) + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        steps.append(h)
    return np.stack(steps), h, c


def rnn(x, cont, w_x, bias, w_h, w_out, bias_out):
    h, steps = np.zeros((x.shape[1], w_h.shape[1])), []
    for t in range(len(x)):
        h = np.tanh(x[t] @ w_x.T + bias + (cont[t][:, None] * h) @ w_h.T)
        steps.append(np.tanh(h @ w_out.T + bias_out))
    return np.stack(steps)


def reorg(x, stride):
    """Darknet's loop over the values of the bottom, as if they lay in [C / s², H · s, W · s]."""
    n, c, h, w = x.shape
    inner, y = c // stride**2, np.zeros(x.size)
    flat = x.ravel()
    for b, k, j, i in np.ndindex(n, c, h, w):
        offset, channel = divmod(k, inner)
        column, row = i * stride + offset % stride, j * stride + offset // stride
        source = column + w * stride * (row + h * stride * (channel + inner * b))
        y[i + w * (j + h * (k + c * b))] = flat[source]
    return y.reshape(n, c * stride**2, h // stride, w // stride)


def interp(x, height, width):
    """Bilinear, corners on corners."""

    def weights(size, target):
        matrix = np.zeros((target, size))
        for i in range(target):
            at = i * (size - 1) / max(target - 1, 1)
            low = min(int(at), size - 1)
            high = min(low + 1, size - 1)
            matrix[i, low] += 1 - (at - low)
            matrix[i, high] += at - low
        return matrix

    return np.einsum("ih,jw,nchw->ncij", weights(x.shape[2], height), weights(x.shape[3], width), x)


def argmax(x, top_k):
    """Positions of the largest along axis 1, of equal ones the last first."""
    return np.stack([np.lexsort((np.arange(len(row)), row))[::-1][:top_k] for row in x])


def prior_box(grid, image, min_sizes, max_sizes, ratios, step, variances):
    """Sizes are whole numbers, as the SSD fork keeps them."""
    boxes = []
    for row in range(grid[0]):
        for column in range(grid[1]):
            x, y = (column + 0.5) * step, (row + 0.5) * step
            for i, least in enumerate(map(int, min_sizes)):
                sizes = [(least, least)]
                if max_sizes:
                    sizes.append((np.sqrt(least * int(max_sizes[i])),) * 2)
                sizes += [(least * np.sqrt(r), least / np.sqrt(r)) for ratio in ratios for r in (ratio, 1 / ratio)]
                for w, h in sizes:
                    boxes += [(x - w / 2) / image[1], (y - h / 2) / image[0],
                              (x + w / 2) / image[1], (y + h / 2) / image[0]]  # fmt: skip
    return np.array([boxes, variances * (len(boxes) // 4)])[None]
