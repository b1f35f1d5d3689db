#include "tessera/metric_definitions.h"

#include <fmt/format.h>

#include <algorithm>

namespace tessera {
namespace {

constexpr size_t kWidth = 100, kIndent = 4;

// Symbols: x a row as the model sees it (normalised), x_hat what it decodes to, z a latent, q the
// code row nearest to it, D features, codebooks by category k and level l.
constexpr MetricDefinition kDefinitions[] = {
    // Errors.
    {"reconstruction_error", ">= 0",
     "Mean over rows and features of (x - x_hat)^2 on normalised inputs, every feature with weight "
     "1. Of a category: the same over its own features, of the whole model's output."},
    {"quality", "at most 1",
     "1 - reconstruction_error. 1 is exact; below 0 the error is above 1, which for standard "
     "normalised inputs is worse than always answering their mean."},
    {"partial_error", ">= 0",
     "Of a codebook: mean over rows and the features of its category of (partial - x)^2, partial "
     "what the codebook's own decoder makes of its code alone."},
    {"error_stored_units", "squared units of the data",
     "Mean over rows and features of ((x - x_hat) / scale)^2, scale that of the normalizer: the "
     "reconstruction error of the data as they are stored."},
    {"error_by_variance", ">= 0",
     "error_stored_units / mean over features of their variance 1 / scale^2 in the training rows: "
     "the share of variance in stored units that is lost. Of a category: over its features."},
    {"kmeans_reference", ">= 0",
     "reconstruction_error of the nearest of k-means centres, as many as the model has codes "
     "(k-means++ seed 0, 25 Lloyd iterations), in place of x_hat."},
    {"residual_kmeans", ">= 0",
     "reconstruction_error of residual k-means with the model's categories and codebook sizes: "
     "each "
     "level's centres (k-means++, 25 Lloyd iterations) are fitted to what the levels before it "
     "left "
     "of the category's features. The yardstick of a tokenizer."},
    {"fit_error", ">= 0", "The same error of the rows that a k-means reference was fitted to."},
    {"error", ">= 0", "reconstruction_error of a k-means reference on the evaluated rows."},
    {"ratio", "> 0", "reconstruction_error of the model / that of the k-means reference."},
    // Use of codes.
    {"utilization", "0 .. 1",
     "Mean over codebooks of (codes used at least once) / (codes of the codebook), over all rows "
     "of "
     "the window: in metrics.jsonl the rows trained on in the epoch, in eval the evaluated rows."},
    {"perplexity", "1 .. codes",
     "exp(-sum_k p_k ln p_k) with p_k the share of rows that code k got: as many codes used "
     "evenly. "
     "Over the same rows; of several codebooks their mean."},
    {"tokens_used", "count", "Codes used at least once, of all codebooks together."},
    {"tokens_total", "count", "Codes of all codebooks together."},
    {"codes_used", "count", "As tokens_used."},
    {"codes", "count", "As tokens_total; of a k-means reference, its centres."},
    {"dead_codes", "count", "Codes used by no row of the window: tokens_total - tokens_used."},
    {"code_resets", "count",
     "Dead codes replaced by latents of a batch, since the start of the run. A code counts as dead "
     "where its running count is below quantizer.dead_code.threshold times the codebook's mean."},
    {"temperature", "> 0", "Of a learned assignment: A = softmax((logits + noise) / temperature)."},
    {"assignment_entropy", "0 .. 1",
     "Mean over features of the entropy of their row of A at temperature 1, divided by the logarithm "
     "of the number of categories open to them."},
    {"assignment_gradient_rows", "0 .. 1",
     "Share of features whose logits had a gradient above Adam's epsilon in the epoch's last step."},
    {"features_changed", "count", "Features whose likeliest category is another than an epoch before."},
    {"features_moved", "count",
     "Features whose likeliest category is another than at the start, or whose first one was pruned."},
    {"assignment_categories", "count", "Categories of the model at the end of the epoch."},
    {"validation_reconstruction_hard", ">= 0",
     "reconstruction of the validation rows with each feature wholly in its likeliest category, as "
     "encode uses it."},
    {"assign_orthogonality", "0 .. 1",
     "Mean |cosine| over pairs of categories of the columns of X A, X the batch. Logged with its "
     "weight in the epoch's lines, without it in metrics.jsonl."},
    {"assign_balance", ">= 0", "(1 / K) sum_k (c_k K / D - 1)^2, c_k = sum_i A[i, k]."},
    {"assign_family", ">= 0", "Share of A outside the features' families, summed per family."},
    {"assign_modularity", "a number",
     "-sum_k A_k^T M A_k - T H at temperature 1: M the modularity matrix of |r| between features, H the "
     "mean entropy of the rows, T falling from 2 to 0.05 over the first four fifths of the run."},
    {"assign_total", "a number", "Weighted sum of the assign_ terms."},
    {"token_survival", "0 .. 1",
     "Share of tokens that are equal after rows are encoded, decoded and encoded again."},
    // Order of distances.
    {"topographic_pre", "-1 .. 1",
     "r(D(x), D(z)): Pearson correlation of the distances of all pairs of rows, before and after "
     "encoding. D(x) is Euclidean over all features; D(z) the mean over codebooks of the Euclidean "
     "distance of their latents. Over up to 1000 rows of the set."},
    {"topographic_post", "-1 .. 1",
     "r(D(z), D(q)): the same between latents and the codes they are replaced by."},
    {"topographic_end_to_end", "-1 .. 1", "r(D(x), D(q)): the same between inputs and codes."},
    // Terms of the loss.
    {"train_total", "",
     "sum over losses of weight * loss, means over the rows trained on in the epoch, with dropout, "
     "each batch with the parameters of its step."},
    {"validation_total", "",
     "The same sum over the validation rows, without dropout, with the parameters at the end of "
     "the epoch; null where the epoch was not validated."},
    {"total", "", "sum over losses of weight * loss."},
    {"reconstruction", ">= 0",
     "Loss: mean over rows and features of weight_f (x - x_hat)^2, weight_f = 1 unless features "
     "are "
     "weighted. train_ and validation_ as in train_total and validation_total; not yet multiplied "
     "by its weight, as all losses below."},
    {"commitment", ">= 0",
     "Loss: mean over codebooks, rows and columns of (z - stop_gradient(q))^2; moves the encoder."},
    {"codebook", ">= 0",
     "Loss: mean over codebooks, rows and columns of (stop_gradient(z) - q)^2; moves codes that "
     "are "
     "trained by gradient."},
    {"informativeness", ">= 0",
     "Loss: mean over levels of the mean over rows and features of weight_f (partial - x)^2, "
     "partial "
     "from the codebook of that level in the feature's category alone."},
    {"codebook_orthogonality", "0 .. 1",
     "Loss: mean over codebooks of the mean of cos(e_i, e_j)^2 over pairs of their codes, i != j."},
    {"topographic", "0 .. 2",
     "Loss: 0.3 (1 - topographic_pre) + 0.7 (1 - topographic_post), over the first rows of a "
     "batch."},
    {"entropy", ">= 0",
     "Loss: mean over codebooks of ln K - H(p), H(p) = -sum_k p_k ln p_k, p the mean over rows of "
     "softmax_k(-|z - e_k|^2 / (temperature * columns)). 0 where all K codes are used evenly."},
    // The block of lines that each epoch prints.
    {"train", "", "As train_total."},
    {"val", "", "As validation_total; (cached): of an earlier epoch."},
    {"recon", ">= 0", "weight * train_reconstruction."},
    {"vq", ">= 0", "weight * train_commitment + weight * train_codebook."},
    {"ortho", ">= 0", "weight * train_codebook_orthogonality."},
    {"info", ">= 0", "weight * train_informativeness."},
    {"topo", ">= 0", "weight * train_topographic."},
    // Where a run stands.
    {"epoch", "from 1", "Passes over the training rows."},
    {"step", "from 1", "Optimizer steps since the start of the run."},
    {"seconds", "s",
     "Wall-clock time of the epoch's training, without validation, or since the run went on within "
     "it; of a reference, of fitting and measuring it."},
    {"rows_per_second", "rows/s", "Rows trained on in these seconds / seconds."},
    {"learning_rate", ">= 0", "Of the model's parameters at the last step of the epoch."},
    {"rows", "count", "Rows that were measured."},
    {"features", "count", "Columns of a row."},
    {"fitted_rows", "count", "Rows that a k-means reference was fitted to."},
    {"iterations", "count", "Lloyd iterations of a k-means reference."},
};

const MetricDefinition* named(std::string_view name) {
  const auto found = std::ranges::find(kDefinitions, name, &MetricDefinition::name);
  return found == std::end(kDefinitions) ? nullptr : found;
}

/// `text` in lines of up to kWidth characters, each behind kIndent spaces.
void append_wrapped(std::string_view text, std::string& out) {
  size_t column = 0;
  while (!text.empty()) {
    const size_t length = std::min(text.find(' '), text.size());
    if (column > 0 && column + 1 + length > kWidth) {
      out += '\n';
      column = 0;
    }
    out += column == 0 ? std::string(kIndent, ' ') : " ";
    out += text.substr(0, length);
    column += length + (column == 0 ? kIndent : 1);
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  out += '\n';
}

}  // namespace

std::span<const MetricDefinition> metric_definitions() { return kDefinitions; }

const MetricDefinition* find_metric(std::string_view key) {
  key.remove_prefix(key.rfind('/') + 1);  // npos + 1 is 0
  if (const MetricDefinition* found = named(key)) return found;
  for (const std::string_view prefix : {"train_", "validation_"})
    if (key.starts_with(prefix)) return named(key.substr(prefix.size()));
  return nullptr;
}

std::string metric_definitions_text() {
  std::string text =
      "x is a row as the model sees it (normalised), x_hat what it decodes to, z a latent, q the "
      "code\nnearest to it, e_k the codes of a codebook of K codes.\n";
  for (const MetricDefinition& metric : kDefinitions) {
    text += metric.unit.empty() ? fmt::format("\n{}\n", metric.name)
                                : fmt::format("\n{}  [{}]\n", metric.name, metric.unit);
    append_wrapped(metric.text, text);
  }
  return text;
}

}  // namespace tessera
