#include "tessera/files/npy.h"

#include "data/bytes.h"
#include "data/npy_header.h"

namespace tessera {

NpyFile::NpyFile(const std::string& path) : NpyFile(std::make_shared<FileSource>(path)) {}

NpyFile::NpyFile(std::shared_ptr<const ByteSource> source) : source_(std::move(source)) {
  PlainStream stream(*source_, 0, source_->size(), source_->name());
  info_ = read_npy_header(stream, source_->size(), source_->name());
}

HostArray NpyFile::read() const {
  const std::string& where = source_->name();
  auto values = allocate_bytes(array_bytes(info_.dtype, info_.shape, where), where);
  source_->read(info_.data_offset, values);
  return finish_npy(info_, info_.shape, std::move(values), where);
}

HostArray NpyFile::read_rows(int64_t first, int64_t last) const {
  TESSERA_CHECK(!info_.shape.empty() && 0 <= first && first <= last && last <= info_.rows(),
                source_->name(), ": rows ", first, " to ", last, " of ", shape_text(info_.shape));
  if (first == 0 && last == info_.rows()) return read();
  const std::string& where = source_->name();
  std::vector<int64_t> shape = info_.shape;
  shape[0] = last - first;
  const int64_t item = item_size(info_.dtype);
  auto values = allocate_bytes(array_bytes(info_.dtype, shape, where), where);
  // A Fortran array is a list of columns, of each of which the rows are one run.
  const int64_t runs = info_.fortran_order ? info_.row_size() : 1;
  const int64_t run_bytes = values.empty() ? 0 : static_cast<int64_t>(values.size()) / runs;
  const int64_t start_bytes = first * item * (info_.fortran_order ? 1 : info_.row_size());
  for (int64_t run = 0; run < runs && run_bytes > 0; ++run) {
    source_->read(info_.data_offset + run * info_.rows() * item + start_bytes,
                  std::span(values).subspan(run * run_bytes, run_bytes));
  }
  return finish_npy(info_, std::move(shape), std::move(values), where);
}

HostArray read_npy(const std::string& path) { return NpyFile(path).read(); }

NpyInfo probe_npy(const std::string& path) { return NpyFile(path).info(); }

void write_npy(const std::string& path, const HostArray& array) {
  NpyWriter writer(path, array.dtype, array.shape);
  writer.append(array.bytes);
  writer.commit();
}

NpyWriter::NpyWriter(const std::string& path, DType dtype, std::span<const int64_t> shape)
    : expected_(array_bytes(dtype, shape, path)), file_(path) {
  file_.write(npy_header(dtype, shape, path));
}

void NpyWriter::append(std::span<const std::byte> values) {
  appended_ += static_cast<int64_t>(values.size());
  TESSERA_CHECK(appended_ <= expected_, file_.path(), ": ", appended_, " bytes for an array of ",
                expected_);
  file_.write(values);
}

void NpyWriter::commit() {
  TESSERA_CHECK(appended_ == expected_, file_.path(), ": ", appended_, " bytes for an array of ",
                expected_);
  file_.commit();
}

}  // namespace tessera
