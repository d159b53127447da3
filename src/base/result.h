// Operating errors as values: disk full, peer gone, bad file. An Error is one sentence that says what is wrong and
// what to do; it reaches the operator as it is.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace pollux {

// What the process exits with, and what a caller may decide on. docs/howto/exit-codes.md lists the numbers.
enum class ErrorKind {
  kUsage,       // the operator asked for something that cannot be
  kEnvironment, // a file, a port, a peer, memory: the world said no
  kFormat,      // bytes that are not what they should be
  kDivergence,  // two copies of one machine differ: never mixed with the others
};

struct Error {
  ErrorKind kind = ErrorKind::kEnvironment;
  std::string sentence;
};

template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
};

inline std::unexpected<Error> fail(ErrorKind kind, std::string sentence) {
  return std::unexpected(Error{kind, std::move(sentence)});
}

// Passes an error on: if (!r) return pass(r);
template <class T>
std::unexpected<Error> pass(Result<T>& result) {
  return std::unexpected(std::move(result.error()));
}

}  // namespace pollux
