#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "tessera/category_assignment.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

/// Pairs among n things.
double pairs_of(int64_t n) { return 0.5 * double(n) * double(n - 1); }

/// The key with the largest count, the lowest of equals; -1 without any.
int32_t most_frequent(const std::map<int32_t, int64_t>& counts) {
  int32_t best = -1;
  int64_t most = 0;
  for (const auto& entry : counts)
    if (entry.second > most) best = entry.first, most = entry.second;
  return best;
}

std::vector<int32_t> categories_in(const CategoryFamily& family) {
  std::vector<int32_t> all;
  for (int32_t k = 0; k < family.categories; ++k) all.push_back(family.category_begin + k);
  return all;
}

/// Prunes the categories of one family.
class FamilyPruning {
 public:
  FamilyPruning(const CategoryFamily& family, std::span<const real> logits, int64_t columns,
                PruningPlan& plan)
      : family_(family),
        logits_(logits),
        columns_(columns),
        live_(categories_in(family)),
        plan_(plan) {}

  void run(const PruningOptions& options, std::span<const double> usefulness) {
    while (live_.size() > 1) {
      int32_t worst = -1;
      for (const int32_t k : live_) {
        const bool is_useless =
            !usefulness.empty() && usefulness[static_cast<size_t>(k)] < options.min_usefulness;
        if (size(k) >= options.min_features && !is_useless) continue;
        if (worst < 0 || size(k) <= size(worst)) worst = k;
      }
      if (worst < 0) return;
      remove(worst);
    }
  }

 private:
  std::span<int32_t> members() const {
    return std::span(plan_.category_of)
        .subspan(static_cast<size_t>(family_.feature_begin), static_cast<size_t>(family_.features));
  }
  int64_t size(int32_t k) const { return std::count(members().begin(), members().end(), k); }
  void remove(int32_t k) {
    live_.erase(std::find(live_.begin(), live_.end(), k));
    plan_.removed.push_back(k);
    std::vector<int32_t>& joined = plan_.joined.emplace_back();
    int64_t i = family_.feature_begin;
    for (int32_t& category : members()) {
      const real* row = logits_.data() + i++ * columns_;
      if (category != k) continue;
      category = *std::max_element(live_.begin(), live_.end(),
                                   [row](int32_t a, int32_t b) { return row[a] < row[b]; });
      joined.push_back(category);
    }
  }

  const CategoryFamily& family_;
  std::span<const real> logits_;
  int64_t columns_;
  std::vector<int32_t> live_;
  PruningPlan& plan_;
};

/// Sums of |r| between categories, from which likeness follows; merging adds rows and columns.
struct CategoryRelations {
  CategoryRelations(int64_t categories, std::span<const int32_t> category_of,
                    std::span<const double> correlations)
      : count(categories),
        size(static_cast<size_t>(categories)),
        sum(static_cast<size_t>(categories * categories)) {
    const int64_t features = static_cast<int64_t>(category_of.size());
    for (int64_t i = 0; i < features; ++i) {
      const int32_t k = category_of[static_cast<size_t>(i)];
      ++size[static_cast<size_t>(k)];
      for (int64_t j = 0; j < features; ++j) {
        const double r = std::abs(correlations[static_cast<size_t>(i * features + j)]);
        if (i != j && std::isfinite(r)) at(k, category_of[static_cast<size_t>(j)]) += r;
      }
    }
  }
  double& at(int64_t a, int64_t b) { return sum[static_cast<size_t>(a * count + b)]; }
  int64_t size_of(int64_t a) const { return size[static_cast<size_t>(a)]; }
  double within(int64_t a) { return size_of(a) < 2 ? 1 : at(a, a) / (2 * pairs_of(size_of(a))); }
  double likeness(int64_t a, int64_t b) {
    if (size_of(a) == 0 || size_of(b) == 0) return 0;
    const double between = at(a, b) / (double(size_of(a)) * double(size_of(b)));
    const double inside = std::min(within(a), within(b));
    if (between == 0) return 0;
    return inside > 0 ? between / inside : std::numeric_limits<double>::infinity();
  }
  void join(int64_t kept, int64_t absorbed) {
    for (int64_t other = 0; other < count; ++other) {
      at(kept, other) += at(absorbed, other);
      at(absorbed, other) = 0;
    }
    for (int64_t other = 0; other < count; ++other) {
      at(other, kept) += at(other, absorbed);
      at(other, absorbed) = 0;
    }
    size[static_cast<size_t>(kept)] += size[static_cast<size_t>(absorbed)];
    size[static_cast<size_t>(absorbed)] = 0;
  }

