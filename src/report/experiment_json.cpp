#include "report/experiment_json.h"

#include <cmath>
#include <limits>

namespace tessera {
namespace {

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

double number_from(const Json& json) {
  return json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.get<double>();
}

LabMetrics metrics_from(const Json& json) {
  return {number_from(json.at("recon_mse")), number_from(json.at("in_sub_dist")),
          number_from(json.at("usage_entropy")), number_from(json.at("dead_frac"))};
}

LabLogEntry entry_from(const Json& json) {
  return {json.at("step"),
          {number_from(json.at("rec")), number_from(json.at("codebook")),
           number_from(json.at("commit"))},
          metrics_from(json)};
}

}  // namespace

Json to_json(const LabSettings& s) {
  return {{"D", s.data_dim},
          {"rank", s.rank},
          {"m", s.latent_dim},
          {"K", s.codebook_size},
          {"n_train", s.train_rows},
          {"n_eval", s.eval_rows},
          {"steps", s.steps},
          {"batch", s.batch},
          {"alpha", s.codebook_weight},
          {"beta", s.commitment_weight},
          {"lrW", s.encoder_rate},
          {"lrE", s.codebook_rate},
          {"noise", s.noise_variance},
          {"start", s.start},
          {"lloyd_iterations", s.lloyd_iterations},
          {"log_interval", s.log_interval},
          {"seed", s.seed}};
}

Json to_json(const LabPoint& point) {
  Json json = {
      {"name", point.name}, {"settings", to_json(point.settings)}, {"methods", point.methods}};
  if (!point.encoder_rates.empty()) json["lrW_of"] = point.encoder_rates;
  return json;
}

Json to_json(const LabMetrics& m) {
  return {{"recon_mse", number(m.recon_mse)},
          {"in_sub_dist", number(m.in_sub_dist)},
          {"usage_entropy", number(m.usage_entropy)},
          {"dead_frac", number(m.dead_frac)}};
}

Json to_json(const std::vector<LabLogEntry>& log) {
  Json list = Json::array();
  for (const auto& [step, losses, metrics] : log) {
    Json entry = {{"step", step},
                  {"loss", number(losses.rec + losses.codebook + losses.commit)},
                  {"rec", number(losses.rec)},
                  {"codebook", number(losses.codebook)},
                  {"commit", number(losses.commit)}};
    entry.update(to_json(metrics));
    list.push_back(std::move(entry));
  }
  return list;
}

Json to_json(const LabRun& run) {
  Json results = Json::object();
  for (const auto& [name, result] : run.results) {
    Json& json = results[name] = to_json(result.metrics);
    if (result.diverged_at > 0) json["diverged_at"] = result.diverged_at;
    if (!result.log.empty()) json["log"] = to_json(result.log);
  }
  return {{"point", run.point}, {"seed", run.seed}, {"results", std::move(results)}};
}

Json to_json(const SeedStatistics& s) {
  Json values = Json::array();
  for (const double value : s.values) values.push_back(number(value));
  return {{"mean", number(s.mean)},
          {"sd", number(s.sd)},
          {"se", number(s.se)},
          {"values", std::move(values)}};
}

Json to_json(const PointSummary& point) {
  Json methods = Json::object(), paired = Json::object();
  for (const std::string& name : point.point.methods) {
    const MethodSummary& m = point.methods.at(name);
    methods[name] = {{"recon_mse", to_json(m.recon_mse)},
                     {"in_sub_dist", to_json(m.in_sub_dist)},
                     {"usage_entropy", to_json(m.usage_entropy)},
                     {"dead_frac", to_json(m.dead_frac)}};
    if (m.diverged > 0) methods[name]["diverged"] = m.diverged;
    if (name != point.point.methods.front()) paired[name] = to_json(m.paired);
  }
  return {{"methods", std::move(methods)},
          {"paired",
           {{"baseline", point.point.methods.front()},
            {"unit", "percent of the baseline's recon_mse, seed by seed"},
            {"methods", std::move(paired)}}}};
}

LabRun run_from_json(const Json& json) {
  LabRun run{.point = json.at("point"), .seed = json.at("seed"), .results = {}};
  for (const auto& [name, value] : json.at("results").items()) {
    LabResult& result = run.results[name];
    result.metrics = metrics_from(value);
    result.diverged_at = value.value("diverged_at", int64_t{0});
    if (value.contains("log"))
      for (const Json& entry : value.at("log")) result.log.push_back(entry_from(entry));
  }
  return run;
}

}  // namespace tessera
