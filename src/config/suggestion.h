#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tessera::config {

/// Edits (insert, delete, replace a letter, swap neighbours) that turn one word into the other;
/// `limit` + 1 for anything above `limit`.
int edit_distance(std::string_view a, std::string_view b, int limit);

/// The candidate that `word` most likely meant: at most a quarter of its letters away, but 2 are
/// always allowed from 4 letters on, else 1. Empty where none is near; the first of equals.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// A name other programs use, and the path of the key that is meant by it here.
struct ForeignName {
  std::string_view name;
  std::string_view path;
};
const std::vector<ForeignName>& foreign_names();

/// "did you mean ...?" for a name that is none of `known`, the keys of an encoder's parameters, or that
/// it is a size of the data; empty where neither fits.
std::string suggest_param_name(std::string_view name, const std::vector<std::string>& known);

/// What to do about the unknown key `name` in `section` (empty: top level), given the paths of all
/// keys: "did you mean ...?", or the keys that the section has.
std::string suggest_key(std::string_view section, std::string_view name,
                        const std::vector<std::string>& paths);

}  // namespace tessera::config
