#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "testing/places.h"

namespace tessera::golden {

using Json = nlohmann::json;

/// Row-major numbers of a golden file; a list of numbers is one row.
struct Matrix {
  int64_t rows = 0, cols = 0;
  std::vector<double> values;

  double operator()(int64_t r, int64_t c) const { return values.at(r * cols + c); }
  std::vector<double> row(int64_t r) const {
    return {values.begin() + r * cols, values.begin() + (r + 1) * cols};
  }
  template <class T>
  std::vector<T> as() const {
    return {values.begin(), values.end()};
  }
};

inline Matrix matrix(const Json& json) {
  if (!json.is_array() || json.empty())
    throw std::runtime_error("golden: no numbers in " + json.dump());
  if (!json[0].is_array()) return {1, static_cast<int64_t>(json.size()), json};
  Matrix result{static_cast<int64_t>(json.size()), static_cast<int64_t>(json[0].size()), {}};
  for (const Json& row : json) {
    if (static_cast<int64_t>(row.size()) != result.cols)
      throw std::runtime_error("golden: ragged rows");
    for (const Json& value : row) result.values.push_back(value);
  }
  return result;
}

/// One test of golden_vq.json.
class Golden {
 public:
  explicit Golden(std::string_view id) : entry_(find(id)) {}

  const Json& input(const std::string& name) const { return entry_.at("inputs").at(name); }
  const Json& expected(const std::string& name) const { return entry_.at("expected").at(name); }
  Matrix input_matrix(const std::string& name) const { return matrix(input(name)); }
  Matrix expected_matrix(const std::string& name) const { return matrix(expected(name)); }

  /// The file's bound on an error for `name`, or the one it gives for all; 0 where it says exact.
  double tolerance(const std::string& name = "all") const {
    const Json& bounds = entry_.at("tolerance");
    const Json& bound = bounds.contains(name) ? bounds.at(name) : bounds.at("all");
    if (bound.is_number()) return bound;
    if (bound == "exact" || bound == "bitwise") return 0;
    throw std::runtime_error("golden: the tolerance " + bound.dump() + " is not understood");
  }

 private:
  static const Json& find(std::string_view id) {
    static const Json file = [] {
      const std::string path = std::string(testing::kGoldenDir) + "/golden_vq.json";
      std::ifstream stream(path);
      if (!stream) throw std::runtime_error("golden: cannot open " + path);
      return Json::parse(stream);
    }();
    for (const Json& entry : file.at("tests"))
      if (entry.at("id") == id) return entry;
    throw std::runtime_error("golden: no test " + std::string(id));
  }

  const Json& entry_;
};

/// |found - expected| <= tolerance * max(1, |expected|); equal where tolerance is 0.
inline void expect_close(double found, double expected, double tolerance) {
  const double bound = tolerance * std::max(1.0, std::abs(expected));
  EXPECT_TRUE(std::abs(found - expected) <= bound)
      << "found " << found << ", expected " << expected << " +- " << bound << ", difference "
      << found - expected;
}

template <class T>
void expect_close(const std::vector<T>& found, const std::vector<double>& expected,
                  double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    SCOPED_TRACE("element " + std::to_string(i));
    expect_close(double(found[i]), expected[i], tolerance);
  }
}

}  // namespace tessera::golden
