#include "lathe/frontends/data/batches.h"

#include <algorithm>
#include <glob.h>
#include <utility>

#include "lathe/frontends/data/npy.h"
#include "lathe/frontends/data/npz.h"
#include "lathe/support/half.h"

namespace lathe::frontends {
namespace {

using ir::InputSpec;
using ir::Tensor;

Status InFile(const Status& status, const std::string& path) {
  return WithContext(status, ErrorContext::kFile, path);
}

std::string NameList(std::span<const InputSpec> inputs) {
  std::string text;
  for (const InputSpec& input : inputs) text += (text.empty() ? "'" : ", '") + input.name + "'";
  return text;
}

// Batches that stand in .npy and .npz files.
class FileBatches : public BatchSource {
 public:
  // One batch: an .npz, or one .npy an input.
  struct Batch {
    bool is_npz = false;
    std::vector<std::string> files;
    std::vector<std::vector<int64_t>> shapes = {};
  };

  explicit FileBatches(std::span<const InputSpec> inputs) : inputs_(inputs.begin(), inputs.end()) {}

  size_t num_batches() const override { return batches_.size(); }

  int64_t samples(size_t i) const override {
    const std::vector<int64_t>& first = batches_[i].shapes[0];
    return first.empty() ? 1 : first[0];
  }

  std::vector<std::vector<int64_t>> shapes(size_t i) const override { return batches_[i].shapes; }

  // Checks the batch by its headers before it is added.
  Status Add(Batch batch) {
    std::vector<NpyHeader> headers;
    if (batch.is_npz) {
      const std::string& path = batch.files.front();
      LATHE_ASSIGN_OR_RETURN(const NpzFile npz, NpzFile::Open(path));
      for (const InputSpec& input : inputs_) {
        LATHE_ASSIGN_OR_RETURN(const NpzFile::Entry* entry, EntryFor(npz, input, path));
        headers.push_back(entry->header);
      }
    } else {
      for (const std::string& path : batch.files) {
        LATHE_ASSIGN_OR_RETURN(NpyHeader header, ReadNpyHeader(path));
        headers.push_back(std::move(header));
      }
    }
    // Each input for itself first, so that the error names the file at fault.
    std::vector<ir::FedInput> fed;
    for (size_t i = 0; i < headers.size(); ++i) {
      fed.push_back({headers[i].element_type, headers[i].dims});
      LATHE_RETURN_IF_ERROR(
          InFile(CheckInput(inputs_[i], fed.back()), batch.files[FileOf(batch, i)]));
    }
    LATHE_RETURN_IF_ERROR(InFile(CheckInputs(inputs_, fed), batch.files.back()));
    for (NpyHeader& header : headers) batch.shapes.push_back(std::move(header.dims));
    batches_.push_back(std::move(batch));
    return OkStatus();
  }

  StatusOr<std::vector<Tensor>> Load(size_t i) const override {
    const Batch& batch = batches_[i];
    std::vector<Tensor> tensors;
    if (batch.is_npz) {
      const std::string& path = batch.files.front();
      LATHE_ASSIGN_OR_RETURN(const NpzFile npz, NpzFile::Open(path));
      for (const InputSpec& input : inputs_) {
        LATHE_ASSIGN_OR_RETURN(const NpzFile::Entry* entry, EntryFor(npz, input, path));
        LATHE_ASSIGN_OR_RETURN(Tensor tensor, npz.Read(*entry));
        tensors.push_back(std::move(tensor));
      }
    } else {
      for (const std::string& path : batch.files) {
        LATHE_ASSIGN_OR_RETURN(Tensor tensor, ReadNpy(path));
        tensors.push_back(std::move(tensor));
      }
    }
    for (size_t k = 0; k < tensors.size(); ++k) {
      LATHE_RETURN_IF_ERROR(
          InFile(CheckInput(inputs_[k], {tensors[k].element_type(), tensors[k].dims()}),
                 batch.files[FileOf(batch, k)]));
    }
    return tensors;
  }

 private:
  static size_t FileOf(const Batch& batch, size_t input) { return batch.is_npz ? 0 : input; }

  static StatusOr<const NpzFile::Entry*> EntryFor(const NpzFile& npz, const InputSpec& input,
                                                  const std::string& path) {
    const NpzFile::Entry* entry = npz.Find(input.name);
    if (entry != nullptr) return entry;
    std::string names;
    for (const NpzFile::Entry& other : npz.entries()) {
      names += (names.empty() ? "'" : ", '") + other.name + "'";
    }
    return InFile(InvalidInput("no array for input '{}' (arrays: {})", input.name,
                               names.empty() ? "none" : names),
                  path);
  }

