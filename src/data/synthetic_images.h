#pragma once

#include <cstdint>

#include "tessera/data.h"
#include "tessera/files/host_array.h"

namespace tessera {

/// Gray images of filled shapes, U8 [count, 28, 28], for when no real data are at hand.
///
/// A quarter each: rectangles, ellipses, stripes, gradients. Position, size, turn and intensities
/// are drawn for each image, so the images lie near no small number of points: k-means with more
/// centres keeps getting better. Image i depends on seed, split and i alone.
HostArray synthetic_images(int64_t count, uint64_t seed, Split split);

}  // namespace tessera
