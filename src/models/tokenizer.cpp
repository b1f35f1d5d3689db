#include "tessera/tokenizer.h"

namespace tessera::inline TESSERA_PRECISION {

TokenizerOutput Tokenizer::forward(const Pass& pass, const Var& x, bool with_parts) {
  const Var assignment = assign(pass);
  const Var latents = encode_assigned(pass, x, assignment);
  QuantizerOutput code = quantizer_->forward(pass, latents);
  const Var reconstruction = decode(pass, code.passed);
  const Var partial = with_parts ? decode_parts(pass, code.passed) : Var();
  return {latents, std::move(code), reconstruction, partial, assignment};
}

LossInputs Tokenizer::loss_inputs(const TokenizerOutput& output, const Var& target,
                                  const Pass& pass) {
  LearnedAssignment* own = learned();
  const Var clean = own && !own->modularity_matrix().is_null() ? own->clean(pass) : Var();
  return {.prediction = output.reconstruction,
          .target = target,
          .latents = output.latents,
          .quantized = output.code.quantized,
          .passed = output.code.passed,
          .partial = output.partial,
          .codebooks = quantizer_->codebooks_on(pass),
          .context = loss_context(),
          .assignment = output.assignment,
          .clean_assignment = clean,
          .learned = learned(),
          .state = pass.state};
}

std::vector<NamedTensor> Tokenizer::tensors() {
  std::vector<NamedTensor> result;
  for (Parameter& parameter : model_.parameters())
    result.push_back({"model/" + parameter.name, parameter.value});
  for (Parameter& parameter : assignment_.parameters())
    result.push_back({"assignment/" + parameter.name, parameter.value});
  std::vector<NamedTensor> buffers;
  add_buffers(buffers);
  for (NamedTensor& buffer : buffers) result.push_back({"model/" + buffer.name, buffer.tensor});
  quantizer_->add_buffers(result);
  return result;
}

}  // namespace tessera::inline TESSERA_PRECISION
