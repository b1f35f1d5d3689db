// The mapping file, JSON {"<category>": [feature, ...], ...}.

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "tessera/discovery.h"
#include "tessera/error.h"
#include "tessera/files/byte_source.h"

namespace tessera {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kMaxBytes = uint64_t{64} << 20;

Json parse(const std::string& path) {
  const FileSource file(path);
  require(file.size() <= kMaxBytes, ErrorKind::Data, path, ": ", file.size(),
          " bytes; a mapping of categories has at most ", kMaxBytes);
  const std::vector<std::byte> bytes = file.first_bytes(static_cast<size_t>(file.size()));
  const char* text = reinterpret_cast<const char*>(bytes.data());
  // nlohmann keeps the last of equal keys; here the first would be lost without a word.
  std::vector<std::string> keys;
  const auto check = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::key && depth == 1) {
      const auto key = parsed.get<std::string>();
      require(std::ranges::find(keys, key) == keys.end(), ErrorKind::Data, path, ": category ", key,
              " stands twice; merge the two lists");
      keys.push_back(key);
    }
    return true;
  };
  Json json;
  try {
    json = Json::parse(text, text + bytes.size(), check);
  } catch (const Json::exception& error) {
    fail(ErrorKind::Data, path, ": is not JSON (", error.what(), ")");
  }
  require(json.is_object() && !json.empty(), ErrorKind::Data, path,
          ": is not {\"<category>\": [feature, ...], ...}; write one list for each category");
  return json;
}

/// The name that an item of a category means.
std::string feature_name(const Json& item, const std::string& where,
                         const std::vector<std::string>& loaded) {
  if (item.is_string()) return item.get<std::string>();
  require(item.is_number_integer(), ErrorKind::Data, where, ": ", item.dump(),
          " is neither the name of a feature nor the number of a column");
  const bool fits = item.is_number_unsigned() && item.get<uint64_t>() < loaded.size();
  require(fits, ErrorKind::Data, where, ": column ", item.dump(), " of ", loaded.size(),
          "; columns count from 0");
  return loaded[item.get<uint64_t>()];
}

}  // namespace

std::vector<Category> read_mapping(const std::string& path,
                                   const std::vector<std::string>& features,
                                   const std::vector<std::string>& loaded) {
  std::unordered_map<std::string, int64_t> column;  // -1: cleaning took it out
  for (const std::string& name : loaded) column[name] = -1;
  for (size_t i = 0; i < features.size(); ++i) column[features[i]] = static_cast<int64_t>(i);
  std::map<std::string, std::string> taken;  // feature -> category
  std::vector<Category> categories;
  const Json mapping = parse(path);
  for (const auto& [name, items] : mapping.items()) {
    const std::string where = path + ": category " + name;
    require(items.is_array(), ErrorKind::Data, where, ": is not a list of features");
    Category category{name, {}};
    for (const Json& item : items) {
      const std::string feature = feature_name(item, where, loaded);
      const auto found = column.find(feature);
      require(found != column.end(), ErrorKind::Data, where, ": the data have no feature ",
              feature);
      const auto [other, fresh] = taken.emplace(feature, name);
      require(fresh, ErrorKind::Data, where, ": feature ", feature, " is in category ",
              other->second, " too; keep it in one");
      if (found->second >= 0) category.features.push_back(found->second);
    }
    require(!category.features.empty(), ErrorKind::Data, where,
            ": has no feature that is left after cleaning; leave the category out");
    std::ranges::sort(category.features);
    categories.push_back(std::move(category));
  }
  for (const std::string& feature : features)
    require(taken.contains(feature), ErrorKind::Data, path, ": feature ", feature,
            " is in no category; add it to one, or name it in data.exclude_features");
  return categories;
}

std::string mapping_json(const std::vector<Category>& categories,
                         const std::vector<std::string>& features) {
  Json json = Json::object();
  for (const Category& category : categories) {
    Json& list = json[category.name] = Json::array();
    for (const int64_t feature : category.features) list.push_back(features[feature]);
  }
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace tessera
