#include <gtest/gtest.h>

#include <map>

#include "data/file_fixture.h"
#include "tessera/kernels/gray_scott.h"
#include "tessera/simulate.h"

namespace tessera {
namespace {

using namespace tessera::testing;

struct Known {
  float active_area, wavelength;
};

TEST(RegimesTest, EachShowsItsPattern) {
  const std::map<std::string, Known> known = {
      {"alpha", {0.20483f, 17.270f}},   {"beta", {0.83325f, 15.553f}},
      {"gamma", {0.58521f, 15.148f}},   {"delta", {0.74805f, 15.959f}},
      {"epsilon", {0.21045f, 16.049f}}, {"zeta", {0.33081f, 16.524f}},
      {"eta", {0.31201f, 13.143f}},     {"theta", {0.55664f, 13.457f}},
      {"iota", {0.73340f, 15.053f}},    {"kappa", {0.52124f, 14.462f}},
      {"lambda", {0.26807f, 13.920f}},  {"mu", {0.40845f, 14.534f}}};
  for (const GrayScottRegime& regime : gray_scott_regimes()) {
    const RegimeRun run = run_regime(regime);
    const Known found = {run.features[kernels::kFrameActiveArea],
                         run.features[kernels::kFrameWavelength]};
    ASSERT_TRUE(known.contains(regime.name)) << regime.name;
    // The bits are the same everywhere; the margin is for the decimals below.
    EXPECT_NEAR(found.active_area, known.at(regime.name).active_area, 1e-4) << regime.name;
    EXPECT_NEAR(found.wavelength, known.at(regime.name).wavelength, 1e-3) << regime.name;
  }
}

class ContactSheetTest : public FileTest {};

TEST_F(ContactSheetTest, IsAPngOfAllRegimes) {
  write_contact_sheet(path("sheet.png"));
  const Bytes png = get(path("sheet.png"));
  const auto big_endian = [&](size_t at) {
    int value = 0;
    for (size_t i = 0; i < 4; ++i) value = value << 8 | std::to_integer<int>(png[at + i]);
    return value;
  };
  ASSERT_GT(png.size(), 10'000u);
  EXPECT_EQ(big_endian(16), 4 * 200 + 8);
  EXPECT_EQ(big_endian(20), 3 * 228 + 8);
}

}  // namespace
}  // namespace tessera
