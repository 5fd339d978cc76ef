#include "lathe/frontends/checkpoint/internal/unpickler.h"

#include <optional>
#include <utility>

#include "lathe/frontends/checkpoint/internal/pickle_global.h"
#include "lathe/frontends/checkpoint/internal/pickle_opcodes.h"
#include "lathe/frontends/checkpoint/internal/pickle_reduce.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends::internal {
namespace {

// Each step makes at most one value, so this bounds memory; a checkpoint has some ten steps for
// each tensor.
constexpr uint64_t kMostSteps = 1 << 24;

constexpr std::string_view kHint =
    "save the state dict alone: torch.save(model.state_dict(), FILE)";

}  // namespace

StatusOr<PickleValue> Unpickler::Next() {
  stack_.Clear();
  memo_.clear();
  step_begin_ = bytes_.position();
  Status status = bytes_.rest().starts_with(static_cast<char>(op::kProto))
                      ? OkStatus()
                      : InvalidInput("no pickle of protocol 2 to 5");
  bool ended = false;
  while (status.ok() && !ended) {
    step_begin_ = bytes_.position();
    status = Step(ended);
  }
  if (!status.ok()) {
    Status placed(status.code(), fmt::format("{}{}", std::string(status.message()), Place()));
    return status.code() == absl::StatusCode::kUnimplemented
               ? WithContext(std::move(placed), ErrorContext::kHint, kHint)
               : placed;
  }
  return result_;
}

Status Unpickler::Step(bool& ended) {
  LATHE_ASSIGN_OR_RETURN(const uint64_t byte, bytes_.Number(1));
  const auto opcode = static_cast<uint8_t>(byte);
  if (opcode == op::kStop) {
    ended = true;
    LATHE_ASSIGN_OR_RETURN(result_, stack_.Result());
    return OkStatus();
  }
  if (++steps_ > kMostSteps) {
    return InvalidInput("the pickle takes more than {} steps", kMostSteps);
  }
  bool known = true;
  LATHE_RETURN_IF_ERROR(StepNumber(opcode, known));
  if (!known) LATHE_RETURN_IF_ERROR(StepText(opcode, known));
  if (!known) LATHE_RETURN_IF_ERROR(StepContainer(opcode, known));
  if (!known) LATHE_RETURN_IF_ERROR(StepMemo(opcode, known));
  if (!known) LATHE_RETURN_IF_ERROR(StepGlobal(opcode, known));
  if (known) return OkStatus();
  const std::string_view what = op::RefusedOpcode(opcode);
  if (!what.empty()) return Unsupported("{} is not read", what);
  return InvalidInput("{:#04x} is no pickle opcode that is read", opcode);
}

Status Unpickler::StepNumber(uint8_t opcode, bool& known) {
  known = true;
  switch (opcode) {
    case op::kProto: {
      LATHE_ASSIGN_OR_RETURN(const uint64_t protocol, bytes_.Number(1));
      if (protocol < 2 || protocol > 5) {
        return Unsupported("pickle protocol {} is not read (known: 2 to 5)", protocol);
      }
      return OkStatus();
    }
    case op::kFrame: {
      // Only says how much to read at once.
      return bytes_.Number(8).status();
    }
    case op::kNone:
      Push(PickleKind::kNone);
      return OkStatus();
    case op::kNewTrue:
    case op::kNewFalse:
      Push(PickleKind::kBool, opcode == op::kNewTrue ? 1 : 0);
      return OkStatus();
    case op::kBinInt: {
      LATHE_ASSIGN_OR_RETURN(const uint64_t number, bytes_.Number(4));
      Push(PickleKind::kInt, static_cast<int32_t>(number));
      return OkStatus();
    }
    case op::kBinInt1:
    case op::kBinInt2: {
      LATHE_ASSIGN_OR_RETURN(const uint64_t number, bytes_.Number(opcode == op::kBinInt1 ? 1 : 2));
      Push(PickleKind::kInt, static_cast<int64_t>(number));
      return OkStatus();
    }
    case op::kBinFloat:
      Push(PickleKind::kFloat);
      return bytes_.Number(8).status();
    default:
      known = false;
      return OkStatus();
  }
}

