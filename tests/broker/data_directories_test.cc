// What a start makes of the directories that it finds, and which of them it refuses.
#include "broker/data_directories.h"

#include "log/log_manager.h"
#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace millrace::broker::testing {
namespace {

namespace fs = std::filesystem;

class DataDirectories : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const {
    return directory_.path() + "/" + name;
  }
  Result<DirectoryIdentity> identify(const std::vector<std::string>& names,
                                     const std::string& metadata) {
    std::vector<std::string> paths;
    for (const std::string& name : names) paths.push_back(path(name));
    return identifyDirectories(systemFiles(), paths, path(metadata), std::nullopt);
  }
  /// The refusal's words; empty where it was none.
  std::string refusal(const std::vector<std::string>& names, const std::string& metadata = "a") {
    const auto identity = identify(names, metadata);
    if (identity) return {};
    EXPECT_EQ(identity.error().code, Errc::kConfig);
    return identity.error().detail;
  }
  void write(const std::string& name, const Uuid& id) {
    ASSERT_TRUE(log::writeMetaProperties(systemFiles(), path(name), {"cluster", 1, id}));
  }

  millrace::TempDir directory_;
};

TEST_F(DataDirectories, FreshOnesAreFormattedTogether) {
  const auto first = identify({"a", "b"}, "a");
  ASSERT_TRUE(first) << first.error().toString();
  const auto again = identify({"a", "b", "c"}, "a");
  ASSERT_TRUE(again) << again.error().toString();
  EXPECT_EQ(again->cluster_id, first->cluster_id);
  EXPECT_EQ(again->ids.at(path("b")), first->ids.at(path("b")));
  EXPECT_EQ(again->ids.size(), 3U);
}

TEST_F(DataDirectories, AFirstStartThatCannotFormatTheMetadataLogsFormatsNone) {
  fs::create_directory_symlink(path("gone") + "/away", path("metadata"));
  ASSERT_FALSE(identify({"a", "b"}, "metadata"));
  fs::remove(path("metadata"));
  EXPECT_EQ(refusal({"a", "b"}, "metadata"), "");
}

/// A disk that is not mounted: a new metadata log would know none of the topics on the others.
TEST_F(DataDirectories, TheMetadataLogIsNotBegunAnewBesideOldData) {
  ASSERT_TRUE(identify({"a", "b"}, "a"));
  fs::rename(path("a"), path("away"));
  EXPECT_NE(refusal({"a", "b"}).find(path("a") + " is to hold the metadata log"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(path("a")));
  fs::rename(path("away"), path("a"));
  EXPECT_EQ(refusal({"a", "b"}), "");
}

TEST_F(DataDirectories, TheMetadataLogIsNotBegunAnewBesideTheOldOne) {
  ASSERT_TRUE(identify({"a", "b"}, "a"));
  fs::create_directory(path("a") + "/__cluster_metadata-0");
  EXPECT_NE(refusal({"b", "a"}, "b").find("the metadata log lies in " + path("a")),
            std::string::npos);
  EXPECT_EQ(refusal({"b", "a"}, "a"), "");
}

TEST_F(DataDirectories, OneByTwoNamesIsRefused) {
  ASSERT_TRUE(identify({"a", "b"}, "a"));
  fs::create_directory_symlink(path("b"), path("link"));
  for (const char* const other : {"link", "b/", "./b", "a/../b"})
    EXPECT_EQ(refusal({"a", "b", other}),
              "log.dirs: " + path("b") + " and " + path(other) + " are the same directory");
  EXPECT_EQ(refusal({"new", "new/"}, "new"),
            "log.dirs: " + path("new") + " and " + path("new/") + " are the same directory");
}

TEST_F(DataDirectories, OneInAnotherIsRefused) {
  EXPECT_EQ(refusal({"a", "a/b"}), "log.dirs: " + path("a/b") + " lies in " + path("a"));
  EXPECT_EQ(refusal({"a", "a-b", "a/c-0"}), "log.dirs: " + path("a/c-0") + " lies in " + path("a"));
  EXPECT_EQ(refusal({"a"}, "a/metadata"),
            "log.dirs: " + path("a/metadata") + " lies in " + path("a"));
  EXPECT_EQ(refusal({"a", "a-b"}), "");
}

TEST_F(DataDirectories, ACopyIsRefused) {
  ASSERT_TRUE(identify({"a", "b"}, "a"));
  fs::copy(path("b"), path("c"));
  EXPECT_NE(refusal({"a", "b", "c"}).find(path("b") + " and " + path("c") + " both have"),
            std::string::npos);
}

TEST_F(DataDirectories, AnIdWithAMeaningOfItsOwnIsRefused) {
  write("a", Uuid{0, 1});
  EXPECT_NE(refusal({"a"}).find("directory.id="), std::string::npos);
}

TEST_F(DataDirectories, WhatHasNoIdYetGetsOne) {
  write("a", Uuid{});
  write("b", Uuid{});
  const auto identity = identify({"a", "b"}, "a");
  ASSERT_TRUE(identity) << identity.error().toString();
  EXPECT_EQ(identity->cluster_id, "cluster");
  EXPECT_FALSE(identity->metadata_directory_id.isZero());
  EXPECT_NE(identity->ids.at(path("a")), identity->ids.at(path("b")));
  EXPECT_EQ(identify({"a", "b"}, "a")->ids, identity->ids);
}

}  // namespace
}  // namespace millrace::broker::testing
