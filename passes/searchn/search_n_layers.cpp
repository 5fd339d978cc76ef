#include "lathe/passes/searchn/search_n_layers.h"

#include <algorithm>
#include <string_view>

#include <absl/container/flat_hash_map.h>

#include "lathe/ir/rewriter.h"
#include "lathe/passes/canonical/visit_nodes.h"

namespace lathe::passes {
namespace {

using quant::SearchNVersion;

constexpr std::string_view kFirst = ".search_n";
constexpr std::string_view kSecond = ".search_n_v2";

std::string_view SuffixOf(SearchNVersion version) {
  return version == SearchNVersion::kV1 ? kFirst : kSecond;
}

std::optional<SearchNVersion> VersionOf(const ir::Node& node) {
  if (!node.Is("Identity")) return std::nullopt;
  std::string_view name = node.name_text();
  // The number of a further layer.
  const size_t end = name.find_last_not_of("0123456789");
  if (end != std::string_view::npos && end + 1 < name.size() && name[end] == '.') {
    name = name.substr(0, end);
  }
  if (name.ends_with(kFirst)) return SearchNVersion::kV1;
  if (name.ends_with(kSecond)) return SearchNVersion::kV2;
  return std::nullopt;
}

void InsertBehind(ir::Rewriter& rewriter, const QuantLayer& layer, ir::Value& result,
                  std::string name) {
  ir::Node& producer = *result.producer();
  const ir::Rewriter::OriginScope origin(rewriter, *layer.node);
  ir::NodeSpec spec;
  spec.op = "Identity";
  spec.name = std::move(name);
  spec.inputs = {&result};
  ir::Node& node = rewriter.CreateNode(*producer.graph(), producer.next(), std::move(spec));
  ir::Value& copy = *node.output();
  rewriter.SetType(copy, result.type_ref());
  if (result.is_graph_output()) {
    const ir::Name output_name = result.name();
    rewriter.Rename(result, rewriter.model().UniqueValueName(producer.display_name() + "_output0"));
    rewriter.Rename(copy, output_name);
    if (result.notes() != nullptr) rewriter.SetNotes(copy, *result.notes());
  }
  for (ir::Use* use = result.first_use(); use != nullptr;) {
    ir::Use* next = use->next_use();
    if (use->user() != &node) rewriter.ReplaceUse(*use, &copy);
    use = next;
  }
}

}  // namespace

void InsertSearchN(ir::Model& model, const std::vector<RetrainLayer>& layers,
                   std::span<const SearchNGroup> groups, SearchNVersion version) {
  absl::flat_hash_map<std::string_view, const RetrainLayer*> by_name;
  for (const RetrainLayer& layer : layers) by_name.emplace(layer.layer.name, &layer);
  ir::Rewriter rewriter(model);
  for (const SearchNGroup& group : groups) {
    for (size_t i = 0; i < group.size(); ++i) {
      const RetrainLayer& trained = *by_name.at(group[i]);
      std::string name = group[0] + std::string(SuffixOf(version));
      if (i > 0) name += fmt::format(".{}", i);
      ir::Value* result =
          trained.batch_norm != nullptr ? trained.batch_norm->output() : trained.layer.result();
      InsertBehind(rewriter, trained.layer, *result, std::move(name));
    }
  }
}

StatusOr<std::optional<SearchNVersion>> RemoveSearchN(ir::Model& model) {
  std::optional<SearchNVersion> version;
  std::vector<ir::Node*> nodes;
  Status status;
  VisitNodes(model.graph(), [&](ir::Node& node) {
    const std::optional<SearchNVersion> own = VersionOf(node);
    if (!own.has_value()) return;
    if (version.has_value() && *version != *own && status.ok()) {
      status = WithContext(InvalidInput("searchN layers of both versions are in one model"),
                           ErrorContext::kNode, node.display_name());
    }
    version = own;
    nodes.push_back(&node);
  });
  LATHE_RETURN_IF_ERROR(status);
  ir::Rewriter rewriter(model);
  for (ir::Node* node : nodes) rewriter.ReplaceNode(*node, *node->input(0));
  return version;
}

}  // namespace lathe::passes
