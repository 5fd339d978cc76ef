#include "lathe/flows/kv_observer.h"

#include <algorithm>

#include "lathe/flows/search_options.h"
#include "lathe/flows/tap_values.h"

namespace lathe::flows {
namespace {

// Below this many values of a channel the values are smaller than the histogram of their search.
constexpr uint64_t kMostKept = uint64_t{1} << 18;

// Some tens of milliseconds each, shared by all threads.
constexpr size_t kSearchesAtOnce = 64;

// What observers say of data that cannot be quantised.
Status InOutput(Status status) {
  if (!absl::IsOutOfRange(status)) return status;
  return InvalidInput("its output: {}", std::string(status.message()));
}

}  // namespace

StatusOr<std::unique_ptr<quant::IfmrObserver>> KvObserver::CreateIfmr(uint64_t count) const {
  const auto& ifmr = std::get<quant::IfmrParameters>(layer_.activation.algorithm);
  constexpr int kBits = 8;
  return quant::IfmrObserver::Create(IfmrOptionsOf(ifmr, kBits, asymmetric_), count);
}

Status KvObserver::CreateSearches(size_t count, size_t values_each) {
  const uint64_t expected = uint64_t{values_each} * static_cast<uint64_t>(batch_num_);
  const auto* hfmg = std::get_if<quant::HfmgParameters>(&layer_.activation.algorithm);
  keeps_values_ = hfmg == nullptr && layer_.per_channel && expected < kMostKept;
  searches_.resize(count);
  if (keeps_values_) return OkStatus();
  for (Search& search : searches_) {
    if (hfmg != nullptr) {
      LATHE_ASSIGN_OR_RETURN(search.hfmg,
                             quant::HfmgObserver::Create(
                                 {.num_of_bins = hfmg->num_of_bins, .asymmetric = asymmetric_}));
    } else {
      LATHE_ASSIGN_OR_RETURN(search.ifmr, CreateIfmr(expected));
    }
  }
  return OkStatus();
}

Status KvObserver::Observe(const eval::TensorView& view) {
  std::vector<float> storage;
  const auto values = TapValues(view, storage);
  if (!values) {
    return InvalidInput("its output is {}, only floats can be quantised",
                        ir::ElementTypeName(view.element_type));
  }
  if (values->empty() || view.dims.empty()) return InvalidInput("its output has no elements");
  const size_t channels = layer_.per_channel ? static_cast<size_t>(view.dims.back()) : 1;
  if (searches_.empty()) {
    LATHE_RETURN_IF_ERROR(CreateSearches(channels, values->size() / channels));
  }
  if (searches_.size() != channels) {
    return InvalidInput("its output has {} channels, it had {} before", channels, searches_.size());
  }
  return InOutput(layer_.per_channel ? ObserveChannels(*values) : ObserveTensor(*values));
}

Status KvObserver::ObserveTensor(std::span<const float> values) {
  Search& search = searches_.front();
  return search.hfmg ? search.hfmg->Observe(values) : context_.Observe(*search.ifmr, values);
}

Status KvObserver::ObserveChannels(std::span<const float> values) {
  const size_t channels = searches_.size();
  std::vector<Status> statuses(channels);
  context_.pool().ParallelFor(channels, [&](size_t channel, int thread) {
    Search& search = searches_[channel];
    if (search.decided) return;
    if (keeps_values_) {
      for (size_t i = channel; i < values.size(); i += channels) search.kept.push_back(values[i]);
      return;
    }
    std::vector<float> column(values.size() / channels);
    for (size_t i = 0; i < column.size(); ++i) column[i] = values[i * channels + channel];
    statuses[channel] = search.hfmg ? search.hfmg->Observe(column)
                                    : search.ifmr->Observe(column, context_.scratch(thread));
  });
  return FirstError(statuses);
}

StatusOr<quant::AffineParams> KvObserver::SearchKept(const Search& search,
                                                     quant::IfmrScratch& scratch) const {
  LATHE_ASSIGN_OR_RETURN(const auto ifmr, CreateIfmr(search.kept.size()));
  for (bool done = false; !done;) {
    LATHE_RETURN_IF_ERROR(ifmr->Observe(search.kept, scratch));
    LATHE_ASSIGN_OR_RETURN(done, ifmr->FinishPass());
  }
  return ifmr->result().params;
}

Status KvObserver::Finish(Search& search, quant::IfmrScratch& scratch) const {
  if (keeps_values_) {
    LATHE_ASSIGN_OR_RETURN(search.params, SearchKept(search, scratch));
  } else if (search.hfmg) {
    LATHE_ASSIGN_OR_RETURN(const quant::ActivationRange range, search.hfmg->Finish());
    search.params = range.params;
  } else {
    LATHE_ASSIGN_OR_RETURN(const bool done, search.ifmr->FinishPass());
    if (!done) return OkStatus();
    search.params = search.ifmr->result().params;
  }
  search.decided = true;
  search.kept = {};
  search.ifmr.reset();
  search.hfmg.reset();
  return OkStatus();
}

Status KvObserver::FinishPass(const RunControl& control) {
  if (searches_.empty()) return InvalidInput("its output was never computed");
  constexpr std::string_view kStage = "searching";
  for (size_t done = 0; done < searches_.size();) {
    LATHE_RETURN_IF_ERROR(StopIfAsked(control, kStage, done, searches_.size()));
    const size_t count = std::min(kSearchesAtOnce, searches_.size() - done);
    std::vector<Status> statuses(count);
    context_.pool().ParallelFor(count, [&](size_t i, int thread) {
      Search& search = searches_[done + i];
      if (!search.decided) statuses[i] = Finish(search, context_.scratch(thread));
    });
    LATHE_RETURN_IF_ERROR(InOutput(FirstError(statuses)));
    done += count;
    if (control.progress) control.progress(kStage, done, searches_.size());
  }
  decided_ = std::ranges::all_of(searches_, &Search::decided);
  return OkStatus();
}

quant::KvCacheRecord KvObserver::factors() const {
  quant::KvCacheRecord factors;
  for (const Search& search : searches_) {
    factors.scale.push_back(search.params.scale);
    factors.offset.push_back(search.params.offset);
  }
  return factors;
}

}  // namespace lathe::flows
