// The page of a trained tokenizer: its parts in order, each drawn where it was measured.

#include "tessera/report/tokenizer_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/html_page.h"
#include "report/markup.h"
#include "report/tokenizer_charts.h"
#include "tessera/error.h"
#include "tessera/metric_definitions.h"

namespace tessera {
namespace {

/// Categories whose code use is one picture, which is never printed on two pages.
constexpr size_t kCategoriesInPicture = 6;
/// Features that are named in a table of changes.
constexpr size_t kMostChanges = 200;

/// What a run is made of is a text rather than a number: it may take several lines.
std::vector<ReportNumber> facts_as_texts(std::vector<ReportNumber> facts) {
  for (ReportNumber& fact : facts) {
    fact.definition = fact.value + (fact.definition.empty() ? "" : ": ") + fact.definition;
    fact.value.clear();
  }
  return facts;
}

void add_summary(HtmlPage& page, const TokenizerReport& report) {
  if (!report.about.empty()) page.table(facts_as_texts(report.about));
  for (const std::string& remark : report.remarks) page.paragraph(remark, "remark");
  if (report.numbers.empty())
    return page.missing("Numbers of the whole: reconstruction error, code use.");
  page.section("numbers", "Numbers");
  page.table(report.numbers);
}

/// Definitions of the numbers that have panels, one for training and validation together.
std::vector<ReportNumber> definitions_of(const RunCurves& curves) {
  std::vector<ReportNumber> lines;
  for (const RunSeries& series : curves.series) {
    const MetricDefinition* known = find_metric(series.name);
    if (known == nullptr || series.name == "step") continue;
    const bool is_new = std::none_of(lines.begin(), lines.end(), [&](const ReportNumber& line) {
      return line.name == known->name;
    });
    if (is_new) lines.push_back({std::string(known->name), "", std::string(known->text)});
  }
  return lines;
}

void add_curves(HtmlPage& page, const TokenizerReport& report) {
  if (!report.curves || report.curves->epochs.empty())
    return page.missing("Losses over time: the run's numbers by epoch were not there.");
  const RunCurves& curves = *report.curves;
  page.section("losses", "Losses over time");
  std::string caption =
      "Means over the rows of an epoch; of validation where an epoch measured it.";
  if (report.checkpoint_epoch)
    caption += fmt::format(" Dashed line: the checkpoint of this report, epoch {:.0f}.",
                           *report.checkpoint_epoch);
  if (curves.broken_lines > 0)
    caption +=
        fmt::format(" {} lines of metrics.jsonl are broken and left out.", curves.broken_lines);
  page.paragraph(caption);
  if (curves.find("train_total") != nullptr || curves.find("validation_total") != nullptr)
    page.picture(total_curves_page(curves, report.checkpoint_epoch));
  if (const ChartPage panels = curve_panels_page(curves, false); panels.height > 0)
    page.picture(panels);
  if (const auto definitions = definitions_of(curves); !definitions.empty())
    page.table(definitions);
}

void add_reconstruction(HtmlPage& page, const TokenizerReport& report) {
  if (!has_errors(report.categories)) return page.missing("Reconstruction error of each category.");
  page.section("reconstruction", "Reconstruction by category");
  page.paragraph(
      "Bars: the columns of a category in the whole reconstruction. Dots, where a model has such "
      "parts: what one codebook reconstructs of its category without any other.");
  page.picture(reconstruction_page(report.categories));
}

void add_code_use(HtmlPage& page, const TokenizerReport& report) {
  const std::vector<ReportCategory>& categories = report.categories;
  if (!has_counts(categories)) {
    page.missing("Utilization: rows by code were not counted.");
    return page.missing("Histograms of code use: rows by code were not counted.");
  }
  page.section("utilization", "Utilization");
  page.paragraph("Codes that at least one of the rows chose, of all codes of a codebook.");
  page.picture(utilization_page(categories));
  page.section("code-use", "Code use");
  page.paragraph(
      "Rows by code, codes sorted from most used to least. The height is the share of rows; the "
      "most used code reaches the top and has the share written there. Dashed: all codes used "
      "evenly. Perplexity is exp(entropy): as many codes, used evenly, would have that entropy.");
  for (size_t first = 0; first < categories.size(); first += kCategoriesInPicture)
    page.picture(code_use_page(categories, first,
                               std::min(first + kCategoriesInPicture, categories.size())));
}

void add_distances(HtmlPage& page, const TokenizerReport& report) {
  if (!report.distances)
    return page.missing("Topographic similarity: distances of pairs of rows were not measured.");
  const ReportDistances& distances = *report.distances;
  page.section("topographic", "Topographic similarity");
  page.paragraph(fmt::format(
      "How distances between rows survive the encoder (left), quantization (middle) and both "
      "(right). Each dot is one of {} pairs; r is Pearson's correlation over all pairs of {} rows, "
      "each row with itself included, as in the loss. Distances of latents and codes are means "
      "over codebooks.",
      distances.inputs.size(), distances.rows));
  page.picture(distances_page(distances));
}

void add_similarities(HtmlPage& page, const TokenizerReport& report) {
  if (report.similarities.empty())
    return page.missing("Similarity of codebooks: it takes two of them.");
  page.section("similarity", "Similarity of codebooks");
  for (const ReportMatrix& matrix : report.similarities) {
    page.paragraph(matrix.title + ": " + matrix.definition +
                   " Lines part categories; in a category levels go from coarse to fine.");
    page.picture(similarity_page(matrix, report.categories));
  }
}

/// The features of each category by name, family by family.
void add_feature_names(HtmlPage& page, const TokenizerReport& report) {
  const std::vector<std::string> families = families_of(report.features);
  page.raw(
      "<table>\n<tr><th>category</th><th class=\"number\">features</th><th>by family</th></tr>\n");
  for (const ReportCategory& category : report.categories) {
    std::string names;
    for (const std::string& family : families) {
      std::string list;
      for (const int64_t column : category.features)
        if (report.features[size_t(column)].family == family)
          list += (list.empty() ? "" : ", ") + report.features[size_t(column)].name;
      if (!list.empty())
        names +=
            fmt::format("<div><b>{}</b>: {}</div>", escaped_markup(family), escaped_markup(list));
    }
    page.raw(
        fmt::format("<tr><th>{}</th><td class=\"number\">{}</td><td class=\"names\">{}</td></tr>\n",
                    escaped_markup(category.name), category.features.size(), names));
  }
  page.raw("</table>\n");
}

void add_features(HtmlPage& page, const TokenizerReport& report) {
  if (report.features.empty() || report.categories.empty())
    return page.missing("Features and their categories: the features of this model have no names.");
  page.section("features", "Features and their categories");
  page.paragraph(
      "Each feature in the row of its category. Families stand side by side; in a family features "
      "are in the order of categories.");
  page.picture(feature_map_page(report.categories, report.features));
  add_feature_names(page, report);
}

void add_changes(HtmlPage& page, const std::vector<CategoryChange>& changes) {
  page.paragraph(fmt::format("Features whose category changed since training began: {}{}",
                             changes.size(), changes.empty() ? "." : ""));
  if (changes.empty()) return;
  page.raw("<table>\n<tr><th>feature</th><th>began in</th><th>is in</th></tr>\n");
  for (size_t i = 0; i < std::min(changes.size(), kMostChanges); ++i)
    page.raw(fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                         escaped_markup(changes[i].feature), escaped_markup(changes[i].before),
                         escaped_markup(changes[i].after)));
  page.raw("</table>\n");
  if (changes.size() > kMostChanges)
    page.paragraph(fmt::format("The first {} are listed.", kMostChanges));
}

/// Parts of a model that learns which features belong together. A page of another model is silent
/// about them: there is nothing to measure.
void add_assignment(HtmlPage& page, const TokenizerReport& report) {
  const ChartPage curves =
      report.curves ? curve_panels_page(*report.curves, true) : ChartPage{0, 0, {}};
  if (report.assignment.empty() && !report.changes && !(curves.height > 0)) return;
  page.section("assignment", "Learned assignment of features");
  if (curves.height > 0) page.picture(curves);
  if (!report.assignment.empty()) {
    page.paragraph(
        "How features are shared between categories, in the order of the map of features: where a "
        "column has one dark cell, its feature is decided.");
    page.picture(assignment_page(report));
  } else {
    page.missing("Shares of features in categories.");
  }
  if (report.changes)
    add_changes(page, *report.changes);
  else
    page.missing("Features that changed their category since training began.");
}

void add_settings(HtmlPage& page, const TokenizerReport& report) {
  if (report.settings.empty()) return;
  page.section("settings", "Settings");
  page.raw(
      fmt::format("<details><summary>Configuration of the run</summary><pre>{}</pre></details>\n",
                  escaped_markup(report.settings)));
}

/// Parts that name columns must mean the same columns.
void check(const TokenizerReport& report) {
  const size_t columns = report.features.size();
  for (const ReportCategory& category : report.categories)
    for (const int64_t column : category.features)
      TESSERA_CHECK(columns == 0 || (column >= 0 && size_t(column) < columns),
                    "tokenizer_page: category ", category.name, " has column ", column,
                    ", names are of ", columns);
  const size_t categories = std::max<size_t>(report.categories.size(), 1);
  TESSERA_CHECK(report.assignment.size() % categories == 0 &&
                    (columns == 0 || report.assignment.empty() ||
                     report.assignment.size() == columns * categories),
                "tokenizer_page: ", report.assignment.size(), " shares for ", columns,
                " features in ", categories, " categories");
}

}  // namespace

std::string tokenizer_page(const TokenizerReport& report) {
  check(report);
  HtmlPage page(report.title);
  add_summary(page, report);
  add_curves(page, report);
  add_reconstruction(page, report);
  add_code_use(page, report);
  add_distances(page, report);
  add_similarities(page, report);
  add_features(page, report);
  add_assignment(page, report);
  add_settings(page, report);
  return page.finish();
}

}  // namespace tessera
