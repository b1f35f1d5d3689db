// Which rows a convolution sums over which: see conv_rows.h.

#include "cpu/conv_rows.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

struct Axis {
  int32_t targets, sources;
  int32_t length, stride, pad;
  bool backward;
};

/// The segment of one position.
AxisSegment segment_at(const Axis& a, int32_t position, int32_t step) {
  AxisSegment s = {position, step, 1, 0, 0, 0, a.backward ? 1 : a.stride};
  if (!a.backward) {
    const int32_t low = position * a.stride - a.pad;
    s.tap = std::max(0, -low);
    s.taps = std::max(0, std::min(a.length, a.sources - low) - s.tap);
    s.source = low + s.tap;
  } else {
    // Tap j comes from output (position + pad - j) / stride, where that is whole and there.
    const int32_t high = position + a.pad;
    s.tap = high % a.stride;
    const int32_t beyond = high - s.tap - (a.sources - 1) * a.stride;
    if (beyond > 0) s.tap += beyond;
    s.taps = std::max(0, (std::min(a.length - 1, high) - s.tap + a.stride) / a.stride);
    s.source = (high - s.tap) / a.stride;
  }
  if (s.taps == 0) s.tap = s.source = s.source_step = 0;
  return s;
}

void cut_axis(const Axis& a, std::vector<AxisSegment>& segments) {
  segments.clear();
  const int32_t step = a.backward ? a.stride : 1;
  for (int32_t residue = 0; residue < std::min(step, a.targets); ++residue) {
    const size_t first = segments.size();
    for (int32_t position = residue; position < a.targets; position += step) {
      const AxisSegment next = segment_at(a, position, step);
      if (segments.size() > first && segments.back().tap == next.tap &&
          segments.back().taps == next.taps)
        ++segments.back().count;
      else
        segments.push_back(next);
    }
  }
}

/// The positions of `s` in [begin, end).
AxisSegment clipped(AxisSegment s, int32_t begin, int32_t end) {
  const auto below = [&](int32_t border) {
    return border <= s.begin ? 0 : std::min(s.count, (border - s.begin + s.step - 1) / s.step);
  };
  const int32_t from = below(begin);
  s.count = below(end) - from;
  s.begin += from * s.step;
  s.source += from * s.source_step;
  return s;
}

}  // namespace

ConvPieces::ConvPieces(const Grids& target, int64_t wanted) {
  int64_t rows = wanted;  // of the last chunk; full: the first piece starts one
  const auto add = [&](const ConvPiece& piece) {
    if (rows + piece.rows() > wanted) {
      first.push_back(static_cast<int64_t>(pieces.size()));
      rows = 0;
    }
    pieces.push_back(piece);
    rows += piece.rows();
  };
  for (int32_t sample = 0; sample < target.count; ++sample) {
    const GridPlace place = place_of(target, sample);
    const auto width = static_cast<int32_t>(std::min<int64_t>(wanted, place.width));
    const auto height = static_cast<int32_t>(
        std::clamp<int64_t>(wanted / std::max(1, width), 1, std::max(1, place.height)));
    for (int32_t y = 0; y < place.height; y += height)
      for (int32_t x = 0; x < place.width; x += width)
        add({sample, y, std::min(place.height, y + height), x, std::min(place.width, x + width)});
  }
  first.push_back(static_cast<int64_t>(pieces.size()));
}

void ConvRows::cut_axes(const ConvGeometry& g, const GridPlace& source, const GridPlace& target) {
  const int32_t sizes[4] = {source.height, source.width, target.height, target.width};
  if (std::equal(sizes, sizes + 4, sizes_)) return;
  std::copy_n(sizes, 4, sizes_);
  const Window& w = g.window;
  cut_axis({target.height, source.height, w.height, w.stride_y, w.pad_y, g.backward}, y_);
  cut_axis({target.width, source.width, w.width, w.stride_x, w.pad_x, g.backward}, x_);
}

