#include "lathe/flows/layer_observer.h"

#include <algorithm>

#include "lathe/flows/search_options.h"
#include "lathe/flows/tap_values.h"

namespace lathe::flows {
namespace {

quant::IfmrOptions IfmrOptionsFor(const ObserverSettings& settings) {
  return IfmrOptionsOf(std::get<quant::IfmrParameters>(settings.algorithm), settings.bits,
                       settings.with_offset);
}

}  // namespace

ObserverSettings ObserverSettings::Of(const quant::LayerSettings& layer) {
  return {.key = layer.name,
          .bits = layer.activation_bits,
          .with_offset = layer.with_offset,
          .algorithm = layer.algorithm};
}

ObserverSettings ObserverSettings::Of(const quant::TensorSettings& tensor) {
  return {.key = tensor.key,
          .bits = 8,
          .with_offset = tensor.with_offset,
          .algorithm = tensor.algorithm};
}

LayerObserver::Memory LayerObserver::MemoryFor(const ObserverSettings& settings, uint64_t count) {
  if (const auto* hfmg = std::get_if<quant::HfmgParameters>(&settings.algorithm)) {
    // The histogram of all batches, that of one, and the merged one.
    return {3 * sizeof(int64_t) * static_cast<uint64_t>(hfmg->num_of_bins), 0};
  }
  const quant::IfmrOptions options = IfmrOptionsFor(settings);
  return {quant::IfmrObserver::MemoryBytes(options, count),
          quant::IfmrObserver::ScratchBytes(options, count)};
}

LayerObserver::LayerObserver(ObserverSettings settings, Role role, int64_t batch_num,
                             const ir::Value* value, ObserverContext& context)
    : settings_(std::move(settings)),
      role_(role),
      batch_num_(batch_num),
      value_(value),
      context_(context) {}

std::string_view LayerObserver::Subject() const {
  return role_ == Role::kHidden ? "its hidden state" : role_ == Role::kTensor ? "it" : "its input";
}

Status LayerObserver::Create(uint64_t first_batch_count) {
  if (const auto* hfmg = std::get_if<quant::HfmgParameters>(&settings_.algorithm)) {
    LATHE_ASSIGN_OR_RETURN(hfmg_,
                           quant::HfmgObserver::Create({.num_bits = settings_.bits,
                                                        .num_of_bins = hfmg->num_of_bins,
                                                        .asymmetric = settings_.with_offset}));
    return OkStatus();
  }
  LATHE_ASSIGN_OR_RETURN(
      ifmr_, quant::IfmrObserver::Create(IfmrOptionsFor(settings_),
                                         first_batch_count * static_cast<uint64_t>(batch_num_)));
  return OkStatus();
}

Status LayerObserver::Observe(const eval::TensorView& view) {
  if (decided_) return OkStatus();
  std::vector<float> storage;
  if (const auto values = TapValues(view, storage)) return ObserveFloats(*values);
  MakeUnusable(fmt::format("{} is {}", Subject(), ir::ElementTypeName(view.element_type)));
  return OkStatus();
}

Status LayerObserver::ObserveFloats(std::span<const float> values) {
  if (values.empty()) return OkStatus();
  if (!ifmr_ && !hfmg_) LATHE_RETURN_IF_ERROR(Create(values.size()));
  const Status status = hfmg_ ? hfmg_->Observe(values) : context_.Observe(*ifmr_, values);
  if (absl::IsOutOfRange(status)) {
    MakeUnusable(std::string(status.message()));
    return OkStatus();
  }
  return status;
}

Status LayerObserver::FinishPass() {
  if (decided_) return OkStatus();
  if (hfmg_) {
    const StatusOr<quant::ActivationRange> range = hfmg_->Finish();
    if (!range.ok()) return WithContext(range.status(), ErrorContext::kNode, layer());
    Decide(*range, hfmg_->data_range());
    return OkStatus();
  }
  if (!ifmr_) {
    MakeUnusable(std::string(Subject()) + " has no elements");
    return OkStatus();
  }
  const StatusOr<bool> done = ifmr_->FinishPass();
  if (!done.ok()) {
    if (!absl::IsOutOfRange(done.status())) {
      return WithContext(done.status(), ErrorContext::kNode, layer());
    }
    MakeUnusable(std::string(done.status().message()));
    return OkStatus();
  }
  const auto kind = quant::ClassifyRange(ifmr_->data_range(), settings_.bits);
  if (kind != quant::RangeKind::kUsable) {
    MakeUnusable(std::string(quant::DescribeRangeKind(kind)));
  } else if (*done) {
    Decide(ifmr_->result(), ifmr_->data_range());
  }
  return OkStatus();
}

void LayerObserver::Decide(const quant::ActivationRange& range, quant::DataRange data) {
  const auto kind = quant::ClassifyRange(data, settings_.bits);
  if (kind != quant::RangeKind::kUsable) {
    MakeUnusable(std::string(quant::DescribeRangeKind(kind)));
    return;
  }
  decided_ = true;
  result_ = range;
  ifmr_.reset();
  hfmg_.reset();
}

void LayerObserver::MakeUnusable(std::string reason) {
  decided_ = true;
  unusable_ = std::move(reason);
  ifmr_.reset();
  hfmg_.reset();
}

}  // namespace lathe::flows
