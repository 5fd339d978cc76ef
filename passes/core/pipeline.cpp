#include "lathe/passes/core/pipeline.h"

#include <algorithm>

#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kPhase = "phase";
// Phases in phases; a limit keeps hostile text from exhausting the stack.
constexpr int kDeepest = 100;

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

class Parser {
 public:
  Parser(std::string_view text, const PassRegistry& registry) : text_(text), registry_(registry) {}

  StatusOr<std::vector<PipelineItem>> Run() {
    LATHE_ASSIGN_OR_RETURN(std::vector<PipelineItem> items, ParseItems());
    if (!AtEnd()) return Error(position_, "unexpected {}", Here());
    return items;
  }

 private:
  // Up to ')' or the end.
  StatusOr<std::vector<PipelineItem>> ParseItems() {
    std::vector<PipelineItem> items;
    if (AtEnd() || text_[position_] == ')') return items;
    while (true) {
      LATHE_ASSIGN_OR_RETURN(PipelineItem item, ParseItem());
      items.push_back(std::move(item));
      if (!Take(',')) return items;
    }
  }

  StatusOr<PipelineItem> ParseItem() {
    SkipSpace();
    const size_t start = position_;
    const std::string_view name = TakeName();
    if (name.empty()) return Error(start, "expected the name of a pass, found {}", Here());
    if (name == kPhase) return ParsePhase();
    PipelineItem item;
    LATHE_ASSIGN_OR_RETURN(item.pass, At(start, registry_.Find(name)));
    item.options = OptionValues(item.pass->options);
    if (Take('{')) LATHE_RETURN_IF_ERROR(ParseOptions(item));
    if (!AtEnd() && text_[position_] == '(') {
      return Error(position_, "pass {} takes no passes; only phase(...) does", Quoted(name));
    }
    return item;
  }

  StatusOr<PipelineItem> ParsePhase() {
    if (!Take('(')) return Error(position_, "expected '(' after phase, found {}", Here());
    const size_t open = position_ - 1;
    if (++depth_ > kDeepest) {
      return Error(open, "phases are nested more than {} deep", kDeepest);
    }
    PipelineItem item;
    LATHE_ASSIGN_OR_RETURN(item.items, ParseItems());
    if (!Take(')')) {
      if (AtEnd()) return Error(open, "'(' is not closed");
      return Error(position_, "expected ',' or ')', found {}", Here());
    }
    --depth_;
    return item;
  }

  // After '{'.
  Status ParseOptions(PipelineItem& item) {
    const size_t open = position_ - 1;
    if (Take('}')) return OkStatus();
    std::vector<std::string_view> seen;
    while (true) {
      SkipSpace();
      const size_t start = position_;
      const std::string_view name = TakeName();
      if (name.empty()) return Error(start, "expected the name of an option, found {}", Here());
      if (std::ranges::find(seen, name) != seen.end()) {
        return Error(start, "option {} is given twice", Quoted(name));
      }
      seen.push_back(name);
      if (!Take('=')) {
        return Error(position_, "expected '=' after option {}, found {}", Quoted(name), Here());
      }
      LATHE_ASSIGN_OR_RETURN(const std::string_view value, TakeValue(open));
      const Status set = item.options.Parse(name, value);
      if (!set.ok()) {
        return Error(start, "pass {}: {}", item.pass->name, std::string(set.message()));
      }
      if (Take('}')) return OkStatus();
      if (!Take(',')) return Error(open, "'{{' is not closed");
    }
  }

  // The raw text of a value: up to a ',' or '}' that is outside quotes and brackets.
  StatusOr<std::string_view> TakeValue(size_t open) {
    SkipSpace();
    const size_t start = position_;
    bool in_list = false;
    for (; position_ < text_.size(); ++position_) {
      const char c = text_[position_];
      if (c == '"') {
        const size_t quote = position_;
        for (++position_; position_ < text_.size() && text_[position_] != '"'; ++position_) {
          if (text_[position_] == '\\') ++position_;
        }
        if (position_ >= text_.size()) {
          position_ = text_.size();
          return Error(quote, "the quote is not closed");
        }
      } else if (c == '[') {
        in_list = true;
      } else if (c == ']') {
        in_list = false;
      } else if (!in_list && (c == ',' || c == '}')) {
        break;
      }
    }
    if (position_ >= text_.size()) return Error(open, "'{{' is not closed");
    if (position_ == start) return Error(start, "expected a value, found {}", Here());
    return text_.substr(start, position_ - start);
  }

  void SkipSpace() {
    while (position_ < text_.size() &&
           std::string_view(" \t\r\n").find(text_[position_]) != std::string_view::npos) {
      ++position_;
    }
  }
  bool AtEnd() {
    SkipSpace();
    return position_ >= text_.size();
  }
  bool Take(char c) {
    if (AtEnd() || text_[position_] != c) return false;
    ++position_;
    return true;
  }
  std::string_view TakeName() {
    const size_t start = position_;
    while (position_ < text_.size() && IsNameCharacter(text_[position_])) ++position_;
    return text_.substr(start, position_ - start);
  }
  // What stands at the position, for messages.
  std::string Here() {
    return AtEnd() ? "the end of the text" : Quoted(text_.substr(position_, 1));
  }

  template <typename... Args>
  Status Error(size_t position, fmt::format_string<Args...> format, Args&&... args) {
    return InvalidInput("pipeline, column {}: {}", position + 1,
                        fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename T>
  StatusOr<T> At(size_t position, StatusOr<T> result) {
    if (result.ok()) return result;
    return Error(position, "{}", std::string(result.status().message()));
  }

  std::string_view text_;
  const PassRegistry& registry_;
  size_t position_ = 0;
  int depth_ = 0;
};

void Print(const std::vector<PipelineItem>& items, std::string& text) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) text += ',';
    if (items[i].pass != nullptr) {
      text += items[i].pass->name;
      text += items[i].options.ToText(items[i].pass->options);
    } else {
      text += kPhase;
      text += '(';
      Print(items[i].items, text);
      text += ')';
    }
  }
}

}  // namespace

StatusOr<Pipeline> Pipeline::Parse(std::string_view text, const PassRegistry& registry) {
  Pipeline pipeline;
  LATHE_ASSIGN_OR_RETURN(pipeline.items_, Parser(text, registry).Run());
  return pipeline;
}

void Pipeline::Add(const PassDescriptor& pass, OptionValues options) {
  PipelineItem item;
  item.pass = &pass;
  item.options = std::move(options);
  items_.push_back(std::move(item));
}

std::string Pipeline::ToText() const {
  std::string text;
  Print(items_, text);
  return text;
}

}  // namespace lathe::passes
