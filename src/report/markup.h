#pragma once

#include <string>
#include <string_view>

namespace tessera {

/// A text as content or quoted attribute of XML and HTML. Control characters, which neither may
/// hold, become spaces; line breaks and tabs stay.
std::string escaped_markup(std::string_view text);

}  // namespace tessera
