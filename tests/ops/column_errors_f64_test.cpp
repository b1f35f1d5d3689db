#include <gtest/gtest.h>

#include "tessera/grouped_ops.h"
#include "testing/numbers.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

Tensor matrix(int64_t rows, int64_t cols, std::vector<real> values) {
  return Tensor::from_host(rows, cols, values);
}

TEST(ColumnSquaredErrorsTest, AreSumsOverRows) {
  const Tensor prediction = matrix(2, 3, {1, 2, 3, 4, 5, 6}),
               target = matrix(2, 3, {1, 0, 0, 1, 6, 4});
  EXPECT_EQ(column_squared_errors(prediction, target).to_host(), (std::vector<double>{9, 5, 13}));
}

TEST(ColumnSquaredErrorsTest, ComparesWithTheColumnsNamed) {
  const Tensor prediction = matrix(2, 3, {1, 2, 3, 4, 5, 6}), target = matrix(2, 2, {0, 1, 2, 3});
  const auto columns = Buffer<int32_t>::from_host(std::vector<int32_t>{1, 0, 1}, {});
  EXPECT_EQ(column_squared_errors(prediction, target, columns).to_host(),
            (std::vector<double>{0 + 1, 4 + 9, 4 + 9}));
}

TEST(ColumnSquaredErrorsTest, OtherShapesAreRefused) {
  const Tensor wide = matrix(2, 3, {1, 2, 3, 4, 5, 6}), narrow = matrix(2, 2, {0, 1, 2, 3});
  EXPECT_THROW(column_squared_errors(wide, narrow), Error);
  EXPECT_THROW(column_squared_errors(narrow, matrix(1, 2, {0, 1})), Error);
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION
