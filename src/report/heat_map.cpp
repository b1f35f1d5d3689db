#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tessera/report/discovery_charts.h"
#include "tessera/report/svg_document.h"

namespace tessera {
namespace {

constexpr int64_t kMostCells = 160;  // a side: 26 thousand cells are 2 MB
constexpr double kMargin = 130, kTop = 60, kSide = 800, kScale = 40;

struct Color {
  double red, green, blue;
};

/// White, yellow, red, black as |r| goes from 0 to 1; darker is always more.
std::string color_of(double value) {
  constexpr Color kStops[] = {{255, 255, 255}, {255, 217, 102}, {214, 64, 45}, {40, 0, 20}};
  const double place = std::clamp(value, 0.0, 1.0) * 3;
  const int below = std::min(2, static_cast<int>(place));
  const double part = place - below;
  const Color &a = kStops[below], &b = kStops[below + 1];
  const auto mixed = [part](double from, double to) {
    return static_cast<int>(std::lround(from + part * (to - from)));
  };
  return fmt::format("#{:02x}{:02x}{:02x}", mixed(a.red, b.red), mixed(a.green, b.green),
                     mixed(a.blue, b.blue));
}

/// Mean |r| over the features [r0, r1) x [c0, c1) of `order`.
double cell_mean(const SquareMatrix& correlation, const std::vector<int64_t>& order, int64_t r0,
                 int64_t r1, int64_t c0, int64_t c1) {
  double sum = 0;
  for (int64_t i = r0; i < r1; ++i)
    for (int64_t j = c0; j < c1; ++j) sum += std::abs(correlation(order[i], order[j]));
  return sum / static_cast<double>((r1 - r0) * (c1 - c0));
}

void draw_cells(SvgDocument& svg, const SquareMatrix& correlation,
                const std::vector<int64_t>& order, const std::vector<std::string>& names) {
  const auto size = static_cast<int64_t>(order.size());
  const int64_t cells = std::min(size, kMostCells);
  const double side = kSide / static_cast<double>(cells);
  const auto begin = [&](int64_t cell) { return cell * size / cells; };
  for (int64_t r = 0; r < cells; ++r)
    for (int64_t c = 0; c < cells; ++c) {
      const double value =
          cell_mean(correlation, order, begin(r), begin(r + 1), begin(c), begin(c + 1));
      const double x = kMargin + side * static_cast<double>(c);
      const double y = kTop + side * static_cast<double>(r);
      svg.rect({x, y}, side, side, color_of(value));
      // A sentence for each cell would double the file: below 60 features only.
      if (size <= 60)
        svg.tooltip(fmt::format("{} - {}: {:.3f}", names[order[r]], names[order[c]], value));
    }
}

/// Outlines and names of the categories along the diagonal.
void draw_categories(SvgDocument& svg, const std::vector<Category>& categories, int64_t size) {
  int64_t first = 0;
  for (size_t c = 0; c < categories.size(); ++c) {
    const auto count = static_cast<int64_t>(categories[c].features.size());
    const double begin = kSide * static_cast<double>(first) / static_cast<double>(size);
    const double side = kSide * static_cast<double>(count) / static_cast<double>(size);
    svg.rect({kMargin + begin, kTop + begin}, side, side, "none",
             {.color = category_color(static_cast<int64_t>(c)), .width = 2});
    svg.text({kMargin - 6, kTop + begin + side / 2 + 3}, categories[c].name,
             {.size = 10, .anchor = SvgAnchor::End});
    first += count;
  }
}

void draw_scale(SvgDocument& svg) {
  constexpr int kSteps = 50;
  const double x = kMargin + kSide + kScale, step = kSide / kSteps;
  for (int i = 0; i < kSteps; ++i)
    svg.rect({x, kTop + kSide - step * (i + 1)}, 16, step, color_of((i + 0.5) / kSteps));
  for (const double value : {0.0, 0.25, 0.5, 0.75, 1.0})
    svg.text({x + 22, kTop + kSide * (1 - value) + 4}, fmt::format("{:.2f}", value));
}

}  // namespace

std::string heat_map_svg(const SquareMatrix& correlation, const std::vector<Category>& categories,
                         const std::vector<std::string>& names) {
  std::vector<int64_t> order;
  for (const Category& category : categories)
    order.insert(order.end(), category.features.begin(), category.features.end());
  SvgDocument svg(kMargin + kSide + 2 * kScale + 40, kTop + kSide + 30);
  svg.rect({0, 0}, svg.width(), svg.height(), "#ffffff");
  svg.text({kMargin, 24}, fmt::format("|r| between {} features", order.size()),
           {.size = 16, .bold = true});
  svg.text({kMargin, 44}, "in the order of their categories");
  draw_cells(svg, correlation, order, names);
  draw_categories(svg, categories, static_cast<int64_t>(order.size()));
  draw_scale(svg);
  return svg.to_string();
}

}  // namespace tessera
