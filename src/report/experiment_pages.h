#pragma once

#include <functional>

#include "tessera/experiment.h"
#include "tessera/report/chart.h"

namespace tessera {

struct NamedPage {
  std::string file;   ///< without its ending
  std::string title;  ///< above it in the report
  ChartPage page;
};

/// Panels in rows, each drawn by its number, below a title.
ChartPage chart_panels(int columns, int rows, double width, double height, const std::string& title,
                       std::function<void(Canvas&, const ChartBox&, int)> draw);

/// All pictures of an experiment: the comparison or the sweep, then curves of each method with steps.
std::vector<NamedPage> lab_pages(const LabOutcome& outcome);

/// The name that a method's files have: "manual" of ste_manual.
std::string method_stem(std::string_view method);

/// The page of one or several experiments, pictures inside it.
std::string lab_report(const std::vector<LabOutcome>& outcomes, const LabOptions& options);

}  // namespace tessera
