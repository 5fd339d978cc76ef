// What a flow hands to its passes beside the model: a configuration, a record, an engine, ... by
// C++ type.
#pragma once

#include <typeindex>
#include <utility>
#include <vector>

namespace lathe::passes {

class Resources {
 public:
  // Does not own; the resource must outlive the run. A second one of a type replaces the first.
  template <typename T>
  void Provide(T* resource) {
    for (auto& [type, pointer] : entries_) {
      if (type == typeid(T)) {
        pointer = resource;
        return;
      }
    }
    entries_.emplace_back(typeid(T), resource);
  }

  // Null when there is none.
  template <typename T>
  T* Find() const {
    for (const auto& [type, pointer] : entries_) {
      if (type == typeid(T)) return static_cast<T*>(pointer);
    }
    return nullptr;
  }

 private:
  std::vector<std::pair<std::type_index, void*>> entries_;
};

}  // namespace lathe::passes