int32_t ConvRows::class_of(const ConvGeometry& g, const AxisSegment& y, const AxisSegment& x,
                           int64_t pitch) {
  const bool none = y.taps == 0 || x.taps == 0;
  ConvClass wanted = {y.tap, none ? 0 : y.taps, x.tap, none ? 0 : x.taps, pitch, 0, 0, 0, 0};
  if (none) wanted.tap_y = wanted.tap_x = 0;
  if (wanted.taps_y <= 1) wanted.pitch = 0;
  for (size_t i = 0; i < classes_.size(); ++i) {
    const ConvClass& c = classes_[i];
    if (c.tap_y == wanted.tap_y && c.taps_y == wanted.taps_y && c.tap_x == wanted.tap_x &&
        c.taps_x == wanted.taps_x && c.pitch == wanted.pitch)
      return static_cast<int32_t>(i);
  }
  make_runs(g, wanted);
  classes_.push_back(wanted);
  return static_cast<int32_t>(classes_.size()) - 1;
}

void ConvRows::make_runs(const ConvGeometry& g, ConvClass& c) {
  const int64_t values = g.tap_values, way = g.backward ? -1 : 1;
  const bool joined = !g.backward && g.source_ld == values;  // taps of a line follow each other
  c.first_run = static_cast<int64_t>(runs_.size());
  for (int32_t i = 0; i < c.taps_y; ++i)
    for (int32_t j = 0; j < (joined ? 1 : c.taps_x); ++j) {
      const int64_t tap = int64_t{c.tap_y + i * g.tap_step_y()} * g.window.width + c.tap_x +
                          int64_t{j} * g.tap_step_x();
      runs_.push_back({way * (i * c.pitch + j * g.source_ld), tap * values,
                       joined ? c.taps_x * values : values});
    }
  c.runs = static_cast<int64_t>(runs_.size()) - c.first_run;
}

void ConvRows::build(const ConvGeometry& g, const ConvPiece* begin, const ConvPiece* end) {
  boxes_.clear();
  classes_.clear();
  runs_.clear();
  std::fill_n(sizes_, 4, -1);
  for (const ConvPiece* piece = begin; piece != end; ++piece) {
    const GridPlace source = place_of(g.source, piece->sample);
    const GridPlace target = place_of(g.target, piece->sample);
    cut_axes(g, source, target);
    for (const AxisSegment& whole_y : y_) {
      const AxisSegment y = clipped(whole_y, piece->y_begin, piece->y_end);
      if (y.count == 0) continue;
      for (const AxisSegment& whole_x : x_) {
        const AxisSegment x = clipped(whole_x, piece->x_begin, piece->x_end);
        if (x.count == 0) continue;
        const int32_t which = class_of(g, y, x, source.width * g.source_ld);
        classes_[which].rows += int64_t{y.count} * x.count;
        boxes_.push_back(
            {which, y, x, source.first_row, target.first_row, source.width, target.width});
      }
    }
  }
  int64_t rows = 0;
  for (ConvClass& c : classes_) {
    c.first_row = rows;
    rows += c.rows;
    c.rows = 0;
  }
  if (static_cast<int64_t>(rows_.size()) < rows) rows_.resize(rows);
  for (const Box& box : boxes_) {
    ConvClass& c = classes_[box.which];
    ConvRow* row = rows_.data() + c.first_row + c.rows;
    c.rows += int64_t{box.y.count} * box.x.count;
    for (int32_t y = 0; y < box.y.count; ++y) {
      const int64_t source_line =
          box.source_row + int64_t{box.y.source + y * box.y.source_step} * box.source_width;
      const int64_t target_line =
          box.target_row + int64_t{box.y.begin + y * box.y.step} * box.target_width;
      for (int32_t x = 0; x < box.x.count; ++x)
        *row++ = {(source_line + box.x.source + x * box.x.source_step) * g.source_ld,
                  target_line + box.x.begin + x * box.x.step};
    }
  }
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