Status Unpickler::StepText(uint8_t opcode, bool& known) {
  known = true;
  const auto sized = [&](PickleKind kind, size_t width) -> Status {
    LATHE_ASSIGN_OR_RETURN(const uint64_t size, bytes_.Number(width));
    return PushText(kind, size);
  };
  switch (opcode) {
    case op::kShortBinUnicode:
    case op::kShortBinString:
      return sized(PickleKind::kText, 1);
    case op::kBinUnicode:
    case op::kBinString:
      return sized(PickleKind::kText, 4);
    case op::kBinUnicode8:
      return sized(PickleKind::kText, 8);
    case op::kShortBinBytes:
      return sized(PickleKind::kBytes, 1);
    case op::kBinBytes:
      return sized(PickleKind::kBytes, 4);
    case op::kBinBytes8:
      return sized(PickleKind::kBytes, 8);
    case op::kLong1:
    case op::kLong4: {
      LATHE_ASSIGN_OR_RETURN(const uint64_t size, bytes_.Number(opcode == op::kLong1 ? 1 : 4));
      return PushLong(size);
    }
    default:
      known = false;
      return OkStatus();
  }
}

Status Unpickler::StepContainer(uint8_t opcode, bool& known) {
  known = true;
  switch (opcode) {
    case op::kMark:
      stack_.PushMark();
      return OkStatus();
    case op::kEmptyTuple:
      return MakeTuple(0);
    case op::kTuple1:
      return MakeTuple(1);
    case op::kTuple2:
      return MakeTuple(2);
    case op::kTuple3:
      return MakeTuple(3);
    case op::kTuple: {
      LATHE_ASSIGN_OR_RETURN(PickleHeap::Items items, stack_.PopToMark());
      PushTuple(std::move(items));
      return OkStatus();
    }
    case op::kEmptyList:
      heap_.lists.emplace_back();
      stack_.Push({PickleKind::kList, 0, heap_.lists.size() - 1});
      return OkStatus();
    case op::kEmptyDict:
      heap_.dicts.emplace_back();
      stack_.Push({PickleKind::kDict, 0, heap_.dicts.size() - 1});
      return OkStatus();
    case op::kAppend: {
      LATHE_ASSIGN_OR_RETURN(const PickleValue item, stack_.Pop());
      return AppendItems({item});
    }
    case op::kAppends: {
      LATHE_ASSIGN_OR_RETURN(const PickleHeap::Items items, stack_.PopToMark());
      return AppendItems(items);
    }
    case op::kSetItem: {
      LATHE_ASSIGN_OR_RETURN(const PickleValue value, stack_.Pop());
      LATHE_ASSIGN_OR_RETURN(const PickleValue key, stack_.Pop());
      return SetItems({key, value});
    }
    case op::kSetItems: {
      LATHE_ASSIGN_OR_RETURN(const PickleHeap::Items items, stack_.PopToMark());
      return SetItems(items);
    }
    default:
      known = false;
      return OkStatus();
  }
}

Status Unpickler::StepMemo(uint8_t opcode, bool& known) {
  known = true;
  uint64_t place = 0;
  switch (opcode) {
    case op::kMemoize:
      place = memo_.size();
      break;
    case op::kBinPut:
    case op::kBinGet: {
      LATHE_ASSIGN_OR_RETURN(place, bytes_.Number(1));
      break;
    }
    case op::kLongBinPut:
    case op::kLongBinGet: {
      LATHE_ASSIGN_OR_RETURN(place, bytes_.Number(4));
      break;
    }
    default:
      known = false;
      return OkStatus();
  }
  if (opcode == op::kBinGet || opcode == op::kLongBinGet) {
    const auto found = memo_.find(place);
    if (found == memo_.end()) return InvalidInput("nothing was remembered as {}", place);
    stack_.Push(found->second);
    return OkStatus();
  }
  LATHE_ASSIGN_OR_RETURN(memo_[place], stack_.Top());
  return OkStatus();
}

Status Unpickler::StepGlobal(uint8_t opcode, bool& known) {
  known = true;
  switch (opcode) {
    case op::kGlobal: {
      LATHE_ASSIGN_OR_RETURN(const std::string_view module, bytes_.Line());
      LATHE_ASSIGN_OR_RETURN(const std::string_view name, bytes_.Line());
      return Global(module, name);
    }
    case op::kStackGlobal: {
      LATHE_ASSIGN_OR_RETURN(const PickleValue name, stack_.Pop());
      LATHE_ASSIGN_OR_RETURN(const PickleValue module, stack_.Pop());
      if (name.kind != PickleKind::kText || module.kind != PickleKind::kText) {
        return InvalidInput("the name of a function or class is not a text");
      }
      return Global(heap_.Text(module), heap_.Text(name));
    }
    case op::kReduce:
      return Reduce();
    case op::kBuild:
      return Build();
    case op::kBinPersId: {
      LATHE_ASSIGN_OR_RETURN(const PickleValue id, stack_.Pop());
      LATHE_ASSIGN_OR_RETURN(const PickleValue storage, ReadStorageId(heap_, id));
      stack_.Push(storage);
      return OkStatus();
    }
    default:
      known = false;
      return OkStatus();
  }
}