  int64_t count;
  std::vector<int64_t> size;
  std::vector<double> sum;  ///< [count, count]; both directions of a pair, so that it is symmetric
};

}  // namespace

double adjusted_rand_index(std::span<const int32_t> a, std::span<const int32_t> b) {
  TESSERA_CHECK(a.size() == b.size(), "adjusted_rand_index: partitions of ", a.size(), " and ",
                b.size(), " features");
  std::map<int32_t, int64_t> in_a, in_b;
  std::map<std::pair<int32_t, int32_t>, int64_t> in_both;
  for (size_t i = 0; i < a.size(); ++i) {
    ++in_a[a[i]];
    ++in_b[b[i]];
    ++in_both[{a[i], b[i]}];
  }
  const auto together = [](const auto& counts) {
    double pairs = 0;
    for (const auto& entry : counts) pairs += pairs_of(entry.second);
    return pairs;
  };
  const double left = together(in_a), right = together(in_b), both = together(in_both);
  const double all = pairs_of(static_cast<int64_t>(a.size()));
  const double expected = all > 0 ? left * right / all : 0, most = 0.5 * (left + right);
  return most == expected ? 1 : (both - expected) / (most - expected);
}

AssignmentRepair count_repairs(std::span<const int32_t> block_of, std::span<const int32_t> before,
                               std::span<const int32_t> after) {
  TESSERA_CHECK(block_of.size() == before.size() && before.size() == after.size(),
                "count_repairs: ", block_of.size(), " blocks, ", before.size(), " and ",
                after.size(), " categories");
  std::map<int32_t, std::map<int32_t, int64_t>> starts, ends;
  for (size_t i = 0; i < block_of.size(); ++i)
    if (block_of[i] >= 0) ++starts[block_of[i]][before[i]];
  const auto began_right = [&](size_t i) {
    return before[i] == most_frequent(starts.at(block_of[i]));
  };
  for (size_t i = 0; i < block_of.size(); ++i)
    if (block_of[i] >= 0 && began_right(i)) ++ends[block_of[i]][after[i]];
  AssignmentRepair count;
  for (size_t i = 0; i < block_of.size(); ++i) {
    if (block_of[i] < 0) continue;
    const bool is_home = after[i] == most_frequent(ends.at(block_of[i]));
    if (began_right(i)) {
      ++count.right;
      count.broken += !is_home;
    } else {
      ++count.misplaced;
      count.repaired += is_home;
    }
  }
  return count;
}

int64_t changed_features(std::span<const int32_t> before, std::span<const int32_t> after) {
  TESSERA_CHECK(before.size() == after.size(), "changed_features: ", before.size(), " and ",
                after.size(), " features");
  int64_t changed = 0;
  for (size_t i = 0; i < before.size(); ++i) changed += before[i] != after[i];
  return changed;
}

PruningPlan plan_pruning(std::span<const CategoryFamily> families, std::span<const real> logits,
                         const PruningOptions& options, std::span<const double> usefulness) {
  const int64_t columns = families.back().category_begin + families.back().categories;
  TESSERA_CHECK(usefulness.empty() || static_cast<int64_t>(usefulness.size()) == columns,
                "plan_pruning: usefulness of ", usefulness.size(), " categories, there are ",
                columns);
  PruningPlan plan{{}, hard_assignment(families, logits)};
  for (const CategoryFamily& family : families)
    FamilyPruning(family, logits, columns, plan).run(options, usefulness);
  return plan;
}

MergingPlan plan_merging(std::span<const CategoryFamily> families,
                         std::span<const int32_t> category_of, std::span<const double> correlations,
                         double threshold) {
  TESSERA_CHECK(correlations.size() == category_of.size() * category_of.size(),
                "plan_merging: ", correlations.size(), " correlations of ", category_of.size(),
                " features");
  MergingPlan plan{{}, {category_of.begin(), category_of.end()}};
  CategoryRelations relations(families.back().category_begin + families.back().categories,
                              category_of, correlations);
  while (true) {
    MergingPlan::Pair best{-1, -1, 0};
    for (const CategoryFamily& family : families)
      for (const int32_t a : categories_in(family))
        for (int32_t b = a + 1; b < family.category_begin + family.categories; ++b)
          if (const double likeness = relations.likeness(a, b); likeness > best.likeness)
            best = {a, b, likeness};
    if (best.kept < 0 || best.likeness < threshold) return plan;
    relations.join(best.kept, best.absorbed);
    for (int32_t& category : plan.category_of)
      if (category == best.absorbed) category = best.kept;
    plan.pairs.push_back(best);
  }
}

}  // namespace tessera::inline TESSERA_PRECISION
