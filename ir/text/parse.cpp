#include "lathe/ir/text/parse.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "lathe/ir/text/internal/graph_parser.h"

namespace lathe::ir {
namespace {

using text::Token;

class ModelParser : public text::GraphParser {
 public:
  using GraphParser::GraphParser;

  StatusOr<std::unique_ptr<Model>> Parse();

 private:
  Status ParseFunction();
  Status ParseInfo();
  Status ParseBlobs(size_t begin);
};

Status ModelParser::ParseFunction() {
  const Token at = token_;
  LATHE_ASSIGN_OR_RETURN(const std::string domain, ExpectWordOrString("a domain"));
  LATHE_RETURN_IF_ERROR(Expect("::"));
  LATHE_ASSIGN_OR_RETURN(const std::string name, ExpectWordOrString("a name"));
  std::string overload;
  if (Accept("@")) {
    LATHE_ASSIGN_OR_RETURN(overload, ExpectWordOrString("an overload"));
  }
  const std::array<Name, 3> key = {model_->Intern(domain), model_->Intern(name),
                                   model_->Intern(overload)};
  if (model_->FindFunction(key[0], key[1], key[2]) != nullptr) {
    return ErrorAt(at, "this function is defined twice");
  }
  Function& function = rewriter_.AddFunction(key[0], key[1], key[2]);
  if (AcceptWord("spelling")) {
    LATHE_ASSIGN_OR_RETURN(const uint8_t spelling, ParseSpelling());
    rewriter_.SetGraphText(function.body(), "", "", {}, spelling);
  }
  Scope scope = {&function.body(), nullptr, {}};
  LATHE_RETURN_IF_ERROR(ParseInputs(scope));
  return ParseContents(scope, &function);
}

Status ModelParser::ParseInfo() {
  ModelInfo& info = rewriter_.MutableInfo();
  struct Text {
    std::string_view word;
    std::string ModelInfo::*value;
    bool ModelInfo::*stated;
  };
  static constexpr Text kTexts[] = {
      {"producer_name", &ModelInfo::producer_name, &ModelInfo::has_producer_name},
      {"producer_version", &ModelInfo::producer_version, &ModelInfo::has_producer_version},
      {"domain", &ModelInfo::domain, &ModelInfo::has_domain},
      {"doc", &ModelInfo::doc, &ModelInfo::has_doc},
  };
  LATHE_RETURN_IF_ERROR(ExpectWord("model"));
  LATHE_RETURN_IF_ERROR(Expect("{"));
  while (!Accept("}")) {
    const auto text =
        std::ranges::find_if(kTexts, [this](const Text& each) { return token_.IsWord(each.word); });
    if (text != std::end(kTexts)) {
      Advance();
      LATHE_ASSIGN_OR_RETURN(info.*(text->value), ExpectString("a text"));
      info.*(text->stated) = true;
    } else if (AcceptWord("ir_version")) {
      LATHE_ASSIGN_OR_RETURN(info.ir_version, ExpectInteger<int64_t>("a version"));
    } else if (AcceptWord("model_version")) {
      LATHE_ASSIGN_OR_RETURN(info.model_version, ExpectInteger<int64_t>("a version"));
      info.has_model_version = true;
    } else if (AcceptWord("import")) {
      LATHE_ASSIGN_OR_RETURN(OpsetImport import, ParseImport());
      info.opset_imports.push_back(std::move(import));
    } else if (AcceptWord("metadata")) {
      LATHE_ASSIGN_OR_RETURN(info.metadata, ParseMetadata());
    } else if (AcceptWord("training_info")) {
      LATHE_ASSIGN_OR_RETURN(std::string bytes, ExpectBase64());
      info.training_info.push_back(std::move(bytes));
    } else if (AcceptWord("device_configuration")) {
      LATHE_ASSIGN_OR_RETURN(std::string bytes, ExpectBase64());
      info.device_configurations.push_back(std::move(bytes));
    } else {
      return Expected("a field of the model or '}'");
    }
  }
  return OkStatus();
}

Status ModelParser::ParseBlobs(size_t begin) {
  Restart(begin);
  LATHE_RETURN_IF_ERROR(ExpectWord("blobs"));
  LATHE_RETURN_IF_ERROR(Expect("{"));
  while (!Accept("}")) {
    const Token at = token_;
    LATHE_ASSIGN_OR_RETURN(const uint32_t index, ExpectInteger<uint32_t>("the number of a blob"));
    if (index != blobs_.size()) return ErrorAt(at, "expected blob {}", blobs_.size());
    LATHE_ASSIGN_OR_RETURN(std::string bytes, ExpectBase64());
    blobs_.push_back(std::make_shared<const std::string>(std::move(bytes)));
  }
  if (token_.kind != Token::Kind::kEnd) return Expected("the end of the text");
  return OkStatus();
}

StatusOr<std::unique_ptr<Model>> ModelParser::Parse() {
  // Blobs stand at the end and are needed at once. No string holds a line's end.
  constexpr std::string_view kBlobs = "\nblobs {";
  const size_t blobs = text_.rfind(kBlobs);
  if (blobs != std::string_view::npos) {
    LATHE_RETURN_IF_ERROR(ParseBlobs(blobs + 1));
    text_ = text_.substr(0, blobs);
  }
  Restart(0);
  LATHE_RETURN_IF_ERROR(ParseInfo());
  LATHE_RETURN_IF_ERROR(ParseGraph(model_->graph(), nullptr, 0));
  while (AcceptWord("function")) LATHE_RETURN_IF_ERROR(ParseFunction());
  if (token_.kind != Token::Kind::kEnd) return Expected("a function, blobs or the end of the text");
  return std::move(model_);
}

}  // namespace

StatusOr<std::unique_ptr<Model>> ParseModel(std::string_view text, const ParseOptions& options) {
  return ModelParser(text, options).Parse();
}

}  // namespace lathe::ir
