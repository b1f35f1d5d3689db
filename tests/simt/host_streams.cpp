// Streams, capture, graphs and events.

#include "host_runtime.h"

namespace simt {

cudaError_t submit(Stream* stream, std::function<void()> work) {
  if (stream->capturing) {
    if (stream->spoiled) return failed(cudaErrorStreamCaptureInvalidated);
    stream->recorded.nodes.push_back(std::move(work));
    return cudaSuccess;
  }
  stream->pending.push_back(std::move(work));
  if (!runtime().deferred) stream->finish();
  return cudaSuccess;
}

void set_deferred(bool on) {
  runtime().finish_all();
  runtime().deferred = on;
}

cudaError_t outside_capture() {
  Stream* stream = runtime().capturing;
  if (stream == nullptr) return cudaSuccess;
  stream->spoiled = true;
  return failed(cudaErrorStreamCaptureUnsupported);
}

}  // namespace simt

using simt::failed;
using simt::outside_capture;
using simt::runtime;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new simt::Stream;
  runtime().streams.push_back(*stream);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  stream->finish();
  std::erase(runtime().streams, stream);
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (cudaError_t error = outside_capture()) return error;
  stream->finish();
  return cudaSuccess;
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (stream->capturing) return failed(cudaErrorStreamCaptureUnsupported);
  stream->capturing = true;
  stream->spoiled = false;
  stream->recorded = {};
  runtime().capturing = stream;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  if (!stream->capturing) return failed(cudaErrorInvalidValue);
  stream->capturing = false;
  runtime().capturing = nullptr;
  *graph = stream->spoiled ? nullptr : new simt::Graph(std::move(stream->recorded));
  return stream->spoiled ? failed(cudaErrorStreamCaptureInvalidated) : cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  *exec = new simt::Graph(*graph);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  for (const simt::Work& node : exec->nodes)
    if (cudaError_t error = simt::submit(stream, node)) return error;
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  *event = new simt::Event;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return simt::submit(stream, [event] { event->time = std::chrono::steady_clock::now(); });
}
cudaError_t cudaEventSynchronize(cudaEvent_t) {
  if (cudaError_t error = outside_capture()) return error;
  runtime().finish_all();
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t stop) {
  *milliseconds = std::chrono::duration<float, std::milli>(stop->time - start->time).count();
  return cudaSuccess;
}
