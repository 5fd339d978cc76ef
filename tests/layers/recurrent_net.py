"""Generated nets of LSTM and GRU layers."""
from quantised import *

GATES = {"LSTM": 4, "GRU": 3}


def gate_record(op, scales):
    """A record's text for the layer called like its operator, with so many scales of W and of R."""
    lines = [f"    scale_{letter}: {0.01 * (i + 1)}\n    offset_{letter}: 0\n" for letter in "wr" for i in range(scales)]
    lines += ['    scale_d: 0.02\n    offset_d: 3\n    scale_h: 0.01\n    offset_h: -4\n    act_type: "INT8"\n']
    return f'record {{\n  key: "{op}"\n  value {{\n' + "".join(lines) + "  }\n}\n"


class Net:
    """Layers side by side, each with inputs and outputs of its own: one run quantises them all."""

    def __init__(self):
        self.nodes, self.weights, self.inputs, self.outputs = [], {}, {}, []
        # {name: (operator, hidden size)}
        self.layers = {}

    def add(self, op, name="rnn", steps=7, batch=2, features=6, hidden=5, bias=True, lens=False, initial=True,
            directions=1, outputs=None, constant=False, **given):  # fmt: skip
        """x, h (and c) -> the layer -> Relu of the last state. `constant`: h and c are."""
        gates, own = GATES[op], lambda tensor: f"{name}.{tensor}"
        self.weights |= {own("w"): random(directions, gates * hidden, features, seed=1) / 2,
                         own("r"): random(directions, gates * hidden, hidden, seed=2) / 2}  # fmt: skip
        operands = ["x", "w", "r", "b" if bias else "", "lens" if lens else ""]
        if bias:
            self.weights[own("b")] = random(directions, 2 * gates * hidden, seed=3) / 4
        self.inputs[own("x")] = [steps, batch, features]
        if lens:
            self.weights[own("lens")] = np.array([steps - i for i in range(batch)], np.int32)
        if initial:
            operands += ["h", "c"] if op == "LSTM" else ["h"]
            for i, each in enumerate(operands[5:]):
                if constant:
                    self.weights[own(each)] = random(directions, batch, hidden, seed=4 + i)
                else:
                    self.inputs[own(each)] = [directions, batch, hidden]
        while not operands[-1]:
            operands.pop()
        if op == "GRU":
            given = {"linear_before_reset": 1} | given
        outputs = outputs or ["all", "last"] + (["cell"] if op == "LSTM" else [])
        self.nodes += [node(op, name, [each and own(each) for each in operands], [each and own(each) for each in outputs],
                            hidden_size=hidden, **given),
                       node("Relu", own("relu"), [own("last" if "last" in outputs else "all")], [own("y")])]  # fmt: skip
        self.outputs.append(own("y"))
        self.layers[name] = op, hidden
