// Captured steps as CUDA graphs.

#include "check.h"
#include "cuda_context.h"
#include "handle.h"

namespace tessera {
namespace {

using Graph = cuda::CudaHandle<cudaGraph_t, &cudaGraphDestroy>;
using GraphExec = cuda::CudaHandle<cudaGraphExec_t, &cudaGraphExecDestroy>;

/// Puts a stream into capture; leaves it again however the recorded code ends.
class StreamCapture {
 public:
  explicit StreamCapture(cudaStream_t stream) : stream_(stream) {
    // Thread-local: another thread (prefetch) may still allocate while this one records.
    TESSERA_CUDA_CHECK(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
  }
  StreamCapture(const StreamCapture&) = delete;
  StreamCapture& operator=(const StreamCapture&) = delete;
  ~StreamCapture() {
    if (finished_) return;
    Graph discarded;
    (void)cudaStreamEndCapture(stream_, discarded.out());
    (void)cudaGetLastError();  // an invalidated capture must not poison the next call
  }
  Graph finish() {
    Graph graph;
    finished_ = true;
    TESSERA_CUDA_CHECK(cudaStreamEndCapture(stream_, graph.out()));
    return graph;
  }

 private:
  cudaStream_t stream_;
  bool finished_ = false;
};

class GraphReplay final : public CapturedStep::Replay {
 public:
  GraphReplay(CudaContext& context, GraphExec exec) : context_(context), exec_(std::move(exec)) {}
  void run() override {
    TESSERA_CHECK(!context_.arena().is_open(), "replay: inside another step, whose memory it uses");
    context_.make_current();
    TESSERA_CUDA_CHECK(cudaGraphLaunch(exec_.get(), context_.stream()));
  }

 private:
  CudaContext& context_;
  GraphExec exec_;
};

}  // namespace

std::unique_ptr<CapturedStep::Replay> CudaContext::do_record(std::function<void()> body,
                                                             StepCounts plan) {
  make_current();
  StreamCapture capture(stream());
  const StepCounts recorded = run(Mode::Captured, body);
  check_repeats(plan, recorded);
  const Graph graph = capture.finish();
  GraphExec exec;
  TESSERA_CUDA_CHECK(cudaGraphInstantiate(exec.out(), graph.get(), 0));
  return std::make_unique<GraphReplay>(*this, std::move(exec));
}

}  // namespace tessera
