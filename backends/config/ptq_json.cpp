#include "lathe/backends/config/ptq_json.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "lathe/support/decimal_text.h"
#include "lathe/support/quoted.h"
#include "lathe/support/utf8.h"

namespace lathe::backends {
namespace {

using quant::ActivationConfig;
using quant::IfmrParameters;
using quant::PtqConfig;
using quant::PtqLayerConfig;
using quant::WeightConfig;

std::string EscapedUnit(uint32_t unit) { return fmt::format("\\u{:04x}", unit); }

std::string EscapedCharacter(uint32_t character) {
  switch (character) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      break;
  }
  if (character >= 0x10000) {
    const uint32_t rest = character - 0x10000;
    return EscapedUnit(0xD800 + (rest >> 10)) + EscapedUnit(0xDC00 + (rest & 0x3FF));
  }
  if (character < ' ' || character > '~') return EscapedUnit(character);
  return std::string(1, static_cast<char>(character));
}

// Text of the file as it grows. The first error stays; the text is worthless then.
class JsonText {
 public:
  void Begin(char bracket) {
    text_ += bracket;
    ++level_;
    empty_ = true;
  }

  void End(char bracket) {
    --level_;
    if (!empty_) NewLine();
    text_ += bracket;
    empty_ = false;
  }

  // Starts an element of a list, or, with `Key`, of an object.
  void Next() {
    if (!empty_) text_ += ',';
    empty_ = false;
    NewLine();
  }

  void Key(std::string_view key) {
    Next();
    String(key);
    text_ += ':';
  }

  void Bool(bool value) { text_ += value ? "true" : "false"; }
  void Integer(int64_t value) { text_ += fmt::format("{}", value); }

  void Number(double value) {
    if (!std::isfinite(value) && status_.ok()) {
      status_ = InvalidInput("{} cannot be written to a configuration", DecimalText(value));
    }
    text_ += DecimalText(value);
  }

  void String(std::string_view value) {
    text_ += '"';
    std::string_view rest = value;
    while (!rest.empty()) {
      const auto character = TakeUtf8Character(rest);
      if (!character.has_value()) {
        if (status_.ok()) status_ = InvalidInput("the name {} is not UTF-8", Quoted(value));
        return;
      }
      text_ += EscapedCharacter(*character);
    }
    text_ += '"';
  }

  StatusOr<std::string> Finish() && {
    if (!status_.ok()) return std::move(status_);
    return std::move(text_);
  }

 private:
  void NewLine() { text_ += '\n' + std::string(level_ * 4, ' '); }

