"""Makes an elementwise graph of N nodes that has much to clean up.

    python make_graph.py 100000 OUT.onnx [--seed 1]

A bit more than half of the nodes are live arithmetic, all of which leads to the output. The others are what a
clean-up should find:

    identities   Identity, Dropout, casts and reshapes to the same, times 1, minus 0, Relu of Relu, ...
    duplicates   a node once more under another name, whose result is read beside the first one's
    dead         chains that nothing reads
    constants    arithmetic on initializers and on equal initializers, whose result the live part reads

Values stay small, so that outputs can be compared. The same arguments give the same bytes.
"""
import argparse
import random

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SHAPE = [2, 8]
UNARY = ["Tanh", "Sigmoid", "Sin", "Cos", "Atan", "Erf"]
BINARY = ["Add", "Sub", "Mul", "Max", "Min"]
WEIGHTS = 32
# Live values that wait for a reader; more are joined before anything else happens.
MOST_UNREAD = 8
# How far back a second operand is looked for.
WINDOW = 64


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.nodes = []
        self.initializers = []
        self.live = ["x0", "x1"]
        self.unread = ["x0", "x1"]
        self.weights = [self.initializer(f"w{i}", np.float32([self.random.uniform(-1, 1) for _ in range(SHAPE[1])]))
                        for i in range(WEIGHTS)]
        # Equal to the first half of the others.
        self.weights += [self.initializer(f"same_w{i}", numpy_helper.to_array(self.initializers[i]))
                         for i in range(WEIGHTS // 2)]
        one = self.initializer("one", np.float32(1))
        zero = self.initializer("zero", np.float32(0))
        same = self.initializer("same_shape", np.int64([0, -1]))
        ones = self.initializer("ones", np.int64([1, 1]))
        begin = self.initializer("begin", np.int64([0, 0]))
        end = self.initializer("end", np.int64([2**31 - 1, 2**31 - 1]))
        self.identities = [
            lambda x: self.node("Identity", x),
            lambda x: self.node("Dropout", x),
            lambda x: self.node("Cast", x, to=TensorProto.FLOAT),
            lambda x: self.node("Reshape", x, same),
            lambda x: self.node("Expand", x, ones),
            lambda x: self.node("Tile", x, ones),
            lambda x: self.node("Slice", x, begin, end),
            lambda x: self.node("Transpose", x, perm=[0, 1]),
            lambda x: self.node("Concat", x, axis=0),
            lambda x: self.node("Sum", x),
            lambda x: self.node("Max", x),
            lambda x: self.node("Mul", x, one),
            lambda x: self.node("Mul", one, x),
            lambda x: self.node("Div", x, one),
            lambda x: self.node("Sub", x, zero),
            lambda x: self.node("Relu", self.node("Relu", x)),
            lambda x: self.node("Abs", self.node("Abs", x)),
            lambda x: self.node("Neg", self.node("Neg", x)),
        ]

    def initializer(self, name, array):
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op, *inputs, **attributes):
        index = len(self.nodes)
        self.nodes.append(helper.make_node(op, inputs, [f"v{index}"], name=f"n{index}", **attributes))
        return f"v{index}"

    def produce(self, value):
        self.live.append(value)
        self.unread.append(value)

    def take(self):
        return self.unread.pop(self.random.randrange(len(self.unread)))

    # --- What a step can do

    def arithmetic(self):
        if self.random.random() < 0.4:
            return self.produce(self.node(self.random.choice(UNARY), self.take()))
        other = self.random.choice(self.weights if self.random.random() < 0.3 else self.live[-WINDOW:])
        value = self.node(self.random.choice(BINARY), self.take(), other)
        # Damped, so that sums of sums do not grow.
        self.produce(self.node("Tanh", value))

    def join(self):
        self.produce(self.node("Tanh", self.node("Add", self.take(), self.take())))

    def identity(self):
        self.produce(self.random.choice(self.identities)(self.take()))

    def duplicate(self):
        value = self.take()
        op = self.random.choice(UNARY)
        first = self.node(op, value)
        self.produce(self.node("Tanh", self.node("Add", first, self.node(op, value))))

    def dead(self):
        value = self.random.choice(self.live[-WINDOW:])
        for _ in range(self.random.randrange(1, 4)):
            value = self.node(self.random.choice(UNARY), value)

    def constant(self):
        value = self.random.choice(self.weights)
        for _ in range(self.random.randrange(1, 4)):
            value = self.node(self.random.choice(BINARY), value, self.random.choice(self.weights))
        self.produce(self.node("Tanh", self.node("Add", self.take(), value)))

    def step(self):
        if len(self.unread) > MOST_UNREAD:
            return self.join()
        kinds = [self.arithmetic, self.identity, self.duplicate, self.dead, self.constant]
        return self.random.choices(kinds, weights=[10, 6, 2, 3, 2])[0]()


def make(count, seed):
    maker = Maker(seed)
    # A step makes at most 5 nodes, and joining what is unread takes two a value.
    while len(maker.nodes) < count - 2 * MOST_UNREAD - 7:
        maker.step()
    while len(maker.unread) > 1:
        maker.join()
    while len(maker.nodes) < count:
        maker.produce(maker.node("Sin", maker.take()))
    maker.nodes[-1].output[0] = "y"

    def value(name):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, SHAPE)

    graph = helper.make_graph(maker.nodes, "elementwise", [value("x0"), value("x1")], [value("y")],
                              initializer=maker.initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int)
    parser.add_argument("output")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    onnx.save(make(arguments.count, arguments.seed), arguments.output)


if __name__ == "__main__":
    main()
