#include "tessera/metric_definitions.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tessera/loss.h"
#include "tools/command_fixture.h"
#include "training/epoch_log.h"

namespace tessera {
namespace {

/// Names of the numbers in a JSON object, those of objects in it included.
void collect_keys(const nlohmann::ordered_json& json, std::vector<std::string>& keys) {
  for (const auto& [key, value] : json.items()) {
    if (value.is_object()) collect_keys(value, keys);
    if (!value.is_string() && !value.is_boolean()) keys.push_back(key);
  }
}

TEST(MetricDefinitionsTest, EveryKeyOfMetricsJsonlHasOne) {
  EpochNumbers numbers;
  numbers.use = code_use({});
  numbers.seconds = 1;
  for (const std::string_view loss : loss_names()) {
    numbers.losses.push_back({std::string(loss), 1});
    numbers.train.push_back(1);
    numbers.validation.push_back(1);
  }
  std::vector<std::string> keys;
  collect_keys(metrics_line(numbers), keys);
  EXPECT_GT(keys.size(), 2 * loss_names().size());
  for (const std::string& key : keys) EXPECT_NE(find_metric(key), nullptr) << key;
}

class MetricDefinitionsCommandTest : public testing::CommandTest {};

TEST_F(MetricDefinitionsCommandTest, EveryNumberOfEvalHasOne) {
  ASSERT_EQ(run_train().exit_code, 0);
  const auto result = run({"eval", "--checkpoint", "run", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  std::vector<std::string> keys;
  collect_keys(nlohmann::ordered_json::parse(result.out), keys);
  EXPECT_GT(keys.size(), 10u);
  for (const std::string& key : keys) EXPECT_NE(find_metric(key), nullptr) << key;
}

TEST(MetricDefinitionsTest, PrefixesAndPathsLeadToTheMetric) {
  EXPECT_EQ(find_metric("train_commitment"), find_metric("commitment"));
  EXPECT_EQ(find_metric("validation_topographic"), find_metric("topographic"));
  EXPECT_EQ(find_metric("wind/level_0/utilization"), find_metric("utilization"));
  EXPECT_EQ(find_metric("train_total")->name, "train_total");
  EXPECT_EQ(find_metric("train_nothing"), nullptr);
  EXPECT_EQ(find_metric("total_train"), nullptr);
  EXPECT_EQ(find_metric(""), nullptr);
}

TEST(MetricDefinitionsTest, NamesAreUniqueAndTextsAreSentences) {
  std::set<std::string_view> names;
  for (const MetricDefinition& metric : metric_definitions()) {
    EXPECT_TRUE(names.insert(metric.name).second) << metric.name;
    EXPECT_TRUE(metric.text.ends_with('.')) << metric.name;
  }
}

TEST(MetricDefinitionsTest, TextNamesEveryMetricInLinesOfAHundred) {
  const std::string text = metric_definitions_text();
  for (const MetricDefinition& metric : metric_definitions())
    EXPECT_NE(text.find("\n" + std::string(metric.name)), std::string::npos) << metric.name;
  std::istringstream lines(text);
  size_t longest = 0;
  for (std::string line; std::getline(lines, line);) longest = std::max(longest, line.size());
  EXPECT_LE(longest, 100u);
  EXPECT_GT(longest, 90u);  // wrapped there and not long before
}

}  // namespace
}  // namespace tessera
