#include "session/outstanding_disk.h"

namespace pollux::session {

void OutstandingDisk::note(const door::OutputAt& output) {
  if (std::holds_alternative<door::DiskOutput>(output.output)) requests_.push_back(output);
}

void OutstandingDisk::note(const door::Input& input) {
  const auto* completion = std::get_if<door::DiskCompletionInput>(&input);
  if (!completion) return;
  const std::size_t at = place(*completion);
  if (at < requests_.size()) requests_.erase(requests_.begin() + std::ptrdiff_t(at));
}

std::size_t OutstandingDisk::place(const door::DiskCompletionInput& completion) const {
  std::size_t at = 0;
  for (const door::OutputAt& output : requests_) {
    const auto& request = std::get<door::DiskOutput>(output.output);
    if (request.disk == completion.disk && request.request == completion.request) break;
    ++at;
  }
  return at;
}

}  // namespace pollux::session
