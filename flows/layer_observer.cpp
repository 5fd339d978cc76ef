#include "lathe/flows/layer_observer.h"

#include <algorithm>

#include "lathe/flows/search_options.h"
#include "lathe/flows/tap_values.h"

namespace lathe::flows {

LayerObserver::LayerObserver(const quant::LayerSettings& settings, Role role, int64_t batch_num,
                             const ir::Value* value, ObserverContext& context)
    : settings_(settings), role_(role), batch_num_(batch_num), value_(value), context_(context) {}

std::string_view LayerObserver::Subject() const {
  return role_ == Role::kHidden ? "its hidden state" : "its input";
}

Status LayerObserver::Create(uint64_t first_batch_count) {
  if (const auto* hfmg = std::get_if<quant::HfmgParameters>(&settings_.algorithm)) {
    LATHE_ASSIGN_OR_RETURN(hfmg_,
                           quant::HfmgObserver::Create({.num_bits = settings_.activation_bits,
                                                        .num_of_bins = hfmg->num_of_bins,
                                                        .asymmetric = settings_.with_offset}));
    return OkStatus();
  }
  const auto& parameters = std::get<quant::IfmrParameters>(settings_.algorithm);
  LATHE_ASSIGN_OR_RETURN(
      ifmr_, quant::IfmrObserver::Create(
                 IfmrOptionsOf(parameters, settings_.activation_bits, settings_.with_offset),
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
  Status status;
  if (hfmg_) {
    status = hfmg_->Observe(values);
  } else {
    const size_t pieces = (values.size() + kPiece - 1) / kPiece;
    std::vector<Status> statuses(pieces);
    context_.pool().ParallelFor(pieces, [&](size_t i, int thread) {
      const auto piece = values.subspan(i * kPiece, std::min(kPiece, values.size() - i * kPiece));
      statuses[i] = ifmr_->Observe(piece, context_.scratch(thread));
    });
    for (const Status& each : statuses) {
      if (status.ok()) status = each;
    }
  }
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
  const auto kind = quant::ClassifyRange(ifmr_->data_range(), settings_.activation_bits);
  if (kind != quant::RangeKind::kUsable) {
    MakeUnusable(std::string(quant::DescribeRangeKind(kind)));
  } else if (*done) {
    Decide(ifmr_->result(), ifmr_->data_range());
  }
  return OkStatus();
}

void LayerObserver::Decide(const quant::ActivationRange& range, quant::DataRange data) {
  const auto kind = quant::ClassifyRange(data, settings_.activation_bits);
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
