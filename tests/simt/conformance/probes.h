#pragma once

#include <cstdint>
#include <vector>

#include "tessera/device.h"

namespace tessera::testing {

enum class WarpProbe { Shfl, ShflXor, ShflDown, Ballot, Any };

/// One collective of one warp. Lanes outside `mask` do not take part and give 0.
struct WarpCall {
  WarpProbe op;
  uint32_t mask;
  std::vector<int32_t> argument;  ///< [32] lane to read, bits to flip, or distance, of each lane
  std::vector<uint64_t> value;    ///< [32] given by each lane; its lowest bit votes
};

/// What each lane gets, from the device.
std::vector<uint64_t> run_warp_call(const WarpCall& call, Device device);

/// Sums of reduce.cuh over given values: a block of 256, the columns of a ColumnBlock, a grid of
/// `values.size() / 256` blocks of which the sum of each thread is one value.
std::vector<double> run_block_sum(const std::vector<double>& values,
                                  Device device);  // [256] -> [256]
std::vector<double> run_column_sum(const std::vector<double>& values,
                                   Device device);  // [512] -> [512]
double run_grid_sum(const std::vector<double>& values, Device device);

}  // namespace tessera::testing
