#include <cmath>

#include "tessera/error.h"
#include "tessera/methods.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

// Rows times features: 16 GiB of floats, far beyond what the lab is for.
constexpr int64_t kMaxValues = int64_t{1} << 32;
constexpr int64_t kMaxDim = 4096, kMaxCount = int64_t{1} << 31;

void require_count(const char* flag, int64_t value, int64_t most) {
  require(value >= 1 && value <= most, ErrorKind::Usage, "experiment: ", flag, " ", value,
          " is not a count from 1 to ", most, "; give one");
}

void require_weight(const char* flag, double value) {
  require(std::isfinite(value) && value >= 0, ErrorKind::Usage, "experiment: ", flag, " ", value,
          " is negative or not finite; give 0 or more");
}

}  // namespace

void check_lab_settings(const LabSettings& s) {
  require_count("--D", s.data_dim, kMaxDim);
  require_count("--rank", s.rank, kMaxDim);
  require_count("--m", s.latent_dim, kMaxDim);
  require_count("--K", s.codebook_size, kMaxCount - 1);
  require_count("--n_train", s.train_rows, kMaxCount - 1);
  require_count("--n_eval", s.eval_rows, kMaxCount - 1);
  require_count("--steps", s.steps, kMaxCount - 1);
  require_count("--batch", s.batch, kMaxCount - 1);
  require(
      s.latent_dim <= s.data_dim, ErrorKind::Usage, "experiment: --m ", s.latent_dim,
      " latent features are more than the ", s.data_dim,
      " of the data; an encoder with orthonormal rows has at most as many, so give --m up to --D");
  require(s.rank <= s.data_dim, ErrorKind::Usage, "experiment: --rank ", s.rank,
          " directions do not fit into the ", s.data_dim,
          " features of --D; give --rank up to --D");
  require(s.codebook_size <= s.train_rows, ErrorKind::Usage, "experiment: --K ", s.codebook_size,
          " codes for ", s.train_rows,
          " training rows, of which k-means++ takes each code; give --K up to --n_train");
  require(s.start == "fair" || s.start == "reference", ErrorKind::Usage, "experiment: --start ",
          s.start, " is not known; use fair or reference");
  require(s.start == "fair" || s.codebook_size <= 8000, ErrorKind::Usage, "experiment: --K ",
          s.codebook_size,
          " codes and --start reference, which takes them from 8000 rows; "
          "give --K up to 8000, or --start fair");
  require(std::max(s.train_rows, s.eval_rows) <= kMaxValues / s.data_dim &&
              s.batch <= kMaxValues / s.data_dim,
          ErrorKind::Usage, "experiment: ", std::max({s.train_rows, s.eval_rows, s.batch}),
          " rows of ", s.data_dim, " features are more than ", kMaxValues,
          " values; give fewer rows");
  require_weight("--alpha", s.codebook_weight);
  require_weight("--beta", s.commitment_weight);
  require_weight("--lrW", s.encoder_rate);
  require_weight("--lrE", s.codebook_rate);
  require_weight("--noise", s.noise_variance);
  TESSERA_CHECK(s.log_interval >= 1 && s.lloyd_iterations >= 0, "LabSettings: log interval ",
                s.log_interval, ", Lloyd iterations ", s.lloyd_iterations);
}

}  // namespace tessera::inline TESSERA_PRECISION
