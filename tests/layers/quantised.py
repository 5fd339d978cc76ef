"""Quantises small nets with the driver and checks what comes out, layer by layer, against the definitions.

The integers are computed here again, from the float model and the record alone: no code is shared with the program.
"""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
from driver import *

F = np.float32


def node(op, name, inputs, outputs=None, **attributes):
    return helper.make_node(op, inputs, outputs or [name], name, **attributes)


def read_record(path):
    """{layer: {field: value or list}} of a record in protobuf text."""
    layers, text = {}, path.read_text()
    for entry in text.split("record {")[1:]:
        fields = {}
        for name, value in re.findall(r'(\w+): (".*?"|\S+)', entry):
            fields.setdefault(name, []).append(value.strip('"'))
        repeated = ("scale_w", "offset_w", "scale_r", "offset_r", "shift_bit")
        convert = lambda name, v: v if name.endswith("type") or name in ("key", "is_tensor_quantize") else int(v) if "offset" in name else F(v)
        values = {n: [convert(n, v) for v in each] for n, each in fields.items()}
        layers[values["key"][0]] = {n: v if n in repeated else v[0] for n, v in values.items()}
    return layers


def attributes(node):
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


class Graph:
    """A model's nodes by name, constants by tensor name, and who makes a tensor."""

    def __init__(self, path):
        self.model = onnx.load(path)
        graph = self.model.graph
        self.constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
        self.nodes = {each.name: each for each in graph.node}
        self.producers = {name: each for each in graph.node for name in each.output if name}
        for each in graph.node:
            if each.op_type == "Constant":
                self.constants[each.output[0]] = numpy_helper.to_array(each.attribute[0].t)
            if each.op_type == "Identity" and each.input[0] in self.constants:
                self.constants[each.output[0]] = self.constants[each.input[0]]

    def constant(self, node, i):
        """Input i of the node, None when it has none."""
        inputs = self.nodes[node].input
        return self.constants[inputs[i]] if len(inputs) > i and inputs[i] else None

    def users(self, tensor):
        return [each for each in self.model.graph.node if tensor in each.input]


def bits(text):
    return int(text[3:])


