// Protobuf's text format with errors that say where and what.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include "lathe/support/status.h"

namespace lathe::frontends {

// Replaces `message` by what `text` says; an empty text is an empty message. The first error is
// returned, as "line L, column C: ..." with near names for a field that does not exist.
// `places`, if given, learns where each field stands; fields that are required and missing are then
// left to RequireFields, which says where.
Status ParseTextProto(std::string_view text, google::protobuf::Message& message,
                      google::protobuf::TextFormat::ParseInfoTree* places = nullptr);

// A field that files may hold and that cannot be followed.
struct RefusedField {
  std::string_view field;  // "AMCTConfig.nuq_config"
  std::string_view reason;
};

// An error, "line L, column C: field: reason", for the first field of `message` that is refused; in
// the order of the definition. A bool that is false asks for nothing and passes.
Status RefuseFields(const google::protobuf::Message& message,
                    const google::protobuf::TextFormat::ParseInfoTree& places,
                    std::span<const RefusedField> refused);

// An error, "line L, column C: field has no required", for the first message inside of `message`
// that lacks a field; in the order of the definition.
Status RequireFields(const google::protobuf::Message& message,
                     const google::protobuf::TextFormat::ParseInfoTree& places);

// "line L, column C: " of a field (of a repeated one: its first element), or "" when it is not
// there.
std::string FieldPlace(const google::protobuf::Message& message,
                       const google::protobuf::TextFormat::ParseInfoTree& places,
                       std::string_view field);

}  // namespace lathe::frontends
