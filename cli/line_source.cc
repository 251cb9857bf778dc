#include "cli/line_source.h"

#include <sys/types.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace millrace::cli {

Result<LineRecord> parseLine(std::string_view line, const LineRules& rules) {
  LineRecord out;
  if (rules.key) out.key = *rules.key;
  out.value = line;
  if (rules.key_separator) {
    const auto at = line.find(*rules.key_separator);
    if (at == std::string_view::npos) {
      return fail(Errc::kInvalidRequest,
                  "no key separator \"" + *rules.key_separator + "\" in the line");
    }
    out.key = line.substr(0, at);
    out.value = line.substr(at + rules.key_separator->size());
  }
  if (rules.null_text) {
    if (out.key == *rules.null_text) out.key.reset();
    if (out.value == *rules.null_text) out.value.reset();
  }
  return out;
}

LineSource::~LineSource() { std::free(buffer_); }

bool LineSource::next(std::string_view& line) {
  const ssize_t n = getline(&buffer_, &capacity_, file_);
  if (n < 0) return false;
  line = {buffer_, static_cast<std::size_t>(n)};
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return true;
}

bool LineSource::rest(std::string& all) {
  char chunk[1 << 16];
  std::size_t n = 0;
  while ((n = std::fread(chunk, 1, sizeof chunk, file_)) > 0) all.append(chunk, n);
  return !all.empty();
}

Status LineSource::status() const {
  if (std::ferror(file_) == 0 || errno == EINTR) return {};
  return fail(Errc::kIo, std::string("reading the input: ") + std::strerror(errno));
}

}  // namespace millrace::cli