def channels_first(op, weight, group):
    """The weight with quantisation channels along axis 0."""
    if op != "ConvTranspose":
        return weight
    cin, local = weight.shape[:2]
    split = weight.reshape(group, cin // group, local, -1)
    return split.transpose(0, 2, 1, 3).reshape(group * local, -1)


def channels_last(op, rows, shape, group):
    """The inverse of channels_first."""
    if op != "ConvTranspose":
        return rows.reshape(shape)
    cin, local = shape[:2]
    return rows.reshape(group, local, cin // group, -1).transpose(0, 2, 1, 3).reshape(shape)


def largest(rows, width):
    """ARQ: one scale a row, from its largest magnitude."""
    high, low = rows.max(axis=1), rows.min(axis=1)
    steps = np.where(np.abs(high) < np.abs(low), 2 ** (width - 1), 2 ** (width - 1) - 1)
    scales = np.maximum(np.abs(high), np.abs(low)) / steps.astype(F)
    return np.where(scales < np.finfo(F).eps, F(1), scales)


def integers(rows, scales, width):
    low, high = -(2 ** (width - 1)), 2 ** (width - 1) - 1
    return np.clip(np.rint(rows / scales.reshape(-1, *[1] * (rows.ndim - 1))), low, high).astype(np.int8)


def packed(array, axis):
    """Two 4-bit values a byte, along an axis."""
    low, high = (np.take(array, range(i, array.shape[axis], 2), axis).astype(np.int16) & 15 for i in (0, 1))
    return (low | high << 4).astype(np.uint8).view(np.int8)


def words(scales):
    return np.asarray(scales, F).view(np.uint32).astype(np.uint64)


class LayerTest(DriverTest):
    def quantise(self, nodes, weights, inputs, outputs, data=None, opset=13, cfg=None, batches=2, least=25.0):
        """Writes net.onnx and quantises it into out/net; returns the summary. `data`: {input: array} a batch."""
        save_net(self.folder / "net.onnx", nodes, weights, inputs, outputs, opset)
        return self.quantise_file(inputs, data, cfg, batches, least)

    def write(self, nodes, weights, inputs, outputs, opset=13):
        """net.onnx with outputs of inferred shape."""
        tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
        graph = helper.make_graph(nodes, "net", ends, [], tensors)
        graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        inferred = {each.name: each for each in onnx.shape_inference.infer_shapes(model).graph.output}
        for end in model.graph.output:
            end.CopyFrom(inferred[end.name])
        onnx.checker.check_model(model)
        onnx.save(model, self.folder / "net.onnx")

    def quantise_file(self, inputs, data=None, cfg=None, batches=2, least=25.0):
        names = []
        for i in range(batches):
            feed = data[i] if data else {name: random(*shape, seed=i) for name, shape in inputs.items()}
            np.savez(self.folder / f"b{i}.npz", **feed)
            names.append(f"b{i}.npz")
        arguments = []
        if cfg:
            (self.folder / "quant.cfg").write_text(cfg)
            arguments = ["--cfg", "quant.cfg"]
        summary = self.summary("--threads", 1, "quantize", "net.onnx", "-d", *names, "-o", "out/net", *arguments)
        self.assertGreater(summary["sqnr_db"], least)
        self.original = Graph(self.folder / "net.onnx")
        inferred = onnx.shape_inference.infer_shapes(self.original.model).graph
        known = [*inferred.value_info, *inferred.output]
        self.ranks = {each.name: len(each.type.tensor_type.shape.dim) for each in known}
        self.deploy = Graph(self.folder / "out/net_deploy_model.onnx")
        self.fake = Graph(self.folder / "out/net_fake_quant_model.onnx")
        self.record = read_record(self.folder / "out/net_record.txt")
        return summary

    def left_float(self, summary):
        return {each["name"]: each["reason"] for each in summary["layers"]["float"]}

    def same(self, want, got, what=""):
        self.assertEqual((want.dtype, want.shape), (got.dtype, got.shape), what)
        np.testing.assert_array_equal(want, got, what)

    def check_quant(self, name, tensor):
        """`tensor` feeds the layer: AscendQuant in the deploy model, five nodes in the simulation."""
        entry = self.record[name]
        quant = self.deploy.producers[tensor]
        self.assertEqual(quant.op_type, "AscendQuant")
        got = attributes(quant)
        self.assertEqual(F(got["scale"]), F(1 / np.float64(entry["scale_d"])))
        self.assertEqual(got["offset"], entry["offset_d"])
        self.assertEqual(got["dst_type"].decode(), entry["act_type"])
        if quant.name == f"{name}.quant":
            self.check_chain(quant.name, F(got["scale"]), entry["offset_d"], bits(entry["act_type"]))
        return quant

    def check_chain(self, quant, scale, offset, width):
        prefix = f"{quant}.fakequant"
        for name, op, constants in (
            ("mul", "Mul", [scale]),
            ("round", "Round", []),
            ("add", "Add", [F(offset)]),
            ("clip", "Clip", [F(-(2 ** (width - 1))), F(2 ** (width - 1) - 1)]),
            ("sub", "Sub", [F(offset)]),
        ):
            found = self.fake.nodes[f"{prefix}.{name}"]
            self.assertEqual(found.op_type, op)
            self.assertEqual([self.fake.constants[each] for each in found.input[1:]], constants)

    def check_linear(self, name, bias_add=None):
        """A convolution, Gemm or MatMul: weight, bias, scales and the nodes around it."""
        before, deploy, fake = self.original.nodes[name], self.deploy.nodes[name], self.fake.nodes[name]
        entry, op, given = self.record[name], before.op_type, attributes(before)
        group, width = given.get("group", 1), bits(entry["wts_type"])
        weight, bias = self.original.constant(name, 1), self.original.constant(name, 2)
        if op == "Gemm":
            weight = weight.astype(F) * F(given.get("alpha", 1))
            bias = None if bias is None or given.get("beta", 1) == 0 else bias * F(given.get("beta", 1))
            weight = weight.T if given.get("transB") else weight
            self.assertEqual(attributes(deploy).get("transB", 0), 0)
            self.assertEqual(attributes(deploy).get("transA", 0), 0)
        if bias_add:
            bias = self.original.constants[self.original.nodes[bias_add].input[1]]
        rows = channels_first(op, weight, group) if "Conv" in op and len(entry["scale_w"]) > 1 else weight.reshape(1, -1)
        if "Conv" in op and len(entry["scale_w"]) > 1:
            rows = rows.reshape(rows.shape[0], -1)
        scales = largest(rows, width)
        np.testing.assert_allclose(np.array(entry["scale_w"], F), scales, rtol=1e-6)
        scales = np.array(entry["scale_w"], F)
        rounded = integers(rows, scales, width)
        whole = channels_last(op, rounded, weight.shape, group) if rows.shape[0] > 1 else rounded.reshape(weight.shape)
        axis = 1 if op == "Conv" else weight.ndim - 2 if op == "MatMul" else 0
        self.same(packed(whole, axis) if width == 4 else whole, self.deploy.constant(name, 1), "weight")
        self.same(whole.astype(F), self.fake.constant(name, 1), "fake weight")
        last, last_fake = (self.deploy.nodes[bias_add], self.fake.nodes[bias_add]) if bias_add else (deploy, fake)
        if bias is None:
            self.assertFalse(len(deploy.input) > 2 and deploy.input[2])
        else:
            step = scales * entry["scale_d"]
            want = np.rint(bias / step if step.size > 1 else bias / step[0]).astype(np.int32)
            place = (bias_add, 1) if bias_add else (name, 2)
            if entry["act_type"] == "INT4":
                cast = self.deploy.producers[self.deploy.nodes[place[0]].input[place[1]]]
                self.assertEqual((cast.op_type, cast.name), ("Cast", f"{name}.bias_quant"))
                self.same(want, self.deploy.constants[cast.input[0]], "bias")
            else:
                self.same(want, self.deploy.constant(*place), "bias")
            self.same(want.astype(F), self.fake.constant(*place), "fake bias")
        self.check_quant(name, deploy.input[0])
        rank = 1 if self.ranks.get(last.output[0]) == 1 else weight.ndim if "Conv" in op else 2
        self.check_dequant(name, last, last_fake, scales, rank)

    def check_dequant(self, name, last, last_fake, scales, rank):
        (dequant,) = self.deploy.users(last.output[0])
        self.assertEqual((dequant.op_type, dequant.name), ("AscendDequant", f"{name}.dequant"))
        step = scales * self.record[name]["scale_d"]
        self.same(words(step), self.deploy.constants[dequant.input[1]], "param")
        (mul,) = self.fake.users(last_fake.output[0])
        self.assertEqual((mul.op_type, mul.name), ("Mul", f"{name}.fakedequant.mul"))
        self.same(step.reshape(-1) if rank == 1 else step.reshape(1, -1, *[1] * (rank - 2)), self.fake.constants[mul.input[1]], "dequant scale")
