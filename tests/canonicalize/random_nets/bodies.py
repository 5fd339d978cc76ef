"""If, Loop, Scan and calls of functions."""
import numpy as np
from onnx import AttributeProto, helper, numpy_helper
from random_nets.grower import Grower
from random_nets.values import BOOL, F32, I64, UNKNOWN, Unsuitable, Value, known, numbers


class Bodies(Grower):
    def branch(self, result, more=()):
        """A body with one output of the type of `result`; `more` is what it sees besides."""
        body = self.graph.body()
        grower = type(self)(body, self.rng, [*self.values, *more], self.depth + 1)
        grower.grow(self.rng.randint(1, 4))
        found = [value for value in grower.values[len(self.values) + len(more) :]
                 if (value.dtype, value.shape) == (result.dtype, result.shape)]  # fmt: skip
        if found and self.chance(0.7):
            value = self.rng.choice(found)
        else:
            value = result
        # A body must make what it gives.
        return body, grower, value.like(body.op(self.rng.choice(["Identity", "Identity", "Neg", "Relu"])
                                                if value.dtype == F32 else "Identity", [value.name]))  # fmt: skip

    def step_if(self):
        if self.depth >= 2 or self.graph.opset < 11:
            raise Unsuitable
        result = self.pick(lambda value: value.dtype in (F32, I64))
        scalars = [value for value in self.values if value.dtype == BOOL and value.shape == ()]
        if scalars and self.chance(0.6):
            condition = self.rng.choice(scalars).name
        elif self.chance(0.5):
            number = self.graph.op("Size", [self.pick().name])
            condition = self.graph.op("Greater", [number, self.const(np.array(5, np.int64))])
        else:
            condition = self.const(np.array(self.chance(0.5)))
        bodies, exact = {}, True
        for name in ("then_branch", "else_branch"):
            body, _, value = self.branch(result)
            body.output(value.name, known(value.shape), value.dtype)
            bodies[name] = body.graph(name)
            exact = exact and value.exact
        self.add(result.like(self.graph.op("If", [condition], **bodies), exact=exact))

    def step_loop(self):
        if self.depth >= 2 or self.graph.opset < 11:
            raise Unsuitable
        carried = self.single()
        trips = self.rng.choice([0, 1, 1, 2, 3])
        body = self.graph.body()
        count = body.input(body.fresh("i"), [], I64)
        going = body.input(body.fresh("going"), [], BOOL)
        state = carried.like(body.fresh("state"), exact=False)
        body.input(state.name, known(state.shape))
        grower = type(self)(body, self.rng, [*self.values, Value(count, I64, ()), state], self.depth + 1)
        grower.grow(self.rng.randint(1, 4))
        found = [value for value in grower.values[len(self.values) + 1 :]
                 if (value.dtype, value.shape) == (F32, carried.shape)]  # fmt: skip
        last = body.op("Tanh", [self.rng.choice(found).name])
        if self.chance(0.6):
            again = body.op("Identity", [going])
        else:
            again = body.op("Less", [count, self.const(np.array(1, np.int64))])
        body.output(again, [], BOOL)
        body.output(last, known(carried.shape))
        scanned = self.chance(0.5)
        if scanned:
            each = body.op("Identity", [last])
            body.output(each, known(carried.shape))
        limit = self.const(np.array(trips, np.int64))
        start = self.rng.choice([None, self.const(np.array(True)), self.const(np.array(self.chance(0.8)))])
        names = self.graph.op("Loop", [limit, start, carried.name], outputs=1 + scanned, body=body.graph("body"))
        self.add(carried.like(names[0] if scanned else names, exact=False))
        if scanned and self.depth == 0:
            # How many there are is not known here; it still is an output.
            self.stacked.append(carried.like(names[1], (UNKNOWN, *carried.shape), exact=False))

    def step_scan(self):
        if self.depth >= 1 or self.graph.opset < 11:
            raise Unsuitable
        rows = self.single(lambda value: value.rank == 2 and value.shape[1].power == 0)
        start = self.const(np.zeros([rows.shape[1].factor], np.float32))
        body = self.graph.body()
        state = Value(body.fresh("state"), F32, rows.shape[1:], False)
        row = Value(body.fresh("row"), F32, rows.shape[1:], False)
        for value in (state, row):
            body.input(value.name, numbers(value.shape))
        both = Value(body.op("Add", [state.name, row.name]), F32, rows.shape[1:], False)
        grower = type(self)(body, self.rng, [*self.values, state, row, both], self.depth + 1)
        grower.grow(self.rng.randint(0, 3))
        found = [value for value in grower.values[len(self.values) + 2 :]
                 if (value.dtype, value.shape) == (F32, state.shape)]  # fmt: skip
        carried, each = body.op("Tanh", [both.name]), body.op("Identity", [self.rng.choice(found).name])
        for name in (carried, each):
            body.output(name, numbers(state.shape))
        names = self.graph.op("Scan", [start, rows.name], outputs=2, body=body.graph("body"), num_scan_inputs=1)
        self.add(state.like(names[0]))
        self.add(rows.like(names[1], exact=False))

    def step_function(self):
        """A call of a local function: element-wise arithmetic, so that any float shape fits."""
        if self.depth or self.graph.opset < 15:
            raise Unsuitable
        root = self.graph.root
        x = self.single()
        if not root.functions or self.chance(0.4):
            root.functions.append(self.function())
            root.domains["lathe.test"] = 1
        function = self.rng.choice(root.functions)
        inputs = [x.name] * len(function.input)
        attributes = {"slope": 0.3} if function.attribute and self.chance(0.5) else {}
        attributes = attributes or ({"slope": 0.1} if function.attribute else {})
        names = self.graph.op(function.name, inputs, len(function.output), domain="lathe.test", **attributes)
        for name in [names] if isinstance(names, str) else names:
            self.add(x.like(name, exact=False))

    def function(self):
        nodes, values = [], ["x", "y"][: self.rng.randint(1, 2)]
        inputs, attributes = list(values), []
        number = len(self.graph.root.functions)
        for i in range(self.rng.randint(1, 4)):
            name = f"v{i + 1}"  # also a name of the main graph
            kind = self.rng.choice(["Identity", "Tanh", "Add", "Mul", "Relu", "LeakyRelu", "Constant"])
            if kind == "Constant":
                nodes.append(helper.make_node("Constant", [], [f"k{i}"], value=numpy_helper.from_array(np.float32(1))))
                nodes.append(helper.make_node("Mul", [self.rng.choice(values), f"k{i}"], [name]))
            else:
                count = 2 if kind in ("Add", "Mul") else 1
                node = helper.make_node(kind, [self.rng.choice(values) for _ in range(count)], [name])
                if kind == "LeakyRelu":
                    attributes = ["slope"]
                    node.attribute.add(name="alpha", ref_attr_name="slope", type=AttributeProto.FLOAT)
                nodes.append(node)
            values.append(name)
        outputs = values[-1:] if len(nodes) < 2 or self.chance(0.6) else values[-2:]
        outputs = [name for name in outputs if name not in inputs]
        opsets = [helper.make_opsetid("", self.graph.opset)]
        return helper.make_function("lathe.test", f"f{number}", inputs, outputs, nodes, opsets, attributes)
