#include "lathe/runtime/integer/matrix_step.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace lathe::runtime::integer {
namespace {

// A row that stands for what lies outside: q = offset, that is zero.
AlignedBytes MakePadRow(const TensorInfo& input) {
  AlignedBytes row = AllocateAligned(input.stride * ElementSize(input.element) + 64);
  if (input.element == Element::kInt8) {
    std::memset(row.get(), input.quant.offset + 128, input.stride);
  } else {
    std::fill_n(reinterpret_cast<int16_t*>(row.get()), input.stride,
                static_cast<int16_t>(input.quant.offset));
  }
  return row;
}

int32_t ClipToInt32(int64_t value) {
  return static_cast<int32_t>(std::clamp<int64_t>(value, std::numeric_limits<int32_t>::min(),
                                                  std::numeric_limits<int32_t>::max()));
}

// Whether the epilogue's bias, one number a channel, is all that is to be added to the sums.
bool EpilogueCorrects(const MatrixLayer& layer, const LayerWeights& weights) {
  return layer.accumulator == Accumulator::kInt32 && !weights.stacked && weights.row_bias.empty();
}

class LayerStep : public EpilogueStep {
 public:
  LayerStep(MatrixLayer layer, const TensorInfo& input, std::shared_ptr<Epilogue> epilogue)
      : EpilogueStep(layer.input, std::move(epilogue)),
        layer_(std::move(layer)),
        pad_(MakePadRow(input)) {}

 protected:
  MatrixLayer layer_;
  AlignedBytes pad_;
};

class MatrixStep : public LayerStep {
 public:
  MatrixStep(MatrixLayer layer, const LayerWeights& weights, const TensorInfo& input,
             const Kernels& kernels, std::shared_ptr<Epilogue> epilogue)
      : LayerStep(std::move(layer), input, std::move(epilogue)),
        packed_(PackForTiles(weights, input.element, layer_.accumulator, kernels.format8)),
        groups_(layer_.segments.empty() ? weights.groups : 1),
        columns_(weights.columns),
        depth_bytes_(weights.depth * ElementSize(input.element)) {
    if (!EpilogueCorrects(layer_, weights)) {
      corrections_ = Corrections(weights, input.quant, input.element);
      row_bias_ = weights.row_bias;
    }
  }

  void Run(const RunContext& context) const override {
    // Segments follow one another as groups stand side by side: each has weights of its own.
    const size_t segments = std::max<size_t>(1, layer_.segments.size());
    const size_t rows = layer_.result.rows / segments;
    const size_t units = segments * groups_;
    const size_t taps = layer_.window.taps();
    if (rows == 0 || columns_ == 0) return;
    // So many tiles share their table of addresses, which should stay in the first cache.
    constexpr size_t kTableEntries = 2048;
    constexpr size_t kMostTiles = 16;
    const size_t tiles = (rows + kTileRows - 1) / kTileRows;
    const size_t tiles_a_task =
        std::clamp<size_t>(kTableEntries / (taps * kTileRows), 1, kMostTiles);
    const size_t row_tasks = (tiles + tiles_a_task - 1) / tiles_a_task;
    const size_t blocks = (packed_.panels + kTilePanels - 1) / kTilePanels;
    // Columns are split only where there are too few rows to keep all threads busy.
    const auto wanted = size_t{4} * static_cast<size_t>(context.pool->num_threads());
    const size_t splits =
        std::clamp<size_t>((wanted + row_tasks * units - 1) / (row_tasks * units), 1, blocks);
    const size_t blocks_a_task = (blocks + splits - 1) / splits;
    const size_t column_tasks = (blocks + blocks_a_task - 1) / blocks_a_task;
    const BoundEpilogue epilogue(*epilogue_, layer_.result, context);
    context.pool->ParallelFor(row_tasks * units * column_tasks, [&](size_t task, int) {
      const size_t column_task = task % column_tasks;
      const size_t unit = task / column_tasks % units;
      const size_t first_tile = task / column_tasks / units * tiles_a_task;
      const size_t first_row = first_tile * kTileRows;
      const size_t end_row = std::min(rows, (first_tile + tiles_a_task) * kTileRows);
      Part part;
      if (layer_.segments.empty()) {
        part.group = unit;
        part.matrix = unit;
        part.input_row = first_row;
      } else {
        part.matrix = layer_.segments[unit].matrix;
        part.input_row = layer_.segments[unit].first_input_row + first_row;
      }
      part.first_row = unit / groups_ * rows + first_row;
      part.end_row = unit / groups_ * rows + end_row;
      part.first_block = column_task * blocks_a_task;
      part.end_block = std::min(blocks, part.first_block + blocks_a_task);
      RunPart(context, epilogue, part);
    });
  }

