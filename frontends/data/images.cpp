#include "lathe/frontends/data/images.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <png.h>
#include <system_error>
#include <turbojpeg.h>

#include "lathe/support/mapped_file.h"

namespace lathe::frontends {
namespace {

using Bytes = std::span<const std::byte>;

// A damaged header must not make us reserve more than this.
constexpr int64_t kMostPixels = int64_t{1} << 28;

bool IsPng(Bytes bytes) {
  return bytes.size() >= 8 && std::memcmp(bytes.data(), "\x89PNG\r\n\x1a\n", 8) == 0;
}
bool IsJpeg(Bytes bytes) {
  return bytes.size() >= 3 && std::memcmp(bytes.data(), "\xff\xd8\xff", 3) == 0;
}

Status CheckExtent(int64_t width, int64_t height) {
  if (width < 1 || height < 1 || width * height > kMostPixels) {
    return InvalidInput("an image of {} x {} pixels is not supported", width, height);
  }
  return OkStatus();
}

struct JpegHandle {
  JpegHandle() : handle(tjInitDecompress()) {}
  ~JpegHandle() { tjDestroy(handle); }
  JpegHandle(const JpegHandle&) = delete;
  JpegHandle& operator=(const JpegHandle&) = delete;
  tjhandle handle;
};

const unsigned char* Data(Bytes bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

Status JpegHeader(tjhandle handle, Bytes bytes, int& width, int& height, int& colorspace) {
  int subsampling = 0;
  if (tjDecompressHeader3(handle, Data(bytes), bytes.size(), &width, &height, &subsampling,
                          &colorspace) != 0) {
    return InvalidInput("the JPEG header is damaged: {}", tjGetErrorStr2(handle));
  }
  if (width < 1 || height < 1) return InvalidInput("the JPEG header is damaged: no picture in it");
  if (colorspace == TJCS_CMYK || colorspace == TJCS_YCCK) {
    return Unsupported("CMYK images are not supported");
  }
  return CheckExtent(width, height);
}

// Reads to three channels; the caller reduces to luma, so that JPEG and PNG do it alike.
StatusOr<Image> DecodeJpeg(Bytes bytes) {
  const JpegHandle jpeg;
  Image image;
  int colorspace = 0;
  LATHE_RETURN_IF_ERROR(JpegHeader(jpeg.handle, bytes, image.width, image.height, colorspace));
  image.samples.resize(static_cast<size_t>(image.width) * image.height * 3);
  if (tjDecompress2(jpeg.handle, Data(bytes), bytes.size(), image.samples.data(), image.width, 0,
                    image.height, TJPF_RGB, TJFLAG_ACCURATEDCT) != 0) {
    return InvalidInput("the JPEG data is damaged: {}", tjGetErrorStr2(jpeg.handle));
  }
  return image;
}

struct PngHandle {
  PngHandle() { image.version = PNG_IMAGE_VERSION; }
  ~PngHandle() { png_image_free(&image); }
  PngHandle(const PngHandle&) = delete;
  PngHandle& operator=(const PngHandle&) = delete;
  png_image image{};
};

Status PngHeader(png_image& png, Bytes bytes) {
  if (!png_image_begin_read_from_memory(&png, bytes.data(), bytes.size())) {
    return InvalidInput("the PNG header is damaged: {}", png.message);
  }
  return CheckExtent(png.width, png.height);
}

StatusOr<Image> DecodePng(Bytes bytes) {
  PngHandle png;
  LATHE_RETURN_IF_ERROR(PngHeader(png.image, bytes));
  png.image.format = PNG_FORMAT_RGB;
  Image image;
  image.width = static_cast<int>(png.image.width);
  image.height = static_cast<int>(png.image.height);
  image.samples.resize(PNG_IMAGE_SIZE(png.image));
  const png_color black{0, 0, 0};
  if (!png_image_finish_read(&png.image, &black, image.samples.data(), 0, nullptr)) {
    return InvalidInput("the PNG data is damaged: {}", png.image.message);
  }
  return image;
}

Image ToLuma(const Image& rgb) {
  Image luma;
  luma.width = rgb.width;
  luma.height = rgb.height;
  luma.channels = 1;
  luma.samples.resize(rgb.samples.size() / 3);
  for (size_t i = 0; i < luma.samples.size(); ++i) {
    const uint8_t* pixel = &rgb.samples[3 * i];
    luma.samples[i] =
        static_cast<uint8_t>((299 * pixel[0] + 587 * pixel[1] + 114 * pixel[2] + 500) / 1000);
  }
  return luma;
}

// For one direction: the source samples that each result sample is made of.
struct Taps {
  std::vector<int> first;
  std::vector<std::vector<float>> weights;
};

Taps TriangleTaps(int from, int to) {
  const double scale = static_cast<double>(from) / to;
  const double support = std::max(scale, 1.0);
  Taps taps;
  for (int i = 0; i < to; ++i) {
    const double center = (i + 0.5) * scale;
    const int begin = std::max(0, static_cast<int>(std::floor(center - support)));
    const int end = std::min(from, static_cast<int>(std::ceil(center + support)));
    std::vector<double> weights;
    double sum = 0;
    for (int j = begin; j < end; ++j) {
      weights.push_back(std::max(0.0, 1 - std::abs((j + 0.5 - center) / support)));
      sum += weights.back();
    }
    std::vector<float>& normalized = taps.weights.emplace_back();
    for (const double weight : weights) normalized.push_back(static_cast<float>(weight / sum));
    taps.first.push_back(begin);
  }
  return taps;
}

}  // namespace

StatusOr<std::vector<std::string>> ListImages(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    std::string extension = it->path().extension().string();
    std::transform(extension.begin(), extension.end(), extension.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (extension == ".jpg" || extension == ".jpeg" || extension == ".png") {
      files.push_back(it->path().string());
    }
  }
  if (error) {
    return WithContext(IoError("cannot list the folder: {}", error.message()), ErrorContext::kFile,
                       directory);
  }
  if (files.empty()) {
    return WithContext(InvalidInput("no .jpg, .jpeg or .png file in the folder"),
                       ErrorContext::kFile, directory);
  }
  std::sort(files.begin(), files.end());
  return files;
}

Status CheckImageHeader(const std::string& path) {
  LATHE_ASSIGN_OR_RETURN(const auto file, MappedFile::Open(path));
  const auto check = [&]() -> Status {
    LATHE_ASSIGN_OR_RETURN(const Bytes bytes, file->Range(0, file->size()));
    if (IsPng(bytes)) {
      PngHandle png;
      return PngHeader(png.image, bytes);
    }
    if (IsJpeg(bytes)) {
      const JpegHandle jpeg;
      int width = 0, height = 0, colorspace = 0;
      return JpegHeader(jpeg.handle, bytes, width, height, colorspace);
    }
    return InvalidInput("neither a JPEG nor a PNG file");
  };
  return WithContext(check(), ErrorContext::kFile, path);
}

StatusOr<Image> DecodeImage(const std::string& path, int channels) {
  LATHE_ASSIGN_OR_RETURN(const auto file, MappedFile::Open(path));
  const auto decode = [&]() -> StatusOr<Image> {
    LATHE_ASSIGN_OR_RETURN(const Bytes bytes, file->Range(0, file->size()));
    if (!IsPng(bytes) && !IsJpeg(bytes)) return InvalidInput("neither a JPEG nor a PNG file");
    LATHE_ASSIGN_OR_RETURN(Image image, IsPng(bytes) ? DecodePng(bytes) : DecodeJpeg(bytes));
    return channels == 1 ? ToLuma(image) : image;
  };
  auto image = decode();
  if (!image.ok()) return WithContext(image.status(), ErrorContext::kFile, path);
  return image;
}

void ResizeAndNormalize(const Image& image, int height, int width, const Normalization& how,
                        bool channels_last, std::span<float> result) {
  const int channels = image.channels;
  const auto at = [](int row, int column, int row_size) {
    return static_cast<size_t>(row) * static_cast<size_t>(row_size) + static_cast<size_t>(column);
  };
  // Along rows first: source height x result width, then along columns.
  const Taps across = TriangleTaps(image.width, width);
  std::vector<float> rows(static_cast<size_t>(image.height) * width * channels);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < width; ++x) {
      const std::vector<float>& weights = across.weights[x];
      for (int c = 0; c < channels; ++c) {
        float sum = 0;
        for (size_t i = 0; i < weights.size(); ++i) {
          const size_t source = at(y, across.first[x], image.width) + i;
          sum += weights[i] * static_cast<float>(image.samples[source * channels + c]);
        }
        rows[at(y, x, width) * channels + c] = sum;
      }
    }
  }
  const Taps down = TriangleTaps(image.height, height);
  for (int y = 0; y < height; ++y) {
    const std::vector<float>& weights = down.weights[y];
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) {
        float sum = 0;
        for (size_t i = 0; i < weights.size(); ++i) {
          sum +=
              weights[i] * rows[at(down.first[y] + static_cast<int>(i), x, width) * channels + c];
        }
        const size_t target = channels_last
                                  ? at(y, x, width) * channels + c
                                  : static_cast<size_t>(c) * height * width + at(y, x, width);
        result[target] = (sum - how.mean[c]) / how.std[c];
      }
    }
  }
}

}  // namespace lathe::frontends
