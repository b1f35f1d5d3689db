// Cleaning and normalisation as text, for checkpoints and reports. Numbers are read back with the same
// bits: shortest decimals, infinities as null.

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "tessera/cleaning.h"

namespace tessera {
namespace {

using Json = nlohmann::ordered_json;

/// null: infinite, or no number at all.
Json limit_json(float limit) { return std::isfinite(limit) ? Json(limit) : Json(); }

float limit_of(const Json& json, float infinity) {
  return json.is_null() ? infinity : json.get<float>();
}

/// `read` of the parsed text; whatever is wrong with it is Error (Data).
template <class F>
auto parsed(const std::string& text, const std::string& source, F&& read) {
  try {
    return read(Json::parse(text));
  } catch (const Json::exception& error) {
    fail(ErrorKind::Data, source, ": is damaged (", error.what(), ")");
  }
}

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string to_json(const Cleaning& cleaning) {
  Json json = {{"kept", Json::array()}, {"removed", Json::array()}};
  for (const CleanedFeature& feature : cleaning.kept)
    json["kept"].push_back({{"name", feature.name},
                            {"fill", limit_json(feature.fill)},
                            {"low", limit_json(feature.low)},
                            {"high", limit_json(feature.high)},
                            {"filled", feature.filled},
                            {"capped", feature.capped}});
  for (const RemovedFeature& feature : cleaning.removed)
    json["removed"].push_back({{"name", feature.name}, {"reason", feature.reason}});
  return dumped(json);
}

Cleaning cleaning_from_json(const std::string& text, const std::string& source) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  return parsed(text, source, [&](const Json& json) {
    Cleaning cleaning;
    for (const Json& item : json.at("kept"))
      cleaning.kept.push_back({.name = item.at("name"),
                               .fill = limit_of(item.at("fill"), std::numeric_limits<float>::quiet_NaN()),
                               .low = limit_of(item.at("low"), -kInfinity),
                               .high = limit_of(item.at("high"), kInfinity),
                               .filled = item.at("filled"),
                               .capped = item.at("capped")});
    for (const Json& item : json.at("removed"))
      cleaning.removed.push_back({item.at("name"), item.at("reason")});
    return cleaning;
  });
}

std::string to_json(const FeatureNormalizer& normalizer) {
  Json json = {{"kind", normalizer.numbers.kind}, {"names", normalizer.names}};
  json["mean"] = normalizer.numbers.mean;
  json["scale"] = normalizer.numbers.scale;
  return dumped(json);
}

FeatureNormalizer normalizer_from_json(const std::string& text, const std::string& source) {
  return parsed(text, source, [&](const Json& json) {
    FeatureNormalizer normalizer{json.at("names"),
                                 {json.at("kind"), json.at("mean"), json.at("scale")}};
    const Normalizer& numbers = normalizer.numbers;
    const size_t expected = numbers.has_numbers() ? normalizer.names.size() : 0;
    require(numbers.mean.size() == expected && numbers.scale.size() == expected, ErrorKind::Data,
            source, ": is damaged (", numbers.mean.size(), " means and ", numbers.scale.size(),
            " scales where ", expected, " are expected)");
    return normalizer;
  });
}

}  // namespace tessera
