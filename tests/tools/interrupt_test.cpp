#include "lathe/tools/interrupt.h"

#include <csignal>

#include <gtest/gtest.h>

namespace lathe::tools {
namespace {

TEST(Interrupt, TheFirstSignalSetsAFlagTheSecondEndsTheProcess) {
  EXPECT_EXIT(
      {
        CatchInterrupts();
        if (Interrupted()) std::exit(1);
        std::raise(SIGINT);
        if (!Interrupted()) std::exit(2);
        std::raise(SIGINT);
        std::exit(3);
      },
      testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace lathe::tools
