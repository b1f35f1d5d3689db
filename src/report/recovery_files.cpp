// The table, the picture and the files of the recovery experiment.
#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "report/experiment_json.h"
#include "report/experiment_pages.h"
#include "report/html_page.h"
#include "report/markup.h"
#include "tessera/files/file_writer.h"
#include "tessera/recovery_experiment.h"

namespace tessera {
namespace {

struct Column {
  const char *number, *title;
  bool is_share;
};
constexpr Column kColumns[] = {{"clustering", "clustering", false},
                               {"start", "start", false},
                               {"repaired", "repaired", true},
                               {"broken", "broken", true}};

std::string mean_of(const RecoverySummary& summary, const Column& column) {
  const auto found = summary.numbers.find(column.number);
  if (found == summary.numbers.end()) return "-";
  return column.is_share ? fmt::format("{:.1f} %", 100 * found->second.mean)
                         : fmt::format("{:.3f}", found->second.mean);
}

std::string spread_of(const SeedStatistics& s) {
  return s.values.size() > 1 ? fmt::format("{:.3f} +/- {:.3f}", s.mean, s.sd)
                             : fmt::format("{:.3f}", s.mean);
}

std::string seeds_of(const SeedStatistics& s, int decimals) {
  std::string text;
  for (const double value : s.values) text += fmt::format(" {:.{}f}", value, decimals);
  return text;
}

bool has_spare_categories(const RecoverySummary& summary) { return summary.from.categories > 8; }

std::string row_of(const RecoverySummary& summary) {
  const SeedStatistics& ari = summary.numbers.at("ari");
  std::string text = fmt::format("{:<14}", summary.from.name);
  for (const Column& column : kColumns) text += fmt::format("{:<12}", mean_of(summary, column));
  text += fmt::format("{:<18}{}\n", spread_of(ari), seeds_of(ari, 3));
  if (!has_spare_categories(summary)) return text;
  const SeedStatistics& pruned = summary.numbers.at("pruned");
  text += fmt::format("{:<62}{:<18}{}\n", "  pruned", spread_of(pruned), seeds_of(pruned, 3));
  const SeedStatistics& left = summary.numbers.at("categories");
  return text + fmt::format("{:<62}{:<18}{}\n", "  categories left",
                            fmt::format("{:.1f}", left.mean), seeds_of(left, 0));
}

const char* name_of(const std::string& number) {
  if (number == "ari") return "index";
  if (number == "pruned") return "index after pruning";
  if (number == "categories") return "categories left";
  if (number == "clustering") return "index of clustering";
  return number == "repaired" ? "repaired" : "broken";
}

std::string line_of(const RecoveryCase& from, const RecoveryVerdict& verdict) {
  const RecoveryBar& bar = verdict.bar;
  const bool is_count = bar.number == "categories";
  return fmt::format("{:<9}{:<14}{:<20} {:<10} {:.{}f}, {} {:.{}f}\n",
                     verdict.met ? "met" : "NOT MET", from.name, name_of(bar.number),
                     bar.each ? "each seed" : "mean", verdict.found, is_count ? 0 : 3,
                     bar.at_most ? "at most" : "at least", bar.limit, is_count ? 0 : 2);
}

BarChart bars_of(const std::vector<RecoverySummary>& cases, const char* number, const char* title,
                 const char* label) {
  BarChart chart{.title = title,
                 .y = {.label = label, .low = 0, .high = 1},
                 .bars = {},
                 .from_zero = true,
                 .rule = {}};
  const auto add = [&](const std::string& name, const RecoverySummary& summary,
                       const char* of_number) {
    const auto found = summary.numbers.find(of_number);
    if (found == summary.numbers.end()) return;
    const SeedStatistics& s = found->second;
    chart.bars.push_back({.name = name,
                          .value = s.mean,
                          .error = s.sd,
                          .points = s.values.size() > 1 ? s.values : std::vector<double>{},
                          .color = chart.bars.size()});
  };
  for (const RecoverySummary& summary : cases) {
    add(summary.from.name, summary, number);
    if (std::string_view(number) == "ari" && has_spare_categories(summary))
      add(summary.from.name + ", pruned", summary, "pruned");
  }
  return chart;
}

/// Where learning began, what clustering finds, and where it ended.
LineChart comparison_of(const std::vector<RecoverySummary>& cases) {
  LineChart chart;
  chart.title = "Before and after, and what clustering finds on the same data";
  chart.y = {.label = "adjusted Rand index", .low = 0, .high = 1};
  chart.has_lines = false;
  chart.has_points = true;
  for (const RecoverySummary& summary : cases) chart.x_names.push_back(summary.from.name);
  constexpr const char* kNumbers[][2] = {
      {"start", "start of training"}, {"ari", "end"}, {"clustering", "best clustering"}};
  for (const auto& [number, name] : kNumbers) {
    LineSeries series{
        .name = name, .x = {}, .y = {}, .low = {}, .high = {}, .color = chart.series.size()};
    for (size_t i = 0; i < cases.size(); ++i) {
      const SeedStatistics& s = cases[i].numbers.at(number);
      const double spread = std::isfinite(s.sd) ? s.sd : 0;
      series.x.push_back(double(i));
      series.y.push_back(s.mean);
      series.low.push_back(s.mean - spread);
      series.high.push_back(s.mean + spread);
    }
    chart.series.push_back(std::move(series));
  }
  return chart;
}

ChartPage page_of(const std::vector<RecoverySummary>& cases) {
  const size_t seeds = cases.front().numbers.at("ari").values.size();
  const std::string title =
      fmt::format("Recovery of planted categories ({} seed{}{})", seeds, seeds == 1 ? "" : "s",
                  seeds > 1 ? ": mean, standard deviation, each a dot" : "");
  return chart_panels(1, 3, 980, 1040, title, [=](Canvas& canvas, const ChartBox& box, int i) {
    if (i == 0)
      draw_chart(canvas, box,
                 bars_of(cases, "ari", "Agreement with the planted categories at the end",
                         "adjusted Rand index"));
    else if (i == 1)
      draw_chart(canvas, box,
                 bars_of(cases, "repaired", "Misplaced features that came home", "share"));
    else
      draw_chart(canvas, box, comparison_of(cases));
  });
}

Json summary_of(const RecoveryOutcome& outcome, const RecoveryOptions& options) {
  Json summary = {{"config",
                   {{"experiment", "learnable-recovery"},
                    {"seed", options.first_seed},
                    {"seeds", options.seeds},
                    {"samples", options.samples},
                    {"device", to_string(options.device)}}}};
  for (const RecoverySummary& one : outcome.cases) {
    Json& json = summary["cases"][one.from.name] = {
        {"title", one.from.title}, {"categories", one.from.categories}, {"even", one.from.even}};
    for (const auto& [name, statistics] : one.numbers) json["numbers"][name] = to_json(statistics);
    for (const RecoveryVerdict& verdict : one.verdicts)
      json["bars"].push_back({{"number", verdict.bar.number},
                              {"of", verdict.bar.each ? "each seed" : "mean"},
                              {verdict.bar.at_most ? "at_most" : "at_least", verdict.bar.limit},
                              {"found", verdict.found},
                              {"met", verdict.met}});
    json["training"] = Json::parse(to_json(one.from.config));
  }
  return summary;
}

std::string report_of(const RecoveryOutcome& outcome) {
  HtmlPage page("Recovery of planted categories");
  page.paragraph(
      "Which features belong together is learned by gradients, with everything else. Here the "
      "answer is "
      "known: 120 features in eight blocks, 12 more that are noise alone. 1 is the planted "
      "partition, 0 "
      "what chance gives. Features that are noise are trained with and not counted.");
  page.section("result", "Result");
  page.picture(page_of(outcome.cases));
  page.raw("<pre>" + escaped_markup(recovery_table(outcome)) + "</pre>\n");
  page.section("settings", "How each case trains");
  for (const RecoverySummary& one : outcome.cases)
    page.raw(fmt::format("<details><summary>{}: {}</summary><pre>{}</pre></details>\n",
                         escaped_markup(one.from.name), escaped_markup(one.from.title),
                         escaped_markup(to_yaml(one.from.config))));
  return page.finish();
}

}  // namespace

std::string recovery_table(const RecoveryOutcome& outcome) {
  const std::string rule(70, '=');
  std::string text = rule + "\nRECOVERY OF PLANTED CATEGORIES\n" + rule + "\n\n";
  text += fmt::format("{:<14}", "case");
  for (const Column& column : kColumns) text += fmt::format("{:<12}", column.title);
  text += fmt::format("{:<18} {}\n", "end", "each seed");
  text += std::string(120, '-') + "\n";
  for (const RecoverySummary& summary : outcome.cases) text += row_of(summary);
  text +=
      "\nclustering, start, end: adjusted Rand index to the planted blocks, mean +/- standard "
      "deviation "
      "of seeds\nwhere there are several; clustering is the best of ward, average and "
      "complete.\n\n";
  for (const RecoverySummary& summary : outcome.cases)
    text += fmt::format("{:<14}{}\n", summary.from.name, summary.from.title);
  text += "\nBars\n";
  for (const RecoverySummary& summary : outcome.cases)
    for (const RecoveryVerdict& verdict : summary.verdicts) text += line_of(summary.from, verdict);
  return text;
}

void write_recovery_results(const RecoveryOutcome& outcome, const RecoveryOptions& options) {
  const auto in = [&](const std::string& file) {
    return (std::filesystem::path(options.outdir) / file).string();
  };
  for (const RecoverySummary& one : outcome.cases)
    write_file(in(one.from.name + ".yaml"), to_yaml(one.from.config));
  write_file(in("summary.json"), summary_of(outcome, options).dump(1) + "\n");
  write_file(in("table.txt"), recovery_table(outcome));
  write_page(in("recovery"), page_of(outcome.cases));
  write_file(in("report.html"), report_of(outcome));
}

}  // namespace tessera
