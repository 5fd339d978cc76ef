// ONNX files in.
//
// The reader walks protobuf's wire format itself: what is small becomes IR, tensor payloads become
// ranges of the mapped file, so a model costs memory for its structure and not for its weights.
// Payloads stand at any offset, aligned or not.
//
// Kept so that backends/onnx writes the same message again: the order of everything, documentation,
// metadata, fields stated although empty, whether a tensor stood in raw_data, a typed field or
// another file, value_info of unknown values, and training info, quantisation annotations and
// device configurations (as serialised bytes). Not kept:
// - fields that ONNX does not define; external_data of a tensor that is not external, and its
//   checksum;
// - whether an element type 0, a denotation "" or a ref_attr_name "" was stated, and whether the
//   key or value of an entry or the version of an operator set was left out;
// - a dimension named "" and the extent -1, which some tools write for an unknown extent: they
//   become unknown;
// - the type that an output states where the same value is declared otherwise as an input, an
//   initializer or another output.
// The segment of a tensor is an error.
//
// A node without a name gets the origin "node_<index>", the index in its graph's node list.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "lathe/ir/model.h"
#include "lathe/support/status.h"

namespace lathe::frontends {

// Graphs within graphs, and types within types, deeper than this are refused.
inline constexpr int kMaxNesting = 100;

// Versions of ONNX's own operator set that are read.
inline constexpr int64_t kOldestOpset = 7;
inline constexpr int64_t kNewestOpset = 28;
inline constexpr int64_t kOldestIrVersion = 3;

struct ImportOptions {
  // The folder that external data must lie in; empty: that of the model file.
  std::string external_data_folder;
  // Files of external data that do not stand there yet: where they are, by location.
  std::map<std::string, std::string, std::less<>> external_files;
};

// Reads the model at `path`; the file stays mapped while any of its tensors lives. O(structure of
// the model). Errors name file, graph, node and attribute: not an ONNX model, damaged, an operator
// set or IR version that is too old or too new, names that are undefined, defined twice or used
// before their definition, data that does not fit its shape, external data outside the folder.
StatusOr<std::unique_ptr<ir::Model>> ImportOnnx(const std::string& path,
                                                const ImportOptions& options = {});

// The same from memory, which is copied once; `name` stands for the file in messages. External data
// is an error unless the options name a folder.
StatusOr<std::unique_ptr<ir::Model>> ImportOnnxBytes(std::span<const std::byte> bytes,
                                                     const std::string& name,
                                                     const ImportOptions& options = {});

}  // namespace lathe::frontends
