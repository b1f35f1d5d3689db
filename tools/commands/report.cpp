#include <filesystem>

#include "commands/commands.h"
#include "tessera/device.h"
#include "tessera/files/file_writer.h"
#include "tessera/report/report_run.h"

namespace tessera::tools {

int run_report(const ReportArguments& arguments, const std::string& device_name,
               Verbosity verbosity) {
  const Device device = parse_device(device_name);
  Console console(verbosity);
  const std::filesystem::path folder =
      std::filesystem::path(checkpoint_file(arguments.checkpoint)).parent_path();
  const std::string output =
      arguments.output.empty() ? (folder / "report.html").string() : arguments.output;
  const TokenizerReport report =
      report_of_run(arguments.checkpoint, arguments.data, device, console);
  write_file(output, tokenizer_page(report));
  console.line("Report: " + output);
  return 0;
}

}  // namespace tessera::tools
