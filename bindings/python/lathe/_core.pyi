from collections.abc import Callable, Sequence, Set
import os
from typing import Any

import numpy
import numpy.typing

import lathe._types


_version: str = '0.1.0'

class ValueInfo:
    """A value of a graph: its name and what is known of it."""

    @property
    def name(self) -> str: ...

    @property
    def element_type(self) -> str:
        """"f32", "i8", ..."""

    @property
    def shape(self) -> tuple[int | str | None, ...] | None:
        """
        Extents; a free dimension is its symbol or None. None: the rank is free.
        """

    def __repr__(self) -> str: ...

class NodeInfo:
    """A node of a graph."""

    @property
    def name(self) -> str: ...

    @property
    def op(self) -> str: ...

    @property
    def domain(self) -> str: ...

    @property
    def inputs(self) -> list[str]:
        """Names of values; "" where one is omitted."""

    @property
    def outputs(self) -> list[str]: ...

    @property
    def attributes(self) -> dict[str, Any]:
        """
        Numbers, texts, lists of them, and arrays; None where there is no such value.
        """

    def __repr__(self) -> str: ...

class Model:
    """
    A network in memory. Its weights stay in the file that it came from until they are needed.

    One thread at a time may change a model.
    """

    @property
    def path(self) -> str:
        """The file that it came from, or ""."""

    @property
    def inputs(self) -> list[ValueInfo]:
        """What must be fed."""

    @property
    def outputs(self) -> list[ValueInfo]: ...

    @property
    def nodes(self) -> list[NodeInfo]:
        """The nodes of the main graph, in execution order."""

    @property
    def opsets(self) -> dict[str, int]:
        """Versions of operator sets; ONNX's own is "ai.onnx"."""

    @property
    def initializers(self) -> list[str]:
        """Names of the constants of the main graph."""

    def initializer(self, name: str) -> numpy.ndarray:
        """
        A constant of the main graph, as a read-only array that shares its memory.
        """

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes an ONNX file, whole or not at all."""

    def to_bytes(self) -> bytes:
        """The ONNX message, all weights in it."""

    def text(self, weights: str = 'elided') -> str:
        """
        The text form (docs/text-form.md); weights: "elided", "exact" or "file".
        """

    def verify(self) -> None:
        """
        Raises lathe.Error when the graph is not well formed or an operator is used wrongly.
        """

    def clone(self) -> Model:
        """A copy of the graph; weights are shared."""

    def inspect(self) -> dict[str, Any]:
        """
        Form, facts, operators and parameters, as 'lathe inspect --json' shows them.
        """

    def __str__(self) -> str: ...

    def __repr__(self) -> str: ...

def load(path: str | os.PathLike[str]) -> Model:
    """Reads an ONNX file."""

def load_bytes(data: bytes, name: str = '') -> Model:
    """
    Reads an ONNX message, which is copied once; `name` stands for its file in messages.
    """

def parse(text: str) -> Model:
    """Reads the text form (docs/text-form.md)."""

def _name_layers(model: Model) -> None:
    """
    For lathe.amct_pytorch: nodes take the paths of their modules as names, and the marks go.
    """

class PassOption:
    """An option of a pass."""

    @property
    def name(self) -> str: ...

    @property
    def help(self) -> str: ...

    @property
    def default(self) -> bool | int | float | str | list[str]: ...

class Pass:
    """What a pass is."""

    @property
    def name(self) -> str: ...

    @property
    def summary(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def options(self) -> list[PassOption]: ...

    @property
    def requires(self) -> list[str]: ...

    @property
    def establishes(self) -> list[str]: ...

    @property
    def preserves(self) -> list[str]: ...

    def __repr__(self) -> str: ...

class Pipeline:
    """A pipeline that has a name."""

    @property
    def name(self) -> str: ...

    @property
    def summary(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def text(self) -> str: ...

    def __repr__(self) -> str: ...

class Remark:
    """What a pass did or did not do to a node, and why."""

    @property
    def kind(self) -> str:
        """"applied", "missed", "failed" or "note"."""

    @property
    def pass_name(self) -> str: ...

    @property
    def node(self) -> str: ...

    @property
    def message(self) -> str: ...

    def __repr__(self) -> str: ...

class PassReport:
    """One run of a pass."""

    @property
    def position(self) -> str: ...

    @property
    def pass_name(self) -> str: ...

    @property
    def changed(self) -> bool: ...

    @property
    def seconds(self) -> float: ...

    @property
    def remarks(self) -> list[Remark]: ...

    @property
    def statistics(self) -> dict[str, int]: ...

class PipelineReport:
    """A run of a pipeline."""

    @property
    def changed(self) -> bool: ...

    @property
    def passes(self) -> list[PassReport]: ...

def passes() -> list[Pass]:
    """Every pass, by name."""

def pipelines() -> list[Pipeline]:
    """Every named pipeline, by name."""

def opt(model: Model, passes: str, *, assume: Sequence[str] = [], verify_each: bool = False) -> PipelineReport:
    """
    Runs a pipeline, written as for 'lathe opt --passes', on the model, which it changes. When it fails the model is as the failing pass left it.
    """

class Images:
    """A folder of JPEG and PNG images as data, in batches; sorted by name."""

    def __init__(self, folder: str | os.PathLike[str], *, mean: tuple[float, float, float] = (0.0, 0.0, 0.0), std: tuple[float, float, float] = (1.0, 1.0, 1.0), channels_last: bool = False, batch: int = 0) -> None:
        """
        Samples of 0 to 255, less `mean`, divided by `std`; NCHW unless channels_last. batch 0: the model's first extent, or 1.
        """

    @property
    def folder(self) -> str: ...

    @property
    def batch(self) -> int: ...

class Session:
    """
    A model compiled for this CPU: float, fake-quant and deploy models, the last to the bit.
    """

    def __init__(self, model: lathe._types.ModelLike, *, threads: int = 0, shapes: lathe._types.Shapes | None = None) -> None:
        """
        threads 0: as many as the machine has. shapes: of inputs with free dimensions, by name.
        """

    @property
    def inputs(self) -> list[str]:
        """The names of the inputs, in order."""

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs, in order."""

    def run(self, inputs: lathe._types.Batch) -> dict[str, numpy.ndarray]:
        """
        Runs the model once. Arrays are read where they are, and must not change meanwhile; the results are read-only arrays that nobody else writes.
        """

