// A red-black tree that remembers how things compared when they came.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace millrace::streams {

/// Kafka sorts some nodes by numbers that still grow while it sorts: each has the place that was
/// right when it came, which depends on the shape that the tree had then. So this is Java's
/// TreeSet to the letter (the balancing of Cormen et al.), and nothing is ever looked up in it.
/// Elements are only compared while one is inserted, hence a comparison that has changed since is
/// no contradiction.
template <class T>
class InsertionTree {
 public:
  /// `before(a, b)`: whether a goes in front of b now. What is equal to an element that is met on
  /// the way is left out, as from a set.
  template <class Before>
  void insert(T value, const Before& before) {
    std::size_t parent = kNone;
    bool goes_left = false;
    for (std::size_t at = root_; at != kNone;) {
      parent = at;
      goes_left = before(value, nodes_[at].value);
      if (!goes_left && !before(nodes_[at].value, value)) return;
      at = goes_left ? nodes_[at].left : nodes_[at].right;
    }
    const std::size_t added = nodes_.size();
    nodes_.push_back({.value = std::move(value), .parent = parent});
    if (parent == kNone) {
      root_ = added;
    } else {
      child(parent, goes_left) = added;
    }
    balance(added);
  }

  [[nodiscard]] bool empty() const { return nodes_.empty(); }
  /// From front to back.
  [[nodiscard]] std::vector<T> inOrder() const {
    std::vector<T> values;
    std::vector<std::size_t> path;
    for (std::size_t at = root_; at != kNone || !path.empty();) {
      if (at != kNone) {
        path.push_back(at);
        at = nodes_[at].left;
      } else {
        at = path.back();
        path.pop_back();
        values.push_back(nodes_[at].value);
        at = nodes_[at].right;
      }
    }
    return values;
  }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  struct Node {
    T value;
    std::size_t parent = kNone;
    std::size_t left = kNone;
    std::size_t right = kNone;
    bool red = true;
  };

  std::size_t& child(std::size_t at, bool left) {
    return left ? nodes_[at].left : nodes_[at].right;
  }
  [[nodiscard]] bool isRed(std::size_t at) const { return at != kNone && nodes_[at].red; }

  /// Two red nodes may not follow each other.
  void balance(std::size_t at) {
    while (at != root_ && isRed(nodes_[at].parent)) {
      const std::size_t parent = nodes_[at].parent;
      const std::size_t above = nodes_[parent].parent;
      const bool left = nodes_[above].left == parent;
      const std::size_t uncle = child(above, !left);
      if (isRed(uncle)) {
        nodes_[parent].red = nodes_[uncle].red = false;
        nodes_[above].red = true;
        at = above;
        continue;
      }
      if (at == child(parent, !left)) {
        at = parent;
        rotate(at, left);
      }
      nodes_[nodes_[at].parent].red = false;
      nodes_[above].red = true;
      rotate(above, !left);
    }
    nodes_[root_].red = false;
  }

  /// Moves `at` down to the left, or to the right, below the child of its other side.
  void rotate(std::size_t at, bool to_left) {
    const std::size_t up = child(at, !to_left);
    child(at, !to_left) = child(up, to_left);
    if (child(up, to_left) != kNone) nodes_[child(up, to_left)].parent = at;
    nodes_[up].parent = nodes_[at].parent;
    if (nodes_[at].parent == kNone) {
      root_ = up;
    } else {
      child(nodes_[at].parent, nodes_[nodes_[at].parent].left == at) = up;
    }
    child(up, to_left) = at;
    nodes_[at].parent = up;
  }

  std::vector<Node> nodes_;
  std::size_t root_ = kNone;
};

}  // namespace millrace::streams
