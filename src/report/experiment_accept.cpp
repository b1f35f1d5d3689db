#include "tessera/experiment.h"
namespace tessera {
std::vector<LabCheck> run_lab_acceptance(const LabOptions&, Console&, bool&) { return {}; }
}  // namespace tessera
