#include "tessera/kernels/assignment_terms.h"

#include <numeric>

#include "core/context.h"
#include "tessera/assignment_ops.h"
#include "tessera/kernels/category_cosines.h"
#include "tessera/kernels/column_loss.h"
#include "tessera/kernels/matmul.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using kernels::PartialCategory;
using kernels::Transpose;

void multiply(const MatrixView<const real>& a, Transpose ta, const MatrixView<const real>& b,
              const MatrixView<real>& c, Device device, real beta = 0) {
  on_device(device, [&](auto& context) {
    kernels::matmul(context, {.a = a, .b = b, .c = c, .ta = ta, .beta = beta, .bias = {}});
  });
}

/// weight sum_ik f(A[i, k]) as [1, 1]; `product` and `families` as the kind of sum needs them.
Var sum_over_elements(const char* op, kernels::AssignmentSum sum, const Var& assignment,
                      const Tensor& product, const kernels::Groups<CategoryFamily>& families,
                      const AnnealedWeight& weight, Tape::Backward backward) {
  Tensor loss = Tensor::empty(1, 1, assignment.device());
  on_device(assignment.device(), [&](auto& context) {
    kernels::assignment_term(
        context, {.sum = sum,
                  .assignment = assignment.value().view(),
                  .product = product.is_null() ? MatrixView<const real>{} : product.view(),
                  .families = families,
                  .loss = loss.mutable_flat(),
                  .weight = weight});
  });
  return record(op, loss, {assignment.ref()}, std::move(backward));
}

void add_slopes(kernels::AssignmentTermGrad args, const Var& assignment, const Tensor& dloss,
                Gradients grad) {
  const GradSlot da = grad.whole(assignment.ref());
  args.assignment = assignment.value().view();
  args.dloss = dloss.flat();
  args.dassignment = da.tensor->mutable_view();
  args.beta = da.beta;
  on_device(dloss.device(), [&](auto& context) { kernels::assignment_term_grad(context, args); });
}

std::vector<std::vector<int32_t>> all_features(std::span<const CategoryFamily> families) {
  std::vector<std::vector<int32_t>> features_of;
  for (const CategoryFamily& family : families) {
    std::vector<int32_t> features(static_cast<size_t>(family.features));
    std::iota(features.begin(), features.end(), family.feature_begin);
    features_of.insert(features_of.end(), static_cast<size_t>(family.categories), features);
  }
  return features_of;
}

std::vector<PartialCategory> partial_categories(
    const std::vector<std::vector<int32_t>>& features_of, int64_t levels) {
  std::vector<PartialCategory> categories;
  int64_t columns = 0;
  for (const std::vector<int32_t>& features : features_of) {
    const auto count = static_cast<int64_t>(features.size());
    categories.push_back({.features = static_cast<int32_t>(count),
                          .levels = static_cast<int32_t>(levels),
                          .partial_begin = static_cast<int32_t>(columns)});
    columns += count * levels;
  }
  return categories;
}

}  // namespace

PartialTable::PartialTable(const std::vector<CategoryFamily>& families, int64_t levels,
                           Device device)
    : PartialTable(all_features(families), levels, device) {}

PartialTable::PartialTable(const std::vector<std::vector<int32_t>>& features_of, int64_t levels,
                           Device device)
    : categories_(partial_categories(features_of, levels), device) {
  std::vector<int32_t> columns;
  for (const std::vector<int32_t>& features : features_of)
    for (int64_t l = 0; l < levels; ++l)
      columns.insert(columns.end(), features.begin(), features.end());
  columns_ = Buffer<int32_t>::from_host(columns, device);
}

Var soft_informativeness(const PartialTable& table, const Var& partial, const Var& target,
                         const Var& assignment, const Tensor& weight) {
  TESSERA_CHECK(partial.cols() == table.columns() && partial.rows() == target.rows() &&
                    weight.size() == target.cols() && assignment.rows() == target.cols() &&
                    assignment.cols() == table.categories().size(),
                "soft_informativeness: partial [", partial.rows(), ", ", partial.cols(),
                "], target [", target.rows(), ", ", target.cols(), "], assignment [",
                assignment.rows(), ", ", assignment.cols(), "], ", weight.size(),
                " weights; the table has ", table.columns(), " columns of ",
                table.categories().size(), " categories");
  TESSERA_CHECK(!target.is_recorded(), "soft_informativeness: the target is a constant");
  const Device device = partial.device();
  const double factor = 1 / static_cast<double>(std::max<int64_t>(1, partial.rows()));
  Tensor loss = Tensor::empty(1, 1, device), weights = Tensor::empty(1, partial.cols(), device);
  Buffer<double> sums(partial.cols(), device);
  on_device(device, [&](auto& context) {
    kernels::partial_weights(context, {.categories = table.categories().view(),
                                       .features = table.features().view(),
                                       .assignment = assignment.value().view(),
                                       .feature_weight = weight.flat(),
                                       .weights = weights.mutable_flat()});
    kernels::column_squared_error(context, {.p = partial.value().view(),
                                            .t = target.value().view(),
                                            .target = table.features().view(),
                                            .weight = weights.flat(),
                                            .sums = sums.mutable_view(),
                                            .loss = loss.mutable_flat(),
                                            .factor = factor});
  });
  return record(
      "soft_informativeness", loss, {partial.ref(), assignment.ref()},
      [categories = table.categories(), features = table.features(), partial, target, weights, sums,
       weight, factor, ref = assignment.ref()](const Tensor& dloss, Gradients grad) {
        const GradSlot dp = grad.whole(partial.ref()), da = grad.part(ref);
        on_device(dloss.device(), [&](auto& context) {
          if (dp)
            kernels::column_squared_error_grad(context, {.p = partial.value().view(),
                                                         .t = target.value().view(),
                                                         .target = features.view(),
                                                         .weight = weights.flat(),
                                                         .dloss = dloss.flat(),
                                                         .dp = dp.tensor->mutable_view(),
                                                         .factor = factor,
                                                         .beta = dp.beta});
          if (da)
            kernels::partial_weights_grad(context, {.categories = categories.view(),
                                                    .features = features.view(),
                                                    .sums = sums.view(),
                                                    .feature_weight = weight.flat(),
                                                    .dloss = dloss.flat(),
                                                    .dassignment = da.tensor->mutable_view(),
                                                    .factor = factor,
                                                    .beta = da.beta});
        });
      });
}

