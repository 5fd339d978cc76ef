#include "lathe/runtime/openvino/share_constants.h"

#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include <openvino/core/graph_util.hpp>
#include <openvino/core/rt_info.hpp>
#include <openvino/op/constant.hpp>

#include "lathe/support/mapped_pages.h"

namespace lathe::runtime {
namespace {

using ov::op::v0::Constant;

// What OpenVINO's own buffers have; kernels that load whole vectors may count on it.
constexpr uintptr_t kAlignment = 16;

// Not worth the search below this.
constexpr size_t kSmallest = size_t{1} << 14;

}  // namespace

void ShareConstants(const ov::Model& model, std::span<const ir::TensorBytes> memory) {
  std::map<size_t, std::vector<const ir::TensorBytes*>> by_size;
  for (const ir::TensorBytes& bytes : memory) {
    // Pages of a file come and go; a copy goes for good once kernels have their own.
    if (bytes.size() < kSmallest || IsMapped(bytes.data())) continue;
    if (reinterpret_cast<uintptr_t>(bytes.data()) % kAlignment != 0) continue;
    by_size[bytes.size()].push_back(&bytes);
  }
  if (by_size.empty()) return;
  for (const std::shared_ptr<ov::Node>& node : model.get_ordered_ops()) {
    const auto constant = ov::as_type_ptr<Constant>(node);
    if (constant == nullptr) continue;
    const auto found = by_size.find(constant->get_byte_size());
    if (found == by_size.end()) continue;
    for (const ir::TensorBytes* bytes : found->second) {
      if (std::memcmp(bytes->data(), constant->get_data_ptr(), bytes->size()) != 0) continue;
      const auto shared = std::make_shared<Constant>(
          constant->get_element_type(), constant->get_shape(),
          static_cast<const void*>(bytes->data()), std::const_pointer_cast<void>(bytes->owner()));
      shared->set_friendly_name(constant->get_friendly_name());
      shared->output(0).set_names(constant->output(0).get_names());
      ov::copy_runtime_info(constant, shared);
      constant->output(0).replace(shared->output(0));
      break;
    }
  }
}

}  // namespace lathe::runtime