  std::vector<InputSpec> inputs_;
  std::vector<Batch> batches_;
};

class ImageBatches : public BatchSource {
 public:
  static StatusOr<std::unique_ptr<BatchSource>> Open(const ImageOptions& options,
                                                     std::span<const InputSpec> inputs) {
    if (inputs.size() != 1) {
      return InvalidInput("images can feed a model with one input; this one has {}: {}",
                          inputs.size(), NameList(inputs));
    }
    const InputSpec& input = inputs[0];
    if (input.element != ir::ElementType::kFloat32 && input.element != ir::ElementType::kFloat16) {
      return InvalidInput("input '{}': images become f32 or f16, the model wants {}", input.name,
                          ir::ElementTypeName(input.element));
    }
    if (!input.shape || input.shape->size() != 4) {
      return InvalidInput("input '{}': images have four dimensions, the model wants {}", input.name,
                          ir::ShapeText(input.shape));
    }
    auto source = std::make_unique<ImageBatches>();
    source->options_ = options;
    source->element_ = input.element;
    const ir::Shape& shape = *input.shape;
    const size_t spatial = options.channels_last ? 1 : 2;
    if (!shape[spatial].is_known() || !shape[spatial + 1].is_known()) {
      return InvalidInput(
          "input '{}': the model leaves height and width free: {}; fix them with "
          "--shape",
          input.name, ir::ShapeText(input.shape));
    }
    const ir::Dim& channels = shape[options.channels_last ? 3 : 1];
    source->channels_ = channels.is_known() ? channels.extent() : 3;
    source->height_ = shape[spatial].extent();
    source->width_ = shape[spatial + 1].extent();
    constexpr int64_t kLongestSide = 1 << 15;
    if ((source->channels_ != 1 && source->channels_ != 3) || source->height_ < 1 ||
        source->width_ < 1 || source->height_ > kLongestSide || source->width_ > kLongestSide) {
      return InvalidInput("input '{}': no image in {} layout has the shape {}", input.name,
                          options.channels_last ? "NHWC" : "NCHW", ir::ShapeText(input.shape));
    }
    for (const float std : options.normalization.std) {
      if (!(std > 0)) return InvalidInput("the standard deviation of images must be positive");
    }
    source->batch_ = options.batch > 0     ? options.batch
                     : shape[0].is_known() ? shape[0].extent()
                                           : 1;
    if (shape[0].is_known() && shape[0].extent() != source->batch_) {
      return InvalidInput("input '{}': batches of {} images were asked for, the model wants {}",
                          input.name, source->batch_, ir::ShapeText(input.shape));
    }
    if (source->batch_ < 1) {
      return InvalidInput("input '{}': no image fits the shape {}", input.name,
                          ir::ShapeText(input.shape));
    }
    LATHE_ASSIGN_OR_RETURN(source->files_, ListImages(options.directory));
    const auto count = static_cast<int64_t>(source->files_.size());
    if (shape[0].is_known() && count % source->batch_ != 0) {
      return InFile(InvalidInput("{} images do not fill batches of {}, which input '{}' wants",
                                 count, source->batch_, input.name),
                    options.directory);
    }
    for (const std::string& file : source->files_) {
      LATHE_RETURN_IF_ERROR(CheckImageHeader(file));
    }
    return source;
  }

  size_t num_batches() const override {
    const auto batch = static_cast<size_t>(batch_);
    return (files_.size() + batch - 1) / batch;
  }

  int64_t samples(size_t i) const override {
    return std::min(batch_, static_cast<int64_t>(files_.size() - i * static_cast<size_t>(batch_)));
  }

  std::vector<std::vector<int64_t>> shapes(size_t i) const override { return {DimsOf(samples(i))}; }

  StatusOr<std::vector<Tensor>> Load(size_t i) const override {
    const size_t begin = i * static_cast<size_t>(batch_);
    const size_t end = std::min(files_.size(), begin + static_cast<size_t>(batch_));
    const auto size = static_cast<size_t>(channels_ * height_ * width_);
    std::vector<float> values((end - begin) * size);
    for (size_t file = begin; file < end; ++file) {
      LATHE_ASSIGN_OR_RETURN(const Image image,
                             DecodeImage(files_[file], static_cast<int>(channels_)));
      ResizeAndNormalize(image, static_cast<int>(height_), static_cast<int>(width_),
                         options_.normalization, options_.channels_last,
                         std::span(values).subspan((file - begin) * size, size));
    }
    const auto count = static_cast<int64_t>(end - begin);
    std::vector<int64_t> dims = DimsOf(count);
    if (element_ == ir::ElementType::kFloat32) {
      return std::vector{Tensor::Of<float>(std::move(dims), values)};
    }
    std::vector<std::byte> halves(values.size() * 2);
    for (size_t k = 0; k < values.size(); ++k) {
      const uint16_t half = FloatToHalf(values[k]);
      halves[2 * k] = static_cast<std::byte>(half & 0xff);
      halves[2 * k + 1] = static_cast<std::byte>(half >> 8);
    }
    LATHE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::FromVector(ir::ElementType::kFloat16,
                                                             std::move(dims), std::move(halves)));
    return std::vector{std::move(tensor)};
  }

