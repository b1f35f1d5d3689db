#include "tessera/loss.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {
struct Row {
  std::string_view name;
  Loss loss;
  bool of_assignment = false;
};
constexpr Row kLosses[] = {
    {"reconstruction", reconstruction_loss},
    {"codebook", codebook_loss},
    {"commitment", commitment_loss},
    {"informativeness", informativeness_loss},
    {"codebook_orthogonality", codebook_orthogonality_loss},
    {"topographic", topographic_loss},
    {"entropy", entropy_loss},
    {"assign_orthogonality", assign_orthogonality_loss, true},
    {"assign_balance", assign_balance_loss, true},
    {"assign_family", assign_family_loss, true},
    {"assign_modularity", assign_modularity_loss, true},
};
}  // namespace

Loss loss_named(std::string_view name) {
  std::string known;
  for (const Row& row : kLosses) {
    if (row.name == name) return row.loss;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  fail(ErrorKind::Config, "loss ", name, " is not known; use one of ", known);
}

const LossContext& context_for(std::string_view loss, const LossInputs& in) {
  TESSERA_CHECK(in.context != nullptr, "loss ", loss, " is one of a model with categories");
  return *in.context;
}

const LearnedAssignment& assignment_for(std::string_view loss, const LossInputs& in) {
  TESSERA_CHECK(in.learned != nullptr && !in.assignment.is_null(), "loss ", loss,
                " is one of a model that learns its categories");
  return *in.learned;
}

std::vector<std::string_view> loss_names() {
  std::vector<std::string_view> names;
  for (const Row& row : kLosses) names.push_back(row.name);
  return names;
}

std::vector<std::string_view> assignment_loss_names() {
  std::vector<std::string_view> names;
  for (const Row& row : kLosses)
    if (row.of_assignment) names.push_back(row.name);
  return names;
}

}  // namespace tessera::inline TESSERA_PRECISION
