#include <fmt/format.h>

#include <algorithm>

#include "tessera/report/discovery_charts.h"
#include "tessera/report/svg_document.h"

namespace tessera {
namespace {

constexpr double kMargin = 60, kTitle = 40, kTreeHeight = 420, kLabels = 170, kLegendLine = 16;
constexpr double kLeastLeaf = 3, kMostLeaf = 14, kWantedWidth = 1400, kReadableLeaf = 7;
constexpr const char* kNeutral = "#777777";

/// Where each cluster of the tree is drawn.
class Layout {
 public:
  explicit Layout(const FeatureClustering& clustering)
      : order_(leaf_order(clustering.tree)),
        leaf_(std::clamp(kWantedWidth / static_cast<double>(order_.size()), kLeastLeaf, kMostLeaf)),
        highest_(clustering.tree.empty() ? 1 : std::max(clustering.tree.back().height, 1e-12)) {}

  const std::vector<int64_t>& order() const { return order_; }
  double leaf() const { return leaf_; }
  double highest() const { return highest_; }
  double width() const { return 2 * kMargin + leaf_ * static_cast<double>(order_.size()); }
  double x_of_leaf(size_t place) const {
    return kMargin + leaf_ * (static_cast<double>(place) + 0.5);
  }
  double y_of(double height) const { return kTitle + kTreeHeight * (1 - height / highest_); }

 private:
  std::vector<int64_t> order_;
  double leaf_, highest_;
};

void draw_axis(SvgDocument& svg, const Layout& layout) {
  constexpr int kTicks = 5;
  for (int i = 0; i <= kTicks; ++i) {
    const double height = layout.highest() * i / kTicks, y = layout.y_of(height);
    svg.line({kMargin - 4, y}, {kMargin, y});
    svg.text({kMargin - 8, y + 4}, fmt::format("{:.3g}", height), {.anchor = SvgAnchor::End});
  }
  svg.line({kMargin, layout.y_of(0)}, {kMargin, layout.y_of(layout.highest())});
}

/// Branches, from the leaves up. A branch has the colour of its category where it has one only.
void draw_branches(SvgDocument& svg, const Layout& layout, const FeatureClustering& clustering,
                   const std::vector<int64_t>& category_of) {
  const size_t size = clustering.features.size();
  std::vector<double> x(2 * size - 1), y(2 * size - 1, layout.y_of(0));
  std::vector<int64_t> category(2 * size - 1);
  for (size_t place = 0; place < size; ++place) x[layout.order()[place]] = layout.x_of_leaf(place);
  for (size_t i = 0; i < size; ++i) category[i] = category_of[i];
  for (size_t i = 0; i < clustering.tree.size(); ++i) {
    const Merge& merge = clustering.tree[i];
    const size_t made = size + i;
    x[made] = (x[merge.left] + x[merge.right]) / 2;
    y[made] = layout.y_of(merge.height);
    category[made] = category[merge.left] == category[merge.right] ? category[merge.left] : -1;
    svg.polyline({{x[merge.left], y[merge.left]},
                  {x[merge.left], y[made]},
                  {x[merge.right], y[made]},
                  {x[merge.right], y[merge.right]}},
                 {.color = category[made] < 0 ? kNeutral : category_color(category[made])});
    svg.tooltip(fmt::format("{} features at height {:.6g}", merge.size, merge.height));
  }
}

void draw_labels(SvgDocument& svg, const Layout& layout, const FeatureClustering& clustering,
                 const std::vector<int64_t>& category_of, const std::vector<std::string>& names) {
  const double y = layout.y_of(0) + 4;
  for (size_t place = 0; place < layout.order().size(); ++place) {
    const int64_t feature = layout.order()[place];
    const double x = layout.x_of_leaf(place);
    svg.rect({x - layout.leaf() / 2, y}, layout.leaf(), 6, category_color(category_of[feature]));
    svg.tooltip(names[clustering.features[feature]]);
    if (layout.leaf() >= kReadableLeaf)
      svg.text({x + 3, y + 12}, names[clustering.features[feature]],
               {.size = std::min(10.0, layout.leaf()), .rotation = 90});
  }
}

}  // namespace

const char* category_color(int64_t index) {
  static constexpr const char* kColors[] = {"#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd",
                                            "#8c564b", "#e377c2", "#3b3b98", "#bcbd22", "#17becf",
                                            "#aec7e8", "#ffbb78", "#98df8a", "#ff9896", "#c5b0d5",
                                            "#c49c94", "#f7b6d2", "#b8d0b0", "#dbdb8d", "#9edae5"};
  return kColors[static_cast<size_t>(index) % std::size(kColors)];
}

std::string dendrogram_svg(const FeatureClustering& clustering,
                           const std::vector<Category>& categories,
                           const std::vector<std::string>& names) {
  std::vector<int64_t> category_of_column(names.size(), -1), category_of, shown;
  for (size_t c = 0; c < categories.size(); ++c)
    for (const int64_t column : categories[c].features)
      category_of_column[column] = static_cast<int64_t>(c);
  for (const int64_t column : clustering.features) {
    category_of.push_back(category_of_column[column]);
    if (std::ranges::find(shown, category_of.back()) == shown.end())
      shown.push_back(category_of.back());
  }
  const Layout layout(clustering);
  const double legend = kTitle + kTreeHeight + kLabels;
  SvgDocument svg(std::max(layout.width(), 400.0),
                  legend + kLegendLine * static_cast<double>(shown.size() + 1));
  svg.rect({0, 0}, svg.width(), svg.height(), "#ffffff");
  svg.text({kMargin, 24},
           fmt::format("{}: {} features in {} clusters",
                       clustering.family.empty() ? "All families" : clustering.family,
                       clustering.features.size(), clustering.chosen.clusters),
           {.size = 16, .bold = true});
  draw_axis(svg, layout);
  draw_branches(svg, layout, clustering, category_of);
  draw_labels(svg, layout, clustering, category_of, names);
  const double cut = layout.y_of(std::min(clustering.cut_height, layout.highest()));
  svg.line({kMargin, cut}, {layout.width() - kMargin, cut}, {.color = "#000000", .dashes = "6 4"});
  for (size_t i = 0; i < shown.size(); ++i) {
    const double y = legend + kLegendLine * static_cast<double>(i);
    const Category& category = categories[shown[i]];
    svg.rect({kMargin, y - 9}, 10, 10, category_color(shown[i]));
    svg.text({kMargin + 16, y}, fmt::format("{} ({})", category.name, category.features.size()));
  }
  return svg.to_string();
}

}  // namespace tessera
