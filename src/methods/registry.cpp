#include "methods/methods.h"
#include "tessera/error.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {
constexpr LabMethod kMethods[] = {
    {"pca_lloyd", "PCA + Lloyd", false, train_pca_lloyd},  // the baseline stands first
    {"ste_autograd", "Autograd STE", true, train_ste_autograd},
    {"ste_manual", "Manual STE", true, train_ste_manual},
    {"rotation", "Rotation trick", true, train_rotation},
    {"projection", "Rank-one projection", true, train_projection},
    {"lloyd_best", "Lloyd, best of 10", false, train_lloyd_best},
};
constexpr LabMethod kControl = {"no_gradient", "No gradient to z", true, train_no_gradient};
}  // namespace

std::span<const LabMethod> lab_methods() { return kMethods; }

const LabMethod& lab_method(std::string_view name) {
  std::string known;
  for (const LabMethod& method : kMethods) {
    if (method.name == name) return method;
    known += (known.empty() ? "" : ", ") + std::string(method.name);
  }
  if (kControl.name == name) return kControl;
  fail(ErrorKind::Usage, "experiment: method ", name, " is not known; use some of ", known);
}

}  // namespace tessera::inline TESSERA_PRECISION
