// Features and the categories they belong to.

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "report/chart_frame.h"
#include "report/matrix_chart.h"
#include "report/tokenizer_charts.h"
#include "tessera/report/discovery_charts.h"

namespace tessera {
namespace {

constexpr double kLine = 20, kWidestName = 210, kTop = 12, kLegendLine = 18;

/// Columns by family, in a family by category, else as they stand.
struct FeatureOrder {
  std::vector<size_t> columns;
  std::vector<size_t> family;            ///< of each column
  std::vector<int64_t> category;         ///< of each column
  std::vector<MatrixSpan> family_spans;  ///< in `columns`
};

FeatureOrder order_of(const std::vector<ReportCategory>& categories,
                      const std::vector<ReportFeature>& features) {
  const std::vector<std::string> families = families_of(features);
  FeatureOrder order;
  order.category = category_of_columns(categories, features.size());
  for (const std::string& family : families) order.family_spans.push_back({family, 0});
  for (const ReportFeature& feature : features) {
    const auto at = std::find(families.begin(), families.end(), feature.family) - families.begin();
    order.family.push_back(static_cast<size_t>(at));
    ++order.family_spans[static_cast<size_t>(at)].size;
  }
  order.columns.resize(features.size());
  std::iota(order.columns.begin(), order.columns.end(), size_t{0});
  std::stable_sort(order.columns.begin(), order.columns.end(), [&](size_t a, size_t b) {
    return std::pair(order.family[a], order.category[a]) <
           std::pair(order.family[b], order.category[b]);
  });
  return order;
}

/// Features of one family in one category: neighbours in the order.
struct Block {
  size_t begin = 0, end = 0, family = 0;
  int64_t category = 0;
};

std::vector<Block> blocks_of(const FeatureOrder& order) {
  std::vector<Block> blocks;
  for (size_t i = 0; i < order.columns.size(); ++i) {
    const size_t family = order.family[order.columns[i]];
    const int64_t category = order.category[order.columns[i]];
    if (blocks.empty() || blocks.back().family != family || blocks.back().category != category)
      blocks.push_back({i, i, family, category});
    blocks.back().end = i + 1;
  }
  return blocks;
}

/// Where the legend has each family: x and its line.
std::vector<CanvasPoint> legend_places(const std::vector<MatrixSpan>& families, double left) {
  std::vector<CanvasPoint> places;
  CanvasPoint at{left, 0};
  for (const MatrixSpan& family : families) {
    const double width = text_width(family.name) + 70;
    if (at.x > left && at.x + width > kPageWidth) at = {left, at.y + 1};
    places.push_back(at);
    at.x += width;
  }
  return places;
}

struct MapLayout {
  double left = 0, unit = 0, bottom = 0;
  double y(int64_t category) const { return kTop + kLine * double(category); }
  double x(size_t place) const { return left + unit * double(place); }
};

void draw_rows(Canvas& canvas, const MapLayout& layout,
               const std::vector<ReportCategory>& categories, double right) {
  for (size_t c = 0; c < categories.size(); ++c) {
    const double y = layout.y(int64_t(c));
    if (c % 2 == 0) canvas.rect({layout.left, y}, right - layout.left, kLine, "#f4f4f4");
    canvas.text({layout.left - 8, y + 14}, fitted_text(categories[c].name, kWidestName),
                {.anchor = CanvasAnchor::End});
    if (text_width(categories[c].name) > kWidestName) canvas.tooltip(categories[c].name);
    canvas.text({right + 8, y + 14}, fmt::format("{}", categories[c].features.size()));
  }
}

void draw_blocks(Canvas& canvas, const MapLayout& layout, const FeatureOrder& order,
                 const std::vector<ReportCategory>& categories) {
  for (const Block& block : blocks_of(order)) {
    if (block.category < 0) continue;
    const double y = layout.y(block.category);
    const double width = layout.unit * double(block.end - block.begin);
    canvas.rect({layout.x(block.begin), y + 2}, std::max(width, 1.2), kLine - 4,
                category_color(int64_t(block.family)));
    canvas.tooltip(fmt::format("{}: {} of {}", categories[size_t(block.category)].name,
                               block.end - block.begin, order.family_spans[block.family].name));
  }
  size_t at = 0;
  for (const MatrixSpan& family : order.family_spans) {
    canvas.line({layout.x(at), kTop}, {layout.x(at), layout.bottom}, {.color = "#9a9a9a"});
    at += size_t(family.size);
  }
  canvas.line({layout.x(at), kTop}, {layout.x(at), layout.bottom}, {.color = "#9a9a9a"});
}

}  // namespace

std::vector<std::string> families_of(const std::vector<ReportFeature>& features) {
  std::vector<std::string> families;
  for (const ReportFeature& feature : features)
    if (std::find(families.begin(), families.end(), feature.family) == families.end())
      families.push_back(feature.family);
  return families;
}

std::vector<int64_t> category_of_columns(const std::vector<ReportCategory>& categories,
                                         size_t columns) {
  std::vector<int64_t> category(columns, -1);
  for (size_t c = 0; c < categories.size(); ++c)
    for (const int64_t column : categories[c].features)
      if (column >= 0 && size_t(column) < columns) category[size_t(column)] = int64_t(c);
  return category;
}

ChartPage feature_map_page(const std::vector<ReportCategory>& categories,
                           const std::vector<ReportFeature>& features) {
  const FeatureOrder order = order_of(categories, features);
  double longest = 0;
  for (const ReportCategory& category : categories)
    longest = std::max(longest, std::min(text_width(category.name), kWidestName));
  MapLayout layout{.left = longest + 30, .unit = 0, .bottom = 0};
  layout.unit = (kPageWidth - layout.left - 44) / double(std::max<size_t>(features.size(), 1));
  layout.bottom = layout.y(int64_t(categories.size()));
  const std::vector<CanvasPoint> places = legend_places(order.family_spans, layout.left);
  const double legend = places.empty() ? 0 : kLegendLine * (places.back().y + 1);
  return {kPageWidth, layout.bottom + 34 + legend, [=](Canvas& canvas) {
            draw_rows(canvas, layout, categories, layout.x(features.size()));
            draw_blocks(canvas, layout, order, categories);
            canvas.text({layout.left, layout.bottom + 17},
                        "features, by family; at the right how many a category has");
            for (size_t f = 0; f < places.size(); ++f) {
              const double y = layout.bottom + 38 + kLegendLine * places[f].y;
              canvas.rect({places[f].x, y - 10}, 12, 12, category_color(int64_t(f)));
              canvas.text({places[f].x + 17, y}, fmt::format("{} ({})", order.family_spans[f].name,
                                                             order.family_spans[f].size));
            }
          }};
}

ChartPage assignment_page(const TokenizerReport& report) {
  std::vector<ReportFeature> features = report.features;
  const size_t count = report.assignment.size() / std::max<size_t>(report.categories.size(), 1);
  if (features.empty()) features.assign(count, {.name = "", .family = "all features"});
  const FeatureOrder order = order_of(report.categories, features);
  MatrixChart chart{.rows = {},
                    .columns = order.family_spans,
                    .values = {},
                    .scale = "share of the feature that the category gets",
                    .cell_height = 18,
                    .widest_cell = 40};
  for (size_t c = 0; c < report.categories.size(); ++c) {
    chart.rows.push_back({report.categories[c].name});
    for (const size_t column : order.columns)
      chart.values.push_back(report.assignment[column * report.categories.size() + c]);
  }
  return matrix_page(chart);
}

}  // namespace tessera
