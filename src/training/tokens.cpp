#include "tessera/tokens.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tessera/files.h"
#include "tessera/step.h"

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
  for (const kernels::VqGroup& group : trained.model->quantizer().table().groups())
    columns.push_back({{"category", "all"}, {"level", 0}, {"codebook_size", group.codebook_size}});
  const std::string config = to_json(trained.config);
  const nlohmann::ordered_json json = {
      {"columns", columns},
      {"checkpoint_crc32", fmt::format("{:08x}", trained.crc)},
      {"config_crc32", fmt::format("{:08x}", crc32(std::as_bytes(std::span(config.data(), config.size()))))}};
  write_file(std::filesystem::path(output).replace_extension(".json").string(), json.dump(1) + "\n");
}

/// As require_finite, for a piece that starts at row `first` of the file: the row named is the
/// file's, whatever the size of the pieces.
void require_finite_rows(const HostArray& part, const std::string& path, int64_t first) {
  if (part.dtype != DType::F16 && part.dtype != DType::F32 && part.dtype != DType::F64) return;
  const std::vector<float> values = part.to_floats(path);
  const int64_t cols = part.row_size();
  for (int64_t i = 0; i < static_cast<int64_t>(values.size()); ++i)
    require(std::isfinite(values[static_cast<size_t>(i)]), ErrorKind::Data, path, ": value ",
            values[static_cast<size_t>(i)], " at row ", first + i / cols, ", column ", i % cols,
            "; remove that row or column, or replace the value");
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
  const RowFile reader(input);
  require(reader.cols() == model.features(), ErrorKind::Data, input, ": ", reader.cols(),
          " features a row, the model was trained on ", model.features());
  const VqTable& table = model.quantizer().table();
  const DType type = token_type(largest_codebook(table));
  const int64_t shape[] = {reader.rows(), table.size()};
  NpyWriter writer(output, type, shape);
  for (int64_t first = 0; first < reader.rows(); first += batch_size) {
    const int64_t last = std::min(reader.rows(), first + batch_size);
    const HostArray part = reader.read(first, last);
    require_finite_rows(part, input, first);
    const Dataset data(to_rows(part, input), trained.normalizer, model.device());
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
    writer.append(std::as_bytes(std::span(values)));
    console.live(fmt::format("Decoding {}/{} rows", last, reader.rows()), kPlainSeconds);
  }
  console.clear_live();
  writer.commit();
  return {reader.rows(), table.size(), now_seconds() - start};
}

}  // namespace tessera
