#pragma once

// What a report on a trained tokenizer shows, and the page that shows it. Every part may be absent:
// a figure that nothing was measured for is not drawn, and the page says so.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/discovery.h"

namespace tessera {

/// One number over the epochs of a run; NaN where an epoch did not measure it.
struct RunSeries {
  std::string name;  ///< its key in metrics.jsonl: train_total, validation_reconstruction, ...
  std::vector<double> values;
};

/// What a run wrote after each epoch.
struct RunCurves {
  std::vector<double> epochs;
  std::vector<RunSeries> series;  ///< as many values as epochs, in the order of the file
  int64_t broken_lines = 0;       ///< lines that are no epoch: left out

  const RunSeries* find(std::string_view name) const;  ///< null where there is none
};

/// Reads metrics.jsonl. Values that are null, or that a line lacks, are NaN; what is no number is
/// left out. The last line of a run under way may be cut off: it is not there yet.
/// Throws Error (Data) where the file cannot be read.
RunCurves read_run_curves(const std::string& path);

/// A codebook.
struct ReportLevel {
  std::vector<int64_t> counts = {};  ///< rows that each code got; empty: not measured
  std::optional<double> error = {};  ///< of what this codebook alone reconstructs of the category
};

struct ReportCategory {
  std::string name;
  std::vector<int64_t> features = {};    ///< columns of a row
  std::optional<double> error = {};      ///< of its columns in the whole reconstruction
  std::vector<ReportLevel> levels = {};  ///< coarse to fine, equally many in every category
};

struct ReportFeature {
  std::string name, family;
};

/// Distances of some pairs of rows in the three spaces, and how well they agree over all pairs.
struct ReportDistances {
  int64_t rows = 0;  ///< the correlations are over all pairs of these, and of each with itself
  std::vector<double> inputs, latents, codes;  ///< of the pairs drawn
  double pre = 0, post = 0, end_to_end = 0;    ///< Pearson: as topographic() in grouped_ops.h
};

/// Numbers between codebooks, in the order of categories and, in a category, of levels.
struct ReportMatrix {
  std::string title, definition;
  SquareMatrix values;  ///< NaN where there is none
  double low = -1, high = 1;
};

/// A feature that ended in another category than it began in.
struct CategoryChange {
  std::string feature, before, after;
};

/// A line of a table: what it is called, its value, and how it is defined.
struct ReportNumber {
  std::string name, value, definition;
};

struct TokenizerReport {
  std::string title;                       ///< the checkpoint
  std::vector<ReportNumber> about = {};    ///< what was measured: model, data, rows
  std::vector<ReportNumber> numbers = {};  ///< what came out
  std::vector<std::string> remarks = {};   ///< what a reader must know to read the numbers
  std::optional<RunCurves> curves = {};
  std::optional<double> checkpoint_epoch = {};
  std::vector<ReportCategory> categories = {};
  std::vector<ReportFeature> features = {};  ///< of a row, by column; empty: they have no names
  std::optional<ReportDistances> distances = {};
  std::vector<ReportMatrix> similarities = {};
  std::vector<double> assignment =
      {};  ///< [features, categories], shares of each feature; or empty
  std::optional<std::vector<CategoryChange>> changes = {};  ///< since training began
  std::string settings = {};                                ///< the run's configuration
};

/// One HTML page with inline SVG: it needs no network, no script and no other file. Equal reports are
/// equal bytes.
///
/// Of the curves, train_<x> and validation_<x> share a panel; names that begin with "temperature" or
/// "assign" are drawn with the assignment.
std::string tokenizer_page(const TokenizerReport& report);

}  // namespace tessera
