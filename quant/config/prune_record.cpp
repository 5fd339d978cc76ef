#include "lathe/quant/config/prune_record.h"

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <string_view>

#include "lathe/support/quoted.h"

namespace lathe::quant {
namespace {

constexpr int64_t kBitsOfAnInteger = 64;
// No layer has more; keeps sums in range.
constexpr int64_t kMostChannels = int64_t{1} << 32;

PruneAttribute Integer(std::string_view name, int64_t value) {
  PruneAttribute attribute;
  attribute.name = name;
  attribute.type = PruneAttributeType::kInt;
  attribute.i = value;
  return attribute;
}

PruneAttribute Text(std::string_view name, const std::string& value) {
  PruneAttribute attribute;
  attribute.name = name;
  attribute.type = PruneAttributeType::kString;
  attribute.s = value;
  return attribute;
}

PruneAttribute Integers(std::string_view name, std::vector<int64_t> values) {
  PruneAttribute attribute;
  attribute.name = name;
  attribute.type = PruneAttributeType::kInts;
  attribute.ints = std::move(values);
  return attribute;
}

// The attributes of a node by name, each at most once and of its type.
class Attributes {
 public:
  struct Known {
    std::string_view name;
    PruneAttributeType type;
  };

  static StatusOr<Attributes> Create(const PruneNode& node, std::span<const Known> known) {
    Attributes result;
    for (const PruneAttribute& attribute : node.attributes) {
      const std::string name = attribute.name.value_or("");
      const auto found = std::ranges::find(known, name, &Known::name);
      if (found == known.end()) return InvalidInput("unknown attribute {}", Quoted(name));
      if (result.Find(name) != nullptr) return InvalidInput("{} is there twice", name);
      const bool has_value =
          (found->type == PruneAttributeType::kInt && attribute.i.has_value()) ||
          (found->type == PruneAttributeType::kString && attribute.s.has_value()) ||
          found->type == PruneAttributeType::kInts;
      if (attribute.type != found->type || !has_value) {
        return InvalidInput("{} is not of its type", name);
      }
      result.found_.push_back(&attribute);
    }
    return result;
  }

  const PruneAttribute* Find(std::string_view name) const {
    const auto found = std::ranges::find_if(
        found_, [&](const PruneAttribute* attribute) { return attribute->name == name; });
    return found == found_.end() ? nullptr : *found;
  }
  StatusOr<const PruneAttribute*> Need(std::string_view name) const {
    if (const PruneAttribute* attribute = Find(name)) return attribute;
    return InvalidInput("{} is missing", name);
  }
  std::optional<int64_t> Int(std::string_view name) const {
    const PruneAttribute* attribute = Find(name);
    return attribute == nullptr ? std::nullopt : attribute->i;
  }

 private:
  std::vector<const PruneAttribute*> found_;
};

constexpr std::array<Attributes::Known, 8> kSlotAttributes = {{
    {"type", PruneAttributeType::kString},
    {"begin", PruneAttributeType::kInt},
    {"end", PruneAttributeType::kInt},
    {"group", PruneAttributeType::kInt},
    {"prune_group", PruneAttributeType::kInt},
    {"axis", PruneAttributeType::kInt},
    {"channels", PruneAttributeType::kInt},
    {"prune_index", PruneAttributeType::kInts},
}};

constexpr std::array<Attributes::Known, 2> kMaskAttributes = {{
    {"mask_shape", PruneAttributeType::kInts},
    {"selective_mask", PruneAttributeType::kInts},
}};

Status CheckSlot(const PruneSlot& slot) {
  if (slot.begin < 0 || slot.end <= slot.begin || slot.end > kMostChannels) {
    return InvalidInput("its channels [{}, {}) are no range", slot.begin, slot.end);
  }
  for (const auto& [name, value] : {std::pair("group", slot.group),
                                    {"prune_group", slot.prune_group},
                                    {"axis", slot.axis},
                                    {"channels", slot.channels}}) {
    if (value.has_value() && *value < 1) return InvalidInput("{} is {}", name, *value);
  }
  int64_t before = slot.begin - 1;
  for (const int64_t index : slot.prune_index) {
    if (index <= before || index >= slot.end) {
      return InvalidInput("prune_index holds {}: indices ascend and stay in [{}, {})", index,
                          slot.begin, slot.end);
    }
    before = index;
  }
  if (static_cast<int64_t>(slot.prune_index.size()) == slot.end - slot.begin) {
    return InvalidInput("prune_index holds every channel of [{}, {}): nothing would be left",
                        slot.begin, slot.end);
  }
  return OkStatus();
}

StatusOr<int64_t> ElementCount(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) {
    if (extent < 1 || count > std::numeric_limits<int64_t>::max() / kBitsOfAnInteger / extent) {
      return InvalidInput("mask_shape is no shape of a weight");
    }
    count *= extent;
  }
  return count;
}

// The bit of element i in its integer: bytes from the lowest, bits of a byte from the highest.
int BitOf(size_t i) { return static_cast<int>((i % 64) / 8 * 8 + (7 - i % 8)); }

}  // namespace

