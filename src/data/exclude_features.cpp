#include <algorithm>
#include <string_view>

#include "tessera/cleaning.h"

namespace tessera {
namespace {

/// Whether the whole of `name` fits `pattern`, in which * stands for any text.
bool fits(std::string_view pattern, std::string_view name) {
  size_t p = 0, n = 0, star = std::string_view::npos, after = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      after = n;  // the star stands for nothing so far
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++after;  // the star takes one letter more
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

/// Leaves the columns for which `keep` is set.
void keep_columns(FeatureMatrix& features, const std::vector<char>& keep) {
  FeatureMatrix result;
  result.rows = features.rows;
  std::vector<int64_t> places;
  for (int64_t i = 0; i < features.cols(); ++i)
    if (keep[i]) {
      places.push_back(i);
      result.names.push_back(features.names[i]);
      result.families.push_back(features.families[i]);
    }
  result.values.reserve(static_cast<size_t>(features.rows) * places.size());
  for (int64_t n = 0; n < features.rows; ++n)
    for (const int64_t place : places)
      result.values.push_back(features.values[n * features.cols() + place]);
  features = std::move(result);
}

}  // namespace

std::string excluding_pattern(const std::vector<std::string>& patterns, const std::string& name) {
  const auto found =
      std::ranges::find_if(patterns, [&](const auto& pattern) { return fits(pattern, name); });
  return found == patterns.end() ? "" : *found;
}

std::vector<RemovedFeature> exclude_features(FeatureMatrix& features,
                                             const std::vector<std::string>& patterns,
                                             const std::vector<std::string>& others) {
  std::vector<RemovedFeature> removed;
  if (patterns.empty()) return removed;
  std::vector<std::string> all = features.names;
  all.insert(all.end(), others.begin(), others.end());
  for (const std::string& pattern : patterns)
    require(std::ranges::any_of(all, [&](const auto& name) { return fits(pattern, name); }),
            ErrorKind::Config, "data.exclude_features: \"", pattern, "\" fits none of the ",
            all.size(), " features, the first is ", all.empty() ? "none" : all.front(),
            "; write whole names, * for any text");
  std::vector<char> keep;
  for (const std::string& name : features.names) {
    const std::string pattern = excluding_pattern(patterns, name);
    keep.push_back(pattern.empty());
    if (!pattern.empty()) removed.push_back({name, "excluded by " + pattern});
  }
  require(removed.empty() || removed.size() < features.names.size(), ErrorKind::Data,
          "data.exclude_features takes out all ", removed.size(), " features; leave some");
  keep_columns(features, keep);
  return removed;
}

}  // namespace tessera
