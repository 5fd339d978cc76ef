#include "lathe/passes/core/pipeline.h"

#include <algorithm>

#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

// Groups in groups; a limit keeps hostile text from exhausting the stack.
constexpr int kDeepest = 100;
// Rounds multiply.
constexpr int kDeepestFixpoint = 4;

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
    if (const GroupDescriptor* group = FindGroup(name)) return ParseGroup(*group, start);
    if (const PipelineDescriptor* named = registry_.FindPipeline(name)) {
      return ParseNamed(*named, start);
    }
    return ParsePass(name, start);
  }

  StatusOr<PipelineItem> ParsePass(std::string_view name, size_t start) {
    PipelineItem item;
    LATHE_ASSIGN_OR_RETURN(item.pass, At(start, registry_.FindItem(name)));
    item.options = OptionValues(item.pass->options);
    if (Take('{')) LATHE_RETURN_IF_ERROR(ParseOptions(fmt::format("pass {}", name), item.options));
    if (!AtEnd() && text_[position_] == '(') {
      return Error(position_, "pass {} takes no passes; groups do: {}", Quoted(name), GroupWords());
    }
    if (in_bodies_ && item.pass->scope != PassScope::kGraphs) {
      return Error(start, "pass {} works on the whole model and cannot stand in bodies(...)",
                   Quoted(name));
    }
    return item;
  }

  StatusOr<PipelineItem> ParseNamed(const PipelineDescriptor& named, size_t start) {
    if (!AtEnd() && (text_[position_] == '{' || text_[position_] == '(')) {
      return Error(position_, "pipeline {} takes neither options nor passes", Quoted(named.name));
    }
    PipelineItem item;
    item.group = &GroupOf(GroupKind::kPhase);
    item.options = OptionValues(item.group->options);
    // The option exists and has this type.
    (void)item.options.Set(kGroupName, OptionValue(std::string(named.name)));
    Parser inner(named.text, registry_);
    inner.depth_ = depth_ + 1;
    inner.fixpoint_depth_ = fixpoint_depth_;
    inner.in_bodies_ = in_bodies_;
    StatusOr<std::vector<PipelineItem>> items = inner.Run();
    if (!items.ok()) {
      return Error(start, "in {}: {}", named.name, std::string(items.status().message()));
    }
    item.items = *std::move(items);
    return item;
  }

  StatusOr<PipelineItem> ParseGroup(const GroupDescriptor& group, size_t start) {
    PipelineItem item;
    item.group = &group;
    item.options = OptionValues(group.options);
    if (Take('{')) LATHE_RETURN_IF_ERROR(ParseOptions(group.word, item.options));
    if (group.kind == GroupKind::kFixpoint && item.options.Get<int64_t>(kMostRounds) < 1) {
      return Error(start, "fixpoint: option 'max' must be at least 1");
    }
    if (!Take('(')) return Error(position_, "expected '(' after {}, found {}", group.word, Here());
    const size_t open = position_ - 1;
    const bool bodies = group.kind == GroupKind::kBodies;
    if (in_bodies_ && (bodies || group.kind == GroupKind::kModel)) {
      return Error(start, "{}(...) cannot stand in bodies(...)", group.word);
    }
    const bool fixpoint = group.kind == GroupKind::kFixpoint;
    if (++depth_ > kDeepest) return Error(open, "groups are nested more than {} deep", kDeepest);
    if (fixpoint && ++fixpoint_depth_ > kDeepestFixpoint) {
      return Error(start, "fixpoints are nested more than {} deep", kDeepestFixpoint);
    }
    in_bodies_ |= bodies;
    LATHE_ASSIGN_OR_RETURN(item.items, ParseItems());
    if (!Take(')')) {
      if (AtEnd()) return Error(open, "'(' is not closed");
      return Error(position_, "expected ',' or ')', found {}", Here());
    }
    // bodies(...) stands in no other.
    if (bodies) in_bodies_ = false;
    if (fixpoint) --fixpoint_depth_;
    --depth_;
    return item;
  }

  // After '{'.
  Status ParseOptions(std::string_view owner, OptionValues& options) {
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
      const Status set = options.Parse(name, value);
      if (!set.ok()) {
        return Error(start, "{}: {}", owner, std::string(set.message()));
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
    while (position_ < text_.size()) {
      if (text_[position_] == '#') {
        position_ = std::min(text_.find('\n', position_), text_.size());
      } else if (std::string_view(" \t\r\n").find(text_[position_]) != std::string_view::npos) {
        ++position_;
      } else {
        return;
      }
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

  // "column 7", or "line 2, column 3".
  std::string PlaceOf(size_t position) const {
    if (text_.find('\n') == std::string_view::npos) return fmt::format("column {}", position + 1);
    const std::string_view before = text_.substr(0, position);
    const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
    return fmt::format("line {}, column {}", 1 + std::ranges::count(before, '\n'),
                       position - line_start + 1);
  }
  static std::string GroupWords() {
    std::string words;
    for (const GroupDescriptor& group : AllGroups()) {
      words += fmt::format("{}{}", words.empty() ? "" : ", ", group.word);
    }
    return words;
  }

  template <typename... Args>
  Status Error(size_t position, fmt::format_string<Args...> format, Args&&... args) {
    return InvalidInput("pipeline, {}: {}", PlaceOf(position),
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
  int fixpoint_depth_ = 0;
  bool in_bodies_ = false;
};

void Print(const std::vector<PipelineItem>& items, std::string& text) {
  for (size_t i = 0; i < items.size(); ++i) {
    const PipelineItem& item = items[i];
    if (i > 0) text += ',';
    text += item.name();
    text += item.options.ToText(item.pass != nullptr ? item.pass->options : item.group->options);
    if (item.pass != nullptr) continue;
    text += '(';
    Print(item.items, text);
    text += ')';
  }
}

std::vector<PipelineItem> ItemsFrom(const std::vector<PipelineItem>& items,
                                    std::span<const size_t> path) {
  const auto first = items.begin() + static_cast<std::ptrdiff_t>(path.front());
  if (path.size() == 1) return {first, items.end()};
  std::vector<PipelineItem> result = ItemsFrom(first->items, path.subspan(1));
  if (result == first->items) {
    result = {*first};
  } else if (first->group->kind == GroupKind::kFixpoint) {
    result.push_back(*first);
  } else {
    PipelineItem begun = *first;
    begun.items = std::move(result);
    result = {std::move(begun)};
  }
  result.insert(result.end(), first + 1, items.end());
  return result;
}

PipelineItem ItemAlone(const std::vector<PipelineItem>& items, std::span<const size_t> path) {
  PipelineItem item = items[path.front()];
  if (path.size() == 1) return item;
  PipelineItem inner = ItemAlone(item.items, path.subspan(1));
  if (item.group->kind == GroupKind::kFixpoint) return inner;
  item.items = {std::move(inner)};
  return item;
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

Pipeline Pipeline::From(std::span<const size_t> path) const {
  Pipeline rest;
  rest.items_ = ItemsFrom(items_, path);
  return rest;
}

Pipeline Pipeline::Alone(std::span<const size_t> path) const {
  Pipeline alone;
  alone.items_ = {ItemAlone(items_, path)};
  return alone;
}

std::string Pipeline::ToText() const {
  std::string text;
  Print(items_, text);
  return text;
}

}  // namespace lathe::passes
