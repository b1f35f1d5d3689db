#include <algorithm>
#include <regex>

#include "tessera/report/report_run.h"
#include "tools/command_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class ReportCommandTest : public CommandTest {
 protected:
  std::string text(const std::string& name) const {
    std::ifstream file(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  /// The value of a number on the page.
  static double number(const std::string& page, const std::string& name) {
    std::smatch found;
    const std::regex line("<th>" + name + "</th><td class=\"number\">([^<]*)</td>");
    EXPECT_TRUE(std::regex_search(page, found, line)) << name;
    return found.empty() ? -1 : std::stod(found[1]);
  }
};

bool has_section(const std::string& page, const char* id) {
  return page.find(std::string("<section id=\"").append(id).append("\">")) != std::string::npos;
}

TEST_F(ReportCommandTest, WritesAPageIntoTheRunFolder) {
  ASSERT_EQ(run_train().exit_code, 0);
  const ProgramResult result = run({"report", "--checkpoint", "run"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string page = text("run/report.html");
  for (const char* id : {"numbers", "losses", "reconstruction", "utilization", "code-use",
                         "topographic", "settings", "not-measured"})
    EXPECT_TRUE(has_section(page, id)) << id;
  for (const char* id : {"similarity", "features", "assignment"})
    EXPECT_FALSE(has_section(page, id)) << id;
  EXPECT_NE(page.find("the 30 validation rows of "), std::string::npos);
}

TEST_F(ReportCommandTest, TheHeldOutRowsHaveTheErrorThatTrainingLogged) {
  ASSERT_EQ(run_train().exit_code, 0);
  ASSERT_EQ(
      run({"report", "--checkpoint", "run/last.safetensors", "--output", "page.html"}).exit_code,
      0);
  const double logged = metrics().back().at("validation_reconstruction");
  // Six digits are printed; sums of float terms in another order.
  EXPECT_NEAR(number(text("page.html"), "reconstruction_error"), logged, 1e-5 * logged);
}

TEST_F(ReportCommandTest, OtherDataAreMeasuredWhole) {
  ASSERT_EQ(run_train().exit_code, 0);
  ASSERT_EQ(run({"report", "--checkpoint", "run", "--data", "rows.npy"}).exit_code, 0);
  const auto eval = nlohmann::json::parse(
      run({"eval", "--checkpoint", "run", "--data", "rows.npy", "--reference", "none", "--json"})
          .out);
  const std::string page = text("run/report.html");
  EXPECT_NE(page.find("all 300 rows of "), std::string::npos);
  const double error = eval["reconstruction_error"];
  EXPECT_NEAR(number(page, "reconstruction_error"), error, 1e-5 * error);
  EXPECT_EQ(number(page, "tokens_used"), eval["codes_used"].get<double>());
}

TEST_F(ReportCommandTest, ARunThatHeldNothingOutSaysSo) {
  ASSERT_EQ(run_train({"data.validation_fraction=0"}).exit_code, 0);
  ASSERT_EQ(run({"report", "--checkpoint", "run"}).exit_code, 0);
  EXPECT_NE(text("run/report.html").find("trained on the measured rows"), std::string::npos);
}

TEST_F(ReportCommandTest, ACheckpointAloneHasNoCurves) {
  ASSERT_EQ(run_train().exit_code, 0);
  std::filesystem::copy(path("run/last.safetensors"), path("alone.safetensors"));
  ASSERT_EQ(run({"report", "--checkpoint", "alone.safetensors", "--output", "a.html"}).exit_code,
            0);
  const std::string page = text("a.html");
  EXPECT_FALSE(has_section(page, "losses"));
  EXPECT_NE(page.find("<li>Losses over time"), std::string::npos);
}

TEST_F(ReportCommandTest, OtherWidthsAndMissingFilesAreRefused) {
  ASSERT_EQ(run_train().exit_code, 0);
  write_npy(path("narrow.npy"), HostArray::from_values<float>({2, 3}, std::vector<float>(6)));
  expect_exit(4, "3 features a row, the model was trained on 12",
              {"report", "--checkpoint", "run", "--data", "narrow.npy"});
  expect_exit(4, "nothing", {"report", "--checkpoint", "nothing"});
  expect_exit(2, "--checkpoint", {"report"});
}

TEST_F(ReportCommandTest, OverwritesNothingThatItReads) {
  ASSERT_EQ(run_train().exit_code, 0);
  const std::string before = text("run/best.safetensors");
  expect_exit(2, "the report reads this file",
              {"report", "--checkpoint", "run", "--output", "run/best.safetensors"});
  expect_exit(2, "the report reads this file",
              {"report", "--checkpoint", "run", "--data", "rows.npy", "--output", "rows.npy"});
  EXPECT_EQ(text("run/best.safetensors"), before);
}

/// A run of named features in two categories, each of features of both families.
class NamedReportTest : public ReportCommandTest {
 protected:
  NamedReportTest() {
    write_file(
        path("names.json"),
        R"({"grid": ["a", "b", "c", "d", "e", "f"], "series": ["a", "b", "c", "d", "e", "<f>"]})");
    write_file(path("map.json"),
               R"({"even": ["grid/a", "grid/c", "grid/e", "series/a", "series/c", "series/e"],)"
               R"( "odd": ["grid/b", "grid/d", "grid/f", "series/b", "series/d", "series/<f>"]})");
    write_file(path("config.yaml"),
               "data: {path: rows.npy, normalization: standard, cleaning: {outliers: none}}\n"
               "model: {kind: categorical, category_embedding_dim: 8, category_hidden_dim: 8}\n"
               "categories: {mapping_file: map.json}\n"
               "training: {num_epochs: 2, batch_size: 64, checkpoint_dir: run, device: cpu}\n");
  }
};

TEST_F(NamedReportTest, ShowsWhichFeaturesBelongTogether) {
  ASSERT_EQ(run_train().exit_code, 0);
  const ProgramResult result = run({"report", "--checkpoint", "run"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string page = text("run/report.html");
  EXPECT_TRUE(has_section(page, "similarity"));
  EXPECT_FALSE(has_section(page, "not-measured"));
  EXPECT_NE(page.find("<b>grid</b>: a, c, e</div><div><b>series</b>: a, c, e"), std::string::npos);
  EXPECT_NE(page.find("<b>series</b>: b, d, &lt;f&gt;"), std::string::npos);
  const double logged = metrics().back().at("validation_reconstruction");
  EXPECT_NEAR(number(page, "reconstruction_error"), logged, 1e-5 * logged);
}

TEST_F(NamedReportTest, TheOrderOfColumnsIsOfNoMatter) {
  ASSERT_EQ(run_train().exit_code, 0);
  const HostArray rows = planted_rows(300);
  const auto values = rows.values<float>();
  std::vector<float> reversed(values.begin(), values.end());
  for (auto row = reversed.begin(); row != reversed.end(); row += kFeatures)
    std::reverse(row, row + kFeatures);
  write_npy(path("other.npy"), HostArray::from_values<float>({300, kFeatures}, reversed));
  write_file(
      path("other.names.json"),
      R"({"series": ["<f>", "e", "d", "c", "b", "a"], "grid": ["f", "e", "d", "c", "b", "a"]})");
  for (const std::string name : {"rows", "other"})
    ASSERT_EQ(
        run({"report", "--checkpoint", "run", "--data", name + ".npy", "--output", name + ".html"})
            .exit_code,
        0);
  EXPECT_EQ(number(text("rows.html"), "reconstruction_error"),
            number(text("other.html"), "reconstruction_error"));
  EXPECT_EQ(number(text("rows.html"), "topographic_pre"),
            number(text("other.html"), "topographic_pre"));
}

/// A model by categories with codebooks fitted to the rows and nothing trained.
class ReportMeasurementsTest : public ::testing::Test {
 protected:
  explicit ReportMeasurementsTest(int64_t rows = 40)
      : set_(to_rows(planted_rows(rows), "planted"), {}, {}) {
    model_.quantizer().initialize(model_.encode({}, Var(set_.rows_at(0, rows))).value());
    add_measurements(report_, model_, category_layout(kOptions), {}, set_, {});
  }

  static inline const CategoricalOptions kOptions{
      .categories = {
          {"one", 5, {{.code_dim = 2, .codebook_size = 4}, {.code_dim = 3, .codebook_size = 6}}},
          {"two", 7, {{.code_dim = 3, .codebook_size = 5}, {.code_dim = 4, .codebook_size = 3}}}}};
  CategoricalTokenizer model_{kOptions, {}, {}};
  Dataset set_;
  TokenizerReport report_{.title = "t"};
};

TEST_F(ReportMeasurementsTest, HaveTheCodebooksOfEachCategory) {
  ASSERT_EQ(report_.categories.size(), 2u);
  EXPECT_EQ(report_.categories[1].features, (std::vector<int64_t>{5, 6, 7, 8, 9, 10, 11}));
  ASSERT_EQ(report_.categories[1].levels.size(), 2u);
  const std::vector<int64_t>& counts = report_.categories[1].levels[1].counts;
  ASSERT_EQ(counts.size(), 3u);
  EXPECT_EQ(counts[0] + counts[1] + counts[2], 40);
  EXPECT_TRUE(report_.categories[0].levels[0].error.has_value());
}

TEST_F(ReportMeasurementsTest, CompareCentroidsOfCodebooks) {
  ASSERT_EQ(report_.similarities.size(), 1u);
  const SquareMatrix& cosine = report_.similarities[0].values;
  ASSERT_EQ(cosine.size, 4);
  EXPECT_NEAR(cosine(2, 2), 1, 1e-12);
  EXPECT_EQ(cosine(0, 3), cosine(3, 0));
  // Codebook 0 has two columns: the first two of the mean code of codebook 1 meet them.
  const std::vector<float> codes = model_.quantizer().codebooks().to_host();
  const auto& groups = model_.quantizer().table().groups();
  std::vector<double> a(3), b(3);
  for (int k = 0; k < 4; ++k)
    for (int d = 0; d < 2; ++d) a[d] += double(codes[groups[0].codebook_begin + 2 * k + d]);
  for (int k = 0; k < 6; ++k)
    for (int d = 0; d < 3; ++d) b[d] += double(codes[groups[1].codebook_begin + 3 * k + d]);
  const double product = a[0] * b[0] + a[1] * b[1];
  EXPECT_NEAR(cosine(0, 1), product / std::hypot(a[0], a[1]) / std::hypot(b[0], b[1], b[2]), 1e-9);
}

class ReportOfTenRowsTest : public ReportMeasurementsTest {
 protected:
  ReportOfTenRowsTest() : ReportMeasurementsTest(10) {}

  /// Pearson over all entries of the symmetric matrices whose upper triangles these are.
  static double correlation(const std::vector<double>& a, const std::vector<double>& b) {
    const double n = 2 * double(a.size()) + 10;  // and a diagonal of 0
    double sa = 0, sb = 0, aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      sa += 2 * a[i], sb += 2 * b[i];
      aa += 2 * a[i] * a[i], bb += 2 * b[i] * b[i], ab += 2 * a[i] * b[i];
    }
    return (ab - sa * sb / n) / std::sqrt((aa - sa * sa / n) * (bb - sb * sb / n));
  }
};

TEST_F(ReportOfTenRowsTest, DistancesOfAllPairsCorrelateAsTheNumbersSay) {
  const ReportDistances& d = *report_.distances;
  ASSERT_EQ(d.inputs.size(), 45u);
  // Float distances of a few terms.
  EXPECT_NEAR(correlation(d.inputs, d.latents), d.pre, 1e-5);
  EXPECT_NEAR(correlation(d.latents, d.codes), d.post, 1e-5);
  EXPECT_NEAR(correlation(d.inputs, d.codes), d.end_to_end, 1e-5);
}

}  // namespace
}  // namespace tessera
