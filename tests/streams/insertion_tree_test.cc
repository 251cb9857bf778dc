#include "streams/insertion_tree.h"

#include "base/random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

namespace millrace::streams {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

TEST(InsertionTree, SortsAsASetWhileComparisonsStay) {
  constexpr std::uint64_t kSeed = 5;
  SCOPED_TRACE(kSeed);
  SeededRandom random(kSeed);
  for (int round = 0; round < 200; ++round) {
    InsertionTree<std::uint64_t> tree;
    std::set<std::uint64_t> set;
    EXPECT_THAT(tree.inOrder(), IsEmpty());
    for (std::uint64_t i = random.below(60); i > 0; --i) {
      const std::uint64_t value = random.below(50);
      tree.insert(value, std::less<>());
      set.insert(value);
      EXPECT_THAT(tree.inOrder(), ElementsAreArray(set));
    }
  }
}

/// Whatever comparisons say later, each element stays where it was put.
TEST(InsertionTree, KeepsThePlacesOfThen) {
  InsertionTree<char> tree;
  std::map<char, int> size{{'a', 1}, {'b', 2}, {'c', 3}, {'d', 0}};
  const auto larger = [&size](char x, char y) { return size[x] > size[y]; };
  tree.insert('a', larger);
  tree.insert('b', larger);
  EXPECT_THAT(tree.inOrder(), ElementsAre('b', 'a'));
  size['a'] = 10;
  EXPECT_THAT(tree.inOrder(), ElementsAre('b', 'a'));
  tree.insert('c', larger);  // behind a, the root, since a is larger by now
  EXPECT_THAT(tree.inOrder(), ElementsAre('b', 'a', 'c'));
  size['d'] = 20;
  tree.insert('d', larger);
  EXPECT_THAT(tree.inOrder(), ElementsAre('d', 'b', 'a', 'c'));
}

}  // namespace
}  // namespace millrace::streams