 private:
  struct Part {
    // Of channels.
    size_t group = 0;
    // Of weights: the group or the segment's matrix.
    size_t matrix = 0;
    size_t first_row = 0;
    size_t end_row = 0;
    // Which first_row reads, where every row reads one.
    size_t input_row = 0;
    size_t first_block = 0;
    size_t end_block = 0;
  };

  // Addresses of input rows: [tile][tap][kTileRows]; rows beyond the last repeat it.
  std::vector<const std::byte*> Gather(const RunContext& context, const Part& part) const {
    const TensorInfo& input = context.tensors[layer_.input];
    const size_t row_bytes = input.stride * ElementSize(input.element);
    const size_t offset = part.group * depth_bytes_;
    const std::byte* base = context.At(layer_.input) + offset;
    const size_t taps = layer_.window.taps();
    const size_t tiles = (part.end_row - part.first_row + kTileRows - 1) / kTileRows;
    std::vector<const std::byte*> table(tiles * taps * kTileRows);
    std::vector<int64_t> inputs(taps);
    for (size_t i = 0; i < tiles * kTileRows; ++i) {
      const size_t row = std::min(part.first_row + i, part.end_row - 1);
      const std::byte** out = table.data() + i / kTileRows * taps * kTileRows + i % kTileRows;
      if (layer_.window.identity()) {
        *out = base + (part.input_row + row - part.first_row) * row_bytes;
        continue;
      }
      layer_.window.Rows(row, inputs.data());
      for (size_t tap = 0; tap < taps; ++tap) {
        out[tap * kTileRows] =
            inputs[tap] < 0 ? pad_.get() : base + static_cast<size_t>(inputs[tap]) * row_bytes;
      }
    }
    return table;
  }

  void RunPart(const RunContext& context, const BoundEpilogue& epilogue, const Part& part) const {
    const std::vector<const std::byte*> table = Gather(context, part);
    const Element element = context.tensors[layer_.input].element;
    alignas(64) int32_t sums[kTileRows * kTileColumns];
    TileArgs args;
    args.taps = layer_.window.taps();
    args.groups = packed_.depth_groups;
    args.panel_bytes = packed_.panel_bytes;
    args.sums = sums;
    for (size_t block = part.first_block; block < part.end_block; ++block) {
      const size_t panel = block * kTilePanels;
      args.weights = packed_.Panel(part.matrix, panel);
      args.panels = std::min(kTilePanels, packed_.panels - panel);
      const size_t first_channel = part.group * columns_ + panel * kPanel;
      size_t channels = std::min(kTileColumns, columns_ - panel * kPanel);
      // Whole vectors where nothing else lies behind.
      if (groups_ == 1) channels = RoundUp(channels, kPanel);
      for (size_t row = part.first_row; row < part.end_row; row += kTileRows) {
        args.rows = table.data() + (row - part.first_row) / kTileRows * args.taps * kTileRows;
        if (layer_.accumulator == Accumulator::kInt64) {
          RunWide(args, element, part, row, panel * kPanel);
        } else if (element == Element::kInt8) {
          context.kernels->tile8(args);
        } else {
          context.kernels->tile16(args);
        }
        if (layer_.accumulator == Accumulator::kInt32 && !corrections_.empty()) {
          Correct(args, part, row, panel * kPanel);
        }
        epilogue.RunSums(sums, kTileColumns, row, std::min(kTileRows, part.end_row - row),
                         first_channel, channels);
      }
    }
  }

  // What is to be added to a row's sum in `column` of the part's matrix.
  int64_t Correction(const Part& part, size_t row, size_t column) const {
    const int64_t correction = corrections_[part.matrix * columns_ + column];
    // Rows beyond the last repeat it.
    const size_t at = std::min(row, part.end_row - 1) * columns_ + column;
    return row_bias_.empty() ? correction : correction + row_bias_[at];
  }

  // Modulo 2^32, as the sums are until this is added.
  void Correct(const TileArgs& args, const Part& part, size_t row, size_t first_column) const {
    const size_t columns = std::min(kTileColumns, columns_ - first_column);
    for (size_t r = 0; r < kTileRows; ++r) {
      for (size_t c = 0; c < columns; ++c) {
        int32_t& sum = args.sums[r * kTileColumns + c];
        sum = static_cast<int32_t>(
            static_cast<uint32_t>(sum) +
            static_cast<uint32_t>(Correction(part, row + r, first_column + c)));
      }
    }
  }

