// Logs that a start finds on the disk and that the metadata does not know: none is deleted.
#include "tests/broker/support/requests.h"
#include "tests/broker/support/test_broker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace millrace::broker::testing {
namespace {

namespace fs = std::filesystem;

class Strays : public ::testing::Test {
 protected:
  /// A record in the only partition of "orders"; then the broker stops.
  void writeAndStop() {
    WireClient client(broker_.port());
    ASSERT_EQ(createTopic(client, "orders", 1), 0);
    ASSERT_EQ(produce(client, "orders", 0, {"precious"}).error_code, 0);
    broker_.stop();
  }
  /// How many logs of "orders" that were set aside still have the record.
  [[nodiscard]] std::ptrdiff_t setAside() const {
    const fs::directory_iterator logs(broker_.directory());
    return std::count_if(begin(logs), end(logs), [](const auto& log) {
      const std::string name = log.path().filename().string();
      if (!name.starts_with("orders-0.") || !name.ends_with("-stray")) return false;
      return fs::file_size(log.path() / "00000000000000000000.log") > 0;
    });
  }

  TestBroker broker_;
};

TEST_F(Strays, LogsStayWhereTheMetadataIsLost) {
  writeAndStop();
  fs::remove_all(broker_.directory() + "/__cluster_metadata-0");
  broker_.start();
  EXPECT_EQ(setAside(), 1);
  WireClient client(broker_.port());
  EXPECT_EQ(createTopic(client, "orders", 1), 0);
  EXPECT_TRUE(readAll(client, "orders", 0).empty());
}

TEST_F(Strays, ALogOfAnotherTopicOfThatNameStays) {
  writeAndStop();
  std::ofstream(broker_.directory() + "/orders-0/partition.metadata")
      << "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAKg";
  broker_.start();
  EXPECT_EQ(setAside(), 1);
  WireClient client(broker_.port());
  EXPECT_TRUE(readAll(client, "orders", 0).empty());
}

}  // namespace
}  // namespace millrace::broker::testing
