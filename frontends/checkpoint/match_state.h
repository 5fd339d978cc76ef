// Which tensor of a checkpoint belongs to which parameter of a model: by name, and never guessed.
#pragma once

#include <string>
#include <vector>

#include "lathe/frontends/checkpoint/checkpoint.h"

namespace lathe::frontends {

// A parameter or buffer that the model wants.
struct StateSlot {
  std::string name;
  ir::ElementType type = ir::ElementType::kUndefined;
  std::vector<int64_t> dims;
};

struct StateMatch {
  // For each slot its tensor, with the slot's dims; no tensor where it is missing or misshapen. The
  // element type is the checkpoint's: floating-point for floating-point slots, integer or bool for
  // the others.
  std::vector<ir::Tensor> tensors;
  // Slots without a key; in the slots' order.
  std::vector<std::string> missing;
  // Keys that no slot has; in the checkpoint's order, as they stand there.
  std::vector<std::string> extra;
  // The key is there, but its tensor has other dims, or an integer type for a floating-point slot,
  // or is no tensor. `found` and `wanted` read "f32[3,4]", or "a dict".
  struct Misshapen {
    std::string name;
    std::string found;
    std::string wanted;
  };
  std::vector<Misshapen> misshapen;

  bool complete() const { return missing.empty() && extra.empty() && misshapen.empty(); }
};

// Names are equal byte by byte. One prefix is known: torch's data-parallel wrappers put "module."
// before every key. As in the reference, it is taken off when all keys of the checkpoint have it
// and not all slots do, and put on when all slots have it and no key does. A tensor [1] fits a slot
// [], as in torch's load_state_dict. O(slots + keys).
StateMatch MatchState(const std::vector<StateSlot>& slots, const StateDict& dict);

// OK when complete. Otherwise one error that lists missing (with the nearest extra keys), extra and
// misshapen keys, at most 20 of each and how many more there are.
Status CheckMatch(const StateMatch& match);

}  // namespace lathe::frontends
