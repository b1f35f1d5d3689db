#include <cmath>

#include "data/file_fixture.h"
#include "tessera/report/tokenizer_report.h"

namespace tessera {
namespace {

class RunCurvesTest : public testing::FileTest {
 protected:
  RunCurves read(const std::string& text) {
    std::ofstream(path("metrics.jsonl"), std::ios::binary) << text;
    return read_run_curves(path("metrics.jsonl"));
  }
};

TEST_F(RunCurvesTest, HasASeriesForEachNumber) {
  const RunCurves curves =
      read("{\"epoch\":1,\"a\":2,\"b\":0.5}\n{\"epoch\":2,\"a\":3,\"b\":0.25}\n");
  EXPECT_EQ(curves.epochs, (std::vector<double>{1, 2}));
  ASSERT_EQ(curves.series.size(), 2u);
  EXPECT_EQ(curves.find("a")->values, (std::vector<double>{2, 3}));
  EXPECT_EQ(curves.find("b")->values, (std::vector<double>{0.5, 0.25}));
  EXPECT_EQ(curves.find("epoch"), nullptr);
}

TEST_F(RunCurvesTest, WhatWasNotMeasuredIsNoNumber) {
  const RunCurves curves =
      read("{\"epoch\":1,\"a\":null}\n{\"epoch\":2,\"a\":3,\"late\":1}\n{\"epoch\":3}\n");
  const std::vector<double>&a = curves.find("a")->values, &late = curves.find("late")->values;
  ASSERT_EQ(a.size(), 3u);
  ASSERT_EQ(late.size(), 3u);
  EXPECT_TRUE(std::isnan(a[0]) && std::isnan(a[2]) && std::isnan(late[0]) && std::isnan(late[2]));
  EXPECT_EQ(a[1], 3);
  EXPECT_EQ(late[1], 1);
}

TEST_F(RunCurvesTest, TheLineThatIsBeingWrittenIsNotThereYet) {
  const RunCurves curves = read("{\"epoch\":1,\"a\":2}\n{\"epoch\":2,\"a");
  EXPECT_EQ(curves.epochs.size(), 1u);
  EXPECT_EQ(curves.broken_lines, 0);
}

TEST_F(RunCurvesTest, CountsBrokenLines) {
  const RunCurves curves = read("{\"epoch\":1,\"a\":2}\nnonsense\n[1]\n{\"epoch\":2,\"a\":3}\n");
  EXPECT_EQ(curves.epochs.size(), 2u);
  EXPECT_EQ(curves.broken_lines, 2);
}

TEST_F(RunCurvesTest, TextsAndListsAreNoSeries) {
  EXPECT_TRUE(read("{\"epoch\":1,\"a\":\"x\",\"b\":[1],\"c\":true}\n").series.empty());
}

TEST_F(RunCurvesTest, AnEmptyFileHasNoEpochs) { EXPECT_TRUE(read("").epochs.empty()); }

TEST_F(RunCurvesTest, AMissingFileIsNamed) {
  try {
    read_run_curves(path("nothing.jsonl"));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Data);
    EXPECT_NE(std::string(error.what()).find("nothing.jsonl"), std::string::npos);
  }
}

}  // namespace
}  // namespace tessera
