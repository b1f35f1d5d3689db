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
  const std::string checkpoint = checkpoint_file(arguments.checkpoint);
  const std::string output =
      arguments.output.empty()
          ? (std::filesystem::path(checkpoint).parent_path() / "report.html").string()
          : arguments.output;
  for (const std::string& read : {checkpoint, arguments.data}) {
    std::error_code error;
    require(!std::filesystem::equivalent(read, output, error), ErrorKind::Usage, "--output ",
            output, ": the report reads this file; choose another");
  }
  const TokenizerReport report = report_of_run(checkpoint, arguments.data, device, console);
  write_file(output, tokenizer_page(report));
  console.line("Report: " + output);
  return 0;
}

}  // namespace tessera::tools
