// What a model's encoders read, as a checkpoint carries it.
#include "training/encoder_inputs_json.h"

#include <nlohmann/json.hpp>

namespace tessera {

using Json = nlohmann::ordered_json;

std::string to_json(const EncoderInputs& inputs) {
  Json families = Json::array();
  for (const EncodedFamilyInput& family : inputs.families) {
    const FamilyShape& shape = family.shape;
    families.push_back({{"name", shape.name},
                        {"column_names", shape.column_names},
                        {"columns", family.columns},
                        {"channels", shape.channels},
                        {"grid", {shape.grid.height, shape.grid.width}},
                        {"series_names", shape.series_names},
                        {"steps", shape.steps},
                        {"mean", family.mean},
                        {"scale", family.scale}});
  }
  return Json{{"families", families},
              {"cleaning", Json::parse(to_json(inputs.cleaning))},
              {"normalizer", Json::parse(to_json(inputs.normalizer))},
              {"channel_mean", inputs.channel_mean},
              {"channel_scale", inputs.channel_scale},
              {"most_steps", inputs.most_steps}}
      .dump();
}

EncoderInputs encoder_inputs_from_json(const std::string& text, const std::string& source) {
  EncoderInputs inputs;
  try {
    const Json json = Json::parse(text);
    for (const Json& given : json.at("families")) {
      EncodedFamilyInput family;
      given.at("name").get_to(family.shape.name);
      given.at("column_names").get_to(family.shape.column_names);
      given.at("columns").get_to(family.columns);
      given.at("channels").get_to(family.shape.channels);
      family.shape.grid = {given.at("grid").at(0), given.at("grid").at(1)};
      given.at("series_names").get_to(family.shape.series_names);
      given.at("steps").get_to(family.shape.steps);
      given.at("mean").get_to(family.mean);
      given.at("scale").get_to(family.scale);
      family.shape.columns = static_cast<int64_t>(family.columns.size());
      family.shape.series_features = static_cast<int64_t>(family.shape.series_names.size());
      inputs.families.push_back(std::move(family));
    }
    inputs.cleaning = cleaning_from_json(json.at("cleaning").dump(), source);
    inputs.normalizer = normalizer_from_json(json.at("normalizer").dump(), source);
    json.at("channel_mean").get_to(inputs.channel_mean);
    json.at("channel_scale").get_to(inputs.channel_scale);
    json.at("most_steps").get_to(inputs.most_steps);
  } catch (const Json::exception& error) {
    fail(ErrorKind::Data, source, ": its encoders' inputs are damaged (", error.what(), ")");
  }
  const auto width = static_cast<int32_t>(inputs.cleaning.kept.size());
  for (const EncodedFamilyInput& family : inputs.families) {
    bool fits = family.shape.columns == static_cast<int64_t>(family.shape.column_names.size()) &&
                family.mean.size() == family.scale.size() &&
                (family.shape.series_features == 0 ||
                 family.mean.size() == family.shape.series_names.size()) &&
                family.shape.channels >= 0 && family.shape.grid.height >= 0 &&
                family.shape.grid.width >= 0 &&
                (family.shape.channels == 0 ||
                 (inputs.channel_mean.size() == static_cast<size_t>(family.shape.channels) &&
                  inputs.channel_scale.size() == inputs.channel_mean.size()));
    for (const int32_t column : family.columns) fits &= column >= 0 && column < width;
    require(fits, ErrorKind::Data, source,
            ": its encoders' inputs do not agree; the file is damaged");
  }
  return inputs;
}

}  // namespace tessera
