#include <sys/stat.h>
#include <unistd.h>

#include "data/file_fixture.h"
#include "tessera/files.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class LoadArrayTest : public FileTest {
 protected:
  const HostArray array_{DType::U8, {2, 1}, to_bytes({5, 6})};
  const HostArray other_{DType::U8, {1}, to_bytes({7})};
};

TEST_F(LoadArrayTest, NpyIsToldByContent) {
  write_npy(path("a.dat"), array_);
  expect_same(load_array(path("a.dat")), array_);
}

TEST_F(LoadArrayTest, IdxIsToldByContent) {
  put("a.npy", to_bytes({0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 1, 5, 6}));
  expect_same(load_array(path("a.npy")), array_);
}

TEST_F(LoadArrayTest, GzippedIdxIsToldByContent) {
  // gzip of {0, 0, 8, 1, 0, 0, 0, 1, 7} as one stored block.
  put("a", to_bytes({0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0,    3,    1,    9,    0, 0xF6, 0xFF, 0,
                     0,    8,    1, 0, 0, 0, 1, 7, 0x8E, 0x2D, 0xC5, 0x99, 9, 0,    0,    0}));
  expect_same(load_array(path("a")), other_);
}

TEST_F(LoadArrayTest, SingleArrayOfAnArchiveNeedsNoName) {
  write_npz(path("a.npz"), std::vector{view_of("x", array_)});
  expect_same(load_array(path("a.npz")), array_);
}

TEST_F(LoadArrayTest, NameAfterAColonChoosesFromAnArchive) {
  write_npz(path("a.npz"), std::vector{view_of("x", array_), view_of("y", other_)});
  expect_same(load_array(path("a.npz:y")), other_);
  expect_data_error([&] { load_array(path("a.npz")); }, "an archive of 2 arrays; say which one as");
  expect_data_error([&] { load_array(path("a.npz:z")); }, "no array 'z' among 2");
  expect_data_error([&] { load_array(path("a.npz:")); }, "no name after the colon");
  expect_data_error([&] { load_array(path("b.npz:x")); }, "b.npz: no such file");
}

TEST_F(LoadArrayTest, EmptyArchiveIsRefused) {
  write_npz(path("a.npz"), {});
  expect_data_error([&] { load_array(path("a.npz")); }, "an archive of 0 arrays");
}

TEST_F(LoadArrayTest, OtherContentIsShown) {
  expect_data_error([&] { load_array(put("a.csv", to_bytes("1,2,3\n"))); },
                    "a.csv: starts with '1,2,3\\x0a', which is none of .npy, .npz and IDX");
  expect_data_error([&] { load_array(put("empty", {})); }, "empty: starts with ''");
}

TEST_F(LoadArrayTest, DamagedStartIsExplainedByTheReaderOfTheExtension) {
  expect_data_error([&] { load_array(put("a.npy", to_bytes("some other text"))); },
                    "not with \\x93NUMPY");
  expect_data_error([&] { load_array(put("a.npz", Bytes(3, std::byte{1}))); },
                    "too few for a .npz");
}

TEST_F(LoadArrayTest, PathsThatAreNoFilesAreNamed) {
  expect_data_error([&] { load_array(path("none.npy")); }, "none.npy: no such file");
  expect_data_error([&] { load_array(folder_.string()); }, "is a folder");
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  expect_data_error([&] { load_array(path("pipe")); }, "pipe: is not a regular file");
}

TEST_F(LoadArrayTest, UnreadableFileIsNamed) {
  if (geteuid() == 0) GTEST_SKIP() << "root may read everything";
  put("a.npy", to_bytes("x"));
  chmod(path("a.npy").c_str(), 0);
  expect_data_error([&] { load_array(path("a.npy")); }, "a.npy: cannot be opened (");
}

}  // namespace
}  // namespace tessera
