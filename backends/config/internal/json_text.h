// JSON as the reference writes it: four spaces, "," and ":" without space, ASCII only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lathe/support/status.h"

namespace lathe::backends {

// Text of a file as it grows. The first error stays; the text is worthless then.
class JsonText {
 public:
  // '{' or '['.
  void Begin(char bracket);
  void End(char bracket);

  // Starts an element of a list, or, with `Key`, of an object.
  void Next();
  void Key(std::string_view key);

  void Bool(bool value);
  void Integer(int64_t value);
  // An error when it is not finite.
  void Number(double value);
  // An error when it is not UTF-8.
  void String(std::string_view value);

  StatusOr<std::string> Finish() &&;

 private:
  void NewLine() { text_ += '\n' + std::string(level_ * 4, ' '); }

  std::string text_;
  Status status_;
  size_t level_ = 0;
  bool empty_ = true;
};

}  // namespace lathe::backends
