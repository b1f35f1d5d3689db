// What is written is what is read, for arrays of any type and shape, and for configs.

#include <cstring>

#include "data/file_fixture.h"
#include "tessera/config.h"
#include "tessera/files.h"
#include "testing/properties.h"

namespace tessera::testing {
namespace {

constexpr int kCases = 200;

/// Any bytes are values, NaN included; a Bool is 0 or 1.
HostArray drawn_array(std::initializer_list<DType> types, int64_t least_rank) {
  HostArray array;
  array.dtype = *rc::gen::elementOf(std::vector<DType>(types));
  for (int64_t i = drawn(least_rank, 4); i > 0; --i) array.shape.push_back(drawn(0, 5));
  array.bytes.resize(static_cast<size_t>(array.size() * item_size(array.dtype)));
  const int64_t largest = array.dtype == DType::Bool ? 1 : 255;
  for (std::byte& byte : array.bytes) byte = static_cast<std::byte>(drawn(0, largest));
  return array;
}

constexpr std::initializer_list<DType> kAllTypes = {
    DType::F16, DType::F32, DType::F64, DType::U8,  DType::I8,  DType::U16,
    DType::I16, DType::U32, DType::I32, DType::U64, DType::I64, DType::Bool};

bool same(const HostArray& left, const HostArray& right) {
  return left.dtype == right.dtype && left.shape == right.shape && left.bytes == right.bytes;
}

class RoundTripTest : public FileTest {};

TEST_F(RoundTripTest, NpyGivesBackWhatWasWritten) {
  expect_property(kCases, [this] {
    const HostArray array = drawn_array(kAllTypes, 0);
    write_npy(path("a.npy"), array);
    RC_ASSERT(same(read_npy(path("a.npy")), array));
    if (array.shape.empty()) return;
    const int64_t first = drawn(0, array.rows()), last = drawn(first, array.rows());
    const HostArray part = NpyFile(path("a.npy")).read_rows(first, last);
    const int64_t row = array.row_size() * item_size(array.dtype);
    RC_ASSERT(part.bytes ==
              Bytes(array.bytes.begin() + first * row, array.bytes.begin() + last * row));
  });
}

TEST_F(RoundTripTest, NpzGivesBackWhatWasWritten) {
  expect_property(kCases, [this] {
    std::vector<HostArray> arrays(static_cast<size_t>(drawn(0, 4)));
    std::vector<ArrayView> views;
    for (size_t i = 0; i < arrays.size(); ++i) {
      arrays[i] = drawn_array(kAllTypes, 0);
      views.push_back(view_of("array " + std::to_string(i), arrays[i]));
    }
    write_npz(path("a.npz"), views);
    const NpzFile file(path("a.npz"));
    RC_ASSERT(file.names().size() == arrays.size());
    for (size_t i = 0; i < arrays.size(); ++i)
      RC_ASSERT(same(file.read("array " + std::to_string(i)), arrays[i]));
  });
}

TEST_F(RoundTripTest, SafetensorsGivesBackWhatWasWritten) {
  expect_property(kCases, [this] {
    std::vector<HostArray> arrays(static_cast<size_t>(drawn(0, 4)));
    std::vector<ArrayView> views;
    for (size_t i = 0; i < arrays.size(); ++i) {
      arrays[i] = drawn_array(kAllTypes, 0);
      views.push_back(view_of("t" + std::to_string(i), arrays[i]));
    }
    const auto note = *rc::gen::string<std::string>();
    std::string ascii;
    for (const char c : note) ascii += static_cast<char>(c & 0x7f);
    write_safetensors(path("a.safetensors"), views,
                      {{"crc32", checksums_json(views)}, {"note", ascii}});
    const SafetensorsFile file(path("a.safetensors"));
    RC_ASSERT(file.metadata().at("note") == ascii);
    RC_ASSERT(file.names().size() == arrays.size());
    for (size_t i = 0; i < arrays.size(); ++i)
      RC_ASSERT(same(file.read("t" + std::to_string(i)), arrays[i]));
  });
}

TEST_F(RoundTripTest, IdxGivesBackWhatWasWritten) {
  expect_property(kCases, [this] {
    const HostArray array =
        drawn_array({DType::U8, DType::I8, DType::I16, DType::I32, DType::F32, DType::F64}, 1);
    const std::string name = drawn(0, 1) == 0 ? path("a-idx") : path("a-idx.gz");
    write_idx(name, array);
    RC_ASSERT(same(read_idx(name), array));
  });
}

TEST_F(RoundTripTest, ConfigsSurviveYamlAndJson) {
  expect_property(kCases, [] {
    Config config;
    config.data.path = *rc::gen::container<std::string>(rc::gen::inRange<char>(' ', '~'));
    config.data.validation_fraction = static_cast<double>(drawn(0, 999)) / 1000;
    if (drawn(0, 1) == 1) config.data.max_samples = drawn(1, 1'000'000);
    config.model.encoder_sizes.resize(static_cast<size_t>(drawn(0, 3)));
    for (int64_t& size : config.model.encoder_sizes) size = drawn(1, 4096);
    config.training.learning_rate =
        std::ldexp(1 + drawn(0, 1000) / 1e3, -static_cast<int>(drawn(1, 40)));
    config.training.seed = drawn(0, int64_t{1} << 50);
    RC_ASSERT(parse_config(to_yaml(config), "yaml") == config);
    RC_ASSERT(parse_config(to_yaml(config, Comments::Shown), "yaml") == config);
    RC_ASSERT(config_from_json(to_json(config)) == config);
  });
}

}  // namespace
}  // namespace tessera::testing
