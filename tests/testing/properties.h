#pragma once

#include <gtest/gtest.h>
// After gtest, or its glue does not compile.
#include <rapidcheck.h>

#include <cstdlib>
#include <vector>

namespace tessera::testing {

/// A whole number drawn from [low, high].
inline int64_t drawn(int64_t low, int64_t high) {
  return *rc::gen::inRange<int64_t>(low, high + 1);
}

/// Runs `body` with drawn values `cases` times, and shrinks the values of the first that fails. The
/// draws are the same in every run; RC_PARAMS="seed=..." in the environment makes others.
template <class Body>
void expect_property(int cases, const Body& body) {
  setenv("RC_PARAMS", ("seed=1 max_success=" + std::to_string(cases)).c_str(), 0);
  EXPECT_TRUE(rc::check(body));
}

}  // namespace tessera::testing
