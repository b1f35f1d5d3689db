#include "tessera/category_reduction.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tessera/models/categorical_tokenizer.h"
#include "testing/numbers.h"

namespace tessera {
namespace {

using Features = std::vector<int32_t>;
constexpr int64_t kRows = 9;
constexpr float kUntouched = -1;

/// A family of seven features and three categories, one of three and two.
std::vector<CategoryFamily> two_families() {
  std::vector<CategoryFamily> all = {{.features = 7, .categories = 3},
                                     {.features = 3, .categories = 2}};
  CategoryFamily::pack(all);
  return all;
}

/// Sizes of the models under test. `odd`: flat weights with gaps between groups.
struct Sizes {
  bool odd = true;
  std::vector<int64_t> residual = {};
  std::string quantizer = "ema";
};

/// The model of those of two_families() that `kept` names.
std::unique_ptr<CategoricalTokenizer> model_of(const Features& kept, const Sizes& sizes) {
  const auto level = [&](int64_t dim, int64_t size) {
    return sizes.odd ? LevelSize{dim, size} : LevelSize{4, size};
  };
  const std::vector<CategorySpec> all = {{"a", 3, {level(3, 4), level(5, 3)}},
                                         {"b", 2, {level(1, 5), level(2, 3)}},
                                         {"c", 2, {level(2, 3), level(3, 5)}},
                                         {"d", 2, {level(3, 2), level(1, 4)}},
                                         {"e", 1, {level(5, 3), level(3, 3)}}};
  CategoricalOptions options{.categories = {},
                             .embedding_dim = sizes.odd ? 5 : 4,
                             .hidden_dim = sizes.odd ? 3 : 8,
                             .decoder_hidden = 8,
                             .residual_sizes = sizes.residual,
                             .partial_hidden = sizes.odd ? 3 : 4,
                             .dropout = 0};
  options.assignment.families = two_families();
  for (CategoryFamily& family : options.assignment.families) {
    int64_t waiting = family.features;
    const Features mine = [&] {
      Features inside;
      for (const int32_t k : kept)
        if ((k < 3) == (family.features == 7)) inside.push_back(k);
      return inside;
    }();
    family.categories = static_cast<int32_t>(mine.size());
    for (const int32_t k : mine) {
      options.categories.push_back(all[static_cast<size_t>(k)]);
      waiting -= options.categories.back().features;
    }
    options.categories.back().features += waiting;
  }
  CategoryFamily::pack(options.assignment.families);
  return std::make_unique<CategoricalTokenizer>(
      options, QuantizerOptions{.kind = sizes.quantizer, .seed = 5}, Device{});
}

/// Everything that reads or writes a model's numbers, by name.
void for_values(Tokenizer& model,
                const std::function<void(const std::string&, std::vector<float>&)>& change) {
  for (NamedTensor& named : model.tensors()) {
    std::vector<float> values = named.tensor.to_host();
    change(named.name, values);
    named.tensor.write(values);
  }
}

/// Gives every value of the model a number of its own; what stands beside parameters as moments is
/// minus the value and the value and a half.
void number_all(Tokenizer& model) {
  float next = 1;
  for_values(model, [&](const std::string&, std::vector<float>& values) {
    for (float& value : values) value = next++;
  });
  for (ParameterGroup* group :
       {&model.model_group(), &model.assignment_group(), &model.codebook_group()}) {
    if (group->empty()) continue;
    std::vector<float> first = group->first_moment().to_host(),
                       second = group->second_moment().to_host();
    for (size_t i = 0; i < group->parameters().size(); ++i) {
      const std::vector<float> values = (*group)[i].value.to_host();
      for (size_t e = 0; e < values.size(); ++e) {
        first[static_cast<size_t>(group->begin(i)) + e] = -values[e];
        second[static_cast<size_t>(group->begin(i)) + e] = values[e] + 0.5f;
      }
    }
    group->first_moment().write(first);
    group->second_moment().write(second);
  }
  std::vector<int64_t> usage(static_cast<size_t>(model.quantizer().total_codes()));
  for (size_t i = 0; i < usage.size(); ++i) usage[i] = static_cast<int64_t>(i);
  model.quantizer().usage().write(usage);
  model.quantizer().write_resets(17);
  model.learned()->begin_at({0, 0, 1, 1, 2, 2, 2, 3, 4, 4});
  model.learned()->keep_epoch_logits();
  model.learned()->set_evaluation(0.75, false);
}

/// Leaves a, c and e: b is pruned, d merged into e's place or pruned as `pruned` says.
CategoryReduction without_b_and_d() {
  const Features kept = {0, 2, 4};
  CategoryReduction reduction{kept, {0, -1, 1, -1, 2}, {}};
  for (int i = 0; i < 10; ++i)
    reduction.source.insert(reduction.source.end(), kept.begin(), kept.end());
  return reduction;
}

class KeepCategoriesTest : public ::testing::TestWithParam<Sizes> {};

TEST_P(KeepCategoriesTest, EveryValueIsOneOfTheOldModelsOnceAndOnlyGapsAreNot) {
  const auto from = model_of({0, 1, 2, 3, 4}, GetParam()), to = model_of({0, 2, 4}, GetParam());
  number_all(*from);
  for_values(*to, [](const std::string&, std::vector<float>& values) {
    std::ranges::fill(values, kUntouched);
  });
  keep_categories(*from, *to, without_b_and_d());
  std::set<float> seen;
  int64_t untouched = 0;
  for_values(*to, [&](const std::string& name, std::vector<float>& values) {
    const bool is_flat = values.size() % 4 == 0 && name != "assignment/logits";
    for (const float value : values) {
      if (value == kUntouched) {
        ++untouched;
        EXPECT_TRUE(is_flat) << name;
      } else {
        EXPECT_TRUE(seen.insert(value).second) << name << " has " << value << " twice";
      }
    }
  });
  // Groups of flat weights end on multiples of four values: a gap has three at most. With sizes that
  // are multiples of four there is none.
  if (GetParam().odd)
    EXPECT_LE(untouched, 3 * (2 + 3 + 3 + 6 + 6 + 6 + 6));
  else
    EXPECT_EQ(untouched, 0);
}

TEST_P(KeepCategoriesTest, MomentsGoWithTheirParameters) {
  const auto from = model_of({0, 1, 2, 3, 4}, GetParam()), to = model_of({0, 2, 4}, GetParam());
  number_all(*from);
  for_values(
      *to, [](const std::string&, std::vector<float>& values) { std::ranges::fill(values, 0.0f); });
  keep_categories(*from, *to, without_b_and_d());
  for (ParameterGroup* group :
       {&to->model_group(), &to->assignment_group(), &to->codebook_group()}) {
    for (size_t i = 0; i < group->parameters().size(); ++i) {
      const std::vector<float> values = (*group)[i].value.to_host(),
                               first = group->first_moment().to_host(),
                               second = group->second_moment().to_host();
      for (size_t e = 0; e < values.size(); ++e) {
        if (values[e] == 0) continue;  // a gap
        EXPECT_EQ(first[static_cast<size_t>(group->begin(i)) + e], -values[e]) << (*group)[i].name;
        EXPECT_EQ(second[static_cast<size_t>(group->begin(i)) + e], values[e] + 0.5f);
      }
    }
  }
}

/// Sets what the decoder reads of categories b and d to 0.
void cut_from_decoder(CategoricalTokenizer& model) {
  const auto groups = model.quantizer().table().groups();
  for_values(model, [&](const std::string& name, std::vector<float>& values) {
    if (name != "model/decoder/hidden/weight" && name != "model/decoder/block0/in/weight" &&
        name != "model/decoder/block0/skip/weight")
      return;
    const int64_t width = groups.back().latent_begin + groups.back().dim;
    for (size_t e = 0; e < values.size(); ++e)
      for (const size_t g : {2, 3, 6, 7}) {  // two levels each
        const int64_t column = static_cast<int64_t>(e) % width - groups[g].latent_begin;
        if (column >= 0 && column < groups[g].dim) values[e] = 0;
      }
  });
}

TEST_P(KeepCategoriesTest, OutputsStayWhereTheCategoriesHadNoPartInThem) {
  const auto from = model_of({0, 1, 2, 3, 4}, GetParam()), to = model_of({0, 2, 4}, GetParam());
  uint64_t seed = 1;
  for_values(*from, [&](const std::string&, std::vector<float>& values) {
    values = testing::uniform<float>(static_cast<int64_t>(values.size()), ++seed);
  });
  cut_from_decoder(*from);
  const Features category_of = {0, 2, 0, 0, 2, 2, 0, 4, 4, 4};  // none of b or d
  from->learned()->write_logits(initial_logits(two_families(), category_of, 2));
  from->learned()->begin_at(category_of);
  from->learned()->keep_epoch_logits();
  keep_categories(*from, *to, without_b_and_d());
  EXPECT_EQ(to->learned()->hard(), (Features{0, 1, 0, 0, 1, 1, 0, 2, 2, 2}));
  from->learned()->set_evaluation(1, true);
  to->learned()->set_evaluation(1, true);
  const Var x(Tensor::from_host(kRows, 10, testing::uniform<float>(kRows * 10, 3)));
  const TokenizerOutput before = from->forward({}, x), after = to->forward({}, x);
  const std::vector<int32_t> old = before.code.codes.to_host(), now = after.code.codes.to_host();
  for (int64_t n = 0; n < kRows; ++n)
    for (const auto& [g, was] : {std::pair(0, 0), {1, 1}, {2, 4}, {3, 5}, {4, 8}, {5, 9}})
      EXPECT_EQ(now[static_cast<size_t>(n * 6 + g)], old[static_cast<size_t>(n * 10 + was)]);
  EXPECT_EQ(after.reconstruction.value().to_host(), before.reconstruction.value().to_host());
  // What a alone tells: its codebooks stand first in both.
  const std::vector<float> parts = after.partial.value().to_host(),
                           old_parts = before.partial.value().to_host();
  const int64_t width = after.partial.cols(), old_width = before.partial.cols();
  for (int64_t n = 0; n < kRows; ++n)
    for (int64_t c = 0; c < 2 * 7; ++c)
      EXPECT_EQ(parts[static_cast<size_t>(n * width + c)],
                old_parts[static_cast<size_t>(n * old_width + c)]);
}

TEST_P(KeepCategoriesTest, UsageResetsAndTheStartGoAlong) {
  const auto from = model_of({0, 1, 2, 3, 4}, GetParam()), to = model_of({0, 2, 4}, GetParam());
  number_all(*from);
  keep_categories(*from, *to, without_b_and_d());
  // Codes of a: 4 and 3, of b: 5 and 3, of c: 3 and 5, of d: 2 and 4, of e: 3 and 3.
  std::vector<int64_t> expected;
  for (const auto& [begin, end] : {std::pair(0, 7), {15, 23}, {29, 35}})
    for (int64_t i = begin; i < end; ++i) expected.push_back(i);
  EXPECT_EQ(to->quantizer().usage().to_host(), expected);
  EXPECT_EQ(to->quantizer().resets(), 17);
  EXPECT_EQ(to->learned()->initial(), (Features{0, 0, -1, -1, 1, 1, 1, -1, 2, 2}));
  EXPECT_EQ(to->learned()->temperature(), 0.75);
  EXPECT_EQ(to->learned()->epoch_logits(), to->learned()->logits());
}

INSTANTIATE_TEST_SUITE_P(
    Models, KeepCategoriesTest,
    ::testing::Values(Sizes{}, Sizes{.odd = false}, Sizes{.odd = true, .residual = {6, 5}},
                      Sizes{.odd = true, .residual = {}, .quantizer = "gradient"}));

TEST(CategoryReductionTest, APrunedCategoryIsGoneAndAMergedOneIsPartOfAnother) {
  // a and c are merged, b is pruned; d and e stay.
  const std::vector<float> logits = testing::uniform<float>(50, 4);
  const CategoryReduction reduction =
      reduce_by(two_families(), logits, PruningPlan{{1}, {}, {{}}}, MergingPlan{{{0, 2, 0.7}}, {}});
  EXPECT_EQ(reduction.kept, (Features{0, 3, 4}));
  EXPECT_EQ(reduction.became, (Features{0, -1, 0, 1, 2}));
  for (size_t i = 0; i < 10; ++i) {
    const bool is_first = i < 7;
    EXPECT_EQ(reduction.source[i * 3], is_first && logits[i * 5 + 2] > logits[i * 5] ? 2 : 0) << i;
    EXPECT_EQ(reduction.source[i * 3 + 1], 3);
  }
}

TEST(CategoryReductionTest, MergesOfMergesEndInOne) {
  const CategoryReduction reduction = reduce_by(two_families(), testing::uniform<float>(50, 5), {},
                                                MergingPlan{{{1, 2, 0.9}, {0, 1, 0.8}}, {}});
  EXPECT_EQ(reduction.kept, (Features{0, 3, 4}));
  EXPECT_EQ(reduction.became, (Features{0, 0, 0, 1, 2}));
}

TEST(CategoryReductionTest, FeaturesEndWhereThePlansSay) {
  std::vector<float> logits = testing::uniform<float>(50, 6);
  const auto families = two_families();
  const PruningPlan pruning = plan_pruning(families, logits, {.min_features = 2});
  const std::vector<double> r(100, 0.5);
  const MergingPlan merging = plan_merging(families, pruning.category_of, r, 0.4);
  ASSERT_GE(merging.pairs.size(), 1u);
  const CategoryReduction reduction = reduce_by(families, logits, pruning, merging);
  for (size_t i = 0; i < 10; ++i) {
    const bool is_first = i < 7;
    int32_t best = -1;
    float largest = -10;
    for (size_t k = 0; k < reduction.kept.size(); ++k) {
      if ((reduction.kept[k] < 3) != is_first) continue;
      const float logit =
          logits[i * 5 + static_cast<size_t>(reduction.source[i * reduction.kept.size() + k])];
      if (logit > largest) best = reduction.kept[k], largest = logit;
    }
    EXPECT_EQ(best, merging.category_of[i]) << "feature " << i;
  }
}

}  // namespace
}  // namespace tessera
