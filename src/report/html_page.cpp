#include "report/html_page.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/markup.h"

namespace tessera {
namespace {

constexpr const char* kStyle = R"(<style>
body { font-family: sans-serif; max-width: 1000px; margin: 2em auto; padding: 0 1em; color: #222;
  background: #fff; line-height: 1.4; }
h1 { font-size: 1.5em; overflow-wrap: anywhere; } h2 { font-size: 1.2em; margin: 1.8em 0 0.3em; }
p { margin: 0.4em 0; max-width: 52em; }
svg { display: block; max-width: 100%; height: auto; margin: 0.6em 0; }
table { border-collapse: collapse; margin: 0.6em 0; font-size: 0.92em; width: 100%; }
td, th { border-bottom: 1px solid #ddd; padding: 0.3em 0.8em 0.3em 0; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
th:first-child { min-width: 12em; width: 14em; } th.number { white-space: nowrap; }
td.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
td.names { font-size: 0.88em; }
.remark { border-left: 4px solid #d55e00; padding-left: 0.8em; }
pre { background: #f5f5f5; padding: 1em; overflow-x: auto; font-size: 0.85em; }
@page { margin: 12mm; }
@media print {
  body { margin: 0; padding: 0; max-width: none; font-size: 10pt; }
  svg, tr, p { break-inside: avoid; } h2, p { break-after: avoid; }
  * { print-color-adjust: exact; }
}
</style>)";

}  // namespace

HtmlPage::HtmlPage(const std::string& title) {
  text_ = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>"
      "<meta name=\"viewport\" content=\"width=device-width\"/><title>{0}</title>\n{1}</head>"
      "<body>\n<h1>{0}</h1>\n",
      escaped_markup(title), kStyle);
}

void HtmlPage::section(const char* id, std::string_view title) {
  if (!id_.empty()) text_ += "</section>\n";
  id_ = id;
  text_ += fmt::format("<section id=\"{}\"><h2>{}</h2>\n", id, escaped_markup(title));
}

void HtmlPage::paragraph(std::string_view text, const char* kind) {
  const std::string attribute = *kind ? fmt::format(" class=\"{}\"", kind) : "";
  text_ += fmt::format("<p{}>{}</p>\n", attribute, escaped_markup(text));
}

void HtmlPage::table(const std::vector<ReportNumber>& lines) {
  const bool has_values = std::any_of(lines.begin(), lines.end(),
                                      [](const ReportNumber& line) { return !line.value.empty(); });
  text_ += "<table>\n";
  for (const ReportNumber& line : lines) {
    text_ += fmt::format("<tr><th>{}</th>", escaped_markup(line.name));
    if (has_values)
      text_ += fmt::format("<td class=\"number\">{}</td>", escaped_markup(line.value));
    text_ += fmt::format("<td>{}</td></tr>\n", escaped_markup(line.definition));
  }
  text_ += "</table>\n";
}

std::string HtmlPage::finish() {
  if (!missing_.empty()) {
    section("not-measured", "Not measured");
    text_ += "<ul>\n";
    for (const std::string& what : missing_)
      text_ += fmt::format("<li>{}</li>\n", escaped_markup(what));
    text_ += "</ul>\n";
  }
  return text_ + (id_.empty() ? "" : "</section>\n") + "</body></html>\n";
}

}  // namespace tessera
