#include "lathe/support/mapped_pages.h"

#include <iterator>
#include <map>
#include <mutex>

#include <sys/mman.h>

namespace lathe {
namespace {

struct Mappings {
  std::mutex mutex;
  std::map<const std::byte*, size_t> sizes;
};

Mappings& AllMappings() {
  // Never destroyed: a file may be closed after all statics are.
  static Mappings& mappings = *new Mappings;
  return mappings;
}

}  // namespace

void AddMapping(const std::byte* data, size_t size) {
  Mappings& all = AllMappings();
  const std::lock_guard lock(all.mutex);
  all.sizes.emplace(data, size);
}

void RemoveMapping(const std::byte* data) {
  Mappings& all = AllMappings();
  const std::lock_guard lock(all.mutex);
  all.sizes.erase(data);
}

bool IsMapped(const std::byte* data) {
  Mappings& all = AllMappings();
  const std::lock_guard lock(all.mutex);
  const auto next = all.sizes.upper_bound(data);
  if (next == all.sizes.begin()) return false;
  const auto& [begin, size] = *std::prev(next);
  return static_cast<size_t>(data - begin) < size;
}

void EvictMappedPages() {
  Mappings& all = AllMappings();
  const std::lock_guard lock(all.mutex);
  for (const auto& [data, size] : all.sizes) {
    ::madvise(const_cast<std::byte*>(data), size, MADV_DONTNEED);
  }
}

}  // namespace lathe