StatusOr<PruneSlot> ReadPruneSlot(const PruneNode& node) {
  LATHE_ASSIGN_OR_RETURN(const Attributes attributes, Attributes::Create(node, kSlotAttributes));
  PruneSlot slot;
  slot.name = node.name;
  LATHE_ASSIGN_OR_RETURN(const PruneAttribute* type, attributes.Need("type"));
  slot.type = *type->s;
  LATHE_ASSIGN_OR_RETURN(const PruneAttribute* begin, attributes.Need("begin"));
  slot.begin = *begin->i;
  LATHE_ASSIGN_OR_RETURN(const PruneAttribute* end, attributes.Need("end"));
  slot.end = *end->i;
  slot.group = attributes.Int("group");
  slot.prune_group = attributes.Int("prune_group");
  slot.axis = attributes.Int("axis");
  slot.channels = attributes.Int("channels");
  if (const PruneAttribute* index = attributes.Find("prune_index")) slot.prune_index = index->ints;
  LATHE_RETURN_IF_ERROR(CheckSlot(slot));
  return slot;
}

PruneNode MakePruneNode(const PruneSlot& slot) {
  PruneNode node;
  node.name = slot.name;
  node.attributes = {Text("type", slot.type), Integer("begin", slot.begin),
                     Integer("end", slot.end)};
  if (slot.group.has_value()) node.attributes.push_back(Integer("group", *slot.group));
  if (slot.prune_group.has_value()) {
    node.attributes.push_back(Integer("prune_group", *slot.prune_group));
  }
  if (slot.axis.has_value()) node.attributes.push_back(Integer("axis", *slot.axis));
  if (slot.channels.has_value()) node.attributes.push_back(Integer("channels", *slot.channels));
  if (!slot.prune_index.empty()) {
    node.attributes.push_back(Integers("prune_index", slot.prune_index));
  }
  return node;
}

StatusOr<SelectiveMask> ReadSelectiveMask(const PruneNode& node) {
  LATHE_ASSIGN_OR_RETURN(const Attributes attributes, Attributes::Create(node, kMaskAttributes));
  SelectiveMask result;
  result.name = node.name;
  LATHE_ASSIGN_OR_RETURN(const PruneAttribute* shape, attributes.Need("mask_shape"));
  result.shape = shape->ints;
  LATHE_ASSIGN_OR_RETURN(const int64_t count, ElementCount(result.shape));
  const PruneAttribute* mask = attributes.Find("selective_mask");
  if (mask == nullptr) return result;
  const int64_t wanted = (count + kBitsOfAnInteger - 1) / kBitsOfAnInteger;
  if (static_cast<int64_t>(mask->ints.size()) != wanted) {
    return InvalidInput("selective_mask has {} integers, mask_shape asks for {}", mask->ints.size(),
                        wanted);
  }
  result.mask.resize(static_cast<size_t>(count));
  for (size_t i = 0; i < result.mask.size(); ++i) {
    const auto bits = static_cast<uint64_t>(mask->ints[i / kBitsOfAnInteger]);
    result.mask[i] = static_cast<uint8_t>((bits >> BitOf(i)) & 1);
  }
  return result;
}

PruneNode MakeSelectiveNode(const SelectiveMask& mask) {
  PruneNode node;
  node.name = mask.name;
  node.attributes = {Integers("mask_shape", mask.shape)};
  if (mask.mask.empty()) return node;
  std::vector<uint64_t> packed((mask.mask.size() + kBitsOfAnInteger - 1) / kBitsOfAnInteger);
  for (size_t i = 0; i < mask.mask.size(); ++i) {
    packed[i / kBitsOfAnInteger] |= static_cast<uint64_t>(mask.mask[i]) << BitOf(i);
  }
  node.attributes.push_back(Integers("selective_mask", {packed.begin(), packed.end()}));
  return node;
}

}  // namespace lathe::quant
