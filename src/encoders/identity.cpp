#include "encoders.h"

namespace tessera::inline TESSERA_PRECISION::encoders {
namespace {

class IdentityEncoder final : public Encoder {
 public:
  explicit IdentityEncoder(const FamilyShape& shape) : output_{shape.name, shape.column_names} {}
  Var encode(const Pass&, const FamilyBatch& batch) override { return batch.columns; }
  std::vector<EncodedFamily> outputs() const override { return {output_}; }

 private:
  EncodedFamily output_;
};

}  // namespace

std::unique_ptr<Encoder> make_identity(const EncoderParams&, const FamilyShape& shape,
                                       const EncoderPlace&) {
  return std::make_unique<IdentityEncoder>(shape);
}

}  // namespace tessera::inline TESSERA_PRECISION::encoders
