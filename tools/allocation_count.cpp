#include "lathe/tools/allocation_count.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<bool> counting = false;
std::atomic<int64_t> allocation_count = 0;
std::atomic<int64_t> allocated_bytes = 0;

}  // namespace

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define LATHE_COUNTS_ALLOCATIONS

namespace {

void Count(std::size_t size) {
  if (!counting.load(std::memory_order_relaxed)) return;
  allocation_count.fetch_add(1, std::memory_order_relaxed);
  allocated_bytes.fetch_add(static_cast<int64_t>(size), std::memory_order_relaxed);
}

// As operator new must: memory, or whatever the handler does about it, or an exception.
template <typename Allocate>
void* AllocateOrThrow(std::size_t size, Allocate allocate) {
  Count(size);
  while (true) {
    if (void* memory = allocate()) return memory;
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

}  // namespace

// The other forms of new and delete call these.
void* operator new(std::size_t size) {
  return AllocateOrThrow(size, [&] { return std::malloc(size == 0 ? 1 : size); });
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  const auto align = static_cast<std::size_t>(alignment);
  const std::size_t rounded = (size + align - 1) / align * align;
  return AllocateOrThrow(size,
                         [&] { return std::aligned_alloc(align, rounded == 0 ? align : rounded); });
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/, std::align_val_t /*alignment*/) noexcept {
  std::free(memory);
}
#endif

namespace lathe::tools {

std::function<passes::AllocationCount()> CountAllocations() {
#ifdef LATHE_COUNTS_ALLOCATIONS
  counting.store(true, std::memory_order_relaxed);
  return [] {
    return passes::AllocationCount{allocation_count.load(std::memory_order_relaxed),
                                   allocated_bytes.load(std::memory_order_relaxed)};
  };
#else
  return {};
#endif
}

}  // namespace lathe::tools
