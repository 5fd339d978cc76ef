"""The modules that quantisation-aware training puts into a network; the keys of their states are the reference's."""
from __future__ import annotations

from typing import Any, Callable

import torch
from torch import nn
from torch.nn import functional

from .. import _core
from .._errors import Error
from ._fake_quant import QuantizeActivation, QuantizeWeight, RoundWeight, activation_factors, arq_scales
from ._retrain_session import RetrainSession


def _transposed(compute: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    return lambda layer, value, weight: compute(
        value, weight, layer.bias, layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation
    )


def _convolved(compute: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    return lambda layer, value, weight: compute(
        value, weight, layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups
    )


# What a module computes with another weight.
COMPUTE: dict[type, Callable[..., torch.Tensor]] = {
    nn.Conv1d: _convolved(functional.conv1d),
    nn.Conv2d: _convolved(functional.conv2d),
    nn.Conv3d: _convolved(functional.conv3d),
    nn.ConvTranspose1d: _transposed(functional.conv_transpose1d),
    nn.ConvTranspose2d: _transposed(functional.conv_transpose2d),
    nn.Linear: lambda layer, value, weight: functional.linear(value, weight, layer.bias),
}


class QuantizedLayer(nn.Module):
    """A layer behind the quantisers of its input and its weight."""

    def __init__(
        self, layer: nn.Module, plan: _core._PlannedLayer, batch_num: int, owner: QuantizedLayer | None
    ) -> None:
        """The clips are those of `owner`, or its own."""
        super().__init__()
        self.layer_name = plan.name
        self.activation_bits, self.weight_bits = plan.activation_bits, plan.weight_bits
        self.split, self.fixed_min, self.learns_scales = plan.split, plan.fixed_min, plan.ulq
        # Clips that are not given are found on so many batches.
        self.batch_num = 0 if plan.clips else batch_num
        self._seen: list[torch.Tensor] = []
        weight = layer.weight.detach()
        like: dict[str, Any] = {"dtype": torch.float32, "device": weight.device}
        scales = arq_scales(weight.float(), plan.split, plan.weight_bits)
        clips = plan.clips or (1.0, -1.0)
        if owner is None:
            self.acts_clip_max = nn.Parameter(torch.tensor(clips[0], **like))
            self.acts_clip_min = nn.Parameter(torch.tensor(0.0 if plan.fixed_min else clips[1], **like))
        if plan.ulq:
            self.wts_scales = nn.Parameter(scales)
        else:
            self.register_buffer("wts_scales", scales)
        self.register_buffer("wts_offsets", torch.zeros_like(scales))
        self.register_buffer("cur_batch", torch.tensor(0.0, **like))
        if owner is None:
            self.register_buffer("acts_clip_max_pre", self.acts_clip_max.detach().clone())
            self.register_buffer("acts_clip_min_pre", self.acts_clip_min.detach().clone())
            self.register_buffer("acts_scale", torch.tensor(1.0, **like))
            self.register_buffer("acts_offset", torch.tensor(0.0, **like))
        self.register_buffer("prune_cur_batch", torch.tensor(0.0, **like))
        self.register_buffer("wts_mask", torch.full_like(weight, float("nan")))
        self.register_buffer("s_rec_flag", torch.tensor(0.0, **like))
        self.replaced_module = layer
        if owner is not None:
            self.acts_comp_reuse = owner

    @property
    def clips_owner(self) -> QuantizedLayer:
        return self._modules.get("acts_comp_reuse", self)

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        batch = int(self.cur_batch)
        value = self.clips_owner.quantized_input(value, batch)
        weight = self.quantized_weight(first=batch == 0)
        self.cur_batch += 1
        return COMPUTE[type(self.replaced_module)](self.replaced_module, value, weight)

    def quantized_input(self, value: torch.Tensor, batch: int) -> torch.Tensor:
        with torch.no_grad():
            # Layers that share these clips come with the same batch.
            if len(self._seen) <= batch < self.batch_num:
                self._start_clips(value)
            clip_max, clip_min = self._usable_clips()
            scale, offset = activation_factors(clip_max, clip_min, self.activation_bits)
            for own, new in (
                (self.acts_clip_max, clip_max),
                (self.acts_clip_min, clip_min),
                (self.acts_clip_max_pre, clip_max),
                (self.acts_clip_min_pre, clip_min),
                (self.acts_scale, scale),
                (self.acts_offset, offset),
            ):
                own.copy_(new)
        return QuantizeActivation.apply(
            value, self.acts_clip_max, self.acts_clip_min, scale, offset, self.activation_bits
        )

    def _start_clips(self, value: torch.Tensor) -> None:
        self._seen.append(value.detach().float().cpu())
        if len(self._seen) < self.batch_num:
            clips = (float(value.max()), float(value.min()))
        else:
            try:
                clips = _core._find_clips([each.numpy() for each in self._seen], self.activation_bits)
            except Error as error:
                raise Error(f"layer '{self.layer_name}': {error}", error.message, node=self.layer_name) from None
            # Their number says that they were seen.
            self._seen = [torch.empty(0)] * self.batch_num
        for own, previous, new in zip(
            (self.acts_clip_max, self.acts_clip_min), (self.acts_clip_max_pre, self.acts_clip_min_pre), clips
        ):
            own.fill_(new)
            if self.training and torch.distributed.is_available() and torch.distributed.is_initialized():
                # Each process has seen other data.
                torch.distributed.all_reduce(own)
                own.div_(torch.distributed.get_world_size())
            previous.copy_(own)

    def _usable_clips(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Those of the forward pass before where a step of training has turned them over."""
        high, low = self.acts_clip_max.detach(), self.acts_clip_min.detach()
        if self.fixed_min:
            low = torch.zeros_like(low)
        equal, negative = high == low, high < 0
        positive = (low > 0) & ~(equal | negative)
        return (
            torch.where(equal | negative, self.acts_clip_max_pre, high),
            torch.where(equal | positive, self.acts_clip_min_pre, low),
        )

    def quantized_weight(self, first: bool) -> torch.Tensor:
        weight = self.replaced_module.weight
        if self.learns_scales and not first:
            scales = 1 / self.wts_scales if bool(self.s_rec_flag) else self.wts_scales
            return QuantizeWeight.apply(weight, scales, self.split, self.weight_bits)
        with torch.no_grad():
            self.wts_scales.copy_(arq_scales(weight, self.split, self.weight_bits))
            if self.learns_scales:
                self.s_rec_flag.zero_()
        rounding = QuantizeWeight if self.learns_scales else RoundWeight
        return rounding.apply(weight, self.wts_scales, self.split, self.weight_bits)


class Recorder(nn.Module):
    """Holds how many layers are trained."""

    def __init__(self, layers: int, device: torch.device) -> None:
        super().__init__()
        self.register_buffer("quant_layer_num", torch.tensor(float(layers), device=device))


class QuantIdentity(nn.Identity):
    """Stands where the BatchNormalization of a trained layer was."""

    def __init__(self, layer_name: str) -> None:
        super().__init__()
        self.layer_name = layer_name


class RetrainQuant(nn.Module):
    """A trained layer in the place of the original one. What is asked of it beyond calling it, the original answers."""

    def __init__(self, layer: QuantizedLayer, session: RetrainSession, batch_norm: nn.Module | None) -> None:
        super().__init__()
        self.session = session
        scales = torch.ones_like(layer.wts_scales.detach())
        if batch_norm is not None:
            scales = scales.new_ones(batch_norm.num_features)
        self.register_buffer("scale_w", scales)
        self.register_buffer("offset_w", torch.zeros_like(scales))
        self.quant_module = layer
        self.record_module = Recorder(len(session.layers), scales.device)
        if batch_norm is not None:
            self.bn_module = batch_norm
        for module in (self, layer, self.record_module):
            module.training = layer.replaced_module.training

    @property
    def batch_norm(self) -> nn.Module | None:
        return self._modules.get("bn_module")

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("quant_module").replaced_module, name)

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        result = self.quant_module(value)
        if self.batch_norm is not None:
            result = self.batch_norm(result)
        if self.training:
            self.session.trained()
        else:
            self.session.evaluated(self)
        return result

    def evaluation(self) -> _core._Evaluated:
        """What the record is made of."""
        layer = self.quant_module
        scales = 1 / layer.wts_scales if bool(layer.s_rec_flag) else layer.wts_scales
        clips = (float(layer.clips_owner.acts_clip_max), float(layer.clips_owner.acts_clip_min))
        seen = _core._Evaluated(
            layer.layer_name, clips, (layer.activation_bits, layer.weight_bits), scales.flatten().tolist()
        )
        norm = self.batch_norm
        if norm is not None:
            gamma = torch.ones_like(norm.running_var) if norm.weight is None else norm.weight
            seen.fold(gamma.tolist(), norm.running_var.tolist(), norm.eps)
        return seen
