// Names as they appear in error messages.
#pragma once

#include <string>
#include <string_view>

namespace lathe {

// 'text', with control characters and quotes escaped, so that a hostile name cannot break a message
// over several lines. Readable UTF-8 stays as it is; bytes that are not UTF-8 are escaped. Longer
// than 200 bytes: cut, with "..." at the end.
std::string Quoted(std::string_view text);

}  // namespace lathe
