// Programmer errors: a condition that the code itself must keep. On in every build; prints and aborts.
#pragma once

namespace pollux {
[[noreturn]] void check_failed(const char* condition, const char* file, int line, const char* why);
}  // namespace pollux

#define POLLUX_CHECK(condition, why)                                                \
  do {                                                                              \
    if (!(condition)) [[unlikely]]                                                  \
      ::pollux::check_failed(#condition, __FILE__, __LINE__, why);                  \
  } while (false)
