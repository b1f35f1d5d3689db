#include "tessera/report/svg_document.h"

#include <fmt/format.h>

#include "report/markup.h"
#include "tessera/error.h"

namespace tessera {
namespace {

std::string stroke_attributes(const SvgStroke& stroke) {
  std::string text = fmt::format(R"( stroke="{}")", escaped_markup(stroke.color));
  if (stroke.color != "none") text += fmt::format(R"( stroke-width="{:.2f}")", stroke.width);
  if (!stroke.dashes.empty())
    text += fmt::format(R"( stroke-dasharray="{}")", escaped_markup(stroke.dashes));
  return text;
}

std::string point_list(const std::vector<SvgPoint>& points) {
  std::string text;
  for (const SvgPoint& point : points)
    text += fmt::format("{}{:.2f},{:.2f}", text.empty() ? "" : " ", point.x, point.y);
  return text;
}

const char* anchor_name(SvgAnchor anchor) {
  switch (anchor) {
    case SvgAnchor::Start:
      return "start";
    case SvgAnchor::Middle:
      return "middle";
    case SvgAnchor::End:
      return "end";
  }
  return "start";
}

}  // namespace

SvgDocument::SvgDocument(double width, double height) : width_(width), height_(height) {
  TESSERA_CHECK(width > 0 && height > 0, "SvgDocument: a picture of ", width, " x ", height);
}

void SvgDocument::line(SvgPoint from, SvgPoint to, const SvgStroke& stroke) {
  shapes_.push_back(fmt::format(R"(<line x1="{:.2f}" y1="{:.2f}" x2="{:.2f}" y2="{:.2f}"{})",
                                from.x, from.y, to.x, to.y, stroke_attributes(stroke)));
  contents_.emplace_back();
}

void SvgDocument::polyline(const std::vector<SvgPoint>& points, const SvgStroke& stroke) {
  shapes_.push_back(fmt::format(R"(<polyline points="{}" fill="none"{})", point_list(points),
                                stroke_attributes(stroke)));
  contents_.emplace_back();
}

void SvgDocument::polygon(const std::vector<SvgPoint>& points, std::string_view fill,
                          double opacity) {
  shapes_.push_back(fmt::format(R"(<polygon points="{}" fill="{}" fill-opacity="{:.2f}")",
                                point_list(points), escaped_markup(fill), opacity));
  contents_.emplace_back();
}

void SvgDocument::rect(SvgPoint corner, double width, double height, std::string_view fill,
                       const SvgStroke& stroke) {
  shapes_.push_back(
      fmt::format(R"(<rect x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}" fill="{}"{})",
                  corner.x, corner.y, width, height, escaped_markup(fill), stroke_attributes(stroke)));
  contents_.emplace_back();
}

void SvgDocument::circle(SvgPoint centre, double radius, std::string_view fill) {
  shapes_.push_back(fmt::format(R"(<circle cx="{:.2f}" cy="{:.2f}" r="{:.2f}" fill="{}")", centre.x,
                                centre.y, radius, escaped_markup(fill)));
  contents_.emplace_back();
}

void SvgDocument::text(SvgPoint at, std::string_view text, const SvgText& style) {
  std::string shape =
      fmt::format(R"(<text x="{:.2f}" y="{:.2f}" font-size="{:.2f}" text-anchor="{}" fill="{}")",
                  at.x, at.y, style.size, anchor_name(style.anchor), escaped_markup(style.color));
  if (style.bold) shape += R"( font-weight="bold")";
  if (style.rotation != 0)
    shape += fmt::format(R"svg( transform="rotate({:.2f} {:.2f} {:.2f})")svg", style.rotation, at.x,
                         at.y);
  shapes_.push_back(shape);
  contents_.push_back(escaped_markup(text));
}

void SvgDocument::tooltip(std::string_view text) {
  TESSERA_CHECK(!shapes_.empty(), "tooltip: no shape was drawn");
  contents_.back() += "<title>" + escaped_markup(text) + "</title>";
}

std::string SvgDocument::to_string() const {
  std::string picture =
      fmt::format(R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0:.0f}" height="{1:.0f}" )"
                  R"(viewBox="0 0 {0:.2f} {1:.2f}" font-family="sans-serif">)"
                  "\n",
                  width_, height_);
  for (size_t i = 0; i < shapes_.size(); ++i) {
    picture += shapes_[i];
    if (contents_[i].empty()) {
      picture += "/>\n";
    } else {
      const std::string tag = shapes_[i].substr(1, shapes_[i].find(' ') - 1);
      picture += ">" + contents_[i] + "</" + tag + ">\n";
    }
  }
  return picture + "</svg>\n";
}

}  // namespace tessera
