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

std::vector<RemovedFeature> exclude_features(FeatureMatrix& features,
                                             const std::vector<std::string>& patterns) {
  std::vector<RemovedFeature> removed;
  if (patterns.empty()) return removed;
  std::vector<char> used(patterns.size()), keep;
  for (const std::string& name : features.names) {
    std::string reason;
    for (size_t p = 0; p < patterns.size(); ++p)
      if (fits(patterns[p], name)) {
        used[p] = 1;
        if (reason.empty()) reason = "excluded by " + patterns[p];
      }
    keep.push_back(reason.empty());
    if (!reason.empty()) removed.push_back({name, reason});
  }
  for (size_t p = 0; p < patterns.size(); ++p)
    require(used[p], ErrorKind::Config, "data.exclude_features: \"", patterns[p],
            "\" fits none of the ", features.cols(), " features, the first is ",
            features.names.empty() ? "none" : features.names.front(),
            "; write whole names, * for any text");
  require(removed.size() < features.names.size(), ErrorKind::Data,
          "data.exclude_features takes out all ", removed.size(), " features; leave some");
  keep_columns(features, keep);
  return removed;
}

}  // namespace tessera