class LayerDifference:
    """How much a layer's result differs between two models."""

    @property
    def layer(self) -> str: ...

    @property
    def op(self) -> str: ...

    @property
    def sqnr_db(self) -> float: ...

    @property
    def cosine(self) -> float: ...

    @property
    def largest(self) -> float: ...

    @property
    def saturated_a(self) -> float | None: ...

    @property
    def saturated_b(self) -> float | None: ...

    def __repr__(self) -> str: ...

def compare(a: lathe._types.ModelLike, b: lathe._types.ModelLike, data: lathe._types.Data, *, threads: int = 0, shapes: lathe._types.Shapes | None = None, progress: lathe._types.Progress = None) -> list[LayerDifference]:
    """
    Compares two models of one network layer by layer; `a` counts as right.
    """

class LayerRecord:
    """The factors of a layer: q = clamp(round(x / scale) + offset)."""

    @property
    def scale_d(self) -> float | None: ...

    @property
    def offset_d(self) -> int | None: ...

    @property
    def scale_w(self) -> list[float]: ...

    @property
    def offset_w(self) -> list[int]: ...

    @property
    def shift_bit(self) -> list[int]: ...

    @property
    def tensor_balance_factor(self) -> list[float]: ...

    @property
    def dst_type(self) -> str | None: ...

    @property
    def act_type(self) -> str | None: ...

    @property
    def wts_type(self) -> str | None: ...

    @property
    def fakequant_precision_mode(self) -> str | None: ...

    @property
    def scale_h(self) -> float | None: ...

    @property
    def offset_h(self) -> int | None: ...

    @property
    def scale_r(self) -> list[float]: ...

    @property
    def offset_r(self) -> list[int]: ...

class Record:
    """The factors of a network's layers, by name."""

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Record: ...

    def save(self, path: str | os.PathLike[str]) -> None: ...

    @property
    def text(self) -> str:
        """What the file holds."""

    @property
    def layers(self) -> list[str]: ...

    def __len__(self) -> int: ...

    def __contains__(self, arg: str, /) -> bool: ...

    def __getitem__(self, arg: str, /) -> LayerRecord: ...

class LeftFloat:
    """A layer that stays float, and why."""

    @property
    def layer(self) -> str: ...

    @property
    def reason(self) -> str: ...

    def __repr__(self) -> str: ...

class Config:
    """The configuration of a quantisation."""

    @property
    def json(self) -> str:
        """What its file holds."""

    @property
    def layers(self) -> list[str]:
        """Every layer that it names."""

    @property
    def enabled(self) -> list[str]:
        """The layers that will be quantised, in graph order."""

    @property
    def notes(self) -> list[str]: ...

    @property
    def left_float(self) -> list[LeftFloat]: ...

    def save(self, path: str | os.PathLike[str]) -> None: ...

