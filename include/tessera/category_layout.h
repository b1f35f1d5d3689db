#pragma once

#include <span>
#include <string>
#include <vector>

#include "tessera/models/categorical_tokenizer.h"

namespace tessera {

/// A category's place in a row of features.
struct CategoryLayout {
  std::string name;
  int64_t first = 0, columns = 0;
};

/// Of a model by categories: one after another, as they are given.
std::vector<CategoryLayout> category_layout(const CategoricalOptions& options);
/// Of a model without categories: one, `all`.
std::vector<CategoryLayout> one_category(int64_t features);

/// Throws Error (Internal) unless the categories lie one after another and are `features` columns
/// together, and `codebooks` is a multiple of their number. Returns levels: codebooks of a category.
int64_t check_layout(std::span<const CategoryLayout> layout, int64_t features, int64_t codebooks);

}  // namespace tessera
