#include "tessera/residual_kmeans.h"

#include <algorithm>
#include <numeric>

#include "tessera/console.h"
#include "tessera/kmeans.h"

namespace tessera {
namespace {

using kernels::VqGroup;

/// The codebooks of one level: one for each category, reading its own columns.
struct Level {
  VqTable table;
  Tensor codebooks;  // flat
};

/// Rows on their way through the levels.
struct Rows {
  Tensor left;                 // [rows, features], what the levels so far do not explain
  std::vector<double> errors;  // [features] mean of left^2
  std::vector<double> levels;  // mean of errors after each level

  void pass(const Level& level) {
    const NearestCodes nearest = nearest_codes(level.table, Var(left), Var(level.codebooks));
    errors = column_squared_errors(left, nearest.quantized.value()).to_host();
    for (double& error : errors) error /= static_cast<double>(left.rows());
    levels.push_back(mean(0, left.cols()));
    left = add(Var(left), nearest.quantized, 1, -1).value();
  }
  double mean(int64_t first, int64_t columns) const {
    const auto begin = errors.begin() + first;
    return std::accumulate(begin, begin + columns, 0.0) / static_cast<double>(columns);
  }
};

class Fit {
 public:
  Fit(std::span<const CategoryLayout> layout, std::span<const int64_t> sizes,
      const ResidualKmeansOptions& options)
      : layout_(layout), sizes_(sizes), options_(options), levels_(sizes.size() / layout.size()) {}

  /// The codebooks of level l, fitted to what the levels before it left of the rows.
  Level level(size_t l, const Tensor& left) {
    std::vector<VqGroup> groups;
    for (size_t k = 0; k < layout_.size(); ++k)
      groups.push_back({.dim = static_cast<int32_t>(layout_[k].columns),
                        .codebook_size = static_cast<int32_t>(sizes_[k * levels_ + l])});
    std::vector<real> books(static_cast<size_t>(VqGroup::pack(groups).codebooks));
    for (size_t k = 0; k < layout_.size(); ++k) {
      const std::vector<real> centres = centres_of(k, l, left).to_host();
      std::copy(centres.begin(), centres.end(), books.begin() + groups[k].codebook_begin);
    }
    const Device device = left.device();
    return {{groups, device},
            Tensor::from_host(1, static_cast<int64_t>(books.size()), books, device)};
  }
  size_t levels() const { return levels_; }

 private:
  Tensor centres_of(size_t k, size_t l, const Tensor& left) {
    const size_t codebook = k * levels_ + l;
    const MatrixView<const real> all = left.view();
    Tensor centres =
        kmeans({all.data + layout_[k].first, all.rows, layout_[k].columns, all.ld}, left.device(),
               {.clusters = sizes_[codebook],
                .iterations = options_.iterations,
                .seed = options_.seed,
                .stream_step = codebook})
            .centres;
    if (options_.progress) options_.progress(++done_, static_cast<int>(sizes_.size()));
    return centres;
  }

  std::span<const CategoryLayout> layout_;
  std::span<const int64_t> sizes_;
  const ResidualKmeansOptions& options_;
  size_t levels_;
  int done_ = 0;
};

}  // namespace

ResidualKmeans residual_kmeans(const Tensor& fit, const Tensor& evaluated,
                               std::span<const CategoryLayout> layout,
                               std::span<const int64_t> codebook_sizes,
                               const ResidualKmeansOptions& options) {
  TESSERA_CHECK(evaluated.is_null() || evaluated.cols() == fit.cols(), "residual k-means: rows of ",
                fit.cols(), " and ", evaluated.cols(), " features");
  check_layout(layout, fit.cols(), static_cast<int64_t>(codebook_sizes.size()));
  const double start = now_seconds();
  const bool evaluates = !evaluated.is_null() && evaluated.rows() > 0;
  Fit fitting(layout, codebook_sizes, options);
  Rows fitted{fit, {}, {}}, others{evaluated, {}, {}};
  for (size_t l = 0; l < fitting.levels(); ++l) {
    const Level level = fitting.level(l, fitted.left);
    fitted.pass(level);
    if (evaluates) others.pass(level);
  }
  ResidualKmeans result{.fitted_rows = fit.rows(),
                        .evaluated_rows = evaluates ? evaluated.rows() : 0,
                        .fit_error = fitted.levels.back(),
                        .error = evaluates ? others.levels.back() : 0,
                        .level_fit_errors = fitted.levels,
                        .level_errors = others.levels};
  for (const CategoryLayout& category : layout)
    result.categories.push_back({category.name, fitted.mean(category.first, category.columns),
                                 evaluates ? others.mean(category.first, category.columns) : 0});
  result.seconds = now_seconds() - start;
  return result;
}

std::vector<int64_t> codebook_sizes(const VqTable& table) {
  std::vector<int64_t> sizes;
  for (const VqGroup& group : table.groups()) sizes.push_back(group.codebook_size);
  return sizes;
}

}  // namespace tessera