class Calibration:
    """What calibration found."""

    @property
    def record(self) -> Record: ...

    @property
    def modified(self) -> Model:
        """The fused model with rounded weights: what lathe.save takes."""

    @property
    def notes(self) -> list[str]: ...

    @property
    def left_float(self) -> list[LeftFloat]: ...

def create_config(model: lathe._types.ModelLike, *, cfg: lathe._types.PathLike | None = None, batch_num: int = 1, skip_layers: Sequence[str] = (), activation_offset: bool = True) -> Config:
    """
    The configuration of a float model: from a simplified one (cfg), or from the options.
    """

def balance(model: lathe._types.ModelLike, data: lathe._types.Data, config: lathe._types.ConfigLike, *, threads: int = 0, shapes: lathe._types.Shapes | None = None, progress: lathe._types.Progress = None) -> Record:
    """
    Balance factors of the layers that ask for them (dmq_balancer_param), measured on the first batch.
    """

def calibrate(model: lathe._types.ModelLike, data: lathe._types.Data, config: lathe._types.ConfigLike, *, balance: lathe._types.RecordLike | None = None, threads: int = 0, shapes: lathe._types.Shapes | None = None, max_memory: int = 0, progress: lathe._types.Progress = None) -> Calibration:
    """
    Finds the factors of each layer on the first batch_num batches. max_memory: in bytes; more passes over the data if need be.
    """

def save(modified: lathe._types.ModelLike, record: lathe._types.RecordLike, output: lathe._types.PathLike, *, emit: str = 'both') -> list[str]:
    """
    Writes the deploy and the fake-quant model of a calibrated one, all or none; emit: "both", "deploy", "fake-quant" or "qdq". Returns what was written.
    """

class OutputPaths:
    """Where results stand."""

    @property
    def deploy(self) -> str: ...

    @property
    def fake_quant(self) -> str: ...

    @property
    def record(self) -> str: ...

    @property
    def config(self) -> str: ...

class Accuracy:
    """Shares of samples classified as labelled."""

    @property
    def float_model(self) -> float: ...

    @property
    def fake_quant(self) -> float: ...

    @property
    def samples(self) -> int: ...

class QuantizeSummary:
    """What lathe.quantize did."""

    @property
    def paths(self) -> OutputPaths: ...

    @property
    def quantized(self) -> list[str]: ...

    @property
    def left_float(self) -> list[LeftFloat]: ...

    @property
    def notes(self) -> list[str]: ...

    @property
    def bytes_before(self) -> int:
        """Of the model's file; 0 where there is none."""

    @property
    def bytes_deploy(self) -> int: ...

    @property
    def bytes_fake_quant(self) -> int: ...

    @property
    def sqnr_db(self) -> float:
        """Of the fake-quant model's worst output on the last batch."""

    @property
    def accuracy(self) -> Accuracy | None: ...

def quantize(model: lathe._types.ModelLike, data: lathe._types.Data, output: lathe._types.PathLike, *, config: lathe._types.ConfigLike | None = None, cfg: lathe._types.PathLike | None = None, skip_layers: Sequence[str] = (), effort: str = 'default', eval_data: lathe._types.Data | None = None, labels: numpy.typing.ArrayLike | None = None, threads: int = 0, shapes: lathe._types.Shapes | None = None, max_memory: int = 0, progress: lathe._types.Progress = None) -> QuantizeSummary:
    """
    The main job: writes output_deploy_model.onnx, output_fake_quant_model.onnx, output_record.txt and output_config.json, all or none. effort: "default" or "high". With labels, one class number a sample of eval_data (or of data), accuracy is measured. max_memory: in bytes; more passes over the data if need be.
    """

class _WeightCalibration:
    """
    For lathe.amct_pytorch: a calibration that has done the weights and waits for its data.
    """

    def __init__(self, model: lathe._types.ModelLike, data: lathe._types.Data, config: lathe._types.ConfigLike, balance: lathe._types.RecordLike | None) -> None: ...

    @property
    def batch_num(self) -> int: ...

    @property
    def record(self) -> Record: ...

    @property
    def left_float(self) -> list[LeftFloat]: ...

    def modified(self) -> Model: ...

    def finish(self, data: lathe._types.Data, *, threads: int = 0, progress: lathe._types.Progress = None) -> Record: ...

def _balanced_layer(model: lathe._types.ModelLike, config: lathe._types.ConfigLike) -> str | None:
    """The first layer of a configuration that has dmq_balancer_param."""

