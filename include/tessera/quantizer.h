#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/nn.h"

namespace tessera::inline TESSERA_PRECISION {

struct DeadCodeOptions {
  bool enabled = true;         ///< at the end of steps; on request they are replaced anyway
  int64_t interval = 20;       ///< steps between checks
  double threshold = 0.1;      ///< of the mean count
  double max_fraction = 0.25;  ///< of the codes, replaced at one check
};

struct QuantizerOptions {
  std::string kind = "ema";                    ///< a name of quantizer_names()
  std::string estimator = "straight_through";  ///< a name of estimator_names()
  std::string codebook_init = "kmeans";        ///< kmeans, normal or uniform
  double ema_decay = 0.99;
  double ema_epsilon = 1e-5;
  DeadCodeOptions dead_code = {};
  uint64_t seed = 0;
  int64_t batch_rows = 256;  ///< rows of a usual step: the scale at which counts start
};

struct QuantizerOutput {
  Buffer<int32_t> codes;  ///< [rows, groups]
  Var quantized;          ///< the hard rows; differentiable in codebooks trained by gradient
  Var passed;             ///< the same values; gradients go to the latents by the estimator
};

/// Codebooks of a model and how they are trained. One object holds all groups of a table.
class Quantizer {
 public:
  Quantizer(VqTable table, const QuantizerOptions& options, Device device);
  virtual ~Quantizer() = default;
  Quantizer(const Quantizer&) = delete;
  Quantizer& operator=(const Quantizer&) = delete;

  /// Nearest codes of `latents` [rows, columns], with the current codebooks.
  QuantizerOutput forward(const Pass& pass, const Var& latents);

  /// Fits the codebooks to `latents` as `codebook_init` says: k-means++ and 10 Lloyd iterations, or
  /// random rows. Counts start at count_k * batch_rows / rows (never 0), sums at count * code.
  virtual void initialize(const Tensor& latents);

  /// Ends a training step, after the optimizer: statistics, running averages, dead codes.
  virtual void update(const QuantizerOutput& output, const Tensor& latents,
                      const TrainingState& state) = 0;

  /// Replaces codes that are hardly used by rows of `latents`, as kernels/vq_update.h defines it, in
  /// steps that options.interval divides (1: now). Inside a step; update() calls it by itself.
  virtual void replace_dead_codes(const Tensor& latents, const TrainingState& state,
                                  const DeadCodeOptions& options) = 0;

  /// Rows `codes` name, [rows, columns]: what a decoder receives. Codes must be in range.
  Tensor lookup(const Buffer<int32_t>& codes, int64_t rows);

  const VqTable& table() const { return table_; }
  virtual Tensor& codebooks() = 0;         ///< flat [1, size]
  Tensor& counts() { return counts_; }     ///< N, [1, total codes]
  Buffer<int64_t>& usage() { return usage_; }  ///< rows per code since the last clear_usage()
  void clear_usage() { usage_.zero(); }
  int64_t rows_not_finite() const { return nonfinite_.to_host()[0]; }
  int64_t resets() const { return resets_.to_host()[0]; }  ///< dead codes replaced so far
  void write_resets(int64_t count) { resets_.write({&count, 1}); }
  int64_t total_codes() const { return counts_.size(); }

  /// What a checkpoint keeps beside parameters: names as decisions D2.
  virtual void add_buffers(std::vector<NamedTensor>& buffers);
  /// The codebooks as a value of the pass: on its tape where they are trained by gradient.
  virtual Var codebooks_on(const Pass& pass) = 0;

 protected:
  Tensor initial_codebooks(int64_t g, const Tensor& latents, std::vector<real>& counts);
  void count_batch(const QuantizerOutput& output, const Tensor& latents, Tensor* batch_sums);
  /// What goes with the codebooks when their codes are replaced; null views are skipped.
  struct CodeStatistics {
    VectorView<real> sums, first_moment, second_moment;
  };
  void reset_dead_codes(const Tensor& latents, const TrainingState& state,
                        const DeadCodeOptions& options, const CodeStatistics& statistics);

  VqTable table_;
  QuantizerOptions options_;
  Device device_;
  Tensor counts_;
  Tensor batch_counts_;
  Buffer<int64_t> usage_, resets_;
  Buffer<int32_t> nonfinite_;
};

/// Makes the quantizer `options.kind`; parameters, if it has any, go into `group`.
/// Throws Error (Config) with the known names.
std::unique_ptr<Quantizer> make_quantizer(VqTable table, const QuantizerOptions& options,
                                          ParameterGroup& group, Device device);
std::vector<std::string_view> quantizer_names();
std::vector<std::string_view> estimator_names();

/// A table of one codebook.
VqTable one_codebook(int64_t codebook_size, int64_t dim, Device device);

}  // namespace tessera::inline TESSERA_PRECISION
