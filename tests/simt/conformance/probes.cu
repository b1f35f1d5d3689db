// Kernels that do one thing that other kernels build on; see conformance_contract_test.cpp.

#include <cuda_runtime.h>

#include "core/context.h"
#include "launch.cuh"
#include "reduce.cuh"
#include "simt/conformance/probes.h"
#include "tessera/buffer.h"

namespace tessera::testing {
namespace {

constexpr int kThreads = 256;

__global__ void warp_kernel(WarpProbe op, uint32_t mask, const int32_t* arguments,
                            const uint64_t* values, uint64_t* results) {
  const int lane = static_cast<int>(threadIdx.x);
  if ((mask >> lane & 1) == 0) return;
  const auto value = static_cast<unsigned long long>(values[lane]);
  const int argument = arguments[lane];
  unsigned long long result = 0;
  switch (op) {
    case WarpProbe::Shfl:
      result = __shfl_sync(mask, value, argument);
      break;
    case WarpProbe::ShflXor:
      result = __shfl_xor_sync(mask, value, argument);
      break;
    case WarpProbe::ShflDown:
      result = __shfl_down_sync(mask, value, static_cast<unsigned>(argument));
      break;
    case WarpProbe::Ballot:
      result = __ballot_sync(mask, static_cast<int>(value & 1));
      break;
    case WarpProbe::Any:
      result = __any_sync(mask, static_cast<int>(value & 1)) != 0;
      break;
  }
  results[lane] = result;
}

__global__ void block_sum_kernel(const double* values, double* sums) {
  sums[threadIdx.x] = cuda::block_sum<kThreads>(values[threadIdx.x]);
}

__global__ void column_sum_kernel(const double* values, double* sums) {
  sums[threadIdx.x] = cuda::ColumnBlock::sum(values[threadIdx.x]);
}

__global__ void grid_sum_kernel(const double* values, double* sum, cuda::GridScratch scratch) {
  double total = 0;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (cuda::grid_sum<kThreads>(scratch, values[i], total) && threadIdx.x == 0) sum[0] = total;
}

/// Runs `launch` with the context of a CUDA device.
template <class F>
void on_cuda(Device device, F&& launch) {
  on_device(device, [&](auto& context) {
    if constexpr (std::is_same_v<std::decay_t<decltype(context)>, CudaContext>) launch(context);
  });
}

}  // namespace

std::vector<uint64_t> run_warp_call(const WarpCall& call, Device device) {
  const auto arguments = Buffer<int32_t>::from_host(call.argument, device);
  const auto values = Buffer<uint64_t>::from_host(call.value, device);
  auto results = Buffer<uint64_t>::from_host(std::vector<uint64_t>(32), device);
  on_cuda(device, [&](CudaContext& context) {
    cuda::launch(context, "warp_probe", warp_kernel, 1, 32, call.op, call.mask, arguments.data(),
                 values.data(), results.data());
  });
  return results.to_host();
}

std::vector<double> run_block_sum(const std::vector<double>& values, Device device) {
  const auto in = Buffer<double>::from_host(values, device);
  Buffer<double> sums(kThreads, device);
  on_cuda(device, [&](CudaContext& context) {
    cuda::launch(context, "block_sum_probe", block_sum_kernel, 1, kThreads, in.data(), sums.data());
  });
  return sums.to_host();
}

std::vector<double> run_column_sum(const std::vector<double>& values, Device device) {
  const auto in = Buffer<double>::from_host(values, device);
  Buffer<double> sums(cuda::ColumnBlock::kThreads, device);
  on_cuda(device, [&](CudaContext& context) {
    cuda::launch(context, "column_sum_probe", column_sum_kernel, 1, cuda::ColumnBlock::kThreads,
                 in.data(), sums.data());
  });
  return sums.to_host();
}

double run_grid_sum(const std::vector<double>& values, Device device) {
  const auto in = Buffer<double>::from_host(values, device);
  Buffer<double> sum(1, device);
  on_cuda(device, [&](CudaContext& context) {
    cuda::launch(context, "grid_sum_probe", grid_sum_kernel,
                 static_cast<int64_t>(values.size()) / kThreads, kThreads, in.data(), sum.data(),
                 context.grid_scratch());
  });
  return sum.to_host()[0];
}

}  // namespace tessera::testing
