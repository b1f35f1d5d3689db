// What must not change the nearest code, whatever the numbers.

#include <algorithm>
#include <numeric>

#include "kernels/vq_assign_cases.h"
#include "testing/backends.h"
#include "testing/properties.h"

namespace tessera {
namespace {

using namespace tessera::testing;

constexpr int kCases = 200;

class VqAssignPropertyTest : public BackendTest {};
TESSERA_FOR_EACH_BACKEND(VqAssignPropertyTest);

/// A search of drawn size; in every second one values lie on a coarse grid, so that ties abound.
VqCase drawn_case() {
  VqCase one(drawn(1, 40), static_cast<int32_t>(drawn(1, 70)), static_cast<int32_t>(drawn(1, 12)),
             static_cast<uint64_t>(drawn(1, 1 << 20)));
  if (drawn(0, 1) == 1)
    for (std::vector<real>* values : {&one.latents, &one.codebooks})
      for (real& value : *values) value = std::round(value * 2) / 2;
  return one;
}

std::vector<int32_t> drawn_permutation(int32_t size) {
  std::vector<int32_t> order(static_cast<size_t>(size));
  std::iota(order.begin(), order.end(), 0);
  for (int32_t i = size - 1; i > 0; --i) std::swap(order[i], order[drawn(0, i)]);
  return order;
}

/// Whether one code alone is nearest to the row.
bool has_one_nearest(VqCase& one, int64_t n) {
  std::vector<double> distances;
  for (int32_t k = 0; k < one.groups[0].codebook_size; ++k)
    distances.push_back(VqCase::distance(one.latent(n), one.code(k), one.groups[0].dim));
  const double best = *std::min_element(distances.begin(), distances.end());
  return std::count(distances.begin(), distances.end(), best) == 1;
}

TEST_P(VqAssignPropertyTest, PermutingTheCodesPermutesTheIndices) {
  expect_property(kCases, [this] {
    VqCase one = drawn_case(), permuted = one;
    const int32_t dim = one.groups[0].dim;
    const std::vector<int32_t> order = drawn_permutation(one.groups[0].codebook_size);
    for (size_t k = 0; k < order.size(); ++k)
      std::copy_n(one.code(static_cast<int64_t>(k)), dim, permuted.code(order[k]));
    const Assigned before = one.run(device()), after = permuted.run(device());
    RC_ASSERT(after.sq_dist == before.sq_dist);
    for (int64_t n = 0; n < one.rows; ++n)
      if (has_one_nearest(one, n)) RC_ASSERT(after.codes[n] == order[before.codes[n]]);
  });
}

TEST_P(VqAssignPropertyTest, SplittingTheBatchAnywhereChangesNothing) {
  expect_property(kCases, [this] {
    VqCase whole = drawn_case(), head = whole, tail = whole;
    const int64_t dim = whole.groups[0].dim, cut = drawn(0, whole.rows);
    head.rows = cut;
    head.latents.resize(static_cast<size_t>(cut * dim));
    tail.rows = whole.rows - cut;
    tail.latents.erase(tail.latents.begin(), tail.latents.begin() + cut * dim);
    const Assigned all = whole.run(device());
    Assigned parts = head.run(device());
    const Assigned rest = tail.run(device());
    parts.codes.insert(parts.codes.end(), rest.codes.begin(), rest.codes.end());
    parts.sq_dist.insert(parts.sq_dist.end(), rest.sq_dist.begin(), rest.sq_dist.end());
    RC_ASSERT(parts.codes == all.codes);
    RC_ASSERT(parts.sq_dist == all.sq_dist);
  });
}

TEST_P(VqAssignPropertyTest, ScalingByPowersOfTwoChangesNothing) {
  expect_property(kCases, [this] {
    VqCase one = drawn_case(), scaled = one;
    const int exponent = static_cast<int>(drawn(-30, 30));
    for (real& value : scaled.latents) value = std::ldexp(value, exponent);
    for (real& value : scaled.codebooks) value = std::ldexp(value, exponent);
    const Assigned before = one.run(device()), after = scaled.run(device());
    RC_ASSERT(after.codes == before.codes);
    for (size_t i = 0; i < before.sq_dist.size(); ++i)
      RC_ASSERT(after.sq_dist[i] == std::ldexp(before.sq_dist[i], 2 * exponent));
  });
}

}  // namespace
}  // namespace tessera
