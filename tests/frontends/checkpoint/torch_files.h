// Writes checkpoints as PyTorch does: pickles composed of opcodes, in both of its forms.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lathe/tests/data/files.h"

namespace lathe::test {

// Each function gives the opcodes that make one value.
inline std::string PickleText(std::string_view text) {
  return "X" + LittleEndian(text.size(), 4) + std::string(text);
}
inline std::string PickleInt(int64_t number) {
  if (number >= 0 && number < 256) return "K" + LittleEndian(static_cast<uint64_t>(number), 1);
  return "\x8a\x08" + LittleEndian(static_cast<uint64_t>(number), 8);
}
inline std::string PickleGlobalName(std::string_view module, std::string_view name) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}
inline std::string Joined(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all += part;
  return all;
}
inline std::string PickleTuple(const std::vector<std::string>& items) {
  return "(" + Joined(items) + "t";
}
inline std::string PickleList(const std::vector<std::string>& items) {
  return "](" + Joined(items) + "e";
}
inline std::string PickleCall(const std::string& function,
                              const std::vector<std::string>& arguments) {
  return function + PickleTuple(arguments) + "R";
}

using PickleEntries = std::vector<std::pair<std::string, std::string>>;

inline std::string PickleItems(const PickleEntries& entries) {
  std::string items;
  for (const auto& [key, value] : entries) items += PickleText(key) + value;
  return "(" + items + "u";
}
inline std::string PickleDict(const PickleEntries& entries) { return "}" + PickleItems(entries); }
// As torch writes a state dict: with an attribute, which is set by BUILD.
inline std::string PickleOrderedDict(const PickleEntries& entries) {
  return PickleCall(PickleGlobalName("collections", "OrderedDict"), {}) + PickleItems(entries) +
         PickleDict({{"_metadata", PickleDict({{"", PickleDict({{"version", PickleInt(1)}})}})}}) +
         "b";
}

inline std::string PickleCounts(const std::vector<int64_t>& counts) {
  std::vector<std::string> items;
  for (const int64_t count : counts) items.push_back(PickleInt(count));
  return PickleTuple(items);
}

// The persistent id of a storage. `view` is what only the older form has.
inline std::string PickleStorage(std::string_view type, std::string_view key, int64_t elements,
                                 const std::string& view = "") {
  std::vector<std::string> items = {PickleText("storage"), PickleGlobalName("torch", type),
                                    PickleText(key), PickleText("cpu"), PickleInt(elements)};
  if (!view.empty()) items.push_back(view);
  return PickleTuple(items) + "Q";
}

inline std::string PickleTensor(const std::string& storage, int64_t offset,
                                const std::vector<int64_t>& dims,
                                const std::vector<int64_t>& strides) {
  return PickleCall(PickleGlobalName("torch._utils", "_rebuild_tensor_v2"),
                    {storage, PickleInt(offset), PickleCounts(dims), PickleCounts(strides), "\x89",
                     PickleCall(PickleGlobalName("collections", "OrderedDict"), {})});
}

inline std::string Pickle(const std::string& value) { return "\x80\x02" + value + "."; }

// Bytes by storage key.
using TorchStorage = std::vector<std::pair<std::string, std::string>>;

inline std::string TorchZip(const std::string& value, const TorchStorage& storages,
                            std::string_view byte_order = "") {
  std::vector<std::pair<std::string, std::string>> files = {{"archive/data.pkl", Pickle(value)}};
  if (!byte_order.empty()) files.emplace_back("archive/byteorder", byte_order);
  for (const auto& [key, bytes] : storages) files.emplace_back("archive/data/" + key, bytes);
  files.emplace_back("archive/version", "3\n");
  return Zip(files);
}

// `widths`: bytes of an element of each storage.
inline std::string TorchOld(const std::string& value, const TorchStorage& storages,
                            const std::vector<size_t>& widths) {
  std::vector<std::string> keys;
  for (const auto& [key, bytes] : storages) keys.push_back(PickleText(key));
  std::string file = Pickle("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") +
                     Pickle("M\xe9\x03") +
                     Pickle(PickleDict({{"protocol_version", PickleInt(1001)},
                                        {"little_endian", "\x88"},
                                        {"type_sizes", PickleDict({{"short", PickleInt(2)}})}})) +
                     Pickle(value) + Pickle(PickleList(keys));
  for (size_t i = 0; i < storages.size(); ++i) {
    file += LittleEndian(storages[i].second.size() / widths[i], 8) + storages[i].second;
  }
  return file;
}

template <typename T>
std::string BytesOf(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

}  // namespace lathe::test
