#include "tessera/report/tokenizer_report.h"
#include "testing/text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tessera {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool has_section(const std::string& page, const std::string& id) {
  return has(page, "<section id=\"" + id + "\">");
}

/// Two categories of two levels, five features of two families, everything measured.
TokenizerReport full_report() {
  TokenizerReport report{.title = "run/best.safetensors"};
  report.about = {{"data", "features.h5", ""}};
  report.numbers = {{"reconstruction error", "0.25", "mean of (x - x_hat)^2"}};
  report.curves = RunCurves{{1, 2, 3},
                            {{"step", {5, 10, 15}},
                             {"train_total", {3, 2, 1}},
                             {"validation_total", {kNan, 2.5, kNan}},
                             {"train_reconstruction", {2, 1, 0.5}},
                             {"temperature", {1, 0.5, 0.1}}},
                            0};
  report.checkpoint_epoch = 2;
  report.categories = {{.name = "first",
                        .features = {0, 2},
                        .error = 0.5,
                        .levels = {{{4, 0, 4}, 0.7}, {{8, 0}, 0.9}}},
                       {.name = "second",
                        .features = {1, 3, 4},
                        .error = 0.1,
                        .levels = {{{2, 6}, 0.2}, {{1, 7}, 0.3}}}};
  report.features = {{"u", "grid"}, {"v", "grid"}, {"w", "series"}, {"x", "series"}, {"y", "grid"}};
  report.distances = ReportDistances{8, {1, 2}, {1.5, 2}, {1, 3}, 0.75, 0.5, 0.25};
  report.similarities = {{"Cosine", "of centroids.", {4, std::vector<double>(16, 0.5)}}};
  report.assignment = {1, 0, 0, 1, 0.75, 0.25, 0, 1, 0.5, 0.5};
  report.changes = {{"y", "first", "second"}};
  report.settings = "training:\n  seed: 3\n";
  return report;
}

/// Tags of a page one by one: each that is opened is closed, in turn. Returns what is wrong.
std::string unbalanced(const std::string& page) {
  std::vector<std::string> open;
  for (size_t at = page.find('<'); at != std::string::npos; at = page.find('<', at + 1)) {
    const size_t end = page.find('>', at);
    if (end == std::string::npos) return "a tag without its end";
    const std::string tag = page.substr(at + 1, end - at - 1);
    if (tag.find('<') != std::string::npos) return "a tag inside the tag " + tag;
    if (tag[0] == '!' || tag.back() == '/') continue;
    if (tag[0] != '/') {
      open.push_back(tag.substr(0, tag.find_first_of(" \n")));
    } else {
      if (open.empty() || open.back() != tag.substr(1)) return tag + " closes nothing";
      open.pop_back();
    }
  }
  return open.empty() ? "" : open.back() + " is not closed";
}

const std::vector<std::string> kSections = {
    "numbers",     "losses",     "reconstruction", "utilization", "code-use",
    "topographic", "similarity", "features",       "assignment",  "settings"};

TEST(TokenizerPageTest, IsBalancedMarkup) {
  EXPECT_EQ(unbalanced(tokenizer_page(full_report())), "");
  EXPECT_EQ(unbalanced(tokenizer_page({.title = "empty"})), "");
  EXPECT_NE(unbalanced("<p><b></p></b>"), "");
}

TEST(TokenizerPageTest, HasEveryPartThatIsGiven) {
  const std::string page = tokenizer_page(full_report());
  for (const std::string& id : kSections) EXPECT_TRUE(has_section(page, id)) << id;
  EXPECT_FALSE(has_section(page, "not-measured"));
}

TEST(TokenizerPageTest, DrawsNothingThatIsNotGivenAndSaysSo) {
  const std::string page = tokenizer_page({.title = "empty"});
  for (const std::string& id : kSections) EXPECT_FALSE(has_section(page, id)) << id;
  EXPECT_FALSE(has(page, "<svg"));
  ASSERT_TRUE(has_section(page, "not-measured"));
  EXPECT_EQ(testing::count_of(page, "<li>"), 8);
}

TEST(TokenizerPageTest, LeavesOutOnePartAlone) {
  TokenizerReport report = full_report();
  report.distances.reset();
  const std::string page = tokenizer_page(report);
  EXPECT_FALSE(has_section(page, "topographic"));
  EXPECT_TRUE(has_section(page, "similarity"));
  EXPECT_EQ(testing::count_of(page, "<li>"), 1);
  EXPECT_TRUE(has(page, "<li>Topographic similarity"));
}

TEST(TokenizerPageTest, IsSilentOnTheAssignmentOfAModelWithoutOne) {
  TokenizerReport report = full_report();
  report.assignment.clear();
  report.changes.reset();
  std::erase_if(report.curves->series,
                [](const RunSeries& series) { return series.name == "temperature"; });
  const std::string page = tokenizer_page(report);
  EXPECT_FALSE(has_section(page, "assignment"));
  EXPECT_FALSE(has_section(page, "not-measured"));
}

TEST(TokenizerPageTest, NeedsNothingButItself) {
  std::string page = tokenizer_page(full_report());
  const std::string space = "http://www.w3.org/2000/svg";
  for (size_t at; (at = page.find(space)) != std::string::npos;) page.erase(at, space.size());
  for (const char* part :
       {"http:", "https:", "<script", "<link", "src=", "href=", "url(", "@import"})
    EXPECT_FALSE(has(page, part)) << part;
}

