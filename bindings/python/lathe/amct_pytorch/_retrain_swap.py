"""Quantised modules into a network, and out of it again."""
from __future__ import annotations

import collections

from torch import nn

from .. import _core
from .._errors import Error
from ._retrain_modules import COMPUTE, QuantIdentity, QuantizedLayer, RetrainQuant
from ._retrain_session import RetrainSession

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def trainable_modules(model: nn.Module) -> set[str]:
    """The paths of modules that can be replaced."""
    return {path for path, module in model.named_modules() if not _obstacle(module)}


def _obstacle(module: nn.Module | None) -> str:
    """Why a module cannot be replaced, or nothing."""
    if module is None:
        return "it is no module"
    if type(module) not in COMPUTE:
        return f"{type(module).__name__} cannot be replaced"
    padding = getattr(module, "padding_mode", "zeros")
    return "" if padding == "zeros" else f"its padding_mode is '{padding}', not 'zeros'"


def _replace(model: nn.Module, replacements: dict[nn.Module, nn.Module]) -> None:
    """Wherever a module is registered."""
    for module in list(model.modules()):
        for name, child in list(module._modules.items()):
            if child in replacements and child is not None:
                module._modules[name] = replacements[child]


def _foldable_norms(modules: dict[str, nn.Module], graph: _core.Model) -> dict[str, nn.Module]:
    """The modules behind BatchNormalization nodes, by their names, but for those that are called more than once."""
    nodes = [node for node in graph.nodes if node.op == "BatchNormalization"]
    uses = collections.Counter(node.inputs[1] for node in nodes)
    return {
        node.name: modules[node.name]
        for node in nodes
        if uses[node.inputs[1]] == 1 and isinstance(modules.get(node.name), _NORMS)
    }


def put_in(
    model: nn.Module, graph: _core.Model, plan: _core._RetrainPlan, session: RetrainSession, config: str
) -> None:
    """Replaces the planned layers of the model."""
    modules = dict(model.named_modules())
    for each in plan.layers:
        obstacle = _obstacle(modules.get(each.name))
        if obstacle:
            what = f"layer '{each.name}' cannot be trained: {obstacle}"
            hint = "set its retrain_enable to false"
            raise Error(f"{config}: {what} ({hint})", what, file=config, node=each.name, hint=hint)
    norms = _foldable_norms(modules, graph)
    made: dict[str, QuantizedLayer] = {}
    replacements: dict[nn.Module, nn.Module] = {}
    for each in plan.layers:
        layer = modules[each.name]
        owner = made[each.clips_of] if each.clips_of != each.name else None
        made[each.name] = QuantizedLayer(layer, each, plan.batch_num, owner)
        norm = norms.get(each.batch_norm or "")
        if norm is not None:
            replacements[norm] = QuantIdentity(each.name)
        elif each.batch_norm is not None:
            session.unfolded.append(each.name)
        replacements[layer] = RetrainQuant(made[each.name], session, norm)
    _replace(model, replacements)


def take_out(model: nn.Module) -> None:
    """Puts the trained layers back, and BatchNormalization behind them."""
    trained = [module for module in model.modules() if isinstance(module, RetrainQuant)]
    norms = {each.quant_module.layer_name: each.batch_norm for each in trained}
    replacements: dict[nn.Module, nn.Module] = {each: each.quant_module.replaced_module for each in trained}
    for module in list(model.modules()):
        if isinstance(module, QuantIdentity):
            norm = norms[module.layer_name]
            if norm is not None:
                replacements[module] = norm
    _replace(model, replacements)


def session_of(model: nn.Module) -> RetrainSession | None:
    for module in model.modules():
        if isinstance(module, RetrainQuant):
            return module.session
    return None
