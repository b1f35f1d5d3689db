#include "tessera/category_reduction.h"

#include <algorithm>
#include <numeric>

namespace tessera::inline TESSERA_PRECISION {
namespace {

/// Brings values of one model to where another, with fewer categories, has them.
class CategoryMove {
 public:
  CategoryMove(Tokenizer& from, Tokenizer& to, const CategoryReduction& reduction)
      : from_(from), to_(to), reduction_(reduction) {
    TESSERA_CHECK(from.category_slices() && to.category_slices() && from.learned() && to.learned(),
                  "keep_categories: a model whose categories are not learned");
    TESSERA_CHECK(to.learned()->categories() == static_cast<int64_t>(reduction.kept.size()) &&
                      from.learned()->categories() == static_cast<int64_t>(reduction.became.size()),
                  "keep_categories: from ", from.learned()->categories(), " to ",
                  to.learned()->categories(), " categories, ", reduction.kept.size(), " of ",
                  reduction.became.size(), " are kept");
  }

  /// Of the tensor `name`: a tensor without slices is of no category and has one size in both.
  template <class T>
  void values(const std::string& name, std::span<const T> old, std::span<T> values) const {
    const CategorySlices* from = slices(from_, name);
    const CategorySlices* to = slices(to_, name);
    if (to != nullptr) return copy_slices(*from, old, *to, std::span(reduction_.kept), values);
    TESSERA_CHECK(old.size() == values.size(), "keep_categories: ", name, " had ", old.size(),
                  " values, now ", values.size(), "; the model names no slices of it");
    std::copy(old.begin(), old.end(), values.begin());
  }
  template <class T>
  void write(const std::string& name, const std::vector<T>& old, Buffer<T>& buffer) const {
    std::vector<T> host = buffer.to_host();
    values<T>(name, old, host);
    buffer.write(host);
  }
  void tensors() const {
    std::vector<NamedTensor> old = from_.tensors(), fresh = to_.tensors();
    for (size_t i = 0; i < fresh.size(); ++i) {
      TESSERA_CHECK(old[i].name == fresh[i].name, "keep_categories: ", fresh[i].name, " was ",
                    old[i].name);
      if (fresh[i].name.starts_with("assignment/")) continue;
      std::vector<real> host = fresh[i].tensor.to_host();
      values<real>(fresh[i].name, old[i].tensor.to_host(), host);
      fresh[i].tensor.write(host);
    }
  }
  /// Both moments of a group whose parameters have the names `name_of` gives in tensors().
  template <class Name>
  void moments(ParameterGroup& old_group, ParameterGroup& group, Name name_of) const {
    if (group.empty()) return;
    const auto move = [&](const std::vector<real>& old, Buffer<real>& buffer) {
      std::vector<real> host = buffer.to_host();
      for (size_t i = 0; i < group.parameters().size(); ++i) {
        const auto part = [i](auto&& all, ParameterGroup& of) {
          return std::span(all).subspan(static_cast<size_t>(of.begin(i)),
                                        static_cast<size_t>(of[i].value.size()));
        };
        values<real>(name_of(group[i].name), part(old, old_group), part(host, group));
      }
      buffer.write(host);
    };
    move(old_group.first_moment().to_host(), group.first_moment());
    move(old_group.second_moment().to_host(), group.second_moment());
  }
  /// Logits, or what stands beside each of them.
  std::vector<real> chosen(const std::vector<real>& old, std::vector<real> values) const {
    const size_t categories = reduction_.kept.size(), before = reduction_.became.size();
    for (size_t e = 0; e < reduction_.source.size(); ++e)
      values[e] = old[e / categories * before + static_cast<size_t>(reduction_.source[e])];
    return values;
  }
  void assignment() const {
    LearnedAssignment &old = *from_.learned(), &learned = *to_.learned();
    learned.write_logits(chosen(old.logits(), learned.logits()));
    ParameterGroup &old_group = from_.assignment_group(), &group = to_.assignment_group();
    group.first_moment().write(
        chosen(old_group.first_moment().to_host(), group.first_moment().to_host()));
    group.second_moment().write(
        chosen(old_group.second_moment().to_host(), group.second_moment().to_host()));
    learned.write_epoch_logits(chosen(old.epoch_logits(), learned.logits()));
    std::vector<int32_t> initial = old.initial();
    for (int32_t& category : initial)
      if (category >= 0) category = reduction_.became[static_cast<size_t>(category)];
    learned.begin_at(std::move(initial));
    learned.set_evaluation(old.temperature(), false);
  }

 private:
  static const CategorySlices* slices(Tokenizer& model, const std::string& name) {
    const std::vector<CategorySlices>& all = *model.category_slices();
    const auto found = std::ranges::find(all, name, &CategorySlices::tensor);
    return found == all.end() ? nullptr : &*found;
  }

  Tokenizer &from_, &to_;
  const CategoryReduction& reduction_;
};

}  // namespace

CategoryReduction reduce_by(std::span<const CategoryFamily> families, std::span<const real> logits,
                            const PruningPlan& pruning, const MergingPlan& merging) {
  const int32_t categories = families.back().category_begin + families.back().categories;
  std::vector<int32_t> part_of(static_cast<size_t>(categories));
  std::iota(part_of.begin(), part_of.end(), 0);
  for (const int32_t k : pruning.removed) part_of[static_cast<size_t>(k)] = -1;
  for (const MergingPlan::Pair& pair : merging.pairs)
    std::ranges::replace(part_of, pair.absorbed, pair.kept);
  CategoryReduction reduction;
  for (int32_t k = 0; k < categories; ++k)
    if (part_of[static_cast<size_t>(k)] == k) reduction.kept.push_back(k);
  for (const int32_t k : part_of)
    reduction.became.push_back(k < 0 ? -1
                                     : static_cast<int32_t>(std::ranges::find(reduction.kept, k) -
                                                            reduction.kept.begin()));
  for (const CategoryFamily& family : families)
    for (int64_t i = 0; i < family.features; ++i)
      for (const int32_t k : reduction.kept) {
        const real* row = logits.data() + (family.feature_begin + i) * categories;
        int32_t best = k;
        for (int32_t j = family.category_begin; j < family.category_begin + family.categories; ++j)
          if (part_of[static_cast<size_t>(j)] == k && row[j] > row[best]) best = j;
        reduction.source.push_back(best);
      }
  return reduction;
}

void keep_categories(Tokenizer& from, Tokenizer& to, const CategoryReduction& reduction) {
  const CategoryMove move(from, to, reduction);
  move.tensors();
  move.moments(from.model_group(), to.model_group(),
               [](const std::string& name) { return "model/" + name; });
  move.moments(from.codebook_group(), to.codebook_group(),
               [](const std::string& name) { return "quantizer/" + name; });
  move.write("quantizer/usage", from.quantizer().usage().to_host(), to.quantizer().usage());
  to.quantizer().write_resets(from.quantizer().resets());
  move.assignment();
}

}  // namespace tessera::inline TESSERA_PRECISION
