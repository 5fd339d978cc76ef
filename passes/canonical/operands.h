// Questions about a node's operands, and small edits of them, that rewrites of several operators
// need.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "lathe/ir/rewriter.h"

namespace lathe::passes {

// The version of ONNX's own operators in the model or function that the node belongs to.
// O(nesting).
int64_t OpsetOf(const ir::Node& node);

bool InFunction(const ir::Graph& graph);

// Some attribute gets its value from the function's caller, so it cannot be read here.
bool HasUnknownAttributes(const ir::Node& node);

// The elements of a constant of integers; nothing when the value is null, not constant, not of
// integers, or longer than any list of axes or extents is (1024).
std::optional<std::vector<int64_t>> ConstantInts(const ir::Value* value);

// One operand of one node reads the first result, and nothing the others.
bool IsOnlyUse(const ir::Node& node);

// Gives input i of the node a value; inputs between the last one and i are omitted. What served
// only the value that was there goes.
void PutInput(ir::Rewriter& rewriter, ir::Node& node, size_t i, ir::Value* value);

// A new constant for `user`: an initializer of its graph, or in a local function, which has none, a
// Constant node in front of it.
ir::Value& MakeConstant(ir::Rewriter& rewriter, ir::Node& user, std::string_view wanted_name,
                        ir::Tensor tensor);
ir::Value& MakeConstant(ir::Rewriter& rewriter, ir::Node& user, std::string_view wanted_name,
                        std::span<const int64_t> values);

// The node hands on `value`: an Identity without attributes, the same results as before.
void BecomeIdentity(ir::Rewriter& rewriter, ir::Node& node, ir::Value& value);

// Drops the inputs from `count` on, and the constants that nothing uses then.
void DropInputs(ir::Rewriter& rewriter, ir::Node& node, size_t count);

}  // namespace lathe::passes
