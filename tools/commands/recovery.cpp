#include <fmt/format.h>

#include "commands/commands.h"
#include "tessera/recovery_experiment.h"

namespace tessera::tools {

int run_recovery_experiment(const RecoveryArguments& a, const std::string& device,
                            Verbosity verbosity) {
  Console console(verbosity);
  const RecoveryOptions options = {.cases = a.cases,
                                   .first_seed = a.seed,
                                   .seeds = a.seeds,
                                   .samples = a.samples,
                                   .epochs = a.epochs,
                                   .device = parse_device(device),
                                   .outdir = a.outdir,
                                   .fresh = a.fresh};
  const double begin = now_seconds();
  const RecoveryOutcome outcome = run_recovery(options, console);
  if (outcome.interrupted) {
    console.warning(fmt::format(
        "interrupted: {} finished runs are in {}/runs.jsonl; the same command goes on from there",
        outcome.runs.size(), options.outdir));
    return kInterrupted;
  }
  write_recovery_results(outcome, options);
  console.line(recovery_table(outcome));
  console.line(fmt::format("learnable-recovery: {:.1f} s; table, picture and report.html in {}",
                           now_seconds() - begin, options.outdir));
  return 0;
}

}  // namespace tessera::tools
