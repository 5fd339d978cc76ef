#include "lathe/frontends/data/images.h"

#include <cmath>
#include <png.h>
#include <turbojpeg.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "files.h"

namespace lathe::frontends {
namespace {

using test::TemporaryFolder;

void WritePng(const std::string& path, int width, int height, uint32_t format,
              const std::vector<uint8_t>& samples) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<uint32_t>(width);
  png.height = static_cast<uint32_t>(height);
  png.format = format;
  ASSERT_TRUE(png_image_write_to_file(&png, path.c_str(), 0, samples.data(), 0, nullptr));
}

void WriteJpeg(const std::string& path, int width, int height,
               const std::vector<uint8_t>& samples) {
  tjhandle handle = tjInitCompress();
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  ASSERT_EQ(tjCompress2(handle, samples.data(), width, 0, height, TJPF_RGB, &bytes, &size,
                        TJSAMP_444, 95, 0),
            0);
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<char*>(bytes), static_cast<std::streamsize>(size));
  tjFree(bytes);
  tjDestroy(handle);
}

TEST(Images, DecodesPngExactly) {
  const TemporaryFolder folder;
  const std::vector<uint8_t> samples = {255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30};
  WritePng(folder.File("a.png"), 2, 2, PNG_FORMAT_RGB, samples);
  const auto rgb = DecodeImage(folder.File("a.png"), 3);
  ASSERT_TRUE(rgb.ok()) << rgb.status();
  EXPECT_EQ(rgb->width, 2);
  EXPECT_EQ(rgb->height, 2);
  EXPECT_EQ(rgb->samples, samples);
  const auto luma = DecodeImage(folder.File("a.png"), 1);
  ASSERT_TRUE(luma.ok());
  EXPECT_EQ(luma->samples, (std::vector<uint8_t>{76, 150, 29, 18}));
}

TEST(Images, GreyAndTransparentPng) {
  const TemporaryFolder folder;
  WritePng(folder.File("grey.png"), 2, 1, PNG_FORMAT_GRAY, {7, 200});
  EXPECT_EQ(DecodeImage(folder.File("grey.png"), 3)->samples,
            (std::vector<uint8_t>{7, 7, 7, 200, 200, 200}));
  EXPECT_EQ(DecodeImage(folder.File("grey.png"), 1)->samples, (std::vector<uint8_t>{7, 200}));
  WritePng(folder.File("clear.png"), 1, 1, PNG_FORMAT_RGBA, {90, 80, 70, 0});
  EXPECT_EQ(DecodeImage(folder.File("clear.png"), 3)->samples, (std::vector<uint8_t>{0, 0, 0}));
}

TEST(Images, DecodesJpegClosely) {
  const TemporaryFolder folder;
  std::vector<uint8_t> samples;
  for (int i = 0; i < 16 * 8; ++i) samples.insert(samples.end(), {200, 100, 50});
  WriteJpeg(folder.File("a.jpg"), 16, 8, samples);
  const auto image = DecodeImage(folder.File("a.jpg"), 3);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->width, 16);
  ASSERT_EQ(image->samples.size(), samples.size());
  for (size_t i = 0; i < samples.size(); ++i) EXPECT_NEAR(image->samples[i], samples[i], 3);
}

TEST(Images, SameSizeOnlyNormalises) {
  Image image{2, 1, 3, {0, 51, 102, 153, 204, 255}};
  const Normalization how{{0, 51, 102}, {1, 51, 2}};
  std::vector<float> result(6);
  ResizeAndNormalize(image, 1, 2, how, true, result);
  EXPECT_EQ(result, (std::vector<float>{0, 0, 0, 153, 3, 76.5f}));
  ResizeAndNormalize(image, 1, 2, how, false, result);
  EXPECT_EQ(result, (std::vector<float>{0, 153, 0, 3, 0, 76.5f}));
}

TEST(Images, ResizesByTriangleFilter) {
  std::vector<float> result(4);
  // Twice as wide: pixel centres at -0.25, 0.25, 0.75, 1.25 of the source's.
  ResizeAndNormalize({2, 1, 1, {0, 100}}, 1, 4, {}, false, result);
  EXPECT_THAT(result, ::testing::Pointwise(::testing::FloatNear(1e-4f),
                                           std::vector<float>{0, 25, 75, 100}));
  // Half as wide: weights 1/4 1/4 ... at distances 0.5, 0.5, 1.5, (1.5): 0.75, 0.75, 0.25, 0.25.
  result.resize(2);
  ResizeAndNormalize({4, 1, 1, {0, 40, 80, 200}}, 1, 2, {}, false, result);
  EXPECT_NEAR(result[0], (0.75 * 0 + 0.75 * 40 + 0.25 * 80) / 1.75, 1e-4);
  EXPECT_NEAR(result[1], (0.25 * 40 + 0.75 * 80 + 0.75 * 200) / 1.75, 1e-4);
  // The same along columns.
  ResizeAndNormalize({1, 4, 1, {0, 40, 80, 200}}, 2, 1, {}, false, result);
  EXPECT_NEAR(result[0], (0.75 * 0 + 0.75 * 40 + 0.25 * 80) / 1.75, 1e-4);
  EXPECT_NEAR(result[1], (0.25 * 40 + 0.75 * 80 + 0.75 * 200) / 1.75, 1e-4);
}

TEST(Images, ListsByName) {
  const TemporaryFolder folder;
  for (const char* name : {"b.PNG", "a.jpeg", "c.jpg", "notes.txt"}) folder.Write(name, "");
  const auto files = ListImages(folder.path());
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(*files, (std::vector<std::string>{folder.File("a.jpeg"), folder.File("b.PNG"),
                                              folder.File("c.jpg")}));
}

TEST(Images, Errors) {
  const TemporaryFolder folder;
  EXPECT_EQ(FormatError(ListImages(folder.path()).status()),
            folder.path() + ": no .jpg, .jpeg or .png file in the folder");
  EXPECT_EQ(FormatError(ListImages(folder.File("none")).status()),
            folder.File("none") + ": cannot list the folder: No such file or directory");
  const std::string text = folder.Write("a.jpg", "text");
  EXPECT_EQ(FormatError(CheckImageHeader(text)), text + ": neither a JPEG nor a PNG file");
  EXPECT_EQ(FormatError(DecodeImage(text, 3).status()), text + ": neither a JPEG nor a PNG file");
  const std::string png = folder.Write("a.png", std::string("\x89PNG\r\n\x1a\n") + "junk");
  EXPECT_THAT(FormatError(CheckImageHeader(png)), ::testing::HasSubstr("PNG header is damaged"));
  const std::string jpeg = folder.Write("b.jpg", "\xff\xd8\xff\xe0 rest");
  EXPECT_THAT(FormatError(CheckImageHeader(jpeg)), ::testing::HasSubstr("JPEG header is damaged"));
  // Cut in the middle of the samples.
  std::vector<uint8_t> noise;
  for (int i = 0; i < 64 * 64 * 3; ++i) noise.push_back(static_cast<uint8_t>(i * i * 7 % 253));
  WritePng(folder.File("c.png"), 64, 64, PNG_FORMAT_RGB, noise);
  const std::string whole = test::ReadAll(folder.File("c.png"));
  const std::string cut = folder.Write("cut.png", whole.substr(0, whole.size() / 2));
  EXPECT_TRUE(CheckImageHeader(cut).ok());
  EXPECT_THAT(FormatError(DecodeImage(cut, 3).status()),
              ::testing::HasSubstr("PNG data is damaged"));
}

}  // namespace
}  // namespace lathe::frontends