  std::string text_;
  Status status_;
  size_t level_ = 0;
  bool empty_ = true;
};

void WriteNumbers(const std::array<double, 2>& numbers, JsonText& out) {
  out.Begin('[');
  for (const double number : numbers) {
    out.Next();
    out.Number(number);
  }
  out.End(']');
}

void WriteActivation(const ActivationConfig& activation, JsonText& out) {
  const auto* ifmr = std::get_if<IfmrParameters>(&activation.algorithm);
  out.Begin('{');
  out.Key("num_bits");
  out.Integer(activation.num_bits);
  if (ifmr != nullptr) {
    out.Key("max_percentile");
    out.Number(ifmr->max_percentile);
    out.Key("min_percentile");
    out.Number(ifmr->min_percentile);
    out.Key("search_range");
    WriteNumbers(ifmr->search_range, out);
    out.Key("search_step");
    out.Number(ifmr->search_step);
  }
  out.Key("act_algo");
  out.String(ifmr != nullptr ? "ifmr" : "hfmg");
  if (activation.asymmetric.has_value()) {
    out.Key("asymmetric");
    out.Bool(*activation.asymmetric);
  }
  if (ifmr == nullptr) {
    out.Key("num_of_bins");
    out.Integer(std::get<quant::HfmgParameters>(activation.algorithm).num_of_bins);
  }
  out.End('}');
}

void WriteWeight(const WeightConfig& weight, JsonText& out) {
  out.Begin('{');
  out.Key("num_bits");
  out.Integer(weight.num_bits);
  if (weight.ada.has_value()) {
    out.Key("reg_param");
    out.Number(weight.ada->reg_param);
    out.Key("warm_start");
    out.Number(weight.ada->warm_start);
    out.Key("num_iteration");
    out.Integer(weight.ada->num_iteration);
    out.Key("beta_range");
    WriteNumbers(weight.ada->beta_range, out);
  }
  if (weight.channel_wise.has_value()) {
    out.Key("channel_wise");
    out.Bool(*weight.channel_wise);
  }
  out.Key("wts_algo");
  out.String(weight.ada.has_value() ? "ada_quantize" : "arq_quantize");
  out.End('}');
}

void WriteLayer(const PtqLayerConfig& layer, JsonText& out) {
  out.Begin('{');
  out.Key("quant_enable");
  out.Bool(layer.quant_enable);
  if (layer.dmq_balancer_param.has_value()) {
    out.Key("dmq_balancer_param");
    out.Number(*layer.dmq_balancer_param);
  }
  out.Key("activation_quant_params");
  WriteActivation(layer.activation, out);
  if (layer.weight.has_value()) {
    out.Key("weight_quant_params");
    WriteWeight(*layer.weight, out);
  }
  out.End('}');
}

// Absent when empty: the PyTorch flavour's files do not have it.
void WriteTensors(const std::vector<quant::TensorQuantizeConfig>& tensors, JsonText& out) {
  out.Key("tensor_quantize");
  out.Begin('[');
  for (const quant::TensorQuantizeConfig& tensor : tensors) {
    out.Next();
    out.Begin('{');
    out.Key("layer_name");
    out.String(tensor.layer_name);
    out.Key("input_index");
    out.Integer(tensor.input_index);
    out.Key("activation_quant_params");
    WriteActivation(tensor.activation, out);
    out.End('}');
  }
  out.End(']');
}

void WriteGlobals(const PtqConfig& config, JsonText& out) {
  out.Key("version");
  out.Integer(config.version);
  out.Key("batch_num");
  out.Integer(config.batch_num);
  out.Key("activation_offset");
  out.Bool(config.activation_offset);
  // Absent when false: the PyTorch flavour's files do not have it.
  if (config.joint_quant) {
    out.Key("joint_quant");
    out.Bool(true);
  }
  out.Key("do_fusion");
  out.Bool(config.do_fusion);
  if (config.force_fp16_quant) {
    out.Key("fakequant_precision_mode");
    out.String("FORCE_FP16_QUANT");
  }
  out.Key("skip_fusion_layers");
  out.Begin('[');
  for (const std::string& name : config.skip_fusion_layers) {
    out.Next();
    out.String(name);
  }
  out.End(']');
  if (!config.tensor_quantize.empty()) WriteTensors(config.tensor_quantize, out);
}

}  // namespace

StatusOr<std::string> WritePtqJson(const PtqConfig& config) {
  std::vector<const PtqLayerConfig*> layers;
  for (const PtqLayerConfig& layer : config.layers) layers.push_back(&layer);
  std::sort(layers.begin(), layers.end(),
            [](const auto* a, const auto* b) { return a->name < b->name; });
  for (size_t i = 0; i < layers.size(); ++i) {
    const std::string& name = layers[i]->name;
    if (quant::IsPtqGlobalKey(name)) {
      return InvalidInput("layer {} has the name of a global key of the configuration: rename it",
                          Quoted(name));
    }
    if (i > 0 && name == layers[i - 1]->name) {
      return InvalidInput("the configuration has two layers named {}", Quoted(name));
    }
  }
  JsonText out;
  out.Begin('{');
  WriteGlobals(config, out);
  for (const PtqLayerConfig* layer : layers) {
    out.Key(layer->name);
    WriteLayer(*layer, out);
  }
  out.End('}');
  return std::move(out).Finish();
}

}  // namespace lathe::backends
