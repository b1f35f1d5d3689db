#include "report/markup.h"

namespace tessera {

std::string escaped_markup(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '<')
      result += "&lt;";
    else if (c == '>')
      result += "&gt;";
    else if (c == '&')
      result += "&amp;";
    else if (c == '"')
      result += "&quot;";
    else
      result += static_cast<unsigned char>(c) < 32 && c != '\n' && c != '\t' ? ' ' : c;
  }
  return result;
}

}  // namespace tessera
