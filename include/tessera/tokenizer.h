#pragma once

#include <string>
#include <vector>

#include "tessera/category_slices.h"
#include "tessera/family_encoders.h"
#include "tessera/learned_assignment.h"
#include "tessera/loss.h"
#include "tessera/quantizer.h"

namespace tessera::inline TESSERA_PRECISION {

/// Values of one forward pass.
struct TokenizerOutput {
  Var latents;  ///< [batch, latent columns], before quantization
  QuantizerOutput code;
  Var reconstruction;  ///< [batch, features]
  Var partial;  ///< what each codebook alone reconstructs; null where a model has no such part
  Var assignment;  ///< of features to categories, where it is learned
};

/// A model that turns rows of features into tokens and back. Trainer, checkpoints, encode, decode and
/// eval know models by this alone.
class Tokenizer {
 public:
  explicit Tokenizer(Device device) : device_(device) {}
  virtual ~Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  virtual int64_t features() const = 0;
  /// x [batch, features], normalised as the model was trained.
  Var encode(const Pass& pass, const Var& x) { return encode_assigned(pass, x, assign(pass)); }
  virtual Var decode(const Pass& pass, const Var& quantized) = 0;
  /// The parts' own reconstructions; a null Var where there are none.
  virtual Var decode_parts(const Pass&, const Var&) { return {}; }
  /// All of it; parts only where `with_parts`.
  TokenizerOutput forward(const Pass& pass, const Var& x, bool with_parts = true);

  /// What makes features() of raw values; null where features are read as they are.
  virtual FamilyEncoders* encoders() { return nullptr; }

  /// Where the model learns its categories; else null.
  virtual LearnedAssignment* learned() { return nullptr; }
  /// Then, every tensor of tensors() that has values of single categories, the logits aside, and the
  /// quantizer's usage; else null.
  virtual const std::vector<CategorySlices>* category_slices() const { return nullptr; }

  /// What losses need beside values; null tables where a model has no categories.
  virtual const LossContext* loss_context() const { return nullptr; }
  LossInputs loss_inputs(const TokenizerOutput& output, const Var& target, const Pass& pass);

  Device device() const { return device_; }
  Quantizer& quantizer() { return *quantizer_; }
  ParameterGroup& model_group() { return model_; }
  ParameterGroup& assignment_group() { return assignment_; }
  ParameterGroup& codebook_group() { return codebook_; }
  /// Everything a checkpoint keeps beside StepState and the optimizer, by its name there.
  std::vector<NamedTensor> tensors();

 protected:
  /// `assignment` is that of the pass, null where it is not learned.
  virtual Var encode_assigned(const Pass& pass, const Var& x, const Var& assignment) = 0;
  Var assign(const Pass& pass) { return learned() ? learned()->assign(pass) : Var(); }
  virtual void add_buffers(std::vector<NamedTensor>&) {}

  Device device_;
  ParameterGroup model_{"model", kModelGroup}, assignment_{"assignment", kAssignmentGroup},
      codebook_{"codebook", kCodebookGroup};
  std::unique_ptr<Quantizer> quantizer_;
};

}  // namespace tessera::inline TESSERA_PRECISION
