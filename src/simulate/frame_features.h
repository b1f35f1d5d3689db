#pragma once

#include <cstdint>
#include <span>

namespace tessera {

/// Of each feature over the first `length` (at least 1) of frames [., 36]: mean, population standard
/// deviation, last value, and the change over the whole series by the line fitted to it.
/// summary [4, 36]
void summarize_frames(std::span<const float> frames, int64_t length, std::span<float> summary);

}  // namespace tessera
