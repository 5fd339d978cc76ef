// The calibration algorithm of one layer, fed by a tap.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/eval/engine.h"
#include "lathe/flows/observer_context.h"
#include "lathe/quant/activation_range.h"
#include "lathe/quant/config/quant_settings.h"
#include "lathe/quant/hfmg.h"
#include "lathe/quant/ifmr.h"

namespace lathe::flows {

// How a value is quantised, and under which key of the record.
struct ObserverSettings {
  std::string key;
  int bits = 8;
  bool with_offset = true;
  std::variant<quant::IfmrParameters, quant::HfmgParameters> algorithm;

  static ObserverSettings Of(const quant::LayerSettings& layer);
  static ObserverSettings Of(const quant::TensorSettings& tensor);
};

class LayerObserver {
 public:
  // What is observed: the layer's input, the hidden state of LSTM and GRU, or an input of Add or
  // MaxPool on its own.
  enum class Role { kActivation, kHidden, kTensor };

  // `value` is what is observed; the context must outlive the observer.
  LayerObserver(ObserverSettings settings, Role role, int64_t batch_num, const ir::Value* value,
                ObserverContext& context);

  // The most that an observer of `count` values takes, and what it needs of each thread.
  struct Memory {
    uint64_t observer = 0;
    uint64_t thread = 0;
  };
  static Memory MemoryFor(const ObserverSettings& settings, uint64_t count);

  const std::string& layer() const { return settings_.key; }
  Role role() const { return role_; }
  const ir::Value* value() const { return value_; }

  // Takes in one batch. Errors are those that no layer can be blamed for; data that cannot be
  // quantised makes the layer unusable instead.
  Status Observe(const eval::TensorView& view);
  // After all batches: decides, or asks for another pass.
  Status FinishPass();
  // Nothing more to observe: there is a result, or the layer is unusable.
  bool decided() const { return decided_; }
  // Why the layer stays float, once decided.
  const std::optional<std::string>& unusable() const { return unusable_; }
  // Once decided, for a usable layer.
  const quant::ActivationRange& result() const { return result_; }

 private:
  Status ObserveFloats(std::span<const float> values);
  std::string_view Subject() const;
  Status Create(uint64_t first_batch_count);
  void Decide(const quant::ActivationRange& range, quant::DataRange data);
  void MakeUnusable(std::string reason);

  ObserverSettings settings_;
  Role role_;
  int64_t batch_num_;
  const ir::Value* value_;
  ObserverContext& context_;
  std::unique_ptr<quant::IfmrObserver> ifmr_;
  std::optional<quant::HfmgObserver> hfmg_;
  bool decided_ = false;
  std::optional<std::string> unusable_;
  quant::ActivationRange result_;
};

}  // namespace lathe::flows
