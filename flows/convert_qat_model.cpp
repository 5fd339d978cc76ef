#include "lathe/flows/convert_qat_model.h"

#include <utility>

#include "lathe/flows/load_model.h"
#include "lathe/passes/quant/lower_qdq_pairs.h"
#include "lathe/quant/config/record_check.h"
#include "lathe/support/quoted.h"

namespace lathe::flows {
namespace {

StatusOr<ConvertedModel> Convert(LoadedQdqModel qdq) {
  ConvertedModel converted;
  converted.record = std::move(qdq.record);
  converted.report = std::move(qdq.report);
  converted.notes = std::move(qdq.loaded.notes);
  std::unique_ptr<ir::Model> model = std::move(qdq.loaded.model);
  if (!converted.record.entries.empty()) {
    LATHE_RETURN_IF_ERROR(quant::CheckRecord(converted.record, DescribeRecordNetwork(*model),
                                             {.for_deploy = true, .scale_a_column = true}));
  }
  LATHE_ASSIGN_OR_RETURN(
      converted.models,
      LowerCheckedModel(std::move(model), converted.record, [&](ir::Model& lowered) {
        passes::LowerQdqPairs(lowered, converted.report);
        return OkStatus();
      }));
  const size_t kept = converted.report.kept.size();
  passes::LowerQdqOutputs(*converted.models.deploy, converted.report);
  const passes::QdqReport& report = converted.report;
  if (report.layers > 0 || report.pairs > 0 || report.kept.size() < kept) return converted;
  if (report.float_layers.empty() && report.kept.empty()) {
    return InvalidInput("nothing of the model can be converted: it rounds nothing but constants");
  }
  const passes::QdqNote& first =
      report.float_layers.empty() ? report.kept.front() : report.float_layers.front();
  return InvalidInput("nothing of the model can be converted; {}: {}", Quoted(first.node),
                      first.reason);
}

}  // namespace

StatusOr<ConvertedModel> ConvertQatModel(const std::string& path) {
  LATHE_ASSIGN_OR_RETURN(LoadedQdqModel qdq, LoadQdqModel(path));
  auto converted = Convert(std::move(qdq));
  if (!converted.ok()) return WithContext(converted.status(), ErrorContext::kFile, path);
  return converted;
}

}  // namespace lathe::flows