Status Unpickler::PushText(PickleKind kind, uint64_t size) {
  LATHE_ASSIGN_OR_RETURN(const std::string_view text, bytes_.Text(size));
  heap_.texts.push_back(text);
  stack_.Push({kind, 0, heap_.texts.size() - 1});
  return OkStatus();
}

Status Unpickler::PushLong(uint64_t size) {
  if (size > 8) return PushText(PickleKind::kLongInt, size);
  LATHE_ASSIGN_OR_RETURN(uint64_t number, bytes_.Number(size));
  const bool negative = size > 0 && size < 8 && (number >> (8 * size - 1) & 1) != 0;
  if (negative) number |= ~uint64_t{0} << (8 * size);
  Push(PickleKind::kInt, static_cast<int64_t>(number));
  return OkStatus();
}

void Unpickler::PushTuple(PickleHeap::Items items) {
  heap_.lists.push_back(std::move(items));
  stack_.Push({PickleKind::kTuple, 0, heap_.lists.size() - 1});
}

Status Unpickler::MakeTuple(size_t count) {
  LATHE_ASSIGN_OR_RETURN(PickleHeap::Items items, stack_.PopItems(count));
  PushTuple(std::move(items));
  return OkStatus();
}

Status Unpickler::AppendItems(const PickleHeap::Items& items) {
  LATHE_ASSIGN_OR_RETURN(const PickleValue target, stack_.Top());
  if (target.kind != PickleKind::kList) {
    return InvalidInput("items are appended to {}", PickleKindText(target.kind));
  }
  PickleHeap::Items& list = heap_.lists[target.index];
  list.insert(list.end(), items.begin(), items.end());
  return OkStatus();
}

Status Unpickler::SetItems(const PickleHeap::Items& items) {
  LATHE_ASSIGN_OR_RETURN(const PickleValue target, stack_.Top());
  if (target.kind != PickleKind::kDict) {
    return InvalidInput("keys are set in {}", PickleKindText(target.kind));
  }
  if (items.size() % 2 != 0) return InvalidInput("a key has no value");
  PickleHeap::Entries& dict = heap_.dicts[target.index];
  for (size_t i = 0; i < items.size(); i += 2) dict.emplace_back(items[i], items[i + 1]);
  return OkStatus();
}

Status Unpickler::Global(std::string_view module, std::string_view name) {
  const PickleGlobal* global = FindPickleGlobal(module, name);
  if (global == nullptr) {
    return Unsupported(
        "{} is not read: a checkpoint may hold tensors, dicts, lists, numbers and texts",
        Quoted(fmt::format("{}.{}", module, name)));
  }
  heap_.globals.push_back(global);
  stack_.Push({PickleKind::kGlobal, 0, heap_.globals.size() - 1});
  return OkStatus();
}

Status Unpickler::Reduce() {
  LATHE_ASSIGN_OR_RETURN(const PickleValue arguments, stack_.Pop());
  LATHE_ASSIGN_OR_RETURN(const PickleValue function, stack_.Pop());
  if (function.kind != PickleKind::kGlobal || arguments.kind != PickleKind::kTuple) {
    return InvalidInput("{} is called", PickleKindText(function.kind));
  }
  // What is copied counts as steps, so that repeating it stays bounded.
  for (const PickleValue& argument : heap_.List(arguments)) {
    if (argument.kind == PickleKind::kTuple || argument.kind == PickleKind::kList) {
      steps_ += heap_.List(argument).size();
    }
  }
  LATHE_ASSIGN_OR_RETURN(const PickleValue result,
                         CallGlobal(heap_, *heap_.globals[function.index], arguments));
  stack_.Push(result);
  return OkStatus();
}

Status Unpickler::Build() {
  LATHE_ASSIGN_OR_RETURN(const PickleValue state, stack_.Pop());
  LATHE_ASSIGN_OR_RETURN(const PickleValue target, stack_.Top());
  // A state dict's attribute `_metadata`, which says nothing about the tensors.
  if (target.kind == PickleKind::kDict && state.kind == PickleKind::kDict) return OkStatus();
  return Unsupported("state set on {} is not read", PickleKindText(target.kind));
}

std::string Unpickler::Place() const {
  const std::optional<PickleValue> key = stack_.PendingKey();
  return fmt::format(" (byte {} of the pickle{})", step_begin_,
                     key ? ", at key " + Quoted(heap_.Text(*key)) : "");
}

}  // namespace lathe::frontends::internal