Var assignment_orthogonality(const Var& features, const Var& assignment) {
  TESSERA_CHECK(features.cols() == assignment.rows(), "assignment_orthogonality: ", features.cols(),
                " features, the assignment has ", assignment.rows());
  TESSERA_CHECK(!features.is_recorded(),
                "assignment_orthogonality: the features are a constant; use stop_gradient");
  const Device device = assignment.device();
  const int64_t categories = assignment.cols();
  Tensor sums = Tensor::empty(features.rows(), categories, device);
  Tensor products = Tensor::empty(categories, categories, device);
  Tensor loss = Tensor::empty(1, 1, device);
  multiply(features.value().view(), Transpose::No, assignment.value().view(), sums.mutable_view(),
           device);
  multiply(sums.view(), Transpose::Yes, sums.view(), products.mutable_view(), device);
  on_device(device, [&](auto& context) {
    kernels::category_cosines(context, {.products = products.view(), .loss = loss.mutable_flat()});
  });
  return record(
      "assignment_orthogonality", loss, {assignment.ref()},
      [features, sums, products, ref = assignment.ref()](const Tensor& dloss, Gradients grad) {
        const Device device = dloss.device();
        Tensor coefficients = Tensor::empty(products.rows(), products.cols(), device);
        Tensor dsums = Tensor::empty(sums.rows(), sums.cols(), device);
        on_device(device, [&](auto& context) {
          kernels::category_cosines_grad(context, {.products = products.view(),
                                                   .dloss = dloss.flat(),
                                                   .coefficients = coefficients.mutable_view()});
        });
        multiply(sums.view(), Transpose::No, coefficients.view(), dsums.mutable_view(), device);
        const GradSlot da = grad.whole(ref);
        multiply(features.value().view(), Transpose::Yes, dsums.view(), da.tensor->mutable_view(),
                 device, da.beta);
      });
}

Var category_balance(const Var& assignment) {
  Tensor loss = Tensor::empty(1, 1, assignment.device());
  Buffer<double> masses(assignment.cols(), assignment.device());
  on_device(assignment.device(), [&](auto& context) {
    kernels::category_balance(context, {.assignment = assignment.value().view(),
                                        .masses = masses.mutable_view(),
                                        .loss = loss.mutable_flat()});
  });
  return record("category_balance", loss, {assignment.ref()},
                [masses, ref = assignment.ref()](const Tensor& dloss, Gradients grad) {
                  const GradSlot da = grad.whole(ref);
                  on_device(dloss.device(), [&](auto& context) {
                    kernels::category_balance_grad(context,
                                                   {.masses = masses.view(),
                                                    .dloss = dloss.flat(),
                                                    .dassignment = da.tensor->mutable_view(),
                                                    .beta = da.beta});
                  });
                });
}

Var family_constraint(const FamilyTable& families, const Var& assignment) {
  constexpr auto kSum = kernels::AssignmentSum::FamilyConstraint;
  const CategoryFamily& last = families.groups().back();
  TESSERA_CHECK(assignment.rows() == last.feature_begin + last.features,
                "family_constraint: the assignment has ", assignment.rows(),
                " features, the families ", last.feature_begin + last.features);
  return sum_over_elements("family_constraint", kSum, assignment, {}, families.view(), {},
                           [families, assignment](const Tensor& dloss, Gradients grad) {
                             add_slopes({.sum = kSum, .families = families.view()}, assignment,
                                        dloss, grad);
                           });
}

Var row_entropy(const Var& assignment, const AnnealedWeight& weight) {
  constexpr auto kSum = kernels::AssignmentSum::RowEntropy;
  return sum_over_elements("row_entropy", kSum, assignment, {}, {}, weight,
                           [weight, assignment](const Tensor& dloss, Gradients grad) {
                             add_slopes({.sum = kSum, .weight = weight}, assignment, dloss, grad);
                           });
}

Var modularity(const Var& assignment, const Tensor& matrix) {
  constexpr auto kSum = kernels::AssignmentSum::Modularity;
  TESSERA_CHECK(matrix.rows() == assignment.rows() && matrix.cols() == assignment.rows(),
                "modularity: matrix [", matrix.rows(), ", ", matrix.cols(), "] for ",
                assignment.rows(), " features");
  Tensor product = Tensor::empty(assignment.rows(), assignment.cols(), assignment.device());
  multiply(matrix.view(), Transpose::No, assignment.value().view(), product.mutable_view(),
           assignment.device());
  return sum_over_elements("modularity", kSum, assignment, product, {}, {},
                           [product, assignment](const Tensor& dloss, Gradients grad) {
                             add_slopes({.sum = kSum, .product = product.view()}, assignment, dloss,
                                        grad);
                           });
}

}  // namespace tessera::inline TESSERA_PRECISION
