#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tessera/category_layout.h"
#include "tessera/cleaning.h"
#include "tessera/console.h"
#include "tessera/discovery.h"
#include "tessera/family_encoders.h"
#include "tessera/raw_inputs.h"
#include "tessera/tokenizer.h"

namespace tessera {

/// Neighbouring columns of a model that are quantized together.
struct ColumnCategory {
  std::string name;
  int64_t features = 0;
  bool operator==(const ColumnCategory&) const = default;
};

/// A family as a model's encoders read it.
struct EncodedFamilyInput {
  FamilyShape shape;
  std::vector<int32_t> columns = {};         ///< of the input row that are its
  std::vector<float> mean = {}, scale = {};  ///< of its series' features
  bool operator==(const EncodedFamilyInput&) const = default;
};

/// What a model's encoders read, and how raw values become it. Nothing in it where the features of the
/// model are columns of the data set.
struct EncoderInputs {
  std::vector<EncodedFamilyInput> families;        ///< in the order of the config
  Cleaning cleaning;                               ///< of the input row, kept in its order
  FeatureNormalizer normalizer;                    ///< of the input row
  std::vector<float> channel_mean, channel_scale;  ///< of raw grids
  int64_t most_steps = 0;  ///< of a series that are looked at, in training and in use; 0: all

  bool empty() const { return families.empty(); }
  bool operator==(const EncoderInputs&) const = default;
};

/// The named features of a model: what its columns are and how raw values become them. Nothing in it
/// where a model reads rows without names.
struct ModelFeatures {
  std::vector<std::string> names;          ///< of the columns; those of a category stand together
  std::vector<ColumnCategory> categories;  ///< in the order of the columns
  Cleaning cleaning;                       ///< kept in the order of `names`
  std::vector<int32_t> data_order;         ///< the columns in the order that the data set had them
  /// Features and categories of each family of a learned assignment, in the order of the columns; empty
  /// where the categories are fixed.
  std::vector<std::pair<int64_t, int64_t>> assignment;
  std::vector<float> weights;  ///< of the columns in the reconstruction; empty: all 1
  EncoderInputs inputs;        ///< where some of the columns are made by encoders

  bool empty() const { return names.empty(); }
  bool operator==(const ModelFeatures&) const = default;
};

std::vector<CategoryLayout> category_layout(const ModelFeatures& features);

/// Where the features of a learned assignment stand, and where they began.
struct LearnedCategory {
  std::string feature, before, now;
  std::vector<double> shares;  ///< of the categories, at temperature 1 without noise
};
std::vector<LearnedCategory> learned_categories(const ModelFeatures& features,
                                                LearnedAssignment& learned);

/// Whether a config has families that an encoder turns into columns.
bool uses_encoders(const Config& config);

/// Encoders before training: initialised or loaded, their running statistics taken from training rows. A
/// model starts with their values.
struct StartingEncoders {
  ParameterGroup group{"model", kModelGroup};
  std::unique_ptr<FamilyEncoders> encoders;

  /// The values of their parameters and statistics, into tensors of the same name.
  void copy_to(Tokenizer& model) const;
};

/// Features as training sees them: loaded, excluded, cleaned, sorted into categories.
struct PreparedFeatures {
  FeatureMatrix matrix;  ///< cleaned, columns in the order of the data set
  std::vector<int32_t> train, validation;
  std::vector<RemovedFeature> excluded;
  Cleaning cleaning;
  CategoryDiscovery discovery;
  // Where the config has encoders, `matrix` holds the outputs of the untrained ones and
  EncoderInputs inputs;
  FeatureMatrix columns;  ///< the cleaned input row of every sample
  std::shared_ptr<const RawInputs> raw;
  std::shared_ptr<const StartingEncoders> encoders;
};

/// Does what `config` says with the features of data.path, and says so on `console`. Everything is
/// fitted to the training rows alone.
/// Throws Error: Data, naming the file, for what is wrong with it; Config for keys that do not fit it.
PreparedFeatures prepare_features(const Config& config, Device device, Console& console);

/// The features with the columns of each category side by side, and their values in that order.
ModelFeatures model_features(const PreparedFeatures& prepared);
/// Sets `assignment`: one family, or, where `by_family` and a name's family (before the first /) decides,
/// one for each run of categories of the same.
void allow_learning(ModelFeatures& features, bool by_family);
/// Values of `features` as a model reads them, before normalisation: [rows, names], row-major.
/// Throws Error (Data), naming `where`, for a feature that is not there and for a value that is
/// missing or not finite after cleaning; row numbers start at `first_row`.
FeatureMatrix model_rows(const FeatureMatrix& features, const ModelFeatures& model,
                         const std::string& where, int64_t first_row = 0);

/// Sizes of every category's levels as `config` pins or infers them (tessera/level_sizes.h). `matrix`
/// holds the values that automatic ratios look at, columns as in `features`; its training rows alone.
std::vector<CategoryLevels> resolve_levels(const ModelConfig& config, const ModelFeatures& features,
                                           const FeatureMatrix& matrix,
                                           const std::vector<int32_t>& train);

/// Weights of the features by `kind` (losses.feature_weights), over the rows `train`; they sum to the
/// number of features. Empty for uniform.
std::vector<float> feature_weights(const std::string& kind, const FeatureMatrix& matrix,
                                   const std::vector<int32_t>& train);

/// One line a category: features and sizes of its levels.
std::vector<std::string> describe_categories(const ModelFeatures& features,
                                             const ModelConfig& config);

/// One line a family with an encoder: what it reads, how many columns it makes, whether it is trained.
std::vector<std::string> describe_encoders(const FamilyEncoders& encoders);

/// As a checkpoint carries them: names (JSON list), categories and all else.
std::string names_json(const ModelFeatures& features);
std::string categories_json(const ModelFeatures& features);
std::string preparation_json(const ModelFeatures& features);
/// Throws Error (Data) naming `source`.
ModelFeatures features_from_json(const std::string& names, const std::string& categories,
                                 const std::string& preparation, const std::string& source);

/// The model that `config`, with all sizes resolved, describes.
std::unique_ptr<Tokenizer> make_tokenizer(const Config& config, const ModelFeatures& features,
                                          Device device);
/// Values that its parameters and codebooks have, without making it.
double tokenizer_size(const Config& config, const ModelFeatures& features);

}  // namespace tessera