  void RunWide(const TileArgs& args, Element element, const Part& part, size_t row,
               size_t first_column) const {
    const size_t columns = std::min(kTileColumns, columns_ - first_column);
    int64_t wide[kTileRows * kTileColumns];
    TileWide(args, element, wide);
    std::fill_n(args.sums, kTileRows * kTileColumns, 0);
    for (size_t r = 0; r < kTileRows; ++r) {
      for (size_t c = 0; c < columns; ++c) {
        const size_t at = r * kTileColumns + c;
        args.sums[at] = ClipToInt32(wide[at] + Correction(part, row + r, first_column + c));
      }
    }
  }

  PackedWeights packed_;
  size_t groups_;
  size_t columns_;
  size_t depth_bytes_;
  // What the epilogue's bias is otherwise.
  std::vector<int64_t> corrections_;
  std::vector<int32_t> row_bias_;
};

class DepthwiseStep : public LayerStep {
 public:
  DepthwiseStep(MatrixLayer layer, const LayerWeights& weights, const TensorInfo& input,
                std::shared_ptr<Epilogue> epilogue)
      : LayerStep(std::move(layer), input, std::move(epilogue)),
        packed_(PackForDepthwise(weights)) {}

  void Run(const RunContext& context) const override {
    const size_t rows = layer_.result.rows;
    // Long enough that taking a task costs nothing, short enough for the second cache.
    constexpr size_t kRowsATask = 48;
    const BoundEpilogue epilogue(*epilogue_, layer_.result, context);
    context.pool->ParallelFor((rows + kRowsATask - 1) / kRowsATask, [&](size_t task, int) {
      const size_t first = task * kRowsATask;
      RunRows(context, epilogue, first, std::min(rows, first + kRowsATask));
    });
  }

 private:
  void RunRows(const RunContext& context, const BoundEpilogue& epilogue, size_t first,
               size_t end) const {
    constexpr size_t kTapGroup = 4;
    const TensorInfo& input = context.tensors[layer_.input];
    const std::byte* base = context.At(layer_.input);
    const size_t taps = layer_.window.taps();
    std::vector<int64_t> inputs(taps);
    std::vector<const std::byte*> table((end - first) * taps);
    for (size_t row = first; row < end; ++row) {
      layer_.window.Rows(row, inputs.data());
      const std::byte** out = table.data() + (row - first) * taps;
      for (size_t tap = 0; tap < taps; ++tap) {
        out[tap] =
            inputs[tap] < 0 ? pad_.get() : base + static_cast<size_t>(inputs[tap]) * input.stride;
      }
    }
    alignas(64) int32_t sums[kTileRows * kTileColumns];
    const size_t panel_bytes = RoundUp(taps, kTapGroup) * kPanel;
    const auto* weights = reinterpret_cast<const int8_t*>(packed_.get());
    for (size_t channel = 0; channel < input.stride; channel += kTileColumns) {
      DepthwiseArgs args;
      args.taps = taps;
      args.first_channel = channel;
      args.channels = std::min(kTileColumns, input.stride - channel);
      args.weights = weights + channel / kPanel * panel_bytes;
      args.sums = sums;
      for (size_t row = first; row < end; row += kTileRows) {
        args.rows = table.data() + (row - first) * taps;
        args.num_rows = std::min(kTileRows, end - row);
        context.kernels->depthwise8(args);
        epilogue.RunSums(sums, kTileColumns, row, args.num_rows, channel, args.channels);
      }
    }
  }

  AlignedBytes packed_;
};

}  // namespace

std::unique_ptr<Step> MakeMatrixStep(MatrixLayer layer, const LayerWeights& weights,
                                     const TensorInfo& input, const Kernels& kernels,
                                     std::shared_ptr<Epilogue> epilogue) {
  epilogue->bias.assign(layer.result.stride, 0);
  if (EpilogueCorrects(layer, weights)) {
    const std::vector<int64_t> corrections = Corrections(weights, input.quant, input.element);
    for (size_t c = 0; c < corrections.size(); ++c) {
      // Modulo 2^32, as the sums are until this is added.
      epilogue->bias[c] = static_cast<int32_t>(static_cast<uint32_t>(corrections[c]));
    }
  }
  const bool depthwise = weights.depth == 1 && weights.columns == 1 && weights.groups > 1 &&
                         !weights.stacked && input.element == Element::kInt8 &&
                         layer.accumulator == Accumulator::kInt32;
  if (depthwise) {
    return std::make_unique<DepthwiseStep>(std::move(layer), weights, input, std::move(epilogue));
  }
  return std::make_unique<MatrixStep>(std::move(layer), weights, input, kernels,
                                      std::move(epilogue));
}

}  // namespace lathe::runtime::integer
