#include <fmt/format.h>

#include "commands/commands.h"
#include "tessera/device.h"
#include "tessera/tokens.h"

namespace tessera::tools {

int run_encode(const TokenArguments& arguments, const std::string& device, Verbosity verbosity) {
  Console console(verbosity);
  TrainedModel model = load_model(arguments.checkpoint, parse_device(device));
  if (arguments.soft) {
    LearnedAssignment* learned = model.model->learned();
    require(learned != nullptr, ErrorKind::Usage, "--soft-assignment: ", model.path,
            " has not learned its categories; leave the flag out");
    learned->set_evaluation(learned->temperature(), false);
  }
  const TokenizeReport report =
      encode_file(model, arguments.input, arguments.output, arguments.batch_size, console);
  console.line(fmt::format("Encoded {} rows to {} ([{}, {}]) in {:.2f} s", report.rows,
                           arguments.output, report.rows, report.tokens_per_sample, report.seconds));
  return 0;
}

int run_decode(const TokenArguments& arguments, const std::string& device, Verbosity verbosity) {
  Console console(verbosity);
  TrainedModel model = load_model(arguments.checkpoint, parse_device(device));
  const TokenizeReport report =
      decode_file(model, arguments.input, arguments.output, arguments.batch_size, console);
  console.line(fmt::format("Decoded {} rows to {} ([{}, {}], float32) in {:.2f} s", report.rows,
                           arguments.output, report.rows, model.config.model.input_size,
                           report.seconds));
  return 0;
}

}  // namespace tessera::tools
