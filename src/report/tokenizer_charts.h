#pragma once

#include "tessera/report/chart.h"
#include "tessera/report/tokenizer_report.h"

namespace tessera {

// The figures of a tokenizer's page, kPageWidth wide and as high as they need to be. Each is drawn
// from what it is given; the page asks only for what was measured.

/// train_total and validation_total, and a line at the checkpoint.
ChartPage total_curves_page(const RunCurves& curves, std::optional<double> checkpoint_epoch);
/// Every other number of the run, a panel each; those of the assignment, or all but them.
/// Returns a page without height where there is none.
ChartPage curve_panels_page(const RunCurves& curves, bool of_assignment);

/// Reconstruction errors by category, with those of single codebooks as dots.
ChartPage reconstruction_page(const std::vector<ReportCategory>& categories);
/// Used codes of each codebook, categories down and levels across.
ChartPage utilization_page(const std::vector<ReportCategory>& categories);
/// Rows by code, most used first, for categories [first, last): one panel for each codebook.
ChartPage code_use_page(const std::vector<ReportCategory>& categories, size_t first, size_t last);

/// Pairs of rows: inputs against latents, latents against codes, inputs against codes.
ChartPage distances_page(const ReportDistances& distances);
ChartPage similarity_page(const ReportMatrix& matrix,
                          const std::vector<ReportCategory>& categories);

/// Which features belong to which category: families side by side, in each the features in the order
/// of categories.
ChartPage feature_map_page(const std::vector<ReportCategory>& categories,
                           const std::vector<ReportFeature>& features);
/// The share of each feature in each category, features as in the map.
ChartPage assignment_page(const TokenizerReport& report);

/// The families of features in the order of their first ones.
std::vector<std::string> families_of(const std::vector<ReportFeature>& features);
/// The category of each column; -1: none.
std::vector<int64_t> category_of_columns(const std::vector<ReportCategory>& categories,
                                         size_t columns);

/// Has any codebook counts?
bool has_counts(const std::vector<ReportCategory>& categories);
/// Has any category an error, or any of its codebooks?
bool has_errors(const std::vector<ReportCategory>& categories);

}  // namespace tessera
