#include "host/system_error.h"

#include <cctype>
#include <cstring>

namespace pollux::host {

std::string reason(int error_number) {
  char buffer[128];
  std::string text = strerror_r(error_number, buffer, sizeof buffer);
  if (text.size() > 1 && std::islower(text[1])) text[0] = char(std::tolower(text[0]));
  return text;
}

std::unexpected<Error> system_fail(const std::string& subject, int error_number, const std::string& advice) {
  return fail(ErrorKind::kEnvironment, subject + " (" + reason(error_number) + "): " + advice);
}

}  // namespace pollux::host
