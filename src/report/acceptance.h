#pragma once

#include <functional>

#include "tessera/experiment.h"

namespace tessera {

using AddCheck = std::function<void(LabCheck)>;

/// What must hold exactly or nearly so: identities of the tied orthonormal model, bounds, bits that
/// do not depend on threads.
void check_identities(const LabOptions& options, const AddCheck& add);

/// Published figures: what `outcome` must reproduce, by name of point and method.
void check_statistics(const LabOutcome& outcome, const AddCheck& add);

/// The runs that check_statistics looks at.
LabExperiment acceptance_experiment();

}  // namespace tessera