def _check_output_name(path: str) -> None:
    """
    Raises lathe.Error when the reference would not write a file of this name.
    """

def _output_paths(prefix: str) -> OutputPaths:
    """Where the results with this prefix stand; makes the folder."""

class LayerSimilarity:
    """How much a layer alone changes its result."""

    @property
    def layer(self) -> str: ...

    @property
    def similarity(self) -> float: ...

class Candidate:
    """A network that was tried."""

    @property
    def rolled_back(self) -> int:
        """How many of the most sensitive layers were float."""

    @property
    def value(self) -> float: ...

class AutoSummary:
    """What lathe.auto_calibrate did."""

    @property
    def paths(self) -> OutputPaths: ...

    @property
    def float_value(self) -> float: ...

    @property
    def meets_budget(self) -> bool: ...

    @property
    def candidates(self) -> list[Candidate]: ...

    @property
    def chosen(self) -> int:
        """Index of the candidate that was saved."""

    @property
    def resumed(self) -> int: ...

    @property
    def ranking(self) -> list[LayerSimilarity]:
        """The most sensitive layer first."""

    @property
    def quantized(self) -> list[str]: ...

    @property
    def left_float(self) -> list[LeftFloat]: ...

    @property
    def notes(self) -> list[str]: ...

def auto_calibrate(model: lathe._types.PathLike, data: lathe._types.Data, output: lathe._types.PathLike, *, budget: float, evaluate: Callable[[str, str], float] | None = None, identity: str = '', labels: numpy.typing.ArrayLike | None = None, eval_data: lathe._types.Data | None = None, lower_is_better: bool = False, config: lathe._types.ConfigLike | None = None, cfg: lathe._types.PathLike | None = None, threads: int = 0, shapes: lathe._types.Shapes | None = None, progress: lathe._types.Progress = None) -> AutoSummary:
    """
    Quantises as much as an accuracy budget allows (docs/auto-calibration.md). evaluate(deploy, fake_quant) gives one number for the files of two models; `identity` names what it measures: a resumed job takes over numbers of the same name only.
    """

def _create_retrain_config(model: lathe._types.ModelLike, cfg: str | None, modules: Set[str]) -> str:
    """
    The configuration of training, as its file holds it; layers that are none of the modules are left out.
    """

class _PlannedLayer:
    """What training does with a layer."""

    @property
    def name(self) -> str: ...

    @property
    def activation_bits(self) -> int: ...

    @property
    def clips(self) -> tuple[float, float] | None:
        """(clip_max, clip_min), where they are configured."""

    @property
    def fixed_min(self) -> bool: ...

    @property
    def clips_of(self) -> str:
        """The layer whose clips it uses."""

    @property
    def batch_norm(self) -> str | None:
        """The node that will be folded into it."""

    @property
    def weight_bits(self) -> int: ...

    @property
    def ulq(self) -> bool: ...

    @property
    def split(self) -> list[int]:
        """
        The weight as [groups, outer, local, inner]: a scale for each group and local.
        """

class _RetrainPlan:
    """
    For lathe.amct_pytorch: a configuration of training applied to a network.
    """

    @property
    def config(self) -> str:
        """The configuration, as a file would hold it."""

    @property
    def batch_num(self) -> int: ...

    @property
    def layers(self) -> list[_PlannedLayer]: ...

def _retrain_plan(model: lathe._types.ModelLike, config: str) -> _RetrainPlan: ...

class _Evaluated:
    """What an evaluation saw of a trained layer."""

    def __init__(self, layer: str, clips: tuple[float, float], bits: tuple[int, int], weight_scales: Sequence[float]) -> None: ...

    def fold(self, gamma: Sequence[float], variance: Sequence[float], epsilon: float) -> None:
        """The BatchNormalization behind the layer."""

def _find_clips(batches: Sequence[numpy.typing.NDArray[Any]], bits: int) -> tuple[float, float]:
    """Where training starts to clip such values: above and below."""

def _retrain_record(layers: Sequence[_Evaluated]) -> Record:
    """The factors of trained layers."""

def _save_retrained(model: lathe._types.ModelLike, record: lathe._types.RecordLike, output: str, unfolded: Sequence[str]) -> list[str]:
    """
    Folds BatchNormalization but behind `unfolded`, and writes both models.
    """

def _read_state(path: str, name: str | None, wanted: dict[str, numpy.typing.NDArray[Any]]) -> dict[str, numpy.typing.NDArray[Any]]:
    """
    The tensors of a checkpoint that belong to the wanted ones, each of its shape.
    """
