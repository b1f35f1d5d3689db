// Names of the features of a frame, and what is made of their series.

#include "simulate/frame_features.h"

#include <cmath>

#include "tessera/error.h"
#include "tessera/kernels/gray_scott.h"
#include "tessera/simulate.h"

namespace tessera {

const std::vector<std::string>& frame_feature_names() {
  static const std::vector<std::string> names = {"v_mean",
                                                 "v_std",
                                                 "v_skewness",
                                                 "v_kurtosis",
                                                 "v_min",
                                                 "v_max",
                                                 "u_mean",
                                                 "u_std",
                                                 "u_min",
                                                 "u_max",
                                                 "uv_correlation",
                                                 "reaction_rate",
                                                 "gradient_mean",
                                                 "gradient_max",
                                                 "gradient_energy",
                                                 "gradient_anisotropy",
                                                 "laplacian_rms",
                                                 "active_area",
                                                 "high_area",
                                                 "front_length",
                                                 "front_direction",
                                                 "euler_number",
                                                 "value_entropy",
                                                 "band_1_2",
                                                 "band_3_4",
                                                 "band_5_6",
                                                 "band_7_8",
                                                 "band_9_11",
                                                 "band_12_15",
                                                 "band_16_22",
                                                 "band_23_44",
                                                 "spectral_centroid",
                                                 "spectral_entropy",
                                                 "dominant_wavelength",
                                                 "change_mean",
                                                 "change_rms"};
  TESSERA_CHECK(names.size() == kernels::kFrameFeatures, names.size(), " names of ",
                int{kernels::kFrameFeatures}, " features of a frame");
  return names;
}

std::vector<std::string> summary_feature_names() {
  std::vector<std::string> names;
  for (const char* kind : {"mean", "std", "last", "trend"})
    for (const std::string& name : frame_feature_names()) names.push_back(name + "_" + kind);
  return names;
}

void summarize_frames(std::span<const float> frames, int64_t length, std::span<float> summary) {
  constexpr size_t kCount = kernels::kFrameFeatures;
  const double count = static_cast<double>(length);
  // Time runs from -1/2 to 1/2, so a trend is the change over the whole series by the fitted line.
  const auto time = [&](int64_t t) {
    return length > 1 ? static_cast<double>(t) / (count - 1) - 0.5 : 0.0;
  };
  double square_time = 0;
  for (int64_t t = 0; t < length; ++t) square_time += time(t) * time(t);
  for (size_t f = 0; f < kCount; ++f) {
    const auto at = [&](int64_t t) {
      return static_cast<double>(frames[static_cast<size_t>(t) * kCount + f]);
    };
    double sum = 0, squares = 0, trend = 0;
    for (int64_t t = 0; t < length; ++t) sum += at(t);
    const double mean = sum / count;
    for (int64_t t = 0; t < length; ++t) {
      squares += (at(t) - mean) * (at(t) - mean);
      trend += (at(t) - mean) * time(t);
    }
    summary[f] = static_cast<float>(mean);
    summary[kCount + f] = static_cast<float>(std::sqrt(squares / count));
    summary[2 * kCount + f] = static_cast<float>(at(length - 1));
    summary[3 * kCount + f] = square_time > 0 ? static_cast<float>(trend / square_time) : 0.0f;
  }
}

}  // namespace tessera
