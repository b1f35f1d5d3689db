// Shuffles, votes and sums by the definition that the emulator implements. On a GPU, with
// TESSERA_RECORD naming a folder, what the hardware gave is written there; copied to tests/golden as
// warp_vectors.json, the emulator is held to it from then on.

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "simt/conformance/probes.h"
#include "tessera/kernels/philox.h"
#include "testing/backends.h"
#include "testing/places.h"

namespace tessera::testing {
namespace {

uint32_t word(uint64_t step, uint64_t i) {
  const uint32_t counter[4] = {static_cast<uint32_t>(i), 0, static_cast<uint32_t>(step), 4711};
  return kernels::philox(counter, 99).word[0];
}

/// Calls of every kind under full, half, single and drawn masks. Lanes that are read take part.
std::vector<WarpCall> warp_calls() {
  std::vector<WarpCall> calls;
  uint64_t step = 0;
  for (const WarpProbe op : {WarpProbe::Shfl, WarpProbe::ShflXor, WarpProbe::ShflDown,
                             WarpProbe::Ballot, WarpProbe::Any})
    for (const uint32_t mask : {0xffffffffu, 0x0000ffffu, 0xffff0000u, 1u << 7, 0x55555555u,
                                word(1000, 1) | 1u, word(1000, 2) | 2u}) {
      WarpCall call{op, mask, {}, {}};
      ++step;
      const auto distance = static_cast<int32_t>(1 + word(step, 99) % 31);
      for (int lane = 0; lane < 32; ++lane) {
        call.value.push_back(uint64_t{word(step, lane)} << 32 | word(step, lane + 32));
        int32_t argument = distance;
        const int source = op == WarpProbe::ShflXor ? lane ^ distance
                           : op == WarpProbe::ShflDown
                               ? lane + distance
                               : static_cast<int>(word(step, lane + 64) % 32);
        if (op == WarpProbe::Shfl) argument = (mask >> source & 1) ? source : lane;
        call.argument.push_back(argument);
      }
      // A distance is the same for all lanes: 0 where some lane would read one that is not there.
      if (op == WarpProbe::ShflXor || op == WarpProbe::ShflDown)
        for (int lane = 0; lane < 32; ++lane) {
          const int source = op == WarpProbe::ShflXor ? lane ^ distance : lane + distance;
          if ((mask >> lane & 1) && source < 32 && !(mask >> source & 1))
            call.argument.assign(32, 0);
        }
      calls.push_back(call);
    }
  return calls;
}

/// CUDA C++ Programming Guide, "Warp shuffle functions" and "Warp vote functions", width 32: a lane
/// beyond the warp gives the reader its own value.
std::vector<uint64_t> defined(const WarpCall& call) {
  std::vector<uint64_t> results(32);
  uint32_t votes = 0;
  for (int lane = 0; lane < 32; ++lane)
    if ((call.mask >> lane & 1) && (call.value[lane] & 1)) votes |= 1u << lane;
  for (int lane = 0; lane < 32; ++lane) {
    if (!(call.mask >> lane & 1)) continue;
    const int argument = call.argument[lane];
    int source = lane;
    if (call.op == WarpProbe::Shfl) source = argument & 31;
    if (call.op == WarpProbe::ShflXor) source = lane ^ argument;
    if (call.op == WarpProbe::ShflDown) source = lane + argument < 32 ? lane + argument : lane;
    results[lane] = call.op == WarpProbe::Ballot ? votes
                    : call.op == WarpProbe::Any  ? votes != 0
                                                 : call.value[source];
  }
  return results;
}

std::vector<double> drawn_values(size_t count, uint64_t step) {
  std::vector<double> values(count);
  for (size_t i = 0; i < count; ++i)
    values[i] = (word(step, i) * 0x1p-32 - 0.5) * static_cast<double>(1 + word(step + 1, i) % 1000);
  return values;
}

std::string hex(uint64_t bits) { return fmt::format("{:016x}", bits); }
std::string hex(double value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return hex(bits);
}

/// Everything the device gives, as text that shows each bit.
nlohmann::ordered_json record(Device device) {
  nlohmann::ordered_json all;
  for (const WarpCall& call : warp_calls()) {
    std::vector<std::string> results;
    for (const uint64_t bits : run_warp_call(call, device)) results.push_back(hex(bits));
    all["warp"].push_back(
        {{"op", static_cast<int>(call.op)}, {"mask", call.mask}, {"results", results}});
  }
  for (const double sum : run_block_sum(drawn_values(256, 1), device))
    all["block_sum"].push_back(hex(sum));
  for (const double sum : run_column_sum(drawn_values(512, 3), device))
    all["column_sum"].push_back(hex(sum));
  for (const size_t blocks : {1, 2, 33, 300})
    all["grid_sum"].push_back(hex(run_grid_sum(drawn_values(256 * blocks, 5), device)));
  return all;
}

class ConformanceContractTest : public BackendTest {};
TESSERA_FOR_EACH_BACKEND(ConformanceContractTest);

TEST_P(ConformanceContractTest, ShufflesAndVotesFollowTheDefinition) {
  if (device().type == DeviceType::Cpu) GTEST_SKIP() << "the CPU has no warps";
  for (const WarpCall& call : warp_calls())
    EXPECT_EQ(run_warp_call(call, device()), defined(call))
        << "operation " << static_cast<int>(call.op) << " under mask " << call.mask;
}

TEST_P(ConformanceContractTest, WhatHardwareGaveIsGivenAgain) {
  if (device().type == DeviceType::Cpu) GTEST_SKIP() << "the CPU has no warps";
  const nlohmann::ordered_json found = record(device());
  if (const char* folder = std::getenv("TESSERA_RECORD"))
    std::ofstream(std::filesystem::path(folder) / "warp_vectors.json") << found.dump(1) << "\n";
  const auto golden = std::filesystem::path(kGoldenDir) / "warp_vectors.json";
  if (!std::filesystem::exists(golden))
    GTEST_SKIP() << "nothing has been recorded on a GPU yet: tools/gpu_check.sh does";
  std::ifstream file(golden);
  EXPECT_EQ(found, nlohmann::ordered_json::parse(file));
}

}  // namespace
}  // namespace tessera::testing
