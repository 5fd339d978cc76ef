"""Layers, what stands before them and what follows."""
import numpy as np
from random_nets.grower import Grower
from random_nets.values import F32, ONE, Dim, Unsuitable, broadcast, fixed, numbers, product


class Layers(Grower):
    def image(self):
        return self.single(lambda value: value.rank == 4 and fixed(value.shape[1:])
                           and 1 <= value.shape[1].factor <= 12 and min(numbers(value.shape[2:])) >= 1)  # fmt: skip

    def follow(self, value, channel_axis=1):
        """What a layer may be merged with: arithmetic with constants, for each channel or not quite."""
        for _ in range(self.rng.choice([0, 0, 1, 2])):
            channels = value.shape[channel_axis].factor
            kind = self.rng.choice(["Mul", "Add", "Sub", "Div", "BatchNormalization", "Relu", "Identity"])
            if kind == "BatchNormalization":
                value = self.norm(value)
            elif kind in ("Relu", "Identity"):
                value = self.add(value.like(self.graph.op(kind, [value.name])))
            else:
                way = self.rng.choice(["channel", "channel", "leading", "scalar", "last", "higher"])
                shape = [channels] + [1] * (value.rank - channel_axis - 1)
                if way == "leading":
                    shape = [1] * channel_axis + shape
                elif way == "scalar":
                    shape = [1] * self.rng.choice([0, 1])
                elif way == "last":
                    if value.shape[-1].power:
                        raise Unsuitable
                    shape = [value.shape[-1].factor]
                elif way == "higher":
                    if value.rank > 4:
                        raise Unsuitable
                    shape = [1] * (value.rank - len(shape) + 1) + shape
                array = self.array(F32, shape)
                array = np.where(array < 0, array - 0.5, array + 0.5).astype(np.float32)
                inputs = [value.name, self.const(array)]
                if self.chance(0.3):
                    inputs.reverse()
                    # A divisor near zero makes any rounding large.
                    kind = "Sub" if kind == "Div" else kind
                target = broadcast(value.shape, tuple(map(Dim, shape)))
                if target is None:
                    raise Unsuitable
                value = self.add(value.like(self.graph.op(kind, inputs), target, exact=False))
                if value.rank < 2 or value.rank > 4:
                    return
                channel_axis = min(channel_axis, value.rank - 1)
                if value.shape[channel_axis].power:
                    return

    def norm(self, value):
        if value.rank < 2 or value.shape[1].power:
            raise Unsuitable
        channels = value.shape[1].factor
        parameters = [self.array(F32, [channels]) for _ in range(3)] + [np.abs(self.array(F32, [channels])) + 0.5]
        inputs = [value.name] + [self.const(each.astype(np.float32)) for each in parameters]
        return self.add(value.like(self.graph.op("BatchNormalization", inputs, epsilon=1e-3), exact=False))

    def step_norm(self):
        self.norm(self.single(lambda value: value.rank >= 2 and value.shape[1].power == 0))

    def before_layer(self, x):
        """A Pad or affine arithmetic in front of a layer."""
        way = self.rng.random()
        if way < 0.25:
            pads = [0, 0, self.rng.randint(0, 1), 1, 0, 0, self.rng.randint(0, 1), 0]
            y = self.graph.pad(x.name, pads, self.rng.choice([0.0, 0.0, 0.0, 1.0]))
            target = x.shape[:2] + tuple(Dim(x.shape[2 + i].factor + pads[2 + i] + pads[6 + i]) for i in (0, 1))
            return self.add(x.like(y, target))
        if way < 0.4:
            shape = self.rng.choice([[x.shape[1].factor, 1, 1], [1], []])
            y = self.graph.op(self.rng.choice(["Mul", "Add"]), [x.name, self.const(self.array(F32, shape))])
            return self.add(x.like(y, exact=False))
        return x

    def window(self, x, kernel):
        """Padding and strides of a window, and the size of what it gives."""
        if self.chance(0.2):
            strides = [self.rng.choice([1, 2])] * 2
            attributes = {"auto_pad": self.rng.choice(["SAME_UPPER", "SAME_LOWER"]), "strides": strides}
            return attributes, [Dim(-(-x.shape[2 + i].factor // strides[i])) for i in (0, 1)]
        pads = [self.rng.choice([0, 0, 1]) if size > 1 else 0 for size in kernel * 2]
        strides = [self.rng.choice([1, 1, 2]) for _ in kernel]
        sizes = []
        for i, size in enumerate(kernel):
            room = x.shape[2 + i].factor + pads[i] + pads[2 + i] - size
            if room < 0:
                raise Unsuitable
            sizes.append(Dim(room // strides[i] + 1))
        return {"pads": pads, "strides": strides}, sizes

    def step_conv(self):
        x = self.before_layer(self.image())
        channels = x.shape[1].factor
        group = self.rng.choice([1, 1, channels])
        outputs = channels if group > 1 else self.rng.choice([1, 2, 4])
        kernel = self.rng.choice([[1, 1], [3, 3], [1, 2], [2, 1]])
        attributes, sizes = self.window(x, kernel)
        weight = self.array(F32, [outputs, channels // group, *kernel], 1 / np.sqrt(channels // group * np.prod(kernel)))
        inputs = [x.name, self.const(weight)]
        if self.chance(0.5):
            inputs.append(self.const(self.array(F32, [outputs])))
        y = self.graph.op("Conv", inputs, group=group, kernel_shape=kernel if self.chance(0.8) else None, **attributes)
        value = self.add(x.like(y, [x.shape[0], Dim(outputs), *sizes], exact=False))
        if self.chance(0.2):
            # The same weight once more, so that it must not be changed in place.
            z = self.graph.op("Conv", inputs, group=group, kernel_shape=kernel, **attributes)
            self.add(value.like(z))
        self.follow(value)

    def step_conv_transpose(self):
        x = self.image()
        channels = x.shape[1].factor
        group = 2 if channels % 2 == 0 and self.chance(0.4) else 1
        outputs = self.rng.choice([1, 2, 3])
        stride = self.rng.choice([1, 2])
        weight = self.array(F32, [channels, outputs, 2, 2], 0.4)
        inputs = [x.name, self.const(weight)]
        if self.chance(0.5):
            inputs.append(self.const(self.array(F32, [outputs * group])))
        y = self.graph.op("ConvTranspose", inputs, group=group, strides=[stride] * 2)
        sizes = [Dim((dim.factor - 1) * stride + 2) for dim in x.shape[2:]]
        self.follow(self.add(x.like(y, [x.shape[0], Dim(outputs * group), *sizes], exact=False)))

    def step_pool(self):
        x = self.before_layer(self.image())
        kind = self.rng.choice(["MaxPool", "AveragePool"])
        kernel = self.rng.choice([[1, 1], [1, 1], [2, 2], [3, 2]])
        attributes, sizes = self.window(x, kernel)
        if kind == "AveragePool":
            attributes["count_include_pad"] = self.rng.choice([0, 1])
        y = self.graph.op(kind, [x.name], kernel_shape=kernel, **attributes)
        self.add(x.like(y, [*x.shape[:2], *sizes], exact=x.exact and kind == "MaxPool"))

    def step_global_pool(self):
        x = self.image()
        y = self.graph.op("GlobalAveragePool", [x.name])
        self.add(x.like(y, [*x.shape[:2], ONE, ONE], exact=False))

    def step_mat_mul(self):
        x = self.single(lambda value: value.rank >= 2 and value.shape[-1].power == 0 and value.shape[-1].factor)
        inner, outputs = x.shape[-1].factor, self.rng.choice([1, 2, 4])
        weight = self.array(F32, [inner, outputs], 1 / np.sqrt(inner))
        y = self.graph.op("MatMul", [x.name, self.const(weight)])
        value = self.add(x.like(y, [*x.shape[:-1], Dim(outputs)], exact=False))
        if self.chance(0.5):
            shape = self.rng.choice([[outputs], [1, outputs], [1], [], [1, 1, outputs]])
            inputs = [value.name, self.const(self.array(F32, shape))]
            if self.chance(0.4):
                inputs.reverse()
            y = self.graph.op("Add", inputs)
            value = self.add(value.like(y, broadcast(value.shape, tuple(map(Dim, shape)))))
        if value.shape[-1].power == 0:
            self.follow(value, value.rank - 1)

    def step_mat_mul_of_two(self):
        x = self.single(lambda value: value.rank >= 2)
        y = self.single(lambda value: value.rank >= 2 and value.shape[-2] == x.shape[-1]
                        and broadcast(value.shape[:-2], x.shape[:-2]) is not None)  # fmt: skip
        name = self.graph.op("MatMul", [x.name, y.name])
        # Products grow with the inner dimension.
        name = self.graph.op("Tanh", [name])
        self.add(x.like(name, [*broadcast(x.shape[:-2], y.shape[:-2]), x.shape[-2], y.shape[-1]], exact=False))

    def step_gemm(self):
        x = self.single(lambda value: value.rank == 2 and fixed(value.shape) and product(value.shape).factor)
        transposed = self.chance(0.3)
        rows, inner = numbers(x.shape)[:: -1 if transposed else 1]
        outputs, trans_b = self.rng.choice([1, 2, 4]), self.rng.choice([0, 1])
        weight = self.array(F32, [outputs, inner] if trans_b else [inner, outputs], 1 / np.sqrt(inner))
        inputs = [x.name, self.const(weight)]
        if self.graph.opset < 11 or self.chance(0.7):
            shape = self.rng.choice([[outputs], [1, outputs], [rows, 1], [rows, outputs], [1], []])
            inputs.append(self.const(self.array(F32, shape)))
        y = self.graph.op("Gemm", inputs, transA=int(transposed), transB=trans_b, alpha=self.rng.choice([1.0, 0.5]),
                          beta=self.rng.choice([1.0, 2.0]))  # fmt: skip
        self.follow(self.add(x.like(y, [Dim(rows), Dim(outputs)], exact=False)))

    # Quantisation, which nothing may be folded across.

    def step_quantize(self):
        x = self.single(lambda value: value.exact)
        if self.graph.opset < 10:
            raise Unsuitable
        scale, zero = self.const(np.float32(0.05)), self.const(np.array(self.rng.choice([0, 128]), np.uint8))
        q = self.graph.op("QuantizeLinear", [x.name, scale, zero])
        self.add(x.like(self.graph.op("DequantizeLinear", [q, scale, zero]), exact=False))
