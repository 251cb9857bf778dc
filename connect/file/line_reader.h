// Lines of a growing text file, cut and counted exactly as Kafka's FileStreamSource does.
#pragma once

#include "connect/file/input_bytes.h"

#include <optional>
#include <string>

namespace millrace::connect {

struct Line {
  std::string text;            ///< without its end; broken UTF-8 replaced
  std::uint64_t position = 0;  ///< after the line, in UTF-16 units (Kafka's offset)
  std::uint64_t bytes = 0;     ///< after the line, in bytes: what a restart needs
};

/// Lines end at LF, CR or CRLF; a CR at the end of the buffer waits for the next character. The
/// buffer holds a number of UTF-16 units (1024, doubled where a line does not fit), because with a
/// small batch size its size decides which lines Kafka delivers now and which wait.
class LineReader {
 public:
  LineReader(InputBytes input, std::uint64_t position, std::uint64_t bytes);

  /// Takes what is there, as far as it fits. False: nothing new.
  [[nodiscard]] Result<bool> fill();
  /// The next whole line in the buffer.
  [[nodiscard]] std::optional<Line> next();
  /// Makes room where the buffer is full and holds no line.
  void growIfFull();
  /// The unfinished last line of a file that is known to end here.
  [[nodiscard]] std::optional<Line> rest();
  [[nodiscard]] bool inputClosed() const { return input_.closed(); }

 private:
  Line take(std::size_t text_bytes, std::size_t whole_bytes);
  void moveWhatFits();

  InputBytes input_;
  Bytes raw_;     // read from the file, not yet in the buffer: what did not fit, or is incomplete
  Bytes buffer_;  // from begin_: characters that Kafka's buffer would hold
  std::size_t begin_ = 0;
  std::uint64_t held_units_ = 0;
  std::uint64_t capacity_units_ = 1024;
  std::uint64_t position_;
  std::uint64_t bytes_;
};

}  // namespace millrace::connect
