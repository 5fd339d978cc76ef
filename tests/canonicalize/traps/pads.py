"""Pad before layers, pools and other pads."""
import numpy as np
from traps.trap import F32, apart, ending, ints, rng_const, trap

PADS = [([0, 0, 1, 1, 0, 0, 1, 1], 0.0, "constant"), ([0, 0, 1, 0, 0, 0, 0, 2], 0.0, "constant"),
        ([0, 0, 1, 1, 0, 0, 1, 1], 1.0, "constant"), ([0, 1, 0, 0, 0, 0, 0, 0], 0.0, "constant"),
        ([1, 0, 1, 1, 0, 0, 1, 1], 0.0, "constant"), ([0, 0, -1, 0, 0, 0, 0, 0], 0.0, "constant"),
        ([0, 0, -1, 1, 0, 0, 1, -1], 0.0, "constant"), ([0, 0, 1, 1, 0, 0, 1, 1], 0.0, "edge"),
        ([0, 0, 1, 1, 0, 0, 1, 1], 0.0, "reflect"), ([0] * 8, 0.0, "constant"), ([0] * 8, 3.0, "reflect"),
        ([0, 0, 1, 1, 0, 0, 1, 1], -np.inf, "constant"), ([0, 0, 1, 1, 0, 0, 1, 1], -0.0, "constant")]  # fmt: skip
WINDOWS = [{}, {"pads": [1, 1, 1, 1]}, {"pads": [0, 1, 1, 0]}, {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"},
           {"auto_pad": "VALID"}, {"strides": [2, 2]}, {"dilations": [2, 1]}]  # fmt: skip


@trap("pads", *[(i, j) for i in range(len(PADS)) for j in range(len(WINDOWS))])
def pad_before(g, pad, window):
    # All numbers are negative: a zero that a pool sees would be its maximum.
    pads, number, mode = PADS[pad]
    x = g.input("x", [1, 2, 6, 6])
    negative = g.op("Sub", [g.clip(x, -1, 1), g.const(F32(2))])

    def padded():
        return g.pad(apart(g, negative), pads, number, mode)

    channels = 2 + pads[1] + pads[5]
    if np.isfinite(number):
        z = g.op("Conv", [padded(), rng_const(g, 4, channels, 3, 3)], **WINDOWS[window])
        ending(g, z, [None] * 4)
    for kind in ("MaxPool", "AveragePool"):
        for include in (0, 1):
            count = {"count_include_pad": include} if kind == "AveragePool" else {}
            if kind == "MaxPool" and include or "dilations" in WINDOWS[window] and kind == "AveragePool":
                continue
            if kind == "AveragePool" and not np.isfinite(number):
                continue
            ending(g, g.op(kind, [padded()], kernel_shape=[3, 3], **count, **WINDOWS[window]), [None] * 4)


@trap("pads")
def pad_of_pad(g):
    x = g.input("x", ["N", 4])
    for first, second, a, b in (([0, 1, 0, 1], [0, 2, 0, 0], 0.0, 0.0), ([0, 1, 0, 1], [0, 2, 0, 0], 0.0, 1.0),
                                ([0, 1, 0, 1], [0, -2, 0, 0], 1.0, 1.0), ([0, -1, 0, 0], [0, 1, 0, 0], 0.0, 0.0),
                                ([0, -2, 0, 0], [0, 1, 0, 1], 5.0, 5.0), ([0, 1, 0, 0], [0, -1, 0, 0], 7.0, 7.0)):  # fmt: skip
        ending(g, g.pad(g.pad(x, first, a), second, b), ["N", 4 + sum(first) + sum(second)])
    for mode in ("edge", "reflect"):
        ending(g, g.pad(g.pad(x, [0, 1, 0, 1], mode=mode), [0, 1, 0, 1], mode=mode), ["N", 8])
        ending(g, g.pad(g.pad(x, [0, 1, 0, 1]), [0, 1, 0, 1], mode=mode), ["N", 8])


@trap("pads")
def pad_with_axes(g):
    g.opset = 18
    x = g.input("x", ["N", 2, 4, 4])
    y = g.op("Pad", [x, ints(g, 1, 1), None, ints(g, -1)])
    ending(g, g.op("Conv", [y, rng_const(g, 3, 2, 3, 3)]), ["N", 3, 2, 4])
    y = g.op("Pad", [x, ints(g, 1, 0, 0, 1), None, ints(g, 3, 2)])
    ending(g, g.op("Conv", [y, rng_const(g, 3, 2, 3, 3)]), ["N", 3, 3, 3])
    ending(g, g.op("Pad", [g.op("Pad", [x, ints(g, 1, 1), None, ints(g, 1)]), ints(g, 0, 2), None, ints(g, 3)]), [None] * 4)
