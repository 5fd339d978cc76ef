// The files that hold tensor data beside a model.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "lathe/support/mapped_file.h"

namespace lathe::frontends {

// Opens each file once, and only files inside one folder.
class ExternalFiles {
 public:
  // Empty: there is no folder, every file is an error.
  explicit ExternalFiles(std::string folder) : folder_(std::move(folder)) {}

  // Errors: the location is empty, absolute, has a ".." or leads out of the folder through a
  // symbolic link; the file is missing.
  StatusOr<std::shared_ptr<const MappedFile>> Open(std::string_view location);

 private:
  std::string folder_;
  std::map<std::string, std::shared_ptr<const MappedFile>, std::less<>> files_;
};

}  // namespace lathe::frontends
