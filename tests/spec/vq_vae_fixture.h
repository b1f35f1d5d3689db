#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string_view>
#include <vector>

#include "tessera/error.h"
#include "tessera/spec.h"

namespace tessera::spec {

inline constexpr int64_t kObservation = 9, kLatent = 5, kCodes = 6;
inline constexpr int kTrials = 200;

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

template <class T>
class VqVaeSpecTest : public ::testing::Test {
 protected:
  using Vector = std::vector<T>;

  Vector random(int64_t size) {
    Vector values(static_cast<size_t>(size));
    for (T& value : values) value = T(double(generator_()) * 0x1p-31 - 1);  // [-1, 1]
    return values;
  }

  /// x -> W x with W of random numbers.
  VectorFunction<T> random_map(int64_t in, int64_t out) {
    return [w = random(in * out), in, out](const Vector& x) {
      Vector y(static_cast<size_t>(out));
      for (int64_t o = 0; o < out; ++o)
        for (int64_t i = 0; i < in; ++i) y[o] += w[o * in + i] * x[i];
      return y;
    };
  }

  Model<T> random_model() {
    return {random_map(kObservation, kLatent),
            Codebook<T>(kCodes, kLatent, random(kCodes * kLatent)),
            random_map(kLatent, kObservation)};
  }

  static Model<T> identity_model(Codebook<T> codebook) {
    const auto identity = [](const Vector& x) { return x; };
    return {identity, std::move(codebook), identity};
  }

  /// Every bit pattern a row could be spoilt by.
  static Codebook<T> unusual_codebook() {
    using Limits = std::numeric_limits<T>;
    const std::vector<T> rows = {T(-0.0),
                                 Limits::denorm_min(),
                                 Limits::max(),  //
                                 Limits::infinity(),
                                 -Limits::infinity(),
                                 T(std::nan("5")),  //
                                 T(0.1),
                                 -T(std::nan("")),
                                 Limits::min()};
    return {3, 3, rows};
  }

  template <class F>
  static void expect_usage_error(F&& f, std::string_view part) {
    try {
      f();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Usage) << error.what();
      EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos) << error.what();
      return;
    }
    ADD_FAILURE() << "no error; '" << part << "' is expected";
  }

  std::mt19937 generator_{7};
};

using Precisions = ::testing::Types<float, double>;

}  // namespace tessera::spec