 private:
  std::vector<int64_t> DimsOf(int64_t count) const {
    if (options_.channels_last) return {count, height_, width_, channels_};
    return {count, channels_, height_, width_};
  }

  ImageOptions options_;
  std::vector<std::string> files_;
  ir::ElementType element_ = ir::ElementType::kFloat32;
  int64_t batch_ = 1;
  int64_t channels_ = 3;
  int64_t height_ = 0;
  int64_t width_ = 0;
};

// The files of a pattern, sorted by name.
StatusOr<std::vector<std::string>> Glob(const std::string& pattern) {
  glob_t found{};
  // Sorted by bytes, not by the locale's order, which would differ from machine to machine.
  const int result = ::glob(pattern.c_str(), GLOB_NOSORT | GLOB_ERR, nullptr, &found);
  std::vector<std::string> files(found.gl_pathv,
                                 found.gl_pathv + (result == 0 ? found.gl_pathc : 0));
  ::globfree(&found);
  if (result == GLOB_NOMATCH) return InvalidInput("no file matches '{}'", pattern);
  if (result != 0) return IoError("cannot list the files of '{}'", pattern);
  std::sort(files.begin(), files.end());
  return files;
}

// The input whose name stands before the '=' of an argument; names may hold '=' themselves.
std::optional<size_t> InputOf(const std::string& argument, std::span<const InputSpec> inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (argument.starts_with(inputs[i].name + "=")) return i;
  }
  return std::nullopt;
}

Status AddGlobs(const std::vector<std::string>& arguments, std::span<const InputSpec> inputs,
                FileBatches& batches) {
  std::vector<std::vector<std::string>> files(inputs.size());
  std::vector<std::string> patterns(inputs.size());
  for (const std::string& argument : arguments) {
    const auto input = InputOf(argument, inputs);
    if (!input) {
      return InvalidInput("data '{}': NAME=GLOB cannot be mixed with plain files", argument);
    }
    if (!files[*input].empty()) {
      return InvalidInput("data for input '{}' is given twice", inputs[*input].name);
    }
    patterns[*input] = argument.substr(inputs[*input].name.size() + 1);
    LATHE_ASSIGN_OR_RETURN(files[*input], Glob(patterns[*input]));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (files[i].empty()) return InvalidInput("no data for input '{}'", inputs[i].name);
    if (files[i].size() != files[0].size()) {
      return InvalidInput("input '{}' has {} files ({}), input '{}' has {} ({})", inputs[0].name,
                          files[0].size(), patterns[0], inputs[i].name, files[i].size(),
                          patterns[i]);
    }
  }
  for (size_t batch = 0; batch < files[0].size(); ++batch) {
    FileBatches::Batch entry;
    for (size_t i = 0; i < inputs.size(); ++i) entry.files.push_back(files[i][batch]);
    LATHE_RETURN_IF_ERROR(batches.Add(std::move(entry)));
  }
  return OkStatus();
}

Status AddFiles(const std::vector<std::string>& arguments, std::span<const InputSpec> inputs,
                FileBatches& batches) {
  for (const std::string& argument : arguments) {
    FileBatches::Batch batch;
    batch.files = {argument};
    batch.is_npz = argument.ends_with(".npz");
    if (!batch.is_npz && !argument.ends_with(".npy")) {
      return InvalidInput("data '{}' is no .npy or .npz file, nor NAME=GLOB with NAME one of {}",
                          argument, NameList(inputs));
    }
    if (!batch.is_npz && inputs.size() != 1) {
      return InvalidInput(
          "data '{}': the model has {} inputs ({}); give NAME=GLOB for each, or "
          ".npz files with arrays of these names",
          argument, inputs.size(), NameList(inputs));
    }
    LATHE_RETURN_IF_ERROR(batches.Add(std::move(batch)));
  }
  return OkStatus();
}

}  // namespace

StatusOr<std::unique_ptr<BatchSource>> OpenBatches(const DataOptions& options,
                                                   std::span<const InputSpec> inputs) {
  if (inputs.empty()) return InvalidInput("the model has no input to feed data to");
  if (options.images) {
    if (!options.arguments.empty()) {
      return InvalidInput("data is given twice: as files and as images");
    }
    return ImageBatches::Open(*options.images, inputs);
  }
  if (options.arguments.empty()) return InvalidInput("no data is given");
  auto batches = std::make_unique<FileBatches>(inputs);
  const bool any_named = std::any_of(
      options.arguments.begin(), options.arguments.end(),
      [&](const std::string& argument) { return InputOf(argument, inputs).has_value(); });
  LATHE_RETURN_IF_ERROR(any_named ? AddGlobs(options.arguments, inputs, *batches)
                                  : AddFiles(options.arguments, inputs, *batches));
  return batches;
}

}  // namespace lathe::frontends
