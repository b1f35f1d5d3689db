#pragma once

#include <string>
#include <vector>

#include "tessera/discovery.h"

namespace tessera {

/// The tree of a clustering as SVG: features below, heights of merges upwards, branches below the cut
/// in the colours of the categories their features ended in, the cut as a dashed line.
std::string dendrogram_svg(const FeatureClustering& clustering,
                           const std::vector<Category>& categories,
                           const std::vector<std::string>& names);

/// |r| between features as SVG, categories side by side in their order and outlined. Above 160
/// features neighbours share a cell, which shows their mean.
std::string heat_map_svg(const SquareMatrix& correlation, const std::vector<Category>& categories,
                         const std::vector<std::string>& names);

/// The colour of category `index`: twenty, in turns.
const char* category_color(int64_t index);

}  // namespace tessera
