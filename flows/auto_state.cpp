#include "lathe/flows/auto_state.h"

#include <exception>
#include <filesystem>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "lathe/support/atomic_file.h"
#include "lathe/support/text_file.h"

namespace lathe::flows {
namespace {

using Json = nlohmann::ordered_json;

AutoState FromJson(const Json& json) {
  AutoState state;
  state.job = json.at("job").get<std::string>();
  if (json.contains("float")) state.float_value = json.at("float").get<double>();
  if (json.contains("ranking")) {
    state.ranking.emplace();
    for (const Json& layer : json.at("ranking")) {
      state.ranking->push_back({layer.at(0).get<std::string>(), layer.at(1).get<double>()});
    }
  }
  const size_t layers = state.ranking ? state.ranking->size() : 0;
  for (const Json& candidate : json.at("candidates")) {
    state.candidates.push_back({candidate.at(0).get<size_t>(), candidate.at(1).get<double>()});
    const size_t count = state.candidates.back().rolled_back;
    if (count > 0 && count >= layers) throw std::out_of_range("rolled_back");
  }
  return state;
}

Json ToJson(const AutoState& state) {
  Json json = {{"job", state.job}};
  if (state.float_value) json["float"] = *state.float_value;
  if (state.ranking) {
    Json ranking = Json::array();
    for (const LayerSimilarity& layer : *state.ranking) {
      ranking.push_back(Json::array({layer.layer, layer.similarity}));
    }
    json["ranking"] = std::move(ranking);
  }
  Json candidates = Json::array();
  for (const MeasuredCandidate& each : state.candidates) {
    candidates.push_back(Json::array({each.rolled_back, each.value}));
  }
  json["candidates"] = std::move(candidates);
  return json;
}

}  // namespace

StatusOr<std::optional<AutoState>> ReadAutoState(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !error) return std::optional<AutoState>();
  LATHE_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
  try {
    return std::optional(FromJson(Json::parse(text)));
  } catch (const std::exception&) {
    return WithContext(
        WithContext(InvalidInput("this is not the state of an automatic calibration"),
                    ErrorContext::kFile, path),
        ErrorContext::kHint, "remove it to begin anew");
  }
}

Status WriteAutoState(const AutoState& state, const std::string& path) {
  try {
    return WriteFileAtomically(path, ToJson(state).dump(1) + "\n");
  } catch (const std::exception& exception) {
    return WithContext(InvalidInput("the state cannot be written: {}", exception.what()),
                       ErrorContext::kFile, path);
  }
}

}  // namespace lathe::flows
