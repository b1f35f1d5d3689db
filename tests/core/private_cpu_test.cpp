#include <gtest/gtest.h>

#include <thread>

#include "core/context.h"
#include "tessera/step.h"
#include "tessera/tensor.h"

namespace tessera {
namespace {

TEST(PrivateCpuTest, GivesItsThreadAContextOfItsOwn) {
  const CpuContext* const shared = &cpu_context();
  {
    const PrivateCpu own;
    EXPECT_NE(&cpu_context(), shared);
    EXPECT_EQ(threads(), 1);
  }
  EXPECT_EQ(&cpu_context(), shared);
}

TEST(PrivateCpuTest, LetsStepsRunSideBySide) {
  const auto steps = [] {
    const PrivateCpu own;
    for (int i = 0; i < 200; ++i)
      run_step(Device{}, [&] {
        Tensor t = Tensor::zeros(8, 8, Device{});
        EXPECT_EQ(t.to_host()[63], 0);
      });
  };
  std::jthread one(steps), other(steps);
}

TEST(PrivateCpuTest, ContextsAreUsedAgain) {
  CpuContext* first = nullptr;
  {
    const PrivateCpu own;
    first = &cpu_context();
  }
  const PrivateCpu own;
  EXPECT_EQ(&cpu_context(), first);
}

}  // namespace
}  // namespace tessera