TEST(TokenizerPageTest, EscapesEveryText) {
  const std::string bad = "<i>&\"\x01";
  TokenizerReport report = full_report();
  report.title = report.settings = bad;
  report.about[0] = report.numbers[0] = {bad, bad, bad};
  report.remarks = {bad};
  report.curves->series[3].name = "train_" + bad;
  for (ReportCategory& category : report.categories) category.name = bad;
  for (ReportFeature& feature : report.features) feature = {bad, bad};
  report.similarities[0].title = report.similarities[0].definition = bad;
  report.changes->at(0) = {bad, bad, bad};
  const std::string page = tokenizer_page(report);
  EXPECT_FALSE(has(page, "<i>"));
  EXPECT_FALSE(has(page, "\x01"));
  EXPECT_GT(testing::count_of(page, "&lt;i&gt;&amp;&quot;"), 15);
  EXPECT_EQ(unbalanced(page), "");
}

TEST(TokenizerPageTest, EqualReportsAreEqualBytes) {
  EXPECT_EQ(tokenizer_page(full_report()), tokenizer_page(full_report()));
}

TEST(TokenizerPageTest, SaysHowManyCodesOfEachCodebookAreUsed) {
  const std::string page = tokenizer_page(full_report());
  for (const char* text : {">2/3 = 67 %<", ">1/2 = 50 %<", ">2/2 = 100 %<"})
    EXPECT_TRUE(has(page, text)) << text;
  EXPECT_TRUE(has(page, ">2/3 used, perplexity 2<"));
}

TEST(TokenizerPageTest, ShowsErrorsOfCategoriesAndOfSingleCodebooks) {
  TokenizerReport report = full_report();
  EXPECT_TRUE(has(tokenizer_page(report), "first, level 1 alone: 0.9"));
  EXPECT_TRUE(has(tokenizer_page(report), "one codebook alone:"));
  for (ReportCategory& category : report.categories)
    for (ReportLevel& level : category.levels) level.error.reset();
  EXPECT_FALSE(has(tokenizer_page(report), "one codebook alone:"));
}

TEST(TokenizerPageTest, ShowsTheCorrelationsOfDistances) {
  const std::string page = tokenizer_page(full_report());
  for (const char* text : {"r = 0.7500", "r = 0.5000", "r = 0.2500", "one of 2 pairs", "of 8 rows"})
    EXPECT_TRUE(has(page, text)) << text;
}

TEST(TokenizerPageTest, NamesTheFeaturesOfACategoryByFamily) {
  const std::string page = tokenizer_page(full_report());
  EXPECT_TRUE(has(page, "<div><b>grid</b>: v, y</div><div><b>series</b>: x</div>"));
  EXPECT_TRUE(has(page, "second: 2 of grid"));
}

TEST(TokenizerPageTest, AMissingSimilarityIsNoZero) {
  TokenizerReport report = full_report();
  EXPECT_FALSE(has(tokenizer_page(report), ">no value<"));
  report.similarities[0].values.values[1] = kNan;
  EXPECT_TRUE(has(tokenizer_page(report), ">no value<"));
}

TEST(TokenizerPageTest, ASimilarityThatIsNearlyZeroHasNoSign) {
  TokenizerReport report = full_report();
  report.similarities[0].values.values[1] = -0.001;
  EXPECT_TRUE(has(tokenizer_page(report), ">0.00<"));
  EXPECT_FALSE(has(tokenizer_page(report), "-0.00<"));
}

TEST(TokenizerPageTest, ListsFeaturesThatChangedTheirCategory) {
  TokenizerReport report = full_report();
  EXPECT_TRUE(has(tokenizer_page(report), "<td>y</td><td>first</td><td>second</td>"));
  report.changes->clear();
  EXPECT_TRUE(has(tokenizer_page(report), "since training began: 0."));
}

TEST(TokenizerPageTest, MarksTheCheckpointAmongTheEpochs) {
  TokenizerReport report = full_report();
  EXPECT_TRUE(has(tokenizer_page(report), "the checkpoint of this report, epoch 2"));
  report.checkpoint_epoch.reset();
  EXPECT_FALSE(has(tokenizer_page(report), "the checkpoint of this report"));
}

TEST(TokenizerPageTest, ManyFeaturesAndCodebooksStaySmall) {
  TokenizerReport report = full_report();
  report.features.assign(500, {"feature", "family"});
  report.categories.clear();
  for (int64_t k = 0; k < 25; ++k) {
    ReportCategory category{.name = "category", .error = 1.0};
    for (int64_t f = 20 * k; f < 20 * (k + 1); ++f) category.features.push_back(f);
    category.levels.assign(4, {std::vector<int64_t>(48, 5), 1.0});
    report.categories.push_back(category);
  }
  report.similarities[0].values = {100, std::vector<double>(10000, 0.5)};
  report.assignment.clear();
  for (int i = 0; i < 500 * 25; ++i) report.assignment.push_back(double(i * 37 % 101) / 100);
  EXPECT_LT(tokenizer_page(report).size(), size_t{3} << 20);
}

}  // namespace
}  // namespace tessera
