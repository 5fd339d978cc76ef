// Photographs as network inputs: JPEG and PNG files, resized and normalised.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lathe/support/status.h"

namespace lathe::frontends {

// Interleaved 8-bit samples, rows from the top; 3 channels: red, green, blue; 1 channel: luma.
struct Image {
  int width = 0;
  int height = 0;
  int channels = 3;
  std::vector<uint8_t> samples;
};

// How samples become what a network takes: (sample - mean) / std, samples being 0 to 255.
struct Normalization {
  std::array<float, 3> mean = {0, 0, 0};
  std::array<float, 3> std = {1, 1, 1};
};

// The .jpg, .jpeg and .png files (any case) of a folder, sorted by name. Errors: no such folder, no
// image in it.
StatusOr<std::vector<std::string>> ListImages(const std::string& directory);

// Checks that the file begins as an image that DecodeImage reads; decodes nothing.
Status CheckImageHeader(const std::string& path);

// Decodes a file to `channels` (1 or 3) channels. Grey images are spread to three channels; colour
// becomes luma by ITU-R BT.601 (0.299 R + 0.587 G + 0.114 B); transparency is laid over black.
// Errors carry the file.
StatusOr<Image> DecodeImage(const std::string& path, int channels);

// Resizes to height x width (the aspect is not kept) and normalises, into `result` in channel,
// row, column order (`channels_last`: row, column, channel). The filter is bilinear on pixel
// centres, its triangle as wide as the reduction when shrinking, so that every source pixel counts
// (what Pillow calls BILINEAR); results are not rounded to 8 bits. O(source + result) per
// direction.
void ResizeAndNormalize(const Image& image, int height, int width, const Normalization& how,
                        bool channels_last, std::span<float> result);

}  // namespace lathe::frontends
