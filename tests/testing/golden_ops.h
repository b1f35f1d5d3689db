#pragma once

#include <vector>

#include "tessera/quantizer.h"
#include "testing/golden.h"

// Golden matrices as inputs of the product's operations, in `real`, on the CPU.
namespace tessera::inline TESSERA_PRECISION {
namespace golden_ops {

inline Tensor tensor(const golden::Matrix& m) {
  return Tensor::from_host(m.rows, m.cols, m.as<real>());
}
inline Var var(const golden::Json& json) { return Var(tensor(golden::matrix(json))); }

/// A codebook's values with the padding that VqGroup::pack asks for.
inline std::vector<real> flat(const golden::Matrix& codebook) {
  std::vector<real> values = codebook.as<real>();
  values.resize((values.size() + 3) / 4 * 4);
  return values;
}

inline NearestCodes quantize(const golden::Matrix& z, const golden::Matrix& codebook) {
  const std::vector<real> codes = flat(codebook);
  return nearest_codes(one_codebook(codebook.rows, codebook.cols, Device{}), Var(tensor(z)),
                       Var(Tensor::from_host(1, static_cast<int64_t>(codes.size()), codes)));
}

/// Rows `codes` of a codebook, one after another.
inline std::vector<real> rows_of(const golden::Matrix& codebook,
                                 const std::vector<int32_t>& codes) {
  std::vector<real> rows;
  for (const int32_t code : codes)
    for (const double value : codebook.row(code)) rows.push_back(real(value));
  return rows;
}

inline real value_of(const Var& loss) { return loss.value().to_host().at(0); }

inline void expect_codes(const NearestCodes& nearest, const golden::Json& expected) {
  EXPECT_EQ(nearest.codes.to_host(), expected.get<std::vector<int32_t>>());
}

}  // namespace golden_ops
}  // namespace tessera::inline TESSERA_PRECISION
