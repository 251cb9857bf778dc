// When the metadata service asks, and for what. Its back-off is an hour here: what comes at all
// came without it.
#include "client/metadata.h"

#include "client/runtime.h"
#include "support/fake_transport.h"

#include <gtest/gtest.h>

#include <chrono>

namespace millrace::client {
namespace {

class MetadataServiceTest : public ::testing::Test {
 protected:
  MetadataServiceTest() {
    transport_->on<protocol::MetadataRequest>(
        [this](const protocol::MetadataRequest& request) { return answer(request); });
  }
  ~MetadataServiceTest() override {
    service_->close();
    runtime_->stop();
    transport_->stop();
  }

  Result<std::shared_ptr<protocol::MetadataResponse>> answer(
      const protocol::MetadataRequest& request) {
    const std::lock_guard lock(mutex_);
    auto made = std::make_shared<protocol::MetadataResponse>();
    std::set<std::string> names;
    for (const auto& asked : *request.topics) {
      auto& topic = made->topics.emplace_back();
      topic.name = asked.name;
      topic.topic_id = Uuid{1, 2};
      names.insert(asked.name->str());
    }
    asked_.push_back(std::move(names));
    changed_.notify_all();
    return made;
  }

  /// What was asked for, when it was so often.
  std::vector<std::set<std::string>> asked(std::size_t times) {
    std::unique_lock lock(mutex_);
    const bool came =
        changed_.wait_for(lock, std::chrono::seconds(20), [&] { return asked_.size() >= times; });
    EXPECT_TRUE(came) << asked_.size() << " requests";
    return asked_;
  }
  /// Waits until the picture has the topic.
  void awaitTopic(const std::string& name) {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, std::chrono::seconds(20),
                                        [&] { return service_->image()->topics.contains(name); });
    EXPECT_TRUE(came) << name;
  }

  static constexpr Millis kHour = 3'600'000;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::set<std::string>> asked_;
  std::shared_ptr<ClientRuntime> runtime_ = std::make_shared<ClientRuntime>();
  std::shared_ptr<FakeTransport> transport_ = std::make_shared<FakeTransport>();
  std::shared_ptr<MetadataService> service_ = std::make_shared<MetadataService>(
      runtime_, transport_,
      MetadataService::Options{
          .max_age_ms = 10 * kHour, .retry_backoff_ms = kHour, .retry_backoff_max_ms = kHour});
};

TopicTable::Entry topic(const std::string& name, Errc error = Errc::kNone) {
  auto made = std::make_shared<TopicMeta>();
  made->name = name;
  made->error = error;
  return made;
}

std::vector<std::string> namesIn(const TopicTable& table) {
  std::vector<std::string> out;
  for (const auto& entry : table) out.push_back(entry->name);
  return out;
}

TEST(TopicTable, KeepsNamesInOrderAndTheNewestOfEach) {
  TopicTable table;
  EXPECT_EQ(table.find("a"), nullptr);
  table.put({topic("c"), topic("a")});
  const TopicTable before = table;
  table.put({topic("b"), topic("c", Errc::kLeaderNotAvailable), topic("b")});
  EXPECT_EQ(namesIn(before), (std::vector<std::string>{"a", "c"}));
  EXPECT_EQ(namesIn(table), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(table.find("c")->error, Errc::kLeaderNotAvailable);
  EXPECT_EQ(before.find("c")->error, Errc::kNone);
  EXPECT_EQ(before.find("a"), table.find("a"));
  EXPECT_EQ(table.find("bb"), nullptr);
}

using Topics = std::vector<std::set<std::string>>;

TEST_F(MetadataServiceTest, ANewTopicIsAskedForAtOnceAndAlone) {
  service_->onUpdate([this](const auto&) {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  });
  for (const char* name : {"a", "b", "c"}) {
    service_->addTopics({name});
    awaitTopic(name);
  }
  EXPECT_EQ(asked(3), (Topics{{"a"}, {"b"}, {"c"}}));
  service_->addTopics({"a", "b"});  // known: nothing to ask
  service_->setTopics({"c", "d"});
  EXPECT_EQ(asked(4).back(), (std::set<std::string>{"d"}));
}

TEST_F(MetadataServiceTest, ATopicThatComesWhileAnAnswerIsOnItsWayFollowsAtOnce) {
  {
    const std::lock_guard lock(mutex_);  // holds the answer back
    service_->addTopics({"a"});
    service_->addTopics({"b"});
    service_->addTopics({"c"});
  }
  EXPECT_EQ(asked(2), (Topics{{"a"}, {"b", "c"}}));
}

TEST_F(MetadataServiceTest, AnUpdateOnRequestNamesAllTopics) {
  {
    const std::lock_guard lock(mutex_);
    service_->addTopics({"a"});
    service_->requestUpdate();
    service_->addTopics({"b"});
  }
  EXPECT_EQ(asked(2), (Topics{{"a"}, {"a", "b"}}));
}

}  // namespace
}  // namespace millrace::client
