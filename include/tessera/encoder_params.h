#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tessera {

/// How long the series of a sample are taken to be in training: drawn anew for each sample and epoch
/// (tessera/series_lengths.h). Steps beyond are not seen.
struct VariableLengthParams {
  bool enabled = false;
  int64_t min_timesteps = 0, max_timesteps = 0;  ///< 1 <= min < max where enabled
  std::string sampling_strategy = "uniform";     ///< uniform, geometric, fixed_bins
  double geometric_decay = 0.01;
  std::vector<int64_t> length_bins = {};  ///< also the lengths of validation
  std::vector<double> bin_weights = {};   ///< of fixed_bins; empty: equal
  bool adaptive_pyramid = true;           ///< levels of a short series keep at least
  int64_t min_pyramid_length = 1;         ///< so many steps; else it is refused
  bool use_length_curriculum = false;     ///< the least length falls over the first epochs
  int64_t curriculum_epochs = 100;
  std::optional<int64_t> curriculum_start_min = {};  ///< none: max_timesteps
  std::string curriculum_schedule = "linear";        ///< linear, cosine, exponential
  bool operator==(const VariableLengthParams&) const = default;
};

/// What the parameters say against each other, as text that follows the path of their section
/// (".min_timesteps is 9, max_timesteps 8; ..."); empty where they agree or are not enabled.
std::string contradiction(const VariableLengthParams& params);

/// Parameters of a family's encoder (families.<name>.encoder_params); each encoder looks at some and the
/// config refuses the others by name.
struct EncoderParams {
  bool trainable = true;  ///< false: stays as it was initialised or loaded, statistics included
  // MLPEncoder
  std::vector<int64_t> hidden_dims = {256, 128};
  int64_t output_dim = 64;
  double dropout = 0.1;
  std::string activation = "relu";  ///< relu, gelu, tanh
  bool batch_norm = true;
  // InitialCNNEncoder, InitialHybridEncoder (cnn_), TemporalCNNEncoder
  std::optional<int64_t> embedding_dim = {};  ///< none: 28 on grids, 64 on series
  bool use_final_batchnorm = true;
  bool encode_manual = false;  ///< the given columns pass an MLP
  std::vector<int64_t> manual_hidden_dims = {64};
  int64_t manual_output_dim = 14;
  std::string pretrained_cnn_path = "";  ///< a checkpoint of tessera with an encoder of this shape
  // PyramidTemporalEncoder
  std::vector<int64_t> level_dims = {32, 64, 96, 128};
  std::vector<int64_t> downsample_factors = {1, 2, 4, 8};
  // encoders of series
  VariableLengthParams variable_length = {};
  bool operator==(const EncoderParams&) const = default;
};

}  // namespace tessera
