"""What the layers of one trained network share: the configuration, and the record that evaluation writes."""
from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from .. import _core

if TYPE_CHECKING:
    from ._retrain_modules import RetrainQuant


class RetrainSession:
    def __init__(self, plan: _core._RetrainPlan, record_file: str) -> None:
        self.config = plan.config
        self.record_file = record_file
        self.layers = [layer.name for layer in plan.layers]
        # Layers in front of a BatchNormalization that is no module of its own: it is not folded.
        self.unfolded: list[str] = []
        # The record holds what the network is now.
        self.is_recorded = False
        self._evaluated: dict[str, RetrainQuant] = {}

    def trained(self) -> None:
        self.is_recorded = False
        self._evaluated.clear()

    def evaluated(self, layer: RetrainQuant) -> None:
        """The first evaluation after a training step that reaches all layers writes the record."""
        if self.is_recorded:
            return
        self._evaluated[layer.quant_module.layer_name] = layer
        if len(self._evaluated) < len(self.layers):
            return
        layers = [self._evaluated[name] for name in self.layers]
        self._evaluated = {}
        record = _core._retrain_record([each.evaluation() for each in layers])
        with torch.no_grad():
            for name, each in zip(self.layers, layers):
                each.scale_w.copy_(torch.tensor(record[name].scale_w))
        record.save(self.record_file)
        self.is_recorded = True
