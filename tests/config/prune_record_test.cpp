#include "lathe/quant/config/prune_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/backends/config/record.h"
#include "lathe/frontends/config/record.h"

namespace lathe::quant {
namespace {

using testing::ElementsAre;

PruneSlot Slot() { return {"conv", "Conv", 4, 8, 2, 4, std::nullopt, std::nullopt, {5, 7}}; }

std::string SlotError(const PruneSlot& slot) {
  const auto read = ReadPruneSlot(MakePruneNode(slot));
  return read.ok() ? "no error" : FormatError(read.status());
}

TEST(PruneRecord, SlotsSurviveTheFile) {
  for (const PruneSlot& slot : {Slot(), PruneSlot{"add", "Add", 0, 3, {}, {}, {}, {}, {}},
                                PruneSlot{"split", "Split", 0, 3, {}, {}, 3, 6, {0}}}) {
    Record record;
    record.prune_records = {{{MakePruneNode(slot)}, {}, {}}};
    const auto parsed = frontends::ParseRecord(backends::WriteRecord(record));
    ASSERT_TRUE(parsed.ok()) << FormatError(parsed.status());
    EXPECT_EQ(*parsed, record);
    const auto read = ReadPruneSlot(parsed->prune_records[0].producers[0]);
    ASSERT_TRUE(read.ok()) << FormatError(read.status());
    EXPECT_EQ(*read, slot);
  }
}

TEST(PruneRecord, AttributesStandInTheReferencesOrder) {
  std::vector<std::string> names;
  for (const PruneAttribute& attribute : MakePruneNode(Slot()).attributes) {
    names.push_back(*attribute.name);
  }
  EXPECT_THAT(names, ElementsAre("type", "begin", "end", "group", "prune_group", "prune_index"));
}

TEST(PruneRecord, SlotErrors) {
  PruneSlot slot = Slot();
  slot.end = 4;
  EXPECT_EQ(SlotError(slot), "its channels [4, 4) are no range");
  slot = Slot();
  slot.prune_index = {5, 5};
  EXPECT_EQ(SlotError(slot), "prune_index holds 5: indices ascend and stay in [4, 8)");
  slot.prune_index = {3};
  EXPECT_EQ(SlotError(slot), "prune_index holds 3: indices ascend and stay in [4, 8)");
  slot.prune_index = {4, 5, 6, 7};
  EXPECT_EQ(SlotError(slot), "prune_index holds every channel of [4, 8): nothing would be left");
  slot = Slot();
  slot.group = 0;
  EXPECT_EQ(SlotError(slot), "group is 0");
  PruneNode node = MakePruneNode(Slot());
  node.attributes.erase(node.attributes.begin());
  EXPECT_EQ(FormatError(ReadPruneSlot(node).status()), "type is missing");
  node = MakePruneNode(Slot());
  node.attributes.push_back(node.attributes[0]);
  EXPECT_EQ(FormatError(ReadPruneSlot(node).status()), "type is there twice");
  node = MakePruneNode(Slot());
  node.attributes[1].name = "start";
  EXPECT_EQ(FormatError(ReadPruneSlot(node).status()), "unknown attribute 'start'");
  node = MakePruneNode(Slot());
  node.attributes[1].type = PruneAttributeType::kString;
  EXPECT_EQ(FormatError(ReadPruneSlot(node).status()), "begin is not of its type");
}

// The reference's example in 8.6.
TEST(PruneRecord, MasksArePackedAsTheReferenceDoes) {
  const SelectiveMask mask = {"fc", {2, 6}, {0, 1, 1, 0, 1, 1, 1, 1, 0, 0, 1, 1}};
  const PruneNode node = MakeSelectiveNode(mask);
  EXPECT_THAT(node.attributes[1].ints, ElementsAre(12399));
  const auto read = ReadSelectiveMask(node);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, mask);
}

TEST(PruneRecord, LongMasks) {
  SelectiveMask mask = {"conv", {5, 27}, {}};
  for (size_t i = 0; i < 135; ++i) mask.mask.push_back(i * i % 3 == 0);
  const PruneNode node = MakeSelectiveNode(mask);
  EXPECT_EQ(node.attributes[1].ints.size(), 3U);
  const auto read = ReadSelectiveMask(node);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, mask);
}

TEST(PruneRecord, MaskErrors) {
  PruneNode node = MakeSelectiveNode({"fc", {2, 6}, {}});
  ASSERT_TRUE(ReadSelectiveMask(node).ok());
  EXPECT_TRUE(ReadSelectiveMask(node)->mask.empty());
  node = MakeSelectiveNode({"fc", {2, 6}, std::vector<uint8_t>(12)});
  node.attributes[0].ints = {9, 9};
  EXPECT_EQ(FormatError(ReadSelectiveMask(node).status()),
            "selective_mask has 1 integers, mask_shape asks for 2");
  node.attributes[0].ints = {-1, 9};
  EXPECT_EQ(FormatError(ReadSelectiveMask(node).status()), "mask_shape is no shape of a weight");
  node.attributes.erase(node.attributes.begin());
  EXPECT_EQ(FormatError(ReadSelectiveMask(node).status()), "mask_shape is missing");
}

}  // namespace
}  // namespace lathe::quant
