"""Layers inside the bodies of If, Loop and Scan."""
from quantised import *


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def body(name, nodes, inputs, outputs, weights):
    tensors = [numpy_helper.from_array(array, each) for each, array in weights.items()]
    return helper.make_graph(nodes, name, inputs, outputs, tensors)


class Bodies(LayerTest):
    def find(self, path):
        """All nodes of a model by name, and all constants, bodies included."""
        nodes, constants = {}, {}

        def walk(graph):
            for each in graph.initializer:
                constants[each.name] = numpy_helper.to_array(each)
            for each in graph.node:
                nodes[each.name] = each
                if each.op_type == "Constant":
                    constants[each.output[0]] = numpy_helper.to_array(each.attribute[0].t)
                for given in each.attribute:
                    if given.type == onnx.AttributeProto.GRAPH:
                        walk(given.g)

        walk(onnx.load(self.folder / path).graph)
        return nodes, constants

    def check(self, layers):
        """The integers of each layer {name: (op, weight)}, wherever it stands."""
        nodes, constants = self.find("out/net_deploy_model.onnx")
        fake_nodes, fake_constants = self.find("out/net_fake_quant_model.onnx")
        for name, (op, weight) in layers.items():
            entry = self.record[name]
            rows = weight.reshape(weight.shape[0], -1) if op == "Conv" else weight.reshape(1, -1)
            scales = np.array(entry["scale_w"], F)
            np.testing.assert_allclose(scales, largest(rows, 8), rtol=1e-6)
            want = integers(rows, scales, 8).reshape(weight.shape)
            self.same(want, constants[nodes[name].input[1]])
            self.same(want.astype(F), fake_constants[fake_nodes[name].input[1]])
            self.assertEqual(attributes(nodes[f"{name}.quant"])["offset"], entry["offset_d"])
            self.same(words(scales * entry["scale_d"]), constants[nodes[f"{name}.dequant"].input[1]])
            self.assertIn(f"{name}.quant.fakequant.round", fake_nodes)
            self.assertIn(f"{name}.fakedequant.mul", fake_nodes)

    def quantise_net(self, nodes, weights, inputs, outputs, data, extra=(), least=25):
        tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
        graph = helper.make_graph(nodes, "net", [value(n, s) for n, s in inputs.items()] + list(extra), outputs, tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, self.folder / "net.onnx")
        return self.quantise_file(inputs, data, batches=len(data), least=least)

    def test_if(self):
        """Both branches hold a layer; the data takes both."""
        shape = [2, 3, 6, 6]
        weights = {name: random(3, 3, 1, 1, seed=i) for i, name in enumerate(("first", "then", "else"))}
        branches = {
            name: body(name, [node("Conv", f"conv_{name}", ["a", f"w_{name}"], [f"{name}_out"])], [],
                       [value(f"{name}_out", shape)], {f"w_{name}": weights[name]})
            for name in ("then", "else")
        }  # fmt: skip
        nodes = [
            node("Conv", "conv_first", ["x", "w_first"], ["a"]),
            node("If", "if", ["choice"], ["y"], then_branch=branches["then"], else_branch=branches["else"]),
        ]
        data = [{"x": random(*shape, seed=i), "choice": np.array(i % 2 == 0)} for i in range(4)]
        layers = {f"conv_{name}": ("Conv", weights[name]) for name in weights}
        summary = self.quantise_net(nodes, {"w_first": weights["first"]}, {"x": shape}, [value("y", shape)], data,
                                    [value("choice", [], TensorProto.BOOL)])  # fmt: skip
        self.assertEqual(sorted(summary["layers"]["quantized"]), sorted(layers))
        self.check(layers)
        # The branch that no data takes stays float.
        data = [{"x": random(*shape, seed=i), "choice": np.array(True)} for i in range(2)]
        summary = self.quantise_net(nodes, {"w_first": weights["first"]}, {"x": shape}, [value("y", shape)], data,
                                    [value("choice", [], TensorProto.BOOL)])  # fmt: skip
        self.assertEqual(self.left_float(summary), {"conv_else": "its input has no elements"})

    def test_loop(self):
        """The body's layer sees another value in each turn, and uses a weight from outside."""
        shape = [4, 5]
        weights = {"w": random(5, 5, seed=1) / 2}
        inside = body(
            "body",
            [node("MatMul", "mm", ["state", "w"]), node("Tanh", "tanh", ["mm"], ["next"]),
             node("Identity", "go", ["cond"], ["cond_out"])],
            [value("i", [], TensorProto.INT64), value("cond", [], TensorProto.BOOL), value("state", shape)],
            [value("cond_out", [], TensorProto.BOOL), value("next", shape)], {})  # fmt: skip
        nodes = [node("Loop", "loop", ["count", "", "x"], ["last"], body=inside), node("Relu", "relu", ["last"], ["y"])]
        data = [{"x": random(*shape, seed=i)} for i in range(2)]
        constants = weights | {"count": np.array(3)}
        summary = self.quantise_net(nodes, constants, {"x": shape}, [value("y", shape)], data, least=15)
        self.assertEqual(summary["layers"]["quantized"], ["mm"])
        self.check({"mm": ("MatMul", weights["w"])})
        # All turns were seen: the first state has the largest values, later ones lie within [-1, 1].
        seen = np.concatenate([feed["x"].ravel() for feed in data])
        self.assertGreater(self.record["mm"]["scale_d"] * 255, (seen.max() - seen.min()) * 0.65)

    def test_scan(self):
        steps, width = 5, 4
        weights = {"w": random(width, width, seed=1) / 2, "v": random(width, 3, seed=2)}
        inside = body(
            "body",
            [node("MatMul", "state_mm", ["h", "w"]), node("Add", "sum", ["state_mm", "item"]),
             node("Tanh", "tanh", ["sum"], ["h_out"]), node("MatMul", "out_mm", ["h_out", "v"], ["out"])],
            [value("h", [2, width]), value("item", [2, width])],
            [value("h_out", [2, width]), value("out", [2, 3])], {"w": weights["w"]})  # fmt: skip
        nodes = [node("Scan", "scan", ["x0", "xs"], ["last", "y"], body=inside, num_scan_inputs=1,
                      scan_output_axes=[0], scan_output_directions=[0])]  # fmt: skip
        inputs = {"x0": [2, width], "xs": [steps, 2, width]}
        data = [{name: random(*shape, seed=i) for name, shape in inputs.items()} for i in range(2)]
        summary = self.quantise_net(nodes, {"v": weights["v"]}, inputs, [value("y", [steps, 2, 3])], data, least=15)
        self.assertEqual(summary["layers"]["quantized"], ["state_mm", "out_mm"])
        self.check({"state_mm": ("MatMul", weights["w"]), "out_mm": ("MatMul", weights["v"])})

    def test_a_loop_in_a_branch(self):
        shape = [4, 5]
        weights = {"w": random(5, 5, seed=1) / 2}
        inside = body(
            "body",
            [node("MatMul", "mm", ["state", "w"]), node("Tanh", "tanh", ["mm"], ["next"]),
             node("Identity", "go", ["cond"], ["cond_out"])],
            [value("i", [], TensorProto.INT64), value("cond", [], TensorProto.BOOL), value("state", shape)],
            [value("cond_out", [], TensorProto.BOOL), value("next", shape)], {})  # fmt: skip
        then = body("then", [node("Loop", "loop", ["count", "", "x"], ["a"], body=inside)], [], [value("a", shape)],
                    {"count": np.array(2)})  # fmt: skip
        other = body("else", [node("Neg", "neg", ["x"], ["b"])], [], [value("b", shape)], {})
        nodes = [node("If", "if", ["choice"], ["y"], then_branch=then, else_branch=other)]
        data = [{"x": random(*shape, seed=i), "choice": np.array(i == 1)} for i in range(2)]
        summary = self.quantise_net(nodes, weights, {"x": shape}, [value("y", shape)], data,
                                    [value("choice", [], TensorProto.BOOL)], least=15)  # fmt: skip
        self.assertEqual(summary["layers"]["quantized"], ["mm"])
        self.check({"mm": ("MatMul", weights["w"])})


if __name__ == "__main__":
    main()
