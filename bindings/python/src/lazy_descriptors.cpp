// Loading a library makes protobuf enter its messages, by file, in a table of the process; two
// files of one name end the process. torch brings an onnx of its own into the same protobuf. So
// this module, which alone links the definition below, enters nothing when it is loaded: protobuf
// enters a file of messages when they are first looked at by reflection, which Lathe does with its
// own messages and never with onnx's.
#include <google/protobuf/generated_message_reflection.h>

namespace google::protobuf::internal {

AddDescriptorsRunner::AddDescriptorsRunner(const DescriptorTable* /*table*/) {}

}  // namespace google::protobuf::internal
