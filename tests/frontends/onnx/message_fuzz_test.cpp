// Random edits of well-formed messages: names exchanged, parts removed, repeated, put elsewhere,
// numbers changed. Where plain byte damage mostly breaks the wire format, these files are read to
// the end and are wrong in what they say. LATHE_FUZZ_ITERATIONS sets how many are tried.
#include <random>

#include <google/protobuf/message.h>

#include "lathe/ir/verifier.h"
#include "lathe/tests/frontends/onnx/generated_models.h"
#include "lathe/tests/support/fuzz_inputs.h"

namespace lathe::test {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr int kDefaultIterations = 30'000;

class MessageMutator {
 public:
  explicit MessageMutator(uint64_t seed) : random_(seed) {
    for (const NamedModel& model : GeneratedModels()) Collect(model.proto);
  }

  onnx::ModelProto Next() {
    onnx::ModelProto model = GeneratedModels()[Below(GeneratedModels().size())].proto;
    for (size_t i = 0, edits = 1 + Below(3); i < edits; ++i) {
      std::vector<Message*> parts;
      Parts(model, parts);
      Edit(*parts[Below(parts.size())]);
    }
    return model;
  }

 private:
  size_t Below(size_t end) { return end == 0 ? 0 : static_cast<size_t>(random_() % end); }

  // Every text and every message that a generated model contains.
  void Collect(const Message& message) {
    messages_.push_back(&message);
    std::vector<const FieldDescriptor*> fields;
    const Reflection& reflection = *message.GetReflection();
    reflection.ListFields(message, &fields);
    for (const FieldDescriptor* field : fields) {
      const bool is_text = field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
      const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
      if (field->is_repeated()) {
        for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
          if (is_text) texts_.push_back(reflection.GetRepeatedString(message, field, i));
          if (is_message) Collect(reflection.GetRepeatedMessage(message, field, i));
        }
      } else {
        if (is_text) texts_.push_back(reflection.GetString(message, field));
        if (is_message) Collect(reflection.GetMessage(message, field));
      }
    }
  }

  static void Parts(Message& message, std::vector<Message*>& parts) {
    parts.push_back(&message);
    std::vector<const FieldDescriptor*> fields;
    const Reflection& reflection = *message.GetReflection();
    reflection.ListFields(message, &fields);
    for (const FieldDescriptor* field : fields) {
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
      if (!field->is_repeated()) {
        Parts(*reflection.MutableMessage(&message, field), parts);
        continue;
      }
      for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
        Parts(*reflection.MutableRepeatedMessage(&message, field, i), parts);
      }
    }
  }

  int64_t Number() {
    constexpr int64_t kNumbers[] = {0,  1,  2,   7,       8,         16,        27,
                                    -1, -2, 255, 1000000, INT32_MAX, INT64_MAX, INT64_MIN};
    return kNumbers[Below(std::size(kNumbers))];
  }

  void Edit(Message& message) {
    const auto& descriptor = *message.GetDescriptor();
    const Reflection& reflection = *message.GetReflection();
    if (descriptor.field_count() == 0) return;
    const FieldDescriptor* field =
        descriptor.field(static_cast<int>(Below(static_cast<size_t>(descriptor.field_count()))));
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 0;
    const auto any = static_cast<int>(Below(static_cast<size_t>(count)));
    switch (Below(4)) {
      case 0:
        if (count > 1) {
          reflection.SwapElements(&message, field, any, static_cast<int>(Below(count)));
        } else {
          reflection.ClearField(&message, field);
        }
        break;
      case 1:
        if (count > 0) reflection.RemoveLast(&message, field);
        break;
      case 2: {
        // Another message of this type, somewhere in the models.
        const Message* other = messages_[Below(messages_.size())];
        if (other->GetDescriptor() == &descriptor) message.MergeFrom(*other);
        break;
      }
      default:
        Set(message, field, count, any);
    }
  }

  void Set(Message& message, const FieldDescriptor* field, int count, int any) {
    const Reflection& reflection = *message.GetReflection();
    const bool append = field->is_repeated() && (count == 0 || Below(2) == 0);
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING: {
        const std::string& text = texts_[Below(texts_.size())];
        if (append) return reflection.AddString(&message, field, text);
        if (count > 0) return reflection.SetRepeatedString(&message, field, any, text);
        return reflection.SetString(&message, field, text);
      }
      case FieldDescriptor::CPPTYPE_INT64: {
        const int64_t number = Number();
        if (append) return reflection.AddInt64(&message, field, number);
        if (count > 0) return reflection.SetRepeatedInt64(&message, field, any, number);
        return reflection.SetInt64(&message, field, number);
      }
      case FieldDescriptor::CPPTYPE_INT32: {
        const auto number = static_cast<int32_t>(Number());
        if (append) return reflection.AddInt32(&message, field, number);
        if (count > 0) return reflection.SetRepeatedInt32(&message, field, any, number);
        return reflection.SetInt32(&message, field, number);
      }
      case FieldDescriptor::CPPTYPE_MESSAGE:
        if (append) {
          reflection.AddMessage(&message, field);
        } else if (count == 0) {
          reflection.MutableMessage(&message, field);
        }
        return;
      default:
        return;
    }
  }

  std::mt19937_64 random_;
  std::vector<std::string> texts_;
  std::vector<const Message*> messages_;
};

TEST(FuzzOnnxMessages, WhatIsAcceptedComesOutAsItWentIn) {
  MessageMutator mutator(7);
  int accepted = 0;
  int changed = 0;
  const int iterations = FuzzIterations(kDefaultIterations);
  for (int i = 0; i < iterations; ++i) {
    const std::string message = mutator.Next().SerializeAsString();
    const auto model = ImportText(message);
    if (!model.ok()) {
      ASSERT_FALSE(model.status().message().empty());
      continue;
    }
    ++accepted;
    const Status verified = ir::VerifyModel(**model);
    ASSERT_TRUE(verified.ok()) << "input " << i << ": " << FormatError(verified);
    const auto first = backends::SerializeOnnx(**model);
    ASSERT_TRUE(first.ok()) << "input " << i << ": " << FormatError(first.status());
    const auto again = ImportText(*first);
    ASSERT_TRUE(again.ok()) << "input " << i << ": " << FormatError(again.status());
    const auto second = backends::SerializeOnnx(**again);
    ASSERT_TRUE(second.ok()) << "input " << i << ": " << FormatError(second.status());
    ASSERT_TRUE(*first == *second) << "input " << i << ": the second export differs";
    changed += *first != message;
  }
  EXPECT_GT(accepted, iterations / 2);
  // What the reader's header lists as not kept, mostly entries without key or value.
  EXPECT_LT(changed, accepted / 5);
}

}  // namespace
}  // namespace lathe::test
