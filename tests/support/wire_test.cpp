#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/support/wire_reader.h"
#include "lathe/support/wire_writer.h"

namespace lathe {
namespace {

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// The error of reading all fields.
std::string ErrorOf(std::string_view message) {
  WireReader reader(Bytes(message));
  for (WireField field; reader.Next(&field);) {
  }
  return std::string(reader.status().message().data(), reader.status().message().size());
}

TEST(WireReader, ReadsWhatWireMessageWrote) {
  WireMessage message;
  message.AddInt(1, -1);
  message.AddInt(2, 300);
  message.AddFloat(3, -2.5f);
  WireMessage inner;
  inner.AddBytes(1, "text");
  message.AddMessage(4, std::move(inner));
  const std::string text = message.Join();
  EXPECT_EQ(message.size(), text.size());

  WireReader reader(Bytes(text));
  WireField field;
  int64_t number = 0;
  float real = 0;
  std::string_view bytes;
  std::span<const std::byte> part;
  ASSERT_TRUE(reader.Next(&field));
  ASSERT_TRUE(ReadInt(field, "a", &number).ok());
  EXPECT_EQ(number, -1);
  ASSERT_TRUE(reader.Next(&field));
  ASSERT_TRUE(ReadInt(field, "b", &number).ok());
  EXPECT_EQ(number, 300);
  ASSERT_TRUE(reader.Next(&field));
  ASSERT_TRUE(ReadFloat(field, "c", &real).ok());
  EXPECT_EQ(real, -2.5f);
  ASSERT_TRUE(reader.Next(&field));
  EXPECT_EQ(field.number, 4u);
  ASSERT_TRUE(ReadMessage(field, "d", &part).ok());
  EXPECT_FALSE(reader.Next(&field));
  EXPECT_TRUE(reader.status().ok());
  WireReader nested(part);
  ASSERT_TRUE(nested.Next(&field));
  ASSERT_TRUE(ReadText(field, "e", &bytes).ok());
  EXPECT_EQ(bytes, "text");
}

TEST(WireReader, DamagedMessages) {
  EXPECT_EQ(ErrorOf(""), "");
  EXPECT_EQ(ErrorOf("\x80"), "a field's number is damaged");
  EXPECT_EQ(ErrorOf(std::string_view("\0", 1)), "field number 0 is out of range");
  EXPECT_EQ(ErrorOf("\x08"), "the number in field 1 is cut off or too long");
  EXPECT_EQ(ErrorOf("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
            "the number in field 1 is cut off or too long");
  EXPECT_EQ(ErrorOf("\x0d\1\2\3"), "field 1 is cut off");
  EXPECT_EQ(ErrorOf("\x09\1\2\3\4\5\6\7"), "field 1 is cut off");
  EXPECT_EQ(ErrorOf("\x0a\x05"
                    "abc"),
            "field 1 claims 5 bytes, only 3 are left");
  EXPECT_EQ(ErrorOf("\x0b"), "field 1 has wire type 3, which is not in use");
  EXPECT_EQ(ErrorOf("\xf8\xff\xff\xff\xff\x0f\x01"), "field number 68719476735 is out of range");
}

TEST(WireReader, RepeatedNumbersPackedAndNot) {
  const auto ints = [](std::string_view message) {
    std::vector<int64_t> values;
    WireReader reader(Bytes(message));
    for (WireField field; reader.Next(&field);) EXPECT_TRUE(ReadInts(field, "v", &values).ok());
    return values;
  };
  EXPECT_THAT(ints("\x08\x05\x0a\x03\x01\xac\x02"), testing::ElementsAre(5, 1, 300));
  std::vector<int64_t> values;
  WireReader reader(Bytes("\x0a\x01\x80"));
  WireField field;
  ASSERT_TRUE(reader.Next(&field));
  EXPECT_EQ(ReadInts(field, "v", &values).message(), "a number of 'v' is cut off or too long");
  std::vector<float> floats;
  EXPECT_EQ(ReadFloats(field, "v", &floats).message(), "'v' has 1 bytes, not a multiple of 4");
  field.type = WireType::kFixed64;
  EXPECT_EQ(ReadInts(field, "v", &values).message(),
            "field 'v' is stored as 8 bytes, which it never is");
}

TEST(WireMessage, LargePayloadsAreReferredTo) {
  const auto owner = std::make_shared<const std::string>(100'000, 'p');
  WireMessage inner;
  inner.AddInt(1, 7);
  inner.AddPayload(2, Bytes(*owner), owner);
  inner.AddBytes(3, std::string(5'000, 't'));
  WireMessage outer;
  outer.AddMessage(1, std::move(inner));
  outer.AddInt(2, 9);
  const auto& pieces = outer.pieces();
  const auto refers = [&](const WireMessage::Piece& piece) {
    return static_cast<const void*>(piece.payload.data()) == owner->data();
  };
  EXPECT_EQ(std::count_if(pieces.begin(), pieces.end(), refers), 1);
  EXPECT_EQ(owner.use_count(), 2);

  // The same bytes as without references.
  WireMessage copied;
  copied.AddInt(1, 7);
  copied.AddBytes(2, *owner);
  copied.AddBytes(3, std::string(5'000, 't'));
  WireMessage all;
  all.AddMessage(1, std::move(copied));
  all.AddInt(2, 9);
  EXPECT_TRUE(outer.Join() == all.Join());
  EXPECT_EQ(outer.size(), outer.Join().size());
}

}  // namespace
}  // namespace lathe
