// Reads pickles of protocols 2 to 5 without executing anything: what is not a plain value, or a
// tensor as PyTorch writes it, is refused by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <absl/container/flat_hash_map.h>

#include "lathe/frontends/checkpoint/internal/pickle_bytes.h"
#include "lathe/frontends/checkpoint/internal/pickle_stack.h"
#include "lathe/frontends/checkpoint/internal/pickle_value.h"
#include "lathe/support/status.h"

namespace lathe::frontends::internal {

class Unpickler {
 public:
  // `bytes` holds one or several pickles, one after another; `heap` receives their values, whose
  // texts are parts of `bytes`.
  Unpickler(std::span<const std::byte> bytes, PickleHeap& heap) : bytes_(bytes), heap_(heap) {}

  // The next pickle's value. Errors say at which byte and, where one is known, at which key of a
  // dict: damaged or cut short, another protocol, something refused, more than 16 million steps.
  // Linear in the pickle.
  StatusOr<PickleValue> Next();

  // Where the next pickle begins.
  size_t position() const { return bytes_.position(); }

 private:
  // One opcode; `ended` when it is the last one.
  Status Step(bool& ended);
  // Each for one kind of opcodes; `known` is false for others.
  Status StepNumber(uint8_t opcode, bool& known);
  Status StepText(uint8_t opcode, bool& known);
  Status StepContainer(uint8_t opcode, bool& known);
  Status StepMemo(uint8_t opcode, bool& known);
  Status StepGlobal(uint8_t opcode, bool& known);

  void Push(PickleKind kind, int64_t number = 0) { stack_.Push({kind, number, 0}); }
  Status PushText(PickleKind kind, uint64_t size);
  Status PushLong(uint64_t size);
  void PushTuple(PickleHeap::Items items);
  Status MakeTuple(size_t count);
  Status AppendItems(const PickleHeap::Items& items);
  Status SetItems(const PickleHeap::Items& items);
  Status Global(std::string_view module, std::string_view name);
  Status Reduce();
  Status Build();

  // " (byte N of the pickle, at key 'K')": where the current step is.
  std::string Place() const;

  PickleBytes bytes_;
  PickleHeap& heap_;
  PickleStack stack_;
  absl::flat_hash_map<uint64_t, PickleValue> memo_;
  PickleValue result_;
  // Where the current step began.
  size_t step_begin_ = 0;
  uint64_t steps_ = 0;
};

}  // namespace lathe::frontends::internal
