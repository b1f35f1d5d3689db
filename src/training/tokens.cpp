#include "tessera/tokens.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tessera/files.h"
#include "tessera/step.h"
#include "training/input_rows.h"

namespace tessera {
namespace {

constexpr double kPlainSeconds = 10;

DType token_type(int64_t largest_codebook) {
  return largest_codebook <= 256 ? DType::U8 : largest_codebook <= 65536 ? DType::U16 : DType::U32;
}

std::vector<std::byte> packed(const std::vector<int32_t>& codes, DType type) {
  const auto size = static_cast<size_t>(item_size(type));
  std::vector<std::byte> bytes(codes.size() * size);
  for (size_t i = 0; i < codes.size(); ++i)
    for (size_t b = 0; b < size; ++b)
      bytes[i * size + b] = static_cast<std::byte>(static_cast<uint32_t>(codes[i]) >> (8 * b));
  return bytes;
}

int64_t largest_codebook(const VqTable& table) {
  int32_t largest = 0;
  for (const kernels::VqGroup& group : table.groups()) largest = std::max(largest, group.codebook_size);
  return largest;
}

void write_columns(const TrainedModel& trained, const std::string& output) {
  nlohmann::ordered_json columns = nlohmann::ordered_json::array();
  const auto& groups = trained.model->quantizer().table().groups();
  const std::vector<ColumnCategory>& categories = trained.features.categories;
  const size_t levels = categories.empty() ? groups.size() : groups.size() / categories.size();
  for (size_t q = 0; q < groups.size(); ++q)
    columns.push_back({{"category", categories.empty() ? "all" : categories[q / levels].name},
                       {"level", q % levels},
                       {"codebook_size", groups[q].codebook_size}});
  const std::string config = to_json(trained.config);
  const nlohmann::ordered_json json = {
      {"columns", columns},
      {"checkpoint_crc32", fmt::format("{:08x}", trained.crc)},
      {"config_crc32", fmt::format("{:08x}", crc32(std::as_bytes(std::span(config.data(), config.size()))))}};
  write_file(std::filesystem::path(output).replace_extension(".json").string(), json.dump(1) + "\n");
}

/// Names of decoded columns, as load_features reads them beside the file.
void write_names(const TrainedModel& trained, const std::string& output) {
  nlohmann::ordered_json families = nlohmann::ordered_json::object();
  for (const int32_t column : trained.features.data_order) {
    const std::string& name = trained.features.names[static_cast<size_t>(column)];
    const size_t slash = name.find('/');
    families[name.substr(0, slash)].push_back(name.substr(slash + 1));
  }
  write_file(std::filesystem::path(output).replace_extension(".names.json").string(),
             families.dump(1) + "\n");
}

/// Columns as the data set had them.
std::vector<float> in_data_order(const std::vector<float>& values, const ModelFeatures& features) {
  std::vector<float> ordered;
  ordered.reserve(values.size());
  for (size_t row = 0; row < values.size(); row += features.names.size())
    for (const int32_t column : features.data_order)
      ordered.push_back(values[row + static_cast<size_t>(column)]);
  return ordered;
}

}  // namespace

TokenizeReport encode_file(TrainedModel& trained, const std::string& input,
                           const std::string& output, int64_t batch_size, Console& console) {
  const double start = now_seconds();
  Tokenizer& model = *trained.model;
  require(output.ends_with(".npy"), ErrorKind::Usage, "--output ", output,
          ": tokens are written as .npy (and their columns beside it as .json); name a .npy file");
  std::error_code error;
  require(!std::filesystem::equivalent(input, output, error), ErrorKind::Usage, "--output ", output,
          ": is the input; choose another file");
  const InputRows reader(trained, input);
  const VqTable& table = model.quantizer().table();
  const DType type = token_type(largest_codebook(table));
  const int64_t shape[] = {reader.rows(), table.size()};
  NpyWriter writer(output, type, shape);
  for (int64_t first = 0; first < reader.rows(); first += batch_size) {
    const int64_t last = std::min(reader.rows(), first + batch_size);
    const Dataset data = reader.read(first, last);
    std::vector<int32_t> codes;
    run_step(model.device(), [&] {
      const Var x(data.rows_at(0, last - first));
      codes = model.quantizer().forward({}, model.encode({}, x)).codes.to_host();
    });
    require(model.quantizer().rows_not_finite() == 0, ErrorKind::Numeric, input, ": among rows ", first,
            " to ", last - 1, " the encoder's output is not finite; the values are too large for it");
    writer.append(packed(codes, type));
    console.live(fmt::format("Encoding {}/{} rows, {:.0f} rows/s", last, reader.rows(),
                             static_cast<double>(last) / (now_seconds() - start)), kPlainSeconds);
  }
  console.clear_live();
  writer.commit();
  write_columns(trained, output);
  return {reader.rows(), table.size(), now_seconds() - start};
}

TokenizeReport decode_file(TrainedModel& trained, const std::string& tokens,
                           const std::string& output, int64_t batch_size, Console& console) {
  const double start = now_seconds();
  Tokenizer& model = *trained.model;
  const VqTable& table = model.quantizer().table();
  std::vector<int64_t> sizes;
  for (const kernels::VqGroup& group : table.groups()) sizes.push_back(group.codebook_size);
  const TokenFile reader(RowFile(tokens), sizes);
  const int64_t features = model.features();
  const int64_t shape[] = {reader.rows(), features};
  NpyWriter writer(output, DType::F32, shape);
  for (int64_t first = 0; first < reader.rows(); first += batch_size) {
    const int64_t last = std::min(reader.rows(), first + batch_size);
    const std::vector<int32_t> codes = reader.read(first, last);
    const auto buffer = Buffer<int32_t>::from_host(codes, model.device());
    std::vector<float> values;
    run_step(model.device(), [&] {
      values = model.decode({}, Var(model.quantizer().lookup(buffer, last - first))).value().to_host();
    });
    trained.normalizer.undo(values, features);
    if (!trained.features.empty()) values = in_data_order(values, trained.features);
    writer.append(std::as_bytes(std::span(values)));
    console.live(fmt::format("Decoding {}/{} rows", last, reader.rows()), kPlainSeconds);
  }
  console.clear_live();
  writer.commit();
  if (!trained.features.empty()) write_names(trained, output);
  return {reader.rows(), table.size(), now_seconds() - start};
}

}  // namespace tessera
