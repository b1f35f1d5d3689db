#include <fmt/format.h>

#include <filesystem>

#include "commands/commands.h"
#include "data/synthetic_images.h"
#include "tessera/error.h"
#include "tessera/files.h"

namespace tessera::tools {

int run_generate_images(const GenerateArguments& arguments, Verbosity verbosity) {
  namespace fs = std::filesystem;
  Console console(verbosity);
  std::error_code error;
  fs::create_directories(arguments.output, error);
  require(!error && fs::is_directory(arguments.output, error), ErrorKind::Data, arguments.output,
          ": the folder cannot be made (", error ? error.message() : "a file is in the way",
          "); choose another with --output");
  const auto write = [&](const char* name, int64_t count, Split split) {
    write_idx((fs::path(arguments.output) / name).string(),
              synthetic_images(count, arguments.seed, split));
  };
  write("train-images-idx3-ubyte", arguments.train, Split::Train);
  write("t10k-images-idx3-ubyte", arguments.test, Split::Test);
  console.line(fmt::format("Wrote {} training and {} test images of 28 x 28 to {}", arguments.train,
                           arguments.test, arguments.output));
  return 0;
}

}  // namespace tessera::tools
