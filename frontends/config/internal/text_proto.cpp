#include "lathe/frontends/config/internal/text_proto.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <absl/strings/ascii.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/text_format.h>

#include "lathe/support/nearest_names.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::TextFormat;

// Our messages nest seven deep at most; hostile text may not eat the stack.
constexpr int kDeepest = 32;

// The text between `before` and the next `after` in `text`, or "" when it is not there.
std::string Between(const std::string& text, std::string_view before, std::string_view after) {
  const size_t start = text.find(before);
  if (start == std::string::npos) return "";
  const size_t from = start + before.size();
  const size_t end = text.find(after, from);
  return end == std::string::npos ? "" : text.substr(from, end - from);
}

// Lines and columns count from 0; -1 is no place.
std::string Place(int line, int column) {
  return line < 0 ? "" : fmt::format("line {}, column {}: ", line + 1, column + 1);
}

// Both count from 0.
struct Position {
  int line = 0;
  int column = 0;
  bool operator==(const Position&) const = default;
};

// The word of the text that a complaint is about, or "" when it is what stands at its position.
std::string Culprit(const std::string& complaint) {
  for (const std::string_view before :
       {"has no field named \"", "Non-repeated field \"", "enumeration value of \"", "Value: \""}) {
    std::string word = Between(complaint, before, "\"");
    if (!word.empty()) return word;
  }
  if (complaint.find("is specified along with") == std::string::npos) return "";
  return Between(complaint, "Field \"", "\"");
}

// Where the last `word` of `text` before `stop` begins; `stop` itself when there is none. Linear in
// the text; columns as protobuf counts them, with tabs of 8.
Position LastBefore(std::string_view text, Position stop, std::string_view word) {
  Position found = stop;
  Position here;
  for (size_t i = 0; i < text.size() && here != stop; ++i) {
    const bool inside = i > 0 && (absl::ascii_isalnum(text[i - 1]) || text[i - 1] == '_');
    if (!inside && !word.empty() && text.substr(i).starts_with(word)) found = here;
    if (text[i] == '\n') {
      here = {here.line + 1, 0};
    } else {
      here.column += text[i] == '\t' ? 8 - here.column % 8 : 1;
    }
  }
  return found;
}

// Keeps the first error.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  FirstError(const Message& message, std::string_view text)
      : pool_(message.GetDescriptor()->file()->pool()), text_(text) {}

  const Status& status() const { return status_; }

  // Lines and columns count from 0; -1 is an error of the message as a whole.
  void AddError(int line, int column, const std::string& complaint) override {
    if (!status_.ok()) return;
    // Protobuf says where it stopped: after the word that it complains about.
    const Position start = LastBefore(text_, {line, column}, Culprit(complaint));
    const std::string where = Place(start.line, start.column);
    const std::string type = Between(complaint, "Message type \"", "\"");
    const std::string field = Between(complaint, "has no field named \"", "\"");
    const Descriptor* descriptor = pool_->FindMessageTypeByName(type);
    if (field.empty() || descriptor == nullptr) {
      status_ = InvalidInput("{}{}", where, Printable(complaint));
      return;
    }
    std::vector<std::string_view> names;
    names.reserve(descriptor->field_count());
    for (int i = 0; i < descriptor->field_count(); ++i) {
      names.push_back(descriptor->field(i)->name());
    }
    status_ = InvalidInput("{}{} has no field {}", where, descriptor->name(), Quoted(field));
    const std::string hint = DidYouMean(field, names);
    if (!hint.empty()) status_ = WithContext(std::move(status_), ErrorContext::kHint, hint);
  }

 private:
  // One line of readable text, whatever piece of the input the complaint repeats.
  static std::string Printable(const std::string& text) {
    std::string result;
    for (const char c : text) result += c < ' ' || c > '~' ? '?' : c;
    constexpr size_t kLongest = 300;
    return result.size() > kLongest ? result.substr(0, kLongest) + "..." : result;
  }

  const google::protobuf::DescriptorPool* pool_;
  std::string_view text_;
  Status status_;
};

// A message inside of another.
struct Nested {
  const Message& message;
  const TextFormat::ParseInfoTree& places;
  std::string_view field;
  Position position;
};

// Calls `visit` for each message that is directly inside of `message`, until one fails.
Status EachNested(const Message& message, const TextFormat::ParseInfoTree& places,
                  const std::function<Status(const Nested&)>& visit) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  const TextFormat::ParseInfoTree nowhere;
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      const int index = field->is_repeated() ? i : -1;
      const Message& nested = field->is_repeated()
                                  ? reflection.GetRepeatedMessage(message, field, i)
                                  : reflection.GetMessage(message, field);
      const TextFormat::ParseInfoTree* inside = places.GetTreeForNested(field, index);
      const auto location = places.GetLocation(field, index);
      LATHE_RETURN_IF_ERROR(visit({nested,
                                   inside == nullptr ? nowhere : *inside,
                                   field->name(),
                                   {location.line, location.column}}));
    }
  }
  return OkStatus();
}

}  // namespace

Status ParseTextProto(std::string_view text, Message& message, TextFormat::ParseInfoTree* places) {
  if (text.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return InvalidInput("the text is larger than 2 GiB");
  }
  FirstError errors(message, text);
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  if (places != nullptr) parser.WriteLocationsTo(places);
  parser.AllowPartialMessage(places != nullptr);
  parser.SetRecursionLimit(kDeepest);
  google::protobuf::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
  if (parser.Parse(&stream, &message) && errors.status().ok()) return OkStatus();
  if (!errors.status().ok()) return errors.status();
  return InvalidInput("not the text form of {}", message.GetDescriptor()->name());
}

std::string FieldPlace(const Message& message, const TextFormat::ParseInfoTree& places,
                       std::string_view field) {
  const FieldDescriptor* descriptor = message.GetDescriptor()->FindFieldByName(std::string(field));
  if (descriptor == nullptr) return "";
  const auto location = places.GetLocation(descriptor, descriptor->is_repeated() ? 0 : -1);
  return Place(location.line, location.column);
}

Status RefuseFields(const Message& message, const TextFormat::ParseInfoTree& places,
                    std::span<const RefusedField> refused) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string name = field->containing_type()->name() + "." + field->name();
    const auto found = std::ranges::find(refused, name, &RefusedField::field);
    const bool asks = field->cpp_type() != FieldDescriptor::CPPTYPE_BOOL || field->is_repeated() ||
                      reflection.GetBool(message, field);
    if (found != refused.end() && asks) {
      return InvalidInput("{}{}: {}", FieldPlace(message, places, field->name()), field->name(),
                          found->reason);
    }
  }
  return EachNested(message, places, [&](const Nested& nested) {
    return RefuseFields(nested.message, nested.places, refused);
  });
}

Status RequireFields(const Message& message, const TextFormat::ParseInfoTree& places) {
  return EachNested(message, places, [&](const Nested& nested) -> Status {
    const google::protobuf::Reflection& reflection = *nested.message.GetReflection();
    const Descriptor& descriptor = *nested.message.GetDescriptor();
    for (int i = 0; i < descriptor.field_count(); ++i) {
      const FieldDescriptor* field = descriptor.field(i);
      if (!field->is_required() || reflection.HasField(nested.message, field)) continue;
      return InvalidInput("{}{} has no {}", Place(nested.position.line, nested.position.column),
                          nested.field, field->name());
    }
    return RequireFields(nested.message, nested.places);
  });
}

}  // namespace lathe::frontends
