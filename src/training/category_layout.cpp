#include "tessera/category_layout.h"

namespace tessera {

std::vector<CategoryLayout> category_layout(const CategoricalOptions& options) {
  std::vector<CategoryLayout> layout;
  int64_t first = 0;
  for (const CategorySpec& category : options.categories) {
    layout.push_back({category.name, first, category.features});
    first += category.features;
  }
  return layout;
}

std::vector<CategoryLayout> one_category(int64_t features) { return {{"all", 0, features}}; }

int64_t check_layout(std::span<const CategoryLayout> layout, int64_t features, int64_t codebooks) {
  int64_t next = 0;
  for (const CategoryLayout& category : layout) {
    TESSERA_CHECK(category.first == next && category.columns > 0, "category ", category.name,
                  " has ", category.columns, " columns from ", category.first, ", those before it ",
                  "end at ", next);
    next += category.columns;
  }
  const auto categories = static_cast<int64_t>(layout.size());
  TESSERA_CHECK(next == features && categories > 0 && codebooks > 0 && codebooks % categories == 0,
                categories, " categories of ", next, " columns for ", features, " features and ",
                codebooks, " codebooks");
  return codebooks / categories;
}

}  // namespace tessera
