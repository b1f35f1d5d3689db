#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tessera/report/chart.h"
#include "tessera/report/tokenizer_report.h"

namespace tessera {

/// An HTML page as it grows, and the parts it misses. Texts are escaped.
class HtmlPage {
 public:
  explicit HtmlPage(const std::string& title);

  /// Ends the section before it.
  void section(const char* id, std::string_view title);
  void paragraph(std::string_view text, const char* kind = "");
  void picture(const ChartPage& page) { text_ += svg_of(page); }
  /// Name, value and definition; definitions alone where no line has a value.
  void table(const std::vector<ReportNumber>& lines);
  void raw(std::string_view markup) { text_ += markup; }
  /// What was not measured; listed at the end.
  void missing(std::string_view what) { missing_.emplace_back(what); }
  std::string finish();

 private:
  std::string text_, id_;
  std::vector<std::string> missing_;
};

}  // namespace tessera
