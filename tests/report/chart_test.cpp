#include "tessera/report/chart.h"

#include <cmath>
#include <sstream>

#include "data/file_fixture.h"
#include "tessera/report/svg_document.h"
#include "testing/text.h"

namespace tessera {
namespace {

using Doubles = std::vector<double>;
using Texts = std::vector<std::string>;

template <class Chart>
std::string drawn(const Chart& chart) {
  SvgDocument picture(640, 360);
  draw_chart(picture, {}, chart);
  return picture.to_string();
}

LineChart line_of(const Doubles& y) {
  LineSeries series{.name = "curve", .x = {}, .y = y, .low = {}, .high = {}};
  for (size_t i = 0; i < y.size(); ++i) series.x.push_back(double(i));
  return {.title = "t",
          .x_label = "step",
          .y = {.label = "error", .low = {}, .high = {}},
          .series = {series},
          .x_names = {},
          .rule = {}};
}

TEST(NiceTicksTest, AreRoundAndInside) {
  EXPECT_EQ(nice_ticks(0, 10, 5), (Doubles{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(tick_labels(nice_ticks(2.41, 2.46, 5)),
            (Texts{"2.41", "2.42", "2.43", "2.44", "2.45", "2.46"}));
  EXPECT_EQ(tick_labels(nice_ticks(-0.05, 0.05, 4)),
            (Texts{"-0.04", "-0.02", "0.00", "0.02", "0.04"}));
}

TEST(NiceTicksTest, LargeNumbersArePutInPowers) {
  EXPECT_EQ(tick_labels({0, 2e11, 4e11}), (Texts{"0", "2e+11", "4e+11"}));
}

TEST(NiceTicksTest, AnEmptyRangeHasOne) { EXPECT_EQ(nice_ticks(3, 3), Doubles{3}); }

TEST(LogarithmicTicksTest, AreOnesTwosAndFivesOrPowersAlone) {
  EXPECT_EQ(logarithmic_ticks(0.5, 20, 5), (Doubles{0.5, 1, 2, 5, 10, 20}));
  EXPECT_EQ(logarithmic_ticks(0.5, 2e4, 5), (Doubles{1, 10, 100, 1000, 1e4}));
}

TEST(LogarithmicTicksTest, AreNeverAlone) {
  EXPECT_EQ(logarithmic_ticks(0.003, 2, 2), (Doubles{0.01, 1}));
  EXPECT_EQ(logarithmic_ticks(0.003, 0.9, 2), (Doubles{0.01, 0.1}));
  EXPECT_GE(logarithmic_ticks(3, 4, 2).size(), 2u);
}

/// y of the points of the first line.
Doubles heights(const std::string& text) {
  const size_t begin = text.find("points=\"") + 8;
  std::istringstream points(text.substr(begin, text.find('"', begin) - begin));
  Doubles ys;
  for (std::string point; points >> point;)
    ys.push_back(std::stod(point.substr(point.find(',') + 1)));
  return ys;
}

TEST(LineChartTest, LogarithmicAxesShowFactorsAsEqualSteps) {
  LineChart chart = line_of({1, 10, 100, -3});
  chart.y.logarithmic = true;
  const Doubles y = heights(drawn(chart));
  ASSERT_EQ(y.size(), 4u);
  EXPECT_NEAR(y[0] - y[1], y[1] - y[2], 0.02);  // two decimals are written
  EXPECT_GT(y[0] - y[1], 100);
  EXPECT_GT(y[3], y[0]);  // what is not above 0 lies on the lower edge
  EXPECT_LT(y[3], 360);
}

TEST(LineChartTest, WholeNumbersAreMarkedAtWholeNumbers) {
  LineChart chart = line_of({3, 2});
  EXPECT_EQ(testing::count_of(drawn(chart), ">0.5<"), 1);
  chart.has_whole_x = true;
  EXPECT_EQ(testing::count_of(drawn(chart), ">0.5<"), 0);
}

TEST(LineChartTest, AMissingValueLeavesAGap) {
  EXPECT_EQ(testing::count_of(drawn(line_of({1, 2, 3, 4})), "<polyline"), 1);
  EXPECT_EQ(testing::count_of(drawn(line_of({1, std::nan(""), 3, 4})), "<polyline"), 2);
}

TEST(LineChartTest, NamesItsAxesAndSeries) {
  const std::string text = drawn(line_of({1, 2}));
  for (const char* part : {">t<", ">step<", ">error<", ">curve<"})
    EXPECT_NE(text.find(part), std::string::npos) << part;
}

TEST(LineChartTest, ValuesBeyondALimitAreDrawnAtTheEdge) {
  LineChart chart = line_of({0, 1e9});
  chart.y.high = 10;
  EXPECT_EQ(drawn(chart).find("e+0"), std::string::npos);
  EXPECT_NE(drawn(chart).find(">10<"), std::string::npos);
}

TEST(LineChartTest, NothingToDrawIsNoError) {
  EXPECT_EQ(testing::count_of(drawn(line_of({std::nan("")})), "<polyline"), 0);
  EXPECT_EQ(testing::count_of(drawn(line_of({})), "<polyline"), 0);
}

TEST(BarChartTest, BarsBeginAtZeroAndMarksDoNot) {
  BarChart chart{.title = "t",
                 .y = {.label = "y", .low = {}, .high = {}},
                 .bars = {{.name = "one", .value = 2.4, .error = 0.1, .points = {2.3, 2.5}}},
                 .rule = {}};
  EXPECT_EQ(testing::count_of(drawn(chart), "<rect"), 1);
  EXPECT_NE(drawn(chart).find(">0.0<"), std::string::npos);
  chart.from_zero = false;
  EXPECT_EQ(testing::count_of(drawn(chart), "<rect"), 0);
  EXPECT_EQ(drawn(chart).find(">0.0<"), std::string::npos);
  EXPECT_EQ(testing::count_of(drawn(chart), "<circle"), 2);
}

TEST(BarChartTest, LongNamesAreWrapped) {
  BarChart chart{.title = "", .y = {.label = "", .low = {}, .high = {}}, .bars = {}, .rule = {}};
  for (int i = 0; i < 8; ++i)
    chart.bars.push_back({.name = "several words", .value = 1, .points = {}});
  EXPECT_EQ(testing::count_of(drawn(chart), ">several<"), 8);
}

class ChartPageTest : public testing::FileTest {};

TEST_F(ChartPageTest, IsWrittenAsPngAndSvg) {
  write_page(path("page"), {200, 100, [](Canvas& canvas) {
                              draw_chart(canvas, {0, 0, 200, 100}, line_of({1, 2}));
                            }});
  std::ifstream png(path("page.png"), std::ios::binary);
  std::string head(4, ' ');
  png.read(head.data(), 4);
  EXPECT_EQ(head.substr(1), "PNG");
  EXPECT_TRUE(std::filesystem::exists(path("page.svg")));
}

TEST(ChartColorTest, NeighboursDiffer) {
  for (size_t i = 0; i < 7; ++i) EXPECT_NE(chart_color(i), chart_color(i + 1));
}

}  // namespace
}  // namespace tessera
