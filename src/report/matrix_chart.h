#pragma once

#include "tessera/report/chart.h"

namespace tessera {

/// The width of the charts of a page: read at full size on a laptop, at three quarters on paper.
inline constexpr double kPageWidth = 980;

/// Neighbouring rows or columns under one name.
struct MatrixSpan {
  std::string name;
  int64_t size = 1;
};

/// Numbers as colours.
struct MatrixChart {
  std::vector<MatrixSpan> rows, columns;
  std::vector<double> values;  ///< [rows, columns]; NaN: none, drawn gray
  std::vector<std::string> texts =
      {};                    ///< in the cells and when the pointer rests on them, or empty
  double low = 0, high = 1;  ///< colours; with low < 0 zero is white
  std::string scale;         ///< what the colours mean
  double cell_height = 0;    ///< 0: as the width
  double widest_cell = 120;
};

/// The matrix with its names and, below, its scale of colours; as high as it needs to be.
ChartPage matrix_page(const MatrixChart& chart);

/// `text`, with its end cut off where it is longer than `width` pixels in letters of `size`.
std::string fitted_text(const std::string& text, double width, double size = 12);

}  // namespace tessera
