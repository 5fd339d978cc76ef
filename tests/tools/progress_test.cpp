#include "lathe/tools/progress.h"

#include <gtest/gtest.h>

namespace lathe::tools {
namespace {

// Collects what is written to a FILE.
class Captured {
 public:
  Captured() : file_(open_memstream(&text_, &size_)) {}
  ~Captured() {
    std::fclose(file_);
    std::free(text_);
  }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;
  std::FILE* file() { return file_; }
  std::string text() {
    std::fflush(file_);
    return {text_, size_};
  }

 private:
  char* text_ = nullptr;
  size_t size_ = 0;
  std::FILE* file_;
};

TEST(Progress, TimesAreReadable) {
  EXPECT_EQ(TimeText(-1), "0:00");
  EXPECT_EQ(TimeText(7.4), "0:07");
  EXPECT_EQ(TimeText(59.6), "1:00");
  EXPECT_EQ(TimeText(750), "12:30");
  EXPECT_EQ(TimeText(3725), "1:02:05");
}

TEST(Progress, LinesForEachTenth) {
  Captured captured;
  double now = 100;
  {
    Progress progress(captured.file(), /*is_terminal=*/false, [&] { return now; });
    for (size_t done = 0; done <= 32; ++done, now += 1) progress.Update("calibrating", done, 32);
    progress.Update("saving", 1, 1);
    progress.Update("nothing", 0, 0);
  }
  EXPECT_EQ(captured.text(),
            "calibrating: 4/32 (0:04)\ncalibrating: 7/32 (0:07)\ncalibrating: 10/32 (0:10)\n"
            "calibrating: 13/32 (0:13)\ncalibrating: 16/32 (0:16)\ncalibrating: 20/32 (0:20)\n"
            "calibrating: 23/32 (0:23)\ncalibrating: 26/32 (0:26)\ncalibrating: 29/32 (0:29)\n"
            "calibrating: 32/32 (0:32)\nsaving: 1/1 (0:00)\n");
}

TEST(Progress, ABarOnATerminal) {
  Captured captured;
  double now = 0;
  {
    Progress progress(captured.file(), /*is_terminal=*/true, [&] { return now; });
    progress.Update("run", 0, 4);
    now = 2;
    progress.Update("run", 1, 4);
    now = 2.05;  // too soon to draw again
    progress.Update("run", 2, 4);
    now = 8;
    progress.Update("run", 4, 4);
    now = 9;
    progress.Update("next", 1, 3);  // ends in the middle
  }
  EXPECT_EQ(captured.text(),
            "\rrun [..............................] 0/4 \x1b[K"
            "\rrun [#######.......................] 1/4 0:06 left\x1b[K"
            "\rrun [##############################] 4/4 0:08 in all\x1b[K\n"
            "\rnext [##########....................] 1/3 0:00 left\x1b[K\n");
}

}  // namespace
}  // namespace lathe::tools
