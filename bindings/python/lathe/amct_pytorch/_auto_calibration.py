"""Quantisation as far as an evaluator accepts."""
from __future__ import annotations

import glob
import json
import math
import os
import shutil
import tempfile
from typing import Any

import torch
from torch import nn

from .. import _core
from .._errors import Error
from ._batches import Batches, tensors_of
from ._checks import (
    LOGGER,
    check_dynamic_axes,
    check_input_data,
    check_input_file,
    check_model,
    check_names,
    check_output_file,
    check_type,
)
from ._export import copy_of, export
from ._ptq import CalibrationModel

_RANKING = "accuracy_based_auto_calibration_ranking_information.json"
_FINAL = "accuracy_based_auto_calibration_final_config.json"
_TRIALS = "amct_log/accuracy_based_auto_calibration_record.json"


class FakeQuantModel(nn.Module):
    """A fake-quant model file as a torch module; runs on the CPU."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._session = _core.Session(path)

    def forward(self, *arguments: Any, **keywords: Any) -> Any:
        inputs = tuple(tensor.detach().cpu().numpy() for tensor in tensors_of((arguments, keywords)))
        results = [torch.from_numpy(array.copy()) for array in self._session.run(inputs).values()]
        return results[0] if len(results) == 1 else tuple(results)


class _Evaluator:
    """The user's evaluator as a number: 0 for a model that it accepts, more for one that it does not."""

    def __init__(self, evaluator: Any, model: nn.Module) -> None:
        self._evaluator = evaluator
        self._original = evaluator.evaluate(copy_of(model))
        accepted, _ = self._judge(self._original)
        if not accepted:
            raise Error("the evaluator does not accept the float model itself: metric_eval(original, original) is false")
        self._float_model_is_next = True
        self.judgements: list[tuple[bool, float]] = []

    def _judge(self, metric: Any) -> tuple[bool, float]:
        accepted, loss = self._evaluator.metric_eval(self._original, metric)
        return bool(accepted), float(loss)

    def __call__(self, deploy: str, fake_quant: str) -> float:
        if self._float_model_is_next:
            self._float_model_is_next = False
            return 0.0
        accepted, loss = self._judge(self._evaluator.evaluate(FakeQuantModel(fake_quant)))
        self.judgements.append((accepted, loss))
        if accepted:
            return 0.0
        return 1.0 + loss if math.isfinite(loss) and loss > 0 else 1.0


def accuracy_based_auto_calibration(
    model: nn.Module,
    model_evaluator: Any,
    config_file: str,
    record_file: str,
    save_dir: str,
    input_data: Any,
    input_names: list[str] | None = None,
    output_names: list[str] | None = None,
    dynamic_axes: dict[str, Any] | None = None,
    strategy: str = "BinarySearch",
    sensitivity: str = "CosineSimilarity",
) -> None:
    """Quantises as many layers as the evaluator accepts; the most sensitive ones stay float.

    The evaluator has calibration(model), evaluate(model) and metric_eval(original, new) -> (accepted, loss). Its
    calibration is run once: candidates are calibrated on the batches that it fed.
    """
    function = "accuracy_based_auto_calibration"
    check_model(function, model)
    for method in ("calibration", "evaluate", "metric_eval"):
        if not callable(getattr(model_evaluator, method, None)):
            raise TypeError(f"{function}: model_evaluator must have a method {method}")
    check_input_file(function, "config_file", config_file)
    check_type(function, "save_dir", save_dir, str)
    check_names(function, "input_names", input_names)
    check_names(function, "output_names", output_names)
    check_dynamic_axes(function, dynamic_axes)
    data = check_input_data(function, input_data)
    for name, value, known in (("strategy", strategy, "BinarySearch"), ("sensitivity", sensitivity, "CosineSimilarity")):
        if value != known:
            raise ValueError(f"{function}: {name} {value!r} is not supported: give {known!r}")
    check_output_file(function, "record_file", record_file)

    with open(config_file, encoding="utf-8") as file:
        batch_num = json.load(file).get("batch_num", 1)
    batches = _collect(function, model, model_evaluator, batch_num)
    evaluator = _Evaluator(model_evaluator, model)
    with tempfile.TemporaryDirectory(prefix="lathe-") as folder:
        path = os.path.join(folder, "original.onnx")
        export(model, data, input_names, output_names, dynamic_axes).save(path)
        summary = _core.auto_calibrate(
            path,
            batches,
            os.path.join(folder, "net"),
            budget=0,
            evaluate=evaluator,
            lower_is_better=True,
            config=config_file,
            progress=False,
        )
        _write_trials(summary, evaluator)
        beside = os.path.dirname(os.path.realpath(save_dir))
        os.makedirs(beside, mode=0o750, exist_ok=True)
        if summary.ranking:
            _write_json([[each.layer, each.similarity] for each in summary.ranking], os.path.join(beside, _RANKING))
        if not summary.meets_budget:
            _roll_back(save_dir)
            LOGGER.warning("%s: the evaluator accepts no candidate: nothing is quantised", function)
            return
        saved = _core._output_paths(save_dir)
        shutil.copyfile(summary.paths.deploy, saved.deploy)
        shutil.copyfile(summary.paths.fake_quant, saved.fake_quant)
        shutil.copyfile(summary.paths.record, record_file)
        shutil.copyfile(summary.paths.config, config_file)
        shutil.copyfile(summary.paths.config, os.path.join(beside, _FINAL))


def _collect(function: str, model: nn.Module, evaluator: Any, batch_num: int) -> Batches:
    seen: list[Batches] = []
    evaluator.calibration(CalibrationModel(model, batch_num, seen.append))
    if not seen:
        raise Error(f"{function}: the evaluator's calibration ran fewer batches than batch_num, which is {batch_num}")
    return seen[0]


def _write_trials(summary: _core.AutoSummary, evaluator: _Evaluator) -> None:
    layers = summary.quantized + [each.layer for each in summary.ranking]
    trials = []
    for candidate, judgement in zip(summary.candidates, evaluator.judgements):
        rolled_back = {each.layer for each in summary.ranking[: candidate.rolled_back]}
        quantised = {layer: layer not in rolled_back for layer in sorted(set(layers))}
        trials.append({"roll_back_config": quantised, "metric_eval": list(judgement)})
    os.makedirs(os.path.dirname(_TRIALS), mode=0o750, exist_ok=True)
    _write_json(trials, _TRIALS)


def _roll_back(save_dir: str) -> None:
    folder = save_dir if save_dir.endswith("/") else os.path.dirname(os.path.realpath(save_dir))
    for path in glob.glob(os.path.join(glob.escape(folder), "*")):
        name = os.path.basename(path)
        if os.path.isfile(path) and ("deploy" in name or "fake_quant" in name):
            os.remove(path)


def _write_json(value: Any, path: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=4, separators=(",", ":"))
