// The assigner of the specification: for float the search of the training code, for double the
// definition; both against the definition.

#include "spec/vq_vae_fixture.h"

namespace tessera::spec {
namespace {

template <class T>
class NearestCodeSpecTest : public VqVaeSpecTest<T> {};
TYPED_TEST_SUITE(NearestCodeSpecTest, Precisions);

// D6
TYPED_TEST(NearestCodeSpecTest, AssignerGivesANearestCodeByTheDefinition) {
  using T = TypeParam;
  for (int trial = 0; trial < kTrials; ++trial) {
    const int64_t codes = 1 + trial % 40, dim = 1 + trial % 19;
    const Codebook<T> codebook(codes, dim, this->random(codes * dim));
    const auto latent = this->random(dim);
    int64_t lowest = 0;
    for (int64_t k = 1; k < codes; ++k)
      if (squared_distance(codebook, latent, k) < squared_distance(codebook, latent, lowest))
        lowest = k;
    const int64_t found = nearest_code(codebook, latent);
    EXPECT_EQ(found, lowest);
    for (int64_t k = 0; k < codes; ++k) EXPECT_EQ(is_nearest_code(codebook, latent, k), k == found);
  }
}

// D6
TYPED_TEST(NearestCodeSpecTest, DistanceIsAFusedSumInBinary64) {
  using T = TypeParam;
  int told_apart = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    const auto row = this->random(9), latent = this->random(9);
    double fused = 0, rounded = 0;
    for (int d = 0; d < 9; ++d) {
      const double t = double(latent[d]) - double(row[d]);
      const volatile double square = t * t;
      fused = std::fma(t, t, fused);
      rounded += square;
    }
    EXPECT_EQ(squared_distance(Codebook<T>(1, 9, row), latent, 0), fused);
    told_apart += fused != rounded;
  }
  EXPECT_GT(told_apart, 0) << "no trial tells the fused sum from another";
}

// D6
TYPED_TEST(NearestCodeSpecTest, TiesGoToTheLowestIndexAndAllOfThemAreNearest) {
  const Codebook<TypeParam> codebook(5, 2, {3, 0, 1, 0, -1, 0, 0, 1, 1, 0});
  EXPECT_EQ(nearest_code(codebook, {0, 0}), 1);
  EXPECT_FALSE(is_nearest_code(codebook, {0, 0}, 0));
  for (int64_t k = 1; k < 5; ++k) EXPECT_TRUE(is_nearest_code(codebook, {0, 0}, k)) << k;
}

// D6
TYPED_TEST(NearestCodeSpecTest, DuplicateRowsGiveIndexZero) {
  const Codebook<TypeParam> codebook(7, 3, std::vector<TypeParam>(21, TypeParam(0.1)));
  EXPECT_EQ(nearest_code(codebook, this->random(3)), 0);
}

// D6. A difference that the expanded formula |z|^2 - 2 z.e + |e|^2 loses in either precision.
TYPED_TEST(NearestCodeSpecTest, CloseCodesFarFromTheOriginAreToldApart) {
  using T = TypeParam;
  const T far = T(std::ldexp(1, std::numeric_limits<T>::digits - 2)), near = far + 1;
  const Codebook<T> codebook(3, 2, {near + 1, far, near, far, far, far});
  EXPECT_EQ(nearest_code(codebook, {near, far}), 1);
  EXPECT_EQ(nearest_code(codebook, {far, far}), 2);
}

TYPED_TEST(NearestCodeSpecTest, RowThatIsNotFiniteIsNeverChosen) {
  using T = TypeParam;
  const T nan = std::numeric_limits<T>::quiet_NaN(), inf = std::numeric_limits<T>::infinity();
  const Codebook<T> codebook(4, 2, {nan, 0, inf, 0, 9, 9, 0, nan});
  EXPECT_EQ(nearest_code(codebook, {0, 0}), 2);
  EXPECT_TRUE(is_nearest_code(codebook, {0, 0}, 2));
  for (const int64_t k : {0, 1, 3}) EXPECT_FALSE(is_nearest_code(codebook, {0, 0}, k)) << k;
}

TYPED_TEST(NearestCodeSpecTest, LatentThatIsNotFiniteHasNoNearestCode) {
  using T = TypeParam;
  const Codebook<T> codebook(2, 2, {1, 1, 0, 0});
  for (const T bad : {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity()}) {
    EXPECT_EQ(nearest_code(codebook, {0, bad}), 0);
    EXPECT_FALSE(is_nearest_code(codebook, {0, bad}, 0));
  }
}

}  // namespace
}  // namespace tessera::spec
