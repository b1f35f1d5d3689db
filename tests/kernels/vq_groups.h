#pragma once

#include "tessera/group_table.h"
#include "tessera/kernels/vq_assign.h"
#include "testing/backends.h"
#include "testing/numbers.h"

namespace tessera::kernels {

/// Three codebooks of different sizes; the first two leave padding behind them.
class VqGroupsTest : public testing::BackendTest {
 protected:
  static std::vector<VqGroup> make_groups() {
    std::vector<VqGroup> groups = {{.dim = 3, .codebook_size = 21},
                                   {.dim = 1, .codebook_size = 5},
                                   {.dim = 70, .codebook_size = 40}};
    VqGroup::pack(groups);
    return groups;
  }
  void SetUp() override {
    BackendTest::SetUp();
    if (!IsSkipped()) table_ = std::make_unique<GroupTable<VqGroup>>(groups_, device());
  }
  template <class T>
  Buffer<T> upload(const std::vector<T>& values) {
    return Buffer<T>::from_host(values, device());
  }
  /// Codes in range: [rows, groups].
  std::vector<int32_t> random_codes(int64_t rows, uint64_t seed) const {
    std::vector<int32_t> codes = testing::integers(rows * kGroups, seed, 1 << 30);
    for (size_t i = 0; i < codes.size(); ++i) codes[i] %= groups_[i % kGroups].codebook_size;
    return codes;
  }
  MatrixView<const int32_t> code_view(const Buffer<int32_t>& codes) const {
    constexpr int64_t kCount = kGroups;
    return {codes.data(), codes.size() / kCount, kCount, kCount};
  }
  template <class T>
  static MatrixView<T> rows_of(T* data, int64_t rows) {
    return {data, rows, kColumns, kColumns};
  }
  /// Calls f(group, k, d, where) for every element of every codebook.
  template <class F>
  void for_elements(F&& f) const {
    for (size_t g = 0; g < groups_.size(); ++g)
      for (int32_t k = 0; k < groups_[g].codebook_size; ++k)
        for (int32_t d = 0; d < groups_[g].dim; ++d)
          f(g, k, d, static_cast<size_t>(groups_[g].codebook_begin + k * groups_[g].dim + d));
  }

  static constexpr size_t kGroups = 3;
  static constexpr int64_t kColumns = 74, kCodes = 66, kFlat = 64 + 8 + 2800;
  std::vector<VqGroup> groups_ = make_groups();
  std::unique_ptr<GroupTable<VqGroup>> table_;
};

}  // namespace tessera::kernels
