// The files that hold tensor data beside a model.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "lathe/support/mapped_file.h"

namespace lathe::frontends {

// Opens each file once, and only files inside one folder or named beforehand.
class ExternalFiles {
 public:
  using Paths = std::map<std::string, std::string, std::less<>>;

  // An empty folder: there is none. `elsewhere`: where files are whose location is taken for a
  // name.
  ExternalFiles(std::string folder, Paths elsewhere)
      : folder_(std::move(folder)), elsewhere_(std::move(elsewhere)) {}

  // Errors: the location is empty, absolute, has a ".." or leads out of the folder through a
  // symbolic link; the file is missing.
  StatusOr<std::shared_ptr<const MappedFile>> Open(std::string_view location);

 private:
  std::string folder_;
  Paths elsewhere_;
  std::map<std::string, std::shared_ptr<const MappedFile>, std::less<>> files_;
};

}  // namespace lathe::frontends
