// Tokens of a categorical tokenizer, and what they are decoded to.
#include "testing/determinism.h"
#include "training/categorical_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;
using Names = std::vector<std::string>;

class CategoricalTokensTest : public CategoricalTest {
 protected:
  void train_small() { run_training(small_categorical()); }

  FeatureMatrix decoded(const std::string& tokens, const std::string& output,
                        int64_t batch_size = 1024) {
    TrainedModel model = load_model(path("run"), {});
    decode_file(model, path(tokens), path(output), batch_size, quiet_);
    return load_features(path(output));
  }
};

TEST_F(CategoricalTokensTest, OneForEachCategoryAndLevel) {
  Config config = small_categorical();
  config.model.levels = {{"*", {{4, 8}, {4, 6}, {2, 3}}}};
  run_training(config);
  tokens_of("x.npy");
  const HostArray tokens = read_npy(path("tokens_of.npy"));
  EXPECT_EQ(tokens.shape, (std::vector<int64_t>{300, 9}));
  EXPECT_EQ(tokens.dtype, DType::U8);
  const auto columns = read_json("tokens_of.json")["columns"];
  ASSERT_EQ(columns.size(), 9u);
  const int64_t sizes[] = {8, 6, 3};
  for (size_t q = 0; q < 9; ++q) {
    EXPECT_EQ(columns[q]["category"], "cluster_" + std::to_string(q / 3 + 1));
    EXPECT_EQ(columns[q]["level"], q % 3);
    EXPECT_EQ(columns[q]["codebook_size"], sizes[q % 3]);
    for (size_t n = 0; n < 300; ++n) EXPECT_LT(tokens.values<uint8_t>()[9 * n + q], sizes[q % 3]);
  }
}

TEST_F(CategoricalTokensTest, TheLargestCodebookChoosesTheirType) {
  Config config = small_categorical();
  config.model.levels = {{"*", {{4, 8}}}, {"cluster_3", {{4, 257}}}};
  config.quantizer.codebook_init = "normal";
  config.training.num_epochs = 1;
  run_training(config);
  tokens_of("x.npy");
  EXPECT_EQ(read_npy(path("tokens_of.npy")).dtype, DType::U16);
}

TEST_F(CategoricalTokensTest, BatchSizeAndThreadsDoNotChangeAByte) {
  train_small();
  const Bytes expected = tokens_of("x.npy");
  for (const int64_t batch_size : {1, 7, 1024})
    for (const int threads : {1, 2}) {
      const ForcedThreads forced(threads);
      EXPECT_TRUE(tokens_of("x.npy", "run", batch_size) == expected) << batch_size << threads;
    }
}

TEST_F(CategoricalTokensTest, InstructionSetsDoNotChangeAByte) {
  train_small();
  const Bytes expected = tokens_of("x.npy");
  for (const int64_t target : simd_targets()) {
    const ForcedSimdTarget forced(target);
    EXPECT_TRUE(tokens_of("x.npy") == expected) << hwy::TargetName(target);
  }
}

TEST_F(CategoricalTokensTest, TrainingIsTheSameForThreadsAndInstructionSets) {
  Config config = small_categorical("reference");
  config.training.num_epochs = 1;
  run_training(config);
  config.training.checkpoint_dir = path("other");
  for (const int64_t target : simd_targets()) {
    const ForcedSimdTarget forced(target);
    const ForcedThreads threads(target == HWY_AVX2 ? 1 : 2);
    run_training(config, "", true);
    expect_same_bits(path("other/last.safetensors"), path("reference/last.safetensors"));
  }
}

TEST_F(CategoricalTokensTest, AMovedCheckpointGivesTheSame) {
  train_small();
  const Bytes expected = tokens_of("x.npy");
  std::filesystem::create_directories(path("far/away"));
  std::filesystem::rename(path("run/best.safetensors"), path("far/away/model.safetensors"));
  std::filesystem::remove_all(path("run"));
  EXPECT_TRUE(tokens_of("x.npy", "far/away/model.safetensors") == expected);
}

TEST_F(CategoricalTokensTest, EveryLayoutOfTheDataGivesTheSame) {
  train_small();
  const Bytes expected = tokens_of("x.npy");
  write_data_set("set.h5", planted_set(300));
  write_data_set("set", planted_set(300));
  for (const char* name : {"set.h5", "set"})
    EXPECT_TRUE(tokens_of(name, "run", 11) == expected) << name;
}

TEST_F(CategoricalTokensTest, ColumnsAreFoundByNameAndOthersIgnored) {
  train_small();
  const Bytes expected = tokens_of("x.npy");
  const FeatureMatrix set = planted_set(300);
  Names names(set.names.rbegin(), set.names.rend());
  write_array("turned.npy", with_columns(set, names));
  EXPECT_TRUE(tokens_of("turned.npy") == expected);
  FeatureMatrix more = set;
  more.names.push_back("summary/new");
  more.families.push_back("summary");
  more.values.clear();
  for (int64_t n = 0; n < set.rows; ++n) {
    const auto row = set.values.begin() + n * set.cols();
    more.values.insert(more.values.end(), row, row + set.cols());
    more.values.push_back(NAN);
  }
  write_array("more.npy", more);
  EXPECT_TRUE(tokens_of("more.npy") == expected);
}

