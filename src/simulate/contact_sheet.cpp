// Final fields of all regimes as one picture with captions.

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "tessera/error.h"
#include "tessera/files/png.h"
#include "tessera/kernels/gray_scott.h"
#include "tessera/simulate.h"

namespace tessera {
namespace {

constexpr int kScale = 3;    // pixels per cell
constexpr int kColumns = 4;  // tiles in a row
constexpr int kGap = 8, kCaption = 36;
constexpr int kTile = kScale * static_cast<int>(kernels::kGraySide);
constexpr int kLetterScale = 2;  // pixels per dot of a letter

/// Dots of a letter, 3 wide and 5 high, the first in bit 14; 0 for what has no shape here.
int letter_dots(char c) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789.=";
  constexpr int kDots[] = {
      0b010101111101101, 0b110101110101110, 0b011100100100011, 0b110101101101110, 0b111100110100111,
      0b111100110100100, 0b011100101101011, 0b101101111101101, 0b111010010010111, 0b001001001101010,
      0b101101110101101, 0b100100100100111, 0b101111111101101, 0b110101101101101, 0b010101101101010,
      0b110101110100100, 0b010101101010001, 0b110101110101101, 0b011100010001110, 0b111010010010010,
      0b101101101101111, 0b101101101101010, 0b101101111111101, 0b101101010101101, 0b101101010010010,
      0b111001010100111, 0b111101101101111, 0b010110010010111, 0b110001010100111, 0b110001010001110,
      0b101101111001001, 0b111100110001110, 0b011100111101111, 0b111001010010010, 0b111101111101111,
      0b111101111001110, 0b000000000000010, 0b000111000111000};
  const size_t place = kLetters.find(c);
  return place == std::string_view::npos ? 0 : kDots[place];
}

class Picture {
 public:
  Picture(int width, int height)
      : width_(width), height_(height), pixels_(static_cast<size_t>(3 * width * height), 255) {}

  void dot(int x, int y, int side, uint8_t red, uint8_t green, uint8_t blue) {
    for (int i = y; i < y + side; ++i)
      for (int j = x; j < x + side; ++j) {
        uint8_t* pixel =
            pixels_.data() +
            3 * (static_cast<size_t>(i) * static_cast<size_t>(width_) + static_cast<size_t>(j));
        pixel[0] = red;
        pixel[1] = green;
        pixel[2] = blue;
      }
  }

  void text(int x, int y, std::string_view text) {
    for (size_t n = 0; n < text.size(); ++n)
      for (int bit = 0; bit < 15; ++bit)
        if (letter_dots(text[n]) >> (14 - bit) & 1)
          dot(x + kLetterScale * (4 * static_cast<int>(n) + bit % 3), y + kLetterScale * (bit / 3),
              kLetterScale, 20, 20, 20);
  }

  void save(const std::string& path) const { write_png(path, width_, height_, 3, pixels_); }

 private:
  int width_, height_;
  std::vector<uint8_t> pixels_;
};

/// v from dark blue (0) over orange to pale yellow (0.4 and more).
void draw_cell(Picture& picture, int x, int y, float v) {
  constexpr int kStops = 4;
  constexpr int kColors[kStops][3] = {
      {16, 24, 64}, {120, 40, 110}, {236, 120, 60}, {252, 246, 190}};
  const float place = std::clamp(v / 0.4f, 0.0f, 1.0f) * (kStops - 1);
  const int stop = std::min(kStops - 2, static_cast<int>(place));
  uint8_t color[3];
  for (int c = 0; c < 3; ++c) {
    const auto low = static_cast<float>(kColors[stop][c]),
               high = static_cast<float>(kColors[stop + 1][c]);
    color[c] = static_cast<uint8_t>(low + (high - low) * (place - static_cast<float>(stop)) + 0.5f);
  }
  picture.dot(x, y, kScale, color[0], color[1], color[2]);
}

}  // namespace

void write_contact_sheet(const std::string& path, uint64_t seed) {
  const auto regimes = gray_scott_regimes();
  const int count = static_cast<int>(regimes.size()), rows = (count + kColumns - 1) / kColumns;
  Picture picture(kColumns * (kTile + kGap) + kGap, rows * (kTile + kCaption) + kGap);
  for (int n = 0; n < count; ++n) {
    const GrayScottRegime& regime = regimes[static_cast<size_t>(n)];
    const RegimeRun run = run_regime(regime, seed);
    const int x0 = kGap + n % kColumns * (kTile + kGap), y0 = n / kColumns * (kTile + kCaption);
    picture.text(x0, y0 + 6, regime.name);
    picture.text(x0, y0 + 20, fmt::format("f={:.4f} k={:.4f}", regime.feed, regime.kill));
    constexpr int kSide = static_cast<int>(kernels::kGraySide);
    for (int i = 0; i < kSide * kSide; ++i)
      draw_cell(picture, x0 + kScale * (i % kSide), y0 + kCaption + kScale * (i / kSide),
                run.v[static_cast<size_t>(i)]);
  }
  picture.save(path);
}

}  // namespace tessera
