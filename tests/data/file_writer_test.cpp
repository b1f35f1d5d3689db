#include "tessera/files/file_writer.h"

#include <sys/stat.h>
#include <unistd.h>

#include "data/file_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class FileWriterTest : public FileTest {
 protected:
  std::string temporary(const std::string& name) const {
    return name + ".tmp." + std::to_string(getpid());
  }
};

TEST_F(FileWriterTest, FileAppearsAtCommit) {
  FileWriter file(path("a"));
  file.write("one, ");
  file.write("two");
  EXPECT_EQ(listing(), std::vector<std::string>{temporary("a")});
  EXPECT_EQ(file.bytes_written(), 8u);
  file.commit();
  EXPECT_EQ(listing(), std::vector<std::string>{"a"});
  EXPECT_EQ(get(path("a")), to_bytes("one, two"));
}

TEST_F(FileWriterTest, WithoutCommitTheOldFileStays) {
  put("a", to_bytes("old"));
  { FileWriter(path("a")).write("new"); }
  EXPECT_EQ(get(path("a")), to_bytes("old"));
  EXPECT_EQ(listing(), std::vector<std::string>{"a"});
}

TEST_F(FileWriterTest, CommitReplacesAndKeepsPermissions) {
  put("a", to_bytes("old and longer"));
  chmod(path("a").c_str(), 0640);
  write_file(path("a"), "new");
  EXPECT_EQ(get(path("a")), to_bytes("new"));
  struct stat status {};
  stat(path("a").c_str(), &status);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST_F(FileWriterTest, LeftOverTemporaryIsReplaced) {
  put(temporary("a"), to_bytes("from a process of the same number"));
  write_file(path("a"), "new");
  EXPECT_EQ(get(path("a")), to_bytes("new"));
  EXPECT_EQ(listing(), std::vector<std::string>{"a"});
}

TEST_F(FileWriterTest, LinkIsFollowedAndKept) {
  put("target", to_bytes("old"));
  std::filesystem::create_symlink("target", path("link"));
  write_file(path("link"), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(path("link")));
  EXPECT_EQ(get(path("target")), to_bytes("new"));
}

TEST_F(FileWriterTest, FoldersAndDevicesAreRefused) {
  expect_data_error([&] { write_file(folder_.string(), "x"); }, "is a folder; name a file");
  expect_data_error([] { write_file("/dev/null", "x"); }, "/dev/null: is a device or pipe");
  expect_data_error([&] { write_file(path("none/a"), "x"); }, "none' to write to; create it");
  expect_data_error([&] { write_file(path(std::string(300, 'a')), "x"); }, "cannot be written");
}

TEST_F(FileWriterTest, ReadOnlyFolderIsRefused) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  chmod(folder_.c_str(), 0500);
  expect_data_error([&] { write_file(path("a"), "x"); }, "a: cannot be written (");
  chmod(folder_.c_str(), 0700);
}

TEST_F(FileWriterTest, ReadOnlyFileIsRefused) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  put("a", to_bytes("old"));
  chmod(path("a").c_str(), 0400);
  expect_data_error([&] { write_file(path("a"), "x"); }, "a: may not be overwritten (");
}

TEST_F(FileWriterTest, UseAfterCommitIsAnInternalError) {
  FileWriter file(path("a"));
  file.commit();
  EXPECT_THROW(file.write("x"), Error);
  EXPECT_THROW(file.commit(), Error);
}

}  // namespace
}  // namespace tessera
