#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tessera {

/// |rfft2|^2 [height, width / 2 + 1] of a grid [height, width]: two products with tables of exact
/// angles, in binary64, the same bits on every machine.
std::vector<double> power_spectrum(std::span<const double> grid, int64_t height, int64_t width);

}  // namespace tessera
