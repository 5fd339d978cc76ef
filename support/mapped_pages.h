// The pages of mapped files that this process holds.
#pragma once

#include <cstddef>

namespace lathe {

// A mapping tells of itself while it lives. Thread-safe.
void AddMapping(const std::byte* data, size_t size);
void RemoveMapping(const std::byte* data);

// Whether `data` points into a mapping. O(log of the number of mapped files).
bool IsMapped(const std::byte* data);

// Gives the pages of all mapped files back to the system, which reads them again when they are
// touched. May be called while others read. O(number of mapped files).
void EvictMappedPages();

}  // namespace lathe
