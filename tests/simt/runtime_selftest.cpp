// The emulated runtime calls, and what cuda/ makes of their errors.

#include <cuda_runtime.h>

#include "cuda_context.h"
#include "dlfcn.h"
#include "tessera/kernels/elementwise.h"
#include "tessera/kernels/matmul.h"
#include "tessera/tensor.h"
#include "testing/backends.h"

namespace tessera {
namespace {

using testing::error_of;

constexpr Device kCuda{DeviceType::Cuda, 0};

ErrorKind kind_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::Internal;
}

class CudaDevicesTest : public ::testing::Test {
 protected:
  void TearDown() override { simt::set_device_status(cudaSuccess); }
};

TEST_F(CudaDevicesTest, NamesTheGpuAndTheVersions) {
  const std::vector<DeviceInfo> devices = cuda_devices();
  ASSERT_EQ(devices.size(), 1u);
  EXPECT_TRUE(devices[0].usable);
  EXPECT_EQ(devices[0].description,
            "emulated GPU, 8.0 GiB, compute capability 9.0, driver CUDA 13.0, runtime 13.0");
}

TEST_F(CudaDevicesTest, BothAnswersOfAMachineWithoutGpuAreOneUnusableDevice) {
  simt::set_device_status(cudaErrorInsufficientDriver);
  std::vector<DeviceInfo> devices = cuda_devices();
  ASSERT_EQ(devices.size(), 1u);
  EXPECT_FALSE(devices[0].usable);
  EXPECT_EQ(devices[0].description,
            "no CUDA device: no NVIDIA driver is installed; this build uses CUDA 13.0");
  simt::set_device_status(cudaErrorNoDevice);
  devices = cuda_devices();
  ASSERT_EQ(devices.size(), 1u);
  EXPECT_FALSE(devices[0].usable);
  EXPECT_EQ(devices[0].description,
            "no CUDA device: the driver (CUDA 13.0) sees no GPU; this build uses CUDA 13.0");
}

TEST_F(CudaDevicesTest, AutoIsTheCpuWithoutGpuAndCudaIsRefusedWithTheReason) {
  simt::set_device_status(cudaErrorInsufficientDriver);
  EXPECT_EQ(parse_device("auto"), Device{});
  EXPECT_NE(error_of([] { parse_device("cuda"); }).find("no NVIDIA driver is installed"),
            std::string::npos);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST(CudaContextTest, RefusesADeviceTheMachineLacks) {
  EXPECT_EQ(error_of([] { CudaContext context(3); }),
            "cuda:3 cannot be used: invalid device ordinal; tessera devices lists what can");
}

TEST(CudaContextTest, OutOfMemorySaysHowMuchIsFree) {
  cuda_context(0);
  simt::set_device_bytes(size_t{1} << 20);
  const auto allocate = [] { Buffer<float> buffer(int64_t{1} << 30, kCuda); };
  EXPECT_NE(error_of(allocate).find("cuda:0: 4294967296 bytes were asked for and "),
            std::string::npos);
  EXPECT_EQ(kind_of(allocate), ErrorKind::Memory);
  simt::set_device_bytes(size_t{8} << 30);
}

TEST(CublasTest, MissingLibraryIsNamedAndTheNextTryMayFindIt) {
  CudaContext context(0);
  Buffer<float> values(2, {DeviceType::Cuda, 0}, Lifetime::Persistent);
  values.zero();
  const kernels::Matmul none{
      .a = {values.data(), 1, 1, 1}, .b = {values.data(), 1, 1, 1},
      .c = {values.data() + 1, 1, 1, 1}, .bias = {}};
  simt::set_cublas_missing(true);
  const std::string text = error_of([&] { kernels::matmul(context, none); });
  simt::set_cublas_missing(false);
  if (text.empty()) GTEST_SKIP() << "an earlier test has opened it";
  EXPECT_NE(text.find("matmul: cuBLAS could not be opened"), std::string::npos) << text;
  EXPECT_NE(text.find("LD_LIBRARY_PATH"), std::string::npos) << text;
}

// Results are correct only if every read-back waits for the stream.
TEST(DeferredStreamTest, CopiesWaitForTheWorkBeforeThem) {
  simt::set_deferred(true);
  Buffer<float> values(100, kCuda, Lifetime::Persistent);
  kernels::fill(cuda_context(0), {values.mutable_view(), 3});
  EXPECT_EQ(values.to_host(), std::vector<float>(100, 3));
  simt::set_deferred(false);
}

TEST(StreamCaptureTest, AllocatingSpoilsTheCapture) {
  cudaStream_t stream;
  cudaGraph_t graph = nullptr;
  void* data = nullptr;
  ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&data, 16), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(cudaMemsetAsync(data, 0, 16, stream), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(graph, nullptr);
  (void)cudaGetLastError();
  (void)cudaStreamDestroy(stream);
}

}  // namespace
}  // namespace tessera
