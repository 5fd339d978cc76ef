// Protobuf's text format with errors that say where and what.
#pragma once

#include <string_view>

#include <google/protobuf/message.h>

#include "lathe/support/status.h"

namespace lathe::frontends {

// Replaces `message` by what `text` says; an empty text is an empty message. The first error is
// returned, as "line L, column C: ..." with near names for a field that does not exist.
Status ParseTextProto(std::string_view text, google::protobuf::Message& message);

}  // namespace lathe::frontends
