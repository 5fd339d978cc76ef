#include "lathe/support/text_file.h"

#include "lathe/support/mapped_file.h"

namespace lathe {

StatusOr<std::string> ReadTextFile(const std::string& path) {
  LATHE_ASSIGN_OR_RETURN(const auto file, MappedFile::Open(path));
  LATHE_ASSIGN_OR_RETURN(const auto bytes, file->Range(0, file->size()));
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace lathe