TEST_F(CategoricalTokensTest, TheFirstMissingFeatureIsNamed) {
  train_small();
  const FeatureMatrix set = planted_set(300);
  Names names = set.names;
  const Names trained = load_model(path("run"), {}).features.names;
  std::erase_if(names, [&](const std::string& n) { return n == trained[3] || n == trained[9]; });
  write_array("fewer.npy", with_columns(set, names));
  std::string said;
  try {
    tokens_of("fewer.npy");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Data);
    said = error.what();
  }
  EXPECT_NE(said.find("fewer.npy"), std::string::npos) << said;
  EXPECT_NE(said.find(trained[3]), std::string::npos) << said;
}

TEST_F(CategoricalTokensTest, MissingValuesAreFilledAndOutliersCappedAsInTraining) {
  train_small();
  const Cleaning cleaning = load_model(path("run"), {}).features.cleaning;
  FeatureMatrix set = planted_set(300), filled = set;
  const auto at = [&](int64_t row, const std::string& name) {
    return static_cast<size_t>(
        row * set.cols() +
        (std::find(set.names.begin(), set.names.end(), name) - set.names.begin()));
  };
  for (int64_t row = 0; row < 15; ++row) {
    const CleanedFeature& feature = cleaning.kept[static_cast<size_t>(row)];
    set.values[at(row, feature.name)] = NAN;
    filled.values[at(row, feature.name)] = feature.fill;
    set.values[at(row + 20, feature.name)] = -1e9f;
    filled.values[at(row + 20, feature.name)] = feature.low;
  }
  write_array("holes.npy", set);
  write_array("filled.npy", filled);
  EXPECT_TRUE(tokens_of("holes.npy") == tokens_of("filled.npy"));
}

TEST_F(CategoricalTokensTest, DecodingIsAFunctionOfTheTokensAlone) {
  train_small();
  tokens_of("x.npy");
  const FeatureMatrix all = decoded("tokens_of.npy", "d.npy"),
                      again = decoded("tokens_of.npy", "e.npy", 7);
  EXPECT_EQ(again.values, all.values);
  // A row on its own, from a file of 64-bit integers.
  const HostArray tokens = read_npy(path("tokens_of.npy"));
  std::vector<int64_t> row;
  for (int64_t q = 0; q < 6; ++q) row.push_back(tokens.values<uint8_t>()[17 * 6 + q]);
  write_npy(path("one.npy"), HostArray::from_values<int64_t>({1, 6}, row));
  EXPECT_EQ(decoded("one.npy", "one_decoded.npy").values,
            std::vector<float>(all.values.begin() + 17 * 15, all.values.begin() + 18 * 15));
}

TEST_F(CategoricalTokensTest, DecodedFeaturesHaveTheNamesOrderAndUnitsOfTheData) {
  Config config = small_categorical();
  config.training.num_epochs = 60;
  run_training(config);
  tokens_of("x.npy");
  const FeatureMatrix set = planted_set(300), back = decoded("tokens_of.npy", "d.npy");
  EXPECT_EQ(back.names, set.names);
  EXPECT_EQ(back.families, set.families);
  for (int64_t i = 0; i < set.cols(); ++i) {
    double error = 0, mean = 0, square = 0;
    for (int64_t n = 0; n < set.rows; ++n) {
      const double x = set.values[n * set.cols() + i];
      error += std::pow(x - back.values[n * set.cols() + i], 2) / 300;
      mean += x / 300;
      square += x * x / 300;
    }
    // Its own variance is what a constant would leave; another column would leave more.
    EXPECT_LT(error, 0.5 * (square - mean * mean)) << set.names[i];
  }
}

TEST_F(CategoricalTokensTest, ADecodedFileCanBeEncoded) {
  train_small();
  tokens_of("x.npy");
  decoded("tokens_of.npy", "d.npy");
  tokens_of("d.npy");
  EXPECT_EQ(read_npy(path("tokens_of.npy")).shape, (std::vector<int64_t>{300, 6}));
}

TEST_F(CategoricalTokensTest, WithoutCleaningAMissingValueIsNamed) {
  Config config = small_categorical();
  config.data.cleaning.enabled = false;
  run_training(config);
  FeatureMatrix set = planted_set(300);
  set.values[static_cast<size_t>(205 * set.cols() + 1)] = NAN;
  write_array("holes.npy", set);
  expect_data_error([&] { tokens_of("holes.npy", "run", 100); },
                    "holes.npy: row 205, feature initial/b0 is missing or not finite");
}

}  // namespace
}  // namespace tessera
