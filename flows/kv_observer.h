// The calibration algorithm of one KV-cache tensor, fed by a tap.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "lathe/eval/engine.h"
#include "lathe/flows/observer_context.h"
#include "lathe/flows/run_batches.h"
#include "lathe/quant/config/kv_config.h"
#include "lathe/quant/config/record.h"
#include "lathe/quant/hfmg.h"

namespace lathe::flows {

// One search for the whole tensor, or one for each index of its last axis (the reference's 7.9).
// Memory: that of the observers (quant/ifmr.h, quant/hfmg.h), once for each search; where fewer
// than 2^18 values a channel are expected, IFMR keeps them instead, in at most 1 MB a channel.
class KvObserver {
 public:
  // `layer` and `context` must outlive the observer.
  KvObserver(const quant::KvLayerConfig& layer, bool asymmetric, int64_t batch_num,
             ObserverContext& context)
      : layer_(layer), asymmetric_(asymmetric), batch_num_(batch_num), context_(context) {}

  // Takes in one batch. Errors: a tensor that is not of floats, empty, without axes, or of another
  // number of channels than before; values that are not finite.
  Status Observe(const eval::TensorView& view);
  // After all batches: decides, or asks for another pass. Reports to `control`, and stops when it
  // is asked to, between some searches and the next. Each search costs what its algorithm does
  // (quant/ifmr.h, quant/hfmg.h).
  Status FinishPass(const RunControl& control);
  bool decided() const { return decided_; }
  // Once decided.
  quant::KvCacheRecord factors() const;

 private:
  struct Search {
    // Of IFMR by channel, as long as it is less than the observer would hold.
    std::vector<float> kept;
    std::unique_ptr<quant::IfmrObserver> ifmr;
    std::optional<quant::HfmgObserver> hfmg;
    bool decided = false;
    quant::AffineParams params;
  };

  Status CreateSearches(size_t count, size_t values_each);
  StatusOr<std::unique_ptr<quant::IfmrObserver>> CreateIfmr(uint64_t count) const;
  Status ObserveTensor(std::span<const float> values);
  Status ObserveChannels(std::span<const float> values);
  StatusOr<quant::AffineParams> SearchKept(const Search& search, quant::IfmrScratch& scratch) const;
  Status Finish(Search& search, quant::IfmrScratch& scratch) const;

  const quant::KvLayerConfig& layer_;
  bool asymmetric_;
  int64_t batch_num_;
  ObserverContext& context_;
  std::vector<Search> searches_;
  bool keeps_values_ = false;
  bool decided_ = false;
};

}  // namespace lathe::flows
