// Files that the tests of data readers make by hand.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>
#include <zlib.h>

namespace lathe::test {

// A folder that goes with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "lathe-data-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string File(std::string_view name) const { return path_ + "/" + std::string(name); }
  std::string Write(std::string_view name, std::string_view bytes) const {
    std::ofstream(File(name), std::ios::binary) << bytes;
    return File(name);
  }

 private:
  std::string path_;
};

inline std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

inline std::string LittleEndian(uint64_t value, int width) {
  std::string bytes;
  for (int i = 0; i < width; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
  return bytes;
}

// An .npy file with this header text.
inline std::string Npy(std::string_view header, std::string_view data, char version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += version;
  bytes += '\0';
  bytes += LittleEndian(header.size(), version == 1 ? 2 : 4);
  return bytes + std::string(header) + std::string(data);
}

inline std::string NpyOf(std::string_view descr, std::string_view shape, std::string_view data,
                         bool fortran = false) {
  return Npy("{'descr': '" + std::string(descr) + "', 'fortran_order': " +
                 (fortran ? "True" : "False") + ", 'shape': " + std::string(shape) + ", }\n",
             data);
}

inline std::string Deflate(std::string_view bytes) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string packed(bytes.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

struct ZipOptions {
  bool deflate = false;
  bool zip64 = false;
  std::string comment = "";
};

// A zip archive of (file name, bytes).
inline std::string Zip(const std::vector<std::pair<std::string, std::string>>& files,
                       const ZipOptions& options = {}) {
  std::string archive, directory;
  for (const auto& [name, bytes] : files) {
    const std::string packed = options.deflate ? Deflate(bytes) : bytes;
    const auto crc = static_cast<uint32_t>(
        crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
    const uint64_t offset = archive.size();
    const std::string front = LittleEndian(20, 2) + LittleEndian(0, 2) +
                              LittleEndian(options.deflate ? 8 : 0, 2) + LittleEndian(0, 4) +
                              LittleEndian(crc, 4);
    const std::string sizes = LittleEndian(packed.size(), 4) + LittleEndian(bytes.size(), 4);
    archive += "PK\x03\x04" + front + sizes + LittleEndian(name.size(), 2) + LittleEndian(0, 2) +
               name + packed;
    std::string extra;
    if (options.zip64) {
      extra = LittleEndian(1, 2) + LittleEndian(24, 2) + LittleEndian(bytes.size(), 8) +
              LittleEndian(packed.size(), 8) + LittleEndian(offset, 8);
    }
    directory += "PK\x01\x02" + LittleEndian(20, 2) + front +
                 (options.zip64 ? std::string(8, '\xff') : sizes) + LittleEndian(name.size(), 2) +
                 LittleEndian(extra.size(), 2) + LittleEndian(0, 2) + LittleEndian(0, 8) +
                 (options.zip64 ? std::string(4, '\xff') : LittleEndian(offset, 4)) + name + extra;
  }
  const uint64_t start = archive.size();
  archive += directory;
  const uint64_t count = files.size();
  if (options.zip64) {
    const uint64_t end64 = archive.size();
    archive += "PK\x06\x06" + LittleEndian(44, 8) + LittleEndian(45, 4) + LittleEndian(0, 8) +
               LittleEndian(count, 8) + LittleEndian(count, 8) + LittleEndian(directory.size(), 8) +
               LittleEndian(start, 8);
    archive += "PK\x06\x07" + LittleEndian(0, 4) + LittleEndian(end64, 8) + LittleEndian(1, 4);
    archive += "PK\x05\x06" + LittleEndian(0, 4) + std::string(12, '\xff');
  } else {
    archive += "PK\x05\x06" + LittleEndian(0, 4) + LittleEndian(count, 2) + LittleEndian(count, 2) +
               LittleEndian(directory.size(), 4) + LittleEndian(start, 4);
  }
  return archive + LittleEndian(options.comment.size(), 2) + options.comment;
}

}  // namespace lathe::test
