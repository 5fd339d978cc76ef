#include "lathe/support/text_diff.h"

#include <algorithm>
#include <span>
#include <vector>

#include <fmt/format.h>

namespace lathe {
namespace {

constexpr int kMostEdits = 1000;

using Lines = std::vector<std::string_view>;

Lines Split(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// ' ' a line of both, '-' one of the first text, '+' one of the second.
using Script = std::string;

// The shortest script, by Myers' greedy algorithm ("An O(ND) Difference Algorithm", 1986): after d
// edits, reach[k] is the furthest line of the first text on diagonal k = (line of first) - (line of
// second). Empty when it would have more than kMostEdits edits.
Script ShortestScript(std::span<const std::string_view> a, std::span<const std::string_view> b) {
  const int size_a = static_cast<int>(a.size());
  const int size_b = static_cast<int>(b.size());
  const int most = std::min(kMostEdits, size_a + size_b);
  const auto slot = [&](std::ptrdiff_t k) { return static_cast<size_t>(k + most + 1); };
  std::vector<int> reach(2 * static_cast<size_t>(most) + 3, 0);
  // What `reach` was before each number of edits, diagonals -d to d.
  std::vector<std::vector<int>> history;
  const auto goes_down = [](const auto& at, int d, int k) {
    return k == -d || (k != d && at(k - 1) < at(k + 1));
  };
  int edits = 0;
  bool found = false;
  for (; edits <= most && !found; ++edits) {
    history.emplace_back(reach.begin() + static_cast<std::ptrdiff_t>(slot(-edits - 1)),
                         reach.begin() + static_cast<std::ptrdiff_t>(slot(edits + 1)) + 1);
    for (int k = -edits; k <= edits; k += 2) {
      const auto at = [&](int diagonal) { return reach[slot(diagonal)]; };
      int x = goes_down(at, edits, k) ? at(k + 1) : at(k - 1) + 1;
      while (x < size_a && x - k < size_b &&
             a[static_cast<size_t>(x)] == b[static_cast<size_t>(x - k)]) {
        ++x;
      }
      reach[slot(k)] = x;
      if (x >= size_a && x - k >= size_b) {
        found = true;
        break;
      }
    }
  }
  if (!found) return {};
  Script script;
  int x = size_a;
  int y = size_b;
  for (int d = edits - 1; d >= 0; --d) {
    const std::vector<int>& old = history[static_cast<size_t>(d)];
    const auto at = [&](std::ptrdiff_t diagonal) {
      return old[static_cast<size_t>(diagonal + d + 1)];
    };
    const int k = x - y;
    const bool down = goes_down(at, d, k);
    const int from = down ? k + 1 : k - 1;
    const int from_x = d == 0 ? 0 : at(from);
    const int edited_x = d == 0 || down ? from_x : from_x + 1;
    script.append(static_cast<size_t>(x - edited_x), ' ');
    if (d == 0) break;
    script += down ? '+' : '-';
    x = from_x;
    y = from_x - from;
  }
  std::ranges::reverse(script);
  return script;
}

Script MakeScript(const Lines& a, const Lines& b) {
  const size_t shorter = std::min(a.size(), b.size());
  size_t prefix = 0;
  while (prefix < shorter && a[prefix] == b[prefix]) ++prefix;
  size_t suffix = 0;
  while (suffix < shorter - prefix && a[a.size() - 1 - suffix] == b[b.size() - 1 - suffix]) {
    ++suffix;
  }
  const auto middle = [&](const Lines& lines) {
    return std::span(lines).subspan(prefix, lines.size() - prefix - suffix);
  };
  Script script = ShortestScript(middle(a), middle(b));
  if (script.empty()) {
    script = Script(middle(a).size(), '-') + Script(middle(b).size(), '+');
  }
  return Script(prefix, ' ') + script + Script(suffix, ' ');
}

// The part of the script from `begin` to `end`, the first line of each text there being the given.
std::string Hunk(const Script& script, size_t begin, size_t end, const Lines& a, size_t line_a,
                 const Lines& b, size_t line_b) {
  std::string body;
  size_t x = line_a;
  size_t y = line_b;
  for (size_t i = begin; i < end; ++i) {
    body += fmt::format("{}{}\n", script[i], script[i] == '+' ? b[y] : a[x]);
    if (script[i] != '+') ++x;
    if (script[i] != '-') ++y;
  }
  return fmt::format("@@ -{},{} +{},{} @@\n{}", line_a + 1, x - line_a, line_b + 1, y - line_b,
                     body);
}

}  // namespace

std::string TextDiff(std::string_view before, std::string_view after, size_t context) {
  if (before == after) return {};
  const Lines a = Split(before);
  const Lines b = Split(after);
  const Script script = MakeScript(a, b);
  std::string text;
  size_t x = 0;
  size_t y = 0;
  for (size_t i = 0; i < script.size();) {
    const size_t edit = script.find_first_of("-+", i);
    if (edit == Script::npos) break;
    // The hunk goes on while the next edit is near enough for their contexts to touch.
    size_t last = edit;
    for (size_t next = edit; next != Script::npos && next <= last + 2 * context + 1;
         next = script.find_first_of("-+", next + 1)) {
      last = next;
    }
    const size_t begin = edit - std::min(context, edit - i);
    const size_t end = std::min(last + context + 1, script.size());
    // Lines up to `begin` are in both.
    x += begin - i;
    y += begin - i;
    text += Hunk(script, begin, end, a, x, b, y);
    const auto count = [&](char skipped) {
      return static_cast<size_t>(std::ranges::count_if(script.substr(begin, end - begin),
                                                       [&](char c) { return c != skipped; }));
    };
    x += count('+');
    y += count('-');
    i = end;
  }
  return text;
}

}  // namespace lathe
